//! `unusual`: a day on which an account's usage is far from that of the days before. Figures are worked out by hand.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};

const UNUSUAL: &str = "select day, account_name, metric, detail from findings \
                       where kind = 'unusual' order by 1, 2, 3";

/// Accounts 2, alice, and 3, bob, and an empty ledger in a zone.
fn cloud(zone: &str, settings: &str) -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "Debian 12");
    cloud.template(1, 1);
    cloud.configure(zone, settings);
    cloud.run(&["initdb"]).exits(0);
    cloud
}

/// The days of June 2013 from one to another.
fn june(from: u32, to: u32) -> impl Iterator<Item = String> {
    (from..=to).map(|day| format!("2013-06-{day:02}"))
}

/// An account's VMs, each of which ran all day.
fn vms(cloud: &Cloud, account_id: u64, day: &str, count: u64) {
    let first = 100 * account_id;
    let rows = (first..first + count).map(|vm| UsageRow::of_vm(day, 1, account_id, vm, 5));
    cloud.add_usage(&rows.collect::<Vec<_>>());
}

fn finished(cloud: &Cloud, day: &str) {
    cloud.finished_until(&format!("{day} 23:59:59"));
}

/// Bob runs one VM each day, alice so many.
fn days(cloud: &Cloud, from: u32, to: u32, of_alice: u64) {
    for day in june(from, to) {
        vms(cloud, 2, &day, of_alice);
        vms(cloud, 3, &day, 1);
        finished(cloud, &day);
    }
}

const MORE: &str = "2013-06-29 | alice | vm_running | 720 hours, usually 240: 240 to 240 on the 28 closed days before";

#[test]
fn a_day_far_from_those_before_it_is_unusual_once() {
    let cloud = cloud("GMT", "");
    days(&cloud, 1, 28, 10);
    // Thrice as much for two days: 480 hours away, where 0.05 * 240 * 8 = 96 and the floor of 100 are not far.
    days(&cloud, 29, 30, 30);
    // Nobody is bothered by it.
    let run = cloud.run(&["import", "--quiet"]).exits(0).complains("");
    assert_eq!(run.stdout, "");
    assert_eq!(cloud.ledger(UNUSUAL), [MORE]);
    cloud.run(&["status", "--check", "2013-06-01..2013-06-30"]);
    let check = cloud.run(&[
        "status",
        "--check",
        "2013-06-01..2013-06-30",
        "--format",
        "csv",
    ]);
    assert!(!check.stdout.contains("2013-06-29"), "{check}");

    // Written again it has the same finding, which stays acknowledged.
    let ack = ["findings", "ack", "--kind", "unusual", "--reason", "a fair"];
    cloud.run(&ack).exits(0);
    cloud
        .run(&["import", "-s", "2013-06-25", "-e", "2013-06-30", "-f"])
        .exits(0);
    assert_eq!(cloud.ledger(UNUSUAL), [MORE]);
    let acknowledged = "select reason from findings where kind = 'unusual'";
    assert_eq!(cloud.ledger(acknowledged), ["a fair"]);
    // No figure has to do with it.
    cloud.run(&["verify", "2013-06-01..2013-06-30"]).exits(0);
}

#[test]
fn day_by_day_the_same_is_found_as_in_one_run() {
    let cloud = cloud("GMT", "");
    for (from, to, count) in [(1, 14, 10), (15, 15, 20), (16, 27, 10), (28, 28, 40)] {
        for day in from..=to {
            days(&cloud, day, day, count);
            cloud.run(&["import"]).exits(0);
        }
    }
    let found = [
        "2013-06-15 | alice | vm_running | 480 hours, usually 240: 240 to 240 on the 14 closed days before",
        "2013-06-28 | alice | vm_running | 960 hours, usually 240: 240 to 480 on the 27 closed days before",
    ];
    assert_eq!(cloud.ledger(UNUSUAL), found);
    cloud.remove_ledger();
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(UNUSUAL), found);
}

#[test]
fn thirteen_days_are_too_few() {
    let cloud = cloud("GMT", "");
    days(&cloud, 1, 13, 10);
    days(&cloud, 14, 14, 50);
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(UNUSUAL), [""; 0]);
}

#[test]
fn a_new_account_is_compared_with_its_own_days() {
    let cloud = cloud("GMT", "");
    // Bob alone, then alice for thirteen days.
    days(&cloud, 1, 9, 0);
    days(&cloud, 10, 22, 10);
    days(&cloud, 23, 23, 50);
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(UNUSUAL), [""; 0]);
    days(&cloud, 24, 24, 10);
    days(&cloud, 25, 25, 90);
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(UNUSUAL),
        [
            "2013-06-25 | alice | vm_running | 2160 hours, usually 240: 240 to 1200 on the 15 closed days before"
        ]
    );
}

#[test]
fn an_account_that_falls_silent_is_unusual_and_one_that_was_removed_is_not() {
    let cloud = cloud("GMT", "");
    cloud.account(4, "carol-uuid", "carol");
    for day in june(1, 28) {
        (2..=4).for_each(|account_id| vms(&cloud, account_id, &day, 1));
        finished(&cloud, &day);
    }
    cloud.main("update account set removed = '2013-06-29 10:00:00' where id = 4");
    days(&cloud, 29, 30, 0);
    cloud.run(&["import"]).exits(0);
    // One VM is below the floor, and yet.
    let silent =
        "2013-06-29 | alice | null | nothing, after usage on 28 of the 28 closed days before";
    assert_eq!(cloud.ledger(UNUSUAL), [silent]);
}

#[test]
fn a_metric_that_stops_is_unusual() {
    let cloud = cloud("GMT", "");
    for day in june(1, 29) {
        vms(&cloud, 2, &day, 1);
        let sent = |gib: f64| UsageRow {
            raw_usage: gib * 1_073_741_824.0,
            ..UsageRow::of_day(&day, 4, 2, 31)
        };
        // 100, 300 and 500 GiB again and again: the spread is 1.4826 * 200, so that nothing is far below.
        let number: u32 = day[8..].parse().unwrap();
        let sent = match number {
            28 | 29 => sent(0.0),
            _ => sent(100.0 + 200.0 * f64::from(number % 3)),
        };
        cloud.add_usage(&[sent]);
        finished(&cloud, &day);
    }
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(UNUSUAL),
        [
            "2013-06-28 | alice | network_bytes_sent | 0 GiB, usually 300: 100 to 500 on the 27 closed days before"
        ]
    );
}

#[test]
fn a_day_of_25_hours_is_compared_as_one_of_24() {
    let cloud = cloud("Europe/Stockholm", "");
    let hours = |day: &str, start: &str, end: &str, hours: f64, count: u64| {
        let rows = (0..count).map(|vm| UsageRow {
            raw_usage: hours,
            start: start.to_owned(),
            end: end.to_owned(),
            ..UsageRow::of_vm(day, 1, 2, 100 + vm, 5)
        });
        cloud.add_usage(&rows.collect::<Vec<_>>());
        cloud.finished_until(end);
    };
    for day in 1..=26 {
        let (start, end) = (
            format!(
                "2013-{:02}-{:02} 22:00:00",
                if day == 1 { 9 } else { 10 },
                if day == 1 { 30 } else { day - 1 }
            ),
            format!("2013-10-{day:02} 21:59:59"),
        );
        hours(&format!("2013-10-{day:02}"), &start, &end, 24.0, 10);
    }
    // 14 VMs are two fifths more, and no more than that on a day of 25 hours; 15 are.
    let autumn = ("2013-10-26 22:00:00", "2013-10-27 22:59:59");
    hours("2013-10-27", autumn.0, autumn.1, 25.0, 14);
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(
            "select quantity from daily_usage where day = '2013-10-27' and metric = 'vm_running'"
        ),
        ["350"]
    );
    assert_eq!(cloud.ledger(UNUSUAL), [""; 0]);
    hours("2013-10-27", autumn.0, autumn.1, 25.0, 0);
    let one_more = UsageRow {
        raw_usage: 25.0,
        start: autumn.0.to_owned(),
        end: autumn.1.to_owned(),
        ..UsageRow::of_vm("2013-10-27", 1, 2, 999, 5)
    };
    cloud.add_usage(&[one_more]);
    cloud.run(&["import", "-s", "2013-10-27", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger(UNUSUAL),
        [
            "2013-10-27 | alice | vm_running | 360 hours, usually 240: 240 to 240 on the 26 closed days before; \
          as if the day, which had 25 hours, had had 24"
        ]
    );
}

#[test]
fn an_open_day_is_not_compared_and_a_sealed_one_keeps_its_findings() {
    let cloud = cloud("GMT", "");
    days(&cloud, 1, 28, 10);
    let day = "2013-06-29";
    vms(&cloud, 2, day, 30);
    vms(&cloud, 3, day, 1);
    cloud.run(&["import"]).exits(0);
    cloud.run(&["import", "-s", day]);
    assert_eq!(
        cloud.ledger("select state from days where day = '2013-06-29'"),
        ["open"]
    );
    assert_eq!(cloud.ledger(UNUSUAL), [""; 0]);
    finished(&cloud, day);
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(UNUSUAL), [MORE]);
    cloud.run(&["verify", "2013-06-01..2013-06-29"]).exits(0);
    cloud.run(&["seal", "2013-06-01..2013-06-29"]).exits(0);
    // A repeated row changes no figure, but the findings.
    cloud.add_usage(&[UsageRow::of_vm(day, 1, 3, 300, 5)]);
    cloud.run(&["import", "-s", day]).exits(0);
    let kinds = "select kind from findings where day = '2013-06-29' order by 1";
    assert_eq!(cloud.ledger(kinds), ["replayed_rows", "unusual"]);
    // Nor does a correction that is pending.
    vms(&cloud, 2, "2013-06-20", 90);
    cloud.run(&["import", "-s", "2013-06-20"]);
    assert_eq!(cloud.ledger(UNUSUAL), [MORE]);
}

#[test]
fn most_accounts_at_once_are_counted() {
    let cloud = cloud("GMT", "");
    (10..30).for_each(|id| cloud.account(id, &format!("uuid-{id}"), &format!("account {id}")));
    let all = |day: &str, more: std::ops::Range<u64>| {
        for id in 10..30 {
            vms(&cloud, id, day, if more.contains(&id) { 20 } else { 10 });
        }
        finished(&cloud, day);
    };
    june(1, 14).for_each(|day| all(&day, 0..0));
    // Eleven of twenty, then ten others.
    all("2013-06-15", 10..21);
    all("2013-06-16", 20..30);
    for id in 10..20 {
        vms(&cloud, id, "2013-06-17", 10);
    }
    finished(&cloud, "2013-06-17");
    cloud.run(&["import"]).exits(0);
    let found = cloud.ledger(UNUSUAL);
    assert_eq!(
        found[0],
        "2013-06-15 | null | vm_running | far more than usual, by 11 of the 20 accounts that were compared"
    );
    // Account 20 was so the day before.
    assert_eq!(
        found
            .iter()
            .filter(|line| line.starts_with("2013-06-16"))
            .count(),
        9
    );
    let silent = found.iter().filter(|line| line.starts_with("2013-06-17"));
    assert_eq!(silent.count(), 10);
}

#[test]
fn it_can_be_turned_off_and_set() {
    let settings =
        "[import]\nunusual_factor = 3\nunusual_floor = 50 hours, 1 GiB-hours, 1 GiB, 1 requests\n";
    let cloud = cloud("GMT", settings);
    days(&cloud, 1, 28, 10);
    // 3 * 0.05 * 240 = 36, and the floor is 50: two VMs are 48, three are 72.
    days(&cloud, 29, 29, 12);
    days(&cloud, 30, 30, 13);
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(UNUSUAL),
        [""; 0],
        "more than half of it was so the day before"
    );
    cloud.usage("delete from cloud_usage where start_date like '2013-06-29%' and usage_id > 209 and usage_id < 300");
    cloud
        .run(&["import", "-s", "2013-06-29", "-e", "2013-06-30", "-f"])
        .exits(0);
    let found = [
        "2013-06-30 | alice | vm_running | 312 hours, usually 240: 240 to 240 on the 28 closed days before",
    ];
    assert_eq!(cloud.ledger(UNUSUAL), found);
    cloud.configure("GMT", "[import]\nunusual = no\n");
    cloud.run(&["import", "-s", "2013-06-30", "-f"]).exits(0);
    assert_eq!(cloud.ledger(UNUSUAL), [""; 0]);
}
