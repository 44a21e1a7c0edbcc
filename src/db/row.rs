//! Rows of a result, and how their columns become values of the program.

use anyhow::{Context, anyhow};
use mysql::consts::ColumnType;
use rusqlite::types::ValueRef;

use super::field::Field;
use crate::day::Day;
use crate::instant::Utc;

/// A row as its driver has it.
pub enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Mysql(&'a mysql::Row),
}

impl Row<'_> {
    /// The value of a column by its place in the select list.
    pub fn field(&self, column: usize) -> anyhow::Result<Field<'_>> {
        match self {
            Row::Sqlite(row) => sqlite_field(row, column),
            Row::Mysql(row) => mysql_field(row, column),
        }
    }

    /// The value as a `T`; the error names the column by its place.
    pub fn get<'a, T: FromField<'a>>(&'a self, column: usize) -> anyhow::Result<T> {
        T::from_field(self.field(column)?).with_context(|| format!("column {column}"))
    }
}

/// Whether more rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    More,
    NoMore,
}

/// What a column can be read as. Nothing is guessed: a text is no number, and no number a text.
pub trait FromField<'a>: Sized {
    fn from_field(field: Field<'a>) -> anyhow::Result<Self>;
}

impl FromField<'_> for i64 {
    fn from_field(field: Field) -> anyhow::Result<i64> {
        match field {
            Field::Integer(number) => Ok(number),
            Field::Unsigned(number) => Ok(i64::try_from(number)?),
            other => anyhow::bail!("{other:?} instead of a whole number"),
        }
    }
}

impl FromField<'_> for u64 {
    fn from_field(field: Field) -> anyhow::Result<u64> {
        match field {
            Field::Integer(number) => u64::try_from(number).context("a negative number"),
            Field::Unsigned(number) => Ok(number),
            other => anyhow::bail!("{other:?} instead of a whole number"),
        }
    }
}

impl FromField<'_> for u32 {
    fn from_field(field: Field) -> anyhow::Result<u32> {
        Ok(u32::try_from(u64::from_field(field)?)?)
    }
}

impl FromField<'_> for bool {
    fn from_field(field: Field) -> anyhow::Result<bool> {
        i64::from_field(field).map(|number| number != 0)
    }
}

impl FromField<'_> for f64 {
    fn from_field(field: Field) -> anyhow::Result<f64> {
        match field {
            Field::Real(number) => Ok(number),
            // What SQLite makes of `coalesce(sum(part), 0)`.
            Field::Integer(number) => Ok(number as f64),
            other => anyhow::bail!("{other:?} instead of a number"),
        }
    }
}

impl<'a> FromField<'a> for &'a str {
    fn from_field(field: Field<'a>) -> anyhow::Result<&'a str> {
        match field {
            Field::Text(text) => Ok(std::str::from_utf8(text)?),
            other => anyhow::bail!("{other:?} instead of a text"),
        }
    }
}

impl FromField<'_> for String {
    fn from_field(field: Field) -> anyhow::Result<String> {
        <&str>::from_field(field).map(str::to_owned)
    }
}

impl FromField<'_> for Day {
    fn from_field(field: Field) -> anyhow::Result<Day> {
        Ok(<&str>::from_field(field)?.parse()?)
    }
}

impl<'a, T: FromField<'a>> FromField<'a> for Option<T> {
    fn from_field(field: Field<'a>) -> anyhow::Result<Option<T>> {
        match field {
            Field::Null => Ok(None),
            some => T::from_field(some).map(Some),
        }
    }
}

fn sqlite_field<'a>(row: &'a rusqlite::Row, column: usize) -> anyhow::Result<Field<'a>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Field::Null,
        ValueRef::Integer(number) => Field::Integer(number),
        ValueRef::Real(number) => Field::Real(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => Field::Text(text),
    })
}

fn mysql_field(row: &mysql::Row, column: usize) -> anyhow::Result<Field<'_>> {
    let value = row
        .as_ref(column)
        .ok_or_else(|| anyhow!("the server left out column {column}"))?;
    Ok(match value {
        mysql::Value::NULL => Field::Null,
        mysql::Value::Bytes(bytes) if is_decimal(row, column) => decimal(bytes)?,
        mysql::Value::Bytes(bytes) => Field::Text(bytes),
        mysql::Value::Int(number) => Field::Integer(*number),
        mysql::Value::UInt(number) => Field::Unsigned(*number),
        mysql::Value::Float(number) => Field::Real(f64::from(*number)),
        mysql::Value::Double(number) => Field::Real(*number),
        mysql::Value::Date(year, month, day, hour, minute, second, _) => {
            let day = Day::from_calendar(*year, *month, *day)?;
            let moment = Utc::of_parts(day, *hour, *minute, *second);
            Field::Moment(moment.context("no such time of day")?.unix())
        }
        mysql::Value::Time(..) => anyhow::bail!("a time of day instead of a value"),
    })
}

/// Sums of whole numbers and `raw_usage` are decimals, which come as text.
fn is_decimal(row: &mysql::Row, column: usize) -> bool {
    let columns = row.columns_ref();
    let kind = columns.get(column).map(|column| column.column_type());
    kind == Some(ColumnType::MYSQL_TYPE_NEWDECIMAL)
}

fn decimal(text: &[u8]) -> anyhow::Result<Field<'_>> {
    let text = std::str::from_utf8(text)?;
    Ok(match text.parse() {
        Ok(number) => Field::Integer(number),
        Err(_) if text.contains('.') => Field::Real(text.parse()?),
        Err(_) => Field::Text(text.as_bytes()),
    })
}
