//! `rbc-usage unseal`: imports may change these days again.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::arguments::PeriodArgs;
use crate::day::Day;
use crate::ledger::Ledger;
use crate::ledger::lock::ImportLock;
use crate::ledger::read::Reader;
use crate::ledger::read::days::{DayFacts, list_days};

/// Let imports change sealed days again
///
/// Values stay as they are. Pending corrections come into them with the next `rbc-usage import -f` of the days
/// (or with any import, if import.reread is update) and stay listed as applied.
#[derive(clap::Args)]
#[command(after_help = "Example: rbc-usage unseal 2013-06")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let now = super::unix_now()?;
    let asked = args.period.days(config.zone.day_at(now)?)?;
    let range = asked.context("which days? Write a month, such as 2013-06, or last-month")?;
    let now = super::utc_text(now)?;
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &now)?;
    let mut ledger = Ledger::open(&config.ledger, config.zone.name(), false)?;
    let days = Reader::open(&config.ledger)?.read(|snapshot| list_days(snapshot, range))?;
    let sealed = |facts: &&DayFacts| facts.sealed_at.is_some();
    let sealed: Vec<&DayFacts> = days.iter().filter(sealed).collect();
    let unsealed: Vec<Day> = sealed.iter().map(|facts| facts.day).collect();
    ledger.unseal_days(&unsealed)?;
    writeln!(
        out,
        "{} to {}: {} days were sealed and are not any more",
        range.first(),
        range.last(),
        unsealed.len()
    )?;
    for facts in sealed.iter().filter(|facts| facts.pending_corrections > 0) {
        let (day, pending) = (facts.day, facts.pending_corrections);
        writeln!(
            out,
            "{day}: {pending} pending corrections; rbc-usage import -s {day} -f takes them over"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
