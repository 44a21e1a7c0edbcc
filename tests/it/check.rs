//! `rbc-usage check`: a healthy installation, and each thing that may be wrong with one. What is the server's is in
//! `check/server.rs`.

mod server;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cloudstack::{Cloud, NEWEST, Version};
use crate::demo::{CONFIG, imported};
use crate::golden::is_golden;
use crate::mariadb;
use crate::sandbox::Run;

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

/// A password that everybody on the machine can read.
#[test]
fn a_configuration_with_a_password_is_nobodys_business() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.set_timezone("GMT");
    cloud.show_settings();
    cloud.run(&["initdb"]).exits(0);
    chmod(&cloud.sandbox.path("cloudusage.cfg"), 0o644);
    says(
        &cloud.run(&["check"]).exits(1),
        "look",
        "configuration",
        "it holds a password, and everybody can read ./cloudusage.cfg: chmod o-rwx ./cloudusage.cfg",
    );
    chmod(&cloud.sandbox.path("cloudusage.cfg"), 0o640);
    cloud.run(&["check"]).exits(0);
    // The passwords are in the environment, and not in the file.
    let sandbox = &cloud.sandbox;
    sandbox.write("cloudusage.cfg", "[main]\n");
    chmod(&sandbox.path("cloudusage.cfg"), 0o644);
    let mut check = sandbox.command(&["check"]);
    check.env("RBC_USAGE_MAIN__RBC_USAGE_URI", cloud.ledger_uri());
    check.env("RBC_USAGE_MAIN__CLOUD_URI", &cloud.main_uri);
    check.env("RBC_USAGE_MAIN__CLOUD_USAGE_URI", &cloud.usage_uri);
    Run::of(&mut check).exits(0);
}

#[test]
fn a_quick_check_leaves_out_what_reads_a_whole_ledger() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.set_timezone("GMT");
    cloud.run(&["initdb"]).exits(0);
    cloud.edit_ledger(
        "insert into stored_findings (day, kind, detail) values ('2013-06-01', 'no_rows', 'of no day')",
    );
    says(
        &cloud.run(&["check"]).exits(2),
        "error",
        "ledger",
        "damaged",
    );
    says(
        &cloud.run(&["check", "--quick"]).exits(0),
        "ok",
        "ledger",
        "of this version, not read completely",
    );
}

#[test]
fn at_eighty_columns_sentences_wrap_within_their_column() {
    let sandbox = imported();
    let run = sandbox.run_at(80, &[&["check", "--quick"], &CONFIG[..]].concat());
    assert_eq!(run.code, Some(0), "{run}");
    // How large the ledger is, and how much room there is, differs.
    let same = |line: &&str| !line.starts_with("ok     ledger") && !line.starts_with("ok     disk");
    let lines: Vec<&str> = run.stdout.lines().filter(same).collect();
    is_golden("narrow/check.txt", &(lines.join("\n") + "\n"));
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_installation_is_ok_line_by_line() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.set_timezone("GMT");
    cloud.show_settings();
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["check"]).exits(0).complains("");
    says(&run, "ok", "configuration", "every key is known and right");
    says(&run, "ok", "cloud_usage", "MariaDB ");
    says(&run, "ok", "cloud_usage", "has every column of use");
    says(&run, "ok", "cloud", "its version cannot be read");
    says(&run, "ok", "timezone", "GMT, as CloudStack's \"GMT\"");
    says(&run, "ok", "ledger", "sound, of this version");
    says(
        &run,
        "ok",
        "bind",
        "127.0.0.1:8888, this machine only, without passwords, not encrypted",
    );

    let json = cloud.run(&["check", "--format", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let first = serde_json::json!({
        "state": "ok", "what": "configuration", "detail": "every key is known and right",
    });
    assert_eq!(json["checks"][0], first);
}

#[test]
fn a_ledger_in_a_file_needs_room_and_one_on_a_server_is_named() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["check"]);
    says(&run, "ok", "disk", "are free");

    let cloud = Cloud::in_sqlite(NEWEST).with_server_ledger();
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["check"]);
    let name = cloud.ledger_name().replace("ledger ", "");
    says(
        &run,
        "ok",
        "ledger",
        &format!("{name}, sound, of this version"),
    );
    assert_eq!(lines(&run, "ok", "disk"), [""; 0], "{run}");
}

#[test]
fn snapshots_in_files_are_checked_as_well() {
    let cloud = Cloud::in_sqlite(Version::V4_0);
    cloud.set_timezone("GMT");
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
fn a_ledger_that_is_missing_or_of_another_zone_is_an_error() {
    let cloud = Cloud::in_sqlite(NEWEST);
    let run = cloud.run(&["check"]).exits(2);
    says(&run, "error", "ledger", ": run rbc-usage initdb");
    cloud.run(&["initdb"]).exits(0);
    cloud.edit_ledger(DAY);
    cloud.configure("Europe/Stockholm", "");
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "ledger",
        "its days are those of GMT, main.timezone says Europe/Stockholm: write main.timezone = GMT, or move the ledger by \
         rbc-usage rezone Europe/Stockholm --from DAY",
    );
}

const DAY: &str = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
                   values ('2013-06-01', 'closed', 1, 0, '2013-06-02T00:20:00Z')";

#[test]
fn rows_that_belong_to_nothing_are_an_error() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    cloud.edit_ledger(DAY);
    cloud.edit_ledger(
        "insert into metrics values (1, 'vm_running', 'hours', null);
         insert into stored_records values (7, '2013-06-01', 1, 0, 1.0), (8, '2013-06-01', 1, 0, 1.0);
         insert into stored_lines values (1, 9, 0, 1.0)",
    );
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "ledger",
        "damaged: 1 row of stored_lines whose sku_id is not in skus; \
         2 rows of stored_records whose account_id is not in stored_accounts: restore",
    );
}

#[test]
fn a_file_that_is_missing_damaged_or_everybodys_is_named() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    let run = cloud.run(&["check"]).exits(2);
    says(
        &run,
        "error",
        "ledger",
        "no such file: run rbc-usage initdb",
    );
    cloud.run(&["initdb"]).exits(0);
    let path = cloud.sandbox.path("usage.db");
    chmod(&path, 0o644);
    says(
        &cloud.run(&["check"]),
        "look",
        "ledger",
        "everybody can read ./usage.db: chmod o-rwx ./usage.db",
    );

    // A page of zeros where an index was.
    cloud.edit_ledger("pragma wal_checkpoint(truncate)");
    let root = "select rootpage from sqlite_schema where name = 'stored_days'";
    let root: usize = cloud.ledger(root)[0].parse().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = (root - 1) * 4096;
    bytes[at..at + 4096].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let run = cloud.run(&["check"]).exits(2);
    assert!(!lines(&run, "error", "ledger").is_empty(), "{run}");
}
