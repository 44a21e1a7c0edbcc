//! Which days are due, and which of them the source has finished.

use std::collections::BTreeSet;

use super::closed::is_closed;
use super::one_day::ImportRules;
use crate::day::{Day, DayRange};
use crate::ledger::Ledger;
use crate::ledger::refusals::Cause;
use crate::source::{Source, Watermark};
use crate::zones::Zones;

/// The days an import has to do, in order: those of a range, else every day after the newest closed one that the source
/// has finished; and in any case days that were not finished, or were refused and may be repaired.
pub fn due_days(
    range: Option<DayRange>,
    rules: &ImportRules,
    watermark: Option<Watermark>,
    source: &mut Source,
    ledger: &mut Ledger,
) -> anyhow::Result<Vec<Day>> {
    settle_days_of_no_rows(rules.zones, source, ledger)?;
    let closed = |day: Day| is_closed(day, rules.zones, watermark, rules.clock);
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
    match range {
        Some(range) => days.extend(range.days()),
        None => {
            let first = match (ledger.newest_closed_day()?, source.first_instant()?) {
                (Some(newest), _) => Some(newest.next()),
                (None, Some(instant)) => Some(rules.zones.day_at(instant)?),
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
