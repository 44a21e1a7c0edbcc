//! `rbc-usage verify` against a real server: each thing that can come between the ledger and its source is done
//! on purpose, must be named, and is undone again.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::golden::is_golden;

const HEADER: &str = "day,kind,account_uuid,account_name,metric,unit,resource_uuid,resource_name,stored,source,detail,acknowledged,lines,more_lines,stored_gib_hours,source_gib_hours";

const VERIFIED: &str = "select day, verified_at is not null from days order by day";

/// Two accounts, two days of virtual machines, a volume, and an address; imported and verified.
fn cloud() -> Cloud {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.service_offering(6, "large-uuid", "large");
    cloud.guest_os(1, "Debian 7");
    cloud.template(1, 1);
    cloud.ip_address(9, "ip-uuid", "203.0.113.7");
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[
            UsageRow::of_vm(day, 1, 2, 11, 5),
            UsageRow::of_vm(day, 2, 2, 11, 5),
            UsageRow::of_vm(day, 2, 3, 12, 6),
            UsageRow {
                size: Some(1000),
                ..UsageRow::of_day(day, 6, 3, 21)
            },
            UsageRow {
                description: "IPAddress: 203.0.113.7".to_owned(),
                ..UsageRow::of_day(day, 3, 2, 9)
            },
        ]);
    }
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    let run = cloud.run(&["verify"]).exits(0).complains("");
    assert_eq!(
        run.stdout,
        "2 days compared: 2 equal, 0 different; 10 rows, 12 records\n"
    );
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 1"]);
    cloud
}

/// The rows that `verify` prints of June, with this exit code; `,true` stands at the end of those that are acknowledged.
#[track_caller]
fn differences(cloud: &Cloud, code: i32) -> Vec<String> {
    let words = [
        "verify",
        "-s",
        "2013-06-01",
        "-e",
        "2013-06-02",
        "--format",
        "csv",
    ];
    let run = cloud.run(&words).exits(code).complains("");
    let (header, rows) = run.stdout.split_once('\n').expect("a header");
    assert_eq!(header, HEADER);
    let unmarked = |row: &str| {
        // Lines and GiB-hours are looked at elsewhere.
        let row = row.rsplitn(5, ',').nth(4).expect("lines at the end");
        row.strip_suffix(",false").unwrap_or(row).to_owned()
    };
    rows.lines().map(unmarked).collect()
}

fn edit_one_row(cloud: &Cloud, sql: &str) {
    assert_eq!(cloud.edit_ledger(sql), 1, "{sql}");
}

#[test]
fn a_digit_changed_in_one_row_is_named() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set raw_usage = 24.0001 where id = 7");
    assert_eq!(
        differences(&cloud, 1),
        [
            "2013-06-02,row_changed,alice-uuid,alice,vm_allocated,hours,small-uuid,small,24.0,24.0001,\
          \"2 rows, 2 when imported\""
        ]
    );
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 0"]);
    cloud.usage("update cloud_usage set raw_usage = 24 where id = 7");
    assert_eq!(differences(&cloud, 0), [""; 0]);
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 1"]);
    // A change that decides nothing now may decide something later.
    cloud.usage("update cloud_usage set size = 7 where id = 10");
    assert_eq!(
        differences(&cloud, 1),
        ["2013-06-02,row_changed,,,ip_address_allocated,hours,,,,,\
          \"usage type 3: 1 row, 1 when imported; no figure differs\""]
    );
    // What the quota plugin writes into a row is no change.
    cloud.usage("update cloud_usage set size = null, quota_calculated = 1 where id = 10");
    assert_eq!(differences(&cloud, 0), [""; 0]);
}

#[test]
fn a_row_deleted_and_a_row_added_are_named() {
    let cloud = cloud();
    cloud.usage("delete from cloud_usage where id = 8");
    assert_eq!(
        differences(&cloud, 1),
        [
            "2013-06-02,row_removed,bob-uuid,bob,vm_allocated,hours,large-uuid,large,24.0,,\
          \"1 row, 2 when imported\""
        ]
    );
    let bobs_again = UsageRow::of_vm("2013-06-02", 2, 3, 12, 6);
    cloud.add_usage(&[bobs_again]);
    assert_eq!(differences(&cloud, 0), [""; 0]);
    cloud.add_usage(&[UsageRow {
        raw_usage: 3.0,
        ..UsageRow::of_vm("2013-06-02", 2, 3, 13, 5)
    }]);
    assert_eq!(
        differences(&cloud, 1),
        [
            "2013-06-02,row_added,bob-uuid,bob,vm_allocated,hours,small-uuid,small,,3.0,\
          \"3 rows, 2 when imported: row 12 was added\""
        ]
    );
}

#[test]
fn rows_written_twice_differ_from_nothing() {
    let cloud = cloud();
    cloud.add_usage(&[UsageRow::of_vm("2013-06-02", 2, 3, 12, 6)]);
    assert_eq!(
        differences(&cloud, 0),
        ["2013-06-02,replayed,,,vm_allocated,hours,,,,,\
          \"usage type 2: 3 rows, 2 when imported: row 11 was added; no figure differs\""]
    );
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 1"]);
}

#[test]
fn an_offering_remapped_is_named_in_the_row_and_in_the_cloud() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set offering_id = 6 where id = 7");
    assert_eq!(
        differences(&cloud, 1),
        [
            "2013-06-02,row_changed,alice-uuid,alice,vm_allocated,hours,small-uuid,small,24.0,,\
             \"2 rows, 2 when imported\"",
            "2013-06-02,row_changed,alice-uuid,alice,vm_allocated,hours,large-uuid,large,,24.0,\
             \"2 rows, 2 when imported\""
        ]
    );
    cloud.usage("update cloud_usage set offering_id = 5 where id = 7");
    cloud.main("update service_offering set uuid = 'other-uuid' where id = 5");
    let remapped = |day: &str| {
        format!(
            "{day},remapped,,,vm_running,hours,small-uuid,small,,,\
             \"stored as small-uuid, cloud now says other-uuid\""
        )
    };
    assert_eq!(
        differences(&cloud, 1),
        [remapped("2013-06-01"), remapped("2013-06-02")]
    );
    cloud.main("update service_offering set uuid = 'small-uuid', name = 'tiny' where id = 5");
    cloud.main("update account set account_name = 'alicia' where id = 2");
    assert_eq!(
        differences(&cloud, 0),
        [
            "2013-06-01,renamed,alice-uuid,alice,,,,,,,\
             \"stored as \"\"alice\"\", cloud now says \"\"alicia\"\"\"",
            "2013-06-01,renamed,,,vm_running,hours,small-uuid,small,,,\
             \"stored as \"\"small\"\", cloud now says \"\"tiny\"\"\""
        ]
    );
    // Gone from the cloud, the ledger's names are all there are.
    cloud.main("delete from service_offering where id = 5");
    cloud.main("update account set account_name = 'alice' where id = 2");
    assert_eq!(differences(&cloud, 0), [""; 0]);
}

#[test]
fn a_ledger_edited_by_hand_is_named() {
    let cloud = cloud();
    let alices_address = "day = '2013-06-01'
        and account_id = (select id from stored_accounts where uuid = 'alice-uuid') and metric_id =
        (select id from metrics where name = 'ip_address_allocated')";
    let edited = |stored: &str, source: &str| {
        format!(
            "2013-06-01,edited,alice-uuid,alice,ip_address_allocated,hours,ip-uuid,203.0.113.7,{stored},{source},\
             the rows are those of the import: the ledger was changed"
        )
    };
    edit_one_row(
        &cloud,
        &format!("update stored_records set quantity = 23 where {alices_address}"),
    );
    assert_eq!(differences(&cloud, 1), [edited("23.0", "24.0")]);
    edit_one_row(
        &cloud,
        &format!("delete from stored_records where {alices_address}"),
    );
    assert_eq!(differences(&cloud, 1), [edited("", "24.0")]);
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(differences(&cloud, 0), [""; 0]);
    edit_one_row(
        &cloud,
        "insert into stored_records select (select id from stored_accounts where uuid = 'bob-uuid'), day, metric_id, resource_id, quantity from stored_records
         where day = '2013-06-01' and resource_id = (select id from stored_resources where kind = 'ip_address')",
    );
    assert_eq!(
        differences(&cloud, 1),
        [edited("24.0", "").replace("alice-uuid,alice", "bob-uuid,bob")]
    );
}

#[test]
fn a_figure_within_the_tolerance_is_equal() {
    let cloud = cloud();
    // A part of 1e-10, then of 1e-8.
    edit_one_row(
        &cloud,
        "update stored_records set quantity = 24000 * (1 + 1e-10) where day = '2013-06-01' and quantity = 24000",
    );
    assert_eq!(differences(&cloud, 0), [""; 0]);
    edit_one_row(
        &cloud,
        "update stored_records set quantity = 24000 * (1 + 1e-8) where day = '2013-06-01' and quantity > 23999",
    );
    assert_eq!(differences(&cloud, 1).len(), 1);
    cloud
        .run(&["verify", "2013-06-01", "--tolerance", "1e-7"])
        .exits(0);
    let run = cloud.run(&["verify", "--tolerance", "1"]).exits(2);
    assert!(
        run.stderr.contains("not a number from 0 to below 1"),
        "{run}"
    );
}

#[test]
fn a_purged_day_and_days_that_are_not_there_are_named() {
    let cloud = cloud();
    // Written again, the 1st is not verified any more.
    edit_one_row(
        &cloud,
        "update stored_days set verified_at = null where day = '2013-06-01'",
    );
    cloud.usage("delete from cloud_usage where end_date < '2013-06-02'");
    assert_eq!(
        differences(&cloud, 1),
        [
            "2013-06-01,purged,,,,,,,,,the source has no rows of it any more; what 5 rows gave is kept"
        ]
    );
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.add_usage(&[UsageRow::of_day("2013-06-04", 10, 2, 1)]);
    let run = cloud
        .run(&["verify", "-s", "2013-06-02", "-e", "2013-06-04"])
        .exits(1);
    assert_eq!(
        run.stdout,
        "1 day compared: 1 equal, 0 different; 5 rows, 6 records\n\
         missing in the ledger: 2013-06-03..2013-06-04\n"
    );
    cloud
        .run(&["import", "-s", "2013-06-03", "-e", "2013-06-04"])
        .exits(1);
    // A day that is not final proves nothing, and is no proof of anything.
    let run = cloud.run(&["verify", "2013-06-04"]).exits(1);
    assert_eq!(
        run.stdout,
        "0 days compared: 0 equal, 0 different; 0 rows, 0 records\nnot finished: 2013-06-04\n"
    );
}

#[test]
fn a_ledger_from_before_digests_is_compared_by_its_figures_and_gets_them() {
    let cloud = cloud();
    let forget = || {
        let sql = "delete from stored_digests; update stored_days set fingerprint = null";
        cloud.edit_ledger(sql);
    };
    forget();
    cloud.usage("update cloud_usage set raw_usage = 23 where id = 7");
    assert_eq!(
        differences(&cloud, 1),
        [
            "2013-06-02,differs,alice-uuid,alice,vm_allocated,hours,small-uuid,small,24.0,23.0,\
          how the source looked before is not known"
        ]
    );
    cloud.usage("update cloud_usage set raw_usage = 24 where id = 7");
    assert_eq!(differences(&cloud, 0), [""; 0]);
    let kept = "select count(distinct d.day), count(fingerprint) from stored_days d join stored_digests g on g.day = d.day";
    assert_eq!(cloud.ledger(kept), ["2 | 8"]);
}

#[test]
fn an_import_forgets_what_was_verified_of_a_day_it_writes() {
    let cloud = cloud();
    let run = cloud.run(&["verify"]).exits(0);
    assert!(run.stdout.contains("0 days compared"), "{run}");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 1"]);
    cloud.usage("update cloud_usage set raw_usage = 23 where id = 7");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 0"]);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 0"]);
    let run = cloud.run(&["verify"]).exits(0);
    assert!(run.stdout.contains("1 day compared: 1 equal"), "{run}");
}

#[test]
fn what_is_printed_is_as_documented() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set raw_usage = 23 where id = 7");
    let run = cloud
        .run(&["verify", "2013-06-01..2013-06-03", "--format", "json"])
        .exits(1);
    let text = include_str!("golden/verify.json");
    assert_eq!(run.stdout, text, "{run}");
    let table = cloud.run(&["verify", "2013-06-02"]).exits(1);
    assert_eq!(table.stdout, include_str!("golden/verify.txt"), "{table}");
    let narrow = cloud.run_at(80, &["verify", "2013-06-02"]).exits(1);
    is_golden("narrow/verify.txt", &narrow.stdout);
    let csv = cloud
        .run(&["verify", "2013-06-02", "--format", "csv"])
        .exits(1);
    assert_eq!(csv.stdout, include_str!("golden/verify.csv"), "{csv}");
}

#[test]
fn a_row_that_cannot_be_read_spoils_its_day_and_no_other() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set start_date = '2013-06-03' where id = 7");
    let bad = differences(&cloud, 1);
    assert_eq!(bad.len(), 1);
    assert!(
        bad[0].starts_with("2013-06-02,bad_row,,,,,,,,,")
            && bad[0].contains("row 7")
            && bad[0].contains("the window ends before it starts"),
        "{bad:?}"
    );
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 0"]);
}

/// An offering was made again under its old id: no import settles that, and somebody may say that it is well.
#[test]
fn what_nobody_can_settle_can_be_acknowledged_and_sealed() {
    let cloud = cloud();
    cloud.main("update service_offering set uuid = 'other-uuid' where id = 5");
    let remapped = |day: &str, end: &str| {
        format!(
            "{day},remapped,,,vm_running,hours,small-uuid,small,,,\
             \"stored as small-uuid, cloud now says other-uuid\"{end}"
        )
    };
    let both = |end: &str| ["2013-06-01", "2013-06-02"].map(|day| remapped(day, end));
    for _ in 0..2 {
        assert_eq!(differences(&cloud, 1), both(""));
        assert_eq!(
            cloud.ledger("select id, day, kind, metric, resource, detail from findings"),
            ["1 | 2013-06-01", "2 | 2013-06-02"].map(|day| format!(
                "{day} | remapped | vm_running | small-uuid | stored as small-uuid, cloud now says other-uuid"
            ))
        );
    }
    cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(1);
    let ack = [
        "findings", "ack", "--kind", "remapped", "--month", "2013-06",
    ];
    let run = cloud
        .run(&[&ack[..], &["--reason", "made again"]].concat())
        .exits(0);
    assert_eq!(run.stdout, "2 findings acknowledged\n");
    assert_eq!(differences(&cloud, 0), both(",true"));
    let run = cloud.run(&["verify", "2013-06-01..2013-06-02"]).exits(0);
    assert!(
        run.stdout.contains(
            "\n2 days compared: 2 equal, 0 different; 10 rows, 12 records\n\
             2 differences acknowledged: no look is needed\n"
        ),
        "{run}"
    );
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 1"]);
    // Taken back, it is a difference again.
    cloud.run(&["findings", "unack", "2"]).exits(0);
    assert_eq!(cloud.ledger(VERIFIED), ["2013-06-01 | 1", "2013-06-02 | 0"]);
    assert_eq!(
        differences(&cloud, 1),
        [remapped("2013-06-01", ",true"), remapped("2013-06-02", "")]
    );
    cloud
        .run(&["findings", "ack", "2", "--reason", "made again"])
        .exits(0);
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(0);
    // With the old uuid there is nothing to acknowledge any more.
    cloud.main("update service_offering set uuid = 'small-uuid' where id = 5");
    assert_eq!(differences(&cloud, 0), [""; 0]);
    assert_eq!(cloud.ledger("select * from findings"), [""; 0]);
}

/// What somebody has said of an import's findings holds for what verify finds, and for nothing else.
#[test]
fn an_acknowledged_figure_and_an_acknowledged_bad_row_are_no_difference() {
    let cloud = cloud();
    cloud.usage("update cloud_usage set raw_usage = 23 where id = 7");
    assert_eq!(differences(&cloud, 1).len(), 1);
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    cloud
        .run(&["findings", "ack", "1", "--reason", "the row is wrong"])
        .exits(0);
    let told = differences(&cloud, 0);
    assert!(told[0].ends_with(",true"), "{told:?}");
    cloud.run(&["import"]).exits(0).complains("");
    cloud.usage("update cloud_usage set raw_usage = 22 where id = 7");
    assert_eq!(differences(&cloud, 1).len(), 1);
    // A row that no program can read, of a day that was imported before it was so.
    cloud.usage("update cloud_usage set raw_usage = 24 where id = 7");
    cloud.usage("update cloud_usage set start_date = '2013-06-03' where id = 2");
    assert_eq!(differences(&cloud, 1).len(), 1);
    let ids = cloud.ledger("select id from findings where kind = 'refused'");
    let ack = [
        "findings",
        "ack",
        &ids[0],
        "--reason",
        "nobody may change it",
    ];
    cloud.run(&ack).exits(0);
    let told = differences(&cloud, 0);
    assert!(
        told[0].starts_with("2013-06-01,bad_row,") && told[0].ends_with(",true"),
        "{told:?}"
    );
    cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(0);
    cloud.run(&["import"]).exits(0).complains("");
}

#[test]
fn findings_are_acknowledged_by_ids_or_by_kind() {
    let cloud = cloud();
    for (words, complaint) in [
        (&["--reason", "x"][..], "<ID>"),
        (
            &["1", "--kind", "remapped", "--reason", "x"],
            "cannot be used with",
        ),
        (
            &["1", "--month", "2013-06", "--reason", "x"],
            "days say nothing beside ids",
        ),
        (&["--kind", "odd", "--reason", "x"], "there are the kinds"),
    ] {
        let run = cloud.run(&[&["findings", "ack"], words].concat()).exits(2);
        assert!(run.stderr.contains(complaint), "{run}");
    }
    let none = ["findings", "ack", "--kind", "remapped", "--reason", "x"];
    let run = cloud.run(&none).exits(0);
    assert_eq!(run.stdout, "0 findings acknowledged\n");
}
