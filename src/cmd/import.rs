//! `rbc-usage import`: extract, aggregate and store daily usage. One line a day on stdout; on stderr what a
//! person should look at.

mod lines;
mod on_done;
mod report;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::arguments::{ConfigFile, FormatArgs, PeriodArgs, begun, whole};
use crate::day::DayRange;
use crate::import::{ImportRequest, Surroundings, import};
use crate::instant::Utc;
use crate::ledger::Ledger;
use crate::ledger::lock::ImportLock;
use crate::open::open_source;
use crate::output;
use crate::terminal::eprint_line;
use crate::zone::Zone;
use lines::ImportLines;
use report::Report;

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
/// source or is missing between other days, an account's id has come to mean something else, no
/// CloudStack job allows a day to be closed, or a time zone or clock is wrong; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage import                              catch up\n  \
    rbc-usage import --quiet                      for cron: what needs a look\n  \
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
    /// Print nothing, on stdout and stderr, if the exit code is 0; else all there is to print, at the end
    #[arg(short, long)]
    quiet: bool,
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
        super::initialise_ledger(&args.config, &config, out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let range = days_asked_for(&args, super::unix_now()?, &config.zone)?;
    wait_at_random(args.splay);
    let waiting_since = Utc::at(super::unix_now()?)?.to_string();
    let lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &waiting_since)?;
    let began = Instant::now();
    let clock = super::unix_now()?;
    let now = Utc::at(clock)?.to_string();
    let mut nowhere = io::sink();
    let out_of_lines: &mut dyn Write = match args.format.format {
        output::Format::Table => &mut *out,
        output::Format::Json | output::Format::Csv | output::Format::Xlsx => &mut nowhere,
    };
    let lines = &mut ImportLines::new(out_of_lines, args.quiet);
    let mut ledger = Ledger::open(&config.ledger, config.zone.name(), args.dry_run)?;
    let request = ImportRequest {
        range,
        force: args.force,
        reread: config.import.reread,
        reread_days: config.import.reread_days,
        lines_per: super::lines_per(&config),
        unusual: config.import.unusual.as_ref(),
        timezone: config.zone.name(),
        now: &now,
        clock,
    };
    let surroundings = Surroundings {
        open_source: &|| open_source(&config),
        program: &|command| args.config.program(command),
        end: &|| Ok((Utc::at(super::unix_now()?)?.to_string(), began.elapsed())),
    };
    let mut report = Report::default();
    let imported = import(&request, &surroundings, &mut ledger, &mut |progress| {
        report.add(progress, lines)
    });
    // The command of on_done may want them.
    drop((ledger, lock));
    if let Ok(finished) = &imported {
        report::summary(finished, args.dry_run, lines)?;
    }
    let is_fine = imported
        .as_ref()
        .is_ok_and(|finished| !finished.needs_a_look);
    if !is_fine {
        lines.release();
    }
    let document = report.document(&imported, args.dry_run);
    if let Some(on_done) = config.import.on_done.as_ref().filter(|_| !args.dry_run)
        && let Err(err) = on_done::run(on_done, &document)
    {
        eprint_line(&format!("import.on_done: {err:#}"));
    }
    imported?;
    lines.insist()?;
    if args.format.format != output::Format::Table && !(args.quiet && is_fine) {
        output::write(&document, &args.format.style()?, out)?;
    }
    Ok(super::exit_code(is_fine))
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
