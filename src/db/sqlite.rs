//! A database in a SQLite file.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, OpenFlags, ToSql};

use super::row::{Row, Wanted};
use super::value::{Params, SqlValue};
use crate::instant::Utc;

pub struct Sqlite {
    connection: rusqlite::Connection,
}

impl Sqlite {
    /// One that was opened elsewhere, with whatever it was set to.
    pub fn of(connection: rusqlite::Connection) -> Sqlite {
        Sqlite { connection }
    }

    /// Opens a file to read it; it must be there.
    pub fn open(path: &Path, busy_timeout: Duration) -> anyhow::Result<Sqlite> {
        ensure!(path.is_file(), "{}: there is no such file", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<rusqlite::Connection> {
            let connection = rusqlite::Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(busy_timeout)?;
            // Reads the file's head, so that a file of another kind is refused here and by name.
            connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        };
        Ok(Sqlite {
            connection: open().with_context(|| path.display().to_string())?,
        })
    }

    pub fn columns(&self, table: &str) -> anyhow::Result<Vec<String>> {
        let mut statement = self
            .connection
            .prepare_cached("select lower(name) from pragma_table_info(?)")?;
        Ok(statement
            .query_map([table], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?)
    }

    /// A statement without values or rows.
    pub fn run(&self, sql: &str) -> anyhow::Result<()> {
        Ok(self.connection.execute_batch(sql)?)
    }

    pub fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub fn each_while(
        &self,
        sql: &str,
        params: Params,
        mut on_row: impl FnMut(&Row) -> anyhow::Result<Wanted>,
    ) -> anyhow::Result<()> {
        let mut statement = self.prepare(sql, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            if on_row(&Row::Sqlite(row))? == Wanted::NoMore {
                break;
            }
        }
        Ok(())
    }

    pub fn execute(&self, sql: &str, params: Params) -> anyhow::Result<u64> {
        Ok(u64::try_from(self.prepare(sql, params)?.raw_execute()?)?)
    }

    pub fn insert(&self, sql: &str, params: Params) -> anyhow::Result<i64> {
        self.execute(sql, params)?;
        Ok(self.connection.last_insert_rowid())
    }

    pub fn insert_many<'v, R: AsRef<[SqlValue<'v>]>>(
        &self,
        sql: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> anyhow::Result<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let count = statement.parameter_count();
        for row in rows {
            let row = row.as_ref();
            ensure!(row.len() == count, "{} values a row for {sql}", row.len());
            for (place, value) in (1..).zip(row) {
                statement.raw_bind_parameter(place, value)?;
            }
            statement.raw_execute()?;
        }
        Ok(())
    }

    /// How often a statement that is kept was run, and planned again.
    #[cfg(test)]
    pub fn count_runs(&self, sql: &str) -> anyhow::Result<(i32, i32)> {
        let statement = self.connection.prepare_cached(sql)?;
        let count = |status| statement.get_status(status);
        Ok((
            count(rusqlite::StatementStatus::Run),
            count(rusqlite::StatementStatus::RePrepare),
        ))
    }

    /// A statement with its values bound to it.
    fn prepare(&self, sql: &str, params: Params) -> anyhow::Result<CachedStatement<'_>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        ensure!(
            statement.parameter_count() == params.len(),
            "{} values for {sql}",
            params.len()
        );
        for (name, value) in params {
            let place = statement.parameter_index(name)?;
            let place = place.with_context(|| format!("no {name} in {sql}"))?;
            match value {
                SqlValue::Ids(ids) => {
                    let ids = ids.iter().copied().map(rusqlite::types::Value::from);
                    let ids: Rc<Vec<_>> = Rc::new(ids.collect());
                    statement.raw_bind_parameter(place, ids)?;
                }
                value => statement.raw_bind_parameter(place, value)?,
            }
        }
        Ok(statement)
    }
}

impl ToSql for SqlValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let other = |err: anyhow::Error| rusqlite::Error::ToSqlConversionFailure(err.into());
        Ok(match self {
            SqlValue::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            SqlValue::Integer(number) => ToSqlOutput::from(*number),
            SqlValue::Unsigned(number) => u64::to_sql(number)?,
            SqlValue::Real(number) => ToSqlOutput::from(*number),
            SqlValue::Text(text) => ToSqlOutput::from(text.as_ref()),
            // Dates are texts in a copy of CloudStack's tables, in the form MySQL prints, which sorts as time does.
            SqlValue::Moment(moment) => ToSqlOutput::from(Utc::at(*moment).map_err(other)?.sql()),
            SqlValue::Ids(_) => return Err(other(anyhow!("a list of ids in a row"))),
        })
    }
}
