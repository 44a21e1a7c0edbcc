//! Instants: seconds since 1970 UTC, and every way the program reads and prints them. Which day an instant falls on
//! is the zone's business.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{Time, UtcDateTime};

use crate::day::Day;

const LEDGER: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const SQL: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const JSON_LOG: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const COMMON_LOG: StaticFormatDescription =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// An instant in UTC. Its text is the ledger's, `YYYY-MM-DDTHH:MM:SSZ`, which sorts as time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(UtcDateTime);

impl Utc {
    /// Fails beyond the years that a calendar date can have.
    pub fn at(unix: i64) -> anyhow::Result<Utc> {
        let time = UtcDateTime::from_unix_timestamp(unix);
        Ok(Utc(time.with_context(|| {
            format!("{unix} is no instant of the calendar")
        })?))
    }

    /// Keeps fractions of a second, for logs.
    pub fn since_1970(duration: Duration) -> anyhow::Result<Utc> {
        let time = UtcDateTime::UNIX_EPOCH.checked_add(duration.try_into()?);
        Ok(Utc(time.context("an instant beyond the calendar")?))
    }

    /// Takes the parts of a DATETIME; `None` if there is no such time of day.
    pub fn of_parts(day: Day, hour: u8, minute: u8, second: u8) -> Option<Utc> {
        let time = Time::from_hms(hour, minute, second).ok()?;
        Some(Utc(UtcDateTime::new(day.date(), time)))
    }

    /// Reads a DATETIME as MySQL prints it, `YYYY-MM-DD HH:MM:SS`, with or without a fraction, which is dropped.
    /// A `T` in the middle is an error: snapshots are searched by text, where it sorts behind every time of its day.
    pub fn from_sql(text: &[u8]) -> anyhow::Result<Utc> {
        let seconds = match text.split_at_checked(19) {
            Some((seconds, [] | [b'.', ..])) => parse(seconds, b"0000-00-00 00:00:00"),
            Some(_) | None => None,
        };
        seconds
            .with_context(|| format!("{:?} is not a date and time", String::from_utf8_lossy(text)))
    }

    /// Whole seconds since 1970 UTC.
    pub fn unix(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// A DATETIME as MySQL prints it.
    pub fn sql(self) -> String {
        self.print(&SQL)
    }

    /// To the millisecond, for a log of JSON lines.
    pub fn json_log(self) -> String {
        self.print(&JSON_LOG)
    }

    /// The date of the Common Log Format, without its brackets.
    pub fn common_log(self) -> String {
        self.print(&COMMON_LOG)
    }

    fn print(self, format: &StaticFormatDescription) -> String {
        let text = self.0.format(format);
        text.expect("a date and time has every part of the formats above")
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print(&LEDGER))
    }
}

impl FromStr for Utc {
    type Err = anyhow::Error;

    /// Takes exactly what `Display` prints, from 1970 on.
    fn from_str(text: &str) -> anyhow::Result<Utc> {
        parse(text.as_bytes(), b"0000-00-00T00:00:00Z")
            .with_context(|| format!("{text:?} is not a time: write YYYY-MM-DDTHH:MM:SSZ"))
    }
}

/// Reads digits where the shape has zeros; every other byte must be the shape's. By hand, because an import from a
/// SQLite snapshot reads two of them a row: `time`'s own parser takes five times as long.
fn parse<const N: usize>(text: &[u8], shape: &[u8; N]) -> Option<Utc> {
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    if text.len() != N || !text.iter().zip(shape).all(fits) {
        return None;
    }
    let digits = |from: usize, to: usize| {
        let digits = text[from..to].iter();
        digits.fold(0_u16, |number, digit| number * 10 + u16::from(digit - b'0'))
    };
    let two = |at: usize| u8::try_from(digits(at, at + 2)).ok();
    let day = Day::from_calendar(digits(0, 4), two(5)?, two(8)?).ok()?;
    Utc::of_parts(day, two(11)?, two(14)?, two(17)?)
}

/// Whether a text is a day or an instant of UTC. Texts of both forms sort as time does, so they are compared as texts.
pub fn is_day_or_instant(text: &str) -> bool {
    text.parse::<Day>().is_ok() || text.parse::<Utc>().is_ok()
}

/// Hours of a number of seconds. Exact: no span of seconds comes near 2^53.
pub fn hours(seconds: i64) -> f64 {
    seconds as f64 / 3600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-06-01T23:59:59Z.
    const EVENING: i64 = 1_370_131_199;

    #[test]
    fn an_instant_prints_as_the_ledger_mysql_and_logs_write_it() {
        let evening = Utc::at(EVENING).unwrap();
        assert_eq!(evening.to_string(), "2013-06-01T23:59:59Z");
        assert_eq!(evening.sql(), "2013-06-01 23:59:59");
        assert_eq!(evening.common_log(), "01/Jun/2013:23:59:59 +0000");
        let fraction = Utc::since_1970(Duration::new(1_370_131_199, 7_999_999)).unwrap();
        assert_eq!(fraction.json_log(), "2013-06-01T23:59:59.007Z");
        assert!(Utc::at(i64::MAX).is_err());
        assert!(Utc::since_1970(Duration::MAX).is_err());
    }

    #[test]
    fn reads_what_the_ledger_writes_and_nothing_else() {
        let evening: Utc = "2013-06-01T23:59:59Z".parse().unwrap();
        assert_eq!(evening.unix(), EVENING);
        for wrong in [
            "2013-06-01x99?99?99",
            "2013-06-01T23:59:59",
            "2013-06-01T23:59:59z",
            "2013-06-01T23:59:59+02:00",
            "2013-06-01T23:59:60Z",
            "2013-06-01T23:60:00Z",
            "2013-06-01T24:00:00Z",
            "2013-06-01 23:59:59Z",
            "2013-06-01T+1:00:00Z",
            "2013-02-30T00:00:00Z",
            "1969-12-31T00:00:00Z",
            "2013-06-01T0é:00:0Z",
            "2013-06-01",
            "",
        ] {
            let message = wrong.parse::<Utc>().unwrap_err().to_string();
            let expected = format!("{wrong:?} is not a time: write YYYY-MM-DDTHH:MM:SSZ");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn reads_dates_as_mysql_prints_them() {
        for right in ["2013-06-01 23:59:59", "2013-06-01 23:59:59.250"] {
            assert_eq!(Utc::from_sql(right.as_bytes()).unwrap().unix(), EVENING);
        }
        for wrong in [
            "2013-06-01",
            "0000-00-00 00:00:00",
            "2013-06-01 24:00:00",
            "2013-06-01 00:00:00Z",
            "2013-06-01T00:00:00",
            "2013-06-01 +1:00:00",
            "",
        ] {
            let message = Utc::from_sql(wrong.as_bytes()).unwrap_err().to_string();
            assert_eq!(message, format!("{wrong:?} is not a date and time"));
        }
    }

    #[test]
    fn a_day_or_an_instant_bounds_a_list() {
        for right in ["2013-06-01", "2013-06-01T00:00:00Z"] {
            assert!(is_day_or_instant(right), "{right}");
        }
        for wrong in ["", "2013-06", "2013-02-30", "2013-06-01T", "2013-06-0é"] {
            assert!(!is_day_or_instant(wrong), "{wrong}");
        }
    }
}
