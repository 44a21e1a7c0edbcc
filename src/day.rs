//! A calendar day and a range of them. Says nothing of zones or instants: which moments a day holds is
//! the zone's business. `Day` is the only parser and printer of `YYYY-MM-DD` in the program.

use std::fmt;
use std::str::FromStr;

use time::{Date, Duration};

/// A day of the proleptic Gregorian calendar, from 1970-01-01 to 9999-12-30.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// Why a text is not a day. The message names the text.
#[derive(Debug, PartialEq, Eq)]
pub struct ParseDayError(String);

impl fmt::Display for ParseDayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseDayError {}

impl ParseDayError {
    /// For what is made of days, such as a month. The message names the text.
    pub fn because(message: String) -> ParseDayError {
        ParseDayError(message)
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    /// Takes exactly `YYYY-MM-DD`: ten ASCII characters, a day that exists, 1970 to 9999.
    fn from_str(text: &str) -> Result<Self, ParseDayError> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 10
            && bytes.iter().enumerate().all(|(i, b)| match i {
                4 | 7 => *b == b'-',
                _ => b.is_ascii_digit(),
            });
        if !shaped {
            return Err(ParseDayError(format!(
                "{text:?} is not a day: write YYYY-MM-DD"
            )));
        }
        let number = |range: std::ops::Range<usize>| {
            bytes[range]
                .iter()
                .fold(0u16, |n, b| n * 10 + u16::from(b - b'0'))
        };
        // Two digits fit a byte.
        Day::from_calendar(number(0..4), number(5..7) as u8, number(8..10) as u8)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}",
            date.year(),
            u8::from(date.month()),
            date.day()
        )
    }
}

impl Day {
    /// The first there can be.
    pub const FIRST: Day = Day(time::OffsetDateTime::UNIX_EPOCH.date());

    /// The day of these numbers, if there is one.
    pub fn from_calendar(year: u16, month: u8, day: u8) -> Result<Day, ParseDayError> {
        let date = time::Month::try_from(month)
            .ok()
            .and_then(|month| Date::from_calendar_date(i32::from(year), month, day).ok());
        let wrong = |why| {
            Err(ParseDayError(format!(
                "{year:04}-{month:02}-{day:02} is {why}"
            )))
        };
        match date {
            Some(date) if date.year() >= 1970 && date != Date::MAX => Ok(Day(date)),
            Some(_) => wrong("out of range: days run from 1970-01-01 to 9999-12-30"),
            None => wrong("not a day of the calendar"),
        }
    }

    /// The day that began `days` days after 1970-01-01.
    pub fn from_days_since_1970(days: i64) -> anyhow::Result<Day> {
        let julian = i32::try_from(days + 2_440_588)?;
        Ok(Day(Date::from_julian_day(julian)?))
    }

    /// Whole days since 1970-01-01.
    pub fn days_since_1970(self) -> i64 {
        i64::from(self.0.to_julian_day()) - 2_440_588
    }

    /// To add a time of day to.
    pub fn date(self) -> Date {
        self.0
    }

    /// 1 to 31.
    pub fn day_of_month(self) -> u8 {
        self.0.day()
    }

    /// So many days later, or earlier if the number is negative; never beyond the calendar's ends.
    pub fn plus(self, days: i64) -> Day {
        let days = days.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        Day(self.0.saturating_add(Duration::days(days)))
    }

    /// Days from another day to this one; negative if this is the earlier one.
    pub fn days_since(self, other: Day) -> i64 {
        self.days_since_1970() - other.days_since_1970()
    }

    /// The day after. Parsing keeps every day below the calendar's last, so there is one.
    pub fn next(self) -> Day {
        Day(self
            .0
            .next_day()
            .expect("a parsed day is never the last of the calendar"))
    }

    /// The day before.
    pub fn previous(self) -> Day {
        Day(self
            .0
            .previous_day()
            .expect("a parsed day is never the first of the calendar"))
    }
}

/// Days from `first` to `last`, both inclusive; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    first: Day,
    last: Day,
}

impl DayRange {
    /// Refuses a range whose end is before its start.
    pub fn new(first: Day, last: Day) -> Result<DayRange, ParseDayError> {
        if last < first {
            return Err(ParseDayError(format!(
                "the end {last} is before the start {first}"
            )));
        }
        Ok(DayRange { first, last })
    }

    pub fn first(self) -> Day {
        self.first
    }

    pub fn last(self) -> Day {
        self.last
    }

    /// How many days it has.
    pub fn count_days(self) -> i64 {
        self.last.days_since(self.first) + 1
    }

    pub fn contains(self, day: Day) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// Every day of the range in order.
    pub fn days(self) -> impl DoubleEndedIterator<Item = Day> {
        (0..self.count_days()).map(move |number| self.first.plus(number))
    }
}

impl From<Day> for DayRange {
    fn from(day: Day) -> DayRange {
        DayRange {
            first: day,
            last: day,
        }
    }
}

/// Days in order for a sentence, those that follow one another as a range: `2013-06-01, 2013-06-03..2013-06-09`.
pub fn in_ranges(days: &[Day]) -> String {
    let runs = days.chunk_by(|day, following| day.next() == *following);
    let text = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}..{last}")),
    });
    text.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_prints_as_it_was_written() {
        assert_eq!(day("2013-06-01").to_string(), "2013-06-01");
        assert_eq!(day("2012-02-29").next().to_string(), "2012-03-01");
        assert_eq!(day("2013-01-01").previous().to_string(), "2012-12-31");
    }

    #[test]
    fn days_are_added_and_subtracted() {
        assert_eq!(day("2013-06-01").plus(30), day("2013-07-01"));
        assert_eq!(day("2012-03-01").plus(-1), day("2012-02-29"));
        assert_eq!(day("2013-06-01").plus(i64::MAX).to_string(), "9999-12-31");
        assert_eq!(day("2013-06-01").days_since(day("2013-05-30")), 2);
    }

    #[test]
    fn counts_days_since_1970() {
        assert_eq!(day("1970-01-01").days_since_1970(), 0);
        assert_eq!(day("2013-06-01").days_since_1970(), 15857);
        assert_eq!(Day::from_days_since_1970(15857).unwrap(), day("2013-06-01"));
    }

    #[test]
    fn refuses_what_is_not_a_day() {
        for (text, message) in [
            ("2013-02-30", "2013-02-30 is not a day of the calendar"),
            ("2013-13-01", "2013-13-01 is not a day of the calendar"),
            ("2013-6-1", "\"2013-6-1\" is not a day: write YYYY-MM-DD"),
            ("", "\"\" is not a day: write YYYY-MM-DD"),
            (
                "2013-06-01 ",
                "\"2013-06-01 \" is not a day: write YYYY-MM-DD",
            ),
            (
                "1969-12-31",
                "1969-12-31 is out of range: days run from 1970-01-01 to 9999-12-30",
            ),
            (
                "9999-12-31",
                "9999-12-31 is out of range: days run from 1970-01-01 to 9999-12-30",
            ),
        ] {
            assert_eq!(text.parse::<Day>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn days_that_follow_one_another_are_told_as_a_range() {
        let ranges = |texts: &[&str]| in_ranges(&texts.iter().map(|t| day(t)).collect::<Vec<_>>());
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&["2013-06-01"]), "2013-06-01");
        assert_eq!(
            ranges(&["2013-05-31", "2013-06-01", "2013-06-03", "2013-06-05"]),
            "2013-05-31..2013-06-01, 2013-06-03, 2013-06-05"
        );
    }

    #[test]
    fn a_range_holds_both_its_ends() {
        let range = DayRange::new(day("2013-02-27"), day("2013-03-01")).unwrap();
        let days: Vec<String> = range.days().map(|d| d.to_string()).collect();
        assert_eq!(days, ["2013-02-27", "2013-02-28", "2013-03-01"]);
        assert_eq!(range.count_days(), 3);
        assert!(range.contains(day("2013-02-28")) && !range.contains(day("2013-03-02")));
        let reversed = DayRange::new(day("2013-03-01"), day("2013-02-27")).unwrap_err();
        assert_eq!(
            reversed.to_string(),
            "the end 2013-02-27 is before the start 2013-03-01"
        );
    }
}
