//! `rbc-usage explain`: every way in which a row comes to count, or not to, and that the sums are the ledger's.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::golden::is_golden;
use crate::import::refuses;
use crate::mariadb::shared;
use crate::sandbox::Run;

const DAY: &str = "2013-06-02";

fn vm(id: u64, hours: f64, from: &str, until: &str) -> UsageRow {
    UsageRow {
        raw_usage: hours,
        start: from.to_owned(),
        end: until.to_owned(),
        description: format!("vm{id} running time"),
        ..UsageRow::of_vm(DAY, 1, 2, id, 5)
    }
}

/// Rows 1 to 12 of alice's, and one of bob's. Of 2013-06-02 in GMT.
fn cloud() -> Cloud {
    imported(Cloud::in_mariadb(NEWEST))
}

fn imported(cloud: Cloud) -> Cloud {
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "Debian 7");
    cloud.template(1, 1);
    for id in 11..=15 {
        cloud.vm(id, 1);
    }
    cloud.main("insert into volumes (id, uuid, name) values (21, 'volume-uuid', 'ROOT-21')");
    let whole = ("2013-06-02 00:00:00", "2013-06-02 23:59:59");
    let volume = UsageRow {
        size: Some(1000),
        ..UsageRow::of_day(DAY, 6, 2, 21)
    };
    cloud.add_usage(&[
        // 1 and 2 say the same, 3 lies inside of them.
        vm(11, 24.0, whole.0, whole.1),
        vm(11, 20.0, whole.0, whole.1),
        vm(11, 0.5, "2013-06-02 10:00:00", "2013-06-02 10:29:59"),
        // 2 seconds early; 6 of 8 hours on the day; 18 hours of which 6 lie beside the next.
        vm(12, 24.0, "2013-06-01 23:59:58", whole.1),
        vm(13, 8.0, "2013-06-01 22:00:00", "2013-06-02 05:59:59"),
        vm(14, 18.0, whole.0, "2013-06-02 17:59:59"),
        vm(14, 18.0, "2013-06-02 06:00:00", whole.1),
        volume.clone(),
        UsageRow {
            vm_instance_id: Some(11),
            ..volume
        },
        UsageRow {
            is_hidden: true,
            ..UsageRow::of_day(DAY, 3, 2, 9)
        },
        UsageRow {
            raw_usage: 1e9,
            ..UsageRow::of_day(DAY, 4, 2, 1)
        },
        UsageRow::of_day(DAY, 10, 2, 7),
        UsageRow::of_day(DAY, 10, 3, 8),
    ]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    cloud
}

/// What is explained, by metric: row, why, which row it repeats, what it adds; and then the sum and the record.
fn lines(cloud: &Cloud, words: &[&str], code: i32) -> BTreeMap<String, Vec<String>> {
    let words = [&["explain"], words, &["--format", "json"]].concat();
    let run = cloud.run(&words).exits(code);
    assert!(code == 1 || run.stderr.is_empty(), "{run}");
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let mut metrics: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in answer["lines"].as_array().expect("lines") {
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        let id = |name: &str| {
            line[name]
                .as_u64()
                .map_or("-".to_owned(), |id| id.to_string())
        };
        let metric = format!("{} {}", text("day"), text("metric"));
        metrics
            .entry(metric)
            .or_default()
            .push(match text("line").as_str() {
                "row" => format!(
                    "{} {} {} {}",
                    id("row_id"),
                    text("why"),
                    id("repeats_row_id"),
                    line["quantity"]
                ),
                _ => format!(
                    "{} = {} {}",
                    line["quantity"],
                    line["stored"],
                    text("agreement")
                ),
            });
    }
    metrics
}

#[test]
fn every_row_says_what_it_adds_and_why() {
    let cloud = cloud();
    let explained = lines(&cloud, &["alice", DAY], 0);
    // 20 + 24 + 6 + 18 + 6
    let running = [
        "4 glued - 24.0",
        "5 shared - 6.0",
        "1 same_window 2 0.0",
        "2 within - 20.0",
        "6 beside 7 6.0",
        "7 within - 18.0",
        "3 contained 2 0.0",
        "74.0 = 74.0 equal",
    ];
    let mut sorted = running.map(str::to_owned).to_vec();
    sorted.sort();
    for metric in ["vm_running", "os_usage"] {
        let mut lines = explained[&format!("{DAY} {metric}")].clone();
        assert_eq!(lines.last().unwrap(), "74.0 = 74.0 equal");
        lines.sort();
        assert_eq!(lines, sorted);
    }
    assert_eq!(
        explained[&format!("{DAY} primary_byte_hours")],
        [
            "8 within - 24000.0",
            "9 per_vm_volume 8 0.0",
            "24000.0 = 24000.0 equal"
        ]
    );
    assert_eq!(
        explained[&format!("{DAY} ip_address_allocated")],
        ["10 hidden - 0.0", "null = null equal"]
    );
    assert_eq!(
        explained[&format!("{DAY} security_group")],
        ["12 within - 24.0", "24.0 = 24.0 equal"]
    );
    assert_eq!(explained.len(), 6);
    // The other part of row 5, on a day that the ledger lacks.
    let before = lines(&cloud, &["alice-uuid", "2013-06-01", "vm_running"], 1);
    assert_eq!(
        before["2013-06-01 vm_running"],
        ["5 shared - 2.0", "2.0 = null missing"]
    );
}

#[test]
fn a_metric_and_a_resource_are_enough() {
    let cloud = cloud();
    let of = |words: &[&str]| -> Vec<String> {
        lines(&cloud, &[&["alice", DAY], words].concat(), 0)
            .into_keys()
            .collect()
    };
    assert_eq!(of(&["vm_running"]), [format!("{DAY} vm_running")]);
    assert_eq!(of(&["vm_running", "small"]), [format!("{DAY} vm_running")]);
    assert_eq!(
        of(&["vm_running", "small-uuid"]),
        [format!("{DAY} vm_running")]
    );
    refuses(
        cloud.run(&["explain", "alice", DAY, "vm_running", "large"]),
        &["alice has nothing on these days that is named \"large\""],
    );
    assert_eq!(of(&["os_usage", "Debian 7"]), [format!("{DAY} os_usage")]);
    refuses(
        cloud.run(&["explain", "alice", DAY, "hours"]),
        &["no metric is called \"hours\""],
    );
    for (words, nearest) in [
        (
            &["alcie", DAY][..],
            "no account or project is called \"alcie\": did you mean alice?\n",
        ),
        (
            &["alice", DAY, "vm_runing"],
            "no metric is called \"vm_runing\": did you mean vm_running?\n",
        ),
        (
            &["alice", DAY, "vm_running", "Smal"],
            "is named \"Smal\": did you mean small or small-uuid?\n",
        ),
    ] {
        refuses(cloud.run(&[&["explain"], words].concat()), &[nearest]);
    }
    refuses(
        cloud.run(&["explain", "carol", DAY]),
        &["no account or project is called \"carol\"\n"],
    );
}

#[test]
fn a_day_that_the_ledger_lacks_needs_a_look() {
    let run = cloud().run(&["explain", "alice", "2013-05-01"]).exits(1);
    assert!(
        run.stdout
            .ends_with("0 figures\nmissing in the ledger: 2013-05-01\n"),
        "{run}"
    );
}

#[test]
fn the_days_can_be_said_by_options() {
    let cloud = cloud();
    let plain = lines(&cloud, &["alice", DAY, "vm_running", "small"], 0);
    assert!(!plain.is_empty());
    let by_options = ["alice", "vm_running", "small", "-s", DAY, "-e", DAY];
    assert_eq!(lines(&cloud, &by_options, 0), plain);
    refuses(
        cloud.run(&["explain", "alice", DAY, "vm_running", "small", "-s", DAY]),
        &["the days are said twice"],
    );
    refuses(cloud.run(&["explain", "alice"]), &["which days?"]);
}

#[test]
fn an_account_is_asked_for_by_uuid_project_or_its_only_name() {
    let cloud = cloud();
    cloud.account(4, "other-alice-uuid", "alice");
    cloud.project(5, "project-account-uuid", "project-uuid", "road");
    cloud.add_usage(&[
        UsageRow::of_day("2013-06-03", 10, 4, 1),
        UsageRow::of_day("2013-06-03", 10, 5, 1),
    ]);
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["import"]).exits(0);
    refuses(
        cloud.run(&["explain", "alice", DAY]),
        &["2 accounts are called \"alice\", give a uuid: alice-uuid (/), other-alice-uuid (/)"],
    );
    for key in [
        "project-uuid",
        "project-account-uuid",
        "road",
        "PrjAcct-road-1",
    ] {
        let explained = lines(&cloud, &[key, "2013-06-02..2013-06-03"], 0);
        assert_eq!(explained["2013-06-03 security_group"].len(), 2, "{key}");
        assert_eq!(explained.len(), 1, "{key}");
    }
}

#[test]
fn a_record_that_is_not_the_sum_is_shown() {
    let cloud = cloud();
    cloud.edit_ledger(
        "update stored_records set quantity = 25 where quantity = 24 and account_id = (select id from stored_accounts where uuid = 'alice-uuid')",
    );
    let explained = lines(&cloud, &["alice", DAY, "security_group"], 1);
    assert_eq!(
        explained[&format!("{DAY} security_group")],
        ["12 within - 24.0", "24.0 = 25.0 differs"]
    );
    let run = cloud
        .run(&["explain", "alice", DAY, "security_group"])
        .exits(1);
    assert!(
        run.stdout
            .ends_with("\n\n1 figure, 0 as the ledger has it\n1 differs\n"),
        "{run}"
    );
    let words = ["explain", "alice", "2013-06-01", "vm_running"];
    let run = cloud.run(&words).exits(1);
    assert!(
        run.stdout
            .contains("\n1 figure, 0 as the ledger has it\n1 is of a day that the ledger lacks\n"),
        "{run}"
    );
}

#[test]
fn a_ledger_that_may_only_be_read_is_explained() {
    let cloud = imported(Cloud::in_mariadb(NEWEST).with_file_ledger());
    let mode = |name: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(cloud.sandbox.path(name), mode).unwrap();
    };
    // Permissions do not hold root back, so root runs it as somebody else, who must reach the program.
    cloud.sandbox.copied_program();
    let mut command = Command::new(cloud.sandbox.path("program"));
    command
        .args(["explain", "alice", DAY, "security_group"])
        .current_dir(cloud.sandbox.folder())
        .env_clear();
    if cloud.sandbox.path("usage.db").metadata().unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let before = std::fs::read(cloud.sandbox.path("usage.db")).unwrap();
    mode("usage.db", 0o444);
    mode("cloudusage.cfg", 0o644);
    // What SQLite's users share lies beside it.
    mode("", 0o777);
    let run = Run::of(&mut command).exits(0);
    assert!(
        run.stdout.ends_with("\n\n1 figure, as the ledger has it\n"),
        "{run}"
    );
    assert!(before == std::fs::read(cloud.sandbox.path("usage.db")).unwrap());
}

/// A row changes, and an import takes it over, after `explain` has looked into the ledger and before it reads the row.
#[test]
fn what_an_import_takes_over_meanwhile_does_not_differ() {
    let cloud = cloud();
    let mut gate = shared().connect();
    let tables = format!("lock tables {}.cloud_usage write", cloud.usage_name);
    gate.query_drop(tables).unwrap();
    let mut command = cloud
        .sandbox
        .command(&["explain", "alice", DAY, "security_group"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let explain = command.spawn().unwrap();
    let waiting = format!(
        "select count(*) from information_schema.processlist
         where user = '{}' and state = 'Waiting for table metadata lock'",
        cloud.user
    );
    let mut root = shared().connect();
    let started = Instant::now();
    while root.query_first::<u32, _>(&waiting).unwrap() == Some(0) {
        assert!(started.elapsed() < Duration::from_secs(30), "it never read");
        std::thread::sleep(Duration::from_millis(5));
    }
    let row = format!(
        "update {}.cloud_usage set raw_usage = 23 where id = 12",
        cloud.usage_name
    );
    gate.query_drop(row).unwrap();
    let imported = "update stored_records set quantity = 23
                    where account_id = (select id from stored_accounts where uuid = 'alice-uuid') and metric_id = (select id from metrics where name = 'security_group')";
    // Every import counts on.
    let revision = "update ledgers set revision = revision + 1";
    assert_eq!(cloud.edit_ledger(&format!("{imported}; {revision}")), 2);
    drop(gate);
    let done = explain.wait_with_output().unwrap();
    let stdout = String::from_utf8(done.stdout).unwrap();
    assert!(
        stdout.ends_with("\n\n1 figure, as the ledger has it\n"),
        "{stdout}"
    );
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn what_is_printed_is_as_documented() {
    let cloud = cloud();
    let print = |words: &[&str]| {
        cloud
            .run(&[&["explain", "alice", DAY], words].concat())
            .exits(0)
    };
    let run = print(&["primary_byte_hours", "--format", "json"]);
    assert_eq!(run.stdout, include_str!("golden/explain.json"), "{run}");
    let run = print(&["vm_running", "small"]);
    assert_eq!(run.stdout, include_str!("golden/explain.txt"), "{run}");
    for (metric, golden) in [
        ("vm_running", "narrow/explain.txt"),
        ("primary_byte_hours", "narrow/explain-storage.txt"),
    ] {
        let run = cloud
            .run_at(80, &["explain", "alice", DAY, metric])
            .exits(0);
        is_golden(golden, &run.stdout);
    }
    let run = print(&["vm_running", "small", "--format", "csv"]);
    assert_eq!(run.stdout, include_str!("golden/explain.csv"), "{run}");
}
