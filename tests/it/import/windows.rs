//! Which local day a source row is booked on.

use super::{UsageRow, cloud, cloud_in, refuses, vm};

/// The hours of virtual machines by day.
const HOURS: &str = "select day, sum(quantity) from daily_usage where metric = 'vm_running'
                     group by day order by day";

/// A VM of alice's over any window.
fn window(start: &str, end: &str, hours: f64) -> UsageRow {
    UsageRow {
        start: start.to_owned(),
        end: end.to_owned(),
        ..vm("2013-06-01", 2, 5, hours)
    }
}

#[test]
fn a_local_day_is_found_by_interval() {
    let cloud = cloud_in("Europe/Stockholm");
    // The 10th of July in Stockholm, at +2.
    cloud.add_usage(&[
        window("2013-07-08 22:00:00", "2013-07-09 21:59:59", 1.0),
        window("2013-07-09 22:00:00", "2013-07-10 21:59:59", 24.0),
        window("2013-07-10 22:00:00", "2013-07-11 21:59:59", 2.0),
    ]);
    cloud.finished_until("2013-07-11 21:59:59");
    cloud.run(&["import", "-s", "2013-07-10"]).exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-07-10 | 24"]);
    assert_eq!(
        cloud.ledger("select day, state, source_rows from days"),
        ["2013-07-10 | closed | 1"]
    );
}

#[test]
fn days_of_23_and_25_hours_are_whole_days() {
    let cloud = cloud_in("Europe/Stockholm");
    cloud.add_usage(&[
        // 31 March 2013: the clock goes from 2 to 3.
        window("2013-03-30 23:00:00", "2013-03-31 21:59:59", 23.0),
        // 27 October 2013: the clock goes from 3 to 2; the server writes its first hour apart.
        window("2013-10-26 22:00:00", "2013-10-26 22:59:59", 1.0),
        window("2013-10-26 23:00:00", "2013-10-27 22:59:59", 24.0),
    ]);
    cloud.finished_until("2013-10-27 22:59:59");
    cloud.run(&["import", "-s", "2013-03-31"]).exits(0);
    cloud
        .run(&["import", "-s", "2013-10-26", "-e", "2013-10-28"])
        .exits(1)
        .complains(
            "rbc-usage: missing between other days: 2013-04-01..2013-10-25: import with -s and -e\n",
        );
    assert_eq!(cloud.ledger(HOURS), ["2013-03-31 | 23", "2013-10-27 | 25"]);
    assert_eq!(
        cloud.ledger("select day, state from days order by day"),
        [
            "2013-03-31 | closed",
            "2013-10-26 | closed",
            "2013-10-27 | closed",
            "2013-10-28 | open"
        ]
    );
}

#[test]
fn seconds_glued_before_midnight_belong_to_the_day_after() {
    let cloud = cloud();
    // 86402 s = 24.000555… h, stored as one row by the server.
    cloud.add_usage(&[
        window("2013-06-08 00:00:00", "2013-06-08 23:59:59", 24.0),
        window("2013-06-09 23:59:58", "2013-06-10 23:59:59", 24.0005),
    ]);
    cloud.finished_until("2013-06-10 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-09", "-e", "2013-06-10"])
        .exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-06-10 | 24.0005"]);
}

#[test]
fn a_window_over_midnight_is_split_by_elapsed_time() {
    let cloud = cloud();
    // 20:00 to 06:00: 4 of 10 hours before midnight.
    cloud.add_usage(&[window("2013-06-09 20:00:00", "2013-06-10 05:59:59", 10.0)]);
    cloud.finished_until("2013-06-10 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-09", "-e", "2013-06-10"])
        .exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-06-09 | 4", "2013-06-10 | 6"]);
    // The same figures when each day is asked for by itself.
    cloud.run(&["import", "-s", "2013-06-09", "-f"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-10", "-f"]).exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-06-09 | 4", "2013-06-10 | 6"]);
}

#[test]
fn a_late_event_is_not_billed_twice() {
    let cloud = cloud();
    // The run of the 10th begins at an event 10 minutes before midnight and writes those minutes again.
    cloud.add_usage(&[
        window("2013-06-09 00:00:00", "2013-06-09 23:59:59", 24.0),
        window("2013-06-09 23:50:00", "2013-06-09 23:59:59", 0.1667),
        window("2013-06-10 00:00:00", "2013-06-10 23:59:59", 24.0),
    ]);
    cloud.finished_until("2013-06-10 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-09", "-e", "2013-06-10"])
        .exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-06-09 | 24", "2013-06-10 | 24"]);
}

#[test]
fn java_zone_names_are_understood() {
    let cloud = cloud_in("GMT+2");
    cloud.add_usage(&[window("2013-01-09 22:00:00", "2013-01-10 21:59:59", 24.0)]);
    cloud.finished_until("2013-01-10 21:59:59");
    cloud.run(&["import", "-s", "2013-01-10"]).exits(0);
    assert_eq!(cloud.ledger(HOURS), ["2013-01-10 | 24"]);
}

#[test]
fn dates_that_cannot_be_searched_are_refused() {
    let cloud = cloud_in("Europe/Stockholm");
    cloud.add_usage(&[window("2013-07-09 22:00:00", "2013-07-10 21:59:59", 24.0)]);
    cloud.finished_until("2013-07-11 21:59:59");
    cloud.usage("update cloud_usage set end_date = replace(end_date, ' ', 'T')");
    let run = cloud.run(&["import", "-s", "2013-07-10"]);
    refuses(run, &["cloud_usage", "2013-07-10T21:59:59"]);
}

#[test]
fn windows_longer_than_todays_are_found_as_well() {
    let cloud = cloud();
    // CloudStack once wrote windows of three days; now they are a day long.
    cloud.add_usage(&[
        window("2013-06-01 00:00:00", "2013-06-03 23:59:59", 72.0),
        window("2013-06-04 00:00:00", "2013-06-06 23:59:59", 72.0),
    ]);
    let daily: Vec<UsageRow> = (0..1000)
        .map(|_| window("2013-06-07 00:00:00", "2013-06-07 23:59:59", 24.0))
        .collect();
    cloud.add_usage(&daily);
    cloud.finished_until("2013-06-07 23:59:59");
    cloud.run(&["import"]).exits(0);
    let days: Vec<String> = (1..=7).map(|day| format!("2013-06-0{day} | 24")).collect();
    assert_eq!(cloud.ledger(HOURS), days);
}
