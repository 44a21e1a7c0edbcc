//! Sealing days and giving them back: the days and the ledger held against imports, what speaks against a seal, and
//! how it is reported. That a day is sealed is the ledger's business.

use std::time::Duration;

use crate::config::LedgerUri;
use crate::coverage::{Coverage, find_coverage};
use crate::day::{Day, DayRange};
use crate::ledger::Ledger;
use crate::ledger::lock::ImportLock;
use crate::ledger::read::Reader;
use crate::ledger::read::days::{DayFacts, DayState, list_days};
use crate::output::{Column, Document, Tone, Value};

/// The days of a range, which no import changes for as long as this lives.
pub struct LockedDays {
    pub ledger: Ledger,
    pub range: DayRange,
    /// As they were when it began.
    pub days: Vec<DayFacts>,
    reader: Reader,
    _lock: ImportLock,
}

/// Waits up to `timeout` for a running import. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
pub fn hold(
    ledger: &LedgerUri,
    timeout: Duration,
    timezone: &str,
    range: DayRange,
    now: &str,
) -> anyhow::Result<LockedDays> {
    let lock = ImportLock::acquire(ledger, timeout, now)?;
    let opened = Ledger::open(ledger, timezone, false)?;
    let mut reader = Reader::open(ledger)?;
    Ok(LockedDays {
        ledger: opened,
        range,
        days: reader.read(|snapshot| list_days(snapshot, range))?,
        reader,
        _lock: lock,
    })
}

/// What speaks against sealing a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealObjection {
    Missing,
    /// Missing, as it has not begun.
    Future,
    Open,
    /// The newest run of the usage server went back to the day or before.
    Provisional,
    Refused,
    Differing,
    Unverified,
}

/// In the order in which messages name them.
pub const OBJECTIONS: [SealObjection; 7] = [
    SealObjection::Missing,
    SealObjection::Future,
    SealObjection::Open,
    SealObjection::Provisional,
    SealObjection::Refused,
    SealObjection::Differing,
    SealObjection::Unverified,
];

impl SealObjection {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            SealObjection::Missing => "missing",
            SealObjection::Future => "future",
            SealObjection::Open => "open",
            SealObjection::Provisional => "provisional",
            SealObjection::Refused => "refused",
            SealObjection::Differing => "differing",
            SealObjection::Unverified => "unverified",
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            SealObjection::Missing => "missing in the ledger",
            SealObjection::Future => "not begun",
            SealObjection::Open => "not finished",
            SealObjection::Provisional => {
                "provisional, as the newest run of the usage server went back to them or before"
            }
            SealObjection::Refused => "refused by an import",
            SealObjection::Differing => "different from the source",
            SealObjection::Unverified => "not found equal to the source since they were written",
        }
    }

    /// Whether the day cannot be sealed at all.
    pub fn forbids(self) -> bool {
        matches!(
            self,
            SealObjection::Missing | SealObjection::Future | SealObjection::Open
        )
    }
}

/// A day that is sealed already is beyond objection.
pub fn objection(facts: &DayFacts, today: Day) -> Option<SealObjection> {
    if facts.sealed_at.is_some() {
        return None;
    }
    match facts.state {
        DayState::Missing if facts.day > today => Some(SealObjection::Future),
        DayState::Missing => Some(SealObjection::Missing),
        DayState::Open => Some(SealObjection::Open),
        _ if facts.provisional => Some(SealObjection::Provisional),
        DayState::Refused => Some(SealObjection::Refused),
        DayState::Differing => Some(SealObjection::Differing),
        DayState::Closed if facts.verified_at.is_none() => Some(SealObjection::Unverified),
        DayState::Closed | DayState::Sealed => None,
    }
}

impl LockedDays {
    /// Which of the days the ledger has.
    pub fn coverage(&mut self, today: Day) -> anyhow::Result<Coverage> {
        let range = self.range;
        self.reader
            .read(|snapshot| find_coverage(snapshot, Some(range), today))
    }

    /// The days as they are now, a row each: for programs, as `note` says it all to people.
    pub fn document(
        &mut self,
        timezone: &str,
        today: Day,
        notes: Vec<String>,
    ) -> anyhow::Result<Document> {
        let range = self.range;
        let now = self.reader.read(|snapshot| list_days(snapshot, range))?;
        let sealed = now.iter().filter(|facts| facts.sealed_at.is_some());
        let changed = |(before, now): &(&DayFacts, &DayFacts)| before.sealed_at != now.sealed_at;
        let both = || self.days.iter().zip(&now);
        Ok(Document {
            facts: vec![
                ("start", Value::Text(range.first().to_string())),
                ("end", Value::Text(range.last().to_string())),
                ("timezone", Value::Text(timezone.to_owned())),
                // Counts of days fit 64 bits.
                ("sealed_days", Value::Count(sealed.count() as u64)),
                (
                    "changed_days",
                    Value::Count(both().filter(changed).count() as u64),
                ),
            ],
            rows_name: "days",
            columns: COLUMNS.to_vec(),
            rows: both()
                .map(|(before, now)| row(before, now, today))
                .collect(),
            notes,
            ..Document::default()
        })
    }
}

const COLUMNS: [Column; 6] = [
    Column::hidden("day"),
    Column::hidden("state"),
    Column::hidden("changed"),
    Column::hidden("doubt"),
    Column::hidden("pending_corrections"),
    Column::hidden("sealed_at"),
];

fn row(before: &DayFacts, now: &DayFacts, today: Day) -> Vec<Value> {
    let pending = match now.state {
        DayState::Missing => Value::Nothing,
        _ => Value::Count(now.pending_corrections),
    };
    vec![
        Value::Text(now.day.to_string()),
        Value::State(now.state.name(), Tone::Plain),
        Value::Truth(before.sealed_at != now.sealed_at),
        Value::text(objection(before, today).map(SealObjection::name)),
        pending,
        Value::text(now.sealed_at.as_deref()),
    ]
}
