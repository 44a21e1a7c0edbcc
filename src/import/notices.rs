//! What an import reports to people beside its days: what is wrong with the source's clock, jobs and zone, and which
//! days stay refused or missing. A line each.

use super::advice::advise;
use super::closed::is_closed;
use crate::day::{Day, DayRange, in_ranges};
use crate::instant::Utc;
use crate::ledger::Ledger;
use crate::ledger::refusals::{Cause, Refusal};
use crate::plural::plural;
use crate::source::{Source, Watermark};
use crate::status::{CLOCKS_DIFFER, without_jobs};
use crate::zone::Zone;
use crate::zones::Zones;

/// Refused days that are named in full; the ledger's findings hold all of them.
const NAMED_REFUSALS: usize = 10;

/// CloudStack's zone, if it is another one than the ledger's. Zones of different names that agree on the days in
/// question are as good as one.
pub fn other_zone(
    source: &mut Source,
    zones: &Zones,
    days: &[Day],
) -> anyhow::Result<Option<String>> {
    let Some(theirs) = source.aggregation_timezone()? else {
        return Ok(None);
    };
    // Java, and so CloudStack, takes a name it does not know for GMT.
    let other = Zone::parse(&theirs).or_else(|_| Zone::parse("GMT"))?;
    let differ = days
        .iter()
        .any(|day| zones.midnight(*day) != other.midnight(*day));
    Ok(differ.then(|| {
        format!(
            "main.timezone is {}, CloudStack's usage.aggregation.timezone is {theirs:?}: main.timezone has to be the same",
            zones.name()
        )
    }))
}

/// A usage server that claims to have finished what has not been yet.
pub fn source_ahead(watermark: Option<Watermark>, clock: i64) -> anyhow::Result<Option<String>> {
    let ahead = watermark.filter(|watermark| watermark.finished_until > clock + CLOCKS_DIFFER);
    let Some(watermark) = ahead else {
        return Ok(None);
    };
    Ok(Some(format!(
        "the usage server says that usage is finished until {}, and it is {}: one of the clocks is wrong; days that \
         have not ended are not closed",
        Utc::at(watermark.finished_until)?,
        Utc::at(clock)?
    )))
}

/// Usage rows that no job says are finished.
pub fn no_jobs(
    source: &mut Source,
    watermark: Option<Watermark>,
) -> anyhow::Result<Option<String>> {
    let newest = match watermark {
        Some(_) => None,
        None => source.newest_row()?,
    };
    let Some(newest) = newest else {
        return Ok(None);
    };
    Ok(Some(format!(
        "{}; until then, import -s DAY stores what there is as an open day",
        without_jobs(newest)?
    )))
}

/// What to do about days that were refused for their zone, the last of which is `day`.
pub fn zone_cure(
    timezone: &str,
    day: Day,
    ledger: &Ledger,
    source: &mut Source,
    program: &dyn Fn(&str) -> String,
) -> anyhow::Result<Option<String>> {
    let first = ledger.list_days_from(None)?.first().copied();
    let days = DayRange::new(first.unwrap_or(day).min(day), day)?;
    let advice = advise(days, ledger.zones(), source)?;
    Ok(advice.map(|advice| {
        let cure = advice.cure(first.is_some(), program);
        format!("main.timezone = {timezone} is not CloudStack's zone: {cure}")
    }))
}

/// The days that an import has refused, this one or another, and that nobody has settled.
pub fn refused_days(refusals: &[Refusal], program: &dyn Fn(&str) -> String) -> Vec<String> {
    let open = refusals.iter().filter(|one| !one.acknowledged);
    let (misfits, open): (Vec<&Refusal>, Vec<&Refusal>) =
        open.partition(|one| one.cause == Cause::WrongZone);
    let findings = program("findings");
    let mut lines = Vec::new();
    for refusal in open.iter().take(NAMED_REFUSALS) {
        let Refusal {
            day, reason, id, ..
        } = refusal;
        let repair = match refusal.cause {
            Cause::BadRow => format!("repair the row and run {} -s {day}, or ", program("import")),
            Cause::SourceGone | Cause::WrongZone => String::new(),
        };
        lines.push(format!(
            "{day} is refused: {reason}: {repair}acknowledge it with {findings} ack {id} --reason TEXT"
        ));
    }
    if open.len() > NAMED_REFUSALS {
        let more = plural(open.len() - NAMED_REFUSALS, "refused day");
        lines.push(format!("{more} more: {findings} --kind refused"));
    }
    // One zone cures them all.
    if !misfits.is_empty() {
        let days: Vec<Day> = misfits.iter().map(|refusal| refusal.day).collect();
        lines.push(format!(
            "refused for the zone: {}: {findings} --kind refused",
            in_ranges(&days)
        ));
    }
    lines
}

/// Days that are missing between others, though the source has finished them.
pub fn gap(
    ledger: &Ledger,
    refusals: &[Refusal],
    watermark: Option<Watermark>,
    clock: i64,
) -> anyhow::Result<Option<String>> {
    let mut missing = ledger.list_missing_days()?;
    let refused = |day: Day| refusals.iter().any(|refusal| refusal.day == day);
    missing.retain(|day| is_closed(*day, ledger.zones(), watermark, clock) && !refused(*day));
    Ok((!missing.is_empty()).then(|| {
        format!(
            "missing between other days: {}: import with -s and -e",
            in_ranges(&missing)
        )
    }))
}
