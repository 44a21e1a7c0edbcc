//! Looks again at closed days. The usage server writes old days anew after an event that came late, and
//! administrators repair them by hand; a day's fingerprint tells, without reading it, that this has happened.

use std::collections::BTreeSet;

use super::{DayReport, Request, run};
use crate::aggregate::window::DayBounds;
use crate::day::Day;
use crate::ledger::Ledger;
use crate::source::Source;

/// Reads those of the newest closed days again whose source rows are not those that were imported, or that an import
/// could not leave settled. Where a
/// row of a day that is read reaches back into an earlier one, that one is read as well. `done` are the days
/// that this import has read already, `reached` the days that their rows reach back into.
pub fn reread(
    within_days: u16,
    done: &[Day],
    mut reached: BTreeSet<Day>,
    request: &Request,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayReport) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut left = ledger.list_imported(within_days)?;
    left.retain(|imported| !done.contains(&imported.day));
    let mut changed = Vec::new();
    for imported in &left {
        let bounds = DayBounds::of(imported.day, request.zones);
        let now = source.fingerprint(bounds)?;
        // That the source of a day has vanished is told once.
        let known = now.rows == 0 && imported.refused;
        let same = imported.fingerprint.as_ref() == Some(&now.to_string());
        // What was wrong with a day may have been repaired so that it looks as before.
        let settled = same && !imported.refused && !imported.differs;
        if !settled && !known {
            changed.push(imported.day);
            // The row that has changed may be a deleted one.
            if imported.spans_midnight {
                reached.insert(imported.day.previous());
            }
        }
    }
    run(&changed, request, source, ledger, &mut |report| {
        reached.extend(report.reaches_back());
        on_day(report)
    })?;
    let neighbours: Vec<Day> = left
        .iter()
        .map(|imported| imported.day)
        .filter(|day| reached.contains(day) && !changed.contains(day))
        .collect();
    run(&neighbours, request, source, ledger, on_day)
}
