//! Other users of the machine who read the ledger: what they get by its modes, and what `check` says of these. Only root
//! can run something as somebody else; without root the reader is the ledger's owner.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cloudstack::{Cloud, NEWEST};
use crate::sandbox::Run;
use crate::server::Server;

/// Nobody's, but for these tests.
const OWNER: u32 = 61_300;
const READER: u32 = 61_301;
const READERS: u32 = 61_302;

fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud.set_timezone("GMT");
    cloud.configure("GMT", "[server]\nbind = 127.0.0.1:0\n");
    cloud.run(&["initdb"]).exits(0);
    chmod(&cloud, "cloudusage.cfg", 0o644);
    cloud
}

fn chmod(cloud: &Cloud, name: &str, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(cloud.sandbox.path(name), mode).unwrap();
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Gives ledger and folder to the group of the readers.
fn share(cloud: &Cloud, folder: u32, ledger: u32) {
    if is_root() {
        for name in ["", "usage.db"] {
            chown(cloud.sandbox.path(name), None, Some(READERS)).unwrap();
        }
    }
    // A change of the group takes bits away.
    chmod(cloud, "", folder);
    chmod(cloud, "usage.db", ledger);
}

fn read(cloud: &Cloud) -> Run {
    let mut sqlite = Command::new("sqlite3");
    sqlite.args(["-readonly", "usage.db", "select count(*) from days"]);
    sqlite.current_dir(cloud.sandbox.folder());
    if is_root() {
        sqlite.uid(READER).gid(READERS);
    }
    Run::of(&mut sqlite)
}

/// With its state.
fn said(cloud: &Cloud) -> Vec<String> {
    let run = cloud.run(&["check", "--quick"]);
    let lines = run.stdout.lines();
    let lines = lines.filter(|line| line.contains(" readers "));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_group_reads_the_ledger_while_the_server_runs() {
    let cloud = cloud();
    share(&cloud, 0o2750, 0o640);
    let fine = "can read the ledger, while rbc-usage serve runs";
    let lines = said(&cloud);
    assert!(
        lines.len() == 1 && lines[0].starts_with("ok readers") && lines[0].ends_with(fine),
        "{lines:?}"
    );
    // A command that has read the ledger leaves them.
    for name in ["usage.db-shm", "usage.db-wal"] {
        let _ = std::fs::remove_file(cloud.sandbox.path(name));
    }
    if is_root() {
        let run = read(&cloud);
        assert!(run.stderr.contains("readonly database"), "{run}");
    }
    let server = Server::start(&cloud.sandbox);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(read(&cloud).exits(0).stdout, "0\n");
    let lines = said(&cloud);
    assert!(lines.len() == 1 && lines[0].ends_with(fine), "{lines:?}");
}

/// A ledger that only its owner may read has no line.
#[test]
fn check_says_what_keeps_readers_out() {
    let cloud = cloud();
    assert!(said(&cloud).is_empty());
    for (folder, ledger, expected) in [
        (0o2700, 0o640, "but not enter its folder: chgrp"),
        (0o2770, 0o640, "would shut out the program: chmod go-w ."),
        (
            0o2750,
            0o660,
            "may write to the ledger: chmod g-w ./usage.db",
        ),
    ] {
        share(&cloud, folder, ledger);
        let lines = said(&cloud);
        assert!(
            lines.len() == 1 && lines[0].starts_with("look") && lines[0].contains(expected),
            "{folder:o} {ledger:o} {lines:?}"
        );
    }
}

/// SQLite makes what its users share for whoever comes first.
#[test]
fn what_a_reader_has_made_shuts_out_the_program_and_is_named() {
    let cloud = cloud();
    if !is_root() {
        return;
    }
    share(&cloud, 0o2770, 0o640);
    // The program is not root where it is in use; root's SQLite gives these files to the ledger's owner.
    cloud.sandbox.copied_program();
    for name in ["", "cloudusage.cfg", "usage.db", "usage.db.lock"] {
        chown(cloud.sandbox.path(name), Some(OWNER), None).unwrap();
    }
    chmod(&cloud, "", 0o2770);
    assert_eq!(read(&cloud).exits(0).stdout, "0\n");
    let run = |words: &[&str]| {
        let mut command = Command::new(cloud.sandbox.path("program"));
        command.args(words).current_dir(cloud.sandbox.folder());
        Run::of(command.env_clear().uid(OWNER).gid(OWNER))
    };
    let import = run(&["import"]).exits(2);
    let why = "usage.db-shm: permission denied: it belongs to user 61301, has mode 0640";
    assert!(import.stderr.contains(why), "{import}");
    let check = run(&["check", "--quick"]);
    let what = "./usage.db-shm belongs to user 61301, who opened the ledger, and may shut out user 61300: \
                chown 61300 ./usage.db-shm";
    assert!(check.stdout.contains(what), "{check}");
}
