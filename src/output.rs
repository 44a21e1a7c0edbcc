//! How results are printed. A command describes what it has as a `Document`, rows under named columns; the
//! same document is a table or a workbook for people, JSON or CSV for programs. Names of columns and facts are contract.
//! Knows nothing of ledgers and sources.

pub mod calendar;
pub mod chart;
mod csv;
mod document;
mod json;
mod table;
pub mod unit;
mod xlsx;

use std::io::Write;

pub use csv::quantity as csv_quantity;
pub use document::{Column, Document, Objects, Tone, Value, Weight};
pub use table::TableStyle;
pub use unit::Unit;

/// What `--format` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns and rounded figures, for people
    Table,
    /// One object: facts, then the rows as objects
    Json,
    /// A header line and the rows
    Csv,
    /// A workbook for spreadsheets: the rows, sums, notes and facts as sheets
    Xlsx,
}

/// How to print.
#[derive(Clone, Debug)]
pub struct Style {
    pub format: Format,
    pub table: TableStyle,
}

impl Style {
    /// For programs.
    pub fn plain(format: Format) -> Style {
        Style {
            format,
            table: TableStyle::default(),
        }
    }

    /// Refuses columns that are not among these. For commands that do something before they print.
    pub fn check_columns(&self, columns: &[Column]) -> anyhow::Result<()> {
        table::chosen(columns, &self.table.columns).map(|_| ())
    }
}

/// Prints a document.
pub fn write(document: &Document, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    match style.format {
        Format::Table => table::write(document, &style.table, out),
        Format::Json => json::write(document, out),
        Format::Csv => csv::write(document, out),
        Format::Xlsx => xlsx::write(document, out),
    }
}

/// Begins a document whose rows are too many to hold at once. For programs: a table needs all its rows,
/// and so does a workbook.
pub fn write_head(document: &Document, format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    match format {
        Format::Csv => csv::write_head(document, out),
        Format::Json | Format::Table | Format::Xlsx => json::write_head(document, out),
    }
}

/// Goes on with rows of these columns; `first` if there were none before.
pub fn write_rows(
    columns: &[Column],
    rows: &[Vec<Value>],
    first: bool,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match format {
        Format::Csv => csv::write_rows(rows, out),
        Format::Json | Format::Table | Format::Xlsx => json::write_rows(columns, rows, first, out),
    }
}

/// Ends it.
pub fn write_end(no_rows: bool, format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    match format {
        Format::Csv => Ok(()),
        Format::Json | Format::Table | Format::Xlsx => json::write_end(no_rows, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document {
            title: "2026-10-01 to 2026-10-02, GMT".to_owned(),
            facts: vec![
                ("start", Value::Text("2026-10-01".to_owned())),
                ("complete", Value::Truth(false)),
                ("missing_days", Value::List(vec!["2026-10-02".to_owned()])),
            ],
            rows_name: "usage",
            columns: vec![
                Column::shown("account_name", "account"),
                Column::hidden("account_uuid"),
                Column::shown("state", "state"),
                Column::shown("records", "records"),
                Column::shown("quantity", "quantity"),
            ],
            rows: vec![
                vec![
                    Value::Text("acme, \"the\" one".to_owned()),
                    Value::Text("u-1".to_owned()),
                    Value::State("closed", Tone::Good),
                    Value::Count(1_234_567),
                    Value::Quantity(1_503_238.553_6, Unit::Hours),
                ],
                vec![
                    Value::Text("日本\u{1b}[31m".to_owned()),
                    Value::Nothing,
                    Value::State("missing", Tone::Bad),
                    Value::Count(0),
                    Value::Quantity(337_407_196_004_352.0, Unit::ByteHours),
                ],
            ],
            notes: vec!["1 day is missing".to_owned()],
            ..Document::default()
        }
    }

    fn printed(format: Format, colour: bool) -> String {
        let mut out = Vec::new();
        let mut style = Style::plain(format);
        style.table.colour = colour;
        write(&document(), &style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_rounded() {
        let expected = "\
2026-10-01 to 2026-10-02, GMT

account          state      records              quantity
acme, \"the\" one  closed   1,234,567    1,503,238.55 hours
日本\\u001b[31m   missing          0  314,234.94 GiB-hours

1 day is missing
";
        assert_eq!(printed(Format::Table, false), expected);
        let coloured = printed(Format::Table, true);
        assert!(coloured.contains("  \u{1b}[32mclosed\u{1b}[0m   1,234,567"));
        assert!(coloured.contains("  \u{1b}[31mmissing\u{1b}[0m          0"));
    }

    #[test]
    fn json_has_the_facts_and_every_column() {
        let expected = r#"{
  "start": "2026-10-01",
  "complete": false,
  "missing_days": ["2026-10-02"],
  "usage": [
    {"account_name": "acme, \"the\" one", "account_uuid": "u-1", "state": "closed", "records": 1234567, "quantity": 1503238.5536},
    {"account_name": "日本\u001b[31m", "account_uuid": null, "state": "missing", "records": 0, "quantity": 337407196004352.0}
  ]
}
"#;
        let text = printed(Format::Json, true);
        assert_eq!(text, expected);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["usage"][0]["records"], 1_234_567);
    }

    #[test]
    fn csv_has_the_rows() {
        let expected = "\
account_name,account_uuid,state,records,quantity
\"acme, \"\"the\"\" one\",u-1,closed,1234567,1503238.5536
日本\u{1b}[31m,,missing,0,337407196004352.0
";
        assert_eq!(printed(Format::Csv, true), expected);
    }

    #[test]
    fn a_document_in_pieces_is_the_same() {
        let document = document();
        for format in [Format::Json, Format::Csv] {
            let mut out = Vec::new();
            write_head(&document, format, &mut out).unwrap();
            for (place, row) in document.rows.iter().enumerate() {
                let row = std::slice::from_ref(row);
                write_rows(&document.columns, row, place == 0, format, &mut out).unwrap();
                write_rows(&document.columns, &[], false, format, &mut out).unwrap();
            }
            write_end(false, format, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), printed(format, false));
        }
    }

    #[test]
    fn no_rows_are_an_empty_list() {
        let mut none = document();
        none.rows.clear();
        let mut out = Vec::new();
        write(&none, &Style::plain(Format::Json), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("  \"usage\": []\n}\n"), "{text}");
    }
}
