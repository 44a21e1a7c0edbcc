//! The runs of import: begun, finished, and how they ended.

use anyhow::Context;

use super::handle::Ledger;
use crate::ledger::context::ledger_at;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    Done,
    NeedsALook,
    Error,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunTotal {
    pub seconds: f64,
    pub days: u64,
    pub source_rows: u64,
    pub records_added: u64,
    pub records_overwritten: u64,
}

impl Ledger {
    /// Notes that a run begins; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`. Answers its id.
    ///
    /// Until it is finished, no write waits for the disk: a power cut can take back the newest days, each of them
    /// wholly, and the next run does them again. Whatever ends the program takes back nothing.
    pub fn begin_run(&mut self, now: &str) -> anyhow::Result<i64> {
        if !self.dry_run {
            self.connection
                .pragma_update(None, "synchronous", "normal")
                .with_context(|| ledger_at(&self.path))?;
        }
        let sql = "insert into imports (started_at) values (?1) returning id";
        self.connection
            .query_row(sql, [now], |row| row.get(0))
            .with_context(|| ledger_at(&self.path))
    }

    /// Notes how it ended, and settles what was written; `error` is the line that was told.
    pub fn finish_run(
        &mut self,
        id: i64,
        now: &str,
        outcome: RunOutcome,
        total: &RunTotal,
        error: Option<&str>,
    ) -> anyhow::Result<()> {
        let outcome = match outcome {
            RunOutcome::Done => "done",
            RunOutcome::NeedsALook => "needs_a_look",
            RunOutcome::Error => "error",
        };
        let sql = "update imports set finished_at = ?2, outcome = ?3, seconds = ?4, days = ?5, source_rows = ?6, \
                     records_added = ?7, records_overwritten = ?8, error = ?9 \
                   where id = ?1";
        let values = (
            id,
            now,
            outcome,
            total.seconds,
            total.days,
            total.source_rows,
            total.records_added,
            total.records_overwritten,
            error,
        );
        self.connection
            .execute(sql, values)
            .with_context(|| ledger_at(&self.path))?;
        if self.dry_run {
            return Ok(());
        }
        self.checkpoint().with_context(|| ledger_at(&self.path))
    }
}
