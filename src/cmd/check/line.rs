//! The lines that `check` prints, and what to think of each.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One line.
pub struct CheckLine {
    pub what: &'static str,
    pub severity: Severity,
    pub detail: String,
}

/// A line if everybody can read a file that holds secrets.
pub fn others_read(what: &'static str, file: &Path) -> Option<CheckLine> {
    let mode = fs::metadata(file).ok()?.mode();
    let name = file.display();
    (mode & 0o004 != 0).then(|| {
        look(
            what,
            format!("everybody can read {name}: chmod o-rwx {name}"),
        )
    })
}

pub fn ok(what: &'static str, detail: impl Into<String>) -> CheckLine {
    line(what, Severity::Ok, detail.into())
}

pub fn look(what: &'static str, detail: impl Into<String>) -> CheckLine {
    line(what, Severity::Look, detail.into())
}

pub fn error(what: &'static str, detail: impl Into<String>) -> CheckLine {
    line(what, Severity::Error, detail.into())
}

pub fn line(what: &'static str, severity: Severity, detail: String) -> CheckLine {
    CheckLine {
        what,
        severity,
        detail,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Ok,
    Look,
    Error,
}
