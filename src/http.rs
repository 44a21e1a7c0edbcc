//! Listening, workers, and an orderly end.
