//! What is known of each day of the ledger.

use std::collections::BTreeMap;

use super::reader::Snapshot;
use crate::day::{Day, DayRange};
use crate::ledger::unfinished::within;

/// What is known of one day.
#[derive(Clone, Debug, PartialEq)]
pub struct DayFacts {
    pub day: Day,
    pub state: DayState,
    /// The newest run of the usage server went back to it, or to a day before: what the day holds may change.
    pub provisional: bool,
    pub records: u64,
    /// Those that have any.
    pub accounts: u64,
    pub source_rows: u64,
    pub replayed_rows: u64,
    /// Acknowledged ones included.
    pub findings: u64,
    pub acknowledged: u64,
    /// Values that were not what the source said; those acknowledged are left out.
    pub differing: u64,
    /// Corrections that wait because the day is sealed.
    pub pending_corrections: u64,
    /// Of these, those that nobody has acknowledged.
    pub due_corrections: u64,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`, like the two below.
    pub imported_at: Option<String>,
    pub verified_at: Option<String>,
    pub sealed_at: Option<String>,
}

/// The one word for a day: the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayState {
    /// Not in the ledger.
    Missing,
    /// No import may change it.
    Sealed,
    /// Its source rows have gone or cannot be read; the ledger kept what it had.
    Refused,
    /// Closed, and values are not what the source said when it was last read.
    Differing,
    /// The source had not finished it.
    Open,
    Closed,
}

impl DayState {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            DayState::Missing => "missing",
            DayState::Refused => "refused",
            DayState::Differing => "differing",
            DayState::Open => "open",
            DayState::Sealed => "sealed",
            DayState::Closed => "closed",
        }
    }
}

/// When a day of the range was last written or found equal to its source; UTC, `YYYY-MM-DDTHH:MM:SSZ`. `None`: the
/// ledger has no day of it.
pub fn find_as_of(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Option<String>> {
    let sql =
        "select max(case when verified_at > imported_at then verified_at else imported_at end)
         from stored_days
         where day between :first and :last";
    snapshot
        .connection()
        .one(sql, &within(range), |row| row.get(0))
}

/// The days of a range that have usage, and lines that do not tell resources apart: what was used of any of them then is
/// not known any more, or never was.
pub fn list_days_without_resources(
    snapshot: &Snapshot,
    range: DayRange,
) -> anyhow::Result<Vec<Day>> {
    let sql = "select day
         from stored_days
         where day between :first and :last and lines_per <> 'resource' and records > 0
         order by day";
    snapshot
        .connection()
        .list(sql, &within(range), |row| row.get(0))
}

/// Every day of a range in order, those that the ledger lacks included.
pub fn list_days(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Vec<DayFacts>> {
    let mut stored = list_stored(snapshot, range)?;
    for (day, counts) in count_findings(snapshot, range)? {
        if let Some(facts) = stored.get_mut(&day) {
            facts.findings = counts.all;
            facts.acknowledged = counts.acknowledged;
            facts.differing = counts.differing;
            let sealed = facts.state == DayState::Sealed;
            facts.state = match facts.state {
                state if sealed => state,
                _ if counts.refused > 0 => DayState::Refused,
                _ if counts.differing > 0 => DayState::Differing,
                state => state,
            };
        }
    }
    for (day, pending, due) in count_pending(snapshot, range)? {
        if let Some(facts) = stored.get_mut(&day) {
            facts.pending_corrections = pending;
            facts.due_corrections = due;
        }
    }
    let facts = range.days().map(|day| {
        let facts = stored.remove(&day);
        facts.unwrap_or_else(|| of_state(day, DayState::Missing))
    });
    Ok(facts.collect())
}

fn of_state(day: Day, state: DayState) -> DayFacts {
    DayFacts {
        day,
        state,
        provisional: false,
        records: 0,
        accounts: 0,
        source_rows: 0,
        replayed_rows: 0,
        findings: 0,
        acknowledged: 0,
        differing: 0,
        pending_corrections: 0,
        due_corrections: 0,
        imported_at: None,
        verified_at: None,
        sealed_at: None,
    }
}

fn list_stored(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<BTreeMap<Day, DayFacts>> {
    let sql = "select day, state = 'open', source_rows, replayed_rows, imported_at, verified_at, sealed_at,
                records, accounts,
                sealed_at is null and coalesce(day >= (select provisional_from from ledgers), false)
         from stored_days
         where day between :first and :last";
    let days = snapshot.connection().list(sql, &within(range), |row| {
        let day = row.get(0)?;
        let open: bool = row.get(1)?;
        let sealed_at: Option<String> = row.get(6)?;
        let state = match (&sealed_at, open) {
            (Some(_), _) => DayState::Sealed,
            (None, true) => DayState::Open,
            (None, false) => DayState::Closed,
        };
        let facts = DayFacts {
            records: row.get(7)?,
            accounts: row.get(8)?,
            provisional: row.get(9)?,
            source_rows: row.get(2)?,
            replayed_rows: row.get(3)?,
            imported_at: Some(row.get(4)?),
            verified_at: row.get(5)?,
            sealed_at,
            ..of_state(day, state)
        };
        Ok((day, facts))
    })?;
    Ok(days.into_iter().collect())
}

struct FindingCounts {
    all: u64,
    acknowledged: u64,
    differing: u64,
    refused: u64,
}

fn count_findings(
    snapshot: &Snapshot,
    range: DayRange,
) -> anyhow::Result<Vec<(Day, FindingCounts)>> {
    let sql = "select day, count(*), count(acknowledged_at),
                sum(kind = 'differs_from_source' and acknowledged_at is null),
                sum(kind = 'refused' and acknowledged_at is null)
         from findings
         where day between :first and :last
         group by day";
    snapshot.connection().list(sql, &within(range), |row| {
        let counts = FindingCounts {
            all: row.get(1)?,
            acknowledged: row.get(2)?,
            differing: row.get(3)?,
            refused: row.get(4)?,
        };
        Ok((row.get(0)?, counts))
    })
}

/// How many corrections of a day are pending, and how many of them nobody has acknowledged.
fn count_pending(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Vec<(Day, u64, u64)>> {
    let sql = "select day, count(*), sum(acknowledged_at is null)
         from stored_corrections
         where day between :first and :last and kind = 'pending'
         group by day";
    snapshot.connection().list(sql, &within(range), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}
