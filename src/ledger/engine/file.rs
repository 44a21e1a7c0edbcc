//! A ledger in a SQLite file: how it is opened to be read and to be written, how its file is recognised, and what every
//! connection to it is set to.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{ErrorCode, OpenFlags};

use super::access::{Access, explained, explained_by_place, insist_on_access, shared_files};

/// Marks a SQLite file as a ledger: "RBCU".
pub const APPLICATION_ID: i32 = 0x5242_4355;

/// The error for a database that is not a ledger.
pub const NOT_A_LEDGER: &str = "not a ledger of rbc-usage";

/// How long a statement waits for somebody else's write, such as a shell's.
pub const WRITERS_BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// In WAL mode only the recovery after a crash makes a reader wait.
pub const READERS_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that are kept: all there are.
const STATEMENTS: usize = 64;

/// Pages held in memory while writing, at most.
const CACHE_KIBIBYTES: i64 = 4 << 10;

/// Pages of 4 KiB in the log before they are copied into the file.
const LOG_PAGES: i64 = 4 << 10;

/// The file that was opened under a path.
pub struct OpenedFile {
    path: PathBuf,
    id: FileId,
    /// Size and time of change of one that nobody should write to.
    stamp: Option<FileStamp>,
}

/// Device and inode.
pub type FileId = (u64, u64);

/// Bytes, and the nanosecond of the last change.
type FileStamp = (u64, i128);

impl OpenedFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn id(&self) -> FileId {
        self.id
    }

    /// Whether the path still names the file that was opened, and not another one or none.
    pub fn is_in_place(&self) -> bool {
        let now = std::fs::metadata(&self.path);
        now.is_ok_and(|now| identity(&now) == self.id && !self.differs(&now))
    }

    /// An error if somebody has written to a file that nobody should write to: what was read from it may be torn.
    pub fn insist_on_unchanged(&self) -> anyhow::Result<()> {
        let now = std::fs::metadata(&self.path);
        let torn = now.is_ok_and(|now| identity(&now) == self.id && self.differs(&now));
        ensure!(
            !torn,
            "somebody wrote to it while it was read, though it is opened as immutable: move a new copy over it instead"
        );
        Ok(())
    }

    fn differs(&self, now: &Metadata) -> bool {
        self.stamp.is_some_and(|stamp| stamp != find_stamp(now))
    }
}

/// Opens a ledger to read it, by a connection that cannot write: `Access::Read`, or `Access::ReadImmutable`.
pub fn open_to_read(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
) -> anyhow::Result<(rusqlite::Connection, OpenedFile)> {
    let found = match std::fs::metadata(path) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            bail!("no such file: run rbc-usage initdb")
        }
        other => other.map_err(|err| explained(err, path))?,
    };
    let is_immutable = access == Access::ReadImmutable;
    let file = OpenedFile {
        path: path.to_owned(),
        id: identity(&found),
        stamp: is_immutable.then(|| find_stamp(&found)),
    };
    if is_immutable {
        insist_on_no_log(path)?;
    }
    let connection = open_file(path, access, busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    // Otherwise SQLite plans most statements again whenever values are bound to them, in case another plan suits these
    // better: a fifth of the time that a month of an account takes, and no plan here depends on a value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    insist_on_ledger(&connection, path)?;
    Ok((connection, file))
}

/// Opens a file to write it. It may still have to become a ledger.
pub fn open_to_write(path: &Path) -> anyhow::Result<(rusqlite::Connection, OpenedFile)> {
    let connection = open_file(path, Access::Write, WRITERS_BUSY_TIMEOUT)?;
    look(&connection, path, "select count(*) from sqlite_schema")?;
    // A day is a few megabytes behind those before it: copied into the file in larger pieces than SQLite's own.
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    let file = OpenedFile {
        path: path.to_owned(),
        id: identity(&std::fs::metadata(path)?),
        stamp: None,
    };
    Ok((connection, file))
}

/// Opens the file and sets what every connection needs. Never creates it.
pub fn open_file(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
) -> anyhow::Result<rusqlite::Connection> {
    insist_on_access(path, access)?;
    let (name, flags) = match access {
        Access::Read => (path.to_owned(), OpenFlags::SQLITE_OPEN_READ_ONLY),
        Access::ReadImmutable => (
            immutable(path),
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        ),
        Access::Write => (path.to_owned(), OpenFlags::SQLITE_OPEN_READ_WRITE),
    };
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(name, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// The file as SQLite is told that nobody writes to it: no lock is taken, and nothing is looked for beside it.
fn immutable(path: &Path) -> PathBuf {
    let encoded = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    format!("file:{encoded}?immutable=1").into()
}

/// What is in a log beside a copy would not be seen.
fn insist_on_no_log(path: &Path) -> anyhow::Result<()> {
    let [_, log] = shared_files(path);
    ensure!(
        std::fs::metadata(&log).map_or(0, |log| log.len()) == 0,
        "{} holds changes that are not in it, and that nobody would see where it is opened as immutable: copy it by \
         rbc-usage backup",
        log.display()
    );
    Ok(())
}

/// Refuses a file of somebody else.
fn insist_on_ledger(connection: &rusqlite::Connection, path: &Path) -> anyhow::Result<()> {
    let id = look(
        connection,
        path,
        "select application_id from pragma_application_id",
    )?;
    ensure!(id == i64::from(APPLICATION_ID), NOT_A_LEDGER);
    Ok(())
}

/// The first look into the file.
fn look(connection: &rusqlite::Connection, path: &Path, sql: &str) -> anyhow::Result<i64> {
    connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|err| match err.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => anyhow!(NOT_A_LEDGER),
            _ => explained_by_place(err, path),
        })
}

fn identity(file: &Metadata) -> FileId {
    (file.dev(), file.ino())
}

fn find_stamp(file: &Metadata) -> FileStamp {
    let nanoseconds = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
    (file.len(), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::initialise;

    #[test]
    fn a_copy_that_somebody_writes_to_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a %?#.db");
        initialise(&(&path).into(), "GMT", "2013-06-02T00:20:00Z", &mut |_| ()).unwrap();
        let (_connection, copy) =
            open_to_read(&path, Access::ReadImmutable, Duration::ZERO).unwrap();
        copy.insist_on_unchanged().unwrap();
        assert!(copy.is_in_place());
        // Another one in its place is no harm to what was opened.
        let kept = folder.path().join("kept.db");
        std::fs::rename(&path, &kept).unwrap();
        std::fs::copy(&kept, &path).unwrap();
        copy.insist_on_unchanged().unwrap();
        assert!(!copy.is_in_place());
        std::fs::rename(&kept, &path).unwrap();
        assert!(copy.is_in_place());
        let writer = rusqlite::Connection::open(&path).unwrap();
        let sql = "pragma journal_mode = delete; update ledgers set revision = 99";
        writer.execute_batch(sql).unwrap();
        assert!(copy.insist_on_unchanged().is_err());
        assert!(!copy.is_in_place());
    }
}
