//! A month of the calendar, and a range of days cut into the months it touches.

use std::fmt;
use std::str::FromStr;

use crate::day::{Day, DayRange, ParseDayError};

/// A month of the calendar, `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Day,
}

impl Month {
    /// The month that a day is in.
    pub fn of(day: Day) -> Month {
        Month {
            first: day.plus(1 - i64::from(day.day_of_month())),
        }
    }

    pub fn first_day(self) -> Day {
        self.first
    }

    pub fn next(self) -> Month {
        // No month has more than 31 days, and every one has more than 4.
        Month::of(self.first.plus(31))
    }

    pub fn previous(self) -> Month {
        Month::of(self.first.previous())
    }

    pub fn days(self) -> DayRange {
        let date = self.first.date();
        let length = date.month().length(date.year());
        let last = self.first.plus(i64::from(length) - 1);
        DayRange::new(self.first, last).expect("a month ends after it began")
    }
}

/// Cuts a range of days at the ends of its months: each month in order, with the days that the range has of it.
pub fn months_of(range: DayRange) -> impl Iterator<Item = (Month, DayRange)> {
    let first = Month::of(range.first());
    let months = std::iter::successors(Some(first), move |month| {
        (month.days().last() < range.last()).then(|| month.next())
    });
    months.map(move |month| {
        let days = month.days();
        let (first, last) = (
            days.first().max(range.first()),
            days.last().min(range.last()),
        );
        let days = DayRange::new(first, last).expect("the range touches the month");
        (month, days)
    })
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.first.to_string();
        f.write_str(&day[..7])
    }
}

impl FromStr for Month {
    type Err = ParseDayError;

    /// Takes exactly `YYYY-MM`, 1970-01 to 9999-11.
    fn from_str(text: &str) -> Result<Month, ParseDayError> {
        let first = format!("{text}-01").parse::<Day>().map_err(|_| {
            ParseDayError::because(format!("{text:?} is not a month: write YYYY-MM"))
        })?;
        if text == "9999-12" {
            let why = "9999-12 is out of range: months run from 1970-01 to 9999-11";
            return Err(ParseDayError::because(why.to_owned()));
        }
        Ok(Month { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_one_another() {
        let mut month: Month = "2011-12".parse().unwrap();
        let mut lengths = Vec::new();
        for _ in 0..13 {
            lengths.push(month.days().days().count());
            assert_eq!(month.next().previous(), month);
            month = month.next();
        }
        assert_eq!(
            lengths,
            [31, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        );
        assert_eq!(month.to_string(), "2013-01");
        assert_eq!(
            "9999-11".parse::<Month>().unwrap().days().days().count(),
            30
        );
    }

    #[test]
    fn a_range_is_cut_at_the_ends_of_its_months() {
        let cut = |first: &str, last: &str| -> Vec<String> {
            let range = DayRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap();
            let months = months_of(range);
            months
                .map(|(month, days)| format!("{month}: {}..{}", days.first(), days.last()))
                .collect()
        };
        assert_eq!(
            cut("2011-12-31", "2012-02-29"),
            [
                "2011-12: 2011-12-31..2011-12-31",
                "2012-01: 2012-01-01..2012-01-31",
                "2012-02: 2012-02-01..2012-02-29"
            ]
        );
        assert_eq!(
            cut("2013-06-05", "2013-06-07"),
            ["2013-06: 2013-06-05..2013-06-07"]
        );
        // The last month of the calendar, whose last day cannot be asked for.
        assert_eq!(
            cut("9999-12-01", "9999-12-30"),
            ["9999-12: 9999-12-01..9999-12-30"]
        );
    }
}
