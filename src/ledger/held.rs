//! Which days the ledger holds, as an import has to know it: the newest, the open, the missing, and how the closed ones were
//! imported.

use rusqlite::{Connection, named_params};

use super::day::{Completion, StoredDay};
use super::handle::Ledger;
use super::statements::count_revision;
use crate::cloud::first_id;
use crate::day::{Day, DayRange};

/// How a closed day was imported.
#[derive(Debug, PartialEq)]
pub struct Imported {
    pub day: Day,
    /// `None`: it was imported before this was kept.
    pub fingerprint: Option<String>,
    /// It was left as it is when an import last looked.
    pub refused: bool,
    /// It was not what the source said when an import last looked.
    pub differs: bool,
    /// Rows were shared with a neighbour.
    pub spans_midnight: bool,
    /// It is sealed or was found equal to its source, which may be purged now.
    pub settled: bool,
}

/// What the ledger has of a day.
pub(super) fn find_day(connection: &Connection, day: Day) -> anyhow::Result<Option<StoredDay>> {
    let sql = "select state, source_rows, replayed_rows, sealed_at is not null, fingerprint, \
                 verified_at is not null \
               from stored_days where day = :day";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(named_params! {":day": day.to_string()})?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let state: String = row.get(0)?;
    let fingerprint: Option<String> = row.get(4)?;
    let completion = if state == "closed" {
        Completion::Closed
    } else {
        Completion::Open
    };
    Ok(Some(StoredDay {
        completion,
        source_rows: row.get(1)?,
        replayed_rows: row.get(2)?,
        first_id: fingerprint.as_deref().and_then(first_id),
        sealed: row.get(3)?,
        verified: row.get(5)?,
    }))
}

impl Ledger {
    /// The newest closed day.
    pub fn newest_closed_day(&self) -> anyhow::Result<Option<Day>> {
        let sql = "select max(day) from stored_days where state = 'closed'";
        let day: Option<String> = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(day.map(|day| day.parse()).transpose()?)
    }

    /// From which day on days are provisional, as the last import saw it; `None`: none is.
    pub fn provisional_from(&self) -> anyhow::Result<Option<Day>> {
        let sql = "select provisional_from from ledgers";
        let day: Option<String> = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(day.map(|day| day.parse()).transpose()?)
    }

    /// Keeps from which day on days are provisional.
    pub fn set_provisional_from(&mut self, day: Option<Day>) -> anyhow::Result<()> {
        if self.provisional_from()? != day {
            let day = day.map(|day| day.to_string());
            self.transaction(|connection, _| {
                connection.execute(
                    "update ledgers set provisional_from = :day",
                    named_params! {":day": day},
                )?;
                count_revision(connection)
            })?;
        }
        Ok(())
    }

    /// Days that were imported before the source had finished them, in order.
    pub fn list_open_days(&self) -> anyhow::Result<Vec<Day>> {
        let mut statement = self
            .connection
            .prepare_cached("select day from stored_days where state = 'open' order by day")?;
        let days: Vec<String> = statement
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        days.iter().map(|day| Ok(day.parse()?)).collect()
    }

    /// The closed days from this one on, in order, as they were imported.
    pub fn list_imported(&self, first: Day) -> anyhow::Result<Vec<Imported>> {
        let sql = "select d.day, d.fingerprint, \
                     exists (select 1 from stored_refusals r where r.day = d.day), \
                     exists (select 1 from stored_findings f where f.day = d.day and f.kind = 'differs_from_source'), \
                     exists (select 1 from stored_findings f where f.day = d.day and f.kind = 'spans_midnight'), \
                     d.sealed_at is not null or d.verified_at is not null \
                   from stored_days d where d.day >= :first and d.state = 'closed' order by d.day";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(named_params! {":first": first.to_string()})?;
        let mut imported = Vec::new();
        while let Some(row) = rows.next()? {
            imported.push(Imported {
                day: row.get_ref(0)?.as_str()?.parse()?,
                fingerprint: row.get(1)?,
                refused: row.get(2)?,
                differs: row.get(3)?,
                spans_midnight: row.get(4)?,
                settled: row.get(5)?,
            });
        }
        Ok(imported)
    }

    /// The days between its first and its last that it does not hold, in order.
    pub fn list_missing_days(&self) -> anyhow::Result<Vec<Day>> {
        let sql = "select day, gap_before from stored_days where gap_before > 0 order by day";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut missing = Vec::new();
        while let Some(row) = rows.next()? {
            let after: Day = row.get_ref(0)?.as_str()?.parse()?;
            let gap: i64 = row.get(1)?;
            let gap = DayRange::new(after.plus(-gap), after.previous())?;
            missing.extend(gap.days());
        }
        Ok(missing)
    }
}
