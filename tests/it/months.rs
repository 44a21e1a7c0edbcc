//! The sums of whole months that an import keeps: when they are made, that whatever changes a day changes them, that
//! questions are answered from them, and that they never say anything but what the days say.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cloudstack::{Cloud, NEWEST, UsageRow};

const SUMMED: &str = "select month from summed_months";

/// Where the ledger's sums and days do not agree.
const DIFFERING: &str = "
    select s.month, s.account_id, s.quantity, d.quantity
    from month_sums s
    full join (select account_id, substr(day, 1, 7) as month, metric_id, resource_id, sum(quantity) as quantity
               from stored_records group by 1, 2, 3, 4) d
      using (account_id, month, metric_id, resource_id)
    where month in (select month from summed_months) and s.quantity is not d.quantity
    union all
    select s.month, s.account_id, s.quantity, d.quantity
    from month_sku_sums s
    full join (select account_id, month, sku_id, sum(quantity) as quantity
               from (select day, account_id, substr(day, 1, 7) as month, sku_id, sum(quantity) as quantity
                     from account_days join stored_lines l on l.id between first_line and first_line + line_count - 1
                     group by 1, 2, 3, 4)
               group by 1, 2, 3) d
      using (account_id, month, sku_id)
    where month in (select month from summed_months) and s.quantity is not d.quantity";

/// What SQLite finds there: nothing, if they agree.
fn differing(cloud: &Cloud) -> Vec<String> {
    let tables = [
        "summed_months",
        "month_sums",
        "month_sku_sums",
        "stored_records",
        "account_days",
        "stored_lines",
    ];
    cloud.ledger_by_sqlite(&tables, DIFFERING)
}

/// Hours of a security group, the only metric here. Row ids go on by one for each account and day.
fn hours(day: &str, account_id: u64, hours: f64) -> UsageRow {
    UsageRow {
        raw_usage: hours,
        ..UsageRow::of_day(day, 10, account_id, 1)
    }
}

/// June of 2013 and two days of July: alice has 24 hours of each day, bob 0.1. Row ids: those of day n of June are
/// 2n - 1, alice's, and 2n.
fn june() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    let june = (1..=30).map(|day| format!("2013-06-{day:02}"));
    let july = (1..=2).map(|day| format!("2013-07-{day:02}"));
    for day in june.chain(july) {
        cloud.add_usage(&[hours(&day, 2, 24.0), hours(&day, 3, 0.1)]);
    }
    cloud.finished_until("2013-07-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud
}

fn imported() -> Cloud {
    let cloud = june();
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(SUMMED), ["2013-06"]);
    cloud
}

/// The hours of a period, alice's and bob's.
fn totals(cloud: &Cloud, period: &[&str]) -> Vec<String> {
    let words = [&["report"], period, &["--by", "account", "--format", "csv"]].concat();
    let run = cloud.run(&words);
    assert_ne!(run.code, Some(2), "{run}");
    let csv = run.stdout;
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at = head.iter().position(|name| *name == "quantity").unwrap();
    lines.map(|line| line[at].to_owned()).collect()
}

/// What `check` says of the ledger.
fn verdict(cloud: &Cloud) -> String {
    let run = cloud.run(&["check"]);
    let lines = run.stdout.lines().filter(|line| line.contains(" ledger "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_month_is_added_up_once_all_its_days_are_closed() {
    let cloud = june();
    let none = [""; 0];
    cloud
        .run(&["import", "-s", "2013-06-02", "-e", "2013-07-02"])
        .exits(0);
    assert_eq!(cloud.ledger(SUMMED), none);
    // 29 days of 24 hours, and of what a computer has for 0.1: 0.1000000000000000055.
    assert_eq!(
        totals(&cloud, &["--month", "2013-06"]),
        ["696.0", "2.9000000000000004"]
    );
    cloud
        .run(&["import", "-s", "2013-06-01", "--dry-run"])
        .exits(0);
    assert_eq!(cloud.ledger(SUMMED), none);
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(SUMMED), ["2013-06"]);
    assert_eq!(
        cloud.ledger(
            "select name, month, quantity from month_sums join stored_accounts on id = account_id order by 1"
        ),
        ["alice | 2013-06 | 720", "bob | 2013-06 | 3"]
    );
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    assert!(verdict(&cloud).contains("sound"));
}

#[test]
fn what_has_the_whole_month_in_it_is_answered_from_its_sums() {
    let cloud = imported();
    cloud.edit_ledger("delete from stored_records where day < '2013-06-30'");
    let days = |first, last| totals(&cloud, &["-s", first, "-e", last]);
    assert_eq!(days("2013-06-01", "2013-06-30"), ["720.0", "3.0"]);
    // 32 days, two of them from July's records.
    assert_eq!(days("2013-06-01", "2013-07-02"), ["768.0", "3.2"]);
    // One day of June is left.
    assert_eq!(days("2013-06-02", "2013-06-30"), ["24.0", "0.1"]);
    assert_eq!(days("2013-06-01", "2013-06-29"), [""; 0]);
    // Days are told apart from the days themselves.
    let words = [
        "report", "--month", "2013-06", "--by", "day", "--format", "csv",
    ];
    assert_eq!(cloud.run(&words).exits(0).stdout.lines().count(), 2);
    let said = verdict(&cloud);
    assert!(
        said.contains("the sums of 2013-06 are not those of its days, for 2 accounts: rbc-usage verify 2013-06"),
        "{said}"
    );
    assert_eq!(differing(&cloud).len(), 2);
}

#[test]
fn whatever_changes_a_day_changes_its_month() {
    let cloud = imported();
    // Alice's 10th of June, kept at first.
    cloud.usage("update cloud_usage set raw_usage = 12 where id = 19");
    cloud.run(&["import", "-s", "2013-06-10"]).exits(1);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    let rehearsal = ["import", "-s", "2013-06-10", "-f", "--dry-run"];
    cloud.run(&rehearsal).exits(0);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    cloud.run(&["import", "-s", "2013-06-10", "-f"]).exits(0);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["708.0", "3.0"]);
    // A record more, of somebody who had none in June.
    cloud.account(4, "carol-uuid", "carol");
    cloud.add_usage(&[hours("2013-06-11", 4, 5.0)]);
    cloud.run(&["import", "-s", "2013-06-11"]).exits(0);
    assert_eq!(
        totals(&cloud, &["--month", "2013-06"]),
        ["708.0", "3.0", "5.0"]
    );
    // What bob had is gone but for the first day: 29 records are taken out.
    cloud.usage("delete from cloud_usage where account_id = 3 and id between 3 and 60");
    cloud.run(&["import", "--month", "2013-06", "-f"]).exits(0);
    assert_eq!(
        totals(&cloud, &["--month", "2013-06"]),
        ["708.0", "0.1", "5.0"]
    );
    assert_eq!(cloud.ledger(SUMMED), ["2013-06"]);
    assert_eq!(differing(&cloud), [""; 0]);
    // A sealed day holds its figure, and so does its month.
    cloud.run(&["verify", "2013-06"]).exits(0);
    cloud.run(&["seal", "2013-06"]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 1 where id = 19");
    cloud.run(&["import", "-s", "2013-06-10", "-f"]).exits(1);
    assert_eq!(
        totals(&cloud, &["--month", "2013-06"]),
        ["708.0", "0.1", "5.0"]
    );
    cloud.run(&["unseal", "2013-06-10"]);
    cloud.run(&["import", "-s", "2013-06-10", "-f"]);
    assert_eq!(
        totals(&cloud, &["--month", "2013-06"]),
        ["697.0", "0.1", "5.0"]
    );
    assert_eq!(cloud.ledger(SUMMED), ["2013-06"]);
    assert_eq!(differing(&cloud), [""; 0]);
    assert!(verdict(&cloud).contains("sound"));
}

#[test]
fn a_month_that_cannot_be_added_up_is_told_and_its_days_are_imported() {
    let cloud = june();
    cloud.refuse_rows("summed_months", "no room");
    let run = cloud.run(&["import"]).exits(2);
    assert!(
        run.stderr.starts_with(&format!(
            "rbc-usage: all days are imported, but not every month is added up: {}: sums of 2013-06: no room",
            cloud.ledger_name()
        )),
        "{run}"
    );
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    assert_eq!(cloud.ledger("select count(*) from month_sums"), ["0"]);
    cloud.accept_rows();
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(SUMMED), ["2013-06"]);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
}

#[test]
fn an_import_killed_at_any_moment_leaves_sums_that_are_right_or_none() {
    let cloud = imported();
    let force = ["import", "--month", "2013-06", "-f"];
    let mut took = Duration::from_millis(500);
    let mut without = 0;
    for round in 0..8_u32 {
        cloud.usage(&format!(
            "update cloud_usage set raw_usage = {}",
            23 - round
        ));
        let mut command = cloud.sandbox.command(&force);
        let mut import = command.stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(took * (round + 1) / 9);
        import.kill().unwrap();
        import.wait().unwrap();
        cloud.release_ledger();
        assert_eq!(differing(&cloud), [""; 0], "round {round}");
        without += usize::from(cloud.ledger(SUMMED).is_empty());
        let started = Instant::now();
        cloud.run(&force).exits(0);
        took = started.elapsed();
        assert_eq!(cloud.ledger(SUMMED), ["2013-06"]);
        let month = format!("{}.0", 30 * (23 - round));
        assert_eq!(totals(&cloud, &["--month", "2013-06"]), [&*month, &*month]);
        assert_eq!(differing(&cloud), [""; 0]);
    }
    assert!(
        without > 0,
        "no kill came between the first day and the sums"
    );
}

#[test]
fn sums_that_somebody_changed_are_rebuilt_from_days_that_are_right() {
    let cloud = imported();
    cloud.run(&["verify", "2013-06"]).exits(0).complains("");
    cloud.edit_ledger(
        "update month_sums set quantity = 700 where account_id = (select id from stored_accounts where name = 'alice')",
    );
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["700.0", "3.0"]);
    let run = cloud
        .run(&["verify", "2013-06", "--format", "json"])
        .exits(1);
    assert!(
        run.stdout.contains("\"wrong_months\": [\"2013-06\"]"),
        "{run}"
    );
    run.complains(
        "rbc-usage: the sums of 2013-06 were not those of its days, for 1 account, and were rebuilt\n",
    );
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    cloud.run(&["verify", "2013-06"]).exits(0).complains("");
    // Here it is a day that is wrong, and it is not added up, also while it bears the mark of an earlier run.
    cloud.edit_ledger(
        "update stored_records set quantity = 23 where account_id = (select id from stored_accounts where name = 'alice') and day = '2013-06-10'",
    );
    let said = "rbc-usage: the sums of 2013-06 are not those of its days, for 1 account\n";
    let other = ["verify", "2013-06-11..2013-06-30"];
    cloud.run(&other).exits(1).complains(said);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    cloud.run(&["verify", "2013-06"]).exits(1).complains(said);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    assert!(verdict(&cloud).contains("the sums of 2013-06"));
    cloud.run(&["import", "-s", "2013-06-10", "-f"]).exits(0);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["720.0", "3.0"]);
    cloud.run(&["verify", "2013-06"]).exits(0).complains("");
    // A sealed day's own value is proven by nobody once the source has another one.
    cloud.run(&["seal", "2013-06"]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 19");
    cloud.run(&["import", "-s", "2013-06-10", "-f"]).exits(1);
    cloud.edit_ledger(
        "update month_sums set quantity = 700 where account_id = (select id from stored_accounts where name = 'alice')",
    );
    cloud.run(&["verify", "2013-06"]).exits(1).complains(said);
    assert_eq!(totals(&cloud, &["--month", "2013-06"]), ["700.0", "3.0"]);
}
