//! A document as one JSON object, a row a line, so that it can be read by people and by `grep` as well. Keys
//! come in the order of the columns.

use std::io::Write;

use super::chart;
use super::document::{Column, Document, Value};

pub fn write(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    write_head(document, out)?;
    write_rows(&document.columns, &document.rows, true, out)?;
    write_end(document.rows.is_empty(), out)
}

/// All that comes before the rows.
pub fn write_head(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{{")?;
    for (name, value) in &document.facts {
        writeln!(out, "  {}: {},", quoted(name)?, literal(value)?)?;
    }
    write!(out, "  {}: [", quoted(document.rows_name)?)?;
    Ok(())
}

/// Some of the rows; `first` if there were none before.
pub fn write_rows(
    columns: &[Column],
    rows: &[Vec<Value>],
    first: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for (place, row) in rows.iter().enumerate() {
        let separator = if first && place == 0 { "" } else { "," };
        write!(out, "{separator}\n    {{")?;
        for (place, (column, value)) in columns.iter().zip(row).enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(
                out,
                "{separator}{}: {}",
                quoted(column.name)?,
                literal(value)?
            )?;
        }
        write!(out, "}}")?;
    }
    Ok(())
}

/// All that comes after the rows.
pub fn write_end(no_rows: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let end = if no_rows { "" } else { "\n  " };
    writeln!(out, "{end}]\n}}")?;
    Ok(())
}

fn literal(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::Nothing => "null".to_owned(),
        Value::Text(text) | Value::Time(text) | Value::Decimal(text) => quoted(text)?,
        Value::State(word, _) => quoted(word)?,
        Value::Truth(truth) => truth.to_string(),
        Value::Count(number) | Value::Id(number) => number.to_string(),
        Value::Quantity(number, _) => serde_json::to_string(number)?,
        Value::List(texts) => serde_json::to_string(texts)?,
        Value::Objects(several) => {
            let objects = several.objects.iter().map(|keys| object(keys));
            let objects = objects.collect::<anyhow::Result<Vec<String>>>()?;
            format!("[{}]", objects.join(", "))
        }
        Value::Chart(heights) => quoted(&chart::line(heights))?,
    })
}

fn object(keys: &[(&'static str, Value)]) -> anyhow::Result<String> {
    let keys = keys.iter().map(|(name, value)| {
        let (name, value) = (quoted(name)?, literal(value)?);
        Ok(format!("{name}: {value}"))
    });
    let keys = keys.collect::<anyhow::Result<Vec<String>>>()?;
    Ok(format!("{{{}}}", keys.join(", ")))
}

fn quoted(text: &str) -> anyhow::Result<String> {
    Ok(serde_json::to_string(text)?)
}
