//! Moves the ledger to another zone from a day on: reads those days and cuts them again, within one transaction of the
//! caller's, so that the ledger is wholly of the old zones or wholly of the new. What the source no longer has stays as
//! it was, and the first day after it begins where it ends: no hour is counted twice or lost.

use anyhow::{Context, anyhow, bail};

use super::closed::is_closed;
use super::one_day::{Cut, DayReport, ImportRules, Misfits, Outcome, import_days};
use super::purge::purged;
use crate::aggregate::count;
use crate::aggregate::window::DayBounds;
use crate::day::Day;
use crate::ledger::Ledger;
use crate::ledger::day::{ClosedDay, Completion, LinesPer, Policy};
use crate::source::{Source, SourceDay};
use crate::unusual::UnusualRule;
use crate::zone::Zone;
use crate::zones::{ZoneChange, Zones};

/// What is asked for.
pub struct Move<'a> {
    pub zone: Zone,
    /// The first day that is to be one of the zone.
    pub from: Day,
    /// What the lines of the days it writes tell apart.
    pub lines_per: LinesPer,
    /// How figures are compared with those of the days before; `None`: not at all.
    pub unusual: Option<&'a UnusualRule>,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`, written into the ledger.
    pub now: &'a str,
    /// The same instant in seconds since 1970 UTC.
    pub clock: i64,
}

/// What came of it.
#[derive(Debug)]
pub struct Moved {
    /// The first day that is one of the zone.
    pub since: Day,
    /// The ledger's, from now on.
    pub zones: Zones,
    /// Days from the one asked for on that stay as they were: their source rows are gone.
    pub kept: Vec<Day>,
    /// The day before is one of these.
    pub kept_before: bool,
}

/// `on_day` gets the report of each day that was read again.
pub fn rezone(
    asked: &Move,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayReport) -> anyhow::Result<()>,
) -> anyhow::Result<Moved> {
    ledger.agree_on_cloud(&source.identity()?)?;
    let (old, from) = (ledger.zones().clone(), asked.from);
    // The day before ends elsewhere as well.
    let mut days = ledger.list_days_from(Some(from.previous()))?;
    let last_gone = last_gone(&days, &old, source, ledger)?;
    let (since, begins) = match last_gone {
        Some(gone) => (gone.next(), old.midnight(gone.next())),
        None => (from, asked.zone.midnight(from)),
    };
    let zones = old.with(ZoneChange {
        since,
        zone: asked.zone.clone(),
        begins,
    })?;
    if zones == old {
        bail!(
            "its days are those of {} from {since} on already",
            asked.zone.name()
        );
    }
    ledger.replace_zones(zones.clone())?;
    let kept = days.iter().copied();
    let kept = kept.filter(|day| *day >= from && last_gone.is_some_and(|gone| *day <= gone));
    let kept = kept.collect();
    days.retain(|day| *day >= since.previous() && last_gone.is_none_or(|gone| *day > gone));
    let watermark = source.progress()?.watermark;
    let rules = ImportRules {
        closed_day: ClosedDay::Overwrite,
        zones: &zones,
        misfits: Misfits::Stored,
        cut: Cut::Anew,
        lines_per: asked.lines_per,
        unusual: asked.unusual,
        now: asked.now,
        clock: asked.clock,
        provisional_from: None,
    };
    let mut fits = false;
    let mut reports = Vec::new();
    import_days(&days, &rules, source, ledger, &mut |report| {
        let day = report.day;
        if let Outcome::Refused(reason) = &report.outcome {
            bail!("{day}: {reason}");
        }
        if day >= since {
            // CloudStack may have been set to yet another zone later on.
            if let Some(misfit) = report.wrong_zone.as_ref().filter(|_| !fits) {
                bail!("{day}: {misfit}");
            }
            fits |= report.source_rows > 0;
        }
        reports.push(report);
        Ok(())
    })?;
    for mut report in reports {
        // A day that lasts longer now may not be over.
        if let Outcome::Written(written) = &mut report.outcome
            && !written.sealed
            && !is_closed(report.day, &zones, watermark, asked.clock)
        {
            ledger.reopen_day(report.day)?;
            written.completion = Completion::Open;
        }
        on_day(report)?;
    }
    Ok(Moved {
        since,
        zones,
        kept,
        kept_before: last_gone == Some(since.previous()),
    })
}

/// The last of these days whose source rows have been purged: it and all before it cannot be read again.
fn last_gone(
    days: &[Day],
    zones: &Zones,
    source: &mut Source,
    ledger: &mut Ledger,
) -> anyhow::Result<Option<Day>> {
    let mut last = None;
    let whole = |_, read| Ok(read);
    source.prefetch_days(days, zones, "rezone", &whole, &mut |day, read| {
        let read = read.map_err(|bad| anyhow!("{day} cannot be read: {bad}: repair it first"))?;
        if is_gone(day, read, zones, ledger).with_context(|| format!("{day}"))? {
            last = Some(day);
        }
        Ok(())
    })?;
    Ok(last)
}

fn is_gone(day: Day, read: SourceDay, zones: &Zones, ledger: &mut Ledger) -> anyhow::Result<bool> {
    let Some(stored) = ledger.find_day(day)? else {
        return Ok(false);
    };
    let SourceDay {
        mut rows,
        names,
        removals,
        oldest,
        lowest_id,
        rewinds,
        ..
    } = read;
    let bounds = DayBounds::of(day, zones);
    ledger.add_names(names);
    let policy = Policy::of(Some(stored), ClosedDay::ReportOnly);
    let counted = count(&mut rows, &rewinds, bounds, zones, &removals, &mut |_| ())?;
    let usage = ledger.add_up(day, policy, counted)?;
    Ok(purged(stored, &usage, oldest, lowest_id, bounds).is_some())
}
