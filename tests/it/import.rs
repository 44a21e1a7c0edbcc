//! `rbc-usage import` by the rules of the design: which days it writes, what it keeps, what it replaces
//! and what it says about it. SQLite snapshots serve as the source; how the rules meet a real server is
//! shown in `variants`, `source` and `crash`.

mod arguments;
mod doubtful;
mod ends;
mod field;
mod names;
mod windows;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::sandbox::Run;

/// The hours of virtual machines, which most tests here are about.
const RUNNING: &str = "select day, account_name, resource_name, quantity
                       from daily_usage where metric = 'vm_running' order by 1, 2, 3";

const DAYS: &str = "select day, state from days order by 1";

const CORRECTIONS: &str =
    "select day, account_name, metric, resource_name, old_quantity, new_quantity
                           from corrections order by 1, 2, 3, 4";

/// Everything a later import must not change; the last column of `days` tells when, so it stays out.
const EVERYTHING: &str = "select day, account_uuid, metric, resource_uuid, resource_name, quantity
                          from daily_usage order by 1, 2, 3, 4, 5";

/// Insists on exit code 2 and one line on stderr that says all of these words.
#[track_caller]
pub fn refuses(run: Run, words: &[&str]) {
    let run = run.exits(2);
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    assert!(run.stderr.starts_with("rbc-usage: "), "{run}");
    for word in words {
        assert!(run.stderr.contains(word), "no {word:?} in\n{run}");
    }
}

/// Two accounts, two offerings, an empty ledger of days in GMT.
fn cloud() -> Cloud {
    cloud_in("GMT")
}

/// The same, billed in another zone.
fn cloud_in(timezone: &str) -> Cloud {
    furnished(Cloud::in_sqlite(NEWEST), timezone)
}

fn furnished(cloud: Cloud, timezone: &str) -> Cloud {
    cloud.configure(timezone, "");
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.service_offering(6, "large-uuid", "large");
    cloud.guest_os(1, "CentOS 6");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    cloud.run(&["initdb"]).exits(0);
    cloud
}

/// A virtual machine that ran for some hours of a day.
fn vm(day: &str, account_id: u64, offering_id: u64, hours: f64) -> UsageRow {
    UsageRow {
        raw_usage: hours,
        ..UsageRow::of_vm(day, 1, account_id, 11, offering_id)
    }
}

/// Two finished days with one running VM of alice's each.
fn two_closed_days() -> Cloud {
    close_two_days(cloud())
}

fn close_two_days(cloud: Cloud) -> Cloud {
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(0);
    cloud.configure("GMT", "[server]\nbind = 127.0.0.1:0\n");
    cloud
}

#[test]
fn second_import_of_a_day_changes_nothing() {
    let cloud = two_closed_days();
    let before = cloud.ledger(EVERYTHING);
    for words in [
        &["import", "-s", "2013-06-01", "-e", "2013-06-02"][..],
        &["import", "-s", "2013-06-02", "-f"],
        &["import"],
    ] {
        cloud.run(words).exits(0);
        assert_eq!(cloud.ledger(EVERYTHING), before, "{words:?}");
        assert_eq!(cloud.ledger(CORRECTIONS), [""; 0], "{words:?}");
    }
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-02 | alice | small | 24"
        ]
    );
}

#[test]
fn a_replayed_day_is_counted_once_and_reported() {
    let cloud = cloud();
    let day = [vm("2013-06-01", 2, 5, 24.0), vm("2013-06-01", 3, 6, 12.0)];
    cloud.add_usage(&day);
    cloud.add_usage(&day);
    // The later run has seen an event that the first had not: bob's VM stopped at 10.
    cloud.add_usage(&[vm("2013-06-01", 3, 6, 10.0)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-01 | bob | large | 10"
        ]
    );
    // Five rows; one of alice's and two of bob's are superseded.
    assert_eq!(
        cloud.ledger("select source_rows, replayed_rows from days"),
        ["5 | 3"]
    );
    assert_eq!(
        cloud.ledger("select count(*) from findings where kind = 'replayed_rows'"),
        ["1"]
    );
}

#[test]
fn an_open_day_is_finished_by_the_next_import_whatever_its_range() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 7.0)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(0);
    assert_eq!(
        cloud.ledger(DAYS),
        ["2013-06-01 | closed", "2013-06-02 | open"]
    );
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-02 | alice | small | 7"
        ]
    );

    // The rest of the 2nd arrives, then the import is asked for the 3rd only.
    cloud.add_usage(&[
        UsageRow {
            start: "2013-06-02 07:00:00".to_owned(),
            ..vm("2013-06-02", 2, 6, 17.0)
        },
        vm("2013-06-03", 2, 6, 24.0),
    ]);
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["import", "-s", "2013-06-03"]).exits(0);
    assert_eq!(
        cloud.ledger(DAYS),
        [
            "2013-06-01 | closed",
            "2013-06-02 | closed",
            "2013-06-03 | closed"
        ]
    );
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-02 | alice | large | 17",
            "2013-06-02 | alice | small | 7",
            "2013-06-03 | alice | large | 24"
        ]
    );
}

#[test]
fn an_open_day_takes_new_values_without_force() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 7.0)]);
    cloud.finished_until("2013-05-31 23:59:59");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 9.0)]);
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | open"]);
    assert_eq!(cloud.ledger(RUNNING), ["2013-06-01 | alice | small | 9"]);
}

#[test]
fn a_day_is_closed_by_its_last_millisecond_only() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-01 23:59:58");
    cloud.usage("update usage_job set success = 1, end_millis = 1370131199998");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | open"]);

    // A failed job closes nothing.
    cloud.finished_until("2013-06-05 23:59:59");
    cloud.usage("update usage_job set success = 0 where id = 2");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | open"]);

    cloud.usage("update usage_job set end_millis = 1370131199999 where id = 1");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | closed"]);
}

#[test]
fn a_closed_day_gains_missing_records_and_keeps_the_others() {
    let cloud = two_closed_days();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 20.0), vm("2013-06-01", 3, 6, 3.0)]);
    let run = cloud.run(&["import", "-s", "2013-06-01"]).exits(1);
    assert!(run.stdout.contains("2013-06-01"), "{run}");
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-01 | bob | large | 3",
            "2013-06-02 | alice | small | 24"
        ]
    );
    // It differs as long as nobody settles it.
    cloud.run(&["import", "-s", "2013-06-01"]).exits(1);
}

#[test]
fn force_replaces_and_keeps_the_old_values() {
    let cloud = two_closed_days();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 20.0), vm("2013-06-01", 3, 6, 3.0)]);
    cloud.run(&["import", "-s", "2013-06-01", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 20",
            "2013-06-01 | bob | large | 3",
            "2013-06-02 | alice | small | 24"
        ]
    );
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        [
            "2013-06-01 | alice | os_usage | CentOS 6 | 24 | 20",
            "2013-06-01 | alice | vm_running | small | 24 | 20",
            "2013-06-01 | bob | os_usage | CentOS 6 | null | 3",
            "2013-06-01 | bob | vm_running | large | null | 3"
        ]
    );
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
}

#[test]
fn a_day_whose_source_rows_vanished_is_refused_and_the_others_go_on() {
    let cloud = two_closed_days();
    cloud.usage("delete from cloud_usage where start_date < '2013-06-02 00:00:00'");
    cloud.add_usage(&[vm("2013-06-03", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-03 23:59:59");
    let kept = "2013-06-01 | alice | small | 24";
    for force in [&[][..], &["-f"]] {
        let words = [&["import", "-s", "2013-06-01", "-e", "2013-06-03"], force].concat();
        let run = cloud.run(&words).exits(1);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains("2013-06-01"), "{run}");
        assert_eq!(
            cloud.ledger(RUNNING),
            [
                kept,
                "2013-06-02 | alice | small | 24",
                "2013-06-03 | alice | small | 24"
            ]
        );
        assert_eq!(cloud.ledger(CORRECTIONS), [""; 0]);
    }
}

#[test]
fn a_day_without_usage_is_stored_as_such() {
    let cloud = two_closed_days();
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["import", "-s", "2013-06-03"]).exits(0);
    assert_eq!(
        cloud.ledger("select day, state, source_rows, records from days where day = '2013-06-03'"),
        ["2013-06-03 | closed | 0 | 0"]
    );
}

#[test]
fn dry_run_reports_the_same_and_changes_nothing() {
    let cloud = two_closed_days();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 20.0), vm("2013-06-03", 3, 6, 3.0)]);
    cloud.finished_until("2013-06-03 23:59:59");
    let before = cloud.ledger_bytes();
    let everything = cloud.ledger(EVERYTHING);

    let range = ["import", "-s", "2013-06-01", "-e", "2013-06-03", "-f"];
    let dry = cloud.run(&[&range[..], &["--dry-run"]].concat()).exits(0);
    assert_eq!(cloud.ledger(EVERYTHING), everything);
    assert_eq!(cloud.ledger(CORRECTIONS), [""; 0]);
    assert!(cloud.ledger_bytes() == before);

    let wet = cloud.run(&range).exits(0);
    let days = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("2013-"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(days(&dry.stdout), days(&wet.stdout), "{dry}{wet}");
    assert_eq!(days(&wet.stdout).len(), 3, "{wet}");
}

#[test]
fn a_finding_never_changes_a_figure() {
    let cloud = cloud();
    // Two rows of one VM that differ in offering: 30 hours in a day of 24.
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-01", 2, 6, 6.0)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | large | 6",
            "2013-06-01 | alice | small | 24"
        ]
    );
    assert_eq!(
        cloud.ledger("select day, kind, account_name, metric, resource from findings"),
        ["2013-06-01 | hours_exceed_day | alice | vm_running | vm:11"]
    );
    assert_eq!(cloud.ledger("select findings from days"), ["1"]);
}
