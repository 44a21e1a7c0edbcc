//! The commands, one a file.

pub mod backup;
pub mod check;
pub mod copy;
pub mod corrections;
pub mod explain;
pub mod findings;
pub mod import;
pub mod initdb;
pub mod passwd;
pub mod prune;
pub mod report;
pub mod rezone;
pub mod sample;
pub mod seal;
pub mod serve;
pub mod statement;
pub mod status;
pub mod unseal;
pub mod verify;

use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;

use crate::arguments::{ConfigFile, PeriodArgs};
use crate::config::Config;
use crate::instant::Utc;
use crate::ledger::Initialised;
use crate::ledger::day::LinesPer;
use crate::open;
use crate::sealing::LockedDays;
use crate::terminal;

/// Seconds since 1970 UTC.
fn unix_now() -> anyhow::Result<i64> {
    Ok(i64::try_from(
        SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    )?)
}

/// 0, or 1 where something needs a look.
fn exit_code(fine: bool) -> ExitCode {
    ExitCode::from(if fine { 0 } else { 1 })
}

/// Holds the days of a command line against imports; it has to name some.
fn hold_days(config: &Config, period: &PeriodArgs, now: i64) -> anyhow::Result<LockedDays> {
    let range = period.days(now, &config.zone)?;
    let range = range.context("which days? Write a month, such as 2013-06, or last-month")?;
    open::hold_days(config, range, &Utc::at(now)?.to_string())
}

/// What the lines of the days that are written tell apart.
fn lines_per(config: &Config) -> LinesPer {
    match config.import.lines {
        true => LinesPer::Resource,
        false => LinesPer::Sku,
    }
}

/// Creates or upgrades the ledger, and prints which.
fn initialise_ledger(
    args: &ConfigFile,
    config: &Config,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let now = Utc::at(unix_now()?)?.to_string();
    let bar = terminal::step_bar();
    let mut on_step = |step| terminal::show_step(&bar, step);
    let initialised = open::initialise_ledger(config, &now, &mut on_step);
    bar.finish_and_clear();
    let initialised = initialised?;
    let done = match &initialised {
        Initialised::Created => "created".to_owned(),
        Initialised::Upgraded { from, .. } => format!("upgraded from schema {from}"),
        Initialised::Current => "is current".to_owned(),
    };
    writeln!(out, "ledger {} {done}", config.ledger)?;
    if let Initialised::Upgraded {
        without_lines: Some((first, last)),
        ..
    } = initialised
    {
        let import = args.program("import");
        writeln!(
            out,
            "{first} to {last}: lines without resource, zone and size; {import} -s DAY -e DAY -f fills in days whose \
             usage records CloudStack still has, and changes no figure where these are as they were"
        )?;
    }
    Ok(())
}
