//! A document's rows as CSV (RFC 4180, lines ended by a line feed): a header, then the raw values. Nothing is an
//! empty field; lists are joined by blanks.

use std::borrow::Cow;
use std::io::Write;

use super::chart;
use super::document::{Document, Value};

pub fn write(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    write_head(document, out)?;
    write_rows(&document.rows, out)
}

/// The names of the columns.
pub fn write_head(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    let names = document.columns.iter().map(|column| field(column.name));
    write_record(names, out)
}

pub fn write_rows(rows: &[Vec<Value>], out: &mut dyn Write) -> anyhow::Result<()> {
    for row in rows {
        write_record(row.iter().map(raw), out)?;
    }
    Ok(())
}

/// One line of fields that are quoted already.
fn write_record<'a>(
    fields: impl Iterator<Item = Cow<'a, str>>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        out.write_all(field.as_bytes())?;
    }
    out.write_all(b"\n")?;
    Ok(())
}

fn raw(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Nothing => Cow::Borrowed(""),
        Value::Text(text) | Value::Time(text) => field(text),
        Value::State(word, _) => field(word),
        Value::Truth(truth) => Cow::Owned(truth.to_string()),
        Value::Count(number) | Value::Id(number) => Cow::Owned(number.to_string()),
        Value::Quantity(number, _) => Cow::Owned(quantity(*number)),
        Value::Decimal(digits) => Cow::Owned(with_fraction(digits.clone())),
        Value::Objects(several) => field(&several.raw),
        Value::List(texts) => Cow::Owned(field(&texts.join(" ")).into_owned()),
        Value::Chart(heights) => Cow::Owned(chart::line(heights)),
    }
}

/// A quantity as CSV has it, for texts that hold several.
pub fn quantity(number: f64) -> String {
    with_fraction(number.to_string())
}

/// Always with a fraction, `24.0`, so that nobody who guesses types takes a column for one of integers.
fn with_fraction(mut digits: String) -> String {
    if !digits.contains('.') {
        digits.push_str(".0");
    }
    digits
}

/// In quotes where it has to be.
fn field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantity_has_a_fraction_and_no_exponent() {
        for (number, expected) in [
            (24.0, "24.0"),
            (0.0, "0.0"),
            (-4.0, "-4.0"),
            (0.75, "0.75"),
            (1e-7, "0.0000001"),
            (337_407_196_004_352.0, "337407196004352.0"),
            (1e21, "1000000000000000000000.0"),
        ] {
            assert_eq!(quantity(number), expected);
        }
    }
}
