//! The ledger as a whole: what it covers, how often it was written, and the last run of an import.

use super::reader::{Reader, Snapshot};
use crate::day::{Day, DayRange};
use crate::db::{Row, params};
use crate::ledger::timezones::find_zones;
use crate::ledger::unfinished::{count_missing_days, count_open_days};
use crate::zones::Zones;

#[derive(Clone, Debug, PartialEq)]
pub struct LedgerState {
    /// The zones that its days are of.
    pub zones: Zones,
    /// Counts the writes: an answer of the same revision is the same answer.
    pub revision: u64,
    /// From the first day it holds to the last; `None`: it is empty.
    pub days: Option<DayRange>,
    pub newest_closed_day: Option<Day>,
    pub last_import: Option<ImportRun>,
}

/// One run of import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRun {
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub started_at: String,
    /// `None`: it is running, or was killed.
    pub finished_at: Option<String>,
    /// `done`, `needs_a_look` or `error`.
    pub outcome: Option<String>,
    pub seconds: Option<f64>,
    pub days: Option<u64>,
    pub source_rows: Option<u64>,
    pub records_added: Option<u64>,
    pub records_overwritten: Option<u64>,
    /// The line it ended with.
    pub error: Option<String>,
}

/// What monitoring watches.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    pub open_days: u64,
    /// Days between the first and the newest closed one that it does not hold.
    pub missing_days: u64,
    /// Findings that nobody has acknowledged.
    pub findings: u64,
    /// Of sealed days, and nobody has acknowledged them.
    pub pending_corrections: u64,
    /// A running one and one that was killed are not it.
    pub last_finished_import: Option<ImportRun>,
}

pub fn find_counts(snapshot: &Snapshot) -> anyhow::Result<Counts> {
    let sql = "select (select count(*) from stored_findings where acknowledged = 0),
                (select count(*) from stored_corrections where kind = 'pending' and acknowledged_at is null)";
    let connection = snapshot.connection();
    let (findings, pending_corrections) =
        connection.one(sql, params! {}, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Counts {
        open_days: count_open_days(connection)?,
        missing_days: count_missing_days(connection)?,
        findings,
        pending_corrections,
        last_finished_import: find_last_finished_import(snapshot)?,
    })
}

impl Reader {
    /// What it covers, and the last run of an import.
    pub fn state(&mut self) -> anyhow::Result<LedgerState> {
        self.read(find_state)
    }

    /// What monitoring watches beside the state.
    pub fn counts(&mut self) -> anyhow::Result<Counts> {
        self.read(find_counts)
    }
}

pub fn find_state(snapshot: &Snapshot) -> anyhow::Result<LedgerState> {
    let sql =
        "select revision, (select min(day) from stored_days), (select max(day) from stored_days),
                (select max(day) from stored_days where state = 'closed')
         from ledgers";
    let (revision, first, last, newest_closed_day) =
        snapshot.connection().one(sql, params! {}, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
    let days = match (first, last) {
        (Some(first), Some(last)) => Some(DayRange::new(first, last)?),
        _ => None,
    };
    Ok(LedgerState {
        zones: find_zones(snapshot.connection())?,
        revision,
        days,
        newest_closed_day,
        last_import: find_last_import(snapshot)?,
    })
}

fn find_last_import(snapshot: &Snapshot) -> anyhow::Result<Option<ImportRun>> {
    let sql = "select started_at, finished_at, outcome, seconds, days, source_rows, records_added,
                records_overwritten, error
         from imports
         order by id desc
         limit 1";
    snapshot.connection().find(sql, params! {}, import_run)
}

fn find_last_finished_import(snapshot: &Snapshot) -> anyhow::Result<Option<ImportRun>> {
    let sql = "select started_at, finished_at, outcome, seconds, days, source_rows, records_added,
                records_overwritten, error
         from imports
         where finished_at is not null
         order by id desc
         limit 1";
    snapshot.connection().find(sql, params! {}, import_run)
}

fn import_run(row: &Row) -> anyhow::Result<ImportRun> {
    Ok(ImportRun {
        started_at: row.get(0)?,
        finished_at: row.get(1)?,
        outcome: row.get(2)?,
        seconds: row.get(3)?,
        days: row.get(4)?,
        source_rows: row.get(5)?,
        records_added: row.get(6)?,
        records_overwritten: row.get(7)?,
        error: row.get(8)?,
    })
}
