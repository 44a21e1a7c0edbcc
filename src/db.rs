//! Databases as the rest of the program sees them: a connection, statements with names for their values, rows and
//! their fields, the same for MySQL and SQLite. Only this module knows the drivers, apart from the code that opens the
//! ledger's file.

mod connection;
mod field;
mod mysql;
mod row;
mod sqlite;
mod value;

use std::path::Path;
use std::time::Duration;

use crate::config::SourceUri;
pub use connection::Connection;
pub use field::Field;
pub use row::Row;
pub use value::{Params, SqlValue, params};

/// Opens a database to read it. No wait for an answer is longer than these.
pub fn connect(
    uri: &SourceUri,
    connect_timeout: Duration,
    read_timeout: Duration,
) -> anyhow::Result<Connection> {
    Ok(match uri {
        SourceUri::Mysql(uri) => {
            Connection::mysql(mysql::Mysql::connect(uri, connect_timeout, read_timeout)?)
        }
        SourceUri::Sqlite(path) => {
            Connection::sqlite(sqlite::Sqlite::open(Path::new(path), read_timeout)?)
        }
    })
}
