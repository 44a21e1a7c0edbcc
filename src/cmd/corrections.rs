//! `rbc-usage corrections`: what has changed of days that were final.

use std::io::Write;
use std::process::ExitCode;

use anyhow::ensure;

use crate::arguments::{AckArgs, ConfigFile, PeriodArgs, UnackArgs, WorkbookFormatArgs, each_once};
use crate::coverage::find_coverage;
use crate::day::Day;
use crate::instant::{Utc, is_day_or_instant};
use crate::ledger::read::corrections::{CorrectionFilter, list_corrections};
use crate::ledger::read::{Page, Reader};
use crate::open::open_alone;
use crate::output::{self, Document, Value};
use crate::plural::plural;
use crate::terminal;
use crate::view;
use crate::view::corrections::CELLS;

/// List changes to days that were final
///
/// One line for each value that changed, in the order in which the changes were found.
/// `overwritten`: the ledger holds the new value. `pending`: the day is sealed and keeps its old
/// value, so the difference is to be charged or credited. `applied`: was pending until the day was
/// unsealed and imported. A value that changed several times has a line for each change, so that
/// the differences add up.
///
/// Exit code: 0 fine, whether there are corrections or not; 1 days of the period are missing in the
/// ledger; 2 an error.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    rbc-usage corrections --pending --since 2013-07-01\n  \
    rbc-usage corrections 2013-06 --format json\n  \
    rbc-usage corrections ack 1 2 --reason 'credited in July'")]
pub struct Args {
    #[command(subcommand)]
    action: Option<CorrectionsAction>,
    #[command(flatten)]
    list: CorrectionsList,
}

#[derive(clap::Subcommand)]
enum CorrectionsAction {
    /// Mark pending corrections as charged or credited: their days no longer need a look because of them
    Ack(AckArgs),
    /// Withdraw acknowledgements
    Unack(UnackArgs),
}

#[derive(clap::Args)]
struct CorrectionsList {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    /// Only corrections found at this time (UTC) or later: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Only pending corrections
    #[arg(long)]
    pending: bool,
    #[command(flatten)]
    format: WorkbookFormatArgs,
}

/// Both forms sort as time does, so they are compared as texts.
fn time(text: &str) -> anyhow::Result<String> {
    ensure!(
        is_day_or_instant(text),
        "write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ"
    );
    Ok(text.to_owned())
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match args.action {
        Some(CorrectionsAction::Ack(ack)) => {
            let reason = Some(ack.reason()?);
            acknowledge(&ack.config, &ack.ids, reason, "acknowledged", out)
        }
        Some(CorrectionsAction::Unack(unack)) => {
            let done = "not acknowledged any more";
            acknowledge(&unack.config, &unack.ids, None, done, out)
        }
        None => list(&args.list, out),
    }
}

fn acknowledge(
    config: &ConfigFile,
    ids: &[i64],
    reason: Option<&str>,
    done: &str,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let config = config.load()?;
    let now = Utc::at(super::unix_now()?)?.to_string();
    let (_lock, mut ledger) = open_alone(&config, &now)?;
    let ids = each_once(ids);
    ledger.acknowledge_corrections(&ids, reason.map(|reason| (reason, now.as_str())))?;
    writeln!(out, "{} {done}", plural(ids.len(), "correction"))?;
    Ok(ExitCode::SUCCESS)
}

fn list(args: &CorrectionsList, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let mut reader = Reader::open(&config.ledger)?;
    let zones = reader.zones()?;
    let now = super::unix_now()?;
    let range = args.period.days(now, zones.newest())?;
    let filter = CorrectionFilter {
        range,
        kind: args.pending.then_some("pending"),
        since: args.since.as_deref(),
        ..CorrectionFilter::default()
    };
    let today = zones.day_at(now)?;
    let (corrections, coverage) = reader.read(|snapshot| {
        let corrections = list_corrections(snapshot, filter, Page::default())?;
        Ok((corrections, find_coverage(snapshot, range, today)?))
    })?;
    let mut notes = vec![plural(corrections.len(), "correction")];
    notes.extend(coverage.absences());
    let bound = |day: Option<Day>| Value::time(day);
    let mut facts = vec![
        (
            "responseType",
            Value::Text("correctionsResponse".to_owned()),
        ),
        ("start", bound(range.map(|range| range.first()))),
        ("end", bound(range.map(|range| range.last()))),
        ("timezone", Value::Text(zones.name().to_owned())),
    ];
    facts.extend(coverage.facts());
    let document = Document {
        facts,
        rows_name: "corrections",
        columns: view::columns(CELLS),
        notes,
        rows: view::rows(CELLS, &corrections),
        ..Document::default()
    };
    output::write(&document, &style, out)?;
    terminal::eprint_beside(&coverage.absences(), &coverage, args.format.format);
    Ok(super::exit_code(coverage.is_whole()))
}
