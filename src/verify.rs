//! Compares the ledger with its source: the rows of each day by number and digest, and every figure. Reads and
//! adds up as an import does, by the same code, and changes no figure: it notes that a day was found equal, and keeps
//! what no import finds, so that it can be acknowledged.

mod comparison;
mod difference;
mod names;

use std::collections::BTreeSet;

use anyhow::Context;

use crate::aggregate::count;
use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::{misfit, windows_of};
use crate::day::Day;
use crate::finding::FindingKind;
use crate::import::purged;
use crate::ledger::Ledger;
use crate::ledger::day::{ClosedDay, NewFinding, Policy};
use crate::ledger::refusals::Cause;
use crate::row::BadRow;
use crate::source::{Source, SourceDay};
use crate::zones::Zones;
use comparison::Comparison;
use difference::about_day;
pub use difference::{Difference, Kind, Name};
use names::names_that_differ;

/// Figures that differ by no more than this part of the larger one are equal. The same rows give the same
/// figure to the last bit; this leaves room for another program's order of adding.
pub const TOLERANCE: f64 = 1e-9;

pub struct VerifyRules<'a> {
    pub zones: &'a Zones,
    /// See `TOLERANCE`.
    pub tolerance: f64,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
}

/// What became of one day.
#[derive(Debug, PartialEq)]
pub struct DayVerdict {
    pub day: Day,
    pub verdict: Verdict,
    pub source_rows: u64,
    pub figures: u64,
    pub differences: Vec<Difference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Equal,
    Different,
    /// Nothing is left to compare the day with, and it stays what it was.
    SourceGone,
}

/// Compares closed days in order; `on_day` gets the verdict of each.
pub fn verify(
    days: &[Day],
    rules: &VerifyRules,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayVerdict) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reported = BTreeSet::new();
    let whole = |_, read| Ok(read);
    source.prefetch_days(days, rules.zones, "verify", &whole, &mut |day, read| {
        let verified = match read {
            Ok(read) => verify_day(day, rules, read, ledger, &mut reported),
            Err(bad) => Err(bad.into()),
        };
        let verdict = verified.or_else(|err| {
            let bad = err.downcast::<BadRow>()?;
            without_rows(day, Cause::BadRow, bad.to_string(), rules, ledger)
        });
        on_day(verdict.with_context(|| format!("verify {day}"))?)
    })
}

/// A day whose rows cannot be read, or are gone, is refused as an import refuses it: once somebody has acknowledged
/// that, it is as good as it gets. A row that cannot be read spoils its day and no other.
fn without_rows(
    day: Day,
    cause: Cause,
    reason: String,
    rules: &VerifyRules,
    ledger: &mut Ledger,
) -> anyhow::Result<DayVerdict> {
    let kind = match cause {
        Cause::SourceGone => Kind::Purged,
        Cause::BadRow => Kind::BadRow,
        Cause::WrongZone => Kind::WrongZone,
    };
    ledger.refuse_day(day, &reason, cause, rules.now)?;
    let mut differences = vec![about_day(day, kind, reason)];
    let verdict = acknowledged(day, &mut differences, rules, ledger)?;
    Ok(DayVerdict {
        day,
        verdict,
        source_rows: 0,
        figures: 0,
        differences,
    })
}

/// Marks what somebody has acknowledged. If that is all there is, the day may be relied on.
fn acknowledged(
    day: Day,
    differences: &mut [Difference],
    rules: &VerifyRules,
    ledger: &mut Ledger,
) -> anyhow::Result<Verdict> {
    let known = ledger.list_acknowledged(day)?;
    for difference in differences.iter_mut() {
        difference.acknowledged = difference
            .finding()
            .is_some_and(|finding| known.contains(&finding));
    }
    if differences.iter().any(Difference::needs_a_look) {
        ledger.mark_unequal(day)?;
        return Ok(Verdict::Different);
    }
    ledger.mark_acknowledged(day, rules.now)?;
    Ok(Verdict::Equal)
}

fn verify_day(
    day: Day,
    rules: &VerifyRules,
    read: SourceDay,
    ledger: &mut Ledger,
    reported: &mut BTreeSet<String>,
) -> anyhow::Result<DayVerdict> {
    let SourceDay {
        mut rows,
        names,
        removals,
        fingerprint,
        oldest,
        lowest_id,
        rewinds,
        ..
    } = read;
    let bounds = DayBounds::of(day, rules.zones);
    ledger.add_names(names);
    let stored = ledger.find_day(day)?;
    let policy = Policy::of(stored, ClosedDay::ReportOnly);
    let counted = count(
        &mut rows,
        &rewinds,
        bounds,
        rules.zones,
        &removals,
        &mut |_| (),
    )?;
    let usage = ledger.add_up(day, policy, counted)?;
    let figures = ledger.day_figures(day)?;
    let purged = stored.and_then(|stored| purged(stored, &usage, oldest, lowest_id, bounds));
    let verdict_of = |verdict, differences| DayVerdict {
        day,
        verdict,
        source_rows: usage.source_rows,
        // A count of records fits 64 bits.
        figures: figures.figures.len() as u64,
        differences,
    };
    match (purged, stored) {
        (Some(reason), Some(stored)) if stored.is_settled() => {
            let gone = vec![about_day(day, Kind::SourceGone, reason)];
            return Ok(verdict_of(Verdict::SourceGone, gone));
        }
        (Some(reason), _) => return without_rows(day, Cause::SourceGone, reason, rules, ledger),
        (None, _) => {}
    }
    let lines = ledger.differing_lines(day, stored, &usage, rules.tolerance)?;
    let mut differences = Comparison {
        day,
        tolerance: rules.tolerance,
        ledger,
        rows: &rows,
        usage: &usage,
        fingerprint: &fingerprint,
        newest_run: rewinds.newest(),
        stored: &figures,
        lines,
    }
    .differences();
    let windows = windows_of(rows.iter().map(|row| (row.start, row.end)), bounds);
    let misfit = misfit(&windows, day, rules.zones);
    differences.extend(misfit.map(|misfit| about_day(day, Kind::WrongZone, misfit.to_string())));
    let (names, remapped) = names_that_differ(day, ledger, &figures, reported);
    differences.extend(names);
    ledger.keep_findings(day, FindingKind::Remapped, &remapped)?;
    // On other days an import with -f mends it.
    let sealed = stored.is_some_and(|stored| stored.sealed);
    let lines_differ = differences
        .iter()
        .filter(|_| sealed)
        .filter_map(Difference::lines_finding);
    let lines_differ: Vec<NewFinding> = lines_differ.collect();
    ledger.keep_findings(day, FindingKind::LinesDiffer, &lines_differ)?;
    let equal = !differences.iter().any(Difference::needs_a_look);
    let verdict = if equal {
        ledger.mark_verified(day, &usage, &fingerprint, rules.now)?;
        Verdict::Equal
    } else {
        acknowledged(day, &mut differences, rules, ledger)?
    };
    Ok(verdict_of(verdict, differences))
}
