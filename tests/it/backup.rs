//! `rbc-usage backup`: a copy that is whole at any time, and takes the place of nothing else.

use std::os::unix::fs::PermissionsExt;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::sandbox::Run;
use crate::server::Server;

#[test]
fn a_backup_is_a_whole_ledger_of_mode_0600() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.set_timezone("GMT");
    cloud.run(&["initdb"]).exits(0);
    let sandbox = &cloud.sandbox;
    let run = sandbox.run(&["backup", "copy.db"]).exits(0).complains("");
    let copy = sandbox.path("copy.db");
    let bytes = std::fs::metadata(&copy).unwrap();
    assert_eq!(
        run.stdout,
        format!("copy.db {} bytes, checked\n", bytes.len())
    );
    assert_eq!(bytes.permissions().mode() & 0o777, 0o600);
    // An older copy is replaced, and no traces stay.
    sandbox.run(&["backup", "copy.db"]).exits(0);
    let names: Vec<_> = std::fs::read_dir(sandbox.folder())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().contains(".new")),
        "{names:?}"
    );
    // It can be used in the ledger's place.
    let mut command = sandbox.command(&["check"]);
    Run::of(command.env("RBC_USAGE_MAIN__RBC_USAGE_URI", "sqlite:///copy.db")).exits(0);
}

#[test]
fn a_backup_never_writes_over_the_ledger_or_a_stranger() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud.run(&["initdb"]).exits(0);
    let sandbox = &cloud.sandbox;
    sandbox.write("letter", "dear somebody");
    std::os::unix::fs::symlink("usage.db", sandbox.path("link.db")).unwrap();
    std::fs::hard_link(sandbox.path("usage.db"), sandbox.path("hard.db")).unwrap();
    let before = std::fs::read(sandbox.path("usage.db")).unwrap();
    let use_of = "is the ledger in use, or belongs to it";
    for (target, message) in [
        ("usage.db", use_of),
        ("./usage.db", use_of),
        ("hard.db", use_of),
        ("link.db", "is there, and no file"),
        ("usage.db-wal", "belongs to the ledger in use"),
        ("letter", "is there, and no ledger: it is not written over"),
        (".", "is there, and no file"),
        (
            "no/such/folder.db",
            "No such file or directory (os error 2)",
        ),
    ] {
        let run = sandbox.run(&["backup", target]).exits(2);
        assert!(
            run.stderr
                .starts_with(&format!("rbc-usage: backup {target}: ")),
            "{run}"
        );
        assert!(run.stderr.ends_with(&format!("{message}\n")), "{run}");
    }
    assert_eq!(std::fs::read(sandbox.path("usage.db")).unwrap(), before);
    assert_eq!(
        std::fs::read_to_string(sandbox.path("letter")).unwrap(),
        "dear somebody"
    );
}

/// A month of the sample is imported and served while copies are taken, each of which is some days, all whole.
#[test]
fn a_backup_is_whole_while_importing_and_serving() {
    let sandbox = crate::sandbox::Sandbox::new();
    sandbox.run(&["sample", "cloud"]).exits(0);
    let config = ["--config", "cloud/cloudusage.cfg"];
    sandbox.run(&["initdb", config[0], config[1]]).exits(0);
    let server = Server::of(&mut sandbox.command(&[
        "serve",
        config[0],
        config[1],
        "--bind",
        "127.0.0.1:0",
        "--log-format",
        "off",
    ]));
    let mut import = sandbox
        .command(&["import", config[0], config[1]])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut days = Vec::new();
    loop {
        let ended = import.try_wait().unwrap();
        sandbox
            .run(&["backup", config[0], config[1], "copy.db"])
            .exits(0);
        let copy = rusqlite::Connection::open(sandbox.path("copy.db")).unwrap();
        let days_without_records = "select count(*) from days where records = 0";
        let whole: i64 = copy
            .query_row(days_without_records, [], |row| row.get(0))
            .unwrap();
        assert_eq!(whole, 0);
        days.push(
            copy.query_row("select count(*) from stored_days", [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap(),
        );
        assert_eq!(server.get("/healthz").status, 200);
        if let Some(status) = ended {
            assert!(status.code() < Some(2), "{status:?}");
            break;
        }
    }
    assert!(days.is_sorted(), "{days:?}");
    let last = days.last().unwrap();
    assert!(*last > 10 && days.len() > 2 && days[0] < *last, "{days:?}");
}

/// By the very lines of docs/host-died.md, after a server that was killed left its files behind.
#[test]
fn a_backup_is_restored_as_the_documentation_says() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud.set_timezone("GMT");
    let sandbox = &cloud.sandbox;
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    let import = |day: &str| {
        cloud.add_usage(&[UsageRow::of_vm(day, 2, 2, 11, 5)]);
        cloud.finished_until(&format!("{day} 23:59:59"));
        cloud.run(&["import"]).exits(0);
    };
    cloud.run(&["initdb"]).exits(0);
    import("2013-06-01");
    sandbox.run(&["backup", "usage-backup.db"]).exits(0);
    let server = Server::of(&mut sandbox.command(&["serve", "--bind", "127.0.0.1:0"]));
    server.get("/usage/alice-uuid?start=2013-06-01");
    import("2013-06-02");
    // A write that only the -wal has.
    cloud.edit_ledger("update ledgers set revision = revision + 1");
    server.signal("KILL");
    server.end();
    let wal = std::fs::metadata(sandbox.path("usage.db-wal")).unwrap();
    assert!(wal.len() > 0);

    let commands = crate::pages::commands("docs/host-died.md", "cd /var/lib/rbc-usage");
    let commands = commands
        .replace("/var/lib/rbc-usage", ".")
        .replace("runuser -u rbc-usage --", "")
        .replace("/var/backups/rbc-usage/usage.db", "usage-backup.db");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-ec", &commands]);
    Run::of(shell.current_dir(sandbox.folder())).exits(0);

    const DAYS: &str = "select day, quantity from daily_usage order by day";
    cloud.run(&["check"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | 24"]);
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | 24", "2013-06-02 | 24"]);
    cloud
        .run(&["verify", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(0);
}
