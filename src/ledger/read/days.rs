//! The days of the ledger: which are final, which are not there, and what is known of each.

use std::collections::BTreeMap;

use rusqlite::named_params;

use super::reader::Snapshot;
use crate::day::{Day, DayRange};

/// Days of a range whose figures are not final.
#[derive(Debug, Default, PartialEq)]
pub struct Unfinished {
    /// Imported before the source had finished them, in order.
    pub open_days: Vec<Day>,
    /// Not in the ledger, in order.
    pub missing_days: Vec<Day>,
}

impl Unfinished {
    /// Every day is there, and the source has finished it.
    pub fn is_complete(&self) -> bool {
        self.open_days.is_empty() && self.missing_days.is_empty()
    }
}

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

/// The days of a range that are open or missing.
pub fn list_unfinished(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Unfinished> {
    // Mostly there are none, and one row shows it.
    let mut statement = snapshot.tx.prepare_cached(
        "select count(*) from stored_days where day between :first and :last and state = 'closed'",
    )?;
    let parameters = named_params! {
        ":first": range.first().to_string(),
        ":last": range.last().to_string(),
    };
    let closed: i64 = statement.query_one(parameters, |row| row.get(0))?;
    if closed == range.count_days() {
        return Ok(Unfinished::default());
    }
    Ok(unfinished(&list_states(snapshot, range)?, range))
}

/// When a day of the range was last written or found equal to its source; UTC, `YYYY-MM-DDTHH:MM:SSZ`. `None`: the
/// ledger has no day of it.
pub fn find_as_of(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Option<String>> {
    let mut statement = snapshot.tx.prepare_cached(
        "select max(max(imported_at, coalesce(verified_at, imported_at)))
         from stored_days
         where day between :first and :last",
    )?;
    let parameters = named_params! {
        ":first": range.first().to_string(),
        ":last": range.last().to_string(),
    };
    Ok(statement.query_one(parameters, |row| row.get(0))?)
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

/// The days of the range that the ledger has, in order, and whether each is open.
fn list_states(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Vec<(Day, bool)>> {
    let mut statement = snapshot.tx.prepare_cached(
        "select day, state = 'open'
         from stored_days
         where day between :first and :last
         order by day",
    )?;
    let mut rows = statement.query(named_params! {
        ":first": range.first().to_string(),
        ":last": range.last().to_string(),
    })?;
    let mut days = Vec::new();
    while let Some(row) = rows.next()? {
        days.push((row.get_ref(0)?.as_str()?.parse()?, row.get(1)?));
    }
    Ok(days)
}

/// Open days and missing days of a range, given the days the ledger has of it.
fn unfinished(stored: &[(Day, bool)], range: DayRange) -> Unfinished {
    let open = stored.iter().filter(|(_, open)| *open);
    let mut had = stored.iter().map(|(day, _)| *day).peekable();
    let missing = range.days().filter(|day| had.next_if_eq(day).is_none());
    Unfinished {
        open_days: open.map(|(day, _)| *day).collect(),
        missing_days: missing.collect(),
    }
}

fn list_stored(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<BTreeMap<Day, DayFacts>> {
    let mut statement = snapshot.tx.prepare_cached(
        "select day, state = 'open', source_rows, replayed_rows, imported_at, verified_at, sealed_at,
                records, accounts,
                sealed_at is null and coalesce(day >= (select provisional_from from ledgers), false)
         from stored_days
         where day between :first and :last",
    )?;
    let mut rows = statement.query(named_params! {
        ":first": range.first().to_string(),
        ":last": range.last().to_string(),
    })?;
    let mut days = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let day: Day = row.get_ref(0)?.as_str()?.parse()?;
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
        days.insert(day, facts);
    }
    Ok(days)
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
    let mut statement = snapshot.tx.prepare_cached(
        "select day, count(*), count(acknowledged_at),
                count(*) filter (where kind = 'differs_from_source' and acknowledged_at is null),
                count(*) filter (where kind = 'refused' and acknowledged_at is null)
         from findings
         where day between :first and :last
         group by day",
    )?;
    let mut rows = statement.query(named_params! {
        ":first": range.first().to_string(),
        ":last": range.last().to_string(),
    })?;
    let mut days = Vec::new();
    while let Some(row) = rows.next()? {
        let counts = FindingCounts {
            all: row.get(1)?,
            acknowledged: row.get(2)?,
            differing: row.get(3)?,
            refused: row.get(4)?,
        };
        days.push((row.get_ref(0)?.as_str()?.parse()?, counts));
    }
    Ok(days)
}

/// How many corrections of a day are pending, and how many of them nobody has acknowledged.
fn count_pending(snapshot: &Snapshot, range: DayRange) -> anyhow::Result<Vec<(Day, u64, u64)>> {
    let mut statement = snapshot.tx.prepare_cached(
        "select day, count(*), count(*) filter (where acknowledged_at is null)
         from stored_corrections
         where day between :first and :last and kind = 'pending'
         group by day",
    )?;
    let mut rows = statement.query(named_params! {
        ":first": range.first().to_string(),
        ":last": range.last().to_string(),
    })?;
    let mut days = Vec::new();
    while let Some(row) = rows.next()? {
        let day = row.get_ref(0)?.as_str()?.parse()?;
        days.push((day, row.get(1)?, row.get(2)?));
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_the_ledger_lacks_are_missing() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let range = DayRange::new(day("2013-02-26"), day("2013-03-02")).unwrap();
        let stored = [
            (day("2013-02-27"), false),
            (day("2013-02-28"), true),
            (day("2013-03-01"), false),
        ];
        let unfinished = unfinished(&stored, range);
        assert_eq!(unfinished.open_days, [day("2013-02-28")]);
        assert_eq!(
            unfinished.missing_days,
            [day("2013-02-26"), day("2013-03-02")]
        );
    }
}
