//! What an import reports of its days: a line each for people as it goes, all of them at its end for programs.

use std::io::Write;

use indicatif::ProgressBar;

use super::lines::ImportLines;
use crate::causes;
use crate::import::{DayReport, Finished, ImportEvent, Outcome};
use crate::ledger::day::{Completion, Written};
use crate::output::{Column, Document, Tone, Unit, Value};
use crate::plural::plural;
use crate::printable::printable;
use crate::terminal::progress_bar;

/// Differences of one day that are named in full; the ledger's findings hold all of them.
const NAMED_DIFFERENCES: usize = 10;

/// The report as it grows.
#[derive(Default)]
pub struct Report {
    bar: Option<ProgressBar>,
    /// A row a day, for programs.
    rows: Vec<Vec<Value>>,
}

impl Report {
    pub fn add(&mut self, progress: ImportEvent, lines: &mut ImportLines) -> anyhow::Result<()> {
        match progress {
            ImportEvent::Notice(line) => lines.eprint(&line),
            ImportEvent::Due(days) => {
                self.bar = Some(match lines.are_held() {
                    true => ProgressBar::hidden(),
                    false => progress_bar(days),
                });
            }
            ImportEvent::Imported(report) => {
                self.rows.push(row(report, Reason::Asked));
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                    bar.suspend(|| {
                        print_account_changes(report, lines);
                        print_day(report, lines)
                    })?;
                }
            }
            ImportEvent::AllImported => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
            ImportEvent::Reread(report) => {
                print_account_changes(report, lines);
                if report.is_news() {
                    self.rows.push(row(report, Reason::Changed));
                    print_day(report, lines)?;
                }
            }
        }
        Ok(())
    }

    /// The same for programs, once all is done: facts, and the days that are in the ledger. After an error there are no
    /// sums.
    pub fn document(&self, imported: &anyhow::Result<Finished>, dry_run: bool) -> Document {
        let (outcome, error) = match imported {
            Ok(finished) if finished.needs_a_look => ("needs_a_look", None),
            Ok(_) => ("done", None),
            Err(err) => ("error", Some(causes::in_one_line(err))),
        };
        let mut facts = vec![
            ("dry_run", Value::Truth(dry_run)),
            ("outcome", Value::Text(outcome.to_owned())),
            ("error", Value::text(error)),
        ];
        if let Ok(finished) = imported {
            facts.extend(sums(finished));
        }
        Document {
            facts,
            rows_name: "days",
            columns: COLUMNS.map(|name| Column::shown(name, name)).to_vec(),
            rows: self.rows.clone(),
            ..Document::default()
        }
    }
}

fn sums(finished: &Finished) -> Vec<(&'static str, Value)> {
    let totals = &finished.totals;
    vec![
        ("needs_a_look", Value::Truth(finished.needs_a_look)),
        ("days_imported", Value::Count(totals.days)),
        (
            "days_changed_in_the_source",
            Value::Count(totals.reread_days),
        ),
        // Counts of days fit 64 bits.
        (
            "days_looked_at_again",
            Value::Count(totals.looked_at.days as u64),
        ),
        (
            "looked_at_again_from",
            Value::text(totals.looked_at.first.map(|day| day.to_string())),
        ),
        ("source_rows", Value::Count(totals.rows)),
        ("hidden_rows", Value::Count(totals.hidden_rows)),
        (
            "per_vm_volume_rows",
            Value::Count(totals.per_vm_volume_rows),
        ),
        ("records_added", Value::Count(totals.added)),
        ("records_overwritten", Value::Count(totals.overwritten)),
        ("findings", Value::Count(totals.findings)),
        (
            "seconds",
            Value::Quantity(finished.took.as_secs_f64(), Unit::Seconds),
        ),
    ]
}

/// Whose usage is whose is everybody's business, whatever becomes of the day.
fn print_account_changes(report: &DayReport, lines: &mut ImportLines) {
    if let Outcome::Written(written) = &report.outcome {
        written
            .account_changes
            .iter()
            .for_each(|line| lines.eprint(line));
    }
}

/// One line a day, and on stderr what differs.
fn print_day(report: &DayReport, lines: &mut ImportLines) -> anyhow::Result<()> {
    let day = report.day;
    match &report.outcome {
        Outcome::Refused(reason) => writeln!(lines, "{day} refused: {}", printable(reason))?,
        Outcome::SourceGone(stored, reason) => {
            let state = state_of(stored.sealed, stored.completion);
            writeln!(lines, "{day} {state} kept: {}", printable(reason))?;
        }
        Outcome::Written(written) => {
            let state = state(written);
            let pending = match written.sealed {
                true => format!(" pending={}", written.pending),
                false => String::new(),
            };
            writeln!(
                lines,
                "{day} {state} accounts={} rows={} replayed={} added={} kept={} overwritten={} differing={} findings={}{pending}",
                written.accounts,
                report.source_rows,
                report.replayed_rows,
                written.added,
                written.kept,
                written.overwritten,
                written.differences.len(),
                written.findings
            )?;
        }
    }
    if let Outcome::Written(written) = &report.outcome
        && written.pending > 0
    {
        lines.eprint(&format!(
            "{day} is sealed: {} pending for it now, see rbc-usage corrections --pending {day}",
            plural(written.pending, "correction")
        ));
    }
    let differences = report.differences();
    for difference in differences.iter().take(NAMED_DIFFERENCES) {
        let resource = difference
            .resource
            .as_deref()
            .map_or(String::new(), |resource| format!(" {resource}"));
        lines.eprint(&format!(
            "{day} is closed and differs: account {} {}{resource}: {}",
            difference.account,
            difference.metric.name(),
            difference.in_words()
        ));
    }
    if differences.len() > NAMED_DIFFERENCES {
        let more = differences.len() - NAMED_DIFFERENCES;
        lines.eprint(&format!(
            "{day} is closed and differs: {more} more, see the ledger's findings"
        ));
    }
    lines.flush()?;
    Ok(())
}

/// What all days came to.
pub fn summary(finished: &Finished, dry_run: bool, lines: &mut ImportLines) -> anyhow::Result<()> {
    let totals = &finished.totals;
    if totals.reread_days > 0 {
        writeln!(
            lines,
            "{} read again, to be looked at: {}",
            plural(totals.reread_days, "closed day"),
            totals.reread_to_look_at
        )?;
    }
    if let (0, 0, Some(first)) = (totals.days, totals.reread_days, totals.looked_at.first) {
        let days = plural(totals.looked_at.days, "closed day");
        writeln!(
            lines,
            "looked again at {days} from {first}: nothing has changed"
        )?;
    }
    let kept = if dry_run {
        "dry run, nothing was written: "
    } else {
        ""
    };
    writeln!(
        lines,
        "{kept}{}, {}, {} added, {} overwritten, {}, {:.1} s",
        plural(totals.days + totals.reread_days, "day"),
        plural(totals.rows + totals.reread_rows, "row"),
        plural(totals.added, "record"),
        totals.overwritten,
        plural(totals.findings, "finding"),
        finished.took.as_secs_f64()
    )?;
    if totals.hidden_rows > 0 {
        let rows = plural(totals.hidden_rows, "hidden row");
        lines.eprint(&format!("not counted: {rows}"));
    }
    if totals.per_vm_volume_rows > 0 {
        let rows = plural(totals.per_vm_volume_rows, "volume row");
        lines.eprint(&format!(
            "not counted: {rows} per attached VM, as the volumes have their own"
        ));
    }
    Ok(())
}

/// Why a day was imported.
#[derive(Clone, Copy)]
enum Reason {
    Asked,
    /// It was closed, and its source has changed since.
    Changed,
}

const COLUMNS: [&str; 14] = [
    "day",
    "state",
    "reason",
    "accounts",
    "source_rows",
    "replayed_rows",
    "records_added",
    "records_kept",
    "records_overwritten",
    "differing_values",
    "pending_corrections",
    "findings",
    "refused_because",
    "source_gone",
];

fn row(report: &DayReport, reason: Reason) -> Vec<Value> {
    let word = |word: &'static str| Value::State(word, Tone::Plain);
    let reason = match reason {
        Reason::Asked => word("asked"),
        Reason::Changed => word("changed"),
    };
    let day = Value::Text(report.day.to_string());
    let rows = Value::Count(report.source_rows);
    let replayed = Value::Count(report.replayed_rows);
    match &report.outcome {
        Outcome::Refused(because) => {
            let mut row = vec![day, word("refused"), reason, Value::Nothing, rows, replayed];
            row.extend(std::iter::repeat_n(Value::Nothing, 6));
            row.push(Value::Text(because.clone()));
            row.push(Value::Truth(false));
            row
        }
        Outcome::SourceGone(stored, _) => {
            let state = word(state_of(stored.sealed, stored.completion));
            let mut row = vec![day, state, reason, Value::Nothing, rows, replayed];
            row.extend(std::iter::repeat_n(Value::Nothing, 7));
            row.push(Value::Truth(true));
            row
        }
        Outcome::Written(written) => vec![
            day,
            word(state(written)),
            reason,
            Value::Count(written.accounts),
            rows,
            replayed,
            Value::Count(written.added),
            Value::Count(written.kept),
            Value::Count(written.overwritten),
            // A count of records fits 64 bits.
            Value::Count(written.differences.len() as u64),
            Value::Count(written.pending),
            Value::Count(written.findings),
            Value::Nothing,
            Value::Truth(false),
        ],
    }
}

fn state(written: &Written) -> &'static str {
    state_of(written.sealed, written.completion)
}

fn state_of(sealed: bool, completion: Completion) -> &'static str {
    match completion {
        _ if sealed => "sealed",
        Completion::Open => "open",
        Completion::Closed => "closed",
    }
}
