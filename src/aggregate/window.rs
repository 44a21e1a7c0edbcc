//! Where a usage row's window falls: which part of it belongs to one local day. CloudStack cuts windows by
//! elapsed time, not by the calendar, so a window can start a few seconds early, or span a midnight after
//! a DST change in a backlog or when the aggregation range does not divide the day.

use crate::day::Day;
use crate::instant::hours;
use crate::zones::Zones;

/// CloudStack (4.0 to 4.22.1) glues a remainder of up to this many seconds to the piece that follows it.
pub const GLUED_SECONDS: i64 = 60;

/// The instants of one local day: `[start, end)` in seconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayBounds {
    pub start: i64,
    pub end: i64,
}

impl DayBounds {
    /// Of a local day.
    pub fn of(day: Day, zones: &Zones) -> DayBounds {
        DayBounds {
            start: zones.midnight(day),
            end: zones.midnight(day.next()),
        }
    }

    /// 23, 24 or 25 as a rule; whatever the zone says.
    pub fn hours(self) -> f64 {
        hours(self.end - self.start)
    }
}

/// What a day has of a window: the instants `[from, to)`, out of so many seconds that the window lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub from: i64,
    pub to: i64,
    pub of_seconds: i64,
}

impl Part {
    /// What so many seconds are of the window, from 0 to 1. Both spans are far below 2^53 seconds.
    pub fn share(self, seconds: i64) -> f64 {
        seconds as f64 / self.of_seconds as f64
    }
}

/// The part of the window `[start, end)` that belongs to the day, if any. Over all days the parts of a
/// window make up the window.
///
/// A start up to a minute before a local midnight is moved to it when the window goes on after it; a window
/// within one day belongs to it whole; any other is shared by elapsed time.
pub fn part_of_day(
    start: i64,
    end: i64,
    day: DayBounds,
    zone: &Zones,
) -> anyhow::Result<Option<Part>> {
    let start = if start >= day.start && end <= day.end {
        start
    } else {
        let next_midnight = zone.midnight(zone.day_at(start)?.next());
        if next_midnight - start <= GLUED_SECONDS && end > next_midnight {
            next_midnight
        } else {
            start
        }
    };
    let part = Part {
        from: start.max(day.start),
        to: end.min(day.end),
        of_seconds: end - start,
    };
    Ok((part.from < part.to).then_some(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_of_day(start: i64, end: i64, day: DayBounds, zone: &Zones) -> anyhow::Result<f64> {
        let part = part_of_day(start, end, day, zone)?;
        Ok(part.map_or(0.0, |part| part.share(part.to - part.from)))
    }

    fn zone(name: &str) -> Zones {
        Zones::from(crate::zone::Zone::parse(name).unwrap())
    }

    fn bounds(zone: &Zones, day: &str) -> DayBounds {
        let day: Day = day.parse().unwrap();
        DayBounds {
            start: zone.midnight(day),
            end: zone.midnight(day.next()),
        }
    }

    /// 2013-06-10 00:00:00 UTC.
    const TENTH: i64 = 1_370_822_400;

    #[test]
    fn a_window_within_the_day_is_the_days() {
        let gmt = zone("GMT");
        let tenth = bounds(&gmt, "2013-06-10");
        assert_eq!(
            tenth,
            DayBounds {
                start: TENTH,
                end: TENTH + 86_400
            }
        );
        assert_eq!(
            share_of_day(TENTH, TENTH + 86_400, tenth, &gmt).unwrap(),
            1.0
        );
        assert_eq!(
            share_of_day(TENTH + 5, TENTH + 6, tenth, &gmt).unwrap(),
            1.0
        );
    }

    #[test]
    fn a_start_up_to_a_minute_early_is_glued_to_the_next_day() {
        let gmt = zone("GMT");
        let (ninth, tenth) = (bounds(&gmt, "2013-06-09"), bounds(&gmt, "2013-06-10"));
        for early in [1, 2, 60] {
            assert_eq!(
                share_of_day(TENTH - early, TENTH + 86_400, tenth, &gmt).unwrap(),
                1.0
            );
            assert_eq!(
                share_of_day(TENTH - early, TENTH + 86_400, ninth, &gmt).unwrap(),
                0.0
            );
        }
        // Sixty-one seconds are shared: 61 of 86,461.
        assert_eq!(
            share_of_day(TENTH - 61, TENTH + 86_400, ninth, &gmt).unwrap(),
            61.0 / 86_461.0
        );
        assert_eq!(
            share_of_day(TENTH - 61, TENTH + 86_400, tenth, &gmt).unwrap(),
            86_400.0 / 86_461.0
        );
        // A window that ends at midnight stays where it is, however short.
        assert_eq!(share_of_day(TENTH - 30, TENTH, ninth, &gmt).unwrap(), 1.0);
        assert_eq!(share_of_day(TENTH - 30, TENTH, tenth, &gmt).unwrap(), 0.0);
    }

    #[test]
    fn a_window_over_midnight_is_shared_by_elapsed_time() {
        let gmt = zone("GMT");
        // 20:00:03 to 06:00:03, as an aggregation range of 600 minutes gives: 4 h less 3 s, then 6 h and 3 s.
        let (start, end) = (TENTH - 4 * 3600 + 3, TENTH + 6 * 3600 + 3);
        let first = share_of_day(start, end, bounds(&gmt, "2013-06-09"), &gmt).unwrap();
        let second = share_of_day(start, end, bounds(&gmt, "2013-06-10"), &gmt).unwrap();
        assert_eq!(first, 14_397.0 / 36_000.0);
        assert_eq!(second, 21_603.0 / 36_000.0);
    }

    #[test]
    fn a_backlog_over_the_autumn_change_gives_24_25_and_24_hours() {
        let stockholm = zone("Europe/Stockholm");
        // Local 2013-10-26, -27 (25 h) and -28, cut backwards from the end of the 28th in 24 h pieces:
        // the first piece is the hour that remains.
        let end = bounds(&stockholm, "2013-10-28").end;
        let start = bounds(&stockholm, "2013-10-26").start;
        assert_eq!((end - start) / 3600, 73);
        let pieces = [
            (start, start + 3600),
            (start + 3600, start + 25 * 3600),
            (start + 25 * 3600, start + 49 * 3600),
            (start + 49 * 3600, end),
        ];
        let hours_of = |day: &str| -> f64 {
            let day = bounds(&stockholm, day);
            pieces
                .iter()
                .map(|&(s, e)| hours(e - s) * share_of_day(s, e, day, &stockholm).unwrap())
                .sum()
        };
        assert_eq!(
            [
                hours_of("2013-10-26"),
                hours_of("2013-10-27"),
                hours_of("2013-10-28")
            ],
            [24.0, 25.0, 24.0]
        );
    }

    #[test]
    fn a_window_longer_than_the_day_gives_it_its_part() {
        let gmt = zone("GMT");
        let tenth = bounds(&gmt, "2013-06-10");
        assert_eq!(
            share_of_day(TENTH - 86_400, TENTH + 2 * 86_400, tenth, &gmt).unwrap(),
            1.0 / 3.0
        );
    }
}
