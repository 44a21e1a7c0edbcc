//! Connecting: what a session is set to, whatever the server is set to, and for how long anybody waits.

use std::net::ToSocketAddrs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{anyhow, bail};
use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, SslOpts};
use std::io::ErrorKind;

use super::explain::{explain, io_kind, tls_error, tls_in_words};
use crate::config::{MysqlTls, MysqlUri};
use crate::plural::plural;

/// The server's error for a character set that it does not know.
const UNKNOWN_CHARACTER_SET: u16 = 1115;

/// Prepared statements that the driver keeps: all that the ledger has, but for those with ids written into them.
const STATEMENTS: usize = 128;

/// How long a host whose ledger is asked for may leave what was sent to it unconfirmed, and how often it is asked for a sign
/// of life while it is waited for.
const SILENCE: Duration = Duration::from_secs(2);

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading what others have written, whatever they took for a value.
    Source,
    /// A database of our own: nothing is cut short or made to fit.
    Ledger,
}

/// Connects and makes the session's snapshots repeatable.
pub fn connect(
    uri: &MysqlUri,
    purpose: Purpose,
    connect_timeout: Duration,
    read_timeout: Duration,
) -> anyhow::Result<Conn> {
    let server = match &uri.socket {
        Some(path) => path.display().to_string(),
        None => format!("{}:{}", uri.host, uri.port),
    };
    let mut options = options(uri, connect_timeout, read_timeout);
    if purpose == Purpose::Ledger {
        options = noticing_silence(options);
    }
    let patience = connect_timeout.saturating_mul(count_addresses(uri));
    let connection = match within(patience, move || session(options, purpose))? {
        Some(made) => made.map_err(|err| {
            // While the connection is made nothing is read yet, so no other wait can have run out.
            let timed_out = matches!(
                err,
                mysql::Error::DriverError(mysql::DriverError::ConnectTimeout)
            ) || io_kind(&err) == Some(ErrorKind::TimedOut);
            match (timed_out, tls_error(&err)) {
                (true, _) => no_answer(&server, connect_timeout),
                (false, Some(tls)) => {
                    anyhow!("{server}: TLS: {}", tls_in_words(tls, &uri.tls, &uri.host))
                }
                (false, None) => anyhow!("{server}: {}", explain(err, read_timeout)),
            }
        })?,
        None => return Err(no_answer(&server, patience)),
    };
    Ok(connection)
}

fn options(uri: &MysqlUri, connect_timeout: Duration, read_timeout: Duration) -> OptsBuilder {
    let socket = uri
        .socket
        .as_ref()
        .map(|path| path.to_string_lossy().into_owned());
    OptsBuilder::new()
        // Only the socket that was asked for: an account may be bound to the way it comes in by.
        .prefer_socket(false)
        .ip_or_hostname(socket.is_none().then(|| uri.host.clone()))
        .socket(socket)
        .tcp_port(uri.port)
        .user(Some(uri.user.clone()))
        .pass(Some(uri.password.0.clone()))
        .db_name(Some(uri.database.clone()))
        .tcp_connect_timeout(Some(connect_timeout))
        // An update counts the rows it finds, as in SQLite, and not only those it changes.
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS)
        .read_timeout(Some(read_timeout))
        .write_timeout(Some(read_timeout))
        .stmt_cache_size(STATEMENTS)
        .ssl_opts(tls_options(&uri.tls))
}

/// A host that has lost its power says nothing, and is not waited for as long as one that is thinking.
fn noticing_silence(options: OptsBuilder) -> OptsBuilder {
    let milliseconds = u32::try_from(SILENCE.as_millis()).ok();
    let seconds = u32::try_from(SILENCE.as_secs()).ok();
    options
        .tcp_keepalive_time_ms(milliseconds)
        .tcp_keepalive_probe_interval_secs(seconds)
        .tcp_keepalive_probe_count(Some(2))
        .tcp_user_timeout_ms(milliseconds)
}

/// The driver tries one address after the other, and each has its time.
fn count_addresses(uri: &MysqlUri) -> u32 {
    let addresses = match &uri.socket {
        Some(_) => 1,
        // If the name does not resolve, the driver reports it.
        None => (uri.host.as_str(), uri.port)
            .to_socket_addrs()
            .map_or(1, Iterator::count),
    };
    u32::try_from(addresses.max(1)).unwrap_or(u32::MAX)
}

/// Logs in and makes the session what all questions expect.
fn session(options: OptsBuilder, purpose: Purpose) -> Result<Conn, mysql::Error> {
    let mut connection = Conn::new(options)?;
    let mode = match purpose {
        Purpose::Source => "set session sql_mode = ''",
        // `||` and an id of 0 are as in SQLite.
        Purpose::Ledger => {
            "set session sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,PIPES_AS_CONCAT,NO_AUTO_VALUE_ON_ZERO,\
             NO_ENGINE_SUBSTITUTION'"
        }
    };
    for statement in [
        mode,
        "set session time_zone = '+00:00'",
        "set session transaction isolation level repeatable read",
        // A server may cut all answers short that have no limit of their own, and says nothing of it.
        "set session sql_select_limit = 18446744073709551615",
        // Or refuse those that its max_join_size takes for too much work.
        "set session sql_big_selects = 1",
    ] {
        connection.query_drop(statement)?;
    }
    // The server's init_connect, which everybody but an administrator gets, may have chosen another one.
    match connection.query_drop("set names utf8mb4") {
        // MySQL before 5.5.3 has only the characters of up to three bytes.
        Err(mysql::Error::MySqlError(err)) if err.code == UNKNOWN_CHARACTER_SET => {
            connection.query_drop("set names utf8")?;
        }
        result => result?,
    }
    Ok(connection)
}

/// Does something on a thread of its own and waits so long for it; `None`: it is not done. The driver's limits are of
/// single reads, so that one who says a byte now and then, or nothing at all after the first, would keep it for longer.
/// What is given up ends by those limits, or with the program.
fn within<T: Send + 'static>(
    patience: Duration,
    act: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<Option<T>> {
    let (done, waiting) = mpsc::channel();
    let thread = std::thread::Builder::new().name("connect".to_owned());
    thread.spawn(move || done.send(act()))?;
    match waiting.recv_timeout(patience) {
        Ok(result) => Ok(Some(result)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => {
            bail!("the driver could not make sense of the server")
        }
    }
}

fn no_answer(server: &str, after: Duration) -> anyhow::Error {
    let seconds = plural(after.as_secs(), "second");
    anyhow!("{server}: no answer within {seconds}")
}

fn tls_options(tls: &MysqlTls) -> Option<SslOpts> {
    match tls {
        MysqlTls::Off => None,
        MysqlTls::Unverified => Some(
            SslOpts::default()
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ),
        MysqlTls::Verified { authority } => {
            Some(SslOpts::default().with_root_cert_path(authority.clone()))
        }
    }
}
