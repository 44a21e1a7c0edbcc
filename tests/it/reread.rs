//! Every import looks again at the closed days of the last weeks: which of them it reads, what it says of
//! them, what it takes over, and what is kept of each run.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};

const UPDATE: &str = "[import]\nreread = update\n";

const HOURS: &str =
    "select day, quantity from daily_usage where metric = 'vm_allocated' order by day";

const CORRECTIONS: &str =
    "select day, metric, old_quantity, new_quantity, kind from corrections order by id";

/// Days that were read again, as the import told.
fn read_again(stdout: &str) -> String {
    let line = stdout.lines().find(|line| line.contains("read again"));
    line.unwrap_or("none").to_owned()
}

fn vm(day: &str, vm: u64, hours: f64) -> UsageRow {
    UsageRow {
        raw_usage: hours,
        ..UsageRow::of_vm(day, 2, 2, vm, 5)
    }
}

/// Three finished days of two virtual machines, imported: 20 and 4 hours a day.
fn three_days(cloud: Cloud) -> Cloud {
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    for day in ["2013-06-01", "2013-06-02", "2013-06-03"] {
        cloud.add_usage(&[vm(day, 11, 20.0), vm(day, 12, 4.0)]);
    }
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
    cloud
}

#[test]
fn a_change_in_a_closed_day_is_reported_until_somebody_settles_it() {
    let cloud = three_days(Cloud::in_mariadb(NEWEST));
    cloud.add_usage(&[vm("2013-06-02", 13, 3.0)]);
    cloud.account(3, "bob-uuid", "bob");
    cloud.add_usage(&[UsageRow::of_day("2013-06-02", 10, 3, 1)]);
    for _ in 0..2 {
        let run = cloud.run(&["import"]).exits(1).complains(
            "rbc-usage: 2013-06-02 is closed and differs: account alice-uuid vm_allocated small-uuid: \
             stored 24, the source says 27\n\
             rbc-usage: 2013-06-02 is closed and differs: account bob-uuid security_group: \
             stored nothing, the source says 24\n",
        );
        assert_eq!(
            read_again(&run.stdout),
            "1 closed day read again, to be looked at: 1"
        );
        assert_eq!(
            cloud.ledger(HOURS),
            ["2013-06-01 | 24", "2013-06-02 | 24", "2013-06-03 | 24"]
        );
        assert_eq!(cloud.ledger(CORRECTIONS), [""; 0]);
    }
    assert_eq!(
        cloud.ledger("select day, account_name, detail from findings where kind = 'differs_from_source' order by 2"),
        [
            "2013-06-02 | alice | stored 24, the source says 27",
            "2013-06-02 | bob | stored nothing, the source says 24"
        ]
    );
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
}

#[test]
fn what_somebody_has_acknowledged_needs_no_look_until_it_is_something_else() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.add_usage(&[vm("2013-06-02", 13, 3.0)]);
    cloud.run(&["import"]).exits(1);
    let id = cloud.ledger("select id from findings").concat();
    let ack = ["findings", "ack", &id, "--reason", "told the customer"];
    cloud.run(&ack).exits(0);
    let run = cloud.run(&["import"]).exits(0).complains("");
    assert!(!run.stdout.contains("2013-06-02"), "{run}");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    cloud.add_usage(&[vm("2013-06-02", 14, 2.0)]);
    cloud.run(&["import"]).exits(1);
}

#[test]
fn an_update_takes_changes_over_up_as_well_as_down() {
    let cloud = three_days(Cloud::in_mariadb(NEWEST));
    cloud.configure("GMT", UPDATE);
    cloud.add_usage(&[vm("2013-06-01", 13, 3.0)]);
    cloud.usage("delete from cloud_usage where id = 4");
    cloud.add_usage(&[vm("2013-06-04", 11, 20.0)]);
    cloud.finished_until("2013-06-04 23:59:59");
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(
        read_again(&run.stdout),
        "2 closed days read again, to be looked at: 0"
    );
    assert_eq!(
        cloud.ledger(HOURS),
        [
            "2013-06-01 | 27",
            "2013-06-02 | 20",
            "2013-06-03 | 24",
            "2013-06-04 | 20"
        ]
    );
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        [
            "2013-06-01 | vm_allocated | 24 | 27 | overwritten",
            "2013-06-02 | vm_allocated | 24 | 20 | overwritten"
        ]
    );
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
}

#[test]
fn rows_written_again_change_nothing_and_are_read_once() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.add_usage(&[vm("2013-06-02", 11, 20.0), vm("2013-06-02", 12, 4.0)]);
    let run = cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(
        read_again(&run.stdout),
        "1 closed day read again, to be looked at: 0"
    );
    assert_eq!(
        cloud.ledger("select day, source_rows, replayed_rows, findings from days"),
        [
            "2013-06-01 | 2 | 0 | 0",
            "2013-06-02 | 4 | 2 | 1",
            "2013-06-03 | 2 | 0 | 0"
        ]
    );
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
}

#[test]
fn a_day_that_vanished_is_refused_until_somebody_settles_it_and_stays_as_it_is() {
    let cloud = three_days(Cloud::in_mariadb(NEWEST));
    cloud.configure("GMT", UPDATE);
    cloud.usage("delete from cloud_usage where end_date < '2013-06-02 00:00:00'");
    let reason = "the source has no rows of it any more; what 2 rows gave is kept";
    let run = cloud.run(&["import"]).exits(1);
    assert!(
        run.stdout
            .contains(&format!("2013-06-01 refused: {reason}\n")),
        "{run}"
    );
    assert_eq!(
        cloud.ledger("select day, kind, detail from findings"),
        [format!("2013-06-01 | refused | {reason}")]
    );
    let said = format!(
        "rbc-usage: 2013-06-01 is refused: {reason}: acknowledge it with rbc-usage findings ack 1 --reason TEXT\n"
    );
    let run = run.complains(&said);
    assert!(run.stdout.contains("1 closed day read again"), "{run}");
    // It is not read again, and not forgotten either.
    let run = cloud.run(&["import"]).exits(1).complains(&said);
    assert!(!run.stdout.contains("2013-06-01 refused"), "{run}");
    cloud
        .run(&["findings", "ack", "1", "--reason", "lost"])
        .exits(0);
    cloud.run(&["import"]).exits(0).complains("");
    cloud
        .run(&["import", "-s", "2013-06-01"])
        .exits(0)
        .complains("");
    assert_eq!(
        cloud.ledger(HOURS),
        ["2013-06-01 | 24", "2013-06-02 | 24", "2013-06-03 | 24"]
    );
    // It comes back from a backup.
    cloud.usage(
        "insert into cloud_usage (id, zone_id, account_id, domain_id, description, usage_display, usage_type, \
           raw_usage, vm_instance_id, offering_id, template_id, usage_id, type, start_date, end_date) \
         select id - 2, zone_id, account_id, domain_id, description, usage_display, usage_type, \
           raw_usage, vm_instance_id, offering_id, template_id, usage_id, type, \
           start_date - interval 1 day, end_date - interval 1 day from cloud_usage where id in (3, 4)",
    );
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger("select kind from findings"), [""; 0]);
}

/// Of three days one is sealed, one was found equal to its source, and of one nothing was proven. Then all rows go, as
/// they do with usage.purge.retention days.
#[test]
fn a_purge_of_days_that_need_their_source_no_more_is_routine() {
    let cloud = three_days(Cloud::in_mariadb(NEWEST));
    cloud.run(&["verify", "2013-06-01..2013-06-02"]).exits(0);
    cloud.run(&["seal", "2013-06-01"]).exits(0);
    let days = "select day, state, verified_at is not null from days";
    let before = cloud.ledger(days);
    assert_eq!(
        before,
        [
            "2013-06-01 | sealed | 1",
            "2013-06-02 | closed | 1",
            "2013-06-03 | closed | 0"
        ]
    );
    cloud.usage("delete from cloud_usage where end_date < '2013-06-03 00:00:00'");
    let run = cloud.run(&["import"]).exits(0).complains("");
    let looked = "looked again at 3 closed days from 2013-06-01: nothing has changed\n";
    assert!(run.stdout.starts_with(looked), "{run}");
    // Asked for by name, -f or not, they say why they stay as they are.
    let words = ["import", "-s", "2013-06-01", "-e", "2013-06-02", "-f"];
    let run = cloud.run(&words).exits(0).complains("");
    let kept = "kept: the source has no rows of it any more; what 2 rows gave is kept\n";
    assert!(
        run.stdout
            .starts_with(&format!("2013-06-01 sealed {kept}2013-06-02 closed {kept}")),
        "{run}"
    );
    let run = cloud.run(&["verify", "2013-06-01..2013-06-03"]).exits(0);
    assert!(
        run.stdout.contains(
            "\n1 day compared: 1 equal, 0 different; 2 rows, 3 records\n\
             as they were, for their source is gone: 2013-06-01..2013-06-02\n"
        ),
        "{run}"
    );
    assert_eq!(cloud.ledger("select * from findings"), [""; 0]);
    assert_eq!(cloud.ledger(days)[..2], before[..2]);
    let check = cloud.run(&[
        "status",
        "2013-06-01..2013-06-02",
        "--check",
        "--format",
        "csv",
    ]);
    assert_eq!(check.stdout.lines().count(), 2, "{check}");
    assert!(check.stdout.contains("\nsource_behind,"), "{check}");
    // One that was found equal is as good as any to be sealed.
    cloud.run(&["seal", "2013-06-01..2013-06-03"]).exits(0);
    let explain = ["explain", "alice", "2013-06-01..2013-06-03"];
    let run = cloud.run(&explain).exits(0).complains("");
    assert!(
        run.stdout.ends_with(
            "\n\n3 figures, 1 as the ledger has it\n2 are of days whose source is gone: \
             shown is what the ledger holds\n"
        ),
        "{run}"
    );
    assert_eq!(run.stdout.matches("24  source_gone  ").count(), 2, "{run}");
}

/// A purge by ids leaves a part of a sealed day, as CloudStack 4.22 does between two batches.
#[test]
fn a_purge_that_cuts_through_a_sealed_day_is_routine() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(0);
    cloud.usage("delete from cloud_usage where id < 4");
    for words in [&["import"][..], &["import", "-s", "2013-06-02"]] {
        cloud.run(words).exits(0).complains("");
    }
    assert_eq!(cloud.ledger("select * from findings"), [""; 0]);
    assert_eq!(cloud.ledger(CORRECTIONS), [""; 0]);
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    let run = cloud.run(&["explain", "alice", "2013-06-02"]).exits(0);
    assert!(
        run.stdout
            .contains(" 4      24  source_gone  –         –             –      –    –\n"),
        "{run}"
    );
}

/// What 1.0.0 has said of a sealed day is settled once its rows are gone, and `seal` settles a purge that it was told of.
#[test]
fn sealing_a_purged_day_settles_its_refusal() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.usage("delete from cloud_usage where id < 3");
    cloud.run(&["import"]).exits(1);
    cloud.run(&["seal", "2013-06-01"]).exits(1);
    cloud.run(&["seal", "2013-06-01", "--anyway"]).exits(0);
    cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(cloud.ledger("select * from findings"), [""; 0]);
    assert_eq!(
        cloud.ledger("select state from days where day = '2013-06-01'"),
        ["sealed"]
    );
}

#[test]
fn a_day_is_settled_by_repairing_its_source() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    let (wrong, right) = (
        "update cloud_usage set id = 60000, raw_usage = 19 where id = 3",
        "update cloud_usage set id = 3, raw_usage = 20 where id = 60000",
    );
    cloud.usage(wrong);
    cloud.run(&["import"]).exits(1);
    let first = cloud.ledger("select id from findings").concat();
    // It looks as it did when it was imported, and is read all the same.
    cloud.usage(right);
    let run = cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(
        read_again(&run.stdout),
        "1 closed day read again, to be looked at: 0"
    );
    assert_eq!(cloud.ledger("select kind from findings"), [""; 0]);
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
    // A number that somebody has written down is never that of another finding.
    cloud.usage(wrong);
    cloud.run(&["import"]).exits(1);
    assert_ne!(cloud.ledger("select id from findings").concat(), first);
}

#[test]
fn a_change_that_keeps_its_ids_is_told_by_every_import_once_it_is_known() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.usage("update cloud_usage set raw_usage = 19 where id = 3");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    let run = cloud.run(&["import"]).exits(1);
    assert!(
        run.stderr.contains("stored 24, the source says 23"),
        "{run}"
    );
}

#[test]
fn the_day_that_a_changed_row_reaches_back_into_is_read_as_well() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    let spanning = UsageRow {
        start: "2013-06-01 22:00:00".to_owned(),
        end: "2013-06-02 05:59:59".to_owned(),
        ..vm("2013-06-02", 12, 8.0)
    };
    cloud.add_usage(&[
        vm("2013-05-31", 11, 20.0),
        vm("2013-06-01", 11, 20.0),
        spanning.clone(),
        vm("2013-06-02", 11, 20.0),
    ]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.configure("GMT", UPDATE);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(HOURS)[1..],
        ["2013-06-01 | 22", "2013-06-02 | 26"]
    );
    // Deleted, nothing but the ledger tells that it reached back.
    cloud.usage("delete from cloud_usage where id = 3");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(HOURS)[1..],
        ["2013-06-01 | 20", "2013-06-02 | 20"]
    );
    // And again there, nothing but the source does.
    cloud.add_usage(&[spanning]);
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(HOURS)[1..],
        ["2013-06-01 | 22", "2013-06-02 | 26"]
    );
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
}

#[test]
fn days_of_a_ledger_from_before_fingerprints_are_read_once() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.edit_ledger("delete from stored_digests; update stored_days set fingerprint = null");
    let before = cloud.ledger("select day, imported_at, records from days");
    let run = cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(
        read_again(&run.stdout),
        "3 closed days read again, to be looked at: 0"
    );
    assert_eq!(
        cloud.ledger("select day, imported_at, records from days"),
        before
    );
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(read_again(&run.stdout), "none", "{run}");
}

#[test]
fn only_the_days_that_are_asked_for_are_looked_at() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    cloud.add_usage(&[vm("2013-06-01", 13, 3.0)]);
    for (days, code) in [(0, 0), (2, 0), (3, 1)] {
        cloud.configure("GMT", &format!("[import]\nreread_days = {days}\n"));
        cloud.run(&["import"]).exits(code);
    }
    // A dry run looks and keeps nothing of it.
    let findings = cloud.ledger("select * from findings");
    cloud.run(&["import", "--dry-run"]).exits(1);
    assert_eq!(cloud.ledger("select * from findings"), findings);
}

/// Until the last day of June is finished, June's invoice may be a month old: all of May is looked at, and no day before.
#[test]
fn everything_since_the_month_before_last_is_looked_at() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    let days = ["2013-04-30", "2013-05-01", "2013-06-30"];
    cloud.add_usage(&days.map(|day| vm(day, 11, 20.0)));
    cloud.finished_until("2013-06-30 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    let run = cloud.run(&["import"]).exits(0);
    assert!(!run.stdout.contains("looked again"), "{run}");
    cloud.add_usage(&[vm("2013-04-30", 12, 4.0)]);
    let run = cloud.run(&["import"]).exits(0).complains("");
    assert!(
        run.stdout.starts_with(
            "looked again at 61 closed days from 2013-05-01: nothing has changed\n0 days, "
        ),
        "{run}"
    );
    let json = cloud.run(&["import", "--format", "json"]).exits(0);
    let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(answer["days_looked_at_again"], 61);
    assert_eq!(answer["looked_at_again_from"], "2013-05-01");
    cloud.add_usage(&[vm("2013-05-01", 12, 4.0)]);
    let run = cloud.run(&["import"]).exits(1).complains(
        "rbc-usage: 2013-05-01 is closed and differs: account alice-uuid vm_allocated small-uuid: \
         stored 20, the source says 24\n",
    );
    assert_eq!(
        read_again(&run.stdout),
        "1 closed day read again, to be looked at: 1"
    );
}

#[test]
fn each_run_is_kept_with_its_outcome_and_counts_as_a_write() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    let revision = || cloud.ledger("select revision from ledgers");
    assert_eq!(revision(), ["3"]);
    cloud.add_usage(&[vm("2013-06-01", 13, 3.0)]);
    cloud.run(&["import"]).exits(1);
    cloud.run(&["import", "--dry-run"]).exits(1);
    let before = revision();
    cloud.usage("alter table cloud_usage rename to gone");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(2);
    assert_eq!(revision(), before);
    assert_eq!(
        cloud.ledger(
            "select outcome, days, source_rows, records_added, records_overwritten, \
               seconds > 0 and finished_at >= started_at, error from imports order by id"
        ),
        [
            "done | 3 | 6 | 3 | 0 | 1 | null",
            "needs_a_look | 1 | 3 | 0 | 0 | 1 | null",
            "error | 0 | 0 | 0 | 0 | 1 | read cloud_usage: there is no table cloud_usage or no right to read it"
        ]
    );
}

#[test]
fn digests_and_fingerprints_are_those_of_the_source_whose_figures_the_day_holds() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    let days = || {
        cloud.ledger("select d.day, usage_type, g.source_rows, fingerprint from stored_days d join stored_digests g on g.day = d.day")
    };
    let stored = [
        "2013-06-01 | 2 | 2 | 2 rows, ids 1 to 2, sum 3",
        "2013-06-02 | 2 | 2 | 2 rows, ids 3 to 4, sum 7",
        "2013-06-03 | 2 | 2 | 2 rows, ids 5 to 6, sum 11",
    ];
    assert_eq!(days(), stored);
    let digests = || cloud.ledger("select distinct digest from stored_digests");
    assert_eq!(digests().len(), 3);
    // What only differs from the source does not count as seen.
    cloud.add_usage(&[vm("2013-06-01", 13, 3.0)]);
    cloud.run(&["import", "-s", "2013-06-01"]).exits(1);
    assert_eq!(days(), stored);
}

/// What is found on days that are only looked at again is in the total, and so are the days.
#[test]
fn the_total_counts_what_was_read_again() {
    let cloud = three_days(Cloud::in_sqlite(NEWEST));
    // The day has three rows now, of which one repeats another.
    cloud.add_usage(&[vm("2013-06-02", 12, 4.0)]);
    let run = cloud.run(&["import"]).exits(0);
    let total = run.stdout.lines().last().expect("a total");
    assert!(
        total.starts_with("1 day, 3 rows, 0 records added, 0 overwritten, 1 finding, "),
        "{run}"
    );
    assert_eq!(cloud.ledger("select count(*) from findings"), ["1"]);
}
