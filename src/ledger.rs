//! The ledger: one SQLite file. Opens, creates and upgrades it here, writes days in `write`, answers from it
//! in `read`. The only module with the ledger's SQL. Its views are the contract for other programs.

mod access;
mod acknowledge;
pub mod backup;
pub mod context;
pub mod day;
pub mod day_reader;
mod guest_oses;
mod held;
pub mod known_vms;
pub mod lock;
pub mod months;
pub mod naming;
mod plan;
pub mod proof;
pub mod read;
pub mod refusals;
mod registry;
pub mod runs;
mod statements;
mod sum;
pub mod timezones;
mod transaction;
pub mod write;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use access::{Access, insist_on_access};
use anyhow::{Context, bail, ensure};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::zones::Zones;
use context::ledger_at;

/// Marks a SQLite file as a ledger: "RBCU".
pub const APPLICATION_ID: i32 = 0x5242_4355;

/// What `initdb` brings a ledger to.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Every migration in order; the version of a ledger is the number of those it has had.
const MIGRATIONS: [&str; 7] = [
    include_str!("../migrations/0001_ledger.sql"),
    include_str!("../migrations/0002_proof.sql"),
    include_str!("../migrations/0003_months.sql"),
    include_str!("../migrations/0004_age.sql"),
    include_str!("../migrations/0005_refusals.sql"),
    include_str!("../migrations/0006_runs.sql"),
    include_str!("../migrations/0007_timezones.sql"),
];

/// How long a statement waits for somebody else's write, such as a shell's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages held in memory while writing, at most.
const CACHE_KIBIBYTES: i64 = 16 << 10;

/// Pages of 4 KiB in the log before they are copied into the file.
const LOG_PAGES: i64 = 8 << 10;

/// A ledger open for writing.
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    /// Device and inode of the file when it was opened.
    file: (u64, u64),
    registry: registry::Registry,
    zones: Zones,
    /// All that is done is one transaction.
    dry_run: bool,
}

/// What `initdb` found and did.
#[derive(Debug, PartialEq)]
pub enum Initialised {
    Created,
    Upgraded { from: i64 },
    Current,
}

/// Creates the ledger with mode 0600, or brings it to this program's schema. `timezone` is written into a new
/// ledger; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
pub fn initialise(path: &Path, timezone: &str, now: &str) -> anyhow::Result<Initialised> {
    let named = || ledger_at(path);
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|err| access::explained(err, path))
        .with_context(named)?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let found = version(&connection, path)?;
    if found == Some(SCHEMA_VERSION) {
        timezones::agree_on_zones(&connection, timezone).with_context(named)?;
        return Ok(Initialised::Current);
    }
    migrate(&mut connection, found.unwrap_or(0), timezone, now).with_context(named)?;
    Ok(found.map_or(Initialised::Created, |from| Initialised::Upgraded { from }))
}

fn migrate(
    connection: &mut Connection,
    from: i64,
    timezone: &str,
    now: &str,
) -> anyhow::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Someone may have been quicker between the look at the version and the lock.
    let from = from.max(tx.query_row(
        "select user_version from pragma_user_version",
        [],
        |row| row.get(0),
    )?);
    for (version, migration) in (1i64..)
        .zip(MIGRATIONS)
        .filter(|(version, _)| *version > from)
    {
        tx.execute_batch(migration)
            .with_context(|| format!("migration {version}"))?;
    }
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    let sql = "insert into ledgers (only, timezone, created_at) values (1, ?1, ?2) on conflict do nothing";
    tx.execute(sql, (timezone, now))?;
    Ok(tx.commit()?)
}

/// Opens the file and sets what every connection wants. Never creates it.
fn open(path: &Path, flags: OpenFlags) -> anyhow::Result<Connection> {
    let named = || ledger_at(path);
    let access = match flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        true => Access::Write,
        false => Access::Read,
    };
    insist_on_access(path, access).with_context(named)?;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .with_context(named)?;
    connection.busy_timeout(BUSY_TIMEOUT).with_context(named)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .with_context(named)?;
    Ok(connection)
}

/// The schema version of a ledger, `None` for an empty file. Refuses what is not a ledger and what is newer
/// than this program.
fn version(connection: &Connection, path: &Path) -> anyhow::Result<Option<i64>> {
    let facts = "select (select user_version from pragma_user_version), \
                 (select application_id from pragma_application_id), (select count(*) from sqlite_schema)";
    let read = connection.query_row(facts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (version, application, objects): (i64, i32, i64) = match read {
        Err(err) if err.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            bail!("{} is not a ledger", path.display())
        }
        other => other
            .map_err(|err| access::explained_by_place(err, path))
            .with_context(|| ledger_at(path))?,
    };
    if objects == 0 && version == 0 {
        return Ok(None);
    }
    ensure!(
        application == APPLICATION_ID,
        "{} is not a ledger",
        path.display()
    );
    ensure!(
        version <= SCHEMA_VERSION,
        "ledger {} has schema {version}, newer than this program's {SCHEMA_VERSION}: install a newer rbc-usage",
        path.display()
    );
    Ok(Some(version))
}

/// Insists on an initialised ledger of this program's schema.
fn insist_on_current(connection: &Connection, path: &Path) -> anyhow::Result<()> {
    let found = version(connection, path)?;
    ensure!(
        found == Some(SCHEMA_VERSION),
        "ledger {} is not initialised for this version: run rbc-usage initdb",
        path.display()
    );
    Ok(())
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
        self.settle().context(named)
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
        // A day touches a page of every account. With SQLite's 2 MB they would be read anew each day, and with
        // its log of 4 MB each would be copied into the file each day.
        connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        if dry_run {
            connection
                .execute_batch("begin immediate")
                .with_context(named)?;
        }
        let zones = zones(&connection).with_context(named)?;
        let registry = registry::Registry::load(&connection).with_context(named)?;
        Ok(Ledger {
            connection,
            path: path.to_owned(),
            file: read::identity(&std::fs::metadata(path).with_context(named)?),
            registry,
            zones,
            dry_run,
        })
    }

    /// What is written into a file that was moved away or replaced is lost, or spoils the one in its place.
    fn insist_on_file(&self) -> anyhow::Result<()> {
        let now = std::fs::metadata(&self.path).ok();
        ensure!(
            now.is_some_and(|now| read::identity(&now) == self.file),
            "the file was moved, replaced or removed meanwhile"
        );
        Ok(())
    }

    /// Brings all that was written into the file itself, so that one who copies or restores it finds nothing
    /// left in the files beside it. Readers in the middle of an answer may leave some of it for the next time.
    fn settle(&self) -> anyhow::Result<()> {
        let sql = "pragma wal_checkpoint(truncate)";
        Ok(self.connection.query_row(sql, [], |_| Ok(()))?)
    }
}

#[cfg(test)]
mod tests;
