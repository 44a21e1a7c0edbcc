//! Periods as people write them: a month, `yesterday`, the last seven days. Pure: what they mean is worked out
//! from the text and the day that it is today, and is always a range of days.

use std::str::FromStr;

use crate::day::{Day, DayRange, ParseDayError};
use crate::month::Month;

/// A number of days back from yesterday, `7d` or `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastDays {
    days: u16,
}

/// Days in any of the ways they can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Today,
    Yesterday,
    /// From its first day to today.
    ThisMonth,
    LastMonth,
    Month(Month),
    Last(LastDays),
    Days(DayRange),
}

/// What a period looks like, for messages and help texts.
const FORMS: &str = "a day, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month";

/// The longest `--last`, about ten years.
const MOST_DAYS: u16 = 3660;

impl FromStr for LastDays {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<LastDays, ParseDayError> {
        let counted = [("d", 1), ("w", 7)].into_iter().find_map(|(unit, days)| {
            let number = text.strip_suffix(unit)?;
            let digits = number.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| number.parse::<u16>().ok()?.checked_mul(days))?
        });
        match counted {
            Some(days @ 1..=MOST_DAYS) => Ok(LastDays { days }),
            _ => Err(ParseDayError::because(format!(
                "{text:?} is not a number of days: write 1d to {MOST_DAYS}d, or weeks such as 2w"
            ))),
        }
    }
}

impl LastDays {
    /// The days that end with the one before today.
    pub fn days(self, today: Day) -> DayRange {
        let first = today.plus(-i64::from(self.days));
        DayRange::new(first, today.previous()).expect("the first is not after the last")
    }
}

impl FromStr for Period {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Period, ParseDayError> {
        match text {
            "today" => return Ok(Period::Today),
            "yesterday" => return Ok(Period::Yesterday),
            "this-month" => return Ok(Period::ThisMonth),
            "last-month" => return Ok(Period::LastMonth),
            _ => {}
        }
        if let Some((first, last)) = text.split_once("..") {
            return Ok(Period::Days(DayRange::new(first.parse()?, last.parse()?)?));
        }
        let is_number = text.starts_with(|c: char| c.is_ascii_digit());
        if text.ends_with(['d', 'w']) && is_number {
            return Ok(Period::Last(text.parse()?));
        }
        match text.bytes().filter(|b| *b == b'-').count() {
            1 if is_number => Ok(Period::Month(text.parse()?)),
            2 if is_number => Ok(Period::Days(text.parse::<Day>()?.into())),
            _ => Err(ParseDayError::because(format!(
                "{text:?} is not a period: write {FORMS}"
            ))),
        }
    }
}

impl Period {
    /// The days it means when it is today.
    pub fn days(self, today: Day) -> DayRange {
        match self {
            Period::Today => today.into(),
            Period::Yesterday => today.previous().into(),
            Period::ThisMonth => DayRange::new(Month::of(today).first_day(), today)
                .expect("a month begins before its days"),
            Period::LastMonth => Month::of(today).previous().days(),
            Period::Month(month) => month.days(),
            Period::Last(last) => last.days(today),
            Period::Days(range) => range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(text: &str, today: &str) -> String {
        let range = text.parse::<Period>().unwrap().days(today.parse().unwrap());
        format!("{} {}", range.first(), range.last())
    }

    #[test]
    fn a_period_is_a_range_of_days() {
        for (text, today, expected) in [
            ("today", "2013-06-15", "2013-06-15 2013-06-15"),
            ("yesterday", "2013-06-01", "2013-05-31 2013-05-31"),
            ("this-month", "2013-06-15", "2013-06-01 2013-06-15"),
            ("this-month", "2013-06-01", "2013-06-01 2013-06-01"),
            ("last-month", "2013-06-15", "2013-05-01 2013-05-31"),
            ("last-month", "2013-01-31", "2012-12-01 2012-12-31"),
            ("last-month", "2012-03-31", "2012-02-01 2012-02-29"),
            ("2013-12", "2013-06-15", "2013-12-01 2013-12-31"),
            ("2013-02", "2013-06-15", "2013-02-01 2013-02-28"),
            ("7d", "2013-06-15", "2013-06-08 2013-06-14"),
            ("1d", "2013-06-15", "2013-06-14 2013-06-14"),
            ("2w", "2013-06-15", "2013-06-01 2013-06-14"),
            ("2013-06-05", "2013-06-15", "2013-06-05 2013-06-05"),
            (
                "2013-05-31..2013-06-02",
                "2013-06-15",
                "2013-05-31 2013-06-02",
            ),
        ] {
            assert_eq!(days(text, today), expected, "{text} on {today}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_period() {
        for (text, message) in [
            (
                "",
                "\"\" is not a period: write a day, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month",
            ),
            (
                "tomorrow",
                "\"tomorrow\" is not a period: write a day, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month",
            ),
            (
                "next-month",
                "\"next-month\" is not a period: write a day, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month",
            ),
            (
                "0d",
                "\"0d\" is not a number of days: write 1d to 3660d, or weeks such as 2w",
            ),
            (
                "3661d",
                "\"3661d\" is not a number of days: write 1d to 3660d, or weeks such as 2w",
            ),
            (
                "99999w",
                "\"99999w\" is not a number of days: write 1d to 3660d, or weeks such as 2w",
            ),
            (
                "9999w",
                "\"9999w\" is not a number of days: write 1d to 3660d, or weeks such as 2w",
            ),
            (
                "1+d",
                "\"1+d\" is not a number of days: write 1d to 3660d, or weeks such as 2w",
            ),
            ("2013-13", "\"2013-13\" is not a month: write YYYY-MM"),
            ("2013-6", "\"2013-6\" is not a month: write YYYY-MM"),
            (
                "9999-12",
                "9999-12 is out of range: months run from 1970-01 to 9999-11",
            ),
            ("2013-06-31", "2013-06-31 is not a day of the calendar"),
            (
                "2013-06-02..2013-06-01",
                "the end 2013-06-01 is before the start 2013-06-02",
            ),
            ("2013-06-02..", "\"\" is not a day: write YYYY-MM-DD"),
        ] {
            assert_eq!(text.parse::<Period>().unwrap_err().to_string(), message);
        }
    }
}
