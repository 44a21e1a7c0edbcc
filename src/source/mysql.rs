//! A CloudStack database on a MySQL or MariaDB server. Results are streamed by the binary protocol; a server
//! that does not answer in time is an error that says so.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::anyhow;
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, Params, SslOpts, Value};

use super::{Connection, Field, Row, moment_text};
use crate::config::{MysqlUri, Tls};
use crate::day::Day;
use crate::words::counted;

/// The server's error for a statement it cannot parse.
const PARSE_ERROR: u16 = 1064;

pub struct Mysql {
    connection: Conn,
    read_timeout: Duration,
}

impl Mysql {
    /// Connects and makes the session read-only and its snapshots repeatable.
    pub fn connect(
        uri: &MysqlUri,
        connect_timeout: Duration,
        read_timeout: Duration,
    ) -> anyhow::Result<Mysql> {
        let socket = uri
            .socket
            .as_ref()
            .map(|path| path.to_string_lossy().into_owned());
        let options = OptsBuilder::new()
            // Only the socket that was asked for: an account may be bound to the way it comes in by.
            .prefer_socket(false)
            .socket(socket.clone())
            .ip_or_hostname(socket.is_none().then(|| uri.host.clone()))
            .tcp_port(uri.port)
            .user(Some(uri.user.clone()))
            .pass(Some(uri.password.0.clone()))
            .db_name(Some(uri.database.clone()))
            .tcp_connect_timeout(Some(connect_timeout))
            .read_timeout(Some(read_timeout))
            .write_timeout(Some(read_timeout))
            .ssl_opts(tls_options(&uri.tls));
        let server = socket.unwrap_or_else(|| format!("{}:{}", uri.host, uri.port));
        let mut connection = Conn::new(options).map_err(|err| {
            // While the connection is made nothing is read yet, so no other wait can have run out.
            let timed_out = matches!(
                err,
                mysql::Error::DriverError(mysql::DriverError::ConnectTimeout)
            ) || io_kind(&err) == Some(ErrorKind::TimedOut);
            match timed_out {
                true => anyhow!(
                    "{server}: no answer within {}",
                    counted(connect_timeout.as_secs(), "second")
                ),
                false => anyhow!("{server}: {}", explain(err, read_timeout)),
            }
        })?;
        for statement in [
            "set session time_zone = '+00:00'",
            "set session transaction isolation level repeatable read",
            "set session sql_mode = ''",
        ] {
            connection
                .query_drop(statement)
                .map_err(|err| explain(err, read_timeout))?;
        }
        Ok(Mysql {
            connection,
            read_timeout,
        })
    }
}

fn tls_options(tls: &Tls) -> Option<SslOpts> {
    match tls {
        Tls::Off => None,
        Tls::Unverified => Some(
            SslOpts::default()
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ),
        Tls::Verified { authority } => {
            Some(SslOpts::default().with_root_cert_path(authority.clone()))
        }
    }
}

impl Connection for Mysql {
    fn columns(&mut self, table: &str) -> anyhow::Result<Vec<String>> {
        let sql = "select lower(column_name) from information_schema.columns \
                   where table_schema = database() and table_name = ?";
        self.connection
            .exec(sql, (table,))
            .map_err(|err| explain(err, self.read_timeout))
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        let snapshot = "start transaction with consistent snapshot, read only";
        match self.connection.query_drop(snapshot) {
            // MySQL 5.1 and 5.5, which CloudStack 4.0 ran on, know no read-only transactions.
            Err(mysql::Error::MySqlError(err)) if err.code == PARSE_ERROR => self
                .connection
                .query_drop("start transaction with consistent snapshot"),
            result => result,
        }
        .map_err(|err| explain(err, self.read_timeout))
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.connection
            .query_drop("commit")
            .map_err(|err| explain(err, self.read_timeout))
    }

    fn query(
        &mut self,
        sql: &str,
        moments: &[i64],
        on_row: &mut dyn FnMut(&dyn Row) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let timeout = self.read_timeout;
        let bound = match moments {
            [] => Params::Empty,
            some => Params::Positional(
                some.iter()
                    .map(|moment| Ok(Value::from(moment_text(*moment)?)))
                    .collect::<anyhow::Result<_>>()?,
            ),
        };
        let rows = self
            .connection
            .exec_iter(sql, bound)
            .map_err(|err| explain(err, timeout))?;
        for row in rows {
            on_row(&MysqlRow(row.map_err(|err| explain(err, timeout))?))?;
        }
        Ok(())
    }
}

struct MysqlRow(mysql::Row);

impl Row for MysqlRow {
    fn field(&self, column: usize) -> anyhow::Result<Field<'_>> {
        let value = self
            .0
            .as_ref(column)
            .ok_or_else(|| anyhow!("the server left out column {column}"))?;
        Ok(match value {
            Value::NULL => Field::Null,
            Value::Bytes(bytes) => Field::Text(bytes),
            Value::Int(number) => Field::Integer(*number),
            Value::UInt(number) => Field::Unsigned(*number),
            Value::Float(number) => Field::Real(f64::from(*number)),
            Value::Double(number) => Field::Real(*number),
            Value::Date(year, month, day, hour, minute, second, _) => {
                let day = Day::from_calendar(*year, *month, *day)?;
                let second = i64::from(*hour) * 3600 + i64::from(*minute) * 60 + i64::from(*second);
                Field::Moment(day.days_since_1970() * 86_400 + second)
            }
            Value::Time(..) => anyhow::bail!("a time of day instead of a value"),
        })
    }
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

/// The driver's error in words an operator can act on. None of them holds a password.
fn explain(err: mysql::Error, read_timeout: Duration) -> anyhow::Error {
    match io_kind(&err) {
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            let seconds = counted(read_timeout.as_secs(), "second");
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
