//! Databases as their readers see them: a connection, its rows and their fields, the same for MySQL and SQLite. The
//! drivers are named here and nowhere above.

mod connection;
mod field;
mod mysql;
mod sqlite;

use std::path::Path;
use std::time::Duration;

use crate::config::SourceUri;
pub use connection::{Connection, Row};
pub use field::Field;

/// Opens a database to read it. No wait for an answer is longer than these.
pub fn connect(
    uri: &SourceUri,
    connect_timeout: Duration,
    read_timeout: Duration,
) -> anyhow::Result<Box<dyn Connection>> {
    Ok(match uri {
        SourceUri::Mysql(uri) => {
            Box::new(mysql::Mysql::connect(uri, connect_timeout, read_timeout)?)
        }
        SourceUri::Sqlite(path) => {
            Box::new(sqlite::SqliteSnapshot::open(Path::new(path), read_timeout)?)
        }
    })
}
