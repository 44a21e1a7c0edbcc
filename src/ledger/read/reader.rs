//! A connection that reads the ledger and cannot write, and the snapshot that one answer is read from.

use std::time::Duration;

use anyhow::Context;

use crate::config::LedgerUri;
use crate::day::DayRange;
use crate::db::Connection;
use crate::ledger::engine::{Engine, READERS_BUSY_TIMEOUT, ledger_at};
use crate::ledger::schema::insist_on_current;
use crate::ledger::timezones::find_zones;
use crate::ledger::unfinished::{Unfinished, list_unfinished};
use crate::zones::Zones;

/// A read-only connection to a ledger.
pub struct Reader {
    engine: Engine,
}

/// One state of the ledger, for all questions that one answer takes.
pub struct Snapshot<'a> {
    connection: &'a Connection,
}

/// A part of a long list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// `None`: all that is left.
    pub limit: Option<u32>,
    pub offset: u32,
}

impl<'a> Snapshot<'a> {
    fn begin(connection: &'a Connection) -> anyhow::Result<Snapshot<'a>> {
        connection.begin_snapshot()?;
        Ok(Snapshot { connection })
    }

    pub(in crate::ledger) fn connection(&self) -> &Connection {
        self.connection
    }

    /// The days of a range that are open or missing.
    pub fn list_unfinished(&self, range: DayRange) -> anyhow::Result<Unfinished> {
        list_unfinished(self.connection, range)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // It has only read. A connection that has failed says so when it is asked again.
        let _ = self.connection.rollback();
    }
}

impl Page {
    /// As a statement takes a limit: the largest there is stands for none.
    pub(super) fn limit(self) -> i64 {
        self.limit.map_or(i64::MAX, i64::from)
    }
}

impl Reader {
    /// Opens a ledger that `initdb` has made; creates and changes nothing.
    pub fn open(ledger: &LedgerUri) -> anyhow::Result<Reader> {
        Reader::open_patiently(ledger, READERS_BUSY_TIMEOUT)
    }

    /// The same, for whom it is an error at once if somebody else keeps the ledger to himself.
    pub fn open_without_waiting(ledger: &LedgerUri) -> anyhow::Result<Reader> {
        Reader::open_patiently(ledger, Duration::ZERO)
    }

    fn open_patiently(ledger: &LedgerUri, patience: Duration) -> anyhow::Result<Reader> {
        let open = || -> anyhow::Result<Reader> {
            let engine = Engine::open_to_read(ledger, patience)?;
            insist_on_current(&engine)?;
            Ok(Reader { engine })
        };
        open().with_context(|| ledger_at(ledger))
    }

    /// The reader, if its path still names the file that was opened, and not another one or none, or if its server has not
    /// failed anybody since.
    pub fn if_current(self) -> Option<Reader> {
        if self.engine.is_current() {
            return Some(self);
        }
        self.engine.abandon();
        None
    }

    /// A number that is another one after anybody has written to the ledger, and means nothing to another reader.
    pub fn changes(&self) -> anyhow::Result<i64> {
        self.engine.changes().with_context(|| self.engine.name())
    }

    /// Device and inode of the file that was opened.
    pub fn file(&self) -> (u64, u64) {
        self.engine.file()
    }

    /// The zones that its days are of.
    pub fn zones(&mut self) -> anyhow::Result<Zones> {
        self.read(|snapshot| find_zones(snapshot.connection()))
    }

    /// Asks in one read transaction, after a look at the schema: an upgrade may have happened meanwhile.
    pub fn read<T>(
        &mut self,
        question: impl FnOnce(&Snapshot) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let answer = Snapshot::begin(self.engine.connection()).and_then(|snapshot| {
            insist_on_current(&self.engine)?;
            let answer = question(&snapshot)?;
            self.engine.insist_on_unchanged()?;
            Ok(answer)
        });
        answer.with_context(|| self.engine.name())
    }

    #[cfg(test)]
    pub(in crate::ledger) fn connection(&self) -> &Connection {
        self.engine.connection()
    }
}
