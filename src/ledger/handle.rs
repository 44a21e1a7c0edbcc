//! The ledger open for writing: when what is done to it takes effect, and what its zones and ids are.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::engine::{Engine, ledger_at};
use super::names::LedgerNames;
use super::recent_figures::RecentFigures;
use super::schema::insist_on_ledger;
use super::timezones;
use crate::config::LedgerUri;
use crate::db::{Connection, Transient};
use crate::zones::Zones;

/// How often a transaction is begun where servers stand in for each other.
const ATTEMPTS: u32 = 8;

/// How long the second attempt waits; each further one by as much longer.
const PAUSE: Duration = Duration::from_millis(300);

/// Or which of two, where both got no answer.
const NOBODY_KNOWS: &str = "nobody knows whether the last commit was made";

/// A ledger open for writing.
pub struct Ledger {
    pub(super) engine: Engine,
    pub(super) names: LedgerNames,
    pub(super) zones: Zones,
    pub(super) recent: RecentFigures,
    mode: Mode,
}

/// When what is done takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Each change at once, all of it or nothing.
    Import,
    /// All changes together: they are one transaction, which `keep` commits and any other end rolls back.
    AsAWhole,
}

/// A transaction whose commit got no answer, and was not made when another server was asked. It may still be.
struct Unanswered<T> {
    commits_before: i64,
    done: T,
}

impl Ledger {
    /// Opens an initialised ledger for an import. A dry run does everything and keeps nothing.
    pub fn open(ledger: &LedgerUri, timezone: &str, dry_run: bool) -> anyhow::Result<Ledger> {
        let mode = match dry_run {
            true => Mode::AsAWhole,
            false => Mode::Import,
        };
        Ledger::open_in(ledger, mode, |connection| {
            timezones::agree_on_zones(connection, timezone)
        })
    }

    /// Opens one whatever its zone is, for changes that take effect all at once, by `keep`, or not at all.
    pub fn open_as_a_whole(ledger: &LedgerUri) -> anyhow::Result<Ledger> {
        Ledger::open_in(ledger, Mode::AsAWhole, timezones::find_zones)
    }

    fn open_in(
        ledger: &LedgerUri,
        mode: Mode,
        zones: impl FnOnce(&Connection) -> anyhow::Result<Zones>,
    ) -> anyhow::Result<Ledger> {
        ensure!(
            ledger.file().is_none_or(Path::exists),
            "there is no ledger {ledger}: run rbc-usage initdb"
        );
        let open = || -> anyhow::Result<Ledger> {
            let engine = Engine::open_to_write(ledger)?;
            let connection = engine.connection();
            insist_on_ledger(&engine)?;
            if mode == Mode::AsAWhole {
                engine.allow_pauses()?;
                connection.begin_write()?;
            }
            Ok(Ledger {
                zones: zones(connection)?,
                names: LedgerNames::load(connection)?,
                recent: RecentFigures::default(),
                engine,
                mode,
            })
        };
        open().with_context(|| ledger_at(ledger))
    }

    /// Keeps what was done since it was opened as a whole.
    pub fn keep(&mut self) -> anyhow::Result<()> {
        let mut keep = || {
            self.engine.insist_on_place()?;
            self.insist_on_transaction()?;
            self.engine.commit()?;
            self.mode = Mode::Import;
            self.engine.checkpoint()
        };
        keep().with_context(|| self.engine.name())
    }

    /// SQLite rolls everything back by itself where the disk is full, and what follows would be committed at once.
    fn insist_on_transaction(&self) -> anyhow::Result<()> {
        ensure!(
            self.engine.connection().is_in_transaction(),
            "an earlier error rolled everything back"
        );
        Ok(())
    }

    /// Whether what is done takes effect by `keep` alone.
    pub(super) fn is_as_a_whole(&self) -> bool {
        self.mode != Mode::Import
    }

    /// The zones its days are of.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    pub(super) fn connection(&self) -> &Connection {
        self.engine.connection()
    }

    /// Does all of it or nothing, in the ledger and in the names that are held in memory. Where servers stand in for each
    /// other, one that is lost or that was in the way of another transaction makes it begin anew. An error names the ledger.
    pub(super) fn transaction<T>(
        &mut self,
        mut act: impl FnMut(&Connection, &mut LedgerNames) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut attempts = 1;
        let mut unanswered = None;
        loop {
            let err = match self.try_transaction(&mut act, &mut unanswered) {
                Ok(done) => return Ok(done),
                Err(err) => err,
            };
            let again = Transient::of(&err).is_some() && self.mode == Mode::Import;
            if !again || attempts == ATTEMPTS {
                return Err(self.cause_of(err)).with_context(|| self.engine.name());
            }
            std::thread::sleep(PAUSE * attempts);
            attempts += 1;
        }
    }

    /// Whoever has lost the right to write finds the ledger changed under his hands, in whatever way.
    fn cause_of(&self, err: anyhow::Error) -> anyhow::Error {
        if self.is_as_a_whole() || Transient::of(&err).is_some() {
            return err;
        }
        match self.engine.count_commits() {
            Err(lost) if Transient::of(&lost).is_none() && !says(&err, &lost) => lost,
            Ok(_) | Err(_) => err,
        }
    }

    fn try_transaction<T>(
        &mut self,
        act: &mut impl FnMut(&Connection, &mut LedgerNames) -> anyhow::Result<T>,
        unanswered: &mut Option<Unanswered<T>>,
    ) -> anyhow::Result<T> {
        self.engine.insist_on_place()?;
        self.names.reload_if_lost(self.engine.connection())?;
        let connection = self.engine.connection();
        match self.mode {
            Mode::Import => {
                connection.begin_write()?;
                if let Some(done) = self.find_made(unanswered)? {
                    return Ok(done);
                }
            }
            Mode::AsAWhole => {
                self.insist_on_transaction()?;
                connection.run("savepoint one_change")?;
            }
        }
        let done = act(self.engine.connection(), &mut self.names);
        let kept = done.and_then(|done| match self.mode {
            Mode::Import => self.commit(done, unanswered),
            Mode::AsAWhole => (self.engine.connection())
                .run("release savepoint one_change")
                .map(|()| done),
        });
        kept.map_err(|err| {
            self.roll_back();
            // Names that were stored meanwhile are not in the file: a later record must not rely on them.
            match self.names.reload(self.engine.connection()) {
                Ok(()) => err,
                Err(unread) => err.context(format!("{unread:#}; after")),
            }
        })
    }

    /// Commits. A server that is lost before it answers may have done so: another one knows.
    fn commit<T>(&self, done: T, unanswered: &mut Option<Unanswered<T>>) -> anyhow::Result<T> {
        let commits_before = self.engine.count_commits()?;
        match self.engine.commit() {
            Err(err) if Transient::of(&err) == Some(Transient::Loss) => {
                // With its server the transaction has ended, perhaps before it was to be committed.
                let _ = self.engine.connection().rollback();
                if self.look_up_commits()? > commits_before {
                    ensure!(unanswered.is_none(), "{err:#}: {NOBODY_KNOWS}");
                    return Ok(done);
                }
                *unanswered = Some(Unanswered {
                    commits_before,
                    done,
                });
                Err(err)
            }
            committed => committed.map(|()| done),
        }
    }

    /// What an earlier attempt has done, if its commit was made after all: its server was still at it when another one was
    /// asked. From here on it cannot be any more, as both write the row that is locked now.
    fn find_made<T>(
        &mut self,
        unanswered: &mut Option<Unanswered<T>>,
    ) -> anyhow::Result<Option<T>> {
        let Some(earlier) = unanswered else {
            return Ok(None);
        };
        let commits_before = earlier.commits_before;
        let is_made = self
            .engine
            .count_commits()
            .map(|commits| commits > commits_before);
        if matches!(is_made, Ok(false)) {
            return Ok(None);
        }
        self.roll_back();
        is_made?;
        self.names.reload(self.engine.connection())?;
        Ok(unanswered.take().map(|earlier| earlier.done))
    }

    /// How many commits there are, from any server that can tell. Where none can, the error is not one to begin anew after:
    /// what is perhaps stored would be stored twice.
    fn look_up_commits(&self) -> anyhow::Result<i64> {
        let mut attempts = 1;
        loop {
            match self.engine.count_commits() {
                Err(err) if Transient::of(&err).is_some() && attempts < ATTEMPTS => attempts += 1,
                Err(err) => bail!("{err:#}: {NOBODY_KNOWS}"),
                Ok(commits) => return Ok(commits),
            }
        }
    }

    /// The error that led here is the one to report; SQLite may have rolled back by itself.
    fn roll_back(&self) {
        let connection = self.engine.connection();
        let _ = match self.mode {
            Mode::Import => connection.rollback(),
            Mode::AsAWhole => connection
                .run("rollback to savepoint one_change")
                .and_then(|()| connection.run("release savepoint one_change")),
        };
    }
}

/// Whether an error has another one's words in it.
fn says(err: &anyhow::Error, other: &anyhow::Error) -> bool {
    format!("{err:#}").contains(&format!("{other:#}"))
}

#[cfg(test)]
mod tests;
