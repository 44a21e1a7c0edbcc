//! Why a file of the ledger may not be opened: whose it is, and who asks. The system's own words name neither, and
//! SQLite's not even that it is about rights.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use rusqlite::ErrorCode;
use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::owners::user_name;

/// What is going to be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// A file that nobody writes to, neither this process nor another one.
    ReadImmutable,
    Write,
}

/// Refuses a file that this user may not open. Other errors are left to whoever opens it. The file is not opened for
/// that: closing it would take away the locks that SQLite has on it elsewhere in this process.
pub fn insist_on_access(path: &Path, access: Access) -> anyhow::Result<()> {
    let wanted = match access {
        Access::Read | Access::ReadImmutable => rustix::fs::Access::READ_OK,
        Access::Write => rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
    };
    match rustix::fs::accessat(rustix::fs::CWD, path, wanted, AtFlags::EACCESS) {
        Err(Errno::ACCESS) => Err(explained(Errno::ACCESS.into(), path)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What SQLite's users share is a file of this size at first.
const SHARED: u64 = 32 << 10;

/// An error of the first look into a ledger. Where SQLite could not make the file that its users share, it says why.
pub fn explained_by_place(err: rusqlite::Error, path: &Path) -> anyhow::Error {
    let unwritable = || {
        anyhow!(
            "its folder must be writable: SQLite keeps there what its users share; if it is a copy that nobody writes \
                 to, say so by ?immutable=1 behind its name in main.rbc_usage_uri"
        )
    };
    let code = err.sqlite_error_code();
    if let (Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen), Some(shared)) =
        (code, find_unusable(path))
    {
        // Another user may have made it, in a folder that several may write to.
        return explained(ErrorKind::PermissionDenied.into(), &shared)
            .context(shared.display().to_string());
    }
    match code {
        Some(ErrorCode::ReadOnly) => unwritable(),
        // So it says where the whole file system is read-only.
        Some(ErrorCode::CannotOpen) if !may_write_beside(path) => unwritable(),
        Some(ErrorCode::SystemIoFailure) if !has_room_beside(path) => {
            anyhow!("its disk is full: SQLite keeps beside it what its users share")
        }
        _ => err.into(),
    }
}

/// What SQLite keeps beside a ledger in use, for all of its users.
pub fn shared_files(path: &Path) -> [PathBuf; 2] {
    ["-shm", "-wal"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

/// One that is there, and that this user may not write.
fn find_unusable(path: &Path) -> Option<PathBuf> {
    let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
    shared_files(path).into_iter().find(|file| {
        let access = rustix::fs::accessat(rustix::fs::CWD, file, wanted, AtFlags::EACCESS);
        access == Err(Errno::ACCESS)
    })
}

fn may_write_beside(path: &Path) -> bool {
    let wanted = rustix::fs::Access::WRITE_OK;
    rustix::fs::accessat(rustix::fs::CWD, folder_of(path), wanted, AtFlags::EACCESS).is_ok()
}

fn has_room_beside(path: &Path) -> bool {
    // Where it cannot be told, it is not the reason that is told.
    rustix::fs::statvfs(folder_of(path))
        .map_or(true, |disk| disk.f_bavail * disk.f_frsize >= SHARED)
}

/// An error of opening or making a file; where it is about rights, it says whose the file is.
pub fn explained(err: io::Error, path: &Path) -> anyhow::Error {
    if err.kind() != ErrorKind::PermissionDenied {
        return err.into();
    }
    let folder = folder_of(path);
    let me = user_name(rustix::process::geteuid().as_raw());
    let whose = |file: &fs::Metadata| {
        let (owner, mode) = (user_name(file.uid()), file.mode() & 0o7777);
        format!("belongs to {owner}, has mode {mode:04o}, and this runs as {me}")
    };
    match (fs::metadata(path), fs::metadata(folder)) {
        (Ok(file), _) => anyhow::anyhow!("permission denied: it {}", whose(&file)),
        (Err(_), Ok(file)) => {
            let folder = folder.display();
            anyhow::anyhow!("permission denied: its folder {folder} {}", whose(&file))
        }
        (Err(_), Err(_)) => anyhow::anyhow!("permission denied: this runs as {me}"),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}
