//! A connection that reads the ledger and cannot write, and the snapshot that one answer is read from.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};

use crate::ledger::access::{Access, explained, explained_by_place, insist_on_access};
use crate::ledger::context::ledger_at;
use crate::ledger::file::identity;
use crate::ledger::schema::{APPLICATION_ID, SCHEMA_VERSION};
use crate::ledger::timezones::find_zones;
use crate::zones::Zones;

/// In WAL mode only the recovery after a crash makes a reader wait.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that are kept: all there are.
const STATEMENTS: usize = 64;

/// A read-only connection to a ledger.
pub struct Reader {
    path: PathBuf,
    /// Device and inode of the file when it was opened.
    file: (u64, u64),
    pub(super) connection: Connection,
}

/// One state of the ledger, for all questions that one answer takes.
pub struct Snapshot<'a> {
    pub(in crate::ledger) tx: Transaction<'a>,
}

/// A ledger that can be read after an upgrade, its own or the program's.
#[derive(Debug)]
pub struct OtherSchema {
    version: i64,
}

impl fmt::Display for OtherSchema {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let version = self.version;
        let (is, remedy) = match version < SCHEMA_VERSION {
            true => ("older", "run rbc-usage initdb"),
            false => ("newer", "use a newer rbc-usage"),
        };
        write!(
            f,
            "its schema {version} is {is} than this program's {SCHEMA_VERSION}: {remedy}"
        )
    }
}

impl std::error::Error for OtherSchema {}

/// A part of a long list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// `None`: all that is left.
    pub limit: Option<u32>,
    pub offset: u32,
}

impl Snapshot<'_> {
    pub(in crate::ledger) fn connection(&self) -> &Connection {
        &self.tx
    }
}

impl Page {
    /// As SQLite takes a limit: -1 is none.
    pub(super) fn limit(self) -> i64 {
        self.limit.map_or(-1, i64::from)
    }
}

impl Reader {
    /// Opens a ledger that `initdb` has made; creates and changes nothing.
    pub fn open(path: &Path) -> anyhow::Result<Reader> {
        open(path, BUSY_TIMEOUT).with_context(|| ledger_at(path))
    }

    /// The same, for whom it is an error at once if somebody else keeps the ledger to himself.
    pub fn open_without_waiting(path: &Path) -> anyhow::Result<Reader> {
        open(path, Duration::ZERO).with_context(|| ledger_at(path))
    }

    /// The reader, if its path still names the file that was opened, and not another one or none.
    pub fn if_current(self) -> Option<Reader> {
        if std::fs::metadata(&self.path).is_ok_and(|now| identity(&now) == self.file) {
            return Some(self);
        }
        // Never closed. Beside the ledger lies a file of shared memory, and a new ledger finds that of the old one there.
        // Whoever closes a file gives up all locks that his process has on it, so the other readers would lose theirs,
        // and an import would take the new ledger for one that nobody reads. A ledger is replaced once in a blue moon.
        std::mem::forget(self);
        None
    }

    /// A number that is another one after anybody has written to the ledger, and means nothing to another reader.
    pub fn changes(&self) -> anyhow::Result<i64> {
        let changes = self
            .connection
            .prepare_cached("pragma data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        changes.with_context(|| ledger_at(&self.path))
    }

    /// Device and inode of the file that was opened.
    pub fn file(&self) -> (u64, u64) {
        self.file
    }

    /// The zones that its days are of.
    pub fn zones(&mut self) -> anyhow::Result<Zones> {
        self.read(|snapshot| find_zones(&snapshot.tx))
    }

    /// Asks in one read transaction, after a look at the schema: an upgrade may have happened meanwhile.
    pub fn read<T>(
        &mut self,
        question: impl FnOnce(&Snapshot) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let answer = self
            .connection
            .transaction()
            .map_err(anyhow::Error::from)
            .and_then(|tx| {
                check_schema_version(&tx)?;
                question(&Snapshot { tx })
            });
        answer.with_context(|| ledger_at(&self.path))
    }
}

fn open(path: &Path, busy_timeout: Duration) -> anyhow::Result<Reader> {
    let file = match std::fs::metadata(path) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            bail!("no such file: run rbc-usage initdb")
        }
        other => identity(&other.map_err(|err| explained(err, path))?),
    };
    insist_on_access(path, Access::Read)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise SQLite plans most statements again whenever values are bound to them, in case another plan suits these
    // better: a fifth of the time that a month of an account takes, and no plan here depends on a value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(&connection)?;
    check_application_id(&connection, path)?;
    check_schema_version(&connection)?;
    Ok(Reader {
        path: path.to_owned(),
        file,
        connection,
    })
}

fn check_application_id(connection: &Connection, path: &Path) -> anyhow::Result<()> {
    let id = connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
    match id.map_err(|err| (err.sqlite_error_code(), err)) {
        Ok(APPLICATION_ID) => Ok(()),
        Ok(_) | Err((Some(ErrorCode::NotADatabase), _)) => bail!("not a ledger of rbc-usage"),
        Err((_, err)) => Err(explained_by_place(err, path)),
    }
}

fn check_schema_version(connection: &Connection) -> anyhow::Result<()> {
    let version: i64 = connection
        .prepare_cached("pragma user_version")?
        .query_one([], |row| row.get(0))?;
    ensure!(version == SCHEMA_VERSION, OtherSchema { version });
    Ok(())
}
