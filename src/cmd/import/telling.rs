//! What an import says of its days: a line each for people as it goes, all of them at its end for programs.

use std::io::Write;
use std::time::Duration;

use crate::import::{DayReport, LookedAt, Outcome};
use crate::ledger::day::{Completion, Written};
use crate::ledger::runs::RunTotal;
use crate::output::{Column, Document, Tone, Unit, Value};
use crate::plural::plural;
use crate::terminal;

/// Differences of one day that are told in full; the ledger's findings hold all of them.
const DIFFERENCES_TOLD: usize = 10;

/// One line a day, and on stderr what differs.
pub fn tell(report: &DayReport, out: &mut dyn Write) -> anyhow::Result<()> {
    let day = report.day;
    match &report.outcome {
        Outcome::Refused(reason) => writeln!(out, "{day} refused: {reason}")?,
        Outcome::SourceGone(stored, reason) => {
            let state = state_of(stored.sealed, stored.completion);
            writeln!(out, "{day} {state} kept: {reason}")?;
        }
        Outcome::Written(written) => {
            let state = state(written);
            let pending = match written.sealed {
                true => format!(" pending={}", written.pending),
                false => String::new(),
            };
            writeln!(
                out,
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
        terminal::eprint_line(&format!(
            "{day} is sealed: {} pending for it now, see rbc-usage corrections --pending {day}",
            plural(written.pending, "correction")
        ));
    }
    let differences = report.differences();
    for difference in differences.iter().take(DIFFERENCES_TOLD) {
        let resource = difference
            .resource
            .as_deref()
            .map_or(String::new(), |resource| format!(" {resource}"));
        terminal::eprint_line(&format!(
            "{day} is closed and differs: account {} {}{resource}: {}",
            difference.account,
            difference.metric.name(),
            difference.in_words()
        ));
    }
    if differences.len() > DIFFERENCES_TOLD {
        let more = differences.len() - DIFFERENCES_TOLD;
        terminal::eprint_line(&format!(
            "{day} is closed and differs: {more} more, see the ledger's findings"
        ));
    }
    out.flush()?;
    Ok(())
}

/// What all days came to.
#[derive(Default)]
pub struct Total {
    days: u64,
    rows: u64,
    hidden_rows: u64,
    per_vm_volume_rows: u64,
    added: u64,
    overwritten: u64,
    findings: u64,
    /// Closed days whose source had changed, and how many of them need a look.
    reread: (u64, u64),
    reread_rows: u64,
    /// Closed days that were looked at again, read or not.
    pub looked_at: LookedAt,
    pub needs_a_look: bool,
    /// A row a day, for programs.
    told: Vec<Vec<Value>>,
}

impl Total {
    pub fn add(&mut self, report: &DayReport) {
        self.days += 1;
        self.rows += report.source_rows;
        self.hidden_rows += report.hidden_rows;
        self.per_vm_volume_rows += report.per_vm_volume_rows;
        self.needs_a_look |= report.needs_a_look();
        if let Outcome::Written(written) = &report.outcome {
            self.added += written.added;
            self.overwritten += written.overwritten;
            self.findings += written.findings;
        }
        self.told.push(row(report, Reason::Asked));
    }

    pub fn add_reread(&mut self, report: &DayReport) {
        if matches!(report.outcome, Outcome::SourceGone(..)) {
            return;
        }
        self.reread.0 += 1;
        self.reread_rows += report.source_rows;
        self.reread.1 += u64::from(report.needs_a_look());
        self.needs_a_look |= report.needs_a_look();
        if let Outcome::Written(written) = &report.outcome {
            self.added += written.added;
            self.overwritten += written.overwritten;
            self.findings += written.findings;
        }
        if report.tells_something() {
            self.told.push(row(report, Reason::Changed));
        }
    }

    pub fn of_run(&self, took: Duration) -> RunTotal {
        RunTotal {
            seconds: took.as_secs_f64(),
            days: self.days + self.reread.0,
            source_rows: self.rows + self.reread_rows,
            records_added: self.added,
            records_overwritten: self.overwritten,
        }
    }

    pub fn tell(&self, out: &mut dyn Write, dry_run: bool, took: Duration) -> anyhow::Result<()> {
        if self.reread.0 > 0 {
            writeln!(
                out,
                "{} read again, to be looked at: {}",
                plural(self.reread.0, "closed day"),
                self.reread.1
            )?;
        }
        if let (0, 0, Some(first)) = (self.days, self.reread.0, self.looked_at.first) {
            let days = plural(self.looked_at.days, "closed day");
            writeln!(
                out,
                "looked again at {days} from {first}: nothing has changed"
            )?;
        }
        let kept = if dry_run {
            "dry run, nothing was written: "
        } else {
            ""
        };
        writeln!(
            out,
            "{kept}{}, {}, {} added, {} overwritten, {}, {:.1} s",
            plural(self.days + self.reread.0, "day"),
            plural(self.rows + self.reread_rows, "row"),
            plural(self.added, "record"),
            self.overwritten,
            plural(self.findings, "finding"),
            took.as_secs_f64()
        )?;
        if self.hidden_rows > 0 {
            let rows = plural(self.hidden_rows, "hidden row");
            terminal::eprint_line(&format!("not counted: {rows}"));
        }
        if self.per_vm_volume_rows > 0 {
            let rows = plural(self.per_vm_volume_rows, "volume row");
            terminal::eprint_line(&format!(
                "not counted: {rows} per attached VM, as the volumes have their own"
            ));
        }
        Ok(())
    }

    /// The same for programs, once all is done.
    pub fn document(&self, dry_run: bool, needs_a_look: bool, took: Duration) -> Document {
        Document {
            facts: vec![
                ("dry_run", Value::Truth(dry_run)),
                ("needs_a_look", Value::Truth(needs_a_look)),
                ("days_imported", Value::Count(self.days)),
                ("days_changed_in_the_source", Value::Count(self.reread.0)),
                // Counts of days fit 64 bits.
                (
                    "days_looked_at_again",
                    Value::Count(self.looked_at.days as u64),
                ),
                (
                    "looked_at_again_from",
                    Value::text(self.looked_at.first.map(|day| day.to_string())),
                ),
                ("source_rows", Value::Count(self.rows)),
                ("hidden_rows", Value::Count(self.hidden_rows)),
                ("per_vm_volume_rows", Value::Count(self.per_vm_volume_rows)),
                ("records_added", Value::Count(self.added)),
                ("records_overwritten", Value::Count(self.overwritten)),
                ("findings", Value::Count(self.findings)),
                (
                    "seconds",
                    Value::Quantity(took.as_secs_f64(), Unit::Seconds),
                ),
            ],
            rows_name: "days",
            columns: COLUMNS.map(|name| Column::shown(name, name)).to_vec(),
            rows: self.told.clone(),
            ..Document::default()
        }
    }
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
