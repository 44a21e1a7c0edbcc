//! A database in a SQLite file, opened read-only.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rusqlite::types::ValueRef;
use rusqlite::{OpenFlags, params_from_iter};

use super::connection::{Connection, Row};
use super::field::Field;
use crate::instant::Utc;

pub struct SqliteSnapshot {
    connection: rusqlite::Connection,
}

impl SqliteSnapshot {
    /// Opens the file; it must be there.
    pub fn open(path: &Path, busy_timeout: Duration) -> anyhow::Result<SqliteSnapshot> {
        ensure!(path.is_file(), "{}: there is no such file", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || -> rusqlite::Result<rusqlite::Connection> {
            let connection = rusqlite::Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(busy_timeout)?;
            // Reads the file's head, so that a file of another kind is refused here and by name.
            connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        };
        Ok(SqliteSnapshot {
            connection: open().with_context(|| path.display().to_string())?,
        })
    }
}

impl Connection for SqliteSnapshot {
    fn columns(&mut self, table: &str) -> anyhow::Result<Vec<String>> {
        let mut statement = self
            .connection
            .prepare_cached("select lower(name) from pragma_table_info(?)")?;
        Ok(statement
            .query_map([table], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?)
    }

    fn may_hide(&mut self, _table: &str, _column: &str) -> anyhow::Result<bool> {
        Ok(false)
    }

    fn begin(&mut self) -> anyhow::Result<()> {
        Ok(self.connection.execute_batch("begin")?)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        Ok(self.connection.execute_batch("commit")?)
    }

    fn query(
        &mut self,
        sql: &str,
        moments: &[i64],
        on_row: &mut dyn FnMut(&dyn Row) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        // Dates are texts in a snapshot, in the form MySQL prints, which sorts as time does.
        let bound: Vec<_> = moments
            .iter()
            .map(|moment| Utc::at(*moment).map(Utc::sql))
            .collect::<anyhow::Result<_>>()?;
        let mut rows = statement.query(params_from_iter(bound))?;
        while let Some(row) = rows.next()? {
            on_row(&SnapshotRow(row))?;
        }
        Ok(())
    }
}

struct SnapshotRow<'a>(&'a rusqlite::Row<'a>);

impl Row for SnapshotRow<'_> {
    fn field(&self, column: usize) -> anyhow::Result<Field<'_>> {
        Ok(match self.0.get_ref(column)? {
            ValueRef::Null => Field::Null,
            ValueRef::Integer(number) => Field::Integer(number),
            ValueRef::Real(number) => Field::Real(number),
            ValueRef::Text(text) | ValueRef::Blob(text) => Field::Text(text),
        })
    }
}
