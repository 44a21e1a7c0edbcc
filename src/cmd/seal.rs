//! `rbc-usage seal`: from now on these days are what was invoiced.

use std::io::Write;
use std::process::ExitCode;

use crate::arguments::{ConfigFile, FormatArgs, PeriodArgs};
use crate::day::{Day, in_ranges};
use crate::instant::Utc;
use crate::ledger::read::days::DayFacts;
use crate::output::write;
use crate::plural::plural;
use crate::sealing::{OBJECTIONS, SealObjection, objection};
use crate::terminal;

/// Keep the figures of days for good
///
/// No import changes a sealed day, not even with -f. Whatever the source says differently
/// afterwards becomes a pending correction (see `rbc-usage corrections`), to be charged or credited
/// later. If a day is missing or open, differs from its source, was refused, or was not verified
/// since it was written, seal names it and seals nothing.
///
/// Exit code: 0 sealed; 1 refused, or with --anyway: a day could not be sealed; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage verify last-month && rbc-usage seal last-month\n  \
    rbc-usage seal 2013-06 --anyway")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    /// Seal every closed day, whatever the objections
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    format: FormatArgs,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let now = super::unix_now()?;
    let today = config.zone.day_at(now)?;
    let mut held = super::hold_days(&config, &args.period, now)?;
    let objections: Vec<(Day, SealObjection)> = held
        .days
        .iter()
        .filter_map(|facts| Some((facts.day, objection(facts, today)?)))
        .collect();
    for kind in OBJECTIONS {
        let of_kind = objections
            .iter()
            .filter(|(_, objection)| *objection == kind);
        let days: Vec<Day> = of_kind.map(|(day, _)| *day).collect();
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            let said = format!("{}: {}", kind.in_words(), in_ranges(&days));
            terminal::eprint_line(&match cure(kind, &args, *first, *last) {
                Some(command) => format!("{said}: {command}"),
                None => said,
            });
        }
    }
    let mut notes = Vec::new();
    if objections.is_empty() || args.anyway {
        let forbidden =
            |facts: &&DayFacts| objection(facts, today).is_some_and(SealObjection::forbids);
        let days = held.days.iter().filter(|facts| !forbidden(facts));
        let days: Vec<Day> = days.map(|facts| facts.day).collect();
        held.ledger.seal_days(&days, &Utc::at(now)?.to_string())?;
        notes.push(format!(
            "{} to {}: {} of {} sealed",
            held.range.first(),
            held.range.last(),
            days.len(),
            plural(held.days.len(), "day")
        ));
    } else {
        terminal::eprint_line("nothing is sealed; --anyway seals the days that are closed");
    }
    let document = held.document(config.zone.name(), today, notes)?;
    write(&document, &style, out)?;
    let cannot_be = |(_, objection): &(Day, SealObjection)| !args.anyway || objection.forbids();
    Ok(super::exit_code(!objections.iter().any(cannot_be)))
}

/// The command that settles an objection about these days.
fn cure(objection: SealObjection, args: &Args, first: Day, last: Day) -> Option<String> {
    let (command, days) = match objection {
        SealObjection::Missing => ("import", format!("-s {first} -e {last}")),
        SealObjection::Refused | SealObjection::Differing => {
            ("findings", format!("{first}..{last}"))
        }
        SealObjection::Unverified => ("verify", format!("{first}..{last}")),
        SealObjection::Future | SealObjection::Open | SealObjection::Provisional => return None,
    };
    Some(format!("{} {days}", args.config.program(command)))
}
