//! The import: imports the days that are due, looks at closed days again, and keeps how the run ended. What it has to
//! say on the way it hands to its caller, who prints it.

mod advice;
mod closed;
mod counted_day;
mod due;
mod notices;
mod one_day;
mod purge;
mod reread;
mod rezone;
mod totals;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;

use crate::config::{Reread, RereadDays};
use crate::day::DayRange;
use crate::ledger::Ledger;
use crate::ledger::day::{ClosedDay, LinesPer};
use crate::ledger::runs::RunOutcome;
use crate::source::{Source, Watermark};
use crate::unusual::UnusualRule;
pub use advice::{Advice, advise};
use due::due_days;
use one_day::{Cut, ImportRules, Misfits, import_days};
pub use one_day::{DayReport, Outcome};
pub use purge::{purged, rows_gone};
use reread::reread;
pub use rezone::{Move, Moved, rezone};
pub use totals::ImportTotals;

/// What an import is asked for.
pub struct ImportRequest<'a> {
    /// `None`: every day after the newest closed one that the source has finished.
    pub range: Option<DayRange>,
    /// Overwrite closed days, and store days of another zone.
    pub force: bool,
    /// What becomes of closed days whose source has changed.
    pub reread: Reread,
    pub reread_days: RereadDays,
    /// What the lines of the days it writes tell apart.
    pub lines_per: LinesPer,
    /// How figures are compared with those of the days before; `None`: not at all.
    pub unusual: Option<&'a UnusualRule>,
    /// The zone that is configured.
    pub timezone: &'a str,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`, written into the ledger.
    pub now: &'a str,
    /// The same instant in seconds since 1970 UTC.
    pub clock: i64,
}

/// What an import needs of its surroundings.
pub struct Surroundings<'a> {
    pub open_source: &'a dyn Fn() -> anyhow::Result<Source>,
    /// The program with one of its commands, as a person would run it.
    pub program: &'a dyn Fn(&str) -> String,
    /// The end of the run: UTC, `YYYY-MM-DDTHH:MM:SSZ`, and how long it took.
    pub end: &'a dyn Fn() -> anyhow::Result<(String, Duration)>,
}

/// What happens on the way.
pub enum ImportEvent<'a> {
    /// A line for people: what cannot be read, or needs a look.
    Notice(String),
    /// So many days are due.
    Due(usize),
    /// One of them is safely in the ledger, or refused.
    Imported(&'a DayReport),
    /// All of them are; closed days are looked at now.
    AllImported,
    /// A closed day was read again.
    Reread(&'a DayReport),
}

/// How it ended.
pub struct Finished {
    pub totals: ImportTotals,
    pub needs_a_look: bool,
    pub took: Duration,
}

/// Imports, and keeps in the ledger that it ran and how it ended.
pub fn import(
    request: &ImportRequest,
    surroundings: &Surroundings,
    ledger: &mut Ledger,
    on: &mut dyn FnMut(ImportEvent) -> anyhow::Result<()>,
) -> anyhow::Result<Finished> {
    let run = ledger.begin_run(request.now)?;
    let mut totals = ImportTotals::default();
    let done = import_all(request, surroundings, ledger, &mut totals, on);
    let (ended, took) = (surroundings.end)()?;
    let run_total = totals.of_run(took);
    let watermark = match done {
        Ok(watermark) => watermark,
        Err(err) => {
            let message = format!("{err:#}");
            // The error that led here is the one to report.
            let _ = ledger.finish_run(run, &ended, RunOutcome::Error, &run_total, Some(&message));
            return Err(err);
        }
    };
    let refusals = ledger.list_refusals()?;
    let mut notices = notices::refused_days(&refusals, surroundings.program);
    notices.extend(notices::gap(ledger, &refusals, watermark, request.clock)?);
    let needs_a_look = totals.needs_a_look || !notices.is_empty();
    for notice in notices {
        on(ImportEvent::Notice(notice))?;
    }
    let outcome = match needs_a_look {
        true => RunOutcome::NeedsALook,
        false => RunOutcome::Done,
    };
    ledger.finish_run(run, &ended, outcome, &run_total, None)?;
    Ok(Finished {
        totals,
        needs_a_look,
        took,
    })
}

/// Imports all days there are to import. Returns how far the source has got.
fn import_all(
    request: &ImportRequest,
    surroundings: &Surroundings,
    ledger: &mut Ledger,
    totals: &mut ImportTotals,
    on: &mut dyn FnMut(ImportEvent) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Watermark>> {
    let mut source = (surroundings.open_source)()?;
    for limitation in source.limitations() {
        on(ImportEvent::Notice(limitation))?;
    }
    ledger.agree_on_cloud(&source.identity()?)?;
    let zones = ledger.zones().clone();
    let progress = source.progress()?;
    let watermark = progress.watermark;
    let provisional = progress.provisional_since;
    let provisional = provisional.map(|since| zones.day_at(since)).transpose()?;
    let rules = ImportRules {
        closed_day: match request.force {
            true => ClosedDay::Overwrite,
            false => ClosedDay::AddMissing,
        },
        zones: &zones,
        misfits: match request.force {
            true => Misfits::Stored,
            false => Misfits::Refused,
        },
        cut: Cut::AsBefore,
        lines_per: request.lines_per,
        unusual: request.unusual,
        now: request.now,
        clock: request.clock,
        // Those that were provisional before this import: of others nobody has been warned.
        provisional_from: ledger.provisional_from()?,
    };
    let days = due_days(request.range, &rules, watermark, &mut source, ledger)?;
    let mut warn = |warning: Option<String>| {
        totals.needs_a_look |= warning.is_some();
        warning.map_or(Ok(()), |warning| on(ImportEvent::Notice(warning)))
    };
    warn(notices::other_zone(&mut source, &zones, &days)?)?;
    warn(notices::source_ahead(watermark, request.clock)?)?;
    warn(notices::no_jobs(&mut source, watermark)?)?;
    on(ImportEvent::Due(days.len()))?;
    let mut reached = BTreeSet::new();
    let mut misfit = None;
    import_days(&days, &rules, &mut source, ledger, &mut |report| {
        totals.add(&report);
        misfit = misfit.max(report.wrong_zone.as_ref().map(|_| report.day));
        reached.extend(report.reaches_back());
        on(ImportEvent::Imported(&report))
    })?;
    on(ImportEvent::AllImported)?;
    let rules = ImportRules {
        closed_day: match request.reread {
            Reread::Report => ClosedDay::ReportOnly,
            Reread::Update => ClosedDay::Overwrite,
        },
        misfits: Misfits::Refused,
        ..rules
    };
    let within = request.reread_days;
    let mut on_day = |report: DayReport| {
        totals.add_reread(&report);
        misfit = misfit.max(report.wrong_zone.as_ref().map(|_| report.day));
        on(ImportEvent::Reread(&report))
    };
    let looked_at = reread(
        within,
        &days,
        reached,
        &rules,
        &mut source,
        ledger,
        &mut on_day,
    )?;
    if let Some(day) = misfit {
        let (timezone, program) = (request.timezone, surroundings.program);
        let cure = notices::zone_cure(timezone, day, ledger, &mut source, program)?;
        if let Some(cure) = cure {
            on(ImportEvent::Notice(cure))?;
        }
    }
    totals.looked_at = looked_at;
    ledger.set_provisional_from(provisional)?;
    ledger
        .sum_months()
        .context("all days are imported, but not every month is added up")?;
    Ok(watermark)
}
