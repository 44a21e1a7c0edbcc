//! Local midnights of the four zones. The changes of 2025 are written down by hand rather than asked of a
//! library, so that a mistake in the program's zone code cannot hide.

use time::{Date, Month, OffsetDateTime};

use super::{DAY, SECOND};

/// A zone whose local midnights are known throughout 2025.
#[derive(Debug)]
pub struct Zone {
    pub name: &'static str,
    /// From this local day on, local midnight is this many seconds ahead of GMT's. A change of clocks
    /// happens after midnight, so the new offset first shows at the midnight of the following day.
    offsets: &'static [(&'static str, i64)],
}

pub const GMT: Zone = Zone {
    name: "GMT",
    offsets: &[("2025-01-01", 0)],
};

/// Clocks go forward on 2025-03-30 (23 hours) and back on 2025-10-26 (25 hours).
pub const STOCKHOLM: Zone = Zone {
    name: "Europe/Stockholm",
    offsets: &[
        ("2025-01-01", 3_600),
        ("2025-03-31", 7_200),
        ("2025-10-27", 3_600),
    ],
};

/// Clocks go forward on 2025-03-09 (23 hours) and back on 2025-11-02 (25 hours).
pub const NEW_YORK: Zone = Zone {
    name: "America/New_York",
    offsets: &[
        ("2025-01-01", -18_000),
        ("2025-03-10", -14_400),
        ("2025-11-03", -18_000),
    ],
};

pub const KOLKATA: Zone = Zone {
    name: "Asia/Kolkata",
    offsets: &[("2025-01-01", 19_800)],
};

impl Zone {
    /// First instant of a local day, given as `YYYY-MM-DD`.
    pub fn midnight(&self, day: &str) -> i64 {
        // Days written like this sort as their dates do.
        let (_, ahead) = self
            .offsets
            .iter()
            .rev()
            .find(|(since, _)| *since <= day)
            .expect("a day of 2025 or later");
        number_of(day) * DAY - ahead * SECOND
    }

    /// `count` local days from `first` on, each with its first instant and the next day's.
    pub fn days(&self, first: &str, count: i64) -> Vec<LocalDay> {
        (0..count)
            .map(|n| {
                let day = plus(first, n);
                LocalDay {
                    begins: self.midnight(&day),
                    ends: self.midnight(&plus(first, n + 1)),
                    day,
                }
            })
            .collect()
    }
}

/// A local day: the instants from `begins` up to, but not including, `ends`.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalDay {
    pub day: String,
    pub begins: i64,
    pub ends: i64,
}

/// The day `days` after another, both `YYYY-MM-DD`.
pub fn plus(day: &str, days: i64) -> String {
    stored((number_of(day) + days) * DAY)[..10].to_owned()
}

/// An instant as a DATETIME in GMT, the milliseconds cut off as the usage server cuts them.
pub fn stored(instant: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(instant.div_euclid(SECOND)).expect("an instant");
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", at.date())
}

/// Days since 1970-01-01.
fn number_of(day: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| day[range].parse::<u16>().expect("a number");
    let month = Month::try_from(u8::try_from(part(5..7)).unwrap()).unwrap();
    let date = Date::from_calendar_date(
        i32::from(part(0..4)),
        month,
        u8::try_from(part(8..10)).unwrap(),
    );
    i64::from(date.expect("a day").to_julian_day()) - 2_440_588
}

#[test]
fn local_days_of_2025_have_their_lengths() {
    let hours = |zone: &Zone, first: &str| -> Vec<i64> {
        let days = zone.days(first, 3);
        days.iter()
            .map(|d| (d.ends - d.begins) / 3_600_000)
            .collect()
    };
    assert_eq!(hours(&STOCKHOLM, "2025-03-29"), [24, 23, 24]);
    assert_eq!(hours(&STOCKHOLM, "2025-10-25"), [24, 25, 24]);
    assert_eq!(hours(&NEW_YORK, "2025-03-08"), [24, 23, 24]);
    assert_eq!(hours(&NEW_YORK, "2025-11-01"), [24, 25, 24]);
    assert_eq!(hours(&KOLKATA, "2025-10-25"), [24, 24, 24]);
    assert_eq!(
        stored(STOCKHOLM.midnight("2025-06-10")),
        "2025-06-09 22:00:00"
    );
    assert_eq!(
        stored(KOLKATA.midnight("2025-06-10")),
        "2025-06-09 18:30:00"
    );
    assert_eq!(
        stored(NEW_YORK.midnight("2025-12-31")),
        "2025-12-31 05:00:00"
    );
}
