//! `rbc-usage rezone`: from a day on, the ledger's days are those of another zone.

use std::io::Write;
use std::process::ExitCode;

use crate::arguments::{ConfigFile, ListFormatArgs};
use crate::day::{Day, in_ranges};
use crate::import::{DayReport, Move, Moved, Outcome, rezone};
use crate::instant::Utc;
use crate::ledger::Ledger;
use crate::ledger::day::Completion;
use crate::ledger::lock::ImportLock;
use crate::open::open_source;
use crate::output::{Column, Document, Tone, Unit, Value, write};
use crate::plural::plural;
use crate::terminal;
use crate::zone::Zone;
use crate::zones::Zones;

/// Move the ledger to another time zone from a day on
///
/// For a time zone that was wrong from the beginning, and for a CloudStack that was set to another
/// one. The days from --from on, and the day before, which ends where they begin, are read and cut
/// again. Old values are kept as corrections; sealed days keep their figures and get pending
/// corrections. Days whose source rows have been purged stay as they are and are named. Everything
/// happens at once or not at all.
///
/// Exit code: 0 done; 1 done, but something needs a look: days stayed as they were, or sealed days
/// have pending corrections; 2 an error, and nothing has changed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage rezone Europe/Stockholm --from 2026-06-12 --dry-run\n  \
    rbc-usage rezone Europe/Stockholm --from 2026-06-12")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// CloudStack's usage.aggregation.timezone, such as Europe/Stockholm
    #[arg(value_name = "ZONE", value_parser = Zone::parse)]
    zone: Zone,
    /// The first day in the new time zone
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// Do everything and report the same, but change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: ListFormatArgs,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    style.check_columns(&columns())?;
    let config = args.config.load()?;
    let waiting_since = Utc::at(super::unix_now()?)?.to_string();
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &waiting_since)?;
    let clock = super::unix_now()?;
    let now = Utc::at(clock)?.to_string();
    let mut ledger = Ledger::open_as_a_whole(&config.ledger)?;
    let mut source = open_source(&config)?;
    for limitation in source.limitations() {
        terminal::eprint_line(&limitation);
    }
    let asked = Move {
        zone: args.zone.clone(),
        from: args.from,
        lines_per: super::lines_per(&config),
        unusual: config.import.unusual.as_ref(),
        now: &now,
        clock,
    };
    let mut reports = Vec::new();
    let moved = rezone(&asked, &mut source, &mut ledger, &mut |report| {
        reports.push(report);
        Ok(())
    })?;
    if !args.dry_run {
        ledger.keep()?;
        ledger.sum_months()?;
    }
    let fine = moved.kept.is_empty() && !reports.iter().any(needs_a_look);
    let written = config.zone_is_written.then(|| config.zone.name());
    let document = document(&args, written, &moved, &reports)?;
    write(&document, &style, out)?;
    Ok(super::exit_code(fine))
}

fn needs_a_look(report: &DayReport) -> bool {
    report.wrong_zone.is_some() || report.needs_a_look()
}

fn document(
    args: &Args,
    written: Option<&str>,
    moved: &Moved,
    reports: &[DayReport],
) -> anyhow::Result<Document> {
    let (since, zones) = (moved.since, &moved.zones);
    let zone = args.zone.name();
    let begins = Utc::at(zones.midnight(since))?.to_string();
    let mut notes = vec![format!(
        "from {since} on days are those of {zone}: {since} begins at {begins}; {} read again",
        plural(reports.len(), "day")
    )];
    if !moved.kept.is_empty() {
        notes.push(format!(
            "{} cannot be read again, as the source rows are gone: they stay as they are, days of {}",
            in_ranges(&moved.kept),
            zones.of(since.previous()).name()
        ));
    }
    if moved.kept_before {
        notes.push(format!(
            "{} stays as it is, so that {since} begins where it ends",
            since.previous()
        ));
    }
    let misfits: Vec<Day> = reports
        .iter()
        .filter(|report| report.wrong_zone.is_some())
        .map(|report| report.day)
        .collect();
    if !misfits.is_empty() {
        let days = in_ranges(&misfits);
        notes.push(format!(
            "{days}: CloudStack's windows do not fit {zone} there"
        ));
    }
    if written.is_some_and(|written| written != zones.name()) {
        notes.push(format!("now write main.timezone = {}", zones.name()));
    }
    if args.dry_run {
        notes.push("dry run: nothing is changed".to_owned());
    }
    let list = |days: &[Day]| Value::List(days.iter().map(Day::to_string).collect());
    Ok(Document {
        facts: vec![
            ("timezone", Value::Text(zone.to_owned())),
            ("since", Value::Text(since.to_string())),
            ("begins_at", Value::Text(begins)),
            ("kept_days", list(&moved.kept)),
            ("misfit_days", list(&misfits)),
            ("dry_run", Value::Truth(args.dry_run)),
        ],
        rows_name: "days",
        columns: columns().to_vec(),
        rows: reports.iter().map(|report| row(report, zones)).collect(),
        notes,
        ..Document::default()
    })
}

/// Under the names that programs know.
fn columns() -> [Column; 8] {
    COLUMNS.map(|name| match name {
        "day" | "state" | "timezone" => Column::shown(name, name).key(),
        "records_kept" => Column::shown(name, name).detail(),
        _ => Column::shown(name, name),
    })
}

const COLUMNS: [&str; 8] = [
    "day",
    "timezone",
    "hours",
    "state",
    "records_added",
    "records_kept",
    "records_overwritten",
    "pending_corrections",
];

fn row(report: &DayReport, zones: &Zones) -> Vec<Value> {
    let day = report.day;
    let mut row = vec![
        Value::Text(day.to_string()),
        Value::Text(zones.of(day).name().to_owned()),
        Value::Quantity(zones.hours(day.into()), Unit::None),
    ];
    if let Outcome::Written(written) = &report.outcome {
        let state = match written.completion {
            _ if written.sealed => "sealed",
            Completion::Open => "open",
            Completion::Closed => "closed",
        };
        row.push(Value::State(state, Tone::Plain));
        row.extend([
            Value::Count(written.added),
            Value::Count(written.kept),
            Value::Count(written.overwritten),
            Value::Count(written.pending),
        ]);
    }
    row
}
