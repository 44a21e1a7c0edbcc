//! What is made of a day's rows in the thread that reads them, so that they need not be held while the day before is
//! written: all that depends on the rows alone.

use super::purge::begins_within;
use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::{misfit, windows_of};
use crate::aggregate::{CountedRows, count};
use crate::cloud::{Fingerprint, Names};
use crate::day::Day;
use crate::finding::{Finding, FindingKind};
use crate::row::UsageRow;
use crate::source::{SourceDay, Watermark};
use crate::zones::Zones;

/// A day of the source whose rows have been counted.
pub struct CountedDay {
    /// An error is about one of the rows.
    pub counted: anyhow::Result<CountedRows>,
    /// What the rows say of the day as a whole.
    pub findings: Vec<Finding>,
    /// That its windows are those of another zone.
    pub misfit: Option<String>,
    /// The earliest day that a row which ends on this one has a part in, if it is another.
    pub reaches_back_to: Option<Day>,
    /// See `SourceDay`; like all below.
    pub names: Names,
    pub fingerprint: Fingerprint,
    pub watermark: Option<Watermark>,
    pub oldest: Option<i64>,
    pub lowest_id: Option<u64>,
}

impl CountedDay {
    pub fn of(day: Day, zones: &Zones, read: SourceDay) -> anyhow::Result<CountedDay> {
        let SourceDay {
            mut rows,
            rewinds,
            names,
            removals,
            fingerprint,
            watermark,
            oldest,
            lowest_id,
            stuck_since,
        } = read;
        let bounds = DayBounds::of(day, zones);
        let mut findings = Vec::new();
        if let Some(since) = stuck_since.filter(|since| *since < bounds.start) {
            findings.push(stuck(zones.day_at(since)?));
        }
        findings.extend(begins_within(&rows, oldest, bounds));
        let windows = windows_of(rows.iter().map(|row| (row.start, row.end)), bounds);
        let misfit = misfit(&windows, day, zones).map(|misfit| misfit.to_string());
        let reaches_back_to = reaches_back_to(&rows, bounds, zones)?;
        let counted = count(&mut rows, &rewinds, bounds, zones, &removals, &mut |_| ());
        Ok(CountedDay {
            counted,
            findings,
            misfit,
            reaches_back_to,
            names,
            fingerprint,
            watermark,
            oldest,
            lowest_id,
        })
    }
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
