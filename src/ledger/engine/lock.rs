//! One import at a time. Of a ledger in a file, the lock is an advisory lock on a file beside it, which the kernel lets go
//! of when its holder dies in whatever way; the file's text says who that is. Of a cluster's it is a lease.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::lease::WriteLease;
use super::{READ_ONLY, explained, ledger_at};
use crate::config::LedgerUri;
use crate::plural::plural;

/// How often a waiting import looks again.
const INTERVAL: Duration = Duration::from_millis(100);

/// HeldRight for as long as it lives.
pub struct ImportLock {
    _held: HeldRight,
}

enum HeldRight {
    File { _locked: File },
    Lease { _held: WriteLease },
}

impl ImportLock {
    /// Waits up to `timeout` for the ledger's lock. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`, and reported to whoever
    /// waits for us.
    pub fn acquire(ledger: &LedgerUri, timeout: Duration, now: &str) -> anyhow::Result<ImportLock> {
        let held = match ledger {
            LedgerUri::File(path) => HeldRight::File {
                _locked: lock_file(path, timeout, now)?,
            },
            LedgerUri::ReadOnlyFile(_) => bail!("{}: {READ_ONLY}", ledger_at(ledger)),
            LedgerUri::Cluster(uris) => HeldRight::Lease {
                _held: WriteLease::acquire(uris, timeout, now)
                    .with_context(|| ledger_at(ledger))?,
            },
        };
        Ok(ImportLock { _held: held })
    }
}

fn lock_file(ledger: &Path, timeout: Duration, now: &str) -> anyhow::Result<File> {
    let path = lock_path(ledger);
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder {
        let is_folder = match fs::metadata(folder) {
            Err(err) if err.kind() == ErrorKind::PermissionDenied => {
                return Err(explained(err, folder))
                    .with_context(|| format!("ledger {}", ledger.display()));
            }
            other => other.is_ok_and(|found| found.is_dir()),
        };
        ensure!(
            is_folder,
            "ledger {}: there is no folder {}",
            ledger.display(),
            folder.display()
        );
    }
    let named = || format!("lock {}", path.display());
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|err| explained(err, &path))
        .with_context(named)?;
    let deadline = Instant::now() + timeout;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(INTERVAL)
            }
            Err(TryLockError::WouldBlock) => bail!(
                "ledger {}: in use by {}; waited {}",
                ledger.display(),
                holder(&mut file).unwrap_or_else(|_| "unknown".to_owned()),
                plural(timeout.as_secs(), "second")
            ),
            Err(TryLockError::Error(err)) => return Err(err).with_context(named),
        }
    }
    file.set_len(0).with_context(named)?;
    file.rewind().with_context(named)?;
    writeln!(file, "process {} since {now}", std::process::id()).with_context(named)?;
    Ok(file)
}

fn holder(file: &mut File) -> std::io::Result<String> {
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// Beside the file itself: a link to the ledger is the same ledger.
fn lock_path(ledger: &Path) -> PathBuf {
    let file = std::fs::canonicalize(ledger).unwrap_or_else(|_| ledger.to_owned());
    let mut name = file.into_os_string();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_import_is_told_who_holds_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("usage.db");
        let first =
            ImportLock::acquire(&(&ledger).into(), Duration::ZERO, "2013-06-02T00:20:00Z").unwrap();
        let second = ImportLock::acquire(&(&ledger).into(), Duration::ZERO, "2013-06-02T00:21:00Z")
            .err()
            .unwrap();
        assert_eq!(
            second.to_string(),
            format!(
                "ledger {}: in use by process {} since 2013-06-02T00:20:00Z; waited 0 seconds",
                ledger.display(),
                std::process::id()
            )
        );
        std::fs::write(&ledger, "").unwrap();
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&ledger, &link).unwrap();
        assert!(
            ImportLock::acquire(&(&link).into(), Duration::ZERO, "2013-06-02T00:21:00Z").is_err()
        );
        drop(first);
        ImportLock::acquire(&(&ledger).into(), Duration::ZERO, "2013-06-02T00:22:00Z").unwrap();
    }
}
