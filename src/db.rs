//! Databases as the rest of the program sees them: a connection, statements with names for their values, rows and
//! their fields, the same for MySQL and SQLite. Only this module knows the drivers, apart from the code that opens the
//! ledger's file.

mod connection;
mod dialect;
mod field;
mod mysql;
mod row;
mod sqlite;
mod transient;
mod value;

use std::path::Path;
use std::time::Duration;

use crate::config::{MysqlUri, SourceUri};
pub use connection::Connection;
pub use field::Field;
use mysql::{Mysql, Purpose};
pub use row::Row;
pub use transient::Transient;
pub use value::{Params, SqlValue, params};

/// Opens a database to read it. No wait for an answer is longer than these.
pub fn connect(
    uri: &SourceUri,
    connect_timeout: Duration,
    read_timeout: Duration,
) -> anyhow::Result<Connection> {
    Ok(match uri {
        SourceUri::Mysql(uri) => {
            let purpose = Purpose::Source;
            Connection::mysql(Mysql::connect(uri, purpose, connect_timeout, read_timeout)?)
        }
        SourceUri::Sqlite(path) => {
            Connection::sqlite(sqlite::Sqlite::open(Path::new(path), read_timeout)?)
        }
    })
}

/// Opens a database of our own on a server.
pub fn connect_ledger(
    uri: &MysqlUri,
    connect_timeout: Duration,
    read_timeout: Duration,
) -> anyhow::Result<Connection> {
    let purpose = Purpose::Ledger;
    Ok(Connection::mysql(Mysql::connect(
        uri,
        purpose,
        connect_timeout,
        read_timeout,
    )?))
}
