//! The import: which days to read, and for each of them read, aggregate, write.

mod add_up;
mod advice;
mod purge;
mod reread;
mod rezone;

use std::collections::BTreeSet;

use anyhow::Context;

use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::{misfit, windows_of};
use crate::day::{Day, DayRange};
use crate::finding::{Finding, FindingKind};
use crate::ledger::Ledger;
use crate::ledger::day::{
    ClosedDay, Completion, FigureDifference, NewDay, Policy, StoredDay, Written,
};
use crate::ledger::refusals::Cause;
use crate::row::{BadRow, UsageRow};
use crate::source::{Source, SourceDay, Watermark};
use crate::zones::Zones;
pub use add_up::{add_up, running_vms};
pub use advice::{Advice, advise};
use purge::{before_the_source, begins_within, without_rows};
pub use purge::{purged, rows_gone};
pub use reread::{LookedAt, reread};
pub use rezone::{Move, Moved, rezone};

/// What is asked of an import.
pub struct Request<'a> {
    /// `None`: every day after the newest closed one that the source has finished.
    pub range: Option<DayRange>,
    pub closed_day: ClosedDay,
    pub zones: &'a Zones,
    pub misfits: Misfits,
    pub cut: Cut,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`, written into the ledger.
    pub now: &'a str,
    /// The same instant in seconds since 1970 UTC: no day that ends after it is closed.
    pub clock: i64,
    /// From this day on closed days were provisional: what the source says of them now is taken over.
    pub provisional_from: Option<Day>,
}

impl Request<'_> {
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

/// The days an import has to do, in order.
pub fn plan(
    request: &Request,
    watermark: Option<Watermark>,
    source: &mut Source,
    ledger: &mut Ledger,
) -> anyhow::Result<Vec<Day>> {
    settle_days_of_no_rows(request.zones, source, ledger)?;
    let closed = |day: Day| is_closed(day, request.zones, watermark, request.clock);
    let mut days: BTreeSet<Day> = ledger
        .list_open_days()?
        .into_iter()
        .filter(|day| closed(*day))
        .collect();
    let refused = ledger.list_refusals()?.into_iter();
    let again = refused.filter(|refusal| {
        let may_be_repaired = refusal.cause != Cause::SourceGone && !refusal.acknowledged;
        may_be_repaired && !refusal.in_ledger && closed(refusal.day)
    });
    days.extend(again.map(|refusal| refusal.day));
    match request.range {
        Some(range) => days.extend(range.days()),
        None => {
            let first = match (ledger.newest_closed_day()?, source.first_instant()?) {
                (Some(newest), _) => Some(newest.next()),
                (None, Some(instant)) => Some(request.zones.day_at(instant)?),
                (None, None) => None,
            };
            days.extend(
                std::iter::successors(first, |day| Some(day.next())).take_while(|day| closed(*day)),
            );
        }
    }
    Ok(days.into_iter().collect())
}

/// The source's first hours were on the day before in a wrong zone: nothing is to be known of that day in the right one.
fn settle_days_of_no_rows(
    zones: &Zones,
    source: &mut Source,
    ledger: &mut Ledger,
) -> anyhow::Result<()> {
    let refusals = ledger.list_refusals()?.into_iter();
    let refused: Vec<Day> = refusals
        .filter(|refusal| refusal.cause == Cause::WrongZone && !refusal.in_ledger)
        .map(|refusal| refusal.day)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    if let Some(instant) = source.first_instant()? {
        let before = zones.day_at(instant)?.previous();
        if refused.contains(&before) {
            ledger.settle_refusal(before)?;
        }
    }
    Ok(())
}

/// Imports days in order; `on_day` is told of each once it is safely in the ledger.
pub fn run(
    days: &[Day],
    request: &Request,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayReport) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    source.read_ahead(days, request.zones, "import", &mut |day, read| {
        let imported = match read {
            Ok(read) => import_day(day, request, read, ledger),
            Err(bad) => Err(bad.into()),
        };
        let report = imported.or_else(|err| {
            let bad = err.downcast::<BadRow>()?;
            refuse(day, bad.to_string(), Cause::BadRow, request, ledger)
        });
        on_day(report.with_context(|| format!("import {day}"))?)
    })
}

/// Leaves a day as it is, and keeps why.
fn refuse(
    day: Day,
    reason: String,
    cause: Cause,
    request: &Request,
    ledger: &mut Ledger,
) -> anyhow::Result<DayReport> {
    ledger.refuse_day(day, &reason, cause, request.now)?;
    leave(day, Outcome::Refused(reason), ledger)
}

/// What is to be said of a day that stays as it is.
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
    request: &Request,
    read: SourceDay,
    ledger: &mut Ledger,
) -> anyhow::Result<DayReport> {
    let SourceDay {
        mut rows,
        names,
        fingerprint,
        watermark,
        oldest,
        lowest_id,
        stuck_since,
        rewinds,
    } = read;
    let bounds = DayBounds::of(day, request.zones);
    let reaches_back_to = reaches_back_to(&rows, bounds, request.zones)?;
    let stored = ledger.find_day(day)?;
    ledger.add_names(names);
    let closed_day = match stored {
        Some(_) => request.closed_day_of(day),
        None => request.closed_day,
    };
    let policy = Policy::of(stored, closed_day);
    let known = ledger.known_vms(day, policy, running_vms(&rows))?;
    let mut usage = add_up(
        &mut rows,
        &rewinds,
        bounds,
        request.zones,
        &known,
        &mut |_| (),
    )?;
    if let Some(since) = stuck_since.filter(|since| *since < bounds.start) {
        usage.findings.push(stuck(request.zones.day_at(since)?));
    }
    usage.findings.extend(begins_within(&rows, oldest, bounds));
    let windows = windows_of(rows.iter().map(|row| (row.start, row.end)), bounds);
    let misfit = misfit(&windows, day, request.zones).map(|misfit| misfit.to_string());
    let wrong_zone = misfit;
    if let (Misfits::Stored, Some(misfit)) = (request.misfits, &wrong_zone) {
        usage.findings.push(of_another_zone(misfit.clone()));
    }
    if let (Misfits::Refused, Some(misfit)) = (request.misfits, &wrong_zone) {
        let refused = refuse(day, misfit.clone(), Cause::WrongZone, request, ledger)?;
        return Ok(DayReport {
            wrong_zone,
            ..refused
        });
    }
    let refusal = match stored {
        Some(_) if request.cut == Cut::Anew => None,
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
            return refuse(day, reason, Cause::SourceGone, request, ledger);
        }
        // There is nothing to be settled of a day that neither ledger nor source knows.
        (Some(reason), None) => return leave(day, Outcome::Refused(reason), ledger),
        (None, _) => {}
    }
    let completion = match is_closed(day, request.zones, watermark, request.clock) {
        true => Completion::Closed,
        false => Completion::Open,
    };
    if completion == Completion::Closed {
        let before = ledger.find_day(day.previous())?;
        usage.findings.extend(without_rows(&usage, before));
    }
    // The next day is read meanwhile, and two days of rows are more than there should be.
    let vms = counted_vms(&rows, bounds);
    drop(rows);
    let written = ledger.write_day(&NewDay {
        day,
        completion,
        usage: &usage,
        vms: &vms,
        fingerprint: &fingerprint,
        closed_day,
        now: request.now,
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

/// The VMs whose running was counted, each with its template.
fn counted_vms(rows: &[UsageRow], day: DayBounds) -> Vec<(u64, u64)> {
    let touches = |row: &&UsageRow| row.start < day.end && row.end > day.start;
    let running = rows
        .iter()
        .filter(touches)
        .filter(|row| row.usage_type == Some(1));
    running.map(|row| (row.usage_id, row.template_id)).collect()
}

/// The day of the earliest start among the rows that end on this day, if that is before it.
fn reaches_back_to(
    rows: &[UsageRow],
    day: DayBounds,
    zones: &Zones,
) -> anyhow::Result<Option<Day>> {
    let ends_here = |row: &&UsageRow| row.end > day.start && row.end <= day.end;
    let earliest = rows.iter().filter(ends_here).map(|row| row.start).min();
    match earliest {
        Some(start) if start < day.start => Ok(Some(zones.day_at(start)?)),
        Some(_) | None => Ok(None),
    }
}

/// A day is closed once the source has finished its last second, and that second has passed: a usage server
/// whose clock was ahead once has not finished the future. `clock` is now, in seconds since 1970 UTC.
pub fn is_closed(day: Day, zones: &Zones, watermark: Option<Watermark>, clock: i64) -> bool {
    let end = zones.midnight(day.next());
    end <= clock && watermark.is_some_and(|watermark| watermark.finished_until >= end)
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

fn stuck(since: Day) -> Finding {
    let detail = format!(
        "the newest usage jobs all start on {since}: a usage event cannot be processed and every run writes the days \
         since then again"
    );
    Finding {
        kind: FindingKind::UsageJobStuck,
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
    pub fn tells_something(&self) -> bool {
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
                differs || written.pending > 0
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
