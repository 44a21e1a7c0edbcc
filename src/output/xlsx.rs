//! A document as a workbook, for people who go on calculating in a spreadsheet: first a sheet for each fact that is a
//! table of its own, then the rows, then the notes, then the other facts. Numbers are numbers and days are days; texts
//! are never formulas, whatever they begin with. The same document makes the same bytes.

use std::io::Write;

use anyhow::{Context, ensure};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet};
use unicode_width::UnicodeWidthStr;

use super::chart;
use super::document::{Document, Value};
use super::unit::{Unit, with_thousands};
use crate::day::Day;
use crate::instant::Utc;
use crate::printable::printable;

/// Rows of a sheet, without the headings.
const MOST_ROWS: usize = 1_048_575;

/// Sheets of more rows wait in a temporary file instead of memory.
const MANY_ROWS: usize = 20_000;

/// Whole numbers beyond it are texts: a spreadsheet would change them.
const LARGEST: u64 = 1 << 53;

/// Widths of columns, in digits.
const WIDTHS: (usize, usize) = (6, 60);

/// Columns of units, and the columns whose unit stands in them.
const UNITS: [(&str, &[&str]); 3] = [
    (
        "unit",
        &[
            "quantity",
            "stored",
            "old_quantity",
            "new_quantity",
            "delta",
        ],
    ),
    ("metric_unit", &["metric_quantity"]),
    ("currency", &["price", "amount"]),
];

pub fn write(document: &Document, out: &mut dyn Write) -> anyhow::Result<()> {
    ensure!(
        document.rows.len() <= MOST_ROWS,
        "{} rows are too many for a workbook, which holds {MOST_ROWS}: ask for less, or use --format csv",
        document.rows.len()
    );
    let mut workbook = Workbook::new();
    // When it was made is not in it, so that the same figures are the same file.
    let created = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    for (name, value) in &document.facts {
        if let Value::Objects(several) = value {
            add_objects(&mut workbook, name, &several.objects)?;
        }
    }
    let names: Vec<&str> = document.columns.iter().map(|column| column.name).collect();
    add_table(&mut workbook, document.rows_name, &names, &document.rows)?;
    let text = |text: &String| vec![Value::Text(text.clone())];
    let notes: Vec<_> = document.notes.iter().map(text).collect();
    if !notes.is_empty() {
        add_table(&mut workbook, "notes", &["note"], &notes)?;
    }
    let facts = facts(document);
    add_table(&mut workbook, "facts", &["fact", "value"], &facts)?;
    out.write_all(&workbook.save_to_buffer()?)?;
    Ok(())
}

/// Each with its value; a list takes a line for each of its parts.
fn facts(document: &Document) -> Vec<Vec<Value>> {
    let mut facts = Vec::new();
    if !document.title.is_empty() {
        let title = Value::Text(document.title.clone());
        facts.push(vec![Value::Text("title".to_owned()), title]);
    }
    for (name, value) in &document.facts {
        let name = Value::Text(words(name));
        match value {
            Value::Objects(_) => {}
            Value::List(texts) if !texts.is_empty() => {
                let each = texts.iter().cloned().map(Value::Text);
                facts.extend(each.map(|value| vec![name.clone(), value]));
            }
            value => facts.push(vec![name, value.clone()]),
        }
    }
    facts
}

fn add_objects(
    workbook: &mut Workbook,
    name: &str,
    objects: &[Vec<(&'static str, Value)>],
) -> anyhow::Result<()> {
    let mut columns: Vec<&str> = Vec::new();
    for (key, _) in objects.iter().flatten() {
        if !columns.contains(key) {
            columns.push(key);
        }
    }
    let value = |object: &Vec<(&'static str, Value)>, column: &&str| {
        let found = object.iter().find(|(key, _)| key == column);
        found.map_or(Value::Nothing, |(_, value)| value.clone())
    };
    let row = |object| columns.iter().map(|column| value(object, column)).collect();
    let rows: Vec<Vec<Value>> = objects.iter().map(row).collect();
    match rows.is_empty() {
        true => Ok(()),
        false => add_table(workbook, name, &columns, &rows),
    }
}

/// A sheet with a row of headings that stays in sight, and rows.
fn add_table(
    workbook: &mut Workbook,
    name: &str,
    columns: &[&str],
    rows: &[Vec<Value>],
) -> anyhow::Result<()> {
    let sheet = match rows.len() > MANY_ROWS {
        true => workbook.add_worksheet_with_low_memory()?,
        false => workbook.add_worksheet(),
    };
    sheet.set_name(words(name))?;
    sheet.set_freeze_panes(1, 0)?;
    let bold = Format::new().set_bold();
    for (place, column) in columns.iter().enumerate() {
        let at = u16::try_from(place)?;
        let heading = heading(column, place, columns, rows);
        sheet.write_string_with_format(0, at, &heading, &bold)?;
        let cells = rows.iter().map(|row| width(&row[place]));
        let widest = cells.max().unwrap_or(0).max(heading.width() + 2);
        let width = u32::try_from(widest.clamp(WIDTHS.0, WIDTHS.1))?;
        sheet.set_column_width(at, f64::from(width) + 1.0)?;
    }
    for (place, row) in rows.iter().enumerate() {
        for (column, value) in row.iter().enumerate() {
            let at = (u32::try_from(place + 1)?, u16::try_from(column)?);
            let what = || format!("{name}, row {}, {}", at.0 + 1, columns[column]);
            write_cell(sheet, at, value).with_context(what)?;
        }
    }
    let last = (
        u32::try_from(rows.len())?,
        u16::try_from(columns.len() - 1)?,
    );
    if !rows.is_empty() {
        sheet.autofilter(0, 0, last.0, last.1)?;
    }
    Ok(())
}

/// The column's name in words, with the unit if all of its rows have the same.
fn heading(column: &str, place: usize, columns: &[&str], rows: &[Vec<Value>]) -> String {
    let beside = UNITS.iter().find(|(_, of)| of.contains(&column));
    let beside = beside.and_then(|(unit, _)| columns.iter().position(|name| name == unit));
    let instants = rows.iter().any(|row| is_instant(&row[place]));
    match beside.and_then(|beside| only_text(rows, beside)) {
        Some(unit) => format!("{} ({unit})", words(column)),
        None if instants => format!("{} (UTC)", words(column)),
        None => words(column),
    }
}

/// The text that a column has wherever it has one.
fn only_text(rows: &[Vec<Value>], place: usize) -> Option<&str> {
    let mut texts = rows.iter().filter_map(|row| match &row[place] {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let first = texts.next()?;
    texts.all(|text| text == first).then_some(first)
}

fn is_instant(value: &Value) -> bool {
    matches!(value, Value::Time(text) if text.parse::<Utc>().is_ok())
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn write_cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    value: &Value,
) -> anyhow::Result<()> {
    let number = |sheet: &mut Worksheet, number: f64, format: &str| {
        let format = Format::new().set_num_format(format);
        sheet.write_number_with_format(row, column, number, &format)?;
        anyhow::Ok(())
    };
    match value {
        Value::Nothing => {}
        Value::Text(text) => write_text(sheet, (row, column), text)?,
        Value::State(word, _) => write_text(sheet, (row, column), word)?,
        Value::Time(text) => match moment(text)? {
            Some((moment, format)) => {
                let format = Format::new().set_num_format(format);
                sheet.write_datetime_with_format(row, column, &moment, &format)?;
            }
            None => write_text(sheet, (row, column), text)?,
        },
        Value::Truth(truth) => {
            sheet.write_boolean(row, column, *truth)?;
        }
        // Up to this one a float has every whole number.
        Value::Count(count) if *count <= LARGEST => number(sheet, *count as f64, "#,##0")?,
        Value::Id(id) if *id <= LARGEST => number(sheet, *id as f64, "0")?,
        Value::Count(large) | Value::Id(large) => {
            write_text(sheet, (row, column), &large.to_string())?;
        }
        Value::Quantity(quantity, unit) => number(sheet, *quantity, pattern(*unit))?,
        Value::Decimal(digits) => {
            let decimal: f64 = digits
                .parse()
                .with_context(|| format!("{digits:?} is no number"))?;
            let behind = digits.split_once('.').map_or("", |(_, behind)| behind);
            let pattern = match behind.len() {
                0 => "#,##0".to_owned(),
                digits => format!("#,##0.{}", "0".repeat(digits)),
            };
            number(sheet, decimal, &pattern)?;
        }
        Value::List(texts) => write_text(sheet, (row, column), &texts.join(" "))?,
        Value::Objects(several) => write_text(sheet, (row, column), &several.raw)?,
        Value::Chart(heights) => write_text(sheet, (row, column), &chart::line(heights))?,
    }
    Ok(())
}

/// As people see it in tables, so that no character hides others.
fn write_text(sheet: &mut Worksheet, (row, column): (u32, u16), text: &str) -> anyhow::Result<()> {
    sheet.write_string(row, column, printable(text))?;
    Ok(())
}

/// How a spreadsheet shows a quantity; it holds all digits.
fn pattern(unit: Unit) -> &'static str {
    match unit {
        Unit::Hours | Unit::VcpuHours | Unit::GibMonths | Unit::Gib => "#,##0.00",
        Unit::Bytes | Unit::ByteHours | Unit::Requests => "#,##0",
        Unit::Seconds | Unit::None | Unit::Exact => "General",
    }
}

/// A day, a month or an instant, and how a spreadsheet shows it. `None`: a spreadsheet's calendar does not have it.
fn moment(text: &str) -> anyhow::Result<Option<(ExcelDateTime, &'static str)>> {
    const DAY: i64 = 24 * 60 * 60;
    let midnight = |day: Day| day.days_since_1970() * DAY;
    let (unix, format) = if let Ok(day) = text.parse::<Day>() {
        (midnight(day), "yyyy-mm-dd")
    } else if let Ok(day) = format!("{text}-01").parse::<Day>() {
        (midnight(day), "yyyy-mm")
    } else {
        let instant: Utc = text
            .parse()
            .with_context(|| format!("{text:?} is no time"))?;
        (instant.unix(), "yyyy-mm-dd hh:mm:ss")
    };
    Ok(ExcelDateTime::from_timestamp(unix)
        .ok()
        .map(|moment| (moment, format)))
}

/// How wide a cell is, about.
fn width(value: &Value) -> usize {
    match value {
        Value::Nothing => 0,
        Value::Text(text) | Value::Time(text) => printable(text).width(),
        Value::State(word, _) => word.width(),
        Value::Truth(_) => "FALSE".len(),
        Value::Count(number) | Value::Id(number) => with_thousands(&number.to_string()).len(),
        Value::Quantity(number, _) => with_thousands(&format!("{number:.2}")).len(),
        Value::Decimal(digits) => with_thousands(digits).len(),
        Value::List(texts) => printable(&texts.join(" ")).width(),
        Value::Objects(several) => printable(&several.raw).width(),
        Value::Chart(heights) => heights.len(),
    }
}
