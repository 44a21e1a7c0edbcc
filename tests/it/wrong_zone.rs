//! A zone that is not CloudStack's: every command sees it by the windows alone, and `rezone` is the way back.

mod moves;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::sandbox::Run;
use crate::server::Server;

/// The hours of virtual machines by day.
pub const HOURS: &str = "select day, sum(quantity) from daily_usage where metric = 'vm_running' group by day order by day";

/// Rows of one running VM of alice's, each from one time of June 2026 to another: `01 22:00 to 02 22:00`.
pub fn run_vm(cloud: &Cloud, windows: &[(&str, f64)]) {
    let rows: Vec<UsageRow> = windows
        .iter()
        .map(|(window, hours)| {
            let (start, end) = window.split_once(" to ").unwrap();
            let (day, time) = end.split_once(' ').unwrap();
            let (hour, _) = time.split_once(':').unwrap();
            let (day, hour): (u32, u32) = (day.parse().unwrap(), hour.parse().unwrap());
            // The last second.
            let (day, hour) = if hour == 0 {
                (day - 1, 23)
            } else {
                (day, hour - 1)
            };
            UsageRow {
                raw_usage: *hours,
                start: format!("2026-06-{start}:00"),
                end: format!("2026-06-{day:02} {hour:02}:59:59"),
                ..UsageRow::of_vm("2026-06-01", 1, 2, 11, 5)
            }
        })
        .collect();
    cloud.add_usage(&rows);
}

/// Ten daily windows of a CloudStack set to a zone at +2, the first from 1 June 2026, 22:00 GMT.
pub fn stockholms_windows(cloud: &Cloud) {
    let windows: Vec<String> = (1..=10)
        .map(|day| format!("{day:02} 22:00 to {:02} 22:00", day + 1))
        .collect();
    let windows: Vec<(&str, f64)> = windows.iter().map(|text| (text.as_str(), 24.0)).collect();
    run_vm(cloud, &windows);
    cloud.finished_until("2026-06-11 21:59:59");
}

/// A CloudStack in which it was set to another zone: GMT up to 11 June 2026, 22:00, then +2.
pub fn set_to_another_zone(cloud: &Cloud) {
    run_vm(
        cloud,
        &[
            ("08 00:00 to 09 00:00", 24.0),
            ("09 00:00 to 10 00:00", 24.0),
            ("10 00:00 to 11 00:00", 24.0),
            ("11 00:00 to 11 22:00", 22.0),
            ("11 22:00 to 12 22:00", 24.0),
            ("12 22:00 to 13 22:00", 24.0),
            ("13 22:00 to 14 22:00", 24.0),
        ],
    );
    cloud.finished_until("2026-06-14 21:59:59");
}

pub fn furnished(cloud: Cloud) -> Cloud {
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "CentOS 6");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    cloud.run(&["initdb"]).exits(0);
    cloud
}

pub fn in_files() -> Cloud {
    furnished(Cloud::in_sqlite(NEWEST))
}

#[track_caller]
fn holds(text: &str, part: &str, run: &Run) {
    assert!(text.contains(part), "no {part:?} in\n{run}");
}

const TOLD: &str = "CloudStack's windows begin 2 hours before midnight of GMT (2 of 2 rows), as in Europe/Berlin, \
                    Europe/Stockholm, Europe/Amsterdam, Europe/Paris, Europe/Zurich";

/// An import's line of a day.
fn refused(day: &str) -> String {
    format!(
        "{day} refused: {TOLD}; write its usage.aggregation.timezone, such as main.timezone = Europe/Berlin\n"
    )
}

/// As the documented user, who may not read `configuration`.
#[test]
fn days_of_another_zone_are_refused_and_the_offset_is_named() {
    let cloud = furnished(Cloud::in_mariadb(NEWEST));
    stockholms_windows(&cloud);
    let run = cloud.run(&["import"]).exits(1);
    holds(&run.stdout, &refused("2026-06-02"), &run);
    assert_eq!(run.stdout.matches(" refused: ").count(), 10, "{run}");
    run.complains(
        "rbc-usage: main.timezone = GMT is not CloudStack's zone: write main.timezone = Europe/Berlin\n\
         rbc-usage: refused for the zone: 2026-06-01..2026-06-10: rbc-usage findings --kind refused\n",
    );
    assert_eq!(cloud.ledger(HOURS), [""; 0]);
    // The newest day has a part of the last window.
    let newest = TOLD.replace("2 of 2 rows", "1 of 1 row");
    let run = cloud.run(&["status", "--check"]).exits(1);
    holds(&run.stdout, &newest, &run);
    holds(&run.stdout, "write main.timezone = Europe/Berlin", &run);
    let run = cloud.run(&["check"]).exits(1);
    holds(
        &run.stdout,
        "usage.aggregation.timezone cannot be read",
        &run,
    );
    holds(&run.stdout, &newest, &run);
    // A ledger without days takes the zone that is written.
    cloud.configure("Europe/Stockholm", "");
    cloud.run(&["import"]).exits(0);
    let whole: Vec<String> = (2..=11)
        .map(|day| format!("2026-06-{day:02} | 24"))
        .collect();
    assert_eq!(cloud.ledger(HOURS), whole);
    cloud.run(&["verify"]).exits(0);
    let run = cloud.run(&["check"]).exits(1);
    assert!(!run.stdout.contains("midnight"), "{run}");
    cloud.run(&["seal", "2026-06-02..2026-06-11"]).exits(0);
}

/// Such as an earlier version has stored; here by force.
#[test]
fn days_that_were_stored_in_the_wrong_zone_are_neither_verified_nor_sealed() {
    let cloud = in_files();
    stockholms_windows(&cloud);
    let run = cloud.run(&["import", "-s", "2026-06-01", "-e", "2026-06-10", "-f"]);
    let run = run.exits(0);
    holds(&run.stdout, "2026-06-10 closed accounts=1 rows=2", &run);
    assert_eq!(
        cloud
            .ledger("select day, count(*) from findings where kind = 'wrong_zone' group by day")
            .len(),
        10
    );
    let run = cloud.run(&["verify"]).exits(1);
    assert_eq!(run.stdout.matches("  wrong_zone ").count(), 10, "{run}");
    let run = cloud.run(&["seal", "2026-06-01..2026-06-10"]).exits(1);
    holds(&run.stderr, "not found equal to the source", &run);
    let run = cloud.run(&["status", "--check"]).exits(1);
    holds(
        &run.stdout,
        "write main.timezone = Europe/Berlin, then rbc-usage rezone Europe/Berlin --from 2026-06-01",
        &run,
    );
    let run = cloud.run(&["status"]).exits(0);
    holds(
        &run.stdout,
        "wrong zone since 2026-06-01: CloudStack's",
        &run,
    );
    // Every later day is refused, with the way out.
    run_vm(&cloud, &[("11 22:00 to 12 22:00", 24.0)]);
    cloud.finished_until("2026-06-12 21:59:59");
    let run = cloud.run(&["import"]).exits(1);
    holds(&run.stdout, &refused("2026-06-11"), &run);
    run.complains(
        "rbc-usage: main.timezone = GMT is not CloudStack's zone: write main.timezone = Europe/Berlin, then \
         rbc-usage rezone Europe/Berlin --from 2026-06-01\n\
         rbc-usage: refused for the zone: 2026-06-11: rbc-usage findings --kind refused\n",
    );
}

/// Somebody knows better than the windows.
#[test]
fn a_day_that_was_stored_by_force_is_sealed_once_its_zone_is_acknowledged() {
    let cloud = in_files();
    stockholms_windows(&cloud);
    cloud.run(&["import", "-s", "2026-06-02"]).exits(1);
    let refused = "select day || ' ' || wrong_zone from stored_refusals where day = '2026-06-02'";
    assert_eq!(cloud.ledger(refused), ["2026-06-02 1"]);
    cloud.run(&["import", "-s", "2026-06-02", "-f"]);
    assert_eq!(cloud.ledger(refused), [""; 0]);
    cloud.run(&["verify", "2026-06-02"]).exits(1);
    let acknowledge = [
        "findings",
        "ack",
        "--kind",
        "wrong_zone",
        "-s",
        "2026-06-02",
        "--reason",
        "known",
    ];
    cloud.run(&acknowledge).exits(0);
    cloud.run(&["verify", "2026-06-02"]).exits(0);
    cloud.run(&["seal", "2026-06-02"]).exits(0);
}

#[test]
fn hourly_windows_prove_nothing_of_whole_hours_and_check_says_look() {
    let cloud = furnished(Cloud::in_mariadb(NEWEST));
    let windows: Vec<String> = (0..24)
        .map(|hour| match hour {
            23 => "02 23:00 to 03 00:00".to_owned(),
            hour => format!("02 {hour:02}:00 to 02 {:02}:00", hour + 1),
        })
        .collect();
    let windows: Vec<(&str, f64)> = windows.iter().map(|text| (text.as_str(), 1.0)).collect();
    run_vm(&cloud, &windows);
    cloud.finished_until("2026-06-02 23:59:59");
    cloud.run(&["import"]).exits(0);
    let run = cloud.run(&["check"]).exits(1);
    holds(
        &run.stdout,
        "usage.aggregation.timezone cannot be read",
        &run,
    );
    // The view shows this and no secret.
    cloud.set_timezone("Europe/Stockholm");
    cloud.show_settings();
    let run = cloud.run(&["check"]).exits(1);
    holds(
        &run.stdout,
        "main.timezone is GMT, CloudStack's usage.aggregation.timezone is \"Europe/Stockholm\"",
        &run,
    );
    cloud.set_timezone("UTC");
    let run = cloud.run(&["check"]).exits(0);
    holds(&run.stdout, "GMT, as CloudStack's \"UTC\"", &run);
    let run = cloud.run(&["import", "-s", "2026-06-02"]).exits(0);
    run.complains("");
}

/// Neither the configuration nor anybody else has to name the zone.
#[test]
fn a_zone_that_is_not_written_is_cloudstacks_and_then_the_ledgers() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.configure("", "");
    let cloud = furnished(cloud);
    assert_eq!(cloud.ledger("select timezone from ledgers"), ["GMT"]);
    stockholms_windows(&cloud);
    // Held against the data, written or not.
    let run = cloud.run(&["import"]).exits(1);
    holds(&run.stdout, &refused("2026-06-02"), &run);
    cloud.set_timezone("Europe/Stockholm");
    cloud.show_settings();
    cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(
        cloud.ledger("select distinct timezone from days"),
        ["Europe/Stockholm"]
    );
    // The ledger does not follow a setting; it has days.
    cloud.set_timezone("Asia/Tokyo");
    let run = cloud.run(&["check"]).exits(1);
    let differ = "main.timezone is Europe/Stockholm, CloudStack's usage.aggregation.timezone is \"Asia/Tokyo\"";
    holds(&run.stdout, differ, &run);
    cloud
        .run(&["rezone", "Europe/Berlin", "--from", "2026-06-05"])
        .exits(0);
    cloud.run(&["verify"]).exits(0);
}

#[test]
fn cloudstacks_own_zone_is_named_first_where_it_can_be_read() {
    let cloud = furnished(Cloud::in_mariadb(NEWEST));
    stockholms_windows(&cloud);
    cloud.set_timezone("Europe/Oslo");
    cloud.show_settings();
    cloud.run(&["import"]).exits(1).complains(
        "rbc-usage: main.timezone is GMT, CloudStack's usage.aggregation.timezone is \"Europe/Oslo\": main.timezone has \
         to be the same\n\
         rbc-usage: main.timezone = GMT is not CloudStack's zone: write main.timezone = Europe/Oslo\n\
         rbc-usage: refused for the zone: 2026-06-01..2026-06-10: rbc-usage findings --kind refused\n",
    );
}

#[test]
fn a_server_is_not_ready_while_zones_disagree_and_answers_by_the_new_ones() {
    let cloud = in_files();
    set_to_another_zone(&cloud);
    cloud
        .run(&["import", "-s", "2026-06-08", "-e", "2026-06-11"])
        .exits(0);
    let server = "[server]\nbind = 127.0.0.1:0\nlog_format = off\n";
    cloud.configure("GMT", server);
    let serving = Server::start(&cloud.sandbox);
    let newest = "\"newest_closed_day\":\"2026-06-11\"";
    let answer = serving.get("/readyz");
    assert!(answer.body.contains(newest), "{answer:?}");
    let run = cloud
        .run(&["rezone", "Europe/Stockholm", "--from", "2026-06-12"])
        .exits(0);
    holds(
        &run.stdout,
        "now write main.timezone = Europe/Stockholm",
        &run,
    );
    let answer = serving.get("/readyz");
    assert_eq!(answer.status, 503);
    let why = "its days are those of Europe/Stockholm, main.timezone says GMT";
    assert!(answer.body.contains(why), "{answer:?}");
    let days = serving
        .get("/v1/days?start=2026-06-11&end=2026-06-11&format=csv")
        .body;
    assert!(
        days.contains("2026-06-11,closed,2026-06-11T00:00:00Z,2026-06-11T22:00:00Z,22"),
        "{days}"
    );
    cloud.configure("Europe/Stockholm", server);
    serving.signal("HUP");
    serving.says("main.timezone is Europe/Stockholm now");
    let answer = serving.get("/readyz");
    assert!(answer.body.contains(newest), "{answer:?}");
}
