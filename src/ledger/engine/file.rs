//! A ledger in a SQLite file: how it is opened to be read and to be written, how its file is recognised, and what every
//! connection to it is set to.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use rusqlite::config::DbConfig;
use rusqlite::{ErrorCode, OpenFlags};

use super::access::{Access, explained, explained_by_place, insist_on_access};

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
const CACHE_KIBIBYTES: i64 = 16 << 10;

/// Pages of 4 KiB in the log before they are copied into the file.
const LOG_PAGES: i64 = 8 << 10;

/// Opens a ledger to read it, by a connection that cannot write. Also returns which file it is.
pub fn open_to_read(
    path: &Path,
    busy_timeout: Duration,
) -> anyhow::Result<(rusqlite::Connection, FileId)> {
    let file = match std::fs::metadata(path) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            bail!("no such file: run rbc-usage initdb")
        }
        other => identity(&other.map_err(|err| explained(err, path))?),
    };
    let connection = open_file(path, Access::Read, busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    // Otherwise SQLite plans most statements again whenever values are bound to them, in case another plan suits these
    // better: a fifth of the time that a month of an account takes, and no plan here depends on a value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    insist_on_ledger(&connection, path)?;
    Ok((connection, file))
}

/// Opens a file to write it. It may still have to become a ledger.
pub fn open_to_write(path: &Path) -> anyhow::Result<(rusqlite::Connection, FileId)> {
    let connection = open_file(path, Access::Write, WRITERS_BUSY_TIMEOUT)?;
    look(&connection, path, "select count(*) from sqlite_schema")?;
    // A day touches a page of every account. With SQLite's 2 MB they would be read again each day, and with
    // its log of 4 MB each would be copied into the file each day.
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok((connection, identity(&std::fs::metadata(path)?)))
}

/// Device and inode.
pub type FileId = (u64, u64);

/// Whether a path names this file, and not another one or none.
pub fn is_at(path: &Path, file: FileId) -> bool {
    std::fs::metadata(path).is_ok_and(|now| identity(&now) == file)
}

/// Opens the file and sets what every connection needs. Never creates it.
pub fn open_file(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
) -> anyhow::Result<rusqlite::Connection> {
    insist_on_access(path, access)?;
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
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
