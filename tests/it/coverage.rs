//! Days that were asked for and are not there: every command says the same of them, so that no answer about a part of
//! a period is taken for one about all of it.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::sandbox::Run;
use crate::server::Server;

/// Commands that say something of the days they are asked for.
const COMMANDS: [&[&str]; 7] = [
    &["report"],
    &["verify"],
    &["findings"],
    &["corrections"],
    &["explain", "alice"],
    &["seal"],
    &["unseal"],
];

/// The 1st and the 3rd of June are closed and verified, the 2nd was left out, and of the 4th there is a part.
fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    for day in ["2013-06-01", "2013-06-02", "2013-06-03", "2013-06-04"] {
        cloud.add_usage(&[UsageRow::of_day(day, 10, 2, 1)]);
    }
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    for (day, code) in [("2013-06-01", 0), ("2013-06-03", 1), ("2013-06-04", 1)] {
        cloud.run(&["import", "-s", day]).exits(code);
    }
    cloud.run(&["verify"]).exits(0).complains("");
    cloud
}

fn run(cloud: &Cloud, command: &[&str], words: &[&str]) -> Run {
    cloud.run(&[command, words].concat())
}

/// The lines of people's output that tell of days, whichever stream they are on.
fn said(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().chain(run.stderr.lines());
    let lines = lines.map(|line| line.trim_start_matches("rbc-usage: "));
    let tells = |line: &&str| {
        ["missing in the ledger: ", "not begun: ", "not finished: "]
            .iter()
            .any(|words| line.starts_with(words))
    };
    // What to do about it is the same as elsewhere, or comes behind.
    let days = |line: &str| line.split(": rbc-usage").next().unwrap().to_owned();
    lines.filter(tells).map(days).collect()
}

#[test]
fn a_day_that_is_missing_is_named_and_needs_a_look() {
    let cloud = cloud();
    for command in COMMANDS {
        let period = "2013-06-01..2013-06-03";
        let found = run(&cloud, command, &[period]).exits(1);
        assert_eq!(
            said(&found),
            ["missing in the ledger: 2013-06-02"],
            "{found}"
        );
        // A program finds it in JSON, and somebody reads it beside CSV.
        let found = run(&cloud, command, &[period, "--format", "csv"]).exits(1);
        assert!(
            found.stderr.contains("missing in the ledger: 2013-06-02"),
            "{found}"
        );
        let found = run(&cloud, command, &[period, "--format", "json"]).exits(1);
        let answer: serde_json::Value = serde_json::from_str(&found.stdout).expect("JSON");
        if command == ["seal"] || command == ["unseal"] {
            assert_eq!(answer["days"][1]["state"], "missing", "{found}");
        } else {
            assert_eq!(
                answer["missing_days"],
                serde_json::json!(["2013-06-02"]),
                "{found}"
            );
            assert_eq!(answer["future_days"], serde_json::json!([]), "{found}");
        }
        let found = run(&cloud, command, &["2013-05-31"]).exits(1);
        assert_eq!(
            said(&found),
            ["missing in the ledger: 2013-05-31"],
            "{found}"
        );
    }
    // The table of status is of nothing but days, and shows them; a check asks for those that are over.
    let found = cloud.run(&["status", "2013-06-01..2013-06-03"]).exits(0);
    assert!(found.stdout.contains("\n2013-06-02  missing"), "{found}");
    let found = cloud
        .run(&["status", "2013-06-01..2013-06-03", "--check"])
        .exits(1);
    assert!(
        found.stdout.contains("\nday_missing    2013-06-02"),
        "{found}"
    );
}

#[test]
fn a_period_that_is_all_there_is_fine() {
    let cloud = cloud();
    for command in COMMANDS {
        let found = run(&cloud, command, &["2013-06-03"]).exits(0).complains("");
        assert_eq!(said(&found), [""; 0], "{found}");
    }
}

#[test]
fn figures_that_are_not_final_need_a_look() {
    let cloud = cloud();
    for command in [&["report"][..], &["verify"], &["seal"]] {
        let found = run(&cloud, command, &["2013-06-03..2013-06-04"]).exits(1);
        assert_eq!(said(&found), ["not finished: 2013-06-04"], "{found}");
    }
    // The rest is told of what is there, as the table of status is.
    for command in [
        &["findings"][..],
        &["corrections"],
        &["explain", "alice"],
        &["unseal"],
        &["status"],
    ] {
        run(&cloud, command, &["2013-06-03..2013-06-04"]).exits(0);
    }
}

#[test]
fn what_has_not_begun_is_told_as_such() {
    let cloud = cloud();
    let today = time::UtcDateTime::now().date();
    let last = today + time::Duration::days(9);
    let period = format!("2013-06-03..{last}");
    for command in COMMANDS {
        let found = run(&cloud, command, &[&period]).exits(1);
        let lines = said(&found);
        let of = |words: &str| lines.iter().find(|line| line.starts_with(words));
        assert!(
            of("not begun: ").is_some_and(|line| line.ends_with(&last.to_string())),
            "{found}"
        );
        // Up to today they are missing. The clock may strike midnight meanwhile.
        let missing = of("missing in the ledger: 2013-06-05..").expect("missing days");
        assert!(!missing.ends_with(&last.to_string()), "{missing}");
    }
    let found = cloud.run(&["status", &period]).exits(0);
    let line = found
        .stdout
        .lines()
        .find(|line| line.starts_with("not begun: "));
    assert!(
        line.is_some_and(|line| line.ends_with(&last.to_string())),
        "{found}"
    );
}

#[test]
fn a_period_that_lies_in_the_future_altogether_is_an_error() {
    let cloud = cloud();
    for command in COMMANDS.into_iter().chain([&["status"][..], &["import"]]) {
        let found = run(&cloud, command, &["2999-01-01"]).exits(2);
        let says = "rbc-usage: 2999-01-01 has not begun: today is 20";
        assert!(found.stderr.starts_with(says), "{found}");
        assert_eq!(found.stdout, "", "{found}");
    }
}

#[test]
fn an_empty_ledger_says_so() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.run(&["initdb"]).exits(0);
    let says = "the ledger is empty: rbc-usage import";
    for command in ["report", "verify", "findings", "corrections"] {
        for format in ["table", "csv", "json"] {
            let found = cloud.run(&[command, "--format", format]).exits(1);
            let both = format!("{}{}", found.stdout, found.stderr);
            assert_eq!(both.matches(says).count(), 1, "{found}");
        }
    }
    assert!(cloud.run(&["status"]).exits(0).stdout.starts_with(says));
}

#[test]
fn the_server_says_the_same_of_missing_days() {
    let cloud = cloud();
    cloud.configure("GMT", "[server]\nbind = 127.0.0.1:0\n");
    let server = Server::start(&cloud.sandbox);
    for target in [
        "/usage/alice-uuid?start=2013-06-01&end=2013-06-03",
        "/v1/usage?start=2013-06-01&end=2013-06-03",
        "/v1/days?start=2013-06-01&end=2013-06-03",
    ] {
        let answer: serde_json::Value =
            serde_json::from_str(&server.get(target).body).expect("JSON");
        assert_eq!(answer["complete"], false, "{target}");
        assert_eq!(
            answer["missing_days"],
            serde_json::json!(["2013-06-02"]),
            "{target}"
        );
    }
}
