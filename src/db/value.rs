//! Values that go into a statement in place of its names.

use std::borrow::Cow;

use crate::day::Day;

/// One value, borrowed where that is possible.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue<'a> {
    Null,
    Integer(i64),
    /// An error beyond 2^63 - 1 in SQLite, which has no such numbers.
    Unsigned(u64),
    Real(f64),
    Text(Cow<'a, str>),
    /// An instant, in seconds since 1970 UTC, as the databases of CloudStack have it: `YYYY-MM-DD HH:MM:SS`.
    Moment(i64),
    /// For `in rarray(:ids)` of SQLite.
    Ids(&'a [i64]),
}

/// What the names in a statement stand for, each with its colon.
pub type Params<'a> = &'a [(&'a str, SqlValue<'a>)];

/// Names and values for a statement: `params! {":day": day, ":now": now}`.
#[macro_export]
macro_rules! params {
    ($($name:literal: $value:expr),* $(,)?) => {
        &[$(($name, ($value).into())),*]
    };
}
pub use params;

impl<'a> From<&'a str> for SqlValue<'a> {
    fn from(text: &'a str) -> SqlValue<'a> {
        SqlValue::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for SqlValue<'a> {
    fn from(text: &'a String) -> SqlValue<'a> {
        SqlValue::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<Cow<'a, str>> for SqlValue<'a> {
    fn from(text: Cow<'a, str>) -> SqlValue<'a> {
        SqlValue::Text(text)
    }
}

impl From<String> for SqlValue<'_> {
    fn from(text: String) -> Self {
        SqlValue::Text(Cow::Owned(text))
    }
}

/// `YYYY-MM-DD`.
impl From<Day> for SqlValue<'_> {
    fn from(day: Day) -> Self {
        SqlValue::from(day.to_string())
    }
}

impl From<i64> for SqlValue<'_> {
    fn from(number: i64) -> Self {
        SqlValue::Integer(number)
    }
}

impl From<u32> for SqlValue<'_> {
    fn from(number: u32) -> Self {
        SqlValue::Integer(i64::from(number))
    }
}

impl From<u64> for SqlValue<'_> {
    fn from(number: u64) -> Self {
        SqlValue::Unsigned(number)
    }
}

impl From<bool> for SqlValue<'_> {
    fn from(is: bool) -> Self {
        SqlValue::Integer(i64::from(is))
    }
}

impl From<f64> for SqlValue<'_> {
    fn from(number: f64) -> Self {
        SqlValue::Real(number)
    }
}

impl<'a> From<&'a [i64]> for SqlValue<'a> {
    fn from(ids: &'a [i64]) -> SqlValue<'a> {
        SqlValue::Ids(ids)
    }
}

impl<'a, T: Into<SqlValue<'a>>> From<Option<T>> for SqlValue<'a> {
    fn from(value: Option<T>) -> SqlValue<'a> {
        value.map_or(SqlValue::Null, T::into)
    }
}
