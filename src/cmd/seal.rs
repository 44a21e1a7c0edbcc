//! `rbc-usage seal`: from now on these days are what was invoiced.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use crate::arguments::PeriodArgs;
use crate::day::Day;
use crate::ledger::Ledger;
use crate::ledger::lock::ImportLock;
use crate::ledger::read::Reader;
use crate::ledger::read::days::{DayFacts, DayState, list_days};

/// Keep days as they are, for good
///
/// No import changes a sealed day, -f included. What the source says differently afterwards is kept as a pending
/// correction (see `rbc-usage corrections`), to be charged or credited later. Days that are missing or open, that
/// differ from their source or were refused, or were not verified since they were written, are named, and
/// nothing is sealed.
///
/// Exit code: 0 sealed; 1 refused, or with --anyway: a day could not be sealed; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage verify last-month && rbc-usage seal last-month\n  \
    rbc-usage seal 2013-06 --anyway")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    /// Seal every closed day, whatever there is to be said against it
    #[arg(long)]
    anyway: bool,
}

/// What speaks against sealing a day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    Missing,
    Open,
    Refused,
    Differing,
    Unverified,
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
    let doubts: Vec<(Day, Doubt)> = days.iter().filter_map(doubt).collect();
    for (kind, words) in [
        (Doubt::Missing, "missing in the ledger"),
        (Doubt::Open, "not finished"),
        (Doubt::Refused, "refused by an import"),
        (Doubt::Differing, "different from the source"),
        (
            Doubt::Unverified,
            "not found equal to the source since they were written",
        ),
    ] {
        let of_kind = doubts.iter().filter(|(_, doubt)| *doubt == kind);
        let named: Vec<String> = of_kind.map(|(day, _)| day.to_string()).collect();
        if !named.is_empty() {
            super::eprint_line(&format!("{words}: {}", named.join(", ")));
        }
    }
    if !doubts.is_empty() && !args.anyway {
        super::eprint_line("nothing is sealed; --anyway seals the days that are closed");
        return Ok(ExitCode::from(1));
    }
    let closed = |facts: &&DayFacts| !matches!(facts.state, DayState::Missing | DayState::Open);
    let closed: Vec<Day> = days.iter().filter(closed).map(|facts| facts.day).collect();
    ledger.seal_days(&closed, &now)?;
    writeln!(
        out,
        "{} to {}: {} of {} days are sealed",
        range.first(),
        range.last(),
        closed.len(),
        days.len()
    )?;
    Ok(match closed.len() == days.len() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

fn doubt(facts: &DayFacts) -> Option<(Day, Doubt)> {
    let doubt = match facts.state {
        DayState::Sealed => return None,
        _ if facts.sealed_at.is_some() => return None,
        DayState::Missing => Doubt::Missing,
        DayState::Open => Doubt::Open,
        DayState::Refused => Doubt::Refused,
        DayState::Differing => Doubt::Differing,
        DayState::Closed if facts.verified_at.is_none() => Doubt::Unverified,
        DayState::Closed => return None,
    };
    Some((facts.day, doubt))
}
