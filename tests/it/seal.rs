//! Sealed days: what may be sealed, that no import changes it, and that the sealed values and their corrections
//! always make what the source says.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::golden::is_golden;

const FIGURES: &str =
    "select day, account_name, metric, quantity from daily_usage order by 1, 2, 3";

const CORRECTIONS: &str =
    "select day, account_name, old_quantity, new_quantity, kind from corrections order by id";

/// Hours of a security group, the only metric here.
fn hours(day: &str, account_id: u64, hours: f64) -> UsageRow {
    UsageRow {
        raw_usage: hours,
        ..UsageRow::of_day(day, 10, account_id, 1)
    }
}

/// Row ids: 1 and 2 are of the 1st, 3 and 4 of the 2nd, alice's before bob's.
fn verified() -> Cloud {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.account(4, "carol-uuid", "carol");
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[hours(day, 2, 24.0), hours(day, 3, 12.0)]);
    }
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    cloud.run(&["verify"]).exits(0);
    cloud
}

pub fn sealed() -> Cloud {
    let cloud = verified();
    let run = cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(0);
    assert_eq!(run.stdout, "2013-06-01 to 2013-06-02: 2 of 2 days sealed\n");
    settled(&cloud);
    cloud
}

/// Whoever copies the ledger when nobody uses it has all of it.
fn settled(cloud: &Cloud) {
    let beside = std::fs::metadata(cloud.sandbox.path("usage.db-wal"));
    assert_eq!(beside.map_or(0, |file| file.len()), 0);
}

const AS_SEALED: [&str; 4] = [
    "2013-06-01 | alice | security_group | 24",
    "2013-06-01 | bob | security_group | 12",
    "2013-06-02 | alice | security_group | 24",
    "2013-06-02 | bob | security_group | 12",
];

#[test]
fn a_month_that_is_not_proven_is_not_sealed() {
    let cloud = verified();
    // What was verified may be purged; the 1st was not.
    cloud.usage("update cloud_usage set raw_usage = 23 where id = 1");
    cloud.run(&["verify", "2013-06-01"]).exits(1);
    cloud.add_usage(&[
        hours("2013-06-04", 2, 24.0),
        hours("2013-06-05", 2, 24.0),
        hours("2013-06-06", 2, 3.0),
    ]);
    cloud.finished_until("2013-06-05 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-04", "-e", "2013-06-06"])
        .exits(1)
        .complains("rbc-usage: missing between other days: 2013-06-03: import with -s and -e\n");
    cloud.run(&["verify", "2013-06-05"]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 23 where id = 3");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    cloud.usage("delete from cloud_usage where id < 3");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(1);
    let said = "rbc-usage: missing in the ledger: 2013-06-03: rbc-usage import -s 2013-06-03 -e 2013-06-03\n\
                rbc-usage: not finished: 2013-06-06\n\
                rbc-usage: refused by an import: 2013-06-01: rbc-usage findings 2013-06-01..2013-06-01\n\
                rbc-usage: different from the source: 2013-06-02: rbc-usage findings 2013-06-02..2013-06-02\n\
                rbc-usage: not found equal to the source since they were written: 2013-06-04: \
                rbc-usage verify 2013-06-04..2013-06-04\n";
    let seal = ["seal", "2013-06-01..2013-06-06"];
    let refused = "rbc-usage: nothing is sealed; --anyway seals the days that are closed\n";
    cloud
        .run(&seal)
        .exits(1)
        .complains(&format!("{said}{refused}"));
    let sealed =
        "select day from days where state = 'sealed' and sealed_at is not null order by day";
    assert_eq!(cloud.ledger(sealed), [""; 0]);
    let run = cloud
        .run(&[&seal[..], &["--anyway"]].concat())
        .exits(1)
        .complains(said);
    assert_eq!(run.stdout, "2013-06-01 to 2013-06-06: 4 of 6 days sealed\n");
    assert_eq!(
        cloud.ledger(sealed),
        ["2013-06-01", "2013-06-02", "2013-06-04", "2013-06-05"]
    );
    let run = cloud.run(&["seal"]).exits(2);
    assert!(run.stderr.contains("which days?"), "{run}");
}

#[test]
fn no_import_changes_a_sealed_day_and_what_differs_is_pending() {
    let cloud = sealed();
    // One value shrinks, one vanishes, one appears.
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.usage("delete from cloud_usage where id = 4");
    cloud.add_usage(&[hours("2013-06-02", 4, 3.0)]);
    let said = "rbc-usage: 2013-06-02 is sealed: 3 corrections pending for it now, \
                see rbc-usage corrections --pending 2013-06-02\n";
    let dry = ["import", "-s", "2013-06-02", "-f", "--dry-run"];
    cloud.run(&dry).exits(1).complains(said);
    assert_eq!(cloud.ledger(CORRECTIONS), [""; 0]);
    let run = cloud
        .run(&["import", "-s", "2013-06-02", "-f"])
        .exits(1)
        .complains(said);
    assert!(
        run.stdout.starts_with(
            "2013-06-02 sealed accounts=2 rows=2 replayed=0 added=0 kept=1 overwritten=0 differing=0 findings=0 pending=3\n"
        ),
        "{run}"
    );
    let pending = [
        "2013-06-02 | alice | 24 | 20 | pending",
        "2013-06-02 | bob | 12 | null | pending",
        "2013-06-02 | carol | null | 3 | pending",
    ];
    assert_eq!(cloud.ledger(FIGURES), AS_SEALED);
    assert_eq!(cloud.ledger(CORRECTIONS), pending);
    // Sealed values and corrections are what the source says: nothing new, and nothing to verify against it.
    for words in [
        &["import", "-s", "2013-06-02", "-f"][..],
        &["import", "-s", "2013-06-02"],
        &["import"],
        &["verify", "2013-06-01..2013-06-02"],
    ] {
        cloud.run(words).exits(0).complains("");
        assert_eq!(cloud.ledger(FIGURES), AS_SEALED);
        assert_eq!(cloud.ledger(CORRECTIONS), pending);
    }
}

#[test]
fn corrections_of_a_value_go_on_from_one_another() {
    let cloud = sealed();
    let alice = |hours: &str| {
        cloud.usage(&format!(
            "update cloud_usage set raw_usage = {hours} where id = 3"
        ));
    };
    let import = |code| cloud.run(&["import", "-s", "2013-06-02"]).exits(code);
    for hours in ["20", "22.5", "24"] {
        alice(hours);
        import(1);
        import(0);
        cloud.run(&["verify", "2013-06-02"]).exits(0);
    }
    cloud.usage("delete from cloud_usage where id = 3");
    import(1);
    import(0);
    cloud.usage(
        "insert into cloud_usage (id, zone_id, account_id, domain_id, description, usage_display, usage_type, raw_usage, \
           usage_id, start_date, end_date) \
         values (3, 1, 2, 1, '', '6 Hrs', 10, 6, 1, '2013-06-02 00:00:00', '2013-06-02 23:59:59')",
    );
    import(1);
    import(0);
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        [
            "2013-06-02 | alice | 24 | 20 | pending",
            "2013-06-02 | alice | 20 | 22.5 | pending",
            "2013-06-02 | alice | 22.5 | 24 | pending",
            "2013-06-02 | alice | 24 | null | pending",
            "2013-06-02 | alice | null | 6 | pending"
        ]
    );
    assert_eq!(cloud.ledger(FIGURES), AS_SEALED);
    assert_eq!(
        cloud.ledger("select 24 + sum(delta) from corrections"),
        ["6"]
    );
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    // Without its corrections the ledger is not what the source says.
    cloud.edit_ledger("delete from correction_lines; delete from stored_corrections where id = 5");
    let run = cloud
        .run(&["verify", "2013-06-02", "--format", "csv"])
        .exits(1);
    assert!(
        run.stdout
            .contains("2013-06-02,edited,alice-uuid,alice,security_group,hours,,,,6.0,"),
        "{run}"
    );
}

#[test]
fn any_import_finds_what_has_changed_of_sealed_days() {
    let cloud = sealed();
    cloud.configure("GMT", "[import]\nreread = update\n");
    cloud.add_usage(&[hours("2013-06-01", 4, 3.0)]);
    let run = cloud.run(&["import"]).exits(1);
    assert!(run.stdout.contains("2013-06-01 sealed"), "{run}");
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2013-06-01 | carol | null | 3 | pending"]
    );
    // That its rows are purged is not a word worth.
    cloud.usage("delete from cloud_usage where end_date < '2013-06-02'");
    cloud.run(&["import"]).exits(0).complains("");
    assert_eq!(cloud.ledger(FIGURES), AS_SEALED);
    assert_eq!(cloud.ledger("select day, kind from findings"), [""; 0]);
}

#[test]
fn an_unsealed_day_takes_its_corrections_in_and_they_stay_listed() {
    let cloud = sealed();
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.usage("delete from cloud_usage where id = 4");
    cloud.add_usage(&[hours("2013-06-02", 4, 3.0)]);
    cloud.run(&["import"]).exits(1);
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    let run = cloud.run(&["unseal", "2013-06-01..2013-06-02"]).exits(0);
    assert_eq!(
        run.stdout,
        "2013-06-01 to 2013-06-02: 2 days not sealed any more\n\
         2013-06-02: 3 pending corrections, taken over by rbc-usage import -s 2013-06-02 -f\n"
    );
    assert_eq!(cloud.ledger(FIGURES), AS_SEALED);
    assert_eq!(
        cloud.ledger("select day, verified_at is null from days order by day"),
        ["2013-06-01 | 0", "2013-06-02 | 1"]
    );
    // The records stand alone now, and any import says so.
    let run = cloud
        .run(&["verify", "2013-06-02", "--format", "csv"])
        .exits(1);
    assert_eq!(
        run.stdout.matches("2013-06-02,differs,").count(),
        3,
        "{run}"
    );
    // Alice's value changes once more before anything is taken over.
    cloud.usage("update cloud_usage set raw_usage = 21 where id = 3");
    let run = cloud.run(&["import"]).exits(1);
    assert_eq!(
        run.stderr
            .matches("2013-06-02 is closed and differs")
            .count(),
        3,
        "{run}"
    );
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger(FIGURES),
        [
            "2013-06-01 | alice | security_group | 24",
            "2013-06-01 | bob | security_group | 12",
            "2013-06-02 | alice | security_group | 21",
            "2013-06-02 | carol | security_group | 3",
        ]
    );
    let corrections = [
        "2013-06-02 | alice | 24 | 20 | applied",
        "2013-06-02 | bob | 12 | null | applied",
        "2013-06-02 | carol | null | 3 | applied",
        "2013-06-02 | alice | 20 | 21 | overwritten",
    ];
    assert_eq!(cloud.ledger(CORRECTIONS), corrections);
    // What each value was, and all that has changed of it, is what it is.
    assert_eq!(
        cloud.ledger("select account_name, sum(delta) from corrections group by 1 order by 1"),
        ["alice | -3", "bob | -12", "carol | 3"]
    );
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    assert_eq!(cloud.ledger(CORRECTIONS), corrections);
}

#[test]
fn a_record_that_is_added_to_an_unsealed_day_is_corrected_once() {
    let cloud = sealed();
    cloud.add_usage(&[hours("2013-06-02", 4, 3.0)]);
    cloud.run(&["import"]).exits(1);
    let run = cloud.run(&["unseal", "2013-06"]).exits(1);
    let run = run.complains("rbc-usage: missing in the ledger: 2013-06-03..2013-06-30\n");
    assert!(
        run.stdout
            .starts_with("2013-06-01 to 2013-06-30: 2 days not sealed any more\n"),
        "{run}"
    );
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2013-06-02 | carol | null | 3 | applied"]
    );
    assert_eq!(cloud.ledger(FIGURES).len(), 5);
    cloud.run(&["verify", "2013-06-02"]).exits(0);
}

#[test]
fn a_source_that_went_back_leaves_a_chain_that_comes_to_nothing() {
    let cloud = sealed();
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    cloud.run(&["unseal", "2013-06-02"]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 24 where id = 3");
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(cloud.ledger(FIGURES), AS_SEALED);
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        [
            "2013-06-02 | alice | 24 | 20 | applied",
            "2013-06-02 | alice | 20 | 24 | overwritten"
        ]
    );
}

#[test]
fn a_day_may_be_sealed_again_with_what_is_pending() {
    let cloud = sealed();
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    cloud.run(&["unseal", "2013-06-02"]).exits(0);
    cloud.run(&["seal", "2013-06-02"]).exits(1);
    cloud.run(&["seal", "2013-06-02", "--anyway"]).exits(0);
    cloud.run(&["verify", "2013-06-02"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger(CORRECTIONS),
        ["2013-06-02 | alice | 24 | 20 | pending"]
    );
}

#[test]
fn corrections_are_listed_as_documented() {
    let cloud = sealed();
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.add_usage(&[hours("2013-06-01", 4, 3.0)]);
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(1);
    cloud.edit_ledger(
        "update stored_corrections set corrected_at = '2013-07-01T01:30:00Z';
         update stored_corrections set corrected_at = '2013-07-02T01:30:00Z' where id = 2",
    );
    let list = |words: &[&str]| {
        let run = cloud.run(&[&["corrections"], words].concat());
        run.exits(0).complains("").stdout
    };
    let json = list(&["--format", "json"]);
    assert_eq!(json, include_str!("golden/corrections.json"));
    assert_eq!(list(&[]), include_str!("golden/corrections.txt"));
    let narrow = cloud.run_at(80, &["corrections"]).stdout;
    is_golden("narrow/corrections.txt", &narrow);
    let csv = list(&["--format", "csv"]);
    assert_eq!(csv, include_str!("golden/corrections.csv"));
    let ids = |words: &[&str]| -> Vec<String> {
        let text = list(&[words, &["--format", "csv"]].concat());
        let id = |line: &str| line.split(',').next().unwrap().to_owned();
        text.lines().skip(1).map(id).collect()
    };
    assert_eq!(ids(&["2013-06-02"]), ["2"]);
    assert_eq!(ids(&["--since", "2013-07-02"]), ["2"]);
    assert_eq!(ids(&["--since", "2013-07-01T01:30:00Z"]), ["1", "2"]);
    assert_eq!(ids(&["--since", "2013-07-01T01:30:01Z"]), ["2"]);
    assert_eq!(ids(&["--pending", "2013-06-01..2013-06-02"]), ["1", "2"]);
    cloud.run(&["unseal", "2013-06-01"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-01", "-f"]).exits(0);
    assert_eq!(ids(&["--pending"]), ["2"]);
    for wrong in [
        "yesterday",
        "2013-06-31",
        "2013-07-01 01:30:00",
        "2013-07-01T25:00:00Z",
    ] {
        cloud.run(&["corrections", "--since", wrong]).exits(2);
    }
}

/// Days of each kind: sealed before, closed and verified, unverified, missing, open. Times are cut out.
#[test]
fn what_seal_and_unseal_print_is_as_documented() {
    let cloud = verified();
    cloud.add_usage(&[hours("2013-06-03", 2, 24.0), hours("2013-06-05", 2, 24.0)]);
    cloud.finished_until("2013-06-04 23:59:59");
    cloud.run(&["import", "-s", "2013-06-03"]).exits(0);
    cloud.run(&["import", "-s", "2013-06-05"]).exits(1);
    cloud.run(&["seal", "2013-06-01"]).exits(0);
    let print = |words: &[&str], code| {
        let text = cloud.run(words).exits(code).stdout;
        let mut times =
            cloud.ledger("select distinct sealed_at from days where sealed_at is not null");
        times.sort();
        times
            .iter()
            .fold(text, |text, time| text.replace(time.as_str(), "<time>"))
    };
    let seal = ["seal", "2013-06-01..2013-06-05", "--format"];
    assert_eq!(print(&[&seal[..], &["table"]].concat(), 1), "");
    assert_eq!(
        print(&[&seal[..], &["csv"]].concat(), 1),
        include_str!("golden/seal-refused.csv")
    );
    let anyway = [&seal[..], &["json", "--anyway"]].concat();
    assert_eq!(print(&anyway, 1), include_str!("golden/seal.json"));
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    let unseal = ["unseal", "2013-06-02..2013-06-04", "--format", "csv"];
    assert_eq!(print(&unseal, 1), include_str!("golden/unseal.csv"));
    let run = cloud.run(&["unseal", "2013-06-01"]).exits(0).complains("");
    settled(&cloud);
    assert_eq!(
        run.stdout,
        "2013-06-01 to 2013-06-01: 1 day not sealed any more\n"
    );
}

/// Each of the commands that a refusal names is run as it is printed, and then nothing is refused any more.
#[test]
fn a_refusal_names_the_commands_that_lead_on() {
    let cloud = verified();
    std::fs::rename(
        cloud.sandbox.path("cloudusage.cfg"),
        cloud.sandbox.path("my cloud.cfg"),
    )
    .unwrap();
    cloud.add_usage(&[
        hours("2013-06-03", 2, 24.0),
        hours("2013-06-04", 2, 24.0),
        hours("2013-06-05", 2, 24.0),
    ]);
    cloud.finished_until("2013-06-05 23:59:59");
    let config = ["--config", "my cloud.cfg"];
    let run = |words: &[&str]| cloud.run(&[words, &config].concat());
    run(&["import", "-s", "2013-06-03"]).exits(0);
    run(&["import", "-s", "2013-06-05"]).exits(1);
    let seal = || run(&["seal", "2013-06-01..2013-06-05"]);
    let mut commands = Vec::new();
    while let refused = seal()
        && refused.code == Some(1)
    {
        let (_, command) = refused
            .stderr
            .lines()
            .next()
            .unwrap()
            .split_once(": rbc-usage ")
            .expect("a command");
        assert!(command.contains(" --config 'my cloud.cfg' "), "{refused}");
        commands.push(command.replace(" --config 'my cloud.cfg'", ""));
        let words: Vec<&str> = commands.last().unwrap().split(' ').collect();
        run(&words).exits(0);
    }
    assert_eq!(
        commands,
        [
            "import -s 2013-06-04 -e 2013-06-04",
            "verify 2013-06-03..2013-06-05"
        ]
    );
    seal().exits(0);
}

/// What a sealed month withholds is told wherever its figures or its state are, until somebody has credited it.
#[test]
fn pending_corrections_are_seen_until_they_are_acknowledged() {
    let cloud = sealed();
    let period = "2013-06-01..2013-06-02";
    let due = || {
        let run = cloud.run(&["status", period, "--check", "--format", "csv"]);
        let lines = run
            .stdout
            .lines()
            .filter(|line| line.starts_with("corrections_due"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(due(), [""; 0]);
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 3");
    cloud.usage("delete from cloud_usage where id = 4");
    cloud.run(&["import"]).exits(1);
    assert_eq!(
        due(),
        [
            "corrections_due,2013-06-02,2 corrections to be charged or credited: rbc-usage corrections --pending 2013-06-02,"
        ]
    );
    let run = cloud.run(&["status", period, "--days"]).exits(0);
    let table: Vec<Vec<&str>> = run
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("day "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let place = table[0]
        .iter()
        .position(|name| *name == "pending")
        .expect("a column");
    assert_eq!((table[1][place], table[2][place]), ("0", "2"), "{run}");

    // The figures are those that were sealed: 48 hours and 24.
    let note = |count| {
        format!("not in these figures: {count}, see rbc-usage corrections --pending {period}\n")
    };
    let run = cloud.run(&["report", period]).exits(0).complains("");
    assert!(
        run.stdout
            .ends_with(&format!("\n\n{}", note("2 pending corrections"))),
        "{run}"
    );
    let run = cloud.run(&["report", period, "--account", "bob"]).exits(0);
    assert!(run.stdout.ends_with(&note("1 pending correction")), "{run}");
    cloud
        .run(&["report", period, "--format", "csv"])
        .exits(0)
        .complains(&format!("rbc-usage: {}", note("2 pending corrections")));
    let run = cloud.run(&["report", period, "--format", "json"]).exits(0);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["pending_corrections"], 2);
    assert_eq!(answer["usage"][0]["quantity"], 48.0);
    assert_eq!(answer["usage"][1]["quantity"], 24.0);
    let run = cloud.run(&["report", "2013-06-01"]).exits(0);
    assert!(!run.stdout.contains("not in these figures"), "{run}");

    let ack = |words: &[&str], code| cloud.run(&[&["corrections"], words].concat()).exits(code);
    ack(&["ack", "1", "9", "--reason", "x"], 2).complains(&format!(
        "rbc-usage: {}: there is no pending correction 9\n",
        cloud.ledger_name()
    ));
    ack(&["ack", "1", "--reason", " "], 2).complains("rbc-usage: --reason is empty\n");
    assert_eq!(due().len(), 1);
    // One that is named twice is one.
    let run = ack(&["ack", "2", "2", "--reason", "x"], 0);
    assert_eq!(run.stdout, "1 correction acknowledged\n");
    let run = cloud.run(&["report", period]).exits(0);
    assert!(run.stdout.ends_with(&note("1 pending correction")), "{run}");
    // What was credited is not credited again, unless somebody takes that back.
    let run = ack(&["ack", "1", "2", "--reason", "y"], 2);
    let end = ": corrections unack 2 takes that back\n";
    assert!(
        run.stderr.contains("correction 2 was acknowledged at 20"),
        "{run}"
    );
    assert!(run.stderr.ends_with(end), "{run}");
    assert_eq!(due().len(), 1);
    ack(&["unack", "2"], 0);
    let run = ack(&["ack", "1", "2", "--reason", " credited in July "], 0);
    assert_eq!(run.stdout, "2 corrections acknowledged\n");
    assert_eq!(due(), [""; 0]);
    let run = cloud.run(&["report", period]).exits(0).complains("");
    assert!(!run.stdout.contains("not in these figures"), "{run}");
    cloud
        .run(&["report", period, "--format", "csv"])
        .exits(0)
        .complains("");
    let run = cloud.run(&["report", period, "--format", "json"]).exits(0);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["pending_corrections"], 0);
    assert_eq!(answer["usage"][0]["quantity"], 48.0);
    assert_eq!(
        cloud.ledger("select id, kind, acknowledged_at is not null, reason from corrections"),
        [
            "1 | pending | 1 | credited in July",
            "2 | pending | 1 | credited in July"
        ]
    );
    // They stay listed, and part of what verify reads; a further change is a further one.
    let run = ack(&["--pending"], 0);
    assert!(run.stdout.contains("credited in July"), "{run}");
    cloud.run(&["verify", period]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 21 where id = 3");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(1);
    assert!(
        due()[0].contains("1 correction to be charged"),
        "{:?}",
        due()
    );
    let run = cloud.run(&["report", period]).exits(0);
    assert!(run.stdout.ends_with(&note("1 pending correction")), "{run}");
    let run = ack(&["unack", "2", "2"], 0);
    assert_eq!(run.stdout, "1 correction not acknowledged any more\n");
    assert!(
        due()[0].contains("2 corrections to be charged"),
        "{:?}",
        due()
    );
    ack(&["unack", "2"], 2).complains(&format!(
        "rbc-usage: {}: there is no acknowledged correction 2\n",
        cloud.ledger_name()
    ));
}
