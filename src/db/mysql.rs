//! A database on a MySQL or MariaDB server. Results are streamed by the binary protocol; a server
//! that does not answer in time is an error that says so.

mod connect;
mod explain;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use mysql::Conn;
use mysql::prelude::Queryable;

pub use self::connect::Purpose;
use self::explain::{explain, io_kind};
use super::dialect::respelled;
use super::row::{Row, Wanted};
use super::transient::Transient;
use super::value::{Params, SqlValue};
use crate::config::MysqlUri;
use crate::instant::Utc;

/// Rows that one statement inserts; more would need a packet that not every server takes.
const ROWS_A_STATEMENT: usize = 1_000;

/// The server's error for a statement it cannot parse.
const PARSE_ERROR: u16 = 1064;

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
    /// Connects and makes the session what it is for.
    pub fn connect(
        uri: &MysqlUri,
        purpose: Purpose,
        connect_timeout: Duration,
        read_timeout: Duration,
    ) -> anyhow::Result<Mysql> {
        let connection = connect::connect(uri, purpose, connect_timeout, read_timeout)?;
        Ok(Mysql {
            connection: RefCell::new(connection),
            read_timeout,
            lost: Cell::new(false),
            in_transaction: Cell::new(false),
        })
    }

    /// Whether it has failed, and not by what was asked: nothing more comes of it.
    pub fn is_lost(&self) -> bool {
        self.lost.get()
    }

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
        let sql = respelled(sql, params);
        let bound = bind(params)?;
        let mut connection = self.connection.borrow_mut();
        let rows = connection.exec_iter(sql.as_ref(), bound);
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
        let sql = respelled(sql, params);
        let bound = bind(params)?;
        let mut connection = self.connection.borrow_mut();
        let result = connection.exec_drop(sql.as_ref(), bound);
        result.map_err(|err| self.explain(err))?;
        Ok(connection.affected_rows())
    }

    pub fn insert(&self, sql: &str, params: Params) -> anyhow::Result<i64> {
        self.execute(sql, params)?;
        Ok(i64::try_from(self.connection.borrow().last_insert_id())?)
    }

    pub fn insert_many<'v, R: AsRef<[SqlValue<'v>]>>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> anyhow::Result<()> {
        let sql = respelled(sql, &[]);
        let (head, tail) = around_values(&sql)?;
        let mut rows = rows.into_iter();
        loop {
            let (mut count, mut values) = (0, Vec::new());
            for row in (&mut rows).take(ROWS_A_STATEMENT) {
                count += 1;
                for value in row.as_ref() {
                    values.push(mysql_value(value)?);
                }
            }
            if count == 0 {
                return Ok(());
            }
            let one = format!("({})", vec!["?"; values.len() / count].join(", "));
            let all = vec![one.as_str(); count].join(", ");
            let result = self.connection.borrow_mut().exec_drop(
                format!("{head} values {all}{tail}"),
                mysql::Params::Positional(values),
            );
            result.map_err(|err| self.explain(err))?;
        }
    }

    /// The error in words, and a note that a server which fails by itself is not asked any more.
    fn explain(&self, err: mysql::Error) -> anyhow::Error {
        let io = io_kind(&err).is_some();
        let err = explain(err, self.read_timeout);
        let lost = io || Transient::of(&err) == Some(Transient::Loss);
        self.lost.set(self.lost.get() || lost);
        err
    }
}

/// What stands before and behind the values of an insert, which are names and nothing else.
fn around_values(sql: &str) -> anyhow::Result<(&str, &str)> {
    let around = sql
        .rsplit_once(" values (")
        .and_then(|(head, rest)| Some((head, rest.split_once(')')?)));
    let (head, (values, tail)) = around.with_context(|| format!("no values in {sql}"))?;
    let is_name = |value: &str| {
        let name = value.strip_prefix(':');
        name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    ensure!(
        values.split(", ").all(is_name),
        "something else than names among the values of {sql}"
    );
    Ok((head, tail))
}

fn bind(params: Params) -> anyhow::Result<mysql::Params> {
    // Lists of ids are in the statement itself.
    let single = params
        .iter()
        .filter(|(_, value)| !matches!(value, SqlValue::Ids(_)));
    let named = single.map(|(name, value)| {
        let name = name.trim_start_matches(':').as_bytes().to_vec();
        Ok((name, mysql_value(value)?))
    });
    let named: HashMap<Vec<u8>, mysql::Value> = named.collect::<anyhow::Result<_>>()?;
    Ok(match named.is_empty() {
        true => mysql::Params::Empty,
        false => mysql::Params::Named(named),
    })
}

fn mysql_value(value: &SqlValue) -> anyhow::Result<mysql::Value> {
    Ok(match value {
        SqlValue::Null => mysql::Value::NULL,
        SqlValue::Integer(number) => mysql::Value::Int(*number),
        SqlValue::Unsigned(number) => mysql::Value::UInt(*number),
        SqlValue::Real(number) => mysql::Value::Double(*number),
        SqlValue::Text(text) => mysql::Value::Bytes(text.as_bytes().to_vec()),
        SqlValue::Moment(moment) => mysql::Value::from(Utc::at(*moment)?.sql()),
        SqlValue::Ids(_) => bail!("a list of ids in a row"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_many_rows_are_names() {
        let sql = "insert into a (b, c) values (:b, :c) on duplicate key update b = values(b)";
        let around = (
            "insert into a (b, c)",
            " on duplicate key update b = values(b)",
        );
        assert_eq!(around_values(sql).unwrap(), around);
        for values in ["(:b, unhex(:c))", "(:b, 1)", "(:b"] {
            let sql = format!("insert into a (b, c) values {values}");
            around_values(&sql).unwrap_err();
        }
    }
}
