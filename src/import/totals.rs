//! What all days of an import came to.

use std::time::Duration;

use super::one_day::{DayReport, Outcome};
use super::reread::LookedAt;
use crate::ledger::runs::RunTotal;

#[derive(Default)]
pub struct ImportTotals {
    /// Days that were due, and their rows.
    pub days: u64,
    pub rows: u64,
    pub hidden_rows: u64,
    pub per_vm_volume_rows: u64,
    pub added: u64,
    pub overwritten: u64,
    pub findings: u64,
    /// Closed days whose source had changed.
    pub reread_days: u64,
    /// How many of them need a look.
    pub reread_to_look_at: u64,
    pub reread_rows: u64,
    /// Closed days that were looked at again, read or not.
    pub looked_at: LookedAt,
    pub needs_a_look: bool,
}

impl ImportTotals {
    /// Adds a day that was due.
    pub fn add(&mut self, report: &DayReport) {
        self.days += 1;
        self.rows += report.source_rows;
        self.hidden_rows += report.hidden_rows;
        self.per_vm_volume_rows += report.per_vm_volume_rows;
        self.add_outcome(report);
    }

    /// Adds a closed day that was read again.
    pub fn add_reread(&mut self, report: &DayReport) {
        if matches!(report.outcome, Outcome::SourceGone(..)) {
            return;
        }
        self.reread_days += 1;
        self.reread_rows += report.source_rows;
        self.reread_to_look_at += u64::from(report.needs_a_look());
        self.add_outcome(report);
    }

    fn add_outcome(&mut self, report: &DayReport) {
        self.needs_a_look |= report.needs_a_look();
        if let Outcome::Written(written) = &report.outcome {
            self.added += written.added;
            self.overwritten += written.overwritten;
            self.findings += written.findings;
        }
    }

    pub fn of_run(&self, took: Duration) -> RunTotal {
        RunTotal {
            seconds: took.as_secs_f64(),
            days: self.days + self.reread_days,
            source_rows: self.rows + self.reread_rows,
            records_added: self.added,
            records_overwritten: self.overwritten,
        }
    }
}
