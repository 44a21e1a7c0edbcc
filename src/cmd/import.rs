//! `rbc-usage import`: extract, aggregate and store daily usage. One line a day on stdout; on stderr what a
//! person should look at.

mod report;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::arguments::{ConfigFile, FormatArgs, PeriodArgs, begun, whole};
use crate::day::DayRange;
use crate::import::{ImportRequest, Surroundings, import};
use crate::instant::Utc;
use crate::ledger::Ledger;
use crate::ledger::lock::ImportLock;
use crate::open::open_source;
use crate::output;
use crate::zone::Zone;
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
        super::initialise_ledger(&args.config, &config, out)?;
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
    let lines = &mut Output {
        out: lines,
        broken: None,
    };
    let mut ledger = Ledger::open(&config.ledger, config.zone.name(), args.dry_run)?;
    let request = ImportRequest {
        range,
        force: args.force,
        reread: config.import.reread,
        reread_days: config.import.reread_days,
        lines_per: super::lines_per(&config),
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
    let finished = import(&request, &surroundings, &mut ledger, &mut |progress| {
        report.add(progress, lines)
    })?;
    report::summary(&finished, args.dry_run, lines)?;
    lines.insist()?;
    if args.format.format != output::Format::Table {
        let document = report.document(&finished, args.dry_run);
        output::write(&document, args.format.style(), out)?;
    }
    Ok(super::exit_code(!finished.needs_a_look))
}

/// Where the report goes. An output that breaks must not stop an import: the error is kept, and reported at the end.
struct Output<'a> {
    out: &'a mut dyn Write,
    broken: Option<io::Error>,
}

impl Output<'_> {
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

impl Write for Output<'_> {
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
