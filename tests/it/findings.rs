//! `rbc-usage findings`: listed, acknowledged, and found again.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::golden::is_golden;

/// Two accounts and a day on which a disk has no size, a machine ran twice as long as the day, and a row is there
/// twice.
fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "CentOS 6");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    let disk = UsageRow::of_day("2013-06-01", 6, 2, 21);
    let long = UsageRow {
        raw_usage: 48.0,
        ..UsageRow::of_vm("2013-06-01", 2, 2, 11, 5)
    };
    let network = UsageRow::of_day("2013-06-02", 30, 2, 31);
    cloud.add_usage(&[disk, long, network.clone(), network]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    cloud
}

/// Ids, and acknowledgements, of what is listed.
fn ids(cloud: &Cloud, words: &[&str]) -> Vec<String> {
    let run = cloud.run(&[&["findings", "--format", "json"], words].concat());
    let answer: serde_json::Value = serde_json::from_str(&run.exits(0).stdout).unwrap();
    let findings = answer["findings"].as_array().unwrap();
    let line = |one: &serde_json::Value| {
        format!(
            "{} {} {}",
            one["id"],
            one["kind"].as_str().unwrap(),
            one["reason"].as_str().unwrap_or("-")
        )
    };
    findings.iter().map(line).collect()
}

#[test]
fn findings_name_what_they_are_about_and_what_they_look_like() {
    let cloud = cloud();
    let run = cloud.run(&["findings"]).exits(0).complains("");
    assert_eq!(run.stdout, include_str!("golden/findings.txt"));
    let narrow = cloud.run_at(80, &["findings"]).exits(0);
    is_golden("narrow/findings.txt", &narrow.stdout);
    let csv = cloud
        .run(&["findings", "2013-06-01", "--format", "csv"])
        .exits(0);
    assert_eq!(csv.stdout, include_str!("golden/findings.csv"));
    let json = cloud
        .run(&["findings", "2013-06-01", "--format", "json"])
        .exits(0);
    assert_eq!(json.stdout, include_str!("golden/findings.json"));
    assert_eq!(
        ids(&cloud, &["--kind", "replayed_rows"]),
        ["3 replayed_rows -"]
    );
    let run = cloud.run(&["findings", "2013-07-01"]).exits(1);
    assert_eq!(
        run.stdout,
        "0 findings\nmissing in the ledger: 2013-07-01\n"
    );
    let run = cloud.run(&["findings", "--kind", "odd"]).exits(2);
    assert!(
        run.stderr
            .contains("there are the kinds size_unknown, size_doubtful"),
        "{run}"
    );
    let run = cloud.run(&["findings", "--kind", "replayed_row"]).exits(2);
    assert!(
        run.stderr
            .contains("no kind is called \"replayed_row\": did you mean replayed_rows?"),
        "{run}"
    );
}

#[test]
fn an_acknowledged_finding_is_hidden_and_never_deleted() {
    let cloud = cloud();
    let run = cloud.run(&[
        "findings",
        "ack",
        "1",
        "3",
        "1",
        "--reason",
        " seen by Ann ",
    ]);
    assert_eq!(
        run.exits(0).complains("").stdout,
        "2 findings acknowledged\n"
    );
    assert_eq!(ids(&cloud, &[]), ["2 hours_exceed_day -"]);
    let all = [
        "1 size_unknown seen by Ann",
        "2 hours_exceed_day -",
        "3 replayed_rows seen by Ann",
    ];
    assert_eq!(ids(&cloud, &["--all"]), all);

    // Written again, the days have new findings of the same content.
    cloud.usage("update cloud_usage set raw_usage = 47 where usage_type = 2");
    cloud
        .run(&["import", "2013-06-01..2013-06-02", "-f"])
        .exits(0);
    assert_eq!(
        ids(&cloud, &["--all"]),
        [
            "4 size_unknown seen by Ann",
            "5 hours_exceed_day -",
            "6 replayed_rows seen by Ann"
        ]
    );

    let run = cloud.run(&["findings", "unack", "4", "4"]).exits(0);
    assert_eq!(run.stdout, "1 finding not acknowledged any more\n");
    assert_eq!(
        ids(&cloud, &[]),
        ["4 size_unknown -", "5 hours_exceed_day -"]
    );
}

#[test]
fn what_is_not_there_cannot_be_acknowledged() {
    let cloud = cloud();
    cloud
        .run(&["findings", "ack", "1", "99", "--reason", "x"])
        .exits(2)
        .complains(&format!(
            "rbc-usage: {}: there is no finding 99\n",
            cloud.ledger_name()
        ));
    assert_eq!(ids(&cloud, &[]).len(), 3);
    cloud
        .run(&["findings", "unack", "1"])
        .exits(2)
        .complains(&format!(
            "rbc-usage: {}: there is no acknowledged finding 1\n",
            cloud.ledger_name()
        ));
    cloud
        .run(&["findings", "ack", "1", "--reason", " "])
        .exits(2)
        .complains("rbc-usage: --reason is empty\n");
    let run = cloud.run(&["findings", "ack", "1"]).exits(2);
    assert!(run.stderr.contains("--reason"), "{run}");
}

#[test]
fn a_differing_day_that_is_acknowledged_needs_no_look() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set raw_usage = 40 where usage_type = 2");
    cloud.run(&["import", "2013-06-01"]).exits(1);
    let check = || {
        cloud
            .run(&[
                "status",
                "2013-06-01..2013-06-02",
                "--check",
                "--format",
                "csv",
            ])
            .stdout
    };
    let differing = "day_differing,2013-06-01,a value is not what the source says,\n";
    assert!(check().contains(differing));
    let differs = ids(&cloud, &["--kind", "differs_from_source"]);
    let id = differs[0].split(' ').next().unwrap();
    cloud
        .run(&["findings", "ack", id, "--reason", "the source is wrong"])
        .exits(0);
    assert!(!check().contains("day_differing"));
    // Another difference is another finding.
    cloud.usage("update cloud_usage set raw_usage = 41 where usage_type = 2");
    cloud.run(&["import", "2013-06-01"]).exits(1);
    assert!(check().contains(differing));
}
