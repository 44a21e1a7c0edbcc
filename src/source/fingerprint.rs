//! Asks for what shows, without reading them, whether the rows of a day are those that were there before.

use anyhow::Context;

use crate::aggregate::runs::Runs;
use crate::aggregate::window::DayBounds;
use crate::cloud::Fingerprint;
use crate::db::Connection;

/// The rows that end on a day, and the runs that wrote parts of it again.
pub(super) fn read_fingerprint(
    usage: &mut dyn Connection,
    day: DayBounds,
    runs: &Runs,
) -> anyhow::Result<Fingerprint> {
    let rewinds = runs.rewinds.iter().map(|run| (run.since, run.first_id));
    let same = runs.same_windows.iter().map(|run| (run.since, run.from_id));
    let again: Vec<(i64, u64)> = rewinds.chain(same).collect();
    let sql = "select count(*), min(id), max(id), sum(id) from cloud_usage \
               where end_date >= ? and end_date < ?";
    let mut fingerprint = None;
    usage.query(sql, &[day.start, day.end], &mut |row| {
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
pub(super) fn lowest_id(usage: &mut dyn Connection) -> anyhow::Result<Option<u64>> {
    let mut lowest = None;
    usage.query("select min(id) from cloud_usage", &[], &mut |row| {
        lowest = row.field(0)?.unsigned()?;
        Ok(())
    })?;
    Ok(lowest)
}
