//! A database on a MySQL or MariaDB server. Results are streamed by the binary protocol; a server
//! that does not answer in time is an error that says so.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::ToSocketAddrs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, SslOpts};
use rustls::CertificateError;

use super::row::{Row, Wanted};
use super::value::{Params, SqlValue};
use crate::config::{MysqlTls, MysqlUri};
use crate::instant::Utc;
use crate::plural::plural;

/// Rows that one statement inserts; more would need a packet that not every server takes.
const ROWS_A_STATEMENT: usize = 500;

/// The server's error for a statement it cannot parse.
const PARSE_ERROR: u16 = 1064;

/// Its error for a character set that it does not know.
const UNKNOWN_CHARACTER_SET: u16 = 1115;

/// Its error for a column that there is not.
const NO_SUCH_COLUMN: u16 = 1054;

/// Its errors for a table or a column that there is no right to read.
const DENIED: [u16; 2] = [1142, 1143];

pub struct Mysql {
    connection: RefCell<Conn>,
    read_timeout: Duration,
    /// It has failed, and not by what was asked.
    lost: Cell<bool>,
    /// A transaction that writes was begun and not ended.
    in_transaction: Cell<bool>,
}

impl Mysql {
    /// Connects and makes the session's snapshots repeatable.
    pub fn connect(
        uri: &MysqlUri,
        connect_timeout: Duration,
        read_timeout: Duration,
    ) -> anyhow::Result<Mysql> {
        let server = match &uri.socket {
            Some(path) => path.display().to_string(),
            None => format!("{}:{}", uri.host, uri.port),
        };
        let options = options(uri, connect_timeout, read_timeout);
        let patience = connect_timeout.saturating_mul(count_addresses(uri));
        let connection = match within(patience, || session(options))? {
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
        Ok(Mysql {
            connection: RefCell::new(connection),
            read_timeout,
            lost: Cell::new(false),
            in_transaction: Cell::new(false),
        })
    }
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
        .ssl_opts(tls_options(&uri.tls))
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
fn session(options: OptsBuilder) -> Result<Conn, mysql::Error> {
    let mut connection = Conn::new(options)?;
    for statement in [
        "set session time_zone = '+00:00'",
        "set session transaction isolation level repeatable read",
        "set session sql_mode = ''",
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

impl Mysql {
    pub fn columns(&self, table: &str) -> anyhow::Result<Vec<String>> {
        let sql = "select lower(column_name) from information_schema.columns \
                   where table_schema = database() and table_name = ?";
        let result = self.connection.borrow_mut().exec(sql, (table,));
        result.map_err(|err| self.explain(err))
    }

    pub fn may_hide(&self, table: &str, column: &str) -> anyhow::Result<bool> {
        // Whoever was granted single columns may be told that another is denied though there is none: then it is only
        // certain that none is hidden where all that there is can be read.
        for list in [column, "*"] {
            let sql = format!("select {list} from {table} limit 0");
            match self.connection.borrow_mut().query_drop(sql) {
                Ok(()) => return Ok(false),
                Err(mysql::Error::MySqlError(err)) if err.code == NO_SUCH_COLUMN => {
                    return Ok(false);
                }
                Err(mysql::Error::MySqlError(err)) if DENIED.contains(&err.code) => {}
                Err(err) => return Err(self.explain(err)),
            }
        }
        Ok(true)
    }

    pub fn begin_snapshot(&self) -> anyhow::Result<()> {
        let mut connection = self.connection.borrow_mut();
        let result =
            match connection.query_drop("start transaction with consistent snapshot, read only") {
                // MySQL 5.1 and 5.5, which CloudStack 4.0 ran on, know no read-only transactions.
                Err(mysql::Error::MySqlError(err)) if err.code == PARSE_ERROR => {
                    connection.query_drop("start transaction with consistent snapshot")
                }
                result => result,
            };
        result.map_err(|err| self.explain(err))
    }

    pub fn end_snapshot(&self) -> anyhow::Result<()> {
        // A server that no longer answers would be waited for once more.
        if self.lost.get() {
            return Ok(());
        }
        self.run("commit")
    }

    /// A statement without values or rows.
    pub fn run(&self, sql: &str) -> anyhow::Result<()> {
        let result = self.connection.borrow_mut().query_drop(sql);
        result.map_err(|err| self.explain(err))?;
        match sql {
            "start transaction" => self.in_transaction.set(true),
            "commit" | "rollback" => self.in_transaction.set(false),
            _ => {}
        }
        Ok(())
    }

    /// As far as this connection knows.
    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction.get() && !self.lost.get()
    }

    pub fn each_while(
        &self,
        sql: &str,
        params: Params,
        on_row: &mut dyn FnMut(&Row) -> anyhow::Result<Wanted>,
    ) -> anyhow::Result<()> {
        let bound = bind(params)?;
        let mut connection = self.connection.borrow_mut();
        let rows = connection.exec_iter(sql, bound);
        let mut wanted = Wanted::More;
        // To the last row even if no more are wanted: an error among them is one all the same.
        for row in rows.map_err(|err| self.explain(err))? {
            let row = row.map_err(|err| self.explain(err))?;
            if wanted == Wanted::More {
                wanted = on_row(&Row::Mysql(&row))?;
            }
        }
        Ok(())
    }

    pub fn execute(&self, sql: &str, params: Params) -> anyhow::Result<u64> {
        let bound = bind(params)?;
        let mut connection = self.connection.borrow_mut();
        let result = connection.exec_drop(sql, bound);
        result.map_err(|err| self.explain(err))?;
        Ok(connection.affected_rows())
    }

    pub fn insert(&self, sql: &str, params: Params) -> anyhow::Result<i64> {
        self.execute(sql, params)?;
        Ok(i64::try_from(self.connection.borrow().last_insert_id())?)
    }

    pub fn insert_many<'v, const N: usize>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = [SqlValue<'v>; N]>,
    ) -> anyhow::Result<()> {
        let (head, _) = sql
            .rsplit_once(" values ")
            .context("a statement without values")?;
        ensure!(
            sql.ends_with(')'),
            "a statement that goes on after its values: {sql}"
        );
        let one = format!("({})", vec!["?"; N].join(", "));
        let mut rows = rows.into_iter();
        loop {
            let values: Vec<mysql::Value> = (&mut rows)
                .take(ROWS_A_STATEMENT)
                .flatten()
                .map(|value| mysql_value(&value))
                .collect::<anyhow::Result<_>>()?;
            if values.is_empty() {
                return Ok(());
            }
            let sql = format!(
                "{head} values {}",
                vec![one.as_str(); values.len() / N].join(", ")
            );
            let result = self
                .connection
                .borrow_mut()
                .exec_drop(sql, mysql::Params::Positional(values));
            result.map_err(|err| self.explain(err))?;
        }
    }

    /// The error in words, and a note that a server which fails by itself is not asked any more.
    fn explain(&self, err: mysql::Error) -> anyhow::Error {
        self.lost.set(self.lost.get() || io_kind(&err).is_some());
        explain(err, self.read_timeout)
    }
}

fn bind(params: Params) -> anyhow::Result<mysql::Params> {
    if params.is_empty() {
        return Ok(mysql::Params::Empty);
    }
    let named = params.iter().map(|(name, value)| {
        let name = name.trim_start_matches(':').as_bytes().to_vec();
        Ok((name, mysql_value(value)?))
    });
    Ok(mysql::Params::Named(named.collect::<anyhow::Result<_>>()?))
}

fn mysql_value(value: &SqlValue) -> anyhow::Result<mysql::Value> {
    Ok(match value {
        SqlValue::Null => mysql::Value::NULL,
        SqlValue::Integer(number) => mysql::Value::Int(*number),
        SqlValue::Unsigned(number) => mysql::Value::UInt(*number),
        SqlValue::Real(number) => mysql::Value::Double(*number),
        SqlValue::Text(text) => mysql::Value::Bytes(text.as_bytes().to_vec()),
        SqlValue::Moment(moment) => mysql::Value::from(Utc::at(*moment)?.sql()),
        SqlValue::Ids(_) => bail!("a list of ids is SQLite's"),
    })
}

/// The input or output error behind a driver's error, if that is what it is.
fn io_kind(err: &mysql::Error) -> Option<ErrorKind> {
    match err {
        mysql::Error::IoError(io) => Some(io.kind()),
        mysql::Error::CodecError(codec) => {
            let source = std::error::Error::source(codec)?;
            source.downcast_ref().map(std::io::Error::kind)
        }
        _ => None,
    }
}

/// What is wrong with the encryption, if that is what it is.
fn tls_error(err: &mysql::Error) -> Option<&rustls::Error> {
    let io = match err {
        mysql::Error::IoError(io) => io,
        mysql::Error::CodecError(codec) => std::error::Error::source(codec)?.downcast_ref()?,
        _ => return None,
    };
    io.get_ref()?.downcast_ref()
}

fn tls_in_words(err: &rustls::Error, tls: &MysqlTls, host: &str) -> String {
    let rustls::Error::InvalidCertificate(why) = err else {
        return err.to_string();
    };
    match (why, tls) {
        (
            CertificateError::UnknownIssuer,
            MysqlTls::Verified {
                authority: Some(file),
            },
        ) => format!(
            "the server's certificate is signed by no authority of ssl_ca {} and by no public one",
            file.display()
        ),
        (CertificateError::UnknownIssuer, _) => {
            "the server's certificate is signed by no public authority: name its \
             own one by ssl_ca=FILE"
                .to_owned()
        }
        (
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            _,
        ) => {
            format!("the server's certificate is not for the name {host}")
        }
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => {
            "the server's certificate has expired".to_owned()
        }
        (why, _) => format!("the server's certificate: {why}"),
    }
}

/// The driver's error in words an operator can act on. None of them holds a password.
fn explain(err: mysql::Error, read_timeout: Duration) -> anyhow::Error {
    match io_kind(&err) {
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            let seconds = plural(read_timeout.as_secs(), "second");
            return anyhow!("no answer within {seconds}");
        }
        // The driver makes an error of no kind of its own when a packet breaks off.
        Some(
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::Other,
        ) => {
            return anyhow!("the server closed the connection");
        }
        Some(_) | None => {}
    }
    match err {
        mysql::Error::MySqlError(err) => anyhow!("{} (error {})", err.message, err.code),
        mysql::Error::IoError(io) => anyhow!("{io}"),
        mysql::Error::TlsError(tls) => anyhow!("TLS: {tls}"),
        mysql::Error::DriverError(driver) => anyhow!("{driver}"),
        mysql::Error::CodecError(codec) => match std::error::Error::source(&codec) {
            Some(source) => anyhow!("{source}"),
            None => anyhow!("{codec}"),
        },
        mysql::Error::UrlError(_)
        | mysql::Error::FromValueError(_)
        | mysql::Error::FromRowError(_) => {
            anyhow!("the server's answer is not what was asked for")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_certificate_that_is_refused_is_told_in_words() {
        let tls = MysqlTls::Verified {
            authority: Some(PathBuf::from("/etc/ca.pem")),
        };
        for (why, words) in [
            (
                CertificateError::UnknownIssuer,
                "the server's certificate is signed by no authority of ssl_ca /etc/ca.pem and by no public one",
            ),
            (
                CertificateError::NotValidForName,
                "the server's certificate is not for the name db.example.com",
            ),
            (
                CertificateError::Expired,
                "the server's certificate has expired",
            ),
            (
                CertificateError::Revoked,
                "the server's certificate: Revoked",
            ),
        ] {
            let err = rustls::Error::InvalidCertificate(why);
            assert_eq!(tls_in_words(&err, &tls, "db.example.com"), words);
        }
    }
}
