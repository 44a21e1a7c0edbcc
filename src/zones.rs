//! The zones that a ledger's days are of: one as a rule, another one from a day on where CloudStack was set to
//! another one, or where the first was wrong. Where they meet, the day before ends when the first day of the new
//! zone begins, so that days follow one another without a gap and no instant belongs to two of them.

use anyhow::ensure;

use crate::day::{Day, DayRange};
use crate::instant::{Utc, hours};
use crate::zone::Zone;

/// Which zone each day is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Zones {
    /// Of all days before the first change.
    first: Zone,
    /// In the order of their days.
    changes: Vec<ZoneChange>,
}

/// From a day on, days are those of another zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneChange {
    pub since: Day,
    pub zone: Zone,
    /// When that day begins, in seconds since 1970 UTC: at the zone's midnight, unless the day before holds what
    /// cannot be read again, and ends as it always did.
    pub begins: i64,
}

impl From<Zone> for Zones {
    /// Of all days there are.
    fn from(first: Zone) -> Zones {
        Zones {
            first,
            changes: Vec::new(),
        }
    }
}

impl Zones {
    /// These zones, with another one from a day on in place of all later ones. Refuses one that leaves the days
    /// around the change no time.
    pub fn with(&self, change: ZoneChange) -> anyhow::Result<Zones> {
        let mut zones = self.clone();
        zones.changes.retain(|known| known.since < change.since);
        let (since, begins) = (change.since, change.begins);
        let before = zones.midnight(since.previous());
        // The day belongs to the same zone as before and begins at its midnight: nothing changes here.
        if *zones.newest() == change.zone && zones.midnight(since) == begins {
            return Ok(zones);
        }
        zones.changes.push(change);
        let next = zones.midnight(since.next());
        ensure!(
            before < begins && begins < next,
            "{since} cannot be the first day of {}: it would begin at {}, and the days around it at {} and {}",
            zones.name(),
            Utc::at(begins)?,
            Utc::at(before)?,
            Utc::at(next)?
        );
        Ok(zones)
    }

    /// Every change of the zone, in the order of their days.
    pub fn changes(&self) -> &[ZoneChange] {
        &self.changes
    }

    /// The zone of a day.
    pub fn of(&self, day: Day) -> &Zone {
        let change = self.changes.iter().rev().find(|change| change.since <= day);
        change.map_or(&self.first, |change| &change.zone)
    }

    /// The zone of the days to come.
    pub fn newest(&self) -> &Zone {
        self.changes.last().map_or(&self.first, |last| &last.zone)
    }

    /// The newest one's name.
    pub fn name(&self) -> &str {
        self.newest().name()
    }

    /// First instant of a day, in seconds since 1970 UTC.
    pub fn midnight(&self, day: Day) -> i64 {
        let change = self.changes.iter().find(|change| change.since == day);
        change.map_or_else(|| self.of(day).midnight(day), |change| change.begins)
    }

    /// First instant of a range of days, and the first one after it.
    pub fn bounds(&self, range: DayRange) -> (i64, i64) {
        let end = self.midnight(range.last().next());
        (self.midnight(range.first()), end)
    }

    /// Hours of a range of days: 743 or 745 of a month in which the clocks change.
    pub fn hours(&self, range: DayRange) -> f64 {
        let (start, end) = self.bounds(range);
        hours(end - start)
    }

    /// The day that an instant falls on.
    pub fn day_at(&self, unix: i64) -> anyhow::Result<Day> {
        let begun = self.changes.partition_point(|change| change.begins <= unix);
        let (zone, since) = match begun.checked_sub(1).map(|last| &self.changes[last]) {
            Some(change) => (&change.zone, Some(change.since)),
            None => (&self.first, None),
        };
        let mut day = zone.day_at(unix)?;
        // By its own clock a zone has days before its first here, and after its last.
        if let Some(since) = since {
            day = day.max(since);
        }
        if let Some(next) = self.changes.get(begun) {
            day = day.min(next.since.previous());
        }
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    fn change(since: &str, name: &str) -> ZoneChange {
        let (since, zone) = (day(since), zone(name));
        let begins = zone.midnight(since);
        ZoneChange {
            since,
            zone,
            begins,
        }
    }

    fn begins(zones: &Zones, text: &str) -> String {
        Utc::at(zones.midnight(day(text))).unwrap().to_string()
    }

    fn hours(zones: &Zones, text: &str) -> f64 {
        zones.hours(DayRange::from(day(text)))
    }

    #[test]
    fn the_day_before_a_change_ends_with_the_new_zones_midnight() {
        let gmt = Zones::from(zone("GMT"));
        let east = gmt.with(change("2026-06-12", "Europe/Stockholm")).unwrap();
        assert_eq!(begins(&east, "2026-06-11"), "2026-06-11T00:00:00Z");
        assert_eq!(begins(&east, "2026-06-12"), "2026-06-11T22:00:00Z");
        assert_eq!(begins(&east, "2026-06-13"), "2026-06-12T22:00:00Z");
        let west = gmt.with(change("2026-06-12", "America/New_York")).unwrap();
        let lengths = |zones| ["2026-06-10", "2026-06-11", "2026-06-12"].map(|d| hours(zones, d));
        assert_eq!(
            (lengths(&east), lengths(&west)),
            ([24.0, 22.0, 24.0], [24.0, 28.0, 24.0])
        );
        assert_eq!((gmt.name(), west.name()), ("GMT", "America/New_York"));
        assert_eq!(east.of(day("2026-06-11")).name(), "GMT");
    }

    #[test]
    fn a_day_that_stays_as_it_was_ends_as_it_did() {
        let mut late = change("2026-06-12", "Europe/Stockholm");
        late.begins += 2 * 3600;
        let zones = Zones::from(zone("GMT")).with(late).unwrap();
        assert_eq!(hours(&zones, "2026-06-11"), 24.0);
        assert_eq!(hours(&zones, "2026-06-12"), 22.0);
    }

    #[test]
    fn a_later_change_takes_the_place_of_all_after_it() {
        let zones = Zones::from(zone("GMT"));
        let zones = zones.with(change("2026-06-12", "Asia/Tokyo")).unwrap();
        let zones = zones
            .with(change("2026-07-01", "Europe/Stockholm"))
            .unwrap();
        assert_eq!(zones.changes().len(), 2);
        let back = zones.with(change("2026-06-01", "Asia/Tokyo")).unwrap();
        assert_eq!(back.changes().len(), 1);
        assert_eq!(back.of(day("2026-07-01")).name(), "Asia/Tokyo");
        let undone = zones.with(change("2026-06-12", "GMT")).unwrap();
        assert_eq!(undone, Zones::from(zone("GMT")));
    }

    #[test]
    fn days_partition_time_across_changes() {
        let zones = Zones::from(zone("GMT"));
        let zones = zones
            .with(change("2026-03-29", "America/New_York"))
            .unwrap();
        let zones = zones
            .with(change("2026-03-31", "Pacific/Auckland"))
            .unwrap();
        let mut kept = change("2026-04-03", "America/New_York");
        kept.begins = zones.midnight(day("2026-04-03"));
        let zones = zones.with(kept).unwrap();
        let mut today = day("2026-03-25");
        while today < day("2026-04-10") {
            let (start, end) = (zones.midnight(today), zones.midnight(today.next()));
            assert!(start < end, "{today}");
            for instant in [start, start / 2 + end / 2, end - 1] {
                assert_eq!(zones.day_at(instant).unwrap(), today);
            }
            today = today.next();
        }
    }

    #[test]
    fn a_change_that_leaves_a_day_no_time_is_refused() {
        let zones = Zones::from(zone("Etc/GMT+12"));
        let refused = zones.with(change("2026-06-12", "Pacific/Kiritimati"));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "2026-06-12 cannot be the first day of Pacific/Kiritimati: it would begin at 2026-06-11T10:00:00Z, and the \
             days around it at 2026-06-11T12:00:00Z and 2026-06-12T10:00:00Z"
        );
    }
}
