//! Reads CloudStack: the only module with CloudStack's SQL. MySQL and SQLite snapshots are read by the same
//! statements through `Connection`; which columns there are is asked at the start, so every schema from 4.0
//! to 4.22.1 is read by name. A day is read under one consistent snapshot of each database.

mod domains;
mod fingerprint;
mod identity;
mod line_names;
mod lookup;
mod names;
mod prefetch;
mod probe;
mod progress;
mod reader;
mod resources;
mod runs;
pub mod survey;
mod usage;
mod usage_row;
mod watermark;
mod windows;

pub use progress::{Events, SourceProgress};
pub use reader::{Options, Source, SourceDay};
pub use resources::Descriptions;
pub use watermark::{Watermark, WatermarkKind};
