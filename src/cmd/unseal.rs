//! `rbc-usage unseal`: imports may change these days again.

use std::io::Write;
use std::process::ExitCode;

use crate::arguments::{ConfigFile, FormatArgs, PeriodArgs};
use crate::day::Day;
use crate::ledger::read::days::DayFacts;
use crate::output::write;
use crate::plural::plural;
use crate::terminal;

/// Let imports change sealed days again
///
/// Values stay as they are. The next `rbc-usage import -f` of the days (or any import, if
/// import.reread is update) applies their pending corrections, which stay listed as applied.
///
/// Exit code: 0 fine, whether the days were sealed or not; 1 days of the period are missing in the
/// ledger; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Example: rbc-usage unseal 2013-06")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    #[command(flatten)]
    format: FormatArgs,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let now = super::unix_now()?;
    let today = config.zone.day_at(now)?;
    let mut held = super::hold_days(&config, &args.period, now)?;
    let coverage = held.coverage(today)?;
    for line in coverage.absences() {
        terminal::eprint_line(&line);
    }
    let sealed = |facts: &&DayFacts| facts.sealed_at.is_some();
    let unsealed: Vec<Day> = held
        .days
        .iter()
        .filter(sealed)
        .map(|facts| facts.day)
        .collect();
    held.ledger.unseal_days(&unsealed)?;
    let mut notes = vec![format!(
        "{} to {}: {} not sealed any more",
        held.range.first(),
        held.range.last(),
        plural(unsealed.len(), "day")
    )];
    for facts in held
        .days
        .iter()
        .filter(sealed)
        .filter(|facts| facts.pending_corrections > 0)
    {
        let day = facts.day;
        let pending = plural(facts.pending_corrections, "pending correction");
        notes.push(format!(
            "{day}: {pending}, taken over by {} -s {day} -f",
            args.config.program("import")
        ));
    }
    let document = held.document(config.zone.name(), today, notes)?;
    write(&document, &style, out)?;
    Ok(super::exit_code(coverage.is_whole()))
}
