//! The ledger open for writing: one file, one transaction at a time, and what its zones and ids are.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};

use super::context::ledger_at;
use super::file::{identity, open};
use super::names::LedgerNames;
use super::schema::insist_on_current;
use super::timezones;
use crate::zones::Zones;

/// Pages held in memory while writing, at most.
const CACHE_KIBIBYTES: i64 = 16 << 10;

/// Pages of 4 KiB in the log before they are copied into the file.
const LOG_PAGES: i64 = 8 << 10;

/// A ledger open for writing.
pub struct Ledger {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Device and inode of the file when it was opened.
    pub(super) file: (u64, u64),
    pub(super) names: LedgerNames,
    pub(super) zones: Zones,
    /// All that is done is one transaction.
    pub(super) dry_run: bool,
}

impl Ledger {
    /// Opens an initialised ledger for an import. A dry run does everything and keeps nothing.
    pub fn open(path: &Path, timezone: &str, dry_run: bool) -> anyhow::Result<Ledger> {
        Ledger::open_of(path, dry_run, |connection| {
            timezones::agree_on_zones(connection, timezone)
        })
    }

    /// Opens one whatever its zone is, for changes that take effect all at once, by `keep`, or not at all.
    pub fn open_as_a_whole(path: &Path) -> anyhow::Result<Ledger> {
        Ledger::open_of(path, true, timezones::find_zones)
    }

    /// Keeps what was done since it was opened as a whole.
    pub fn keep(&mut self) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.insist_on_file().with_context(|| named.clone())?;
        self.connection
            .execute_batch("commit")
            .with_context(|| named.clone())?;
        self.dry_run = false;
        self.checkpoint().context(named)
    }

    fn open_of(
        path: &Path,
        dry_run: bool,
        zones: impl FnOnce(&Connection) -> anyhow::Result<Zones>,
    ) -> anyhow::Result<Ledger> {
        ensure!(
            path.exists(),
            "there is no ledger {}: run rbc-usage initdb",
            path.display()
        );
        let named = || ledger_at(path);
        let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        insist_on_current(&connection, path)?;
        connection.set_prepared_statement_cache_capacity(64);
        // A day touches a page of every account. With SQLite's 2 MB they would be read again each day, and with
        // its log of 4 MB each would be copied into the file each day.
        connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        if dry_run {
            connection
                .execute_batch("begin immediate")
                .with_context(named)?;
        }
        let zones = zones(&connection).with_context(named)?;
        let names = LedgerNames::load(&connection).with_context(named)?;
        Ok(Ledger {
            connection,
            path: path.to_owned(),
            file: identity(&std::fs::metadata(path).with_context(named)?),
            names,
            zones,
            dry_run,
        })
    }

    /// What is written into a file that was moved away or replaced is lost, or spoils the one in its place.
    pub(super) fn insist_on_file(&self) -> anyhow::Result<()> {
        let now = std::fs::metadata(&self.path).ok();
        ensure!(
            now.is_some_and(|now| identity(&now) == self.file),
            "the file was moved, replaced or removed meanwhile"
        );
        Ok(())
    }

    /// Brings all that was written into the file itself, so that one who copies or restores it finds nothing
    /// left in the files beside it. Readers in the middle of an answer may leave some of it for the next time.
    pub(super) fn checkpoint(&self) -> anyhow::Result<()> {
        let sql = "pragma wal_checkpoint(truncate)";
        Ok(self.connection.query_row(sql, [], |_| Ok(()))?)
    }

    /// The zones its days are of.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }
}
