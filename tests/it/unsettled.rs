//! What keeps days out of the ledger: a row that cannot be, a usage server that says nothing, or says too much. It is
//! never forgotten before somebody settles it, and every command that is asked says so.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::server::Server;

const FINDINGS: &str =
    "select id, day, kind, detail, acknowledged_at is not null from findings order by id";

const DAYS: &str = "select day, state from days order by day";

fn vm(day: &str, vm: u64) -> UsageRow {
    UsageRow::of_vm(day, 2, 2, vm, 5)
}

fn cloud() -> Cloud {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.run(&["initdb"]).exits(0);
    cloud
}

/// Two finished days; row 2, of the first, has a whole day's amount and ends before it starts.
fn first_day_refused() -> Cloud {
    let cloud = cloud();
    let bad = UsageRow {
        start: "2026-06-01 10:00:05".to_owned(),
        end: "2026-06-01 10:00:03".to_owned(),
        ..vm("2026-06-01", 12)
    };
    cloud.add_usage(&[vm("2026-06-01", 11), bad, vm("2026-06-02", 11)]);
    cloud.finished_until("2026-06-02 23:59:59");
    cloud
}

const REASON: &str = "cloud_usage row 2: the window ends before it starts";

fn said(reason: &str) -> String {
    format!(
        "rbc-usage: 2026-06-01 is refused: {reason}: repair the row and run rbc-usage import -s 2026-06-01, or \
         acknowledge it with rbc-usage findings ack 1 --reason TEXT\n"
    )
}

#[test]
fn a_first_day_that_is_refused_is_not_forgotten() {
    let cloud = first_day_refused();
    for _ in 0..2 {
        let run = cloud.run(&["import"]).exits(1).complains(&said(REASON));
        let line = format!("2026-06-01 refused: {REASON}\n");
        assert!(run.stdout.starts_with(&line), "{run}");
        assert_eq!(cloud.ledger(DAYS), ["2026-06-02 | closed"]);
        assert_eq!(
            cloud.ledger(FINDINGS),
            [format!("1 | 2026-06-01 | refused | {REASON} | 0")]
        );
    }
    let run = cloud.run(&["findings"]).exits(0).complains("");
    assert!(run.stdout.contains(REASON), "{run}");
    let run = cloud
        .run(&["status", "--check", "--format", "csv"])
        .exits(1);
    let line = format!("\nday_refused,2026-06-01,{REASON},\n");
    assert!(run.stdout.contains(&line), "{run}");
    let run = cloud.run(&["status"]).exits(0);
    let line = format!("\nrefused: 2026-06-01: {REASON}\n");
    assert!(run.stdout.contains(&line), "{run}");
    let run = cloud.run(&["status", "--format", "json"]).exits(0);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["refused_days"], serde_json::json!(["2026-06-01"]));
    let server = Server::start(&cloud.sandbox);
    let answer = server.get("/v1/findings?kind=refused");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["findings"][0]["day"], "2026-06-01");
    assert_eq!(body["findings"][0]["detail"], REASON);
}

#[test]
fn a_refusal_is_settled_by_repairing_the_row() {
    let cloud = first_day_refused();
    cloud.run(&["import"]).exits(1);
    cloud.usage("update cloud_usage set start_date = '2026-06-01 09:00:04' where id = 2");
    cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(
        cloud.ledger(DAYS),
        ["2026-06-01 | closed", "2026-06-02 | closed"]
    );
    assert_eq!(
        cloud.ledger("select quantity from daily_usage where day = '2026-06-01'"),
        ["48"]
    );
    assert_eq!(cloud.ledger(FINDINGS), [""; 0]);
}

#[test]
fn a_refusal_is_settled_by_acknowledging_it_until_it_has_another_reason() {
    let cloud = first_day_refused();
    cloud.run(&["import"]).exits(1);
    let run = cloud
        .run(&["findings", "ack", "1", "--reason", "a test machine"])
        .exits(0);
    assert_eq!(run.stdout, "1 finding acknowledged\n");
    let run = cloud.run(&["import"]).exits(0).complains("");
    assert!(run.stdout.contains("\n0 days, "), "{run}");
    cloud
        .run(&["import", "-s", "2026-06-01"])
        .exits(0)
        .complains("");
    let check = || cloud.run(&["status", "--check", "--format", "csv"]).stdout;
    assert!(!check().contains("2026-06-01"), "{}", check());
    let run = cloud.run(&["findings"]).exits(0);
    assert_eq!(run.stdout, "0 findings\n");
    assert_eq!(
        cloud.ledger(FINDINGS),
        [format!("1 | 2026-06-01 | refused | {REASON} | 1")]
    );
    cloud.run(&["findings", "unack", "1"]).exits(0);
    cloud.run(&["import"]).exits(1).complains(&said(REASON));
    cloud
        .run(&["findings", "ack", "1", "--reason", "a test machine"])
        .exits(0);
    // What is wrong now is something else, and has a number of its own.
    cloud.usage(
        "update cloud_usage set usage_id = 9223372036854775808, start_date = end_date where id = 2",
    );
    cloud.run(&["import", "-s", "2026-06-01"]).exits(1);
    assert_eq!(
        cloud.ledger(FINDINGS),
        [
            "2 | 2026-06-01 | refused | cloud_usage row 2: column usage_id: 9223372036854775808 is too large for an id | 0"
        ]
    );
    // A rehearsal refuses as well, and keeps nothing of it.
    cloud.usage("update cloud_usage set usage_id = 12, start_date = '2026-06-02' where id = 2");
    cloud.run(&["import", "--dry-run"]).exits(1);
    assert_eq!(cloud.ledger("select id from findings"), ["2"]);
}

/// Its figures are what was invoiced, and the row is a riddle all the same.
#[test]
fn a_sealed_day_with_a_bad_row_stays_sealed_and_is_named() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2026-06-01", 11), vm("2026-06-02", 11)]);
    cloud.finished_until("2026-06-02 23:59:59");
    cloud.run(&["import"]).exits(0);
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", "2026-06-01"]).exits(0);
    let late = UsageRow {
        end: "2026-06-01 10:00:03".to_owned(),
        start: "2026-06-01 10:00:05".to_owned(),
        ..vm("2026-06-01", 12)
    };
    cloud.add_usage(&[late]);
    let reason = "cloud_usage row 3: the window ends before it starts";
    for _ in 0..2 {
        cloud.run(&["import"]).exits(1).complains(&said(reason));
    }
    let run = cloud.run(&["status", "2026-06-01"]).exits(0);
    assert!(
        run.stdout
            .starts_with("2026-06-01 to 2026-06-01, GMT: 1 sealed\n"),
        "{run}"
    );
    let run = cloud
        .run(&["status", "--check", "--format", "csv"])
        .exits(1);
    let line = format!("\nday_refused,2026-06-01,{reason},\n");
    assert!(run.stdout.contains(&line), "{run}");
    // Whatever it was, it is purged with the day.
    cloud.usage("delete from cloud_usage where end_date < '2026-06-02'");
    cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(cloud.ledger(FINDINGS), [""; 0]);
}

#[test]
fn numbers_of_findings_and_refusals_are_never_given_twice() {
    let cloud = first_day_refused();
    // A row that is there twice is a finding.
    cloud.add_usage(&[vm("2026-06-02", 11)]);
    cloud.run(&["import"]).exits(1);
    cloud.run(&["import", "-s", "2026-06-02", "-f"]).exits(1);
    assert_eq!(
        cloud.ledger("select id, kind from findings order by id"),
        ["1 | refused", "3 | replayed_rows"]
    );
    let ack = ["findings", "ack", "1", "3", "2", "--reason", "x"];
    cloud.run(&ack).exits(2).complains(&format!(
        "rbc-usage: {}: there is no finding 2\n",
        cloud.ledger_name()
    ));
}

/// A server that lost its table of jobs has rows, and nothing says how far they are finished.
#[test]
fn without_a_successful_job_an_import_says_why_it_does_nothing() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2026-06-01", 11), vm("2026-06-02", 11)]);
    let why = "cloud_usage.usage_job holds no successful job, although usage rows exist up to 2026-06-02T23:59:59Z: no \
               day can be closed until CloudStack's usage server has finished a run; see that it runs";
    let run = cloud.run(&["import"]).exits(1).complains(&format!(
        "rbc-usage: {why}; until then, import -s DAY stores what there is as an open day\n"
    ));
    assert!(run.stdout.starts_with("0 days, "), "{run}");
    let run = cloud.run(&["status"]).exits(0);
    assert!(
        run.stdout
            .starts_with("the ledger is empty, and CloudStack has finished no day\n"),
        "{run}"
    );
    assert!(run.stdout.contains(&format!("\nsource: {why}\n")), "{run}");
    let run = cloud
        .run(&["status", "--check", "--format", "csv"])
        .exits(1);
    assert_eq!(
        run.stdout,
        format!(
            "kind,day,detail,last_day\n\
             source_behind,,\"{why}\",\n\
             day_missing,,\"the ledger is empty, and CloudStack has finished no day\",\n"
        )
    );
    // What it says can be done can be done, and comes true.
    cloud.run(&["import", "-s", "2026-06-01"]).exits(1);
    assert_eq!(cloud.ledger(DAYS), ["2026-06-01 | open"]);
    let run = cloud.run(&["status", "2026-06-01", "--check", "--format", "csv"]);
    let line = "\nday_open,2026-06-01,\"open, and over by the clock: an import finishes it once CloudStack says that it has\",\n";
    assert!(run.stdout.contains(line), "{run}");
    cloud.finished_until("2026-06-02 23:59:59");
    cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(
        cloud.ledger("select day, state, records from days"),
        ["2026-06-01 | closed | 1", "2026-06-02 | closed | 1"]
    );
}

#[test]
fn a_row_without_a_start_is_named_with_what_is_wrong() {
    let cloud = cloud();
    cloud.usage(
        "alter table cloud_usage modify start_date datetime null, modify end_date datetime null",
    );
    cloud.add_usage(&[
        vm("2026-06-01", 11),
        vm("2026-06-01", 12),
        vm("2026-06-01", 13),
    ]);
    cloud.usage("update cloud_usage set start_date = null where id = 2");
    cloud.usage("update cloud_usage set end_date = null where id = 3");
    cloud.finished_until("2026-06-01 23:59:59");
    let run = cloud.run(&["import"]).exits(1).complains(&format!(
        "rbc-usage: cloud_usage: 1 row on no day, for want of an end_date that can be\n{}",
        said("cloud_usage row 2: start_date is NULL")
    ));
    let line = "2026-06-01 refused: cloud_usage row 2: start_date is NULL\n";
    assert!(run.stdout.starts_with(line), "{run}");
    let run = cloud
        .run(&["status", "--check", "--format", "csv"])
        .exits(1);
    let line = "\nday_refused,2026-06-01,cloud_usage row 2: start_date is NULL,\n";
    assert!(run.stdout.contains(line), "{run}");
}

/// The import exits with 1 for it, so a check has to say it.
#[test]
fn a_usage_server_ahead_of_the_clock_needs_a_look() {
    let cloud = cloud();
    let today = time::UtcDateTime::now().date();
    let yesterday = today.previous_day().unwrap();
    cloud.add_usage(&[vm(&yesterday.to_string(), 11)]);
    cloud.finished_until(&format!("{yesterday} 23:59:59"));
    cloud.run(&["import"]).exits(0);
    let check = ["status", "--check", "--format", "csv"];
    let run = cloud.run(&check).exits(0);
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    cloud.finished_until("2999-12-31 23:59:59");
    let run = cloud.run(&["import"]).exits(1);
    assert!(run.stderr.contains("one of the clocks is wrong"), "{run}");
    let run = cloud.run(&check).exits(1);
    assert_eq!(
        run.stdout,
        "kind,day,detail,last_day\n\
         source_ahead,,\"the usage server says that usage is finished until 3000-01-01T00:00:00Z, which has not passed: \
         one of the clocks is wrong; days that have not ended are not closed\",\n"
    );
    let run = cloud.run(&["status"]).exits(0);
    assert!(
        run.stdout
            .contains("\nsource: finished 2999-12-31, it says, which is not over: one of the clocks is wrong\n"),
        "{run}"
    );
}
