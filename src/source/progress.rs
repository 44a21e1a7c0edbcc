//! How the usage server is doing, from what it writes about itself.

use anyhow::Context;

use super::probe::Columns;
use super::usage::{Watermark, one_moment};
use super::{Connection, Source};

/// Asked for at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// How far it has got; `None`: it has never finished anything.
    pub watermark: Option<Watermark>,
    /// Set when the newest successful jobs all start at this same old instant, since 1970 UTC.
    pub stuck_since: Option<i64>,
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

impl Source {
    /// How far the usage server has got, and whether something holds it up.
    pub fn progress(&mut self) -> anyhow::Result<Progress> {
        let usage = self.cloud_usage.as_mut();
        let mut read = || -> anyhow::Result<Progress> {
            Ok(Progress {
                watermark: self.usage.watermark(usage)?,
                stuck_since: self.usage.stuck_since(usage)?,
                events: oldest_event(usage)?,
                range_seconds: self.usage.range_seconds(),
            })
        };
        read().context("read cloud_usage")
    }
}

fn oldest_event(usage: &mut dyn Connection) -> anyhow::Result<Events> {
    if !Columns::of(usage, "usage_event")?.have(&["created", "processed"]) {
        return Ok(Events::Unreadable);
    }
    let sql = "select min(created) from usage_event where processed = 0";
    let oldest = one_moment(usage, sql, &[])?;
    Ok(oldest.map_or(Events::AllProcessed, Events::Oldest))
}
