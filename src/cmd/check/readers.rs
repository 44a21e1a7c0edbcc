//! Whether those whom the ledger's mode lets read it can. SQLite keeps two files beside a ledger in use, and each of its
//! users needs both. If a reader makes them, they are the reader's, and the program may be shut out.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::line::{CheckLine, look, ok};
use crate::ledger::engine::shared_files;
use crate::owners::{group_name, user_name};

const WHAT: &str = "readers";

/// Nothing is said of a ledger that only its owner may read. Files that are not there are none of it either.
pub fn check_readers(path: &Path) -> Vec<CheckLine> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let (Ok(ledger), Ok(place)) = (fs::metadata(path), fs::metadata(folder)) else {
        return Vec::new();
    };
    let shared = shared_files(path).map(|file| (fs::metadata(&file).ok(), file));
    let (owner, uid) = (user_name(ledger.uid()), ledger.uid());
    let foreign = shared.iter().filter_map(|(facts, file)| {
        let facts = facts.as_ref().filter(|facts| facts.uid() != ledger.uid())?;
        let (name, whose) = (file.display(), user_name(facts.uid()));
        Some(look(
            WHAT,
            format!(
                "{name} belongs to {whose}, who opened the ledger, and may shut out {owner}: chown {uid} {name}"
            ),
        ))
    });
    let mut lines: Vec<CheckLine> = foreign.collect();
    if ledger.mode() & 0o040 == 0 {
        return lines;
    }
    let made = shared.iter().find_map(|(facts, _)| facts.as_ref());
    let obstacles = obstacles(path, folder, &ledger, &place, made);
    if obstacles.is_empty() && lines.is_empty() {
        let group = group_name(ledger.gid());
        lines.push(ok(
            WHAT,
            format!("the group {group} can read the ledger, while rbc-usage serve runs"),
        ));
    }
    lines.extend(obstacles.into_iter().map(|obstacle| look(WHAT, obstacle)));
    lines
}

/// What keeps the ledger's group from reading it, or lets it do more than that; `made` is a file that SQLite has made.
fn obstacles(
    path: &Path,
    folder: &Path,
    ledger: &Metadata,
    place: &Metadata,
    made: Option<&Metadata>,
) -> Vec<String> {
    let (name, place_name) = (path.display(), folder.display());
    let (group, gid) = (group_name(ledger.gid()), ledger.gid());
    let mut obstacles = Vec::new();
    if ledger.mode() & 0o020 != 0 {
        obstacles.push(format!(
            "the group {group} may write to the ledger: chmod g-w {name}"
        ));
    }
    let same_group = place.gid() == ledger.gid();
    let enter = if same_group { 0o010 } else { 0o001 };
    if place.mode() & enter == 0 {
        obstacles.push(format!(
            "the group {group} may read the ledger, but not enter its folder: chgrp {gid} {place_name}; \
             chmod 2750 {place_name}"
        ));
    } else if place.mode() & 0o022 != 0 {
        obstacles.push(format!(
            "readers may write to the ledger's folder: what SQLite makes there for them would shut out the program: \
             chmod go-w {place_name}"
        ));
    }
    // Root's SQLite makes files that belong to the ledger's owner and group.
    let process = rustix::process::geteuid().as_raw() == ledger.uid() && ledger.uid() != 0;
    let next = match (place.mode() & 0o2000 != 0, made) {
        (true, _) => Some(place.gid()),
        (false, Some(made)) => Some(made.gid()),
        (false, None) => process.then(|| rustix::process::getegid().as_raw()),
    };
    if next.is_some_and(|next| next != ledger.gid()) && place.mode() & enter != 0 {
        obstacles.push(format!(
            "the group {group} cannot read what SQLite makes beside the ledger: chgrp {gid} {place_name}; \
             chmod g+s {place_name}"
        ));
    }
    obstacles
}
