//! How the days of the ledger are listed.

use super::{Cell, text};
use crate::instant::Utc;
use crate::ledger::read::days::{DayFacts, DayState};
use crate::output::{Column, Tone, Unit, Value};
use crate::zones::Zones;

/// A day as a row.
pub struct DayRow {
    facts: DayFacts,
    /// Whether its counts are shown.
    counts: bool,
    starts_at: String,
    ends_at: String,
    hours: f64,
}

impl DayRow {
    pub fn of(facts: DayFacts, zones: &Zones, counts: bool) -> anyhow::Result<DayRow> {
        let range = facts.day.into();
        let (start, end) = zones.bounds(range);
        Ok(DayRow {
            facts,
            counts,
            starts_at: Utc::at(start)?.to_string(),
            ends_at: Utc::at(end)?.to_string(),
            hours: zones.hours(range),
        })
    }

    fn count(&self, number: u64) -> Value {
        match self.counts {
            true => Value::Count(number),
            false => Value::Nothing,
        }
    }
}

/// In `rbc-usage status`.
pub const FOR_COMMANDS: &[Cell<DayRow>] = &[
    DAY,
    STATE,
    RECORDS,
    ACCOUNTS,
    SOURCE_ROWS,
    REPLAYED_ROWS,
    FINDINGS,
    ACKNOWLEDGED_FINDINGS,
    DIFFERING_VALUES,
    PENDING_CORRECTIONS,
    IMPORTED_AT,
    VERIFIED_AT,
    SEALED_AT,
    PROVISIONAL,
];

/// In `/v1/days`.
pub const FOR_SERVER: &[Cell<DayRow>] = &[
    DAY,
    STATE,
    STARTS_AT,
    ENDS_AT,
    HOURS,
    RECORDS,
    ACCOUNTS,
    SOURCE_ROWS,
    REPLAYED_ROWS,
    FINDINGS,
    ACKNOWLEDGED_FINDINGS,
    DIFFERING_VALUES,
    PENDING_CORRECTIONS,
    IMPORTED_AT,
    VERIFIED_AT,
    SEALED_AT,
    PROVISIONAL,
];

type DayCell = Cell<DayRow>;

const DAY: DayCell = (Column::shown("day", "day").key(), |row| {
    Value::Text(row.facts.day.to_string())
});
const STATE: DayCell = (Column::shown("state", "state").key(), |row| {
    Value::State(row.facts.state.name(), tone(row.facts.state))
});
const STARTS_AT: DayCell = (Column::hidden("starts_at"), |row| {
    Value::Text(row.starts_at.clone())
});
const ENDS_AT: DayCell = (Column::hidden("ends_at"), |row| {
    Value::Text(row.ends_at.clone())
});
const HOURS: DayCell = (Column::hidden("hours"), |row| {
    Value::Quantity(row.hours, Unit::Hours)
});
const RECORDS: DayCell = (Column::shown("records", "records"), |row| {
    row.count(row.facts.records)
});
const ACCOUNTS: DayCell = (Column::shown("accounts", "accounts").detail(), |row| {
    row.count(row.facts.accounts)
});
const SOURCE_ROWS: DayCell = (Column::shown("source_rows", "rows").detail(), |row| {
    row.count(row.facts.source_rows)
});
const REPLAYED_ROWS: DayCell = (Column::shown("replayed_rows", "replayed").detail(), |row| {
    row.count(row.facts.replayed_rows)
});
const FINDINGS: DayCell = (Column::shown("findings", "findings"), |row| {
    row.count(row.facts.findings)
});
const ACKNOWLEDGED_FINDINGS: DayCell = (Column::hidden("acknowledged_findings"), |row| {
    row.count(row.facts.acknowledged)
});
const DIFFERING_VALUES: DayCell = (Column::hidden("differing_values"), |row| {
    row.count(row.facts.differing)
});
const PENDING_CORRECTIONS: DayCell = (Column::shown("pending_corrections", "pending"), |row| {
    row.count(row.facts.pending_corrections)
});
const IMPORTED_AT: DayCell = (Column::shown("imported_at", "imported").detail(), |row| {
    text(&row.facts.imported_at)
});
const VERIFIED_AT: DayCell = (Column::shown("verified_at", "verified"), |row| {
    text(&row.facts.verified_at)
});
const SEALED_AT: DayCell = (Column::hidden("sealed_at"), |row| {
    text(&row.facts.sealed_at)
});
const PROVISIONAL: DayCell = (Column::hidden("provisional"), |row| {
    Value::Truth(row.facts.provisional)
});

/// What to think of a day's state.
pub fn tone(state: DayState) -> Tone {
    match state {
        DayState::Closed | DayState::Sealed => Tone::Good,
        DayState::Open => Tone::Doubtful,
        DayState::Missing | DayState::Refused | DayState::Differing => Tone::Bad,
    }
}
