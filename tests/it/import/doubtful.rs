//! Sources that say what cannot be, and outputs that break: what an import makes of them, and what it says.

use std::fs::File;

use super::{DAYS, RUNNING, UsageRow, close_two_days, cloud, furnished, two_closed_days, vm};
use crate::cloudstack::{Cloud, NEWEST};
use crate::sandbox::Run;
use crate::server::Server;

#[track_caller]
fn says(run: &Run, words: &str) {
    assert!(run.stderr.contains(words), "no {words:?} in\n{run}");
}

#[test]
fn a_usage_server_ahead_of_the_clock_closes_no_day_of_the_future() {
    let cloud = cloud();
    let today = time::UtcDateTime::now().date();
    let yesterday = today.previous_day().unwrap().to_string();
    cloud.add_usage(&[vm(&yesterday, 2, 5, 24.0)]);
    cloud.finished_until("2099-12-31 23:59:59");
    let run = cloud.run(&["import"]).exits(1);
    says(&run, "finished until 2100-01-01T00:00:00Z");
    says(&run, "one of the clocks is wrong");
    let future = format!("select count(*) from days where day >= '{today}'");
    assert_eq!(cloud.ledger(&future), ["0"]);
    let closed =
        format!("select count(*) from days where day = '{yesterday}' and state = 'closed'");
    assert_eq!(cloud.ledger(&closed), ["1"]);
}

#[test]
fn a_report_that_cannot_be_written_stops_no_import() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    let mut command = cloud.sandbox.command(&["import"]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let run = Run::of(&mut command).exits(2);
    says(
        &run,
        "all is imported, but the report could not be written: No space left",
    );
    assert_eq!(
        cloud.ledger(DAYS),
        ["2013-06-01 | closed", "2013-06-02 | closed"]
    );
}

#[test]
fn days_missing_between_others_need_a_look() {
    let cloud = two_closed_days();
    cloud.add_usage(&[vm("2013-06-05", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-05 23:59:59");
    let run = cloud.run(&["import", "-s", "2013-06-05"]).exits(1);
    says(&run, "missing between other days: 2013-06-03..2013-06-04");
    cloud
        .run(&["import", "-s", "2013-06-03", "-e", "2013-06-04"])
        .exits(0);
    assert_eq!(cloud.ledger(RUNNING).len(), 3);
}

#[test]
fn a_ledger_in_no_folder_is_refused_by_name() {
    let cloud = cloud();
    let mut command = cloud.sandbox.command(&["initdb"]);
    command.env(
        "RBC_USAGE_MAIN__RBC_USAGE_URI",
        "sqlite:///nowhere/usage.db",
    );
    let run = Run::of(&mut command).exits(2);
    says(&run, "there is no folder ./nowhere");
}

#[test]
fn a_day_before_the_sources_first_row_is_not_a_day_without_usage() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-03", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-03 23:59:59");
    let run = cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-03"])
        .exits(1);
    let refused = "2013-06-02 refused: the source has no rows of it and none older";
    assert!(run.stdout.contains(refused), "{run}");
    assert_eq!(cloud.ledger(DAYS), ["2013-06-03 | closed"]);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger(DAYS),
        ["2013-06-02 | closed", "2013-06-03 | closed"]
    );
}

#[test]
fn a_first_day_that_a_purge_cut_is_a_finding() {
    let cloud = cloud();
    let hourly = (12..24).map(|hour| UsageRow {
        start: format!("2013-06-01 {hour:02}:00:00"),
        end: format!("2013-06-01 {hour:02}:59:59"),
        ..vm("2013-06-01", 2, 5, 1.0)
    });
    cloud.add_usage(&hourly.collect::<Vec<_>>());
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(RUNNING), ["2013-06-01 | alice | small | 12"]);
    assert_eq!(
        cloud.ledger("select kind, detail from findings"),
        [
            "source_begins | the source's first row begins 12.00 hours into the day: what was before is not known"
        ]
    );
}

#[test]
fn a_finished_day_without_rows_after_one_with_some_is_a_finding() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-04", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-04 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger("select day, kind, detail from findings"),
        ["2013-06-02 | no_rows | the source has no rows of it, and 1 row of the day before"]
    );
}

#[test]
fn a_bad_row_spoils_its_day_and_no_other() {
    let cloud = two_closed_days();
    cloud.add_usage(&[
        vm("2013-06-03", 2, 5, 24.0),
        vm("2013-06-04", 2, 5, 24.0),
        UsageRow {
            usage_type: 6,
            vm_instance_id: None,
            size: Some(1 << 60),
            ..vm("2013-06-05", 2, 5, 1e300)
        },
        vm("2013-06-06", 2, 5, 24.0),
    ]);
    cloud.usage("update cloud_usage set start_date = '2013-06-05 00:00:00' where id = 3");
    cloud.finished_until("2013-06-06 23:59:59");
    let run = cloud.run(&["import"]).exits(1);
    for refused in [
        "2013-06-03 refused: cloud_usage row 3: the window ends before it starts",
        "2013-06-05 refused: cloud_usage row 5: primary_byte_hours is too large to be a number",
    ] {
        assert!(run.stdout.contains(refused), "{run}");
    }
    says(
        &run,
        "2013-06-03 is refused: cloud_usage row 3: the window ends before it starts: repair the row and run rbc-usage \
         import -s 2013-06-03, or acknowledge it with rbc-usage findings ack 1 --reason TEXT\n",
    );
    assert_eq!(
        cloud.ledger(DAYS),
        [
            "2013-06-01 | closed",
            "2013-06-02 | closed",
            "2013-06-04 | closed",
            "2013-06-06 | closed"
        ]
    );
    // A stored day stays as it is, and tells why.
    cloud.usage("update cloud_usage set start_date = '2013-06-09 00:00:00' where id = 2");
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(1);
    assert_eq!(cloud.ledger(RUNNING)[1], "2013-06-02 | alice | small | 24");
    assert_eq!(
        cloud.ledger("select id, day, detail from findings where kind = 'refused' order by day"),
        [
            "3 | 2013-06-02 | cloud_usage row 2: the window ends before it starts",
            "1 | 2013-06-03 | cloud_usage row 3: the window ends before it starts",
            "2 | 2013-06-05 | cloud_usage row 5: primary_byte_hours is too large to be a number"
        ]
    );
}

#[test]
fn rows_without_a_date_are_told_and_stop_nothing() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-01", 3, 5, 24.0)]);
    cloud.usage("update cloud_usage set end_date = '0000-00-00 00:00:00', start_date = end_date where id = 2");
    cloud.finished_until("2013-06-01 23:59:59");
    let run = cloud.run(&["import"]).exits(0);
    says(
        &run,
        "cloud_usage: 1 row on no day, for want of an end_date that can be",
    );
    assert_eq!(cloud.ledger(RUNNING), ["2013-06-01 | alice | small | 24"]);
}

#[test]
fn an_account_that_used_nothing_is_an_account_all_the_same() {
    let cloud = two_closed_days();
    assert_eq!(
        cloud.ledger("select uuid, name from accounts order by 1"),
        ["alice-uuid | alice", "bob-uuid | bob"]
    );
    let server = Server::start(&cloud.sandbox);
    let answer = server.get("/usage/bob-uuid?start=2013-06-01&end=2013-06-02");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains(r#""usage":[]"#), "{answer:?}");
    assert_eq!(server.get("/usage/carol-uuid?start=2013-06-01").status, 404);
}

#[test]
fn the_usage_database_is_not_taken_for_the_main_one() {
    let cloud = cloud();
    let config = std::fs::read_to_string(cloud.sandbox.path("cloudusage.cfg")).unwrap();
    let value_of = |key: &str| {
        let line = config.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    let mut command = cloud.sandbox.command(&["import"]);
    command.env("RBC_USAGE_MAIN__CLOUD_URI", value_of("cloud_usage_uri"));
    let run = Run::of(&mut command).exits(2);
    says(
        &run,
        "read cloud: it has the table cloud_usage, so it is the usage database",
    );
}

/// A backup laid over the ledger while a server has it open: what was in the files beside the old one must not
/// come to lie over it.
#[test]
fn a_ledger_restored_under_a_running_server_is_that_of_the_backup() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    let cloud = close_two_days(furnished(cloud, "GMT"));
    cloud.run(&["backup", "backup.db"]).exits(0);
    let server = Server::start(&cloud.sandbox);
    let target = "/usage/alice-uuid?start=2013-06-01&end=2013-06-03";
    assert_eq!(server.get(target).status, 200);
    cloud.add_usage(&[vm("2013-06-03", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert!(server.get(target).body.contains(r#""missing_days":[]"#));
    std::fs::rename(
        cloud.sandbox.path("backup.db"),
        cloud.sandbox.path("usage.db"),
    )
    .unwrap();
    let restored = server.get(target);
    assert!(
        restored.body.contains(r#""missing_days":["2013-06-03"]"#),
        "{restored:?}"
    );
    assert_eq!(cloud.ledger_damage(), [""; 0]);
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(RUNNING).len(), 3);
    assert!(server.get(target).body.contains(r#""missing_days":[]"#));
    assert_eq!(cloud.ledger_damage(), [""; 0]);
}

#[test]
fn a_day_knows_how_many_records_it_holds() {
    let hours = |account_id: u64, usage_type: u32, hours: f64| UsageRow {
        raw_usage: hours,
        ..UsageRow::of_day("2013-06-01", usage_type, account_id, 1)
    };
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("GMT", "");
    for (id, name) in [(2, "alice"), (3, "bob"), (4, "carol")] {
        cloud.account(id, &format!("{name}-uuid"), name);
    }
    cloud.run(&["initdb"]).exits(0);
    let held = |expected: &str| {
        let told = cloud.ledger("select records, accounts from stored_days");
        let real = cloud.ledger("select count(*), count(distinct account_id) from stored_records");
        assert_eq!(
            (told, real),
            (vec![expected.to_owned()], vec![expected.to_owned()])
        );
    };
    // Nothing has been purged: row 1 is older than all the others.
    cloud.add_usage(&[UsageRow::of_day("2013-05-31", 10, 2, 1)]);
    cloud.finished_until("2013-05-31 23:59:59");
    // Open, and then closed: rows 2 to 4.
    cloud.add_usage(&[hours(2, 10, 6.0), hours(2, 12, 6.0), hours(3, 10, 6.0)]);
    cloud.run(&["import", "2013-06-01"]).exits(0);
    held("3 | 2");
    cloud.usage("delete from cloud_usage where id = 3");
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "2013-06-01"]).exits(0);
    held("2 | 2");
    // Closed: what is new is added, what is gone stays.
    cloud.usage("delete from cloud_usage where id = 4");
    cloud.add_usage(&[hours(4, 10, 24.0), hours(4, 12, 24.0)]);
    cloud.run(&["import", "2013-06-01"]).exits(1);
    held("4 | 3");
    cloud.run(&["import", "2013-06-01", "-f"]).exits(0);
    held("3 | 2");
    // Sealed: nothing changes.
    cloud.run(&["verify", "2013-06-01"]).exits(0);
    cloud.run(&["seal", "2013-06-01"]).exits(0);
    cloud.add_usage(&[hours(3, 10, 24.0)]);
    cloud.run(&["import", "2013-06-01"]).exits(1);
    held("3 | 2");
    cloud.run(&["unseal", "2013-06-01"]).exits(0);
    cloud.run(&["import", "2013-06-01"]).exits(0);
    held("4 | 3");
}

#[test]
fn a_day_that_a_batch_of_a_purge_cut_through_is_kept() {
    let hours = |day: &str, account_id: u64, hours: f64| UsageRow {
        raw_usage: hours,
        ..UsageRow::of_day(day, 10, account_id, 1)
    };
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.configure("GMT", "");
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    // Rows 1 to 4, and a fifth that was written late.
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[hours(day, 2, 24.0), hours(day, 3, 24.0)]);
    }
    cloud.add_usage(&[hours("2013-05-31", 2, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    let figures = "select day, account_name, quantity from daily_usage order by 1, 2";
    let before = cloud.ledger(figures);

    cloud.usage("delete from cloud_usage where id <= 1");
    let run = cloud.run(&["import", "2013-06-01", "-f"]).exits(1);
    assert!(
        run.stdout.starts_with(
            "2013-06-01 refused: the source has only 1 row of it left and none with a lower id than they had; what 2 \
             rows gave is kept\n"
        ),
        "{run}"
    );
    assert_eq!(cloud.ledger(figures), before);
    let run = cloud.run(&["verify", "2013-06-01"]).exits(1);
    assert!(
        run.stdout.contains("none with a lower id than they had"),
        "{run}"
    );

    // Of a day that the purge has not reached, a row that is gone was deleted by somebody who meant it.
    cloud.usage("delete from cloud_usage where id = 4");
    let run = cloud.run(&["import", "2013-06-02", "-f"]).exits(1);
    assert!(
        run.stdout.starts_with(
            "2013-06-02 closed accounts=1 rows=1 replayed=0 added=0 kept=1 overwritten=1 "
        ),
        "{run}"
    );
    assert_eq!(cloud.ledger(figures), before[..4]);
}
