//! Looks again at closed days. The usage server writes old days again after an event that came late, and
//! administrators repair them by hand; a day's fingerprint shows, without reading it, that this has happened.

use std::collections::BTreeSet;

use super::one_day::{DayReport, ImportRules, import_days};
use crate::aggregate::window::DayBounds;
use crate::config::RereadDays;
use crate::day::Day;
use crate::ledger::Ledger;
use crate::month::Month;
use crate::source::Source;

/// The closed days that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookedAt {
    pub days: usize,
    /// The earliest of them; `None`: there were none.
    pub first: Option<Day>,
}

/// Reads those of the newest closed days again whose source rows are not those that were imported, or that an import
/// could not leave settled. Where a row of a day that is read reaches back into an earlier one, that one is read as well. `done` are the days
/// that this import has read already, `reached` the days that their rows reach back into.
pub fn reread(
    within: RereadDays,
    done: &[Day],
    mut reached: BTreeSet<Day>,
    rules: &ImportRules,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayReport) -> anyhow::Result<()>,
) -> anyhow::Result<LookedAt> {
    let mut left = match ledger.newest_closed_day()? {
        Some(newest) => ledger.list_imported(first_day(within, newest))?,
        None => Vec::new(),
    };
    left.retain(|imported| !done.contains(&imported.day));
    let mut changed = Vec::new();
    for imported in &left {
        let bounds = DayBounds::of(imported.day, rules.zones);
        let now = source.fingerprint(bounds)?;
        // Nothing is to be learned from a source that is gone: a settled day needs it no more, and of another it is
        // known already. Whatever else a settled day was refused for is gone with it.
        let known = now.rows == 0 && imported.refused != imported.settled;
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
    import_days(&changed, rules, source, ledger, &mut |report| {
        reached.extend(report.reaches_back());
        on_day(report)
    })?;
    let neighbours: Vec<Day> = left
        .iter()
        .map(|imported| imported.day)
        .filter(|day| reached.contains(day) && !changed.contains(day))
        .collect();
    import_days(&neighbours, rules, source, ledger, on_day)?;
    Ok(LookedAt {
        days: left.len(),
        first: left.first().map(|imported| imported.day),
    })
}

/// The first day to look at. The month is that of the day after the newest closed one, which is today where all is
/// imported, and never a later one.
fn first_day(within: RereadDays, newest: Day) -> Day {
    match within {
        RereadDays::Auto => Month::of(newest.next()).previous().previous().first_day(),
        RereadDays::Newest(days) => newest.plus(1 - i64::from(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_looked_at_until_its_invoice_is_a_month_old() {
        let first = |within, newest: &str| first_day(within, newest.parse().unwrap()).to_string();
        assert_eq!(first(RereadDays::Auto, "2026-10-30"), "2026-08-01");
        assert_eq!(first(RereadDays::Auto, "2026-10-31"), "2026-09-01");
        assert_eq!(first(RereadDays::Auto, "2026-11-29"), "2026-09-01");
        assert_eq!(first(RereadDays::Auto, "2027-01-15"), "2026-11-01");
        assert_eq!(first(RereadDays::Newest(35), "2026-10-31"), "2026-09-27");
        assert_eq!(first(RereadDays::Newest(0), "2026-10-31"), "2026-11-01");
    }
}
