//! A ledger in a database that servers of MySQL's protocol have in common: which of them is asked, and how long for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::config::MysqlUri;
use crate::db::{Connection, connect_ledger, params};

/// How long one server may take to let somebody in before the next one is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest wait for the next row of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The same while writing: a day is committed by all servers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);

/// For how long a server that was not to be had comes last.
const AVOIDED: Duration = Duration::from_secs(10);

/// Servers that were not to be had, and when.
static FAILED: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// Opens it by a connection that cannot write. It turns to another server when the one it has is lost.
pub fn open_to_read(uris: &[MysqlUri]) -> anyhow::Result<Connection> {
    let uris = uris.to_vec();
    Connection::reopening(move || {
        let connection = connect_to_first(&uris, READ_TIMEOUT)?;
        connection.run("set session transaction read only")?;
        Ok(connection)
    })
}

/// Opens it to write, by such a connection. It may still have to become a ledger.
pub fn open_to_write(uris: &[MysqlUri]) -> anyhow::Result<Connection> {
    let uris = uris.to_vec();
    Connection::reopening(move || {
        let connection = connect_to_first(&uris, WRITE_TIMEOUT)?;
        if is_on(&connection, "show session variables like 'wsrep_on'")? == Some(true) {
            // What another server has committed is seen, even if this one is behind.
            connection.run("set session wsrep_sync_wait = 1")?;
        }
        Ok(connection)
    })
}

/// The first server of the list that can serve.
fn connect_to_first(uris: &[MysqlUri], read_timeout: Duration) -> anyhow::Result<Connection> {
    let mut failures = Vec::new();
    for uri in in_order(uris) {
        match connect(uri, read_timeout) {
            Ok(connection) => {
                failed().retain(|(server, _)| *server != uri.to_string());
                return Ok(connection);
            }
            Err(err) => {
                let mut failed = failed();
                failed.retain(|(server, _)| *server != uri.to_string());
                failed.push((uri.to_string(), Instant::now()));
                failures.push(format!("{err:#}"));
            }
        }
    }
    bail!("{}", failures.join("; "))
}

/// As they are listed, but those last that were not to be had a moment ago.
fn in_order(uris: &[MysqlUri]) -> Vec<&MysqlUri> {
    let failed = failed();
    let is_avoided = |uri: &&MysqlUri| {
        let server = uri.to_string();
        let mut recent = failed.iter().filter(|(_, at)| at.elapsed() < AVOIDED);
        recent.any(|(name, _)| *name == server)
    };
    let (last, mut first): (Vec<&MysqlUri>, Vec<&MysqlUri>) = uris.iter().partition(is_avoided);
    first.extend(last);
    first
}

fn failed() -> std::sync::MutexGuard<'static, Vec<(String, Instant)>> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(uri: &MysqlUri, read_timeout: Duration) -> anyhow::Result<Connection> {
    let connection = connect_ledger(uri, CONNECT_TIMEOUT, read_timeout)?;
    // Outside the majority of its cluster a server lets everybody in, and answers nothing.
    if is_on(&connection, "show status like 'wsrep_ready'")? == Some(false) {
        let cluster = is_on(&connection, "show session variables like 'wsrep_on'")?;
        if cluster == Some(true) {
            bail!("{uri}: this server is not ready: it is outside the majority of its cluster");
        }
    }
    Ok(connection)
}

/// Whether a variable is on; `None`: the server has none of this name.
fn is_on(connection: &Connection, sql: &str) -> anyhow::Result<Option<bool>> {
    connection.find(sql, params! {}, |row| Ok(row.get::<&str>(1)? == "ON"))
}
