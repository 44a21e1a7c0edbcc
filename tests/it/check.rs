//! `rbc-usage check` and `rbc-usage backup`: a healthy installation, and each thing that may be wrong with one.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cloudstack::{Cloud, NEWEST, Version};
use crate::mariadb;
use crate::sandbox::Run;
use crate::server::Server;

/// The lines that begin with a word and name a thing; the first line is the header.
fn lines<'a>(run: &'a Run, state: &str, what: &str) -> Vec<&'a str> {
    let mut lines = run.stdout.lines().skip(1).map(|line| {
        let (found, rest) = line.split_once(' ').unwrap();
        (found, rest.trim_start())
    });
    let mut found = Vec::new();
    for (of_state, rest) in &mut lines {
        let (of_what, detail) = rest.split_once(' ').unwrap();
        if of_state == state && of_what == what {
            found.push(detail.trim_start());
        }
    }
    found
}

#[track_caller]
fn says(run: &Run, state: &str, what: &str, detail: &str) {
    let lines = lines(run, state, what);
    assert!(
        lines.iter().any(|line| line.contains(detail)),
        "{state} {what} {detail}\n{run}"
    );
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_installation_is_ok_line_by_line() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["check"]).exits(0).complains("");
    says(&run, "ok", "configuration", "every key is known and right");
    says(&run, "ok", "cloud_usage", "MariaDB ");
    says(&run, "ok", "cloud_usage", "has every column of use");
    says(&run, "ok", "cloud", "its version cannot be read");
    says(
        &run,
        "ok",
        "timezone",
        "GMT; CloudStack's usage.aggregation.timezone cannot be read",
    );
    says(&run, "ok", "ledger", "sound, of this version");
    says(&run, "ok", "disk", "are free");
    says(
        &run,
        "ok",
        "bind",
        "127.0.0.1:8888, this machine only, without passwords, not encrypted",
    );
    assert_eq!(run.stdout.lines().count(), 8, "{run}");

    let json = cloud.run(&["check", "--format", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let first = serde_json::json!({
        "state": "ok", "what": "configuration", "detail": "every key is known and right",
    });
    assert_eq!(json["checks"][0], first);
}

#[test]
fn snapshots_in_files_are_checked_as_well() {
    let cloud = Cloud::in_sqlite(Version::V4_0);
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["check"]).exits(0);
    says(
        &run,
        "ok",
        "cloud_usage",
        "SQLite, has the columns of the first versions only",
    );
    cloud.main("create table version (id integer, version text)");
    cloud.main("insert into version values (1, '4.0.0'), (2, '4.0.2')");
    let run = cloud.run(&["check"]).exits(0);
    says(&run, "ok", "cloud", "SQLite, CloudStack 4.0.2");
}

#[test]
fn a_configuration_that_is_wrong_is_told_in_whole() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("UTC+2", "[server]\nworkers = 0\n");
    let run = cloud.run(&["check"]).exits(2).complains("");
    says(
        &run,
        "error",
        "configuration",
        "./cloudusage.cfg: main.timezone: \"UTC+2\" is not a known time zone",
    );
    says(
        &run,
        "error",
        "configuration",
        "./cloudusage.cfg: server.workers: \"0\" is not a whole number",
    );
}

#[test]
fn rights_too_many_and_too_few_are_named() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let user = &cloud.user;
    cloud.usage(&format!(
        "grant insert, update on cloud_usage to {user}@'%'"
    ));
    cloud.usage(&format!("revoke select on usage_job from {user}@'%'"));
    let run = cloud.run(&["check"]).exits(1);
    says(
        &run,
        "look",
        "cloud_usage",
        "its user may do more than read (INSERT, UPDATE): grant what",
    );
    says(
        &run,
        "look",
        "rights",
        "cloud_usage: usage_job cannot be read",
    );
    assert_eq!(lines(&run, "look", "cloud"), [""; 0], "{run}");
    cloud.main(&format!("revoke select on account from {user}@'%'"));
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "sources",
        "read cloud: there is no table account or no right to read it",
    );
}

#[test]
fn databases_that_cannot_be_reached_are_told_apart() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let broken = cloud.main_uri.replace("rbc_", "nobody_");
    let mut command = cloud.sandbox.command(&["check"]);
    let run = Run::of(command.env("RBC_USAGE_MAIN__CLOUD_URI", broken)).exits(2);
    says(&run, "ok", "cloud_usage", "MariaDB ");
    says(&run, "error", "cloud", "cannot be read: ");
    says(&run, "error", "cloud", "Access denied");
    assert!(!run.stdout.contains("a@s"), "{run}");
}

#[test]
fn another_zone_than_cloudstacks_needs_a_look() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    cloud.main(&format!(
        "grant select on configuration to {}@'%'",
        cloud.user
    ));
    let set = |zone: &str| {
        cloud.main("delete from configuration where name = 'usage.aggregation.timezone'");
        cloud.main(&format!(
            "insert into configuration (name, value) values ('usage.aggregation.timezone', '{zone}')"
        ));
    };
    set("Europe/Stockholm");
    let run = cloud.run(&["check"]).exits(1);
    says(
        &run,
        "look",
        "timezone",
        "main.timezone is GMT, CloudStack's usage.aggregation.timezone is \"Europe/Stockholm\"",
    );
    set("UTC");
    let run = cloud.run(&["check"]).exits(0);
    says(&run, "ok", "timezone", "GMT, as CloudStack's \"UTC\"");
    // Never set, so that the default counts; a value that was set to nothing is GMT.
    let set = |value: &str, default: &str| {
        cloud.main(&format!(
            "update configuration set value = {value}, default_value = {default}"
        ));
    };
    set("null", "'Europe/Stockholm'");
    let run = cloud.run(&["check"]).exits(1);
    says(
        &run,
        "look",
        "timezone",
        "main.timezone is GMT, CloudStack's usage.aggregation.timezone is \"Europe/Stockholm\"",
    );
    for (value, default) in [("''", "'Europe/Stockholm'"), ("null", "null")] {
        set(value, default);
        let run = cloud.run(&["check"]).exits(0);
        says(&run, "ok", "timezone", "GMT, as CloudStack's \"GMT\"");
    }
}

#[test]
fn a_server_whose_clock_is_off_needs_a_look() {
    // Of every session but those that may do everything: an hour and more ahead.
    let ahead = "--init-connect=set timestamp = unix_timestamp() + 4000";
    let server = mariadb::Server::start_with(&[ahead]);
    let cloud = Cloud::on(&server, &server, NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["check"]).exits(1);
    for what in ["cloud_usage", "cloud"] {
        let off = lines(&run, "look", what).join("");
        assert!(off.starts_with("its server's clock is "), "{run}");
        assert!(
            off.ends_with(" seconds ahead of this machine's: set both by NTP"),
            "{run}"
        );
    }
}

#[test]
fn a_ledger_that_is_missing_foreign_damaged_or_of_another_zone_is_an_error() {
    let cloud = Cloud::in_sqlite(NEWEST);
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "ledger",
        "no such file: run rbc-usage initdb",
    );
    cloud.run(&["initdb"]).exits(0);
    cloud.configure("Europe/Stockholm", "");
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "ledger",
        "its days are those of GMT, main.timezone says Europe/Stockholm",
    );
    cloud.configure("GMT", "");

    let path = cloud.sandbox.path("usage.db");
    let ledger = rusqlite::Connection::open(&path).unwrap();
    ledger
        .execute_batch(
            "pragma foreign_keys = off; insert into metrics values (1, 'vm_running', 'hours', null);
             insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
               values ('2013-06-01', 'closed', 1, 0, '2013-06-02T00:20:00Z');
             insert into stored_records values (7, '2013-06-01', 1, 0, 1.0), (8, '2013-06-01', 1, 0, 1.0);",
        )
        .unwrap();
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "ledger",
        "damaged: 2 rows of stored_records without its row in stored_accounts: restore",
    );
    chmod(&path, 0o644);
    says(
        &cloud.run(&["check"]),
        "look",
        "ledger",
        "everybody can read ./usage.db: chmod o-rwx ./usage.db",
    );

    // A page of zeros where an index was.
    ledger
        .execute_batch("pragma wal_checkpoint(truncate)")
        .unwrap();
    let root: u64 = ledger
        .query_row(
            "select rootpage from sqlite_schema where name = 'stored_days'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(ledger);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = usize::try_from((root - 1) * 4096).unwrap();
    bytes[at..at + 4096].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let run = cloud.run(&["check"]).exits(2);
    assert!(!lines(&run, "error", "ledger").is_empty(), "{run}");
}

#[test]
fn the_servers_files_are_checked() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    cloud.configure(
        "GMT",
        "[server]\nbind = 0.0.0.0:8888\nusers = users\nmetrics_bind = 0.0.0.0:9108\n[scope.bob]\naccounts = a\n",
    );
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "users",
        "users ./users: No such file or directory",
    );
    says(
        &run,
        "error",
        "bind",
        "beyond loopback only with TLS and users",
    );
    says(
        &run,
        "error",
        "bind",
        "listen on 0.0.0.0:9108: server.metrics_bind asks for no password",
    );
    cloud.sandbox.write("users", "");
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "look",
        "users",
        "nobody may ask: rbc-usage passwd ./users USER",
    );
    says(
        &run,
        "look",
        "users",
        "everybody can read ./users: chmod o-rwx ./users",
    );
    cloud.sandbox.write("users", "jane:plain\n");
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "users",
        "users ./users: line 1: not a bcrypt hash",
    );

    cloud.sandbox.write(
        "users",
        "jane:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n",
    );
    chmod(&cloud.sandbox.path("users"), 0o600);
    cloud.configure(
        "GMT",
        "[server]\nbind = 0.0.0.0:8888\nusers = users\ntls_certificate = server.pem\ntls_private_key = key.pem\n\
         [scope.bob]\naccounts = a\n",
    );
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "certificate",
        "server.tls_certificate: ./server.pem: No such file",
    );
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = |days: i64, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        parameters.self_signed(&key).unwrap().pem()
    };
    cloud.sandbox.write("key.pem", &key.serialize_pem());
    chmod(&cloud.sandbox.path("key.pem"), 0o600);
    for (days, names, code, state, detail) in [
        (
            90,
            &["usage.example.com", "u.example.com"][..],
            1,
            "ok",
            "for usage.example.com, u.example.com, and its key",
        ),
        (90, &[], 1, "look", "is for no host name"),
        (
            5,
            &["usage.example.com"],
            1,
            "look",
            "renew it: 21 days from now, certificate 1 expired on ",
        ),
        (
            -1,
            &["usage.example.com"],
            2,
            "error",
            "certificate 1 expired on ",
        ),
    ] {
        cloud.sandbox.write("server.pem", &certificate(days, names));
        let run = cloud.run(&["check"]).exits(code);
        says(&run, state, "certificate", detail);
        says(
            &run,
            "ok",
            "bind",
            "0.0.0.0:8888, encrypted, with passwords",
        );
        says(
            &run,
            "look",
            "scopes",
            "[scope.bob]: there is no such user: whoever it was meant for sees everything",
        );
    }
    let other = rcgen::KeyPair::generate().unwrap();
    cloud
        .sandbox
        .write("server.pem", &certificate(90, &["usage.example.com"]));
    cloud.sandbox.write("key.pem", &other.serialize_pem());
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "certificate",
        "./key.pem is not the key of the certificate ./server.pem",
    );
}

#[test]
fn a_scope_that_lists_what_is_not_there_needs_a_look() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let ledger = rusqlite::Connection::open(cloud.sandbox.path("usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into stored_accounts (id, uuid, name, domain_path, project_uuid) values
               (1, 'a-1', 'x', '/retail/north/', null), (2, 'a-2', 'y', '/', 'p-2')",
        )
        .unwrap();
    let jane = "jane:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n";
    cloud.sandbox.write("users", jane);
    chmod(&cloud.sandbox.path("users"), 0o600);
    let scope = |lists: &str| {
        let more = format!("[server]\nusers = users\n[scope.jane]\n{lists}\n");
        cloud.configure("GMT", &more);
        cloud.run(&["check"])
    };
    scope("accounts = a-1 a-2\ndomains = /retail\nprojects = p-2").exits(0);
    let run = scope("accounts = a-1 a-3 p-2\ndomains = /retail/n\nprojects = a-2").exits(1);
    let wrong = "[scope.jane]: the ledger has no account of a-3, p-2, /retail/n/, a-2";
    says(&run, "look", "scopes", wrong);
}

#[test]
fn a_backup_is_a_whole_ledger_of_mode_0600() {
    let cloud = Cloud::in_sqlite(NEWEST);
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
    let cloud = Cloud::in_sqlite(NEWEST);
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
