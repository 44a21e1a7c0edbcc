//! The billing zone: which instants a local day holds. Names are those that CloudStack's Java knows,
//! because the zone must be the one CloudStack cuts its days in; what Java would silently read as GMT
//! is refused. The rules come from the time zone database built into the program.

mod java;

use std::fmt;

use anyhow::Context;
use tz::TimeZoneRef;

use crate::day::Day;

const DAY_SECONDS: i64 = 86_400;

/// A time zone by the name CloudStack knows it under.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: Rules,
}

#[derive(Clone, Copy)]
enum Rules {
    /// Seconds east of Greenwich.
    Fixed(i64),
    Table(TimeZoneRef<'static>),
}

/// A name has one set of rules.
impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl Zone {
    /// Takes IANA names and what Java adds to them; refuses what Java would read as GMT by mistake.
    pub fn parse(name: &str) -> anyhow::Result<Zone> {
        let rules = match java::offset_of(name) {
            Some(seconds) => Rules::Fixed(seconds),
            None => Rules::Table(
                java::database_name(name)
                    .and_then(tzdb::tz_by_name)
                    .with_context(|| java::refusal(name))?,
            ),
        };
        Ok(Zone {
            name: name.to_owned(),
            rules,
        })
    }

    /// The name as it was configured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First instant of a local day, in seconds since 1970 UTC. A day that the zone skipped is empty:
    /// it begins when the next one does.
    pub fn midnight(&self, day: Day) -> i64 {
        let local = day.days_since_1970() * DAY_SECONDS;
        // Offsets run from -12 to +14 hours, so these instants lie before and after the midnight.
        let (mut low, high) = (local - 15 * 3600, local + 13 * 3600);
        let before = self.offset_at(low);
        let by_old_offset = local - before;
        if self.offset_at(by_old_offset) == before {
            return by_old_offset;
        }
        // The clock changed on the way to midnight. Days begin at the change itself when it skipped
        // midnight, else when the new offset reads 00:00.
        let by_new_offset = local - self.offset_at(high);
        let mut change = by_old_offset;
        while change - low > 1 {
            let middle = low + (change - low) / 2;
            if self.offset_at(middle) == before {
                low = middle;
            } else {
                change = middle;
            }
        }
        change.max(by_new_offset)
    }

    /// The local day an instant falls on. Where the clock went back across midnight, the repeated
    /// minutes belong to the day that had begun, so that days never interleave.
    pub fn day_at(&self, unix: i64) -> anyhow::Result<Day> {
        let days = unix
            .saturating_add(self.offset_at(unix))
            .div_euclid(DAY_SECONDS);
        let day = Day::from_days_since_1970(days)
            .with_context(|| format!("{unix} is no instant of the calendar"))?;
        match Day::from_days_since_1970(days + 1) {
            Ok(next) if self.midnight(next) <= unix => Ok(next),
            Ok(_) | Err(_) => Ok(day),
        }
    }

    /// Seconds east of Greenwich at an instant.
    fn offset_at(&self, unix: i64) -> i64 {
        match &self.rules {
            Rules::Fixed(seconds) => *seconds,
            // Only an instant far outside the calendar has no offset; no day there can be asked for.
            Rules::Table(table) => table
                .find_local_time_type(unix)
                .map_or(0, |kind| i64::from(kind.ut_offset())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    /// Seconds from UTC midnight of the day to its local midnight.
    #[track_caller]
    fn begins(name: &str, text: &str, seconds: i64) {
        let utc = day(text).days_since_1970() * DAY_SECONDS;
        assert_eq!(
            zone(name).midnight(day(text)) - utc,
            seconds,
            "{name} {text}"
        );
    }

    fn hours(name: &str, text: &str) -> f64 {
        let (zone, day) = (zone(name), day(text));
        let seconds = zone.midnight(day.next()) - zone.midnight(day);
        i32::try_from(seconds).map(f64::from).unwrap() / 3600.0
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        begins("GMT", "2013-06-01", 0);
        begins("Europe/Stockholm", "2013-06-01", -2 * 3600);
        begins("Europe/Stockholm", "2013-01-01", -3600);
        begins("Asia/Kolkata", "2013-06-01", -19_800);
        begins("Asia/Kathmandu", "2013-06-01", -20_700);
        begins("America/New_York", "2013-06-01", 4 * 3600);
        begins("PST", "2013-06-01", 7 * 3600);
        begins("GMT+2", "2013-06-01", -2 * 3600);
        begins("GMT-0330", "2013-06-01", 12_600);
        begins("Etc/GMT+2", "2013-06-01", 2 * 3600);
    }

    #[test]
    fn years_beyond_the_table_follow_its_last_rule() {
        begins("Europe/Stockholm", "2150-07-01", -2 * 3600);
        begins("Europe/Stockholm", "2150-12-01", -3600);
        begins("Europe/Stockholm", "9999-12-30", -3600);
    }

    #[test]
    fn days_of_a_clock_change_are_shorter_or_longer() {
        for (name, text, expected) in [
            ("Europe/Stockholm", "2026-03-29", 23.0),
            ("Europe/Stockholm", "2026-10-25", 25.0),
            ("Australia/Lord_Howe", "2026-10-04", 23.5),
            ("Australia/Lord_Howe", "2026-04-05", 24.5),
            ("GMT", "2026-03-29", 24.0),
        ] {
            assert_eq!(hours(name, text), expected, "{name} {text}");
        }
    }

    #[test]
    fn a_day_without_midnight_begins_after_the_gap() {
        begins("America/Sao_Paulo", "2017-10-15", 3 * 3600);
        assert_eq!(hours("America/Sao_Paulo", "2017-10-15"), 23.0);
        begins("Africa/Cairo", "2024-04-26", -2 * 3600);
        begins("Asia/Beirut", "2024-03-31", -2 * 3600);
    }

    #[test]
    fn a_day_with_two_midnights_begins_at_the_first() {
        begins("America/Havana", "2026-11-01", 4 * 3600);
        assert_eq!(hours("America/Havana", "2026-11-01"), 25.0);
        // Here the clock went from 00:01 back to 23:01.
        begins("America/St_Johns", "2010-11-07", 9000);
        let repeated = zone("America/St_Johns").midnight(day("2010-11-07")) + 1800;
        assert_eq!(
            zone("America/St_Johns").day_at(repeated).unwrap(),
            day("2010-11-07")
        );
        // And here from 00:00 back to 23:00: the old day lasts an hour longer.
        begins("America/Sao_Paulo", "2017-02-19", 3 * 3600);
        assert_eq!(hours("America/Sao_Paulo", "2017-02-18"), 25.0);
    }

    #[test]
    fn a_skipped_day_is_empty() {
        assert_eq!(hours("Pacific/Apia", "2011-12-29"), 24.0);
        assert_eq!(hours("Pacific/Apia", "2011-12-30"), 0.0);
        assert_eq!(hours("Pacific/Apia", "2011-12-31"), 24.0);
        let apia = zone("Pacific/Apia");
        let change = apia.midnight(day("2011-12-30"));
        assert_eq!(apia.day_at(change).unwrap(), day("2011-12-31"));
        assert_eq!(apia.day_at(change - 1).unwrap(), day("2011-12-29"));
    }

    #[test]
    fn an_instant_outside_the_calendar_is_no_day() {
        for unix in [i64::MAX, i64::MIN, 300_000_000_000] {
            assert!(zone("Europe/Stockholm").day_at(unix).is_err());
        }
    }

    #[test]
    fn days_partition_time() {
        for name in [
            "GMT",
            "Europe/Stockholm",
            "America/Havana",
            "America/Sao_Paulo",
            "America/St_Johns",
            "Africa/Cairo",
            "Asia/Beirut",
            "Pacific/Apia",
            "Pacific/Kwajalein",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Antarctica/Troll",
            "GMT-03:30",
        ] {
            let zone = zone(name);
            let mut today = day("1970-01-02");
            while today < day("2041-01-01") {
                let (start, end) = (zone.midnight(today), zone.midnight(today.next()));
                assert!(start <= end && end - start <= 26 * 3600, "{name} {today}");
                if start < end {
                    assert_eq!(zone.day_at(start).unwrap(), today, "{name}");
                    assert_eq!(zone.day_at(end - 1).unwrap(), today, "{name}");
                    assert_eq!(zone.day_at(start / 2 + end / 2).unwrap(), today, "{name}");
                }
                today = today.next();
            }
        }
    }
}
