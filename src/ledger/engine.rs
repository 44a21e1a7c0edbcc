//! What the ledger's database needs beside statements: how it is opened to be read and to be written, how it is known
//! to be the same one, when writes last, and how readers notice a write. It is a SQLite file, or a database of MySQL's
//! protocol on one server or a cluster of them.

mod access;
mod cluster;
mod file;
mod lease;
pub mod lock;

use std::time::Duration;

use anyhow::{bail, ensure};

pub use access::{Access, explained, shared_files};
pub use file::{
    APPLICATION_ID, NOT_A_LEDGER, READERS_BUSY_TIMEOUT, WRITERS_BUSY_TIMEOUT, open_file,
};

use crate::config::LedgerUri;
use crate::db::{Connection, params};
use cluster::CurrentServer;
use file::{FileId, OpenedFile};

/// The error of whoever wants to write to a copy.
pub const READ_ONLY: &str =
    "its address says immutable=1: it is a copy to read, and nothing is written to it";

/// An open ledger.
pub struct Engine {
    connection: Connection,
    place: LedgerPlace,
}

/// What was opened.
enum LedgerPlace {
    File(OpenedFile),
    Cluster { name: String, server: CurrentServer },
}

impl Engine {
    /// Opens a ledger to read it, by a connection that cannot write. A file that somebody else keeps to himself is waited
    /// for so long.
    pub fn open_to_read(ledger: &LedgerUri, busy_timeout: Duration) -> anyhow::Result<Engine> {
        Ok(match ledger {
            LedgerUri::File(path) => {
                Engine::of_file(file::open_to_read(path, Access::Read, busy_timeout)?)
            }
            LedgerUri::ReadOnlyFile(path) => {
                let access = Access::ReadImmutable;
                Engine::of_file(file::open_to_read(path, access, busy_timeout)?)
            }
            LedgerUri::Cluster(uris) => {
                Engine::of_cluster(cluster::open_to_read(uris, busy_timeout)?, ledger)
            }
        })
    }

    /// Opens one to write it. It may still have to become a ledger.
    pub fn open_to_write(ledger: &LedgerUri) -> anyhow::Result<Engine> {
        Ok(match ledger {
            LedgerUri::File(path) => Engine::of_file(file::open_to_write(path)?),
            LedgerUri::ReadOnlyFile(_) => bail!(READ_ONLY),
            LedgerUri::Cluster(uris) => Engine::of_cluster(cluster::open_to_write(uris)?, ledger),
        })
    }

    fn of_file((connection, file): (rusqlite::Connection, OpenedFile)) -> Engine {
        Engine {
            connection: connection.into(),
            place: LedgerPlace::File(file),
        }
    }

    fn of_cluster((connection, server): (Connection, CurrentServer), ledger: &LedgerUri) -> Engine {
        let name = ledger_at(ledger);
        Engine {
            connection,
            place: LedgerPlace::Cluster { name, server },
        }
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether it is a file, and no cluster's.
    pub fn is_file(&self) -> bool {
        matches!(self.place, LedgerPlace::File(_))
    }

    /// Goes before every error of this ledger.
    pub fn name(&self) -> String {
        match &self.place {
            LedgerPlace::File(file) => format!("ledger {}", file.path().display()),
            LedgerPlace::Cluster { name, .. } => name.clone(),
        }
    }

    /// Tells this ledger from another one in its place: device and inode of the file that was opened.
    pub fn file(&self) -> FileId {
        match &self.place {
            LedgerPlace::File(file) => file.id(),
            LedgerPlace::Cluster { .. } => (0, 0),
        }
    }

    /// Whether its path still names the file that was opened, and not another one or none; of a cluster, whether the server
    /// that it is asked of has not failed anybody since.
    pub fn is_current(&self) -> bool {
        match &self.place {
            LedgerPlace::File(file) => file.is_in_place(),
            LedgerPlace::Cluster { server, .. } => server.is_trusted(),
        }
    }

    /// To be called after an answer was read from it: an error if the answer may be torn.
    pub fn insist_on_unchanged(&self) -> anyhow::Result<()> {
        match &self.place {
            LedgerPlace::File(file) => file.insist_on_unchanged(),
            LedgerPlace::Cluster { .. } => Ok(()),
        }
    }

    /// To be called before a transaction: what is written into a file that was moved away or replaced is lost, or spoils
    /// the one in its place.
    pub fn insist_on_place(&self) -> anyhow::Result<()> {
        ensure!(
            !self.is_file() || self.is_current(),
            "the file was moved, replaced or removed meanwhile"
        );
        Ok(())
    }

    /// To be called before a transaction within which the source is read: a server takes one who is silent for dead.
    pub fn allow_pauses(&self) -> anyhow::Result<()> {
        match self.place {
            LedgerPlace::File(_) => Ok(()),
            LedgerPlace::Cluster { .. } => cluster::allow_pauses(&self.connection),
        }
    }

    /// How often those who had the right to write a cluster's ledger have committed; an error if this process does not have
    /// it. 0 for a file, which never fails to say whether it has committed.
    pub fn count_commits(&self) -> anyhow::Result<i64> {
        match self.place {
            LedgerPlace::File(_) => Ok(0),
            LedgerPlace::Cluster { .. } => lease::count_writes(&self.connection),
        }
    }

    /// Commits, if this process still has the right to write. A file's right is the lock that its holder cannot lose; that
    /// to a cluster's ledger is a lease, which is renewed by the transaction itself.
    pub fn commit(&self) -> anyhow::Result<()> {
        match self.place {
            LedgerPlace::File(_) => self.connection.commit(),
            LedgerPlace::Cluster { .. } => lease::commit(&self.connection),
        }
    }

    /// From now on no write waits for the disk: a power cut can take back the newest ones, each wholly. Whatever ends the
    /// program takes back nothing. A server waits as it is set to.
    pub fn stop_waiting_for_the_disk(&self) -> anyhow::Result<()> {
        match self.place {
            LedgerPlace::File(_) => self.connection.run("pragma synchronous = normal"),
            LedgerPlace::Cluster { .. } => Ok(()),
        }
    }

    /// Brings all that was written into the file itself, so that one who copies or restores it finds nothing
    /// left in the files beside it. Readers in the middle of an answer may leave some of it for the next time.
    pub fn checkpoint(&self) -> anyhow::Result<()> {
        match self.place {
            LedgerPlace::File(_) => self.connection.run("pragma wal_checkpoint(truncate)"),
            LedgerPlace::Cluster { .. } => Ok(()),
        }
    }

    /// A number that is another one after anybody else has written to the ledger. A file's means nothing to another
    /// connection.
    pub fn changes(&self) -> anyhow::Result<i64> {
        match self.place {
            LedgerPlace::File(_) => {
                let sql = "pragma data_version";
                self.connection.one(sql, params! {}, |row| row.get(0))
            }
            LedgerPlace::Cluster { .. } => lease::count_all_writes(&self.connection),
        }
    }

    /// Never closes the connection to a file. Beside the ledger lies a file of shared memory, and a new ledger finds that of
    /// the old one there. Whoever closes a file gives up all locks that his process has on it, so the other readers would
    /// lose theirs, and an import would take the new ledger for one that nobody reads. A ledger is replaced once in a blue
    /// moon.
    pub fn abandon(self) {
        if self.is_file() {
            std::mem::forget(self);
        }
    }
}

/// Goes before every error of this ledger.
pub fn ledger_at(ledger: &LedgerUri) -> String {
    format!("ledger {ledger}")
}
