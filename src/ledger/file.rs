//! The ledger's file: what every connection to it sets, and by what it is known again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rusqlite::{Connection, OpenFlags};

use super::access::{Access, insist_on_access};
use super::context::ledger_at;

/// How long a statement waits for somebody else's write, such as a shell's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the file and sets what every connection wants. Never creates it.
pub(super) fn open(path: &Path, flags: OpenFlags) -> anyhow::Result<Connection> {
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

/// Device and inode.
pub(super) fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
