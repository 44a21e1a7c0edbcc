//! `rbc-usage verify`: does the ledger say what its source says?

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::arguments::{ConfigFile, ListFormatArgs, PeriodArgs};
use crate::coverage::{Coverage, find_coverage};
use crate::day::{Day, in_ranges};
use crate::instant::Utc;
use crate::ledger::Ledger;
use crate::ledger::lock::ImportLock;
use crate::ledger::months::WrongMonth;
use crate::ledger::read::Reader;
use crate::month::Month;
use crate::open::open_source;
use crate::output::{self, Column, Document, Unit, Value};
use crate::plural::plural;
use crate::source::Source;
use crate::terminal;
use crate::verify::{self, DayVerdict, Difference, Name, Verdict, VerifyRules};
use crate::view::figures::gib_hours;
use crate::view::lines::changed_lines;

/// Read the source again and compare the ledger with it
///
/// Reads and adds up the usage rows of each closed day as an import does, and compares the number
/// and digest of the rows, every figure, uuids and names. A sealed day is compared together with
/// its pending corrections. The sums of whole months are compared with their days; sums that differ
/// are rebuilt if every day of the month equals its source. Days found equal are marked as
/// verified; no figure changes. A difference that nobody can settle, such as an offering with a new
/// uuid, becomes a finding: once it is acknowledged (`rbc-usage findings ack`), the day counts as
/// equal and can be sealed. Without a period, verify compares every closed day that has not been
/// found equal since it was written.
///
/// A day whose windows belong to another time zone is not equal, whatever its figures.
///
/// A day that is sealed or was found equal before stays so when CloudStack purges its records.
///
/// Exit code: 0 equal; 1 something differs, or days of the period are missing or not final; 2 an
/// error. Resources that were only renamed and rows that were only written twice are reported, but
/// are no difference.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage verify             what was imported since the last time\n  \
    rbc-usage verify last-month  before it is sealed\n  \
    rbc-usage verify 2013-06 --format json")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    /// Treat figures as equal if they differ by no more than this part of the larger one
    #[arg(long, value_name = "PART", default_value_t = verify::TOLERANCE, value_parser = part)]
    tolerance: f64,
    #[command(flatten)]
    format: ListFormatArgs,
}

fn part(text: &str) -> anyhow::Result<f64> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.0..1.0).contains(number));
    number.context("not a number from 0 to below 1, such as 1e-9")
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    style.check_columns(&COLUMNS)?;
    let config = args.config.load()?;
    let clock = super::unix_now()?;
    let range = args.period.days(clock, &config.zone)?;
    let now = Utc::at(clock)?.to_string();
    // An import in between would compare a day with what it is not any more.
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &now)?;
    let mut ledger = Ledger::open(&config.ledger, config.zone.name(), false)?;
    let zones = ledger.zones().clone();
    let mut source = open_source(&config)?;
    for limitation in source.limitations() {
        terminal::eprint_line(&limitation);
    }
    ledger.insist_on_cloud(&source.identity()?)?;
    let days = ledger.list_closed_days(range)?;
    let today = config.zone.day_at(clock)?;
    let coverage =
        Reader::open(&config.ledger)?.read(|snapshot| find_coverage(snapshot, range, today))?;
    let rules = VerifyRules {
        zones: &zones,
        tolerance: args.tolerance,
        now: &now,
    };
    let mut verdicts = Vec::new();
    compare(&days, &rules, &mut source, &mut ledger, &mut verdicts)?;
    let months: BTreeSet<Month> = days.iter().map(|day| Month::of(*day)).collect();
    let equal = of_verdict(&verdicts, Verdict::Equal);
    // A mark of an earlier run says nothing of what somebody has changed since.
    let equal: BTreeSet<Day> = equal.into_iter().collect();
    let mut wrong = Vec::new();
    for month in months {
        wrong.extend(ledger.check_month_sums(month, &equal)?);
    }
    let equal = wrong.is_empty() && of_verdict(&verdicts, Verdict::Different).is_empty();
    let document = document(&coverage, &rules, verdicts, &wrong);
    output::write(&document, &style, out)?;
    terminal::eprint_beside(&coverage.sentences(), &coverage, args.format.format);
    for wrong in &wrong {
        terminal::eprint_line(&wrong.to_string());
    }
    Ok(super::exit_code(equal && coverage.is_final()))
}

fn of_verdict(verdicts: &[DayVerdict], verdict: Verdict) -> Vec<Day> {
    let of_it = verdicts.iter().filter(|one| one.verdict == verdict);
    of_it.map(|one| one.day).collect()
}

fn compare(
    days: &[Day],
    rules: &VerifyRules,
    source: &mut Source,
    ledger: &mut Ledger,
    verdicts: &mut Vec<DayVerdict>,
) -> anyhow::Result<()> {
    let bar = terminal::progress_bar(days.len());
    verify::verify(days, rules, source, ledger, &mut |verdict| {
        bar.inc(1);
        verdicts.push(verdict);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
}

const COLUMNS: [Column; 16] = [
    Column::shown("day", "day").key(),
    Column::shown("kind", "kind").key().kept(),
    Column::hidden("account_uuid"),
    Column::shown("account_name", "account"),
    Column::shown("metric", "metric").kept(),
    Column::hidden("unit"),
    Column::hidden("resource_uuid"),
    Column::shown("resource_name", "resource"),
    Column::shown("stored", "stored").key(),
    Column::shown("source", "source").key(),
    Column::shown("detail", "detail").folded(),
    Column::hidden("acknowledged"),
    Column::shown("lines", "lines").detail().folded(),
    Column::hidden("more_lines"),
    Column::shown("stored_gib_hours", "GiB-hours").key(),
    Column::shown("source_gib_hours", "of source").key(),
];

fn document(
    coverage: &Coverage,
    rules: &VerifyRules,
    verdicts: Vec<DayVerdict>,
    wrong: &[WrongMonth],
) -> Document {
    let equal = of_verdict(&verdicts, Verdict::Equal).len();
    let differing = of_verdict(&verdicts, Verdict::Different);
    let gone = of_verdict(&verdicts, Verdict::SourceGone);
    let texts = |days: &[Day]| Value::List(days.iter().map(Day::to_string).collect());
    let source_rows: u64 = verdicts.iter().map(|verdict| verdict.source_rows).sum();
    let figures: u64 = verdicts.iter().map(|verdict| verdict.figures).sum();
    let mut notes = vec![format!(
        "{} compared: {equal} equal, {} different; {}, {}",
        plural(equal + differing.len(), "day"),
        differing.len(),
        plural(source_rows, "row"),
        plural(figures, "record")
    )];
    let differences = verdicts.iter().flat_map(|verdict| &verdict.differences);
    let acknowledged = differences.filter(|difference| difference.acknowledged);
    let acknowledged = acknowledged.count();
    if acknowledged > 0 {
        let count = plural(acknowledged, "difference");
        notes.push(format!("{count} acknowledged: no look is needed"));
    }
    if !gone.is_empty() {
        let days = in_ranges(&gone);
        notes.push(format!("as they were, for their source is gone: {days}"));
    }
    notes.extend(coverage.sentences());
    let wrong_months = wrong.iter().map(|wrong| wrong.month.to_string());
    let mut facts = vec![
        ("timezone", Value::Text(rules.zones.name().to_owned())),
        ("tolerance", Value::Quantity(rules.tolerance, Unit::None)),
        // Numbers of days fit 64 bits.
        ("equal_days", Value::Count(equal as u64)),
        ("different_days", texts(&differing)),
        ("source_gone_days", texts(&gone)),
        ("wrong_months", Value::List(wrong_months.collect())),
    ];
    facts.extend(coverage.facts());
    facts.extend([
        ("source_rows", Value::Count(source_rows)),
        ("records", Value::Count(figures)),
    ]);
    Document {
        facts,
        rows_name: "differences",
        columns: COLUMNS.to_vec(),
        rows: verdicts
            .into_iter()
            .flat_map(|verdict| verdict.differences)
            .map(row)
            .collect(),
        notes,
        ..Document::default()
    }
}

fn row(difference: Difference) -> Vec<Value> {
    let quantity =
        |number: Option<f64>| number.map_or(Value::Nothing, |n| Value::Quantity(n, Unit::Exact));
    let in_gib = |number| {
        let metric = difference.metric;
        metric.map_or(Value::Nothing, |metric| gib_hours(metric, number))
    };
    let both = |name: Option<Name>| {
        let (uuid, name) = name.map(|name| (name.uuid, name.name)).unzip();
        (Value::text(uuid), Value::text(name))
    };
    let (account_uuid, account_name) = both(difference.account);
    let (resource_uuid, resource_name) = both(difference.resource);
    vec![
        Value::Text(difference.day.to_string()),
        Value::Text(difference.kind.name().to_owned()),
        account_uuid,
        account_name,
        Value::text(difference.metric.map(|metric| metric.name())),
        Value::text(difference.metric.map(|metric| metric.unit())),
        resource_uuid,
        resource_name,
        quantity(difference.stored),
        quantity(difference.source),
        Value::Text(difference.detail),
        Value::Truth(difference.acknowledged),
        changed_lines(&difference.lines, Unit::Exact),
        Value::Count(difference.lines.more),
        in_gib(difference.stored),
        in_gib(difference.source),
    ]
}
