//! The forty days of the sample, the windows CloudStack's usage server cuts them into, and its dates.
//!
//! The local time of Stockholm is worked out here by hand rather than by the program's own zones, so that
//! the sample is an independent check on them: summer time ends on 2026-10-25, which has 25 hours.

use crate::day::{Day, DayRange};
use crate::instant::Utc;

const HOUR: i64 = 3600;

/// A stretch of time in seconds since 1970 UTC, its end not included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    /// What two spans share; `None` if that is nothing.
    pub fn overlap(self, other: Span) -> Option<Span> {
        let from = self.from.max(other.from);
        let to = self.to.min(other.to);
        (from < to).then_some(Span { from, to })
    }

    pub fn seconds(self) -> i64 {
        self.to - self.from
    }
}

/// Every day that the sample has usage for.
pub fn days() -> DayRange {
    DayRange::new(day("2026-09-25"), day("2026-11-03")).expect("September comes before November")
}

/// The day that the usage server wrote twice: its job of the day after began at this day's start again.
pub fn replayed_day() -> Day {
    day("2026-10-14")
}

/// First instant of all the days, and the first one after them.
pub fn whole() -> Span {
    Span {
        from: midnight(days().first()),
        to: midnight(days().last().next()),
    }
}

/// The instant a clock in Stockholm shows this full hour, from April 2026 to the end of the winter after it.
pub fn at(date: &str, hour: i64) -> i64 {
    midnight(day(date)) + hour * HOUR
}

/// First instant of a local day, from April 2026 to the end of the winter after it.
pub fn midnight(local: Day) -> i64 {
    let ahead_of_utc = if local <= day("2026-10-25") { 2 } else { 1 };
    local.days_since_1970() * 24 * HOUR - ahead_of_utc * HOUR
}

/// A local day's windows, oldest first: cut backwards from its end into 24 hours each, what remains comes first.
pub fn windows(local: Day) -> Vec<Span> {
    let start = midnight(local);
    let mut windows = Vec::new();
    let mut to = midnight(local.next());
    while to > start {
        let from = start.max(to - 24 * HOUR);
        windows.push(Span { from, to });
        to = from;
    }
    windows.reverse();
    windows
}

/// An instant as CloudStack stores it: GMT, `YYYY-MM-DD HH:MM:SS`.
pub fn gmt(unix: i64) -> anyhow::Result<String> {
    Ok(Utc::at(unix)?.sql())
}

fn day(text: &str) -> Day {
    text.parse()
        .expect("only days of the calendar are written in the sample")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(local: &str) -> Vec<(String, String)> {
        let text = |span: &Span| (gmt(span.from).unwrap(), gmt(span.to - 1).unwrap());
        windows(day(local)).iter().map(text).collect()
    }

    fn row(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn a_day_is_one_window_and_the_day_of_25_hours_two() {
        assert_eq!(
            dates("2026-10-24"),
            [row("2026-10-23 22:00:00", "2026-10-24 21:59:59")]
        );
        assert_eq!(
            dates("2026-10-25"),
            [
                row("2026-10-24 22:00:00", "2026-10-24 22:59:59"),
                row("2026-10-24 23:00:00", "2026-10-25 22:59:59")
            ]
        );
        assert_eq!(
            dates("2026-10-26"),
            [row("2026-10-25 23:00:00", "2026-10-26 22:59:59")]
        );
    }
}
