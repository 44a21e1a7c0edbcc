//! A document as one JSON object, a row a line, so that it can be read by people and by `grep` as well. Keys
//! come in the order of the columns.

use std::io::Write;

use super::{Document, Value};

pub fn write(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{{")?;
    for (name, value) in &document.facts {
        writeln!(out, "  {}: {},", quoted(name)?, literal(value)?)?;
    }
    write!(out, "  {}: [", quoted(document.rows_name)?)?;
    for (place, row) in document.rows.iter().enumerate() {
        write!(out, "{}\n    {{", if place == 0 { "" } else { "," })?;
        for (place, (column, value)) in document.columns.iter().zip(row).enumerate() {
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
    let end = if document.rows.is_empty() { "" } else { "\n  " };
    writeln!(out, "{end}]\n}}")?;
    Ok(())
}

fn literal(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::Nothing => "null".to_owned(),
        Value::Text(text) => quoted(text)?,
        Value::State(word, _) => quoted(word)?,
        Value::Truth(truth) => truth.to_string(),
        Value::Count(number) | Value::Id(number) => number.to_string(),
        Value::Quantity(number, _) => serde_json::to_string(number)?,
        Value::List(texts) => serde_json::to_string(texts)?,
    })
}

fn quoted(text: &str) -> anyhow::Result<String> {
    Ok(serde_json::to_string(text)?)
}
