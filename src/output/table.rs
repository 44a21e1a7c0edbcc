//! A document as a table for people: aligned columns, numbers to the right, colours where they can be seen.
//! Names come from customers, so nothing in them reaches a terminal as a command.

use std::collections::HashMap;
use std::io::Write;

use unicode_width::UnicodeWidthStr;

use super::document::{Document, Tone, Value};
use super::unit::{readable, with_thousands};
use crate::printable::printable;

/// Between two columns.
const GAP: &str = "  ";

pub fn write(document: &Document, colour: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if !document.title.is_empty() {
        writeln!(out, "{}", printable(&document.title))?;
    }
    let mut above = !document.title.is_empty();
    let mut part = |wanted: bool, out: &mut dyn Write| {
        if wanted && above {
            writeln!(out)?;
        }
        above |= wanted;
        anyhow::Ok(())
    };
    part(!document.picture.is_empty(), out)?;
    for line in &document.picture {
        writeln!(out, "{line}")?;
    }
    // Rows may be for programs alone.
    let shown = document
        .columns
        .iter()
        .any(|column| column.heading.is_some());
    let has_rows = shown && !document.rows.is_empty();
    part(has_rows, out)?;
    if has_rows {
        write_rows(document, colour, out)?;
    }
    part(!document.notes.is_empty(), out)?;
    for note in &document.notes {
        writeln!(out, "{}", printable(note))?;
    }
    Ok(())
}

/// The headings of the columns. Where rows of one name are of several accounts, projects or domains, a column that programs see
/// shows people which is which: the domain, or else the uuid.
fn headings(document: &Document) -> Vec<Option<&'static str>> {
    let columns = &document.columns;
    let mut headings: Vec<_> = columns.iter().map(|column| column.heading).collect();
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    for (name, uuid) in [
        ("account_name", "account_uuid"),
        ("project_name", "project_uuid"),
        ("domain_path", "domain_uuid"),
    ] {
        let (Some(name), Some(uuid)) = (place(name), place(uuid)) else {
            continue;
        };
        if headings[name].is_none() || headings[uuid].is_some() {
            continue;
        }
        if !collide(document, &[name], uuid) {
            continue;
        }
        match place("domain_path") {
            Some(domain) if !collide(document, &[name, domain], uuid) => {
                headings[domain] = headings[domain].or(Some("domain"));
            }
            Some(_) | None => headings[uuid] = Some("uuid"),
        }
    }
    headings
}

/// Whether rows with the same in these columns have several uuids.
fn collide(document: &Document, same: &[usize], uuid: usize) -> bool {
    let mut uuids: HashMap<Vec<String>, &Value> = HashMap::new();
    document.rows.iter().any(|row| {
        let key = same.iter().map(|place| cell(&row[*place])).collect();
        *uuids.entry(key).or_insert(&row[uuid]) != &row[uuid]
    })
}

fn write_rows(document: &Document, colour: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let headings = headings(document);
    let columns = headings.iter().enumerate();
    // A column of nothing but dashes is left out.
    let is_empty = |place: usize| {
        let mut values = document.rows.iter().map(|row| &row[place]);
        values.all(|value| match value {
            Value::Objects(several) => several.objects.is_empty(),
            value => *value == Value::Nothing,
        })
    };
    let shown: Vec<(usize, &str)> = columns
        .filter_map(|(place, heading)| heading.map(|heading| (place, heading)))
        .filter(|(place, _)| !is_empty(*place))
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
        push(
            &mut heading,
            name,
            widths[at],
            numbers[at],
            Tone::Plain,
            false,
        );
    }
    writeln!(out, "{}", heading.trim_end())?;
    for (row, values) in rows.iter().zip(&document.rows) {
        let mut line = String::new();
        for (at, (place, _)) in shown.iter().enumerate() {
            let tone = tone_of(&values[*place]);
            push(&mut line, &row[at], widths[at], numbers[at], tone, colour);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Adds a cell to a line, with the blanks that its column wants.
fn push(line: &mut String, cell: &str, width: usize, right: bool, tone: Tone, colour: bool) {
    if !line.is_empty() {
        line.push_str(GAP);
    }
    let blanks = " ".repeat(width - cell.width());
    if right {
        line.push_str(&blanks);
    }
    line.push_str(&paint(cell, tone, colour));
    if !right {
        line.push_str(&blanks);
    }
}

fn is_number(value: &Value) -> bool {
    match value {
        Value::Count(_) | Value::Id(_) | Value::Quantity(..) | Value::Decimal(_) => true,
        Value::Nothing
        | Value::Text(_)
        | Value::Time(_)
        | Value::State(..)
        | Value::Truth(_)
        | Value::List(_)
        | Value::Objects(_) => false,
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Nothing => "–".to_owned(),
        Value::Text(text) | Value::Time(text) => printable(text).into_owned(),
        Value::State(word, _) => (*word).to_owned(),
        Value::Truth(true) => "yes".to_owned(),
        Value::Truth(false) => "no".to_owned(),
        Value::Count(count) => with_thousands(&count.to_string()),
        Value::Id(number) => number.to_string(),
        Value::Quantity(number, unit) => readable(*number, *unit),
        Value::Decimal(digits) => with_thousands(digits),
        Value::Objects(several) if several.objects.is_empty() => "–".to_owned(),
        Value::Objects(several) => printable(&several.shown).into_owned(),
        Value::List(texts) => printable(&texts.join(" ")).into_owned(),
    }
}

fn tone_of(value: &Value) -> Tone {
    match value {
        Value::State(_, tone) => *tone,
        Value::Nothing
        | Value::Text(_)
        | Value::Time(_)
        | Value::Truth(_)
        | Value::Count(_)
        | Value::Id(_)
        | Value::Quantity(..)
        | Value::Decimal(_)
        | Value::List(_)
        | Value::Objects(_) => Tone::Plain,
    }
}

/// A text in the colour of its tone, if colours can be seen.
pub fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Doubtful => "33",
        Tone::Bad => "31",
        Tone::Plain => return text.to_owned(),
    };
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}
