//! One day: its rows are read, added up and written, or the day is refused and stays as it is.

use anyhow::Context;

use super::closed::is_closed;
use super::counted_day::CountedDay;
use super::purge::{before_the_source, purged, without_rows};
use crate::aggregate::window::DayBounds;
use crate::day::{Day, DayRange};
use crate::finding::{Finding, FindingKind};
use crate::ledger::Ledger;
use crate::ledger::day::{
    ClosedDay, Completion, FigureDifference, LinesPer, NewDay, Policy, StoredDay, Written,
};
use crate::ledger::refusals::Cause;
use crate::row::BadRow;
use crate::source::Source;
use crate::unusual::UnusualRule;
use crate::zones::Zones;

/// How days are imported.
pub struct ImportRules<'a> {
    pub closed_day: ClosedDay,
    pub zones: &'a Zones,
    pub misfits: Misfits,
    pub cut: Cut,
    pub lines_per: LinesPer,
    pub unusual: Option<&'a UnusualRule>,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`, written into the ledger.
    pub now: &'a str,
    /// The same instant in seconds since 1970 UTC: no day that ends after it is closed.
    pub clock: i64,
    /// From this day on closed days were provisional: what the source says of them now is taken over.
    pub provisional_from: Option<Day>,
}

impl ImportRules<'_> {
    fn closed_day_of(&self, day: Day) -> ClosedDay {
        match self.provisional_from.is_some_and(|from| day >= from) {
            true => ClosedDay::Overwrite,
            false => self.closed_day,
        }
    }
}

/// What becomes of days whose windows are those of another zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfits {
    Refused,
    /// Stored all the same, with a finding.
    Stored,
}

/// Whether a day that the ledger has begins and ends where it did when it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    AsBefore,
    /// Its zone is another one: that fewer rows touch it is no purge.
    Anew,
}

/// What became of one day.
#[derive(Debug, PartialEq)]
pub struct DayReport {
    pub day: Day,
    pub source_rows: u64,
    pub replayed_rows: u64,
    pub hidden_rows: u64,
    pub per_vm_volume_rows: u64,
    /// The earliest day that a row which ends on this one has a part in, if it is another.
    pub reaches_back_to: Option<Day>,
    /// Somebody has acknowledged every difference, or the refusal.
    pub acknowledged: bool,
    /// That its windows are those of another zone.
    pub wrong_zone: Option<String>,
    pub outcome: Outcome,
}

#[derive(Debug, PartialEq)]
pub enum Outcome {
    Written(Written),
    /// The ledger holds what the source no longer has, or a row of it cannot be; the day stays as it is.
    Refused(String),
    /// The source no longer has the day, which does not need it any more: that is routine, and the day stays as it is.
    SourceGone(StoredDay, String),
}

/// Imports days in order; `on_day` gets the report of each once it is safely in the ledger.
pub fn import_days(
    days: &[Day],
    rules: &ImportRules,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayReport) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let count = |day, read| CountedDay::of(day, rules.zones, read);
    source.prefetch_days(days, rules.zones, "import", &count, &mut |day, read| {
        let imported = match read {
            Ok(read) => import_day(day, rules, read, ledger),
            Err(bad) => Err(bad.into()),
        };
        let report = imported.or_else(|err| {
            let bad = err.downcast::<BadRow>()?;
            refuse(day, bad.to_string(), Cause::BadRow, rules, ledger)
        });
        on_day(report.with_context(|| format!("import {day}"))?)
    })
}

/// Leaves a day as it is, and keeps why.
fn refuse(
    day: Day,
    reason: String,
    cause: Cause,
    rules: &ImportRules,
    ledger: &mut Ledger,
) -> anyhow::Result<DayReport> {
    ledger.refuse_day(day, &reason, cause, rules.now)?;
    leave(day, Outcome::Refused(reason), ledger)
}

/// The report of a day that stays as it is.
fn leave(day: Day, outcome: Outcome, ledger: &Ledger) -> anyhow::Result<DayReport> {
    Ok(DayReport {
        day,
        source_rows: 0,
        replayed_rows: 0,
        hidden_rows: 0,
        per_vm_volume_rows: 0,
        reaches_back_to: None,
        acknowledged: ledger.is_acknowledged(day)?,
        wrong_zone: None,
        outcome,
    })
}

fn import_day(
    day: Day,
    rules: &ImportRules,
    read: CountedDay,
    ledger: &mut Ledger,
) -> anyhow::Result<DayReport> {
    let CountedDay {
        counted,
        findings,
        misfit: wrong_zone,
        reaches_back_to,
        names,
        fingerprint,
        watermark,
        oldest,
        lowest_id,
    } = read;
    let bounds = DayBounds::of(day, rules.zones);
    ledger.add_names(names);
    let counted = counted?;
    let stored = ledger.find_day(day)?;
    let closed_day = match stored {
        Some(_) => rules.closed_day_of(day),
        None => rules.closed_day,
    };
    let vms: Vec<(u64, u64)> = counted.running_vms().collect();
    let policy = Policy::of(stored, closed_day);
    let mut usage = ledger.add_up(day, policy, counted)?;
    usage.findings.extend(findings);
    if let (Misfits::Stored, Some(misfit)) = (rules.misfits, &wrong_zone) {
        usage.findings.push(of_another_zone(misfit.clone()));
    }
    if let (Misfits::Refused, Some(misfit)) = (rules.misfits, &wrong_zone) {
        let refused = refuse(day, misfit.clone(), Cause::WrongZone, rules, ledger)?;
        return Ok(DayReport {
            wrong_zone,
            ..refused
        });
    }
    let refusal = match stored {
        Some(_) if rules.cut == Cut::Anew => None,
        Some(stored) => purged(stored, &usage, oldest, lowest_id, bounds),
        None if closed_day == ClosedDay::Overwrite => None,
        None => before_the_source(&usage, oldest, bounds),
    };
    match (refusal, stored) {
        (Some(reason), Some(stored)) if stored.is_settled() => {
            ledger.settle_refusal(day)?;
            return leave(day, Outcome::SourceGone(stored, reason), ledger);
        }
        (Some(reason), Some(_)) => {
            return refuse(day, reason, Cause::SourceGone, rules, ledger);
        }
        // There is nothing to be settled of a day that neither ledger nor source knows.
        (Some(reason), None) => return leave(day, Outcome::Refused(reason), ledger),
        (None, _) => {}
    }
    let completion = match is_closed(day, rules.zones, watermark, rules.clock) {
        true => Completion::Closed,
        false => Completion::Open,
    };
    if completion == Completion::Closed {
        let before = ledger.find_day(day.previous())?;
        usage.findings.extend(without_rows(&usage, before));
    }
    let written = ledger.write_day(&NewDay {
        day,
        completion,
        usage: &usage,
        vms: &vms,
        fingerprint: &fingerprint,
        closed_day,
        lines_per: rules.lines_per,
        unusual: rules.unusual,
        now: rules.now,
    })?;
    Ok(DayReport {
        day,
        source_rows: usage.source_rows,
        replayed_rows: usage.replayed_rows,
        hidden_rows: usage.hidden_rows,
        per_vm_volume_rows: usage.per_vm_volume_rows,
        reaches_back_to,
        acknowledged: ledger.is_acknowledged(day)?,
        wrong_zone,
        outcome: Outcome::Written(written),
    })
}

fn of_another_zone(detail: String) -> Finding {
    Finding {
        kind: FindingKind::WrongZone,
        account_id: None,
        metric: None,
        resource: None,
        detail,
    }
}

impl DayReport {
    /// Earlier days that rows which end on this one have parts in.
    pub fn reaches_back(&self) -> impl Iterator<Item = Day> {
        let first = self.reaches_back_to;
        let last = self.day.previous();
        let range = first.and_then(|first| DayRange::new(first, last).ok());
        range.into_iter().flat_map(DayRange::days)
    }

    /// Whether the ledger has changed, or should.
    pub fn is_news(&self) -> bool {
        let changed = match &self.outcome {
            Outcome::Written(written) => written.added + written.overwritten > 0,
            Outcome::Refused(_) | Outcome::SourceGone(..) => false,
        };
        changed || self.needs_a_look()
    }

    /// Something a person should look at, and nobody has.
    pub fn needs_a_look(&self) -> bool {
        match &self.outcome {
            Outcome::Written(written) => {
                let differs = !written.differences.is_empty() && !self.acknowledged;
                differs || written.pending > 0 || !written.account_changes.is_empty()
            }
            Outcome::Refused(_) => !self.acknowledged,
            Outcome::SourceGone(..) => false,
        }
    }

    /// Values of a closed day that are not what the source says.
    pub fn differences(&self) -> &[FigureDifference] {
        match &self.outcome {
            Outcome::Written(written) => &written.differences,
            Outcome::Refused(_) | Outcome::SourceGone(..) => &[],
        }
    }
}
