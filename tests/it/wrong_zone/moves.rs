//! `rbc-usage rezone`: what it changes, what it keeps, and that it does all or nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{HOURS, holds, in_files, run_vm, set_to_another_zone, stockholms_windows};
use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::simulator::oracle::{Usage, differences, expected};
use crate::simulator::server::Server as UsageServer;
use crate::simulator::windows::Window;
use crate::simulator::zones::{GMT, KOLKATA, LocalDay, NEW_YORK, STOCKHOLM, Zone, plus, stored};
use crate::simulator::{DAY, cloud as random, store};

const CORRECTIONS: &str = "select day, old_quantity, new_quantity, kind from corrections
                           where metric = 'vm_running' order by day, id";

/// Ten days of the wrong zone, as an earlier version stored them.
fn stored_in_gmt() -> Cloud {
    let cloud = in_files();
    stockholms_windows(&cloud);
    cloud
        .run(&["import", "-s", "2026-06-01", "-e", "2026-06-10", "-f"])
        .exits(0);
    assert_eq!(
        cloud.ledger(HOURS)[..2],
        ["2026-06-01 | 2", "2026-06-02 | 24"]
    );
    cloud
}

const TO_STOCKHOLM: [&str; 4] = ["rezone", "Europe/Stockholm", "--from", "2026-06-01"];

#[test]
fn a_wrong_zone_is_put_right_and_old_values_are_kept() {
    let cloud = stored_in_gmt();
    let run = cloud.run(&TO_STOCKHOLM).exits(0);
    holds(
        &run.stdout,
        "from 2026-06-01 on days are those of Europe/Stockholm: 2026-06-01 begins at 2026-05-31T22:00:00Z; 10 days read \
         again\nnow write main.timezone = Europe/Stockholm\n",
        &run,
    );
    let other = cloud.run(&["import"]).exits(2);
    other.complains(&format!(
        "rbc-usage: {}: its days are those of Europe/Stockholm, main.timezone says GMT: write \
         main.timezone = Europe/Stockholm, or move the ledger by rbc-usage rezone GMT --from DAY\n",
        cloud.ledger_name()
    ));
    cloud.configure("Europe/Stockholm", "");
    // The first two hours were of the 2nd.
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2026-06-01 | 2 | null | overwritten"]
    );
    cloud.run(&["import"]).exits(0);
    let whole: Vec<String> = (2..=11)
        .map(|day| format!("2026-06-{day:02} | 24"))
        .collect();
    assert_eq!(cloud.ledger(HOURS), whole);
    cloud.run(&["verify"]).exits(0);
    assert_eq!(
        cloud.ledger("select count(*) from findings where kind = 'wrong_zone'"),
        ["0"]
    );
    assert_eq!(
        cloud.ledger("select distinct timezone from days"),
        ["Europe/Stockholm"]
    );
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let cloud = stored_in_gmt();
    let before = (cloud.ledger_bytes(), cloud.ledger("select * from days"));
    let rehearsed = cloud
        .run(&[&TO_STOCKHOLM[..], &["--dry-run"]].concat())
        .exits(0);
    assert_eq!(
        (cloud.ledger_bytes(), cloud.ledger("select * from days")),
        before
    );
    let done = cloud.run(&TO_STOCKHOLM).exits(0);
    assert_eq!(
        rehearsed.stdout,
        format!("{}dry run: nothing is changed\n", done.stdout)
    );
}

#[test]
fn the_ledger_follows_a_cloudstack_that_was_set_to_another_zone() {
    let cloud = in_files();
    set_to_another_zone(&cloud);
    let run = cloud.run(&["import"]).exits(1);
    assert_eq!(run.stdout.matches(" refused: ").count(), 2, "{run}");
    run.complains(
        "rbc-usage: main.timezone = GMT is not CloudStack's zone: write main.timezone = Europe/Berlin, then \
         rbc-usage rezone Europe/Berlin --from 2026-06-12\n\
         rbc-usage: refused for the zone: 2026-06-12..2026-06-13: rbc-usage findings --kind refused\n",
    );
    let whole = |day: u32| format!("2026-06-{day:02} | 24");
    // Two hours of the next window are taken for the 11th's.
    assert_eq!(cloud.ledger(HOURS), [8, 9, 10, 11].map(whole));
    cloud
        .run(&["rezone", "Europe/Berlin", "--from", "2026-06-12"])
        .exits(0);
    cloud.configure("Europe/Berlin", "");
    cloud.run(&["import"]).exits(0);
    let mut right = [8, 9, 10, 11, 12, 13, 14].map(whole);
    right[3] = "2026-06-11 | 22".to_owned();
    assert_eq!(cloud.ledger(HOURS), right);
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2026-06-11 | 24 | 22 | overwritten"]
    );
    assert_eq!(
        cloud.ledger("select timezone, min(day), max(day), count(*) from days where state = 'closed' group by 1"),
        ["Europe/Berlin | 2026-06-12 | 2026-06-14 | 3", "GMT | 2026-06-08 | 2026-06-11 | 4"]
    );
    cloud.run(&["verify", "2026-06-08..2026-06-14"]).exits(0);
    let run = cloud.run(&["explain", "alice", "2026-06-11"]).exits(0);
    holds(&run.stdout, "22", &run);
    // The month is two hours shorter than in GMT.
    let run = cloud.run(&["report", "2026-06"]);
    holds(&run.stdout, "718 hours", &run);
    // And back, as if nothing had been.
    cloud
        .run(&["rezone", "GMT", "--from", "2026-06-12"])
        .exits(2);
}

#[test]
fn sealed_days_stay_as_invoiced_and_what_differs_is_pending() {
    let cloud = in_files();
    stockholms_windows(&cloud);
    // Twelve hours allocated within the window of the 3rd: an hour of them was taken for the 2nd's.
    cloud.add_usage(&[UsageRow {
        raw_usage: 12.0,
        start: "2026-06-02 22:00:00".to_owned(),
        end: "2026-06-03 21:59:59".to_owned(),
        ..UsageRow::of_vm("2026-06-03", 2, 2, 11, 5)
    }]);
    cloud
        .run(&["import", "-s", "2026-06-01", "-e", "2026-06-10", "-f"])
        .exits(0);
    cloud
        .run(&["seal", "2026-06-01..2026-06-10", "--anyway"])
        .exits(0);
    let sealed = cloud.ledger(HOURS);
    let run = cloud.run(&TO_STOCKHOLM).exits(1);
    holds(
        &run.stdout,
        "2026-06-02  Europe/Stockholm  24.00  sealed ",
        &run,
    );
    assert_eq!(cloud.ledger(HOURS), sealed);
    assert_eq!(
        cloud.ledger("select count(*) from days where state = 'sealed'"),
        ["10"]
    );
    // Where figures agree there is nothing to be credited.
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2026-06-01 | 2 | null | pending"]
    );
    assert_eq!(
        cloud.ledger(
            "select day, old_quantity, new_quantity, kind from corrections where metric = 'vm_allocated' order by day"
        ),
        ["2026-06-02 | 1 | null | pending", "2026-06-03 | 11 | 12 | pending"]
    );
    cloud.configure("Europe/Stockholm", "");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["verify", "2026-06-01..2026-06-10"]).exits(0);
}

/// Sealed, and folded to one line of each SKU.
fn folded() -> Cloud {
    let cloud = stored_in_gmt();
    cloud
        .run(&["seal", "2026-06-01..2026-06-10", "--anyway"])
        .exits(0);
    cloud.run(&["prune", "--before", "2026-07"]).exits(0);
    assert_eq!(cloud.ledger(PER), ["sku | 10"]);
    cloud
}

const PER: &str = "select lines_per, count(*) from stored_days group by 1";

/// As `check` adds them up.
const NOT_ITS_LINES: &str = "select * from
    (select day, sum(quantity) as s from daily_usage group by 1) r
    join (select day, sum(quantity) as s from daily_lines group by 1) l using (day) where r.s <> l.s";

#[test]
fn folded_days_that_are_sealed_stay_as_invoiced() {
    let cloud = folded();
    let sealed = cloud.ledger(HOURS);
    cloud.run(&TO_STOCKHOLM).exits(1);
    assert_eq!(cloud.ledger(HOURS), sealed);
    assert_eq!(cloud.ledger(PER), ["sku | 10"]);
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2026-06-01 | 2 | null | pending"]
    );
    assert_eq!(cloud.ledger(NOT_ITS_LINES), [""; 0]);
    cloud.configure("Europe/Stockholm", "");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["verify", "2026-06-01..2026-06-10"]).exits(0);
}

#[test]
fn folded_days_that_are_unsealed_are_cut_again_with_all_their_lines() {
    let cloud = folded();
    cloud.run(&["unseal", "2026-06-01..2026-06-10"]).exits(0);
    cloud.run(&TO_STOCKHOLM);
    cloud.configure("Europe/Stockholm", "");
    assert_eq!(cloud.ledger(HOURS)[0], "2026-06-02 | 24");
    assert_eq!(cloud.ledger(PER), ["resource | 10"]);
    assert_eq!(cloud.ledger(NOT_ITS_LINES), [""; 0]);
    cloud.run(&["verify", "2026-06-01..2026-06-10"]).exits(0);
}

#[test]
fn acknowledgements_survive_where_findings_agree() {
    let cloud = in_files();
    stockholms_windows(&cloud);
    cloud.add_usage(&[UsageRow {
        start: "2026-06-02 22:00:00".to_owned(),
        end: "2026-06-03 21:59:59".to_owned(),
        ..UsageRow::of_day("2026-06-03", 6, 2, 31)
    }]);
    cloud
        .run(&["import", "-s", "2026-06-01", "-e", "2026-06-10", "-f"])
        .exits(0);
    let findings = "select id from findings where kind = 'size_unknown' and day = '2026-06-03'";
    let id = cloud.ledger(findings).remove(0);
    cloud
        .run(&["findings", "ack", &id, "--reason", "a known defect"])
        .exits(0);
    cloud.run(&TO_STOCKHOLM).exits(0);
    assert_eq!(
        cloud.ledger("select day, reason from findings where kind = 'size_unknown'"),
        ["2026-06-03 | a known defect"]
    );
}

/// Hand-computed: the windows that ended up to 4 June, 22:00, are purged, so that the GMT days 1 to 4 cannot be read
/// again. They hold 2 + 24 + 24 + 24 hours up to 5 June, 00:00, where the 5th begins: it has 22 hours.
#[test]
fn what_was_purged_stays_as_it_was_and_no_hour_is_counted_twice() {
    let cloud = stored_in_gmt();
    cloud.usage("delete from cloud_usage where end_date < '2026-06-04 22:00:00'");
    let run = cloud.run(&TO_STOCKHOLM).exits(1);
    holds(
        &run.stdout,
        "from 2026-06-05 on days are those of Europe/Stockholm: 2026-06-05 begins at 2026-06-05T00:00:00Z; 6 days read \
         again\n2026-06-01..2026-06-04 cannot be read again, as the source rows are gone: they stay as they are, days of \
         GMT\n2026-06-04 stays as it is, so that 2026-06-05 begins where it ends\n",
        &run,
    );
    cloud.configure("Europe/Stockholm", "");
    cloud.run(&["import"]);
    let mut right: Vec<String> = (1..=11)
        .map(|day| format!("2026-06-{day:02} | 24"))
        .collect();
    right[0] = "2026-06-01 | 2".to_owned();
    right[4] = "2026-06-05 | 22".to_owned();
    assert_eq!(cloud.ledger(HOURS), right);
    assert_eq!(
        cloud.ledger("select sum(quantity) from daily_usage where metric = 'vm_running'"),
        ["240"]
    );
    assert_eq!(
        cloud.ledger("select timezone, count(*) from days group by 1"),
        ["Europe/Stockholm | 7", "GMT | 4"]
    );
}

/// In New York the newest day is not over: it ends when that zone's does.
#[test]
fn a_day_that_lasts_longer_in_the_new_zone_is_open_again() {
    let cloud = in_files();
    let windows = [
        "01 04:00 to 02 04:00",
        "02 04:00 to 03 04:00",
        "03 04:00 to 04 04:00",
    ];
    run_vm(&cloud, &windows.map(|window| (window, 24.0)));
    cloud.finished_until("2026-06-04 03:59:59");
    cloud
        .run(&["import", "-s", "2026-06-01", "-e", "2026-06-03", "-f"])
        .exits(0);
    run_vm(&cloud, &[("04 04:00 to 05 04:00", 24.0)]);
    cloud.run(&["import", "-s", "2026-06-04", "-f"]);
    cloud
        .run(&["rezone", "America/New_York", "--from", "2026-06-01"])
        .exits(0);
    let states = "select day, state from days order by day desc limit 2";
    assert_eq!(
        cloud.ledger(states),
        ["2026-06-04 | open", "2026-06-03 | closed"]
    );
    cloud.configure("America/New_York", "");
    cloud.finished_until("2026-06-05 03:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(states),
        ["2026-06-04 | closed", "2026-06-03 | closed"]
    );
    let whole: Vec<String> = (1..=4)
        .map(|day| format!("2026-06-{day:02} | 24"))
        .collect();
    assert_eq!(cloud.ledger(HOURS), whole);
}

#[test]
fn a_zone_that_does_not_fit_or_is_the_ledgers_own_changes_nothing() {
    let cloud = stored_in_gmt();
    let before = cloud.ledger_bytes();
    let run = cloud
        .run(&["rezone", "Asia/Tokyo", "--from", "2026-06-01"])
        .exits(2);
    holds(
        &run.stderr,
        "rbc-usage: 2026-06-02: CloudStack's windows begin 7 hours after midnight of Asia/Tokyo",
        &run,
    );
    let run = cloud
        .run(&["rezone", "GMT", "--from", "2026-06-01"])
        .exits(2);
    run.complains("rbc-usage: its days are those of GMT from 2026-06-01 on already\n");
    let run = cloud
        .run(&["rezone", "UTC+2", "--from", "2026-06-01"])
        .exits(2);
    holds(&run.stderr, "is not a known time zone", &run);
    assert_eq!(cloud.ledger_bytes(), before);
}

/// The whole move is one transaction: a kill at any moment leaves the ledger wholly old or wholly new.
#[test]
fn a_move_that_is_killed_changes_nothing() {
    let cloud = in_files();
    stockholms_windows(&cloud);
    let rows: Vec<UsageRow> = (0..4_000)
        .map(|number| {
            let day = 2 + number % 8;
            UsageRow {
                start: format!("2026-06-{day:02} 22:00:00"),
                end: format!("2026-06-{:02} 21:59:59", day + 1),
                ..UsageRow::of_vm("2026-06-01", 2, 2 + number, 100 + number, 5)
            }
        })
        .collect();
    cloud.add_usage(&rows);
    cloud
        .run(&["import", "-s", "2026-06-01", "-e", "2026-06-10", "-f"])
        .exits(0);
    let state = "select day, timezone, records, imported_at from days order by day";
    let (old, figures) = (cloud.ledger(state), cloud.ledger(HOURS));
    let began = Instant::now();
    cloud
        .run(&[&TO_STOCKHOLM[..], &["--dry-run"]].concat())
        .exits(0);
    let took = began.elapsed();
    let mut killed = 0;
    for tenths in [1, 3, 5, 7, 8, 9] {
        let mut command = cloud.sandbox.command(&TO_STOCKHOLM);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + took * tenths / 10;
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        if child.wait().unwrap().code().is_some() {
            break;
        }
        cloud.release_ledger();
        killed += 1;
        if cloud.ledger(state) == old {
            assert_eq!(cloud.ledger(HOURS), figures);
        } else {
            let zones = cloud.ledger("select distinct timezone from days");
            assert_eq!(zones, ["Europe/Stockholm"]);
            break;
        }
    }
    assert!(killed > 0);
}

/// A zone in which a random cloud is imported, CloudStack's own, and the first day of the cloud's in that.
type Mistake = (&'static Zone, &'static Zone, &'static str);

const MISTAKES: [Mistake; 5] = [
    (&GMT, &STOCKHOLM, "2025-10-22"),
    (&STOCKHOLM, &NEW_YORK, "2025-03-06"),
    (&NEW_YORK, &KOLKATA, "2025-06-10"),
    (&KOLKATA, &GMT, "2025-03-28"),
    (&KOLKATA, &STOCKHOLM, "2025-03-27"),
];

/// Six days of a random cloud, all of them in the ledger, in the wrong zone.
fn mistaken(seed: u64, (wrong, right, first): Mistake) -> (Cloud, Vec<LocalDay>, Usage) {
    let days = right.days(first, 6);
    let whole = Window {
        start: days[0].begins,
        end: days[5].ends - 1,
    };
    let lives = random::Cloud::random(seed, whole);
    let mut server = UsageServer::new(&lives, DAY, whole.start, false);
    days.iter().for_each(|day| server.run(day.ends - 1));
    let cloud = Cloud::in_sqlite(NEWEST);
    store::write(&cloud, &lives, &server);
    cloud.configure(wrong.name, "");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&[
        "import",
        "-s",
        &plus(first, -1),
        "-e",
        &plus(first, 6),
        "-f",
    ]);
    let right = expected(&lives, &server.runs, &days);
    (cloud, days, right)
}

/// The ledger is what the lives say by arithmetic over the days of CloudStack's zone, clock changes among them.
#[test]
fn a_moved_ledger_is_as_if_it_had_been_right_from_the_beginning() {
    for (seed, mistake) in (0..).zip(MISTAKES) {
        let (cloud, days, lived) = mistaken(seed, mistake);
        let (wrong, right, first) = (mistake.0.name, mistake.1.name, mistake.2);
        let run = cloud
            .run(&["rezone", right, "--from", &plus(first, -1)])
            .exits(0);
        let differ = differences(&lived, &store::ledger(&cloud), 0.0);
        assert!(
            differ.is_empty(),
            "{wrong} to {right}: {} figures differ\n{}\n{run}",
            differ.len(),
            differ[..differ.len().min(20)].join("\n"),
        );
        cloud.configure(right, "");
        let period = format!("{first}..{}", days[5].day);
        cloud.run(&["verify", &period]).exits(0);
    }
}

/// Days that were purged keep what they have, and those that are read again have all the rest.
#[test]
fn a_move_after_a_purge_bills_every_hour_once() {
    // Sums of other parts: their last digits may differ.
    let totals = |cloud: &Cloud| -> Vec<String> {
        let sums =
            cloud.ledger("select metric, sum(quantity) from daily_usage group by 1 order by 1");
        let rounded = |row: &String| {
            let (metric, sum) = row.split_once(" | ").unwrap();
            format!("{metric} {:.9e}", sum.parse::<f64>().unwrap())
        };
        sums.iter().map(rounded).collect()
    };
    for (seed, mistake) in (0..).zip(MISTAKES) {
        let (cloud, days, _) = mistaken(seed, mistake);
        let before = totals(&cloud);
        let purged_up_to = stored(days[1].ends);
        cloud.usage(&format!(
            "delete from cloud_usage where end_date < '{purged_up_to}'"
        ));
        let (wrong, right, first) = (mistake.0.name, mistake.1.name, mistake.2);
        let run = cloud
            .run(&["rezone", right, "--from", &plus(first, -1)])
            .exits(1);
        holds(&run.stdout, "cannot be read again", &run);
        assert_eq!(totals(&cloud), before, "{wrong} to {right}\n{run}");
    }
}
