//! Why a file of the ledger may not be opened: whose it is, and who asks. The system's own words name neither, and
//! SQLite's not even that it is about rights.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::anyhow;
use rusqlite::ErrorCode;
use rustix::fs::AtFlags;
use rustix::io::Errno;

/// What is going to be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// Refuses a file that this user may not open. Other errors are left to whoever opens it. The file is not opened for
/// that: closing it would take away the locks that SQLite has on it elsewhere in this process.
pub fn insist_on_access(path: &Path, access: Access) -> anyhow::Result<()> {
    let wanted = match access {
        Access::Read => rustix::fs::Access::READ_OK,
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
    let unwritable =
        || anyhow!("its folder must be writable: SQLite keeps there what its users share");
    match err.sqlite_error_code() {
        Some(ErrorCode::ReadOnly) => unwritable(),
        // So it says where the whole file system is read-only.
        Some(ErrorCode::CannotOpen) if !may_write_beside(path) => unwritable(),
        Some(ErrorCode::SystemIoFailure) if !has_room_beside(path) => {
            anyhow!("its disk is full: SQLite keeps beside it what its users share")
        }
        _ => err.into(),
    }
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

/// As `/etc/passwd` has it; the number of a user who is kept elsewhere.
fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_the_names_of_the_system() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(4_294_967_294), "user 4294967294");
    }
}
