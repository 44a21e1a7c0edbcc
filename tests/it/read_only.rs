//! A copy of a ledger in a place that cannot be written, opened by `?immutable=1`: everything that reads works on it,
//! nothing is written, and another copy moved over it is noticed.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use fixtures::demo;

use crate::sandbox::{Run, Sandbox};
use crate::server::Server;

const QUESTION: &str = "/v1/usage?month=2026-10&format=csv";

/// The sample, and a backup of it in a folder that nobody may write to.
fn with_copy() -> Sandbox {
    let sandbox = demo::fresh();
    std::fs::create_dir(sandbox.path("copies")).unwrap();
    place_copy(&sandbox);
    sandbox.copied_program();
    let config = std::fs::read_to_string(sandbox.path("demo/cloudusage.cfg")).unwrap();
    let config = config
        .replace(
            "sqlite:///usage.db",
            "sqlite:///../copies/usage.db?immutable=1",
        )
        .replace("bind = 127.0.0.1:8888", "bind = 127.0.0.1:0");
    assert!(config.contains("immutable"), "{config}");
    sandbox.write("demo/copy.cfg", &config);
    lock(&sandbox, true);
    sandbox
}

/// A backup under the name that is read, in one step.
fn place_copy(sandbox: &Sandbox) {
    let backup = ["backup", "new.db", "--config", "demo/cloudusage.cfg"];
    sandbox.run(&backup).exits(0);
    let (new, copy) = (sandbox.path("new.db"), sandbox.path("copies/usage.db"));
    std::fs::set_permissions(&new, Permissions::from_mode(0o444)).unwrap();
    std::fs::rename(new, copy).unwrap();
}

fn lock(sandbox: &Sandbox, locked: bool) {
    let mode = |folder: u32| Permissions::from_mode(folder);
    let copies = if locked { 0o555 } else { 0o755 };
    std::fs::set_permissions(sandbox.path("copies"), mode(copies)).unwrap();
    std::fs::set_permissions(sandbox.path("demo"), mode(0o755)).unwrap();
    std::fs::set_permissions(sandbox.folder(), mode(0o755)).unwrap();
}

/// The program as somebody whom permissions hold back, which they do not root.
fn command(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = Command::new(sandbox.path("program"));
    command
        .args(words)
        .args(["--config", "demo/copy.cfg"])
        .current_dir(sandbox.folder())
        .env_clear();
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_copy_in_a_place_that_cannot_be_written_is_read() {
    let sandbox = with_copy();
    for words in [
        &["report", "--month", "2026-10", "--format", "csv"][..],
        &["status", "--month", "2026-10", "--format", "json"],
        &["findings", "--format", "csv"],
        &["corrections", "--format", "csv"],
        &["explain", "aurora", "2026-10-03", "vm_running"],
    ] {
        let copy = Run::of(&mut command(&sandbox, words));
        let ledger = sandbox.run(&[words, &demo::CONFIG[..]].concat());
        assert_eq!(
            (copy.code, &copy.stdout),
            (ledger.code, &ledger.stdout),
            "{copy}"
        );
    }
    assert_eq!(files(&sandbox.path("copies")), ["usage.db"]);
}

#[test]
fn nothing_is_written_to_a_copy() {
    let sandbox = with_copy();
    let before = std::fs::read(sandbox.path("copies/usage.db")).unwrap();
    for words in [
        &["import"][..],
        &["import", "--dry-run"],
        &["initdb"],
        &["seal", "2026-10"],
        &["verify", "2026-10-01"],
        &["findings", "ack", "1", "--reason", "x"],
    ] {
        // Root could.
        let run = sandbox
            .run(&[words, &["--config", "demo/copy.cfg"]].concat())
            .exits(2);
        let says =
            "its address says immutable=1: it is a copy to read, and nothing is written to it";
        assert!(run.stderr.contains(says), "{run}");
    }
    assert!(before == std::fs::read(sandbox.path("copies/usage.db")).unwrap());
    assert_eq!(files(&sandbox.path("copies")), ["usage.db"]);
}

#[test]
fn a_new_copy_is_noticed_by_a_server() {
    let sandbox = with_copy();
    let server = Server::of(&mut command(&sandbox, &["serve"]));
    let before = server.get("/v1/days?start=2026-11-01&end=2026-11-03");
    assert_eq!(before.status, 200, "{before:?}");
    assert!(before.body.contains("\"missing\""), "{}", before.body);
    let import = ["import", "-s", "2026-11-03", "-e", "2026-11-03"];
    sandbox
        .run(&[&import[..], &demo::CONFIG[..]].concat())
        .exits(0);
    lock(&sandbox, false);
    place_copy(&sandbox);
    lock(&sandbox, true);
    let after = server.get("/v1/days?start=2026-11-01&end=2026-11-03");
    assert!(!after.body.contains("\"missing\""), "{}", after.body);
    assert_eq!(server.get(QUESTION).status, 200);
    // While there is none, that is what is told.
    std::fs::remove_file(sandbox.path("copies/usage.db")).unwrap();
    assert_eq!(server.get(QUESTION).status, 503);
    place_copy(&sandbox);
    assert_eq!(server.get(QUESTION).status, 200);
}

#[test]
fn what_would_be_read_wrongly_is_refused() {
    let sandbox = with_copy();
    let status = |says: &str| {
        let run = sandbox
            .run(&["status", "--config", "demo/copy.cfg"])
            .exits(2);
        assert!(run.stderr.contains(says), "{run}");
    };
    // A plain copy of a ledger in use, with its log.
    std::fs::write(sandbox.path("copies/usage.db-wal"), "changes").unwrap();
    status("usage.db-wal holds changes that are not in it");
    std::fs::remove_file(sandbox.path("copies/usage.db-wal")).unwrap();
    sandbox.run(&["status", "--config", "demo/copy.cfg"]);
    // A copy that is not said to be one.
    let plain = std::fs::read_to_string(sandbox.path("demo/copy.cfg")).unwrap();
    sandbox.write("demo/copy.cfg", &plain.replace("?immutable=1", ""));
    let run = Run::of(&mut command(&sandbox, &["status"])).exits(2);
    assert!(run.stderr.contains("say so by ?immutable=1"), "{run}");
    sandbox.write("demo/copy.cfg", &plain.replace("?immutable=1", "?mode=ro"));
    status("takes no parameters but ?immutable=1");
}
