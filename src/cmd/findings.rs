//! `rbc-usage findings`: what was doubtful in the source, and what of it is acknowledged.

use std::io::Write;
use std::process::ExitCode;

use anyhow::ensure;

use crate::arguments::{
    ConfigFile, DayArgs, ListFormatArgs, PeriodArgs, UnackArgs, each_once, given_reason, id,
};
use crate::coverage::find_coverage;
use crate::finding::FindingKind;
use crate::instant::Utc;
use crate::ledger::read::findings::{FindingFilter, ShowAcknowledged, list_findings};
use crate::ledger::read::state::find_state;
use crate::ledger::read::{Page, Reader};
use crate::open::open_alone;
use crate::output::{Document, write};
use crate::plural::plural;
use crate::terminal;
use crate::view;
use crate::view::findings::FOR_COMMANDS;

/// List doubtful data in the source, or acknowledge it
///
/// Without a period: the whole ledger. A finding never changes a figure. Acknowledged findings are
/// listed only with --all. A finding is never deleted, and stays acknowledged when its day is
/// imported again and the same is found.
///
/// Exit code: 0 fine, whether there are findings or not; 1 days of the period are missing in the
/// ledger; 2 an error.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    rbc-usage findings last-month\n  \
    rbc-usage findings --kind differs_from_source\n  \
    rbc-usage findings ack 17 18 --reason 'late event, credited in June'\n  \
    rbc-usage findings ack --kind remapped --reason 'offering made again'\n  \
    rbc-usage findings unack 17")]
pub struct Args {
    #[command(subcommand)]
    action: Option<FindingsAction>,
    #[command(flatten)]
    list: FindingsList,
}

#[derive(clap::Subcommand)]
enum FindingsAction {
    /// Acknowledge findings: they are no longer listed, and their days no longer need a look because of them
    Ack(AckFindings),
    /// Withdraw acknowledgements
    Unack(UnackArgs),
}

#[derive(clap::Args)]
struct AckFindings {
    #[command(flatten)]
    config: ConfigFile,
    /// Ids from the list
    #[arg(value_name = "ID", required_unless_present = "kind", value_parser = id)]
    ids: Vec<i64>,
    /// Acknowledge all findings of this kind instead, such as remapped, of the given days or of all days
    #[arg(long, value_name = "KIND", value_parser = FindingKind::of_name, conflicts_with = "ids")]
    kind: Option<FindingKind>,
    #[command(flatten)]
    days: DayArgs,
    /// The reason, for whoever asks later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(clap::Args)]
struct FindingsList {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    format: ListFormatArgs,
    /// Only findings of this kind, such as replayed_rows
    #[arg(long, value_name = "KIND", value_parser = FindingKind::of_name)]
    kind: Option<FindingKind>,
    /// FindingsList acknowledged findings as well
    #[arg(long)]
    all: bool,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match args.action {
        Some(FindingsAction::Ack(ack)) => acknowledge(&ack, out)?,
        Some(FindingsAction::Unack(unack)) => unacknowledge(&unack, out)?,
        None => return list(&args.list, out),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &FindingsList, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let mut reader = Reader::open(&config.ledger)?;
    let state = reader.read(find_state)?;
    let zones = state.zones;
    let now = super::unix_now()?;
    let range = args.period.days(now, zones.newest())?;
    let filter = FindingFilter {
        range,
        kind: args.kind.map(FindingKind::name),
        acknowledged: if args.all {
            ShowAcknowledged::Included
        } else {
            ShowAcknowledged::LeftOut
        },
        ..FindingFilter::default()
    };
    let today = zones.day_at(now)?;
    let (findings, coverage) = reader.read(|snapshot| {
        let findings = list_findings(snapshot, filter, Page::default())?;
        Ok((findings, find_coverage(snapshot, range, today)?))
    })?;
    let mut notes = vec![plural(findings.len(), "finding")];
    notes.extend(coverage.absences());
    let document = Document {
        facts: coverage.facts(),
        rows_name: "findings",
        columns: view::columns(FOR_COMMANDS),
        rows: view::rows(FOR_COMMANDS, &findings),
        notes,
        ..Document::default()
    };
    write(&document, &style, out)?;
    terminal::eprint_beside(&coverage.absences(), &coverage, args.format.format);
    Ok(super::exit_code(coverage.is_whole()))
}

fn acknowledge(args: &AckFindings, out: &mut dyn Write) -> anyhow::Result<()> {
    let reason = given_reason(&args.reason)?;
    let config = args.config.load()?;
    let clock = super::unix_now()?;
    let now = Utc::at(clock)?.to_string();
    let range = args.days.days(config.zone.day_at(clock)?)?;
    ensure!(
        range.is_none() || args.kind.is_some(),
        "days say nothing beside ids: write --kind KIND instead of them"
    );
    let (_lock, mut ledger) = open_alone(&config, &now)?;
    let ids = match args.kind {
        None => each_once(&args.ids),
        Some(kind) => {
            let filter = FindingFilter {
                range,
                kind: Some(kind.name()),
                ..FindingFilter::default()
            };
            let mut reader = Reader::open(&config.ledger)?;
            let findings =
                reader.read(|snapshot| list_findings(snapshot, filter, Page::default()))?;
            findings.iter().map(|finding| finding.id).collect()
        }
    };
    ledger.acknowledge(&ids, reason, &now)?;
    report(out, ids.len(), "acknowledged")
}

fn unacknowledge(args: &UnackArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let now = Utc::at(super::unix_now()?)?.to_string();
    let (_lock, mut ledger) = open_alone(&config, &now)?;
    let ids = each_once(&args.ids);
    ledger.unacknowledge(&ids)?;
    report(out, ids.len(), "not acknowledged any more")
}

fn report(out: &mut dyn Write, count: usize, what: &str) -> anyhow::Result<()> {
    writeln!(out, "{} {what}", plural(count, "finding"))?;
    Ok(())
}
