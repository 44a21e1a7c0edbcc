//! A document as a table for people: aligned columns, numbers to the right, colours where they can be seen. No row is
//! longer than a line of the terminal: columns are left out, texts cut, and a line below says so. Names come from
//! customers, so nothing in them reaches a terminal as a command.

mod cell;
mod columns;
mod fit;
mod text;

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use super::chart;
use super::document::{Document, Overlong, Tone, Value};
use crate::printable::printable;
pub use cell::paint;
use columns::ShownColumn;
pub use columns::chosen;
use fit::{AtWorst, GAP, Wish, fit};
use text::{cut, fold};

/// How far the lines of a sentence after its first are set off.
const INDENT: usize = 2;

/// What a table is printed on.
#[derive(Clone, Debug, Default)]
pub struct TableStyle {
    /// Whether the reader can see colours.
    pub colour: bool,
    /// How many characters a line may have; `None`: any number.
    pub width: Option<usize>,
    /// The columns to show, by name or heading, the one that matters most first; none: those that have room.
    pub columns: Vec<String>,
}

pub fn write(document: &Document, style: &TableStyle, out: &mut dyn Write) -> anyhow::Result<()> {
    let table = draw(document, style)?;
    let sentence = |text: &str| match style.width {
        Some(width) => fold(&printable(text), width, INDENT),
        None => vec![printable(text).into_owned()],
    };
    let title = Some(&document.title).filter(|title| !title.is_empty());
    let notes = document.notes.iter().chain(&table.left_out);
    let parts = [
        title.map_or(Vec::new(), |title| sentence(title)),
        document.picture.clone(),
        table.lines,
        notes.flat_map(|note| sentence(note)).collect(),
    ];
    let mut parts = parts.iter().filter(|lines| !lines.is_empty());
    for line in parts.next().into_iter().flatten() {
        writeln!(out, "{line}")?;
    }
    for part in parts {
        writeln!(out)?;
        for line in part {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

struct DrawnTable {
    lines: Vec<String>,
    /// What of it there was no room for.
    left_out: Option<String>,
}

fn draw(document: &Document, style: &TableStyle) -> anyhow::Result<DrawnTable> {
    let columns = columns::shown(document, &style.columns)?;
    if columns.is_empty() || document.rows.is_empty() {
        return Ok(DrawnTable {
            lines: Vec::new(),
            left_out: None,
        });
    }
    let texts: Vec<Vec<String>> = document
        .rows
        .iter()
        .map(|row| columns.iter().map(|column| cell::text(&row[column.place])))
        .map(Iterator::collect)
        .collect();
    let values = |column: &ShownColumn| {
        let place = column.place;
        document.rows.iter().map(move |row| &row[place])
    };
    let wishes: Vec<Wish> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let widths = texts.iter().map(|row| row[at].width());
            let heading = column.heading.width();
            let natural = widths.max().unwrap_or(0).max(heading);
            if values(column).any(|value| matches!(value, Value::Chart(_))) {
                let widest = natural.min(chart::WIDEST.max(heading));
                Wish {
                    least: widest.min(chart::NARROWEST),
                    ..Wish::rigid(widest, column.weight)
                }
            } else if !values(column).any(cell::is_text) {
                Wish::rigid(natural, column.weight)
            } else if column.overlong == Overlong::Keep {
                Wish {
                    at_worst: AtWorst::Late,
                    ..Wish::rigid(natural, column.weight)
                }
            } else {
                Wish::of_texts(natural, heading, column.weight)
            }
        })
        .collect();
    let widths = fit(&wishes, style.width);
    let mut printed: Vec<Printed> = Vec::new();
    for (at, (column, width)) in columns.iter().zip(&widths).enumerate() {
        if let Some(width) = *width {
            let texts = texts.iter().map(|row| row[at].as_str());
            printed.push(print_column(column, width, texts, values(column)));
        }
    }
    let mut lines = Vec::new();
    for row in 0..=document.rows.len() {
        let height = printed.iter().map(|column| column.cells[row].lines.len());
        for line in 0..height.max().unwrap_or(0) {
            lines.push(print_line(&printed, row, line, style.colour));
        }
    }
    let missing = columns.iter().zip(&widths);
    let missing = missing.filter(|(_, width)| width.is_none());
    Ok(DrawnTable {
        lines,
        left_out: left_out(
            missing.map(|(column, _)| column.name).collect(),
            printed
                .iter()
                .filter(|one| one.is_cut)
                .map(|one| one.name)
                .collect(),
        ),
    })
}

fn left_out(columns: Vec<&str>, cut: Vec<&str>) -> Option<String> {
    let columns = columns.join(", ");
    let cut = cut.join(", ");
    match (columns.is_empty(), cut.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!(
            "left out: {columns} (--wide shows all, --columns chooses)"
        )),
        (true, false) => Some(format!("cut: {cut} (--wide shows all)")),
        (false, false) => Some(format!(
            "left out: {columns}; cut: {cut} (--wide shows all, --columns chooses)"
        )),
    }
}

/// A column as it is printed, its heading first.
struct Printed {
    name: &'static str,
    cells: Vec<PrintedCell>,
    width: usize,
    is_right: bool,
    /// Whether some text is not whole.
    is_cut: bool,
}

struct PrintedCell {
    lines: Vec<String>,
    tone: Tone,
}

fn print_column<'a>(
    column: &ShownColumn,
    width: usize,
    texts: impl Iterator<Item = &'a str>,
    values: impl Iterator<Item = &'a Value>,
) -> Printed {
    let mut printed = Printed {
        name: column.name,
        cells: vec![PrintedCell {
            lines: vec![cut(column.heading, width)],
            tone: Tone::Plain,
        }],
        width,
        is_right: false,
        is_cut: false,
    };
    for (text, value) in texts.zip(values) {
        let lines = match (value, column.overlong) {
            (Value::Chart(heights), _) => {
                let (days, marks) = chart::scaled(heights, width);
                if days > 1 {
                    let heading = format!("{} ({days} a mark)", column.heading);
                    printed.cells[0].lines = vec![cut(&heading, width)];
                }
                vec![chart::line(&marks)]
            }
            (_, Overlong::Fold) if cell::is_text(value) => fold(text, width, 0),
            (_, Overlong::Cut | Overlong::Keep) if cell::is_text(value) => {
                printed.is_cut |= text.width() > width;
                vec![cut(text, width)]
            }
            (_, Overlong::Cut | Overlong::Keep | Overlong::Fold) => vec![text.to_owned()],
        };
        printed.is_right |= cell::is_number(value);
        printed.cells.push(PrintedCell {
            lines,
            tone: cell::tone(value),
        });
    }
    printed
}

/// One line of a row, without blanks at its end.
fn print_line(columns: &[Printed], row: usize, at: usize, colour: bool) -> String {
    let mut line = String::new();
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        let cell = &column.cells[row];
        let text = cell.lines.get(at).map_or("", String::as_str);
        let blanks = " ".repeat(column.width.saturating_sub(text.width()));
        if column.is_right {
            line.push_str(&blanks);
        }
        line.push_str(&paint(text, cell.tone, colour));
        if !column.is_right {
            line.push_str(&blanks);
        }
    }
    line.trim_end().to_owned()
}
