//! The command line of `import` and the state of the ledger it finds.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::{Cloud, DAYS, EVERYTHING, NEWEST, cloud, refuses, two_closed_days, vm};
use crate::sandbox::{Run, program};

#[test]
fn an_impossible_range_is_refused() {
    let cloud = two_closed_days();
    let before = cloud.ledger(EVERYTHING);
    refuses(
        cloud.run(&["import", "-s", "2013-06-02", "-e", "2013-06-01"]),
        &["2013-06-02", "2013-06-01"],
    );
    refuses(cloud.run(&["import", "-s", "2999-01-01"]), &["2999-01-01"]);
    for text in ["2013-02-30", "2013-6-1", "yesterday", ""] {
        let run = cloud.run(&["import", "-s", text]).exits(2);
        assert!(run.stderr.contains(text) && run.stdout.is_empty(), "{run}");
    }
    assert_eq!(cloud.ledger(EVERYTHING), before);
}

#[test]
fn a_splay_of_more_than_a_day_is_refused() {
    for text in ["86401", "18446744073709551615"] {
        let run = cloud()
            .run(&["import", &format!("--splay={text}")])
            .exits(2);
        assert!(
            run.stderr.contains("not a whole number from 0 to 86400"),
            "{run}"
        );
    }
}

#[test]
fn without_a_start_the_import_catches_up() {
    let cloud = two_closed_days();
    for day in ["2013-06-03", "2013-06-04", "2013-06-05"] {
        cloud.add_usage(&[vm(day, 2, 5, 24.0)]);
    }
    cloud.finished_until("2013-06-04 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(DAYS),
        [
            "2013-06-01 | closed",
            "2013-06-02 | closed",
            "2013-06-03 | closed",
            "2013-06-04 | closed"
        ]
    );
    // Nothing new: nothing to do, and no error.
    cloud.run(&["import"]).exits(0);
    assert_eq!(cloud.ledger(DAYS).len(), 4);
}

#[test]
fn catching_up_begins_with_the_first_day_of_the_source() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(DAYS),
        ["2013-06-01 | closed", "2013-06-02 | closed"]
    );
}

#[test]
fn import_says_when_the_ledger_was_not_initialised() {
    let cloud = Cloud::in_sqlite(NEWEST);
    refuses(
        cloud.run(&["import", "-s", "2013-06-01"]),
        &[&cloud.ledger_name(), "rbc-usage initdb"],
    );
    assert!(!cloud.has_ledger());

    cloud.run(&["import", "-i"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), [""; 0]);
}

#[test]
fn initdb_makes_a_private_file() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud.run(&["initdb"]).exits(0);
    let file = std::fs::metadata(cloud.sandbox.path("usage.db")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn initdb_changes_nothing_the_second_time() {
    let cloud = two_closed_days();
    let before = cloud.ledger(EVERYTHING);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "--initdb"]).exits(0);
    assert_eq!(cloud.ledger(EVERYTHING), before);
}

/// Insists that nothing in the ledger's place changes, and that both commands say these words.
#[track_caller]
fn is_left_alone(cloud: &Cloud, words: &[&str]) {
    let before = cloud.ledger_bytes();
    for command in [&["initdb"][..], &["import", "-s", "2013-06-01"]] {
        refuses(
            cloud.run(command),
            &[&[&*cloud.ledger_name()], words].concat(),
        );
        assert!(before == cloud.ledger_bytes(), "{command:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud
        .sandbox
        .write("usage.db", &"precious text\n".repeat(500));
    is_left_alone(&cloud, &["not a ledger"]);
}

#[test]
fn a_database_that_is_no_ledger_is_left_alone() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud
        .edit_ledger("create table notes (text varchar(9)); insert into notes values ('precious')");
    is_left_alone(&cloud, &["not a ledger"]);

    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    cloud.edit_ledger("create table notes (text); pragma user_version = 1");
    is_left_alone(&cloud, &["not a ledger"]);
}

#[test]
fn a_ledger_of_a_newer_program_is_left_alone() {
    let cloud = two_closed_days();
    cloud.set_schema_version(9999);
    is_left_alone(&cloud, &["9999"]);
}

#[test]
fn the_zone_of_a_ledger_cannot_be_changed_under_it() {
    let cloud = two_closed_days();
    let before = cloud.ledger(EVERYTHING);
    cloud.configure("Europe/Stockholm", "");
    refuses(
        cloud.run(&["import", "-s", "2013-06-01"]),
        &["GMT", "Europe/Stockholm"],
    );
    assert_eq!(cloud.ledger(EVERYTHING), before);
}

#[test]
fn the_old_name_imports_with_the_old_flags() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-01 23:59:59");
    let link = cloud.sandbox.path("rbc-import-cloudusage");
    symlink(program(), &link).unwrap();
    let old = |words: &[&str]| {
        let mut command = Command::new(&link);
        command.args(words).current_dir(cloud.sandbox.folder());
        Run::of(command.env_clear())
    };
    // With -i it only initialised, whatever else was asked.
    old(&["-i", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), [""; 0]);
    old(&["-s", "2013-06-01", "-e", "2013-06-01", "-n"]).exits(0);
    old(&["-s", "2013-06-01", "-e", "2013-06-01", "-f", "-n"]).exits(0);
    assert_eq!(cloud.ledger(DAYS), ["2013-06-01 | closed"]);
}

#[test]
fn days_can_be_asked_for_in_words() {
    let cloud = cloud();
    for day in ["2013-06-01", "2013-06-02", "2013-06-29", "2013-06-30"] {
        cloud.add_usage(&[vm(day, 2, 5, 24.0)]);
    }
    cloud.finished_until("2013-07-01 23:59:59");
    cloud
        .run(&["import", "2013-06-01..2013-06-02", "--dry-run"])
        .exits(0);
    assert_eq!(cloud.ledger(DAYS), [""; 0]);
    cloud.run(&["import", "--month", "2013-06"]).exits(0);
    let days = cloud.ledger(DAYS);
    assert_eq!(days.len(), 30);
    assert_eq!(days[29], "2013-06-30 | closed");
    cloud.run(&["import", "2013-07-01"]).exits(0);
    assert_eq!(cloud.ledger(DAYS).len(), 31);
    // The day is never over in the clock's own zone while the test runs.
    let run = cloud.run(&["import", "today"]).exits(0).complains("");
    assert!(run.stdout.contains(" open accounts=0"), "{run}");
    for (words, complaint) in [
        (&["--month", "2013-13"][..], "\"2013-13\" is not a month"),
        (&["tomorrow"], "\"tomorrow\" is not a period"),
        (&["--last", "7"], "\"7\" is not a number of days"),
        (&["yesterday", "-s", "2013-06-01"], "cannot be used with"),
        (
            &["--month", "2013-06", "-s", "2013-06-01"],
            "cannot be used with",
        ),
        (&["2999-01"], "2999-01-01 has not begun"),
    ] {
        let run = cloud.run(&[&["import"], words].concat()).exits(2);
        assert!(run.stderr.contains(complaint), "{run}");
    }
}

#[test]
fn programs_get_the_days_as_json_and_csv() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    let csv = |words: &[&str], code: i32| {
        let run = cloud.run(&[&["import", "--format", "csv"], words].concat());
        run.exits(code).stdout
    };
    let header = "day,state,reason,accounts,source_rows,replayed_rows,records_added,records_kept,\
                  records_overwritten,differing_values,pending_corrections,findings,refused_because,\
                  source_gone\n";
    assert_eq!(
        csv(&["2013-06-01"], 0),
        format!("{header}2013-06-01,closed,asked,1,1,0,2,0,0,0,0,0,,false\n")
    );
    // A row that comes late to a day that is closed, and one day whose rows have gone.
    cloud.add_usage(&[vm("2013-06-01", 3, 5, 24.0)]);
    assert_eq!(
        csv(&[], 1),
        format!(
            "{header}2013-06-02,closed,asked,1,1,0,2,0,0,0,0,0,,false\n\
             2013-06-01,closed,changed,2,2,0,0,2,0,2,0,2,,false\n"
        )
    );
    cloud.usage("delete from cloud_usage where start_date < '2013-06-02'");
    let run = cloud.run(&["import", "2013-06-01", "--dry-run", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&run.exits(1).stdout).unwrap();
    assert_eq!(answer["dry_run"], true);
    assert_eq!(answer["needs_a_look"], true);
    assert_eq!(answer["days_imported"], 1);
    assert!(answer["seconds"].as_f64().unwrap() > 0.0);
    let day = &answer["days"][0];
    assert_eq!(day["state"], "refused");
    assert_eq!(day["records_added"], serde_json::Value::Null);
    assert_eq!(
        day["refused_because"],
        "the source has no rows of it any more; what 1 row gave is kept"
    );
}
