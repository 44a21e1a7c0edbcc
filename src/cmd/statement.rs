//! `rbc-usage statement`: what a month costs, by the operator's prices.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::arguments::{ConfigFile, TableArgs, begun, parser};
use crate::coverage::{Coverage, find_coverage};
use crate::html::{HtmlDocument, month_name};
use crate::ledger::read::Reader;
use crate::ledger::read::state::find_state;
use crate::month::Month;
use crate::output::{self, Document, Format, Style, Value};
use crate::prices::{PriceList, read_prices};
use crate::report;
use crate::statement::{
    Corrections, Standing, Statement, StatementFrame, StatementQuery, draw_up, find_standing,
};
use crate::terminal;
use crate::zones::Zones;

/// Rows that are made at a time.
const PIECE: usize = 1_000;

/// Print what a month costs, by the price file
///
/// A line for each resource under each of its SKUs at each price, and one for each pending
/// correction of earlier months. Amounts are rounded line by line; there are no taxes, tiers or
/// invoice numbers.
///
/// Exit code: 0 fine; 1 days of the month are missing or open, so the figures are not final, or a
/// line has no price; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage statement --month 2013-06 --account acme\n  \
    rbc-usage statement --month 2013-06 --domain /retail/ --format csv\n  \
    rbc-usage statement --month 2013-06 --all --format json\n  \
    rbc-usage statement --month 2013-06 --account acme --format html > acme.html")]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["account", "domain", "all"])))]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The month, YYYY-MM [default: last month]
    #[arg(long, value_name = "MONTH")]
    month: Option<Month>,
    /// Of this account, by its uuid, its project's uuid, or its name; can be given several times
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Of the accounts of this domain and of the domains below it, on the days that they were in it; by its path or uuid
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Of all accounts
    #[arg(long)]
    all: bool,
    /// Another price file than the configuration names
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = parser::<StatementFormat>(), default_value = "table")]
    format: StatementFormat,
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StatementFormat {
    /// Aligned columns and rounded figures, for people
    Table,
    /// One object: facts, then the rows as objects
    Json,
    /// A header line and the rows
    Csv,
    /// A workbook for spreadsheets: the rows, sums, notes and facts as sheets
    Xlsx,
    /// A page to be printed, in one file
    Html,
}

impl StatementFormat {
    /// The format that all commands know; `None`: it is this command's own.
    fn general(self) -> Option<Format> {
        match self {
            StatementFormat::Table => Some(Format::Table),
            StatementFormat::Json => Some(Format::Json),
            StatementFormat::Csv => Some(Format::Csv),
            StatementFormat::Xlsx => Some(Format::Xlsx),
            StatementFormat::Html => None,
        }
    }
}

/// All that a statement is made of.
struct Drawn {
    statement: Statement,
    standing: Standing,
    coverage: Coverage,
    zones: Zones,
    month: Month,
    /// About the path of the domain.
    ambiguity: Option<String>,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    ensure!(
        args.domain.as_deref() != Some(""),
        "--domain is empty: the path of the root is /"
    );
    // A page takes no columns either.
    let style = args
        .table
        .style(args.format.general().unwrap_or(Format::Json))?;
    let config = args.config.load()?;
    let path = args.prices.as_ref().or(config.prices.as_ref());
    let path = path.context(
        "there are no prices: name a price file with file in [prices], or with --prices",
    )?;
    let prices = read_prices(path)?;
    let mut reader = Reader::open(&config.ledger)?;
    let drawn = drawn(&args, &mut reader, &prices)?;
    let document = document(&drawn, &prices)?;
    match args.format.general() {
        Some(format) => {
            write(&document, &drawn.statement, &style, out)?;
            terminal::eprint_beside(&document.notes, &drawn.coverage, format);
        }
        None => write_page(&drawn, &prices, out)?,
    }
    let fine = drawn.coverage.is_final() && drawn.statement.count_incomplete() == 0;
    Ok(super::exit_code(fine))
}

fn drawn(args: &Args, reader: &mut Reader, prices: &PriceList) -> anyhow::Result<Drawn> {
    let now = super::unix_now()?;
    let drawn = reader.read(|snapshot| {
        let zones = find_state(snapshot)?.zones;
        let today = zones.day_at(now)?;
        let month = args.month.unwrap_or_else(|| Month::of(today).previous());
        let range = match begun(month.days(), today, zones.newest()) {
            Ok(range) => range,
            Err(wrong) => return Ok(Err(format!("{wrong:#}"))),
        };
        let selected = report::select_accounts(snapshot, &args.account, args.domain.as_deref())?;
        let (selection, ambiguity) = match selected {
            Ok(selected) => selected,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let question = StatementQuery {
            prices,
            month,
            selection: &selection,
            zones: &zones,
            most_lines: usize::MAX,
            corrections: Corrections::Due,
        };
        let statement = match draw_up(snapshot, &question)? {
            Ok(statement) => statement,
            Err(wrong) => return Ok(Err(wrong)),
        };
        Ok(Ok(Drawn {
            statement,
            standing: find_standing(snapshot, month)?,
            coverage: find_coverage(snapshot, Some(range), today)?,
            zones,
            month,
            ambiguity,
        }))
    })?;
    drawn.map_err(anyhow::Error::msg)
}

/// All but the rows.
fn document(drawn: &Drawn, prices: &PriceList) -> anyhow::Result<Document> {
    let range = drawn.month.days();
    let timezone = drawn.zones.of(range.last()).name();
    let hours = drawn.zones.hours(range);
    let mut facts = vec![
        ("month", Value::Time(drawn.month.to_string())),
        ("start", Value::Time(range.first().to_string())),
        ("end", Value::Time(range.last().to_string())),
        ("timezone", Value::Text(timezone.to_owned())),
        ("hours", Value::Quantity(hours, output::Unit::None)),
        ("complete", Value::Truth(drawn.coverage.is_final())),
    ];
    facts.extend(drawn.coverage.facts());
    let state = drawn.standing.in_words(drawn.coverage.is_final());
    let title = format!("{}, {timezone}, {hours} hours, {state}", drawn.month);
    let mut document = drawn
        .statement
        .document(title, facts, &drawn.standing, &prices.file)?;
    document.notes.extend(drawn.coverage.sentences());
    document.notes.extend(drawn.ambiguity.clone());
    Ok(document)
}

/// What the server shows of an account's month, of everybody that is asked for.
fn write_page(drawn: &Drawn, prices: &PriceList, out: &mut dyn Write) -> anyhow::Result<()> {
    let month = drawn.month;
    let mut notes = drawn.statement.sentences(&drawn.standing, &prices.file);
    notes.extend(drawn.coverage.sentences());
    notes.extend(drawn.ambiguity.clone());
    let frame = StatementFrame {
        month,
        timezone: drawn.zones.of(month.days().last()).name(),
        hours: drawn.zones.hours(month.days()),
        state: drawn.standing.in_words(drawn.coverage.is_final()),
        notes: &notes,
    };
    let document = HtmlDocument {
        title: &format!("Statement, {}", month_name(month)),
        before: None,
        content: &drawn.statement.page(&frame)?,
    };
    writeln!(out, "{}", document.text())?;
    Ok(())
}

/// For programs a piece at a time: a statement of all accounts has very many rows.
fn write(
    document: &Document,
    statement: &Statement,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let format = style.format;
    if format == Format::Table || format == Format::Xlsx {
        let document = Document {
            title: document.title.clone(),
            facts: document.facts.clone(),
            rows_name: document.rows_name,
            columns: document.columns.clone(),
            notes: document.notes.clone(),
            rows: Statement::rows(&statement.lines),
            ..Document::default()
        };
        return output::write(&document, style, out);
    }
    output::write_head(document, format, out)?;
    for (place, lines) in statement.lines.chunks(PIECE).enumerate() {
        let rows = Statement::rows(lines);
        output::write_rows(&document.columns, &rows, place == 0, format, out)?;
    }
    output::write_end(statement.lines.is_empty(), format, out)
}
