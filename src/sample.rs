//! The made-up CloudStack behind `rbc-usage sample`.
