//! `rbc-usage status`: which days are final, how far the usage server has got, and what needs a look.

mod document;
mod overview;
mod plugin;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use crate::arguments::{ConfigFile, ListFormatArgs, PeriodArgs};
use crate::config::Config;
use crate::coverage::find_coverage;
use crate::day::{Day, DayRange};
use crate::finding::FindingKind;
use crate::import::advise;
use crate::instant::Utc;
use crate::ledger::read::days::list_days;
use crate::ledger::read::findings::{FindingFilter, ShowAcknowledged, list_findings};
use crate::ledger::read::state::find_state;
use crate::ledger::read::{Page, Reader, Snapshot};
use crate::month::Month;
use crate::open::open_source;
use crate::output::{Format, write};
use crate::status::{
    AccountIdChange, DayWords, ProblemKind, RefusedDay, StatusProblem, account_id_problems,
    day_problems, finished_day, import_problem, source_problems,
};
use document::{ListedDays, check_document, status_document};
use overview::{NOTHING_TO_IMPORT, Overview};

/// Show which days are final, how far CloudStack has got, and the last import
///
/// Without a period: last month and this month.
///
/// With --check the first line is that of a Nagios plugin: OK, WARNING or CRITICAL, and figures.
///
/// Exit code: 0 fine; 1 the source cannot be reached, or with --check something needs a look; 2 an
/// error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage status                  last month and this one\n  \
    rbc-usage status --month 2013-06  can June be invoiced?\n  \
    rbc-usage status 2013-06 --days   with each of its days\n  \
    rbc-usage status --check          for monitoring: OK or what needs a look")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    format: ListFormatArgs,
    /// List all days below the calendar, not only those that are not plain: open, missing, refused or differing,
    /// provisional, with findings or pending corrections (tables only; CSV and JSON have all)
    #[arg(long, conflicts_with = "check")]
    days: bool,
    /// Print only what needs a look, of all days unless a period is given; exit with 1 if anything does
    #[arg(long)]
    check: bool,
    /// Print nothing while nothing needs a look, for cron
    #[arg(short, long, requires = "check")]
    quiet: bool,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    if !args.check {
        return show(&args, out);
    }
    match check(&args, out) {
        // A plugin's words stand on stdout.
        Err(err) if args.format.format == Format::Table => plugin::write_error(&err, out),
        answered => answered,
    }
}

/// Prints what needs a look.
fn check(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let now = super::unix_now()?;
    let overview = look(args, &config, now)?;
    let problems = problems(args, &overview, now)?;
    if !(args.quiet && problems.is_empty()) {
        match style.format {
            Format::Table => plugin::write_answer(&overview, &problems, now, &style, out)?,
            Format::Json | Format::Csv | Format::Xlsx => {
                write(&check_document(&problems), &style, out)?
            }
        }
    }
    Ok(super::exit_code(problems.is_empty()))
}

/// Prints the days.
fn show(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let now = super::unix_now()?;
    let overview = look(args, &config, now)?;
    let listed = match (style.format, args.days) {
        (Format::Table, false) => ListedDays::NotPlain,
        (Format::Table, true) | (Format::Json | Format::Csv | Format::Xlsx, _) => ListedDays::All,
    };
    write(&status_document(&overview, listed, &style)?, &style, out)?;
    Ok(super::exit_code(overview.source.is_ok()))
}

fn look(args: &Args, config: &Config, now: i64) -> anyhow::Result<Overview> {
    let mut reader = Reader::open(&config.ledger)?;
    let state = reader.read(find_state)?;
    let zones = &state.zones;
    let today = zones.day_at(now)?;
    let asked = args.period.days(now, zones.newest())?;
    let range = match asked {
        Some(range) => Some(begun(range, state.days, today)?),
        None => usual_range(state.days, today, args.check),
    };
    let days = range.map(|range| reader.read(|snapshot| list_days(snapshot, range)));
    let days = days.transpose()?.unwrap_or_default();
    let coverage = reader.read(|snapshot| find_coverage(snapshot, range, today))?;
    let refusals = reader.read(|snapshot| list_refusals(snapshot, asked))?;
    let account_id_changes = reader.read(|snapshot| list_account_id_changes(snapshot, asked))?;
    let mut advice = None;
    let source = open_source(config).and_then(|mut source| {
        let progress = source.progress()?;
        if let Some(watermark) = progress.watermark {
            let newest = state.zones.day_at(watermark.finished_until - 1)?;
            let first = state.days.map_or(newest, DayRange::first).min(newest);
            let found = advise(DayRange::new(first, newest)?, &state.zones, &mut source)?;
            let program = |command: &str| args.config.program(command);
            advice = found.map(|advice| {
                let cure = advice.cure(state.days.is_some(), &program);
                let detail = format!("{}: {cure}", advice.misfit.offset_text());
                (advice, detail)
            });
        }
        Ok(progress)
    });
    Ok(Overview {
        state,
        today,
        range,
        future: asked.zip(range).and_then(left_out),
        days,
        complete: coverage.is_final(),
        refusals,
        account_id_changes,
        source,
        advice,
    })
}

/// Why days were refused. A day has one refusal at most.
fn list_refusals(
    snapshot: &Snapshot,
    range: Option<DayRange>,
) -> anyhow::Result<BTreeMap<Day, RefusedDay>> {
    let filter = FindingFilter {
        range,
        kind: Some(FindingKind::Refused.name()),
        acknowledged: ShowAcknowledged::Included,
        ..FindingFilter::default()
    };
    let findings = list_findings(snapshot, filter, Page::default())?;
    Ok(findings
        .into_iter()
        .map(|finding| {
            let refusal = RefusedDay {
                reason: finding.detail,
                acknowledged: finding.acknowledged_at.is_some(),
            };
            (finding.day, refusal)
        })
        .collect())
}

/// Those that nobody has acknowledged.
fn list_account_id_changes(
    snapshot: &Snapshot,
    range: Option<DayRange>,
) -> anyhow::Result<Vec<AccountIdChange>> {
    let filter = FindingFilter {
        range,
        kind: Some(FindingKind::AccountIdChanged.name()),
        ..FindingFilter::default()
    };
    let findings = list_findings(snapshot, filter, Page::default())?;
    let changes = findings.into_iter().map(|finding| AccountIdChange {
        day: finding.day,
        id: finding.id,
        detail: finding.detail,
    });
    Ok(changes.collect())
}

/// The part of a range that has begun, by the clock or by what the ledger holds.
fn begun(range: DayRange, held: Option<DayRange>, today: Day) -> anyhow::Result<DayRange> {
    let last = held.map_or(today, |held| today.max(held.last()));
    Ok(DayRange::new(range.first(), range.last().min(last))?)
}

/// What of the days asked for lies behind the days shown.
fn left_out((asked, shown): (DayRange, DayRange)) -> Option<DayRange> {
    DayRange::new(shown.last().next(), asked.last()).ok()
}

/// Up to yesterday, or further where the ledger holds more: all days for a check, else those of last month and
/// this one that are not before the ledger's first.
fn usual_range(held: Option<DayRange>, today: Day, all: bool) -> Option<DayRange> {
    let held = held?;
    let last = today.previous().max(held.last());
    let first = if all {
        held.first()
    } else {
        held.first().max(Month::of(last).previous().first_day())
    };
    DayRange::new(first, last).ok()
}

fn problems(args: &Args, overview: &Overview, now: i64) -> anyhow::Result<Vec<StatusProblem>> {
    let mut problems = Vec::new();
    let mut finished = None;
    match &overview.source {
        Ok(progress) => {
            problems.extend(source_problems(progress, &overview.state.zones, now)?);
            if let Some(watermark) = progress.watermark {
                finished = Some(finished_day(
                    watermark.finished_until,
                    &overview.state.zones,
                )?);
            }
        }
        Err(err) => problems.push(StatusProblem {
            kind: ProblemKind::SourceUnreachable,
            day: None,
            last_day: None,
            detail: format!("{err:#}"),
        }),
    }
    problems.extend(
        overview
            .advice
            .as_ref()
            .map(|(advice, detail)| StatusProblem {
                kind: ProblemKind::WrongZone,
                day: Some(advice.from),
                last_day: None,
                detail: detail.clone(),
            }),
    );
    if let Some(run) = &overview.state.last_import {
        let started = run.started_at.parse::<Utc>()?.unix();
        problems.extend(import_problem(run, started, now));
    }
    if overview.range.is_none() {
        problems.push(StatusProblem {
            kind: ProblemKind::DayMissing,
            day: None,
            last_day: None,
            detail: match overview.lacks_jobs() {
                true => NOTHING_TO_IMPORT.to_owned(),
                false => format!("the ledger is empty: {}", args.config.program("import")),
            },
        });
    }
    let words = DayWords {
        refusals: &overview.refusals,
        program: &|command| args.config.program(command),
    };
    problems.extend(day_problems(
        &overview.days,
        &words,
        finished,
        overview.today,
    ));
    let changes = &overview.account_id_changes;
    problems.extend(account_id_problems(changes, words.program));
    Ok(problems)
}
