//! A connection to a database of either kind: questions, writes, transactions. One statement at a time: while rows come
//! in, another statement is an error, as a server of MySQL's protocol sends nothing else before the last row.

use std::cell::{Cell, RefCell};

use anyhow::{Context, ensure};

use super::mysql::Mysql;
use super::row::{Row, Wanted};
use super::sqlite::Sqlite;
use super::transient::Transient;
use super::value::{Params, SqlValue};

/// An open connection.
pub struct Connection {
    driver: RefCell<Driver>,
    /// A statement has not come to its end.
    is_reading: Cell<bool>,
    /// What is asked next belongs to what was asked before: no other connection could answer it.
    in_transaction: Cell<bool>,
    /// Makes another one in its place, where one server stands in for the other.
    reopen: Option<Box<dyn Fn() -> anyhow::Result<Connection> + Send>>,
}

enum Driver {
    Sqlite(Sqlite),
    Mysql(Box<Mysql>),
}

struct Reading<'a>(&'a Cell<bool>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A file that was opened elsewhere, with whatever its connection was set to.
impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Connection {
        Connection::sqlite(Sqlite::of(connection))
    }
}

impl Connection {
    pub(super) fn sqlite(sqlite: Sqlite) -> Connection {
        Connection::of(Driver::Sqlite(sqlite))
    }

    pub(super) fn mysql(mysql: Mysql) -> Connection {
        Connection::of(Driver::Mysql(Box::new(mysql)))
    }

    fn of(driver: Driver) -> Connection {
        Connection {
            driver: RefCell::new(driver),
            is_reading: Cell::new(false),
            in_transaction: Cell::new(false),
            reopen: None,
        }
    }

    /// One that is opened again when its server was lost, unless a transaction is open, which is lost with it.
    pub fn reopening(
        open: impl Fn() -> anyhow::Result<Connection> + Send + 'static,
    ) -> anyhow::Result<Connection> {
        let mut connection = open()?;
        connection.reopen = Some(Box::new(open));
        Ok(connection)
    }

    /// Asks again if the server is lost before it has said anything, and there is another one.
    fn ask<T>(&self, question: impl Fn(&Driver) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let _reading = self.reading()?;
        self.reopen_if_lost()?;
        let asked = question(&self.driver.borrow());
        match asked {
            Err(err) if self.reopen_after(&err)? => question(&self.driver.borrow()),
            asked => asked,
        }
    }

    /// Does it once: nobody knows whether a write has come to a server that was lost.
    fn write<T>(&self, write: impl FnOnce(&Driver) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let _reading = self.reading()?;
        self.reopen_if_lost()?;
        write(&self.driver.borrow())
    }

    /// Whether the same may be asked again, of another connection. A node of a cluster that cannot catch up with the others
    /// calls that a conflict, even if nothing is written.
    fn reopen_after(&self, err: &anyhow::Error) -> anyhow::Result<bool> {
        match &self.reopen {
            Some(reopen) if Transient::of(err).is_some() && !self.in_transaction.get() => {
                self.driver.replace(reopen()?.driver.into_inner());
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    fn reopen_if_lost(&self) -> anyhow::Result<()> {
        if let Some(reopen) = &self.reopen
            && !self.in_transaction.get()
            && self.is_lost()
        {
            self.driver.replace(reopen()?.driver.into_inner());
        }
        Ok(())
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(*self.driver.borrow(), Driver::Sqlite(_))
    }

    /// Names, in lower case, of a table's columns that may be read; empty if there is no such table or no
    /// right to read it.
    pub fn columns(&self, table: &str) -> anyhow::Result<Vec<String>> {
        self.ask(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.columns(table),
            Driver::Mysql(mysql) => mysql.columns(table),
        })
    }

    /// Whether a column that is not among a table's `columns` may be there all the same, without a right to read it.
    pub fn may_hide(&self, table: &str, column: &str) -> anyhow::Result<bool> {
        self.ask(|driver| match driver {
            Driver::Sqlite(_) => Ok(false),
            Driver::Mysql(mysql) => mysql.may_hide(table, column),
        })
    }

    /// Begins a read-only transaction whose statements all see one state.
    pub fn begin_snapshot(&self) -> anyhow::Result<()> {
        self.ask(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.run("begin"),
            Driver::Mysql(mysql) => mysql.begin_snapshot(),
        })?;
        self.in_transaction.set(true);
        Ok(())
    }

    /// Ends it. Nothing depends on whether the database heard of that.
    pub fn end_snapshot(&self) -> anyhow::Result<()> {
        let ended = self.ask(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.run("commit"),
            Driver::Mysql(mysql) => mysql.end_snapshot(),
        });
        self.in_transaction.set(false);
        ended
    }

    /// Begins a transaction that writes. Where there is one writer at a time it waits for that place.
    pub fn begin_write(&self) -> anyhow::Result<()> {
        self.ask(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.run("begin immediate"),
            Driver::Mysql(mysql) => mysql.run("start transaction"),
        })?;
        self.in_transaction.set(true);
        Ok(())
    }

    /// Ends the transaction, and keeps what it wrote.
    pub fn commit(&self) -> anyhow::Result<()> {
        let committed = self.run("commit");
        self.in_transaction.set(false);
        committed
    }

    /// Ends the transaction, and keeps nothing.
    pub fn rollback(&self) -> anyhow::Result<()> {
        // With its server a transaction is lost as well; one that does not answer would be waited for once more.
        let rolled_back = match self.is_lost() {
            true => Ok(()),
            false => self.run("rollback"),
        };
        self.in_transaction.set(false);
        rolled_back
    }

    /// Whether a transaction is open. SQLite ends one by itself after some errors, such as a full disk.
    pub fn is_in_transaction(&self) -> bool {
        match &*self.driver.borrow() {
            Driver::Sqlite(sqlite) => sqlite.is_in_transaction(),
            Driver::Mysql(mysql) => mysql.is_in_transaction(),
        }
    }

    /// Whether its server is gone, or cannot serve now: nothing more comes of it.
    pub fn is_lost(&self) -> bool {
        match &*self.driver.borrow() {
            Driver::Sqlite(_) => false,
            Driver::Mysql(mysql) => mysql.is_lost(),
        }
    }

    /// A statement without values or rows, such as `savepoint one_change`.
    pub fn run(&self, sql: &str) -> anyhow::Result<()> {
        self.ask(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.run(sql),
            Driver::Mysql(mysql) => mysql.run(sql),
        })
    }

    /// Hands over the rows one by one as they arrive.
    pub fn each(
        &self,
        sql: &str,
        params: Params,
        mut on_row: impl FnMut(&Row) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.each_while(sql, params, |row| on_row(row).map(|()| Wanted::More))
    }

    /// The same, until no more are wanted.
    pub fn each_while(
        &self,
        sql: &str,
        params: Params,
        mut on_row: impl FnMut(&Row) -> anyhow::Result<Wanted>,
    ) -> anyhow::Result<()> {
        let _reading = self.reading()?;
        self.reopen_if_lost()?;
        let mut begun = false;
        let mut ask = |driver: &Driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.each_while(sql, params, &mut on_row),
            Driver::Mysql(mysql) => mysql.each_while(sql, params, &mut |row| {
                begun = true;
                on_row(row)
            }),
        };
        let asked = ask(&self.driver.borrow());
        match asked {
            Err(err) if !begun && self.reopen_after(&err)? => match &*self.driver.borrow() {
                Driver::Sqlite(sqlite) => sqlite.each_while(sql, params, &mut on_row),
                Driver::Mysql(mysql) => mysql.each_while(sql, params, &mut on_row),
            },
            asked => asked,
        }
    }

    /// Until it is dropped no other statement can begin.
    fn reading(&self) -> anyhow::Result<Reading<'_>> {
        ensure!(
            !self.is_reading.replace(true),
            "a statement within another one, whose rows are not all read"
        );
        Ok(Reading(&self.is_reading))
    }

    /// Every row, read by `read`.
    pub fn list<T>(
        &self,
        sql: &str,
        params: Params,
        mut read: impl FnMut(&Row) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        let mut ask = || {
            let mut list = Vec::new();
            self.each(sql, params, |row| {
                list.push(read(row)?);
                Ok(())
            })?;
            Ok(list)
        };
        match ask() {
            // Nobody has seen the rows that came before the server was lost.
            Err(err) if self.reopen_after(&err)? => ask(),
            asked => asked,
        }
    }

    /// The first row, read by `read`, if there is any.
    pub fn find<T>(
        &self,
        sql: &str,
        params: Params,
        mut read: impl FnMut(&Row) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let mut found = None;
        self.each_while(sql, params, |row| {
            found = Some(read(row)?);
            Ok(Wanted::NoMore)
        })?;
        Ok(found)
    }

    /// The first row, which there always is.
    pub fn one<T>(
        &self,
        sql: &str,
        params: Params,
        read: impl FnMut(&Row) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.find(sql, params, read)?.context("there is no row")
    }

    /// Whether there is a row.
    pub fn exists(&self, sql: &str, params: Params) -> anyhow::Result<bool> {
        Ok(self.find(sql, params, |_| Ok(()))?.is_some())
    }

    /// Writes; returns how many rows were inserted, updated (even to what they were) or deleted.
    pub fn execute(&self, sql: &str, params: Params) -> anyhow::Result<u64> {
        self.write(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.execute(sql, params),
            Driver::Mysql(mysql) => mysql.execute(sql, params),
        })
    }

    /// Inserts one row; returns the id that it was given.
    pub fn insert(&self, sql: &str, params: Params) -> anyhow::Result<i64> {
        self.write(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.insert(sql, params),
            Driver::Mysql(mysql) => mysql.insert(sql, params),
        })
    }

    /// Inserts many rows by one statement with ` values (:a, :b …)`, which may go on with what to do on a conflict.
    /// Within a transaction: where it fails, some may be in. The values of each row are in the order in which the statement names them.
    pub fn insert_many<'v, R: AsRef<[SqlValue<'v>]>>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> anyhow::Result<()> {
        self.write(|driver| match driver {
            Driver::Sqlite(sqlite) => sqlite.insert_many(sql, rows),
            Driver::Mysql(mysql) => mysql.insert_many(sql, rows),
        })
    }

    /// How often a statement was run, and planned again.
    #[cfg(test)]
    pub fn count_runs(&self, sql: &str) -> anyhow::Result<(i32, i32)> {
        match &*self.driver.borrow() {
            Driver::Sqlite(sqlite) => sqlite.count_runs(sql),
            Driver::Mysql(_) => anyhow::bail!("not counted"),
        }
    }
}
