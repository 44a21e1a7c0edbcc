//! `rbc-usage import`: extract, aggregate and store daily usage. One line a day on stdout; on stderr what a
//! person should look at.

mod telling;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::arguments::{ConfigFile, FormatArgs, PeriodArgs, begun, whole};
use crate::config::{Config, Reread};
use crate::day::{Day, DayRange, in_ranges};
use crate::import::{
    Cut, DayReport, Misfits, Request, advise, is_closed, plan, reread, run as import,
};
use crate::instant::Utc;
use crate::ledger::Ledger;
use crate::ledger::day::ClosedDay;
use crate::ledger::lock::ImportLock;
use crate::ledger::refusals::{Cause, Refusal};
use crate::ledger::runs::RunOutcome;
use crate::open::open_source;
use crate::output;
use crate::plural::plural;
use crate::source::{Source, Watermark};
use crate::status::{CLOCKS_DIFFER, without_jobs};
use crate::terminal;
use crate::zone::Zone;
use crate::zones::Zones;
use telling::{Total, tell};

/// Refused days that are told in full; the ledger's findings hold all of them.
const REFUSALS_TOLD: usize = 10;

/// Import daily usage from CloudStack into the ledger
///
/// Without a period, import catches up: it imports every day after the newest closed day, up to the
/// last day that CloudStack's usage server has finished. Every import also completes days that were
/// imported before the usage server had finished them.
///
/// Days that CloudStack cut in a time zone other than the ledger's are refused. Every import names
/// a refused day until the day is imported or acknowledged (`rbc-usage findings ack`).
///
/// Exit code: 0 done; 1 done, but something needs a look: a day was refused, differs from the
/// source or is missing between other days, no CloudStack job allows a day to be closed, or a time
/// zone or clock is wrong; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage import                              catch up, as cron does each day\n  \
    rbc-usage import -s 2013-06-01 -e 2013-06-05  some days\n  \
    rbc-usage import --month 2013-06              a month\n  \
    rbc-usage import -s 2013-06-01 --dry-run      what would a day bring?\n  \
    rbc-usage import -s 2013-06-01 -f             take over changes of the source")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Overwrite closed days and keep the old values as corrections. Also store days whose windows belong to
    /// another time zone, with a finding
    #[arg(short, long)]
    force: bool,
    /// Do everything and report the same, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// First wait a random time of up to SECONDS (a day at most), so that many crontabs do not start at once
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = splay)]
    splay: u64,
    /// Do not wait, which is the default (for old crontabs)
    #[arg(short, long, conflicts_with = "splay")]
    no_splay: bool,
    /// Only initialise the ledger, as `rbc-usage initdb` does
    #[arg(short, long)]
    initdb: bool,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    if args.initdb {
        super::initialise_ledger(&config, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let range = days_asked_for(&args, super::unix_now()?, &config.zone)?;
    wait_at_random(args.splay);
    let waiting_since = Utc::at(super::unix_now()?)?.to_string();
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &waiting_since)?;
    let began = Instant::now();
    let clock = super::unix_now()?;
    let now = Utc::at(clock)?.to_string();
    let mut nowhere = io::sink();
    let lines: &mut dyn Write = match args.format.format {
        output::Format::Table => &mut *out,
        output::Format::Json | output::Format::Csv => &mut nowhere,
    };
    let lines = &mut Report {
        out: lines,
        broken: None,
    };
    let mut ledger = Ledger::open(&config.ledger, config.zone.name(), args.dry_run)?;
    let zones = ledger.zones().clone();
    let run = ledger.begin_run(&now)?;
    let mut total = Total::default();
    let request = Request {
        range,
        closed_day: match args.force {
            true => ClosedDay::Overwrite,
            false => ClosedDay::AddMissing,
        },
        zones: &zones,
        misfits: match args.force {
            true => Misfits::Stored,
            false => Misfits::Refused,
        },
        cut: Cut::AsBefore,
        now: &now,
        clock,
        provisional_from: None,
    };
    let program = &|command: &str| args.config.program(command);
    let done = import_all(&config, program, request, &mut ledger, &mut total, lines);
    let took = began.elapsed();
    let ended = Utc::at(super::unix_now()?)?.to_string();
    let run_total = total.of_run(took);
    match done {
        Ok(watermark) => {
            let refusals = ledger.list_refusals()?;
            let needs_a_look = total.needs_a_look
                | tell_refusals(&refusals, &args)
                | tell_gap(&ledger, &refusals, watermark, clock)?;
            let (outcome, code) = match needs_a_look {
                true => (RunOutcome::NeedsALook, ExitCode::from(1)),
                false => (RunOutcome::Done, ExitCode::SUCCESS),
            };
            ledger.finish_run(run, &ended, outcome, &run_total, None)?;
            total.tell(lines, args.dry_run, took)?;
            lines.insist()?;
            if args.format.format != output::Format::Table {
                let document = total.document(args.dry_run, needs_a_look, took);
                output::write(&document, args.format.style(), out)?;
            }
            Ok(code)
        }
        Err(err) => {
            let said = format!("{err:#}");
            // The error that led here is the one to tell.
            let _ = ledger.finish_run(run, &ended, RunOutcome::Error, &run_total, Some(&said));
            Err(err)
        }
    }
}

/// Imports all days there are to import. Answers how far the source has got.
fn import_all(
    config: &Config,
    program: &dyn Fn(&str) -> String,
    mut request: Request,
    ledger: &mut Ledger,
    total: &mut Total,
    out: &mut dyn Write,
) -> anyhow::Result<Option<Watermark>> {
    let mut source = open_source(config)?;
    for limitation in source.limitations() {
        terminal::eprint_line(&limitation);
    }
    let progress = source.progress()?;
    let watermark = progress.watermark;
    let provisional = progress.provisional_since;
    let provisional = provisional.map(|since| request.zones.day_at(since));
    let provisional_from = provisional.transpose()?;
    // Those that were told to be provisional before this import: of others nobody has been warned.
    request.provisional_from = ledger.provisional_from()?;
    let days = plan(&request, watermark, &mut source, ledger)?;
    total.needs_a_look |= warn_of_other_zone(&mut source, request.zones, &days)?;
    total.needs_a_look |= warn_of_future(watermark, request.clock)?;
    total.needs_a_look |= warn_of_no_jobs(&mut source, watermark)?;
    let bar = terminal::progress_bar(days.len());
    let mut reached = BTreeSet::new();
    let mut misfit = None;
    import(&days, &request, &mut source, ledger, &mut |report| {
        total.add(&report);
        misfit = misfit.max(report.wrong_zone.as_ref().map(|_| report.day));
        reached.extend(report.reaches_back());
        bar.inc(1);
        bar.suspend(|| tell(&report, out))
    })?;
    bar.finish_and_clear();
    let request = Request {
        closed_day: match config.import.reread {
            Reread::Report => ClosedDay::ReportOnly,
            Reread::Update => ClosedDay::Overwrite,
        },
        misfits: Misfits::Refused,
        ..request
    };
    let within = config.import.reread_days;
    let mut on_day = |report: DayReport| {
        total.add_reread(&report);
        misfit = misfit.max(report.wrong_zone.as_ref().map(|_| report.day));
        if report.tells_something() {
            tell(&report, out)?;
        }
        Ok(())
    };
    let looked_at = reread(
        within,
        &days,
        reached,
        &request,
        &mut source,
        ledger,
        &mut on_day,
    )?;
    if let Some(day) = misfit {
        advise_on_zone(config, day, ledger, &mut source, program)?;
    }
    total.looked_at = looked_at;
    ledger.set_provisional_from(provisional_from)?;
    ledger
        .sum_months()
        .context("all days are imported, but not every month is added up")?;
    Ok(watermark)
}

/// Names the days that an import has refused, this one or another, and that nobody has settled. Answers whether there
/// are any.
fn tell_refusals(refusals: &[Refusal], args: &Args) -> bool {
    let open = refusals.iter().filter(|one| !one.acknowledged);
    let (misfits, open): (Vec<&Refusal>, Vec<&Refusal>) =
        open.partition(|one| one.cause == Cause::WrongZone);
    let findings = args.config.program("findings");
    for refusal in open.iter().take(REFUSALS_TOLD) {
        let Refusal { day, reason, .. } = refusal;
        let repair = match refusal.cause {
            Cause::BadRow => format!(
                "repair the row and run {} -s {day}, or ",
                args.config.program("import")
            ),
            Cause::SourceGone | Cause::WrongZone => String::new(),
        };
        let id = refusal.id;
        terminal::eprint_line(&format!(
            "{day} is refused: {reason}: {repair}acknowledge it with {findings} ack {id} --reason TEXT"
        ));
    }
    if open.len() > REFUSALS_TOLD {
        let more = plural(open.len() - REFUSALS_TOLD, "refused day");
        terminal::eprint_line(&format!("{more} more: {findings} --kind refused"));
    }
    // One zone cures them all.
    if !misfits.is_empty() {
        let days: Vec<Day> = misfits.iter().map(|refusal| refusal.day).collect();
        terminal::eprint_line(&format!(
            "refused for the zone: {}: {findings} --kind refused",
            in_ranges(&days)
        ));
    }
    !open.is_empty() || !misfits.is_empty()
}

/// Names days that are missing between others, though the source has finished them. Answers whether there are any.
fn tell_gap(
    ledger: &Ledger,
    refusals: &[Refusal],
    watermark: Option<Watermark>,
    clock: i64,
) -> anyhow::Result<bool> {
    let mut missing = ledger.list_missing_days()?;
    let refused = |day: Day| refusals.iter().any(|refusal| refusal.day == day);
    missing.retain(|day| is_closed(*day, ledger.zones(), watermark, clock) && !refused(*day));
    if !missing.is_empty() {
        terminal::eprint_line(&format!(
            "missing between other days: {}: import with -s and -e",
            in_ranges(&missing)
        ));
    }
    Ok(!missing.is_empty())
}

/// Where the report goes. An output that breaks must not stop an import: it is remembered, and told at the end.
struct Report<'a> {
    out: &'a mut dyn Write,
    broken: Option<io::Error>,
}

impl Report<'_> {
    /// Fails if a part of the report was lost. That nobody reads it any more is no failure.
    fn insist(&mut self) -> anyhow::Result<()> {
        match self.broken.take() {
            Some(err) if err.kind() != io::ErrorKind::BrokenPipe => {
                Err(err).context("all is imported, but the report could not be written")
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Write for Report<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken.is_none()
            && let Err(err) = self.out.write_all(bytes)
        {
            self.broken = Some(err);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.broken.is_none()
            && let Err(err) = self.out.flush()
        {
            self.broken = Some(err);
        }
        Ok(())
    }
}

/// A usage server that claims to have finished what has not been yet. Answers whether it does.
fn warn_of_future(watermark: Option<Watermark>, clock: i64) -> anyhow::Result<bool> {
    let ahead = watermark.filter(|watermark| watermark.finished_until > clock + CLOCKS_DIFFER);
    if let Some(watermark) = ahead {
        terminal::eprint_line(&format!(
            "the usage server says that usage is finished until {}, and it is {}: one of the clocks is wrong; days that \
             have not ended are not closed",
            Utc::at(watermark.finished_until)?,
            Utc::at(clock)?
        ));
    }
    Ok(ahead.is_some())
}

/// Usage rows that no job says are finished. Answers whether there are any.
fn warn_of_no_jobs(source: &mut Source, watermark: Option<Watermark>) -> anyhow::Result<bool> {
    let newest = match watermark {
        Some(_) => None,
        None => source.newest_row()?,
    };
    if let Some(newest) = newest {
        terminal::eprint_line(&format!(
            "{}; until then, import -s DAY stores what there is as an open day",
            without_jobs(newest)?
        ));
    }
    Ok(newest.is_some())
}

fn splay(text: &str) -> anyhow::Result<u64> {
    whole(text, 0, 86_400)
}

/// The days of the command line; refuses those that have not begun.
fn days_asked_for(args: &Args, now: i64, zone: &Zone) -> anyhow::Result<Option<DayRange>> {
    let Some(range) = args.period.days(now, zone)? else {
        return Ok(None);
    };
    let last = DayRange::new(range.last(), range.last())?;
    begun(last, zone.day_at(now)?, zone)?;
    Ok(Some(range))
}

fn wait_at_random(up_to_seconds: u64) {
    if up_to_seconds > 0 {
        // A hasher of the standard library is seeded by the system: random enough to spread crontabs.
        let random = RandomState::new().hash_one(std::process::id());
        std::thread::sleep(Duration::from_secs(random % (up_to_seconds + 1)));
    }
}

/// Says what to do about days that were refused for their zone, the last of which is `day`.
fn advise_on_zone(
    config: &Config,
    day: Day,
    ledger: &Ledger,
    source: &mut Source,
    program: &dyn Fn(&str) -> String,
) -> anyhow::Result<()> {
    let first = ledger.list_days_from(None)?.first().copied();
    let days = DayRange::new(first.unwrap_or(day).min(day), day)?;
    if let Some(advice) = advise(days, ledger.zones(), source)? {
        let (zone, cure) = (config.zone.name(), advice.cure(first.is_some(), program));
        terminal::eprint_line(&format!(
            "main.timezone = {zone} is not CloudStack's zone: {cure}"
        ));
    }
    Ok(())
}

/// Zones of different names that agree on the days in question are as good as one.
fn warn_of_other_zone(source: &mut Source, zones: &Zones, days: &[Day]) -> anyhow::Result<bool> {
    let Some(theirs) = source.aggregation_timezone()? else {
        return Ok(false);
    };
    // Java, and so CloudStack, takes a name it does not know for GMT.
    let other = Zone::parse(&theirs).or_else(|_| Zone::parse("GMT"))?;
    let differ = days
        .iter()
        .any(|day| zones.midnight(*day) != other.midnight(*day));
    if differ {
        terminal::eprint_line(&format!(
            "main.timezone is {}, CloudStack's usage.aggregation.timezone is {theirs:?}: main.timezone has to be the same",
            zones.name()
        ));
    }
    Ok(differ)
}
