//! A simulated CloudStack: resources that live for known intervals, and a usage server that turns them
//! into rows of `cloud_usage` the way the real one does, oddities included. Beside it stands the oracle,
//! which knows the intervals and says by plain arithmetic what each local day must come to. Nothing here
//! uses the program's code. All instants are milliseconds since 1970 UTC.

pub mod cloud;
pub mod oracle;
mod random;
pub mod server;
pub mod store;
pub mod windows;
pub mod zones;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;
