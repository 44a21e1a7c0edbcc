//! Which days the ledger holds, as an import has to know it: the newest, the open, the missing, and how the closed ones were
//! imported.

use super::day::{Completion, StoredDay};
use super::handle::Ledger;
use super::line_table::LinesPer;
use super::statements::count_revision;
use super::unfinished;
use crate::cloud::first_id;
use crate::day::Day;
use crate::db::{Connection, params};

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
                 verified_at is not null, lines_per \
               from stored_days where day = :day";
    connection.find(sql, params! {":day": day}, |row| {
        let completion = match row.get(0)? {
            "closed" => Completion::Closed,
            _ => Completion::Open,
        };
        let fingerprint: Option<&str> = row.get(4)?;
        Ok(StoredDay {
            completion,
            source_rows: row.get(1)?,
            replayed_rows: row.get(2)?,
            first_id: fingerprint.and_then(first_id),
            sealed: row.get(3)?,
            verified: row.get(5)?,
            lines_per: LinesPer::of_name(row.get(6)?),
        })
    })
}

impl Ledger {
    /// The newest closed day.
    pub fn newest_closed_day(&self) -> anyhow::Result<Option<Day>> {
        let sql = "select max(day) from stored_days where state = 'closed'";
        self.connection().one(sql, params! {}, |row| row.get(0))
    }

    /// From which day on days are provisional, as the last import saw it; `None`: none is.
    pub fn provisional_from(&self) -> anyhow::Result<Option<Day>> {
        let sql = "select provisional_from from ledgers";
        self.connection().one(sql, params! {}, |row| row.get(0))
    }

    /// Keeps from which day on days are provisional.
    pub fn set_provisional_from(&mut self, day: Option<Day>) -> anyhow::Result<()> {
        if self.provisional_from()? == day {
            return Ok(());
        }
        self.transaction(|connection, _| {
            let sql = "update ledgers set provisional_from = :day";
            connection.execute(sql, params! {":day": day})?;
            count_revision(connection)
        })
    }

    /// Days that were imported before the source had finished them, in order.
    pub fn list_open_days(&self) -> anyhow::Result<Vec<Day>> {
        unfinished::list_open_days(self.connection())
    }

    /// The closed days from this one on, in order, as they were imported.
    pub fn list_imported(&self, first: Day) -> anyhow::Result<Vec<Imported>> {
        let sql = "select d.day, d.fingerprint, \
                     exists (select 1 from stored_refusals r where r.day = d.day), \
                     exists (select 1 from stored_findings f where f.day = d.day and f.kind = 'differs_from_source'), \
                     exists (select 1 from stored_findings f where f.day = d.day and f.kind = 'spans_midnight'), \
                     d.sealed_at is not null or d.verified_at is not null \
                   from stored_days d where d.day >= :first and d.state = 'closed' order by d.day";
        self.connection()
            .list(sql, params! {":first": first}, |row| {
                Ok(Imported {
                    day: row.get(0)?,
                    fingerprint: row.get(1)?,
                    refused: row.get(2)?,
                    differs: row.get(3)?,
                    spans_midnight: row.get(4)?,
                    settled: row.get(5)?,
                })
            })
    }

    /// The days between its first and its last that it does not hold, in order.
    pub fn list_missing_days(&self) -> anyhow::Result<Vec<Day>> {
        unfinished::list_missing_days(self.connection())
    }
}
