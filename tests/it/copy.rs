//! `rbc-usage copy`: from a file to a server and back nothing is lost and nothing is changed, and what is told of both is
//! the same. A copy takes an empty place, is whole or no ledger, and can be made again.

use std::time::Duration;

use fixtures::ledger::Ledger;
use rusqlite::Connection;

use crate::demo;
use crate::sandbox::{Run, Sandbox};

const FILE: &str = "demo/cloudusage.cfg";
const SERVER: &str = "server.cfg";

/// The sample with a sealed month, corrections that wait and that do not, acknowledged findings, and an empty database.
fn two_places() -> (Sandbox, Ledger) {
    let sandbox = demo::fresh();
    let run = |words: &[&str]| sandbox.run(&[words, &demo::CONFIG[..]].concat());
    run(&["verify", "2026-09-25..2026-10-31"]).exits(0);
    run(&["seal", "2026-10"]).exits(0);
    let usage = Connection::open(sandbox.path("demo/cloud_usage.db")).unwrap();
    let late = "update cloud_usage set raw_usage = raw_usage / 2 where start_date >= '2026-10-20'";
    usage.execute_batch(late).unwrap();
    run(&["import", "-s", "2026-10-01", "-e", "2026-10-31", "-f"]);
    run(&["corrections", "ack", "1", "--reason", "credited"]).exits(0);
    run(&[
        "findings",
        "ack",
        "--kind",
        "size_unknown",
        "-s",
        "2026-10-05",
        "--reason",
        "known",
    ])
    .exits(0);
    let ledger = Ledger::on_server();
    write_config(&sandbox, SERVER, &ledger.uri());
    (sandbox, ledger)
}

/// The configuration of the sample with another ledger.
fn write_config(sandbox: &Sandbox, name: &str, ledger: &str) {
    let config = std::fs::read_to_string(sandbox.path(FILE)).unwrap();
    let is_ledger = |line: &str| line.starts_with("rbc_usage_uri");
    let lines = config.lines().map(|line| match is_ledger(line) {
        true => format!("rbc_usage_uri = {ledger}\n"),
        // Paths are those of the sample's folder.
        false => format!("{}\n", line.replace("sqlite:///", "sqlite:///demo/")),
    });
    sandbox.write(name, &lines.collect::<String>());
}

/// Every row of every table, but for those that belong to the file itself.
fn rows_of(file: &Connection) -> Vec<(String, Vec<String>)> {
    let list = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    let tables = list(
        "select name from sqlite_schema where type = 'table' \
         and (name not like 'sqlite_%' or name = 'sqlite_sequence') order by name",
    );
    let with_rows = tables.into_iter().map(|table| {
        let columns = list(&format!("select name from pragma_table_info('{table}')"));
        // Reals by all their digits.
        let digits = columns.iter().map(|column| {
            format!("iif(typeof({column}) = 'real', printf('%!.17g', {column}), quote({column}))")
        });
        let line = digits.collect::<Vec<_>>().join(" || ' ' || ");
        let rows = list(&format!("select {line} from {table} order by 1"));
        (table, rows)
    });
    with_rows.collect()
}

#[test]
fn from_a_file_to_a_server_and_back_nothing_changes() {
    let (sandbox, server) = two_places();
    let copied = sandbox.run(&["copy", FILE, SERVER]).exits(0);
    assert!(copied.stdout.contains("39 days"), "{copied}");
    sandbox.run(&["copy", SERVER, "sqlite:///back.db"]).exits(0);
    let [first, back] =
        ["demo/usage.db", "back.db"].map(|name| Connection::open(sandbox.path(name)).unwrap());
    let (first, back) = (rows_of(&first), rows_of(&back));
    for ((table, rows), (other, copied)) in first.iter().zip(&back) {
        assert_eq!(table, other);
        assert_eq!(rows, copied, "{table}");
        // What has no rows here is not tested: only what the sample cannot have.
        let may_be_empty = ["timezones", "stored_refusals"].contains(&table.as_str());
        assert!(!rows.is_empty() || may_be_empty, "{table} is empty");
    }
    assert_eq!(first.len(), back.len());
    assert_eq!(server.damage(), [""; 0]);
}

/// What is told of a ledger, by each command that tells of one.
const QUESTIONS: [&[&str]; 10] = [
    &[
        "report",
        "--month",
        "2026-10",
        "--by",
        "account,day,sku,resource",
        "--format",
        "csv",
    ],
    &[
        "report", "--month", "2026-10", "--by", "domain", "--format", "json",
    ],
    &[
        "report", "--month", "2026-10", "--by", "vm", "--format", "csv",
    ],
    &["corrections", "--format", "json"],
    &["findings", "--format", "json"],
    &["findings", "--all", "--format", "json"],
    &["status", "--month", "2026-10", "--format", "json"],
    &["status", "--days"],
    &["verify", "2026-10-01..2026-10-31", "--format", "csv"],
    &["report", "--month", "2026-10", "--format", "focus"],
];

#[test]
fn what_is_told_of_both_is_the_same() {
    let (sandbox, _server) = two_places();
    sandbox.run(&["copy", FILE, SERVER]).exits(0);
    for words in QUESTIONS {
        let [file, server] =
            [FILE, SERVER].map(|config| sandbox.run(&[words, &["--config", config]].concat()));
        assert!(!file.stdout.is_empty(), "{file}");
        assert_eq!(file.stdout, server.stdout, "{words:?}");
        assert_eq!(file.code, server.code, "{words:?}");
    }
}

#[test]
fn a_copy_takes_an_empty_place() {
    let (sandbox, _server) = two_places();
    sandbox.run(&["copy", FILE, SERVER]).exits(0);
    let again = sandbox.run(&["copy", FILE, SERVER]).exits(2);
    let message = "there is something in it: a copy takes an empty one";
    assert!(again.stderr.contains(message), "{again}");
    let same = sandbox.run(&["copy", FILE, FILE]).exits(2);
    let message = "a ledger is not copied into itself";
    assert!(same.stderr.contains(message), "{same}");
    let nothing = sandbox.run(&["copy", "sqlite:///none.db", SERVER]).exits(2);
    assert!(nothing.stderr.contains("none.db"), "{nothing}");
    // A password in an address that is wrong is not repeated.
    let wrong = sandbox.run(&["copy", FILE, "mysql://u:s3cret@/"]).exits(2);
    assert!(!wrong.stderr.contains("s3cret"), "{wrong}");
}

#[test]
fn a_copy_that_was_killed_is_no_ledger_and_is_made_again() {
    let (sandbox, server) = two_places();
    let mut killed = 0;
    for milliseconds in [20, 60, 120, 200, 300] {
        let mut copy = sandbox.command(&["copy", FILE, SERVER]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        copy.kill().unwrap();
        if copy.wait().unwrap().success() {
            break;
        }
        killed += 1;
        sandbox.run(&["status", "--config", SERVER]).exits(2);
        // Its right to write ends by itself in a while.
        if server.query("show tables like 'leases'") != [""; 0] {
            server.edit("update leases set expires_at = 0");
        }
    }
    assert!(killed > 1, "it was too quick to be killed");
    sandbox.run(&["copy", FILE, SERVER]);
    sandbox
        .run(&["status", "--config", SERVER, "--days"])
        .exits(0);
    sandbox.run(&["copy", SERVER, "sqlite:///back.db"]).exits(0);
    let [first, back] =
        ["demo/usage.db", "back.db"].map(|name| Connection::open(sandbox.path(name)).unwrap());
    assert_eq!(rows_of(&first), rows_of(&back));
}

#[test]
fn a_backup_of_a_servers_ledger_is_a_ledger() {
    let (sandbox, _server) = two_places();
    sandbox.run(&["copy", FILE, SERVER]).exits(0);
    let backup = sandbox
        .run(&["backup", "backup.db", "--config", SERVER])
        .exits(0);
    assert!(backup.stdout.starts_with("backup.db "), "{backup}");
    let [first, back] =
        ["demo/usage.db", "backup.db"].map(|name| Connection::open(sandbox.path(name)).unwrap());
    assert_eq!(rows_of(&first), rows_of(&back));
    let mut check = sandbox.command(&["status", "--days", "--config", FILE]);
    let backup = format!("sqlite:///{}", sandbox.path("backup.db").display());
    Run::of(check.env("RBC_USAGE_MAIN__RBC_USAGE_URI", backup)).exits(0);
}
