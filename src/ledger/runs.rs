//! The runs of import: begun, finished, and how they ended.

use anyhow::Context;

use super::handle::Ledger;
use crate::db::params;

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
    /// Records that a run begins; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`. Returns its id.
    ///
    /// Until it is finished, no write waits for the disk: a power cut can take back the newest days, each of them
    /// wholly, and the next run does them again. Whatever ends the program takes back nothing.
    pub fn begin_run(&mut self, now: &str) -> anyhow::Result<i64> {
        if !self.is_as_a_whole() {
            let stopped = self.engine.stop_waiting_for_the_disk();
            stopped.with_context(|| self.engine.name())?;
        }
        let sql = "insert into imports (started_at) values (:now)";
        self.transaction(|connection, _| connection.insert(sql, params! {":now": now}))
    }

    /// Records how it ended, and brings what was written into the file; `error` is the line that was printed.
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
        let sql = "update imports set finished_at = :now, outcome = :outcome, seconds = :seconds, days = :days, \
                     source_rows = :source_rows, records_added = :added, records_overwritten = :overwritten, \
                     error = :error \
                   where id = :id";
        let values = params! {
            ":id": id,
            ":now": now,
            ":outcome": outcome,
            ":seconds": total.seconds,
            ":days": total.days,
            ":source_rows": total.source_rows,
            ":added": total.records_added,
            ":overwritten": total.records_overwritten,
            ":error": error,
        };
        self.transaction(|connection, _| connection.execute(sql, values).map(drop))?;
        match self.is_as_a_whole() {
            true => Ok(()),
            false => self.engine.checkpoint().with_context(|| self.engine.name()),
        }
    }
}
