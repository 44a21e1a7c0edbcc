//! Runs of the usage server that write days again, in the situations in which they are hard to tell: parts of them or of
//! `usage_job` purged, rows put in by hand, several late events in turn, days without rows between.

use crate::cloudstack::{Cloud, NEWEST, UsageRow, unix_seconds};

/// What the usage server writes for a resource that had ended when a run starts: a millisecond.
const ENDED: f64 = 2.777_777_865_503_594_5e-7;

/// An account and two offerings; imports take over what changes.
fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("GMT", "[import]\nreread = update\n");
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.service_offering(6, "large-uuid", "large");
    cloud.run(&["initdb"]).exits(0);
    cloud
}

/// `1 10:00:00` is 2013-06-01 10:00:00.
fn at(moment: &str) -> String {
    let (day, time) = moment.split_once(' ').expect("a day and a time");
    format!("2013-06-{day:0>2} {time}")
}

/// A successful job. One that ends within a minute ended in the middle of a second, and the next goes on from there.
fn job(cloud: &Cloud, id: u64, start: &str, end: &str) {
    let (start, end) = (at(start), at(end));
    let millis = |moment: &str, whole: &str, rest| {
        unix_seconds(moment) * 1000 + if moment.ends_with(whole) { 0 } else { rest }
    };
    let first = millis(&start, ":00", 501);
    let last = match end.ends_with(":59") {
        true => unix_seconds(&end) * 1000 + 999,
        false => millis(&end, ":59", 500),
    };
    cloud.usage(&format!(
        "insert into usage_job (id, job_type, start_millis, end_millis, success, heartbeat) \
         values ({id}, 0, {first}, {last}, 1, '{end}')"
    ));
}

/// An allocated VM in a window.
fn vm(id: u64, start: &str, end: &str, hours: f64) -> UsageRow {
    UsageRow {
        start: at(start),
        end: at(end),
        raw_usage: hours,
        ..UsageRow::of_vm("2013-06-01", 2, 2, id, 5)
    }
}

/// The same for a whole day.
fn all_day(id: u64, day: u64) -> UsageRow {
    vm(
        id,
        &format!("{day} 00:00:00"),
        &format!("{day} 23:59:59"),
        24.0,
    )
}

fn daily_job(cloud: &Cloud, day: u64) {
    job(
        cloud,
        day,
        &format!("{day} 00:00:00"),
        &format!("{day} 23:59:59"),
    );
}

/// VM 11 is there on five days; 12 ended on the first at 10, which the run after the third day finds. 34 hours, then 24.
fn late_end(cloud: &Cloud) {
    for day in 1..=3 {
        daily_job(cloud, day);
        cloud.add_usage(&[all_day(11, day), all_day(12, day)]);
    }
    late_end_found(cloud);
}

fn late_end_found(cloud: &Cloud) {
    job(cloud, 4, "1 10:00:00", "4 23:59:59");
    cloud.add_usage(&[
        vm(11, "1 10:00:00", "1 23:59:59", 14.0),
        vm(12, "1 10:00:00", "1 23:59:59", ENDED),
        all_day(11, 2),
        all_day(11, 3),
        all_day(11, 4),
    ]);
    daily_job(cloud, 5);
    cloud.add_usage(&[all_day(11, 5)]);
}

/// Hours of small VMs by day.
fn hours(cloud: &Cloud) -> Vec<String> {
    cloud.ledger(
        "select substr(day, 9), round(sum(quantity), 5) from daily_usage \
         where resource_name = 'small' group by day order by day",
    )
}

const RIGHT: [&str; 5] = ["01 | 34", "02 | 24", "03 | 24", "04 | 24", "05 | 24"];

#[track_caller]
fn imports(cloud: &Cloud, right: &[&str]) {
    cloud.run(&["import"]).exits(0);
    assert_eq!(hours(cloud), right);
}

fn findings(cloud: &Cloud, kind: &str) -> Vec<String> {
    cloud.ledger(&format!(
        "select substr(day, 9) || ' ' || detail from findings where kind = '{kind}' order by day"
    ))
}

#[test]
fn a_purge_that_ends_within_what_a_run_wrote_again_changes_nothing() {
    for sealed in [false, true] {
        let cloud = cloud();
        late_end(&cloud);
        imports(&cloud, &RIGHT);
        cloud.run(&["verify", "2013-06-01..2013-06-05"]).exits(0);
        if sealed {
            cloud.run(&["seal", "2013-06-01..2013-06-05"]).exits(0);
        }
        // The first windows of the run are among what goes.
        cloud.usage("delete from cloud_usage where end_date < '2013-06-02 00:00:00'");
        imports(&cloud, &RIGHT);
        cloud.run(&["verify", "2013-06-01..2013-06-05"]).exits(0);
        assert_eq!(cloud.ledger("select count(*) from corrections"), ["0"]);
        assert_eq!(findings(&cloud, "runs_disordered"), Vec::<String>::new());
    }
}

#[test]
fn where_jobs_are_missing_runs_are_told_from_rows() {
    for gone in ["id <= 3", "id <= 4", "id = 1"] {
        let cloud = cloud();
        late_end(&cloud);
        cloud.usage(&format!("delete from usage_job where {gone}"));
        imports(&cloud, &RIGHT);
    }
    // And where they go after the import.
    let cloud = cloud();
    late_end(&cloud);
    imports(&cloud, &RIGHT);
    cloud.usage("delete from usage_job where id <= 3");
    imports(&cloud, &RIGHT);
    assert_eq!(cloud.ledger("select count(*) from corrections"), ["0"]);
}

#[test]
fn a_row_put_in_by_hand_before_a_run_hides_it_not() {
    let cloud = cloud();
    for day in 1..=3 {
        daily_job(&cloud, day);
        cloud.add_usage(&[all_day(11, day), all_day(12, day)]);
    }
    cloud.add_usage(&[UsageRow {
        offering_id: Some(6),
        ..vm(13, "3 00:00:00", "3 11:59:59", 12.0)
    }]);
    late_end_found(&cloud);
    imports(&cloud, &RIGHT);
}

/// Windows of ten hours, that end when the job runs. A later run cuts its first window elsewhere, and VM 12 has none.
#[test]
fn a_run_may_start_with_the_last_window_and_end_its_own_elsewhere() {
    for (hours_of_12, right) in [(Some(2.0), "01 | 22"), (None, "01 | 20")] {
        let cloud = cloud();
        job(&cloud, 1, "1 00:00:00", "1 10:00:03");
        cloud.add_usage(&[
            vm(11, "1 00:00:00", "1 10:00:03", 10.0),
            vm(12, "1 00:00:00", "1 10:00:03", 10.0),
        ]);
        job(&cloud, 2, "1 00:00:00", "1 20:00:05");
        cloud.add_usage(&[vm(11, "1 00:00:00", "1 10:00:05", 10.0)]);
        if let Some(hours) = hours_of_12 {
            cloud.add_usage(&[vm(12, "1 00:00:00", "1 10:00:05", hours)]);
        }
        cloud.add_usage(&[vm(11, "1 10:00:05", "1 20:00:05", 10.0)]);
        job(&cloud, 3, "1 20:00:05", "2 23:59:59");
        cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
        assert_eq!(hours(&cloud), [right]);
    }
}

/// A row spans the midnight before the run starts: what it counts for, both days share.
#[test]
fn a_row_over_midnight_is_cut_by_a_run_of_the_next_day() {
    for (hours_of_row, later, right) in [
        // From 20 to 23, as the later run has no row of it.
        (3.0, None, "3"),
        // From 1 o'clock on.
        (5.0, Some(4.0), "5"),
        // Ended at 2, which only the later run knows.
        (10.0, Some(ENDED), "6"),
    ] {
        let cloud = cloud();
        let other = |start, end, hours| UsageRow {
            offering_id: Some(6),
            ..vm(99, start, end, hours)
        };
        job(&cloud, 1, "1 10:00:03", "1 20:00:03");
        cloud.add_usage(&[other("1 10:00:03", "1 20:00:03", 10.0)]);
        job(&cloud, 2, "1 20:00:03", "2 06:00:03");
        cloud.add_usage(&[
            vm(11, "1 20:00:03", "2 06:00:03", hours_of_row),
            other("1 20:00:03", "2 06:00:03", 10.0),
        ]);
        job(&cloud, 3, "2 02:00:03", "2 16:00:03");
        cloud.add_usage(&[other("2 02:00:03", "2 06:00:03", 4.0)]);
        if let Some(later) = later {
            cloud.add_usage(&[vm(11, "2 02:00:03", "2 06:00:03", later)]);
        }
        cloud.add_usage(&[other("2 06:00:03", "2 16:00:03", 10.0)]);
        job(&cloud, 4, "2 16:00:03", "3 23:59:59");
        cloud
            .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"])
            .exits(0);
        let sum = "select round(sum(quantity), 4) from daily_usage where resource_name = 'small'";
        assert_eq!(cloud.ledger(sum), [right], "{hours_of_row}");
    }
}

/// VM 12 ran from 0 to 3 and from 9 to 20; its end is found by one run, and another goes back further for something else.
#[test]
fn a_second_late_event_takes_back_nothing_that_the_first_has_told() {
    let cloud = cloud();
    daily_job(&cloud, 1);
    cloud.add_usage(&[all_day(11, 1), vm(12, "1 00:00:00", "1 23:59:59", 18.0)]);
    job(&cloud, 2, "1 20:00:00", "2 23:59:59");
    cloud.add_usage(&[
        vm(11, "1 20:00:00", "1 23:59:59", 4.0),
        vm(12, "1 20:00:00", "1 23:59:59", ENDED),
        all_day(11, 2),
    ]);
    imports(&cloud, &["01 | 38", "02 | 24"]);
    job(&cloud, 3, "1 10:00:00", "3 23:59:59");
    cloud.add_usage(&[
        vm(11, "1 10:00:00", "1 23:59:59", 14.0),
        vm(12, "1 10:00:00", "1 23:59:59", 10.0),
        all_day(11, 2),
        all_day(11, 3),
    ]);
    imports(&cloud, &["01 | 38", "02 | 24", "03 | 24"]);
    // The second changes nothing, and says so by saying nothing.
    assert_eq!(findings(&cloud, "rewritten"), Vec::<String>::new());
}

/// An end among the stuck events, and one that is only late: the first run that goes back knows of the one and not the other.
#[test]
fn a_late_end_beside_a_stuck_event_is_counted_to_its_hour() {
    let cloud = cloud();
    daily_job(&cloud, 1);
    cloud.add_usage(&[all_day(11, 1), all_day(12, 1)]);
    for id in [2, 3] {
        job(&cloud, id, "1 10:00:00", &format!("{id} 23:59:59"));
        cloud.add_usage(&[
            vm(11, "1 10:00:00", "1 23:59:59", 5.0),
            vm(12, "1 10:00:00", "1 23:59:59", 14.0),
        ]);
        let days: Vec<UsageRow> = (2..=id).map(|day| all_day(12, day)).collect();
        cloud.add_usage(&days);
    }
    // 10 and 5, and 24.
    imports(&cloud, &["01 | 39", "02 | 24", "03 | 24"]);
}

#[test]
fn days_and_hours_without_rows_stand_between_no_runs() {
    // Day 2 has none, as all had ended.
    let cloud = cloud();
    daily_job(&cloud, 1);
    cloud.add_usage(&[all_day(11, 1), all_day(12, 1)]);
    job(&cloud, 2, "1 20:00:00", "2 23:59:59");
    cloud.add_usage(&[
        vm(11, "1 20:00:00", "1 23:59:59", ENDED),
        vm(12, "1 20:00:00", "1 23:59:59", 4.0),
    ]);
    job(&cloud, 3, "1 10:00:00", "3 23:59:59");
    cloud.add_usage(&[
        vm(11, "1 10:00:00", "1 23:59:59", 10.0),
        vm(12, "1 10:00:00", "1 23:59:59", ENDED),
        all_day(13, 3),
    ]);
    imports(&cloud, &["01 | 30", "03 | 24"]);
    // 22 idle hours.
    let cloud = self::cloud();
    job(&cloud, 1, "1 00:00:00", "1 00:59:59");
    cloud.add_usage(&[
        vm(11, "1 00:00:00", "1 00:59:59", 1.0),
        vm(12, "1 00:00:00", "1 00:59:59", 1.0),
    ]);
    job(&cloud, 2, "1 01:00:00", "1 01:59:59");
    cloud.add_usage(&[vm(12, "1 01:00:00", "1 01:59:59", 0.5)]);
    for hour in 2..24 {
        job(
            &cloud,
            hour + 1,
            &format!("1 {hour:02}:00:00"),
            &format!("1 {hour:02}:59:59"),
        );
    }
    job(&cloud, 30, "1 00:30:00", "2 00:59:59");
    cloud.add_usage(&[
        vm(11, "1 00:30:00", "1 00:59:59", 0.5),
        vm(12, "1 00:30:00", "1 00:59:59", ENDED),
    ]);
    imports(&cloud, &["01 | 1.5"]);
}

/// Each run goes back, and none yet went on from where the one before it had ended.
#[test]
fn days_are_provisional_while_the_newest_run_goes_back() {
    let cloud = cloud();
    daily_job(&cloud, 1);
    cloud.add_usage(&[all_day(11, 1)]);
    let from = "select coalesce(provisional_from, '-') from ledgers";
    for (id, since, hours) in [
        (2, "1 10:00:00", 14.0),
        (3, "1 10:00:00", 14.0),
        (4, "1 08:00:00", 16.0),
    ] {
        job(&cloud, id, since, &format!("{id} 23:59:59"));
        cloud.add_usage(&[vm(11, since, "1 23:59:59", hours)]);
        let days: Vec<UsageRow> = (2..=id).map(|day| all_day(11, day)).collect();
        cloud.add_usage(&days);
        cloud.run(&["import"]).exits(0);
        assert_eq!(cloud.ledger(from), ["2013-06-01"], "after job {id}");
    }
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    let refused = cloud.run(&["seal", "2013-06-02"]).exits(1);
    assert!(refused.stderr.contains("provisional"), "{refused}");
    daily_job(&cloud, 5);
    cloud.add_usage(&[all_day(11, 5)]);
    imports(
        &cloud,
        &["01 | 24", "02 | 24", "03 | 24", "04 | 24", "05 | 24"],
    );
    assert_eq!(cloud.ledger(from), ["-"]);
    cloud.run(&["verify", "2013-06-01..2013-06-05"]).exits(0);
    cloud.run(&["seal", "2013-06-01..2013-06-05"]).exits(0);
}
