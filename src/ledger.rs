//! Opens, migrates, writes and reads the ledger: the only module with the ledger's SQL.

pub mod read;

/// Written into the SQLite header of every ledger, so that no other database is taken for one.
pub const APPLICATION_ID: i32 = 0x52424355;

/// `user_version` of a ledger that has every migration this program knows.
pub const SCHEMA_VERSION: i64 = 1;
