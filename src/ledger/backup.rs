//! A copy of the ledger, taken while it is in use, and checked before it takes its name. Also the check itself.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempPath;

use super::copy::copy;
use super::engine::{APPLICATION_ID, Access, Engine, WRITERS_BUSY_TIMEOUT, ledger_at, open_file};
use super::schema::insist_on_current;
use super::step::Step;
use crate::config::LedgerUri;

/// Faults that are reported; there may be thousands.
const MOST_FAULTS: usize = 5;

/// How often a step is tried again while the ledger is busy, which lasts as long as a crash's recovery.
const ATTEMPTS: usize = 100;

/// Where an SQLite file says whose it is: the head's first bytes, and the application's id as far behind.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const APPLICATION_ID_AT: usize = 68;

/// Pages that are copied before progress is reported: 16 MiB.
const PAGES_A_STEP: i32 = 4096;

/// Copies the ledger to `target`, a file that may be an older copy. Returns the copy's size in bytes. `now` is UTC,
/// `YYYY-MM-DDTHH:MM:SSZ`.
pub fn backup(
    ledger: &LedgerUri,
    target: &Path,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<u64> {
    let named = || format!("backup {}", target.display());
    refuse_other_files(ledger.file(), target).with_context(named)?;
    let name = target.file_name().context("names no file")?;
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let new = folder.join(dotted(name));
    let copied = match ledger {
        LedgerUri::File(_) | LedgerUri::ReadOnlyFile(_) => {
            copy_pages(&open_to_read(ledger)?, &new, on_step)
        }
        LedgerUri::Cluster(_) => copy_rows(ledger, &new, now, on_step),
    };
    let made = copied.and_then(|file| {
        let bytes = fs::metadata(&new)?.len();
        file.persist(target).map_err(|err| err.error)?;
        // The name has to last as well as what it stands for.
        File::open(folder)?.sync_all()?;
        Ok(bytes)
    });
    if made.is_err() {
        remove(&new);
    }
    made.with_context(named)
}

/// A file that only its owner may read, in place of what a killed run has left.
fn create(new: &Path) -> anyhow::Result<TempPath> {
    remove(new);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(new)?;
    Ok(TempPath::try_from_path(new)?)
}

/// Copies all rows of one state of a cluster's ledger, compares them, and sees that they are on the disk.
fn copy_rows(
    ledger: &LedgerUri,
    new: &Path,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<TempPath> {
    let file = create(new)?;
    copy(ledger, &new.into(), now, on_step)?;
    File::open(new)?.sync_all()?;
    Ok(file)
}

/// Copies all pages of one state, checks them, and sees that they are on the disk.
fn copy_pages(
    source: &Connection,
    new: &Path,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<TempPath> {
    let file = create(new)?;
    let mut copy = Connection::open_with_flags(new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // A reader's transaction, so that an import in between changes nothing about the copy and need not wait.
    source.execute_batch("begin; select count(*) from sqlite_schema")?;
    let backup = Backup::new(source, &mut copy)?;
    let mut attempts = 0;
    loop {
        match backup.step(PAGES_A_STEP)? {
            StepResult::Done => break,
            StepResult::More => {
                let progress = backup.progress();
                on_step(Step {
                    doing: "copying",
                    done: u64::try_from(progress.pagecount - progress.remaining)?,
                    of: Some(u64::try_from(progress.pagecount)?),
                });
            }
            _ if attempts < ATTEMPTS => {
                attempts += 1;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            _ => bail!("the ledger is busy"),
        }
    }
    drop(backup);
    source.execute_batch("commit")?;
    on_step(Step::of_unknown("checking the copy"));
    let faults = list_faults(&copy, "pragma integrity_check")?;
    ensure!(
        faults.is_empty(),
        "the copy is damaged: {}",
        faults.join("; ")
    );
    // Closing the last connection takes the copy's own companions away.
    copy.close().map_err(|(_, err)| err)?;
    File::open(new)?.sync_all()?;
    Ok(file)
}

/// What is wrong with the pages of a ledger's file; the first few faults.
pub fn check(ledger: &LedgerUri, on_step: &mut dyn FnMut(Step)) -> anyhow::Result<Vec<String>> {
    let connection = open_to_read(ledger)?;
    on_step(Step::of_unknown("checking pages"));
    list_faults(&connection, "pragma quick_check").with_context(|| ledger_at(ledger))
}

/// A connection to the file itself.
fn open_to_read(ledger: &LedgerUri) -> anyhow::Result<Connection> {
    let look = || -> anyhow::Result<Connection> {
        let engine = Engine::open_to_read(ledger, WRITERS_BUSY_TIMEOUT)?;
        insist_on_current(&engine)?;
        let access = match ledger {
            LedgerUri::ReadOnlyFile(_) => Access::ReadImmutable,
            LedgerUri::File(_) | LedgerUri::Cluster(_) => Access::Read,
        };
        let path = ledger.file().context("it is no file")?;
        open_file(path, access, WRITERS_BUSY_TIMEOUT)
    };
    look().with_context(|| ledger_at(ledger))
}

fn list_faults(connection: &Connection, pragma: &str) -> anyhow::Result<Vec<String>> {
    let mut statement = connection.prepare(pragma)?;
    let faults = statement.query_map([], |row| row.get::<_, String>(0))?;
    let faults: Vec<String> = faults.take(MOST_FAULTS).collect::<rusqlite::Result<_>>()?;
    Ok(faults.into_iter().filter(|fault| fault != "ok").collect())
}

/// The ledger and what belongs to it must never be written over, nor a file of somebody else.
fn refuse_other_files(ledger: Option<&Path>, target: &Path) -> anyhow::Result<()> {
    let canonical = |path: &Path| fs::canonicalize(path).with_context(|| ledger_at(&path.into()));
    let ledger = ledger.map(canonical).transpose()?;
    let file = match fs::symlink_metadata(target) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            let folder = target.parent().filter(|folder| *folder != Path::new(""));
            let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
            let whole = folder.join(target.file_name().context("names no file")?);
            let is_its = ledger.is_some_and(|ledger| belongs(&whole, &ledger));
            ensure!(!is_its, "belongs to the ledger in use");
            return Ok(());
        }
        other => other?,
    };
    ensure!(file.is_file(), "is there, and no file");
    let whole = fs::canonicalize(target)?;
    if let Some(ledger) = ledger {
        let original = fs::metadata(&ledger)?;
        ensure!(
            (file.dev(), file.ino()) != (original.dev(), original.ino())
                && !belongs(&whole, &ledger),
            "is the ledger in use, or belongs to it"
        );
    }
    let mut head = [0; APPLICATION_ID_AT + 4];
    let ours = File::open(target)?.read_exact(&mut head).is_ok()
        && head.starts_with(MAGIC)
        && head[APPLICATION_ID_AT..] == APPLICATION_ID.to_be_bytes();
    ensure!(
        ours || file.len() == 0,
        "is there, and no ledger: it is not written over"
    );
    Ok(())
}

fn belongs(file: &Path, ledger: &Path) -> bool {
    ["", "-wal", "-shm", "-journal", ".lock"].iter().any(|end| {
        let mut name = ledger.as_os_str().to_owned();
        name.push(end);
        file.as_os_str() == name
    })
}

/// `.NAME.new`
fn dotted(name: &std::ffi::OsStr) -> OsString {
    let mut dotted = OsString::from(".");
    dotted.push(name);
    dotted.push(".new");
    dotted
}

/// An unfinished copy and its companions.
fn remove(new: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = new.as_os_str().to_owned();
        name.push(end);
        // Most of them are not there.
        let _ = fs::remove_file(PathBuf::from(name));
    }
}
