//! `rbc-usage prune`: a smaller ledger, for which old VMs and volumes need not be told apart any more.

use std::io::Write;
use std::process::ExitCode;

use anyhow::ensure;

use crate::arguments::{ConfigFile, ListFormatArgs};
use crate::instant::Utc;
use crate::ledger::step::Step;
use crate::month::Month;
use crate::open;
use crate::output::{Column, Document, Tone, Value, write};
use crate::plural::plural;
use crate::terminal;

/// Forget which VMs and volumes sealed months are made of
///
/// Of each account's day, what is priced alike becomes one line: of the same metric, zone, offering
/// and size. All figures stay as they are, but for those of single VMs, volumes and other resources,
/// which are gone for good: addresses, too, are no longer told apart by `report --by zone,offering`.
/// Corrections made before still name their VMs. A month with a day that is not sealed is named and
/// stays as it is.
///
/// Exit code: 0 done, also if there was nothing to do; 1 a month stayed as it is; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Example: rbc-usage prune --before 2020-01")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The first month that stays as it is, YYYY-MM
    #[arg(long, value_name = "MONTH")]
    before: Month,
    #[command(flatten)]
    format: ListFormatArgs,
}

const COLUMNS: [Column; 4] = [
    Column::shown("month", "month"),
    Column::shown("state", "state"),
    Column::shown("lines_before", "lines before"),
    Column::shown("lines", "lines"),
];

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    style.check_columns(&COLUMNS)?;
    let config = args.config.load()?;
    let now = super::unix_now()?;
    let this_month = Month::of(config.zone.day_at(now)?);
    let before = args.before;
    ensure!(
        before <= this_month,
        "--before {before}: this month is {this_month}"
    );
    let (_lock, mut ledger) = open::open_alone(&config, &Utc::at(now)?.to_string())?;
    let unfolded = ledger.list_unfolded(before)?;
    let bar = terminal::step_bar();
    let mut rows = Vec::new();
    let (mut lines_before, mut lines, mut kept) = (0, 0, Vec::new());
    for (done, one) in (0..).zip(&unfolded) {
        let month = Value::Text(one.month.to_string());
        if !one.sealed {
            kept.push(one.month.to_string());
            let state = Value::State("not sealed", Tone::Doubtful);
            rows.push(vec![month, state, Value::Nothing, Value::Nothing]);
            continue;
        }
        // A count of months fits 64 bits.
        let of = Some(unfolded.len() as u64);
        let doing = "folding lines";
        terminal::show_step(&bar, Step { doing, done, of });
        let folded = ledger.fold_month(one.month)?;
        lines_before += folded.before;
        lines += folded.after;
        let state = Value::State("folded", Tone::Good);
        let counts = [folded.before, folded.after].map(Value::Count);
        rows.push([vec![month, state], counts.to_vec()].concat());
    }
    bar.finish_and_clear();
    let folded = unfolded.len() - kept.len();
    let months = plural(folded, "month");
    let mut notes = vec![match folded {
        0 => format!("nothing to fold before {before}"),
        _ => format!("{months} folded: {lines_before} lines are {lines} now"),
    }];
    if !kept.is_empty() {
        let kept = kept.join(", ");
        notes.push(format!("not sealed, and as it was: {kept}"));
    }
    let document = Document {
        rows_name: "months",
        facts: vec![
            ("before", Value::Text(before.to_string())),
            ("lines_before", Value::Count(lines_before)),
            ("lines", Value::Count(lines)),
        ],
        columns: COLUMNS.to_vec(),
        rows,
        notes,
        ..Document::default()
    };
    write(&document, &style, out)?;
    Ok(super::exit_code(kept.is_empty()))
}
