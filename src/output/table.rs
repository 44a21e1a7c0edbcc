//! A document as a table for people: aligned columns, numbers to the right, colours where they can be seen.
//! Names come from customers, so nothing in them reaches a terminal as a command.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use super::unit::{readable, with_thousands};
use super::{Document, Tone, Value};

/// Between two columns.
const GAP: &str = "  ";

pub fn write(document: &Document, colour: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if !document.title.is_empty() {
        writeln!(out, "{}", printable(&document.title))?;
    }
    if !document.rows.is_empty() {
        if !document.title.is_empty() {
            writeln!(out)?;
        }
        write_rows(document, colour, out)?;
    }
    if !document.notes.is_empty() {
        writeln!(out)?;
    }
    for note in &document.notes {
        writeln!(out, "{}", printable(note))?;
    }
    Ok(())
}

fn write_rows(document: &Document, colour: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let columns = document.columns.iter().enumerate();
    let shown: Vec<(usize, &str)> = columns
        .filter_map(|(place, column)| column.heading.map(|heading| (place, heading)))
        .collect();
    let rows: Vec<Vec<String>> = document
        .rows
        .iter()
        .map(|row| shown.iter().map(|(place, _)| cell(&row[*place])).collect())
        .collect();
    let widths: Vec<usize> = (0..shown.len())
        .map(|at| {
            let cells = rows.iter().map(|row| row[at].width());
            cells.max().unwrap_or(0).max(shown[at].1.width())
        })
        .collect();
    let numbers: Vec<bool> = shown
        .iter()
        .map(|(place, _)| document.rows.iter().any(|row| is_number(&row[*place])))
        .collect();
    let mut heading = String::new();
    for (at, (_, name)) in shown.iter().enumerate() {
        push(&mut heading, name, widths[at], numbers[at], None);
    }
    writeln!(out, "{}", heading.trim_end())?;
    for (row, values) in rows.iter().zip(&document.rows) {
        let mut line = String::new();
        for (at, (place, _)) in shown.iter().enumerate() {
            let painted = colour.then(|| colour_of(&values[*place])).flatten();
            push(&mut line, &row[at], widths[at], numbers[at], painted);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Adds a cell to a line, in its colour, with the blanks that its column wants.
fn push(line: &mut String, cell: &str, width: usize, right: bool, colour: Option<&str>) {
    if !line.is_empty() {
        line.push_str(GAP);
    }
    let blanks = " ".repeat(width - cell.width());
    if right {
        line.push_str(&blanks);
    }
    match colour {
        Some(colour) => *line += &format!("{colour}{cell}\u{1b}[0m"),
        None => line.push_str(cell),
    }
    if !right {
        line.push_str(&blanks);
    }
}

fn is_number(value: &Value) -> bool {
    match value {
        Value::Count(_) | Value::Quantity(..) => true,
        Value::Nothing | Value::Text(_) | Value::State(..) | Value::Truth(_) | Value::List(_) => {
            false
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Nothing => "–".to_owned(),
        Value::Text(text) => printable(text),
        Value::State(word, _) => (*word).to_owned(),
        Value::Truth(true) => "yes".to_owned(),
        Value::Truth(false) => "no".to_owned(),
        Value::Count(count) => with_thousands(&count.to_string()),
        Value::Quantity(number, unit) => readable(*number, *unit),
        Value::List(texts) => printable(&texts.join(" ")),
    }
}

fn colour_of(value: &Value) -> Option<&'static str> {
    match value {
        Value::State(_, tone) => match tone {
            Tone::Plain => None,
            Tone::Good => Some("\u{1b}[32m"),
            Tone::Doubtful => Some("\u{1b}[33m"),
            Tone::Bad => Some("\u{1b}[31m"),
        },
        Value::Nothing
        | Value::Text(_)
        | Value::Truth(_)
        | Value::Count(_)
        | Value::Quantity(..)
        | Value::List(_) => None,
    }
}

/// Control characters move cursors and end lines; a mark stands in their place.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
