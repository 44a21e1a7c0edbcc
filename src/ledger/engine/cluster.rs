//! A ledger in a database that servers of MySQL's protocol have in common: which of them is asked, and how long for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::config::MysqlUri;
use crate::db::{Connection, Transient, connect_ledger, params};

/// How long one server may take to let somebody in before the next one is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest wait for the next row of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The same for whom it is an error to wait.
const SHORT_READ_TIMEOUT: Duration = Duration::from_secs(1);

/// The same while writing: a day is committed by all servers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a writer whose server was lost looks for another one, and how often.
const WRITERS_PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(500);

/// How long a writer waits for what another one has locked, before it begins anew.
const LOCK_SECONDS: u32 = 10;

/// How long a writer may say nothing before its server rolls back what it has begun: what a host without power has locked
/// is free before its right to write has ended.
const IDLE_SECONDS: u32 = 30;

/// The same where one transaction is everything, and the source is read meanwhile.
const PATIENT_IDLE_SECONDS: u32 = 3600;

/// For how long a server that was lost or not to be had comes last.
const AVOIDED: Duration = Duration::from_secs(10);

/// Servers that were lost or not to be had, and when last.
static FAILURES: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// The server that a connection is to at the moment, and since when.
#[derive(Clone, Default)]
pub struct CurrentServer(Arc<Mutex<Option<(String, Instant)>>>);

impl CurrentServer {
    /// Whether nobody has lost this server since the connection was opened: whoever asks a server that is frozen or cut off
    /// finds that out by waiting, once for all connections.
    pub fn is_trusted(&self) -> bool {
        let current = self.lock();
        let Some((server, since)) = current.as_ref() else {
            return true;
        };
        let failures = failures();
        let failed = |(name, at): &(String, Instant)| name == server && at >= since;
        !failures.iter().any(failed)
    }

    /// Opens a connection, to another server than the one that was lost if there is one. Where one was lost, the others are
    /// given so long to agree on how to go on.
    fn reopen(
        &self,
        uris: &[MysqlUri],
        read_timeout: Duration,
        patience: Duration,
    ) -> anyhow::Result<Connection> {
        let lost = self.lock().clone();
        if let Some((lost, _)) = &lost {
            note_failure(lost);
        }
        let had_one = lost.is_some();
        let deadline = Instant::now() + if had_one { patience } else { Duration::ZERO };
        let (server, connection) = loop {
            match connect_to_first(uris, read_timeout) {
                Err(_) if had_one && Instant::now() < deadline => std::thread::sleep(LOOK),
                // It may be back later.
                Err(err) if had_one => return Err(Transient::as_loss(&err)),
                connected => break connected?,
            }
        };
        *self.lock() = Some((server, Instant::now()));
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens it by a connection that cannot write. It turns to another server when the one it has is lost. `patience` is zero for
/// whom it is an error to wait.
pub fn open_to_read(
    uris: &[MysqlUri],
    patience: Duration,
) -> anyhow::Result<(Connection, CurrentServer)> {
    let read_timeout = match patience.is_zero() {
        true => SHORT_READ_TIMEOUT,
        false => READ_TIMEOUT,
    };
    let (uris, current) = (uris.to_vec(), CurrentServer::default());
    let server = current.clone();
    let connection = Connection::reopening(move || {
        let connection = server.reopen(&uris, read_timeout, Duration::ZERO)?;
        connection.run("set session transaction read only")?;
        Ok(connection)
    })?;
    Ok((connection, current))
}

/// Opens it to write, by such a connection. It may still have to become a ledger.
pub fn open_to_write(uris: &[MysqlUri]) -> anyhow::Result<(Connection, CurrentServer)> {
    let (uris, current) = (uris.to_vec(), CurrentServer::default());
    let server = current.clone();
    let connection = Connection::reopening(move || {
        let connection = server.reopen(&uris, WRITE_TIMEOUT, WRITERS_PATIENCE)?;
        connection.run(&format!(
            "set session innodb_lock_wait_timeout = {LOCK_SECONDS}"
        ))?;
        limit_idleness(&connection, IDLE_SECONDS)?;
        if is_on(&connection, "show session variables like 'wsrep_on'")? == Some(true) {
            // What another server has committed is seen, even if this one is behind.
            connection.run("set session wsrep_sync_wait = 1")?;
        }
        Ok(connection)
    })?;
    Ok((connection, current))
}

/// Lets a writer be silent for longer, as one who reads the source within its transaction.
pub fn allow_pauses(connection: &Connection) -> anyhow::Result<()> {
    limit_idleness(connection, PATIENT_IDLE_SECONDS)
}

fn limit_idleness(connection: &Connection, seconds: u32) -> anyhow::Result<()> {
    connection.run(&format!("set session wait_timeout = {seconds}"))
}

/// A connection to the first server of the list that can serve, and its name.
fn connect_to_first(
    uris: &[MysqlUri],
    read_timeout: Duration,
) -> anyhow::Result<(String, Connection)> {
    let mut errors = Vec::new();
    for uri in in_order(uris) {
        match connect(uri, read_timeout) {
            Ok(connection) => return Ok((uri.to_string(), connection)),
            Err(err) => {
                note_failure(&uri.to_string());
                errors.push(format!("{err:#}"));
            }
        }
    }
    bail!("{}", errors.join("; "))
}

/// As they are listed, but those last that have failed a moment ago.
fn in_order(uris: &[MysqlUri]) -> Vec<&MysqlUri> {
    let failures = failures();
    let is_avoided = |uri: &&MysqlUri| {
        let server = uri.to_string();
        let mut recent = failures.iter().filter(|(_, at)| at.elapsed() < AVOIDED);
        recent.any(|(name, _)| *name == server)
    };
    let (last, mut first): (Vec<&MysqlUri>, Vec<&MysqlUri>) = uris.iter().partition(is_avoided);
    first.extend(last);
    first
}

fn note_failure(server: &str) {
    let mut failures = failures();
    failures.retain(|(name, _)| name != server);
    failures.push((server.to_owned(), Instant::now()));
}

fn failures() -> MutexGuard<'static, Vec<(String, Instant)>> {
    FAILURES.lock().unwrap_or_else(PoisonError::into_inner)
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
