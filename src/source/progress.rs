//! How the usage server is doing, from what it writes about itself.

use anyhow::Context;

use super::probe::Columns;
use super::reader::Source;
use super::usage::{UsageReader, one_moment};
use super::watermark::{Watermark, WatermarkKind};
use crate::db::Connection;

/// Asked for at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SourceProgress {
    /// How far it has got; `None`: it has never finished anything.
    pub watermark: Option<Watermark>,
    /// The end of the newest usage row, since 1970 UTC, if there are rows but no job that says how far they are finished.
    pub newest_row: Option<i64>,
    /// Set when the newest successful jobs all start at this same old instant, since 1970 UTC.
    pub stuck_since: Option<i64>,
    /// Set when the newest successful job starts before an earlier one had ended: this instant, since 1970 UTC. Whether the
    /// event it went back to is processed now is not known before another job goes on where it ended.
    pub provisional_since: Option<i64>,
    pub events: Events,
    /// The length of its windows in seconds, a day where it cannot be read.
    pub range_seconds: i64,
}

/// What of `usage_event` the usage server has not made use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Events {
    /// There is no such table, or no right to read it.
    #[default]
    Unreadable,
    AllProcessed,
    /// When the oldest unprocessed one was made, since 1970 UTC.
    Oldest(i64),
}

impl UsageReader {
    /// How far the usage server has got.
    pub fn watermark(&self, usage: &Connection) -> anyhow::Result<Option<Watermark>> {
        if !self.jobs {
            return Ok(newest_end(usage)?.map(|end| Watermark {
                finished_until: end,
                kind: WatermarkKind::NewestRow,
            }));
        }
        let sql = "select max(end_millis) from usage_job where success = 1 and end_millis > 0";
        let mut watermark = None;
        usage.each(sql, &[], |row| {
            if let Some(millis) = row.field(0)?.unsigned()? {
                // The job's range ends with its last millisecond: …59.999.
                let finished_until = i64::try_from(millis + 1)? / 1000;
                watermark = Some(Watermark {
                    finished_until,
                    kind: WatermarkKind::Job,
                });
            }
            Ok(())
        })?;
        Ok(watermark)
    }

    /// The start that the newest successful jobs share while their ends advance: an event since then cannot
    /// be processed, and every run writes all days since then again (CloudStack 4.x to 4.22.1).
    pub fn stuck_since(&self, usage: &Connection) -> anyhow::Result<Option<i64>> {
        let jobs = self.newest_jobs(usage)?;
        match jobs[..] {
            [(start, end), (start_before, end_before)]
                if start == start_before && end > end_before =>
            {
                Ok(Some(i64::try_from(start)? / 1000))
            }
            _ => Ok(None),
        }
    }

    /// See `Progress`.
    fn provisional_since(&self, usage: &Connection) -> anyhow::Result<Option<i64>> {
        match self.newest_jobs(usage)?[..] {
            [(start, _), (_, end_before)] if start <= end_before => {
                Ok(Some(i64::try_from(start)? / 1000))
            }
            _ => Ok(None),
        }
    }

    /// First and last millisecond of the two newest successful jobs.
    fn newest_jobs(&self, usage: &Connection) -> anyhow::Result<Vec<(u64, u64)>> {
        if !self.jobs {
            return Ok(Vec::new());
        }
        let sql = "select start_millis, end_millis from usage_job where success = 1 and end_millis > 0 \
                   order by end_millis desc limit 2";
        let mut jobs: Vec<(u64, u64)> = Vec::new();
        usage.each(sql, &[], |row| {
            jobs.push((row.field(0)?.id()?, row.field(1)?.id()?));
            Ok(())
        })?;
        Ok(jobs)
    }
}

impl Source {
    /// How far the usage server has got, and whether something holds it up.
    pub fn progress(&mut self) -> anyhow::Result<SourceProgress> {
        let usage = &self.cloud_usage;
        let read = || -> anyhow::Result<SourceProgress> {
            let watermark = self.usage.watermark(usage)?;
            Ok(SourceProgress {
                watermark,
                newest_row: match watermark {
                    Some(_) => None,
                    None => newest_end(usage)?,
                },
                stuck_since: self.usage.stuck_since(usage)?,
                provisional_since: self.usage.provisional_since(usage)?,
                events: oldest_event(usage)?,
                range_seconds: self.usage.range_seconds(),
            })
        };
        read().context("read cloud_usage")
    }

    /// The end of the newest usage row, since 1970 UTC; `None`: there are none.
    pub fn newest_row(&mut self) -> anyhow::Result<Option<i64>> {
        newest_end(&self.cloud_usage).context("read cloud_usage")
    }
}

/// The instant at which the newest usage row ends.
fn newest_end(usage: &Connection) -> anyhow::Result<Option<i64>> {
    let last_second = one_moment(usage, "select max(end_date) from cloud_usage", &[])?;
    Ok(last_second.map(|second| second + 1))
}

fn oldest_event(usage: &Connection) -> anyhow::Result<Events> {
    if !Columns::of(usage, "usage_event")?.have(&["created", "processed"]) {
        return Ok(Events::Unreadable);
    }
    let sql = "select min(created) from usage_event where processed = 0";
    let oldest = one_moment(usage, sql, &[])?;
    Ok(oldest.map_or(Events::AllProcessed, Events::Oldest))
}
