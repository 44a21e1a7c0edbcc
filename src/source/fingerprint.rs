//! Asks for what shows, without reading them, whether the rows of a day are those that were there before.

use anyhow::Context;

use crate::aggregate::runs::Runs;
use crate::aggregate::window::DayBounds;
use crate::cloud::Fingerprint;
use crate::db::{Connection, SqlValue, params};

/// The rows that end on a day, and the runs that wrote parts of it again.
pub(super) fn read_fingerprint(
    usage: &Connection,
    day: DayBounds,
    runs: &Runs,
) -> anyhow::Result<Fingerprint> {
    let rewinds = runs.rewinds.iter().map(|run| (run.since, run.first_id));
    let same = runs.same_windows.iter().map(|run| (run.since, run.from_id));
    let again: Vec<(i64, u64)> = rewinds.chain(same).collect();
    let sql = "select count(*), min(id), max(id), sum(id) from cloud_usage \
               where end_date >= :from and end_date < :to";
    let mut fingerprint = None;
    let within = params! {":from": SqlValue::Moment(day.start), ":to": SqlValue::Moment(day.end)};
    usage.each(sql, within, |row| {
        fingerprint = Some(Fingerprint {
            rows: row.field(0)?.id()?,
            first: row.field(1)?.id()?,
            last: row.field(2)?.id()?,
            sum: row.field(3)?.text()?.unwrap_or_else(|| "0".to_owned()),
            again: again.clone(),
        });
        Ok(())
    })?;
    fingerprint.context("no answer")
}

/// The lowest id of a row in the source: those below it have been purged.
pub(super) fn lowest_id(usage: &Connection) -> anyhow::Result<Option<u64>> {
    let mut lowest = None;
    usage.each("select min(id) from cloud_usage", &[], |row| {
        lowest = row.field(0)?.unsigned()?;
        Ok(())
    })?;
    Ok(lowest)
}
