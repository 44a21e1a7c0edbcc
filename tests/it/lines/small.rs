//! A small ledger: one line for all that is priced alike, from the start or of old months that are sealed.

use super::{LINES, cloud, use_things};
use crate::cloudstack::Cloud;
use crate::server::Server;

const DAY: &str = "2013-06-01";

/// Both VMs are of one size; the volumes are of two offerings.
const FOLDED: [&str; 5] = [
    "null | null | null | network_bytes_sent | 5000 | north | null | null | null | null",
    "null | null | null | os_usage | 48 | north | Debian 7 | null | null | null",
    "null | null | null | primary_byte_hours | 25769803776 | north | null | null | null | null",
    "null | null | null | primary_byte_hours | 25769803776 | north | fast | null | null | null",
    "null | null | null | vm_running | 48 | north | small | 2 | 1500 | 1024",
];

const FIGURES: &str = "select day, account_name, metric, resource_name, quantity from daily_usage order by 1, 2, 3, 4";

const SUMS: &str = "select month, sku_id, quantity from month_sku_sums order by 1, 2";

/// June and July of 2013, each day as `use_things` has it, verified.
fn two_months() -> Cloud {
    let cloud = cloud();
    for (month, days) in [(6, 30), (7, 31)] {
        for day in 1..=days {
            use_things(&cloud, &format!("2013-{month:02}-{day:02}"));
        }
    }
    cloud.run(&["initdb"]).exits(0);
    let both = ["-s", "2013-06-01", "-e", "2013-07-31"];
    cloud.run(&[&["import"][..], &both].concat()).exits(0);
    cloud.run(&[&["verify"][..], &both].concat()).exits(0);
    cloud
}

#[test]
fn without_lines_of_resources_there_is_one_of_each_sku() {
    let cloud = cloud();
    cloud.configure("GMT", "[import]\nlines = no\n");
    use_things(&cloud, DAY);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    assert_eq!(cloud.ledger(LINES), FOLDED);
    let kinds = "select count(*) from resources where kind in ('vm', 'volume')";
    assert_eq!(cloud.ledger(kinds), ["0"]);
    cloud.run(&["verify"]).exits(0);
    // Whoever wants them later has them from then on, and of earlier days by -f.
    cloud.configure("GMT", "");
    cloud.run(&["import", "-s", DAY]).exits(0);
    assert_eq!(cloud.ledger(LINES), FOLDED);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    assert_eq!(cloud.ledger(LINES), super::OF_A_DAY);
    cloud.configure("GMT", "[import]\nlines = no\n");
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    assert_eq!(cloud.ledger(LINES), FOLDED);
    assert_eq!(cloud.ledger("select * from corrections"), [""; 0]);
}

#[test]
fn prune_folds_sealed_months_and_changes_no_figure() {
    let cloud = two_months();
    cloud.run(&["seal", "2013-06"]).exits(0);
    let (figures, sums) = (cloud.ledger(FIGURES), cloud.ledger(SUMS));
    let lines =
        |day: &str| cloud.ledger(&LINES.replace("where", &format!("where day = '{day}' and")));
    // Seven lines a day are five.
    let run = cloud.run(&["prune", "--before", "2013-07"]).exits(0);
    assert_eq!(
        run.stdout,
        "month    state   lines before  lines\n2013-06  folded           210    150\n\n\
         1 month folded: 210 lines are 150 now\n"
    );
    assert_eq!(lines("2013-06-30"), FOLDED);
    assert_eq!(lines("2013-07-01"), super::OF_A_DAY);
    assert_eq!((cloud.ledger(FIGURES), cloud.ledger(SUMS)), (figures, sums));
    let run = cloud.run(&["check"]);
    assert!(
        run.stdout.contains("sound") && !run.stdout.contains("the sums of"),
        "{run}"
    );
    cloud.run(&["verify", "2013-06"]).exits(0);
    // A sealed day stays folded, whatever is imported.
    cloud.run(&["import", "--month", "2013-06", "-f"]).exits(0);
    assert_eq!(lines("2013-06-30"), FOLDED);
    let run = cloud
        .run(&["prune", "--before", "2013-07", "--format", "json"])
        .exits(0);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["months"], serde_json::json!([]));
}

#[test]
fn prune_leaves_alone_what_is_not_sealed() {
    let cloud = two_months();
    cloud.run(&["seal", "2013-06"]).exits(0);
    cloud.run(&["seal", "2013-07-01..2013-07-30"]).exits(0);
    let run = cloud.run(&["prune", "--before", "2013-08"]).exits(1);
    assert_eq!(
        run.stdout,
        "month    state       lines before  lines\n2013-06  folded               210    150\n\
         2013-07  not sealed             –      –\n\n1 month folded: 210 lines are 150 now\nnot sealed, and as it was: 2013-07\n"
    );
    let july = LINES.replace("where", "where day = '2013-07-01' and");
    assert_eq!(cloud.ledger(&july), super::OF_A_DAY);
    let run = cloud.run(&["prune", "--before", "2099-01"]).exits(2);
    assert!(run.stderr.contains("this month is"), "{run}");
}

/// 24 hours of each VM on each of two days, of which only the second one tells them apart.
#[test]
fn reports_by_resource_name_the_days_that_they_lack() {
    let cloud = two_months();
    cloud.run(&["seal", "2013-06"]).exits(0);
    cloud.run(&["prune", "--before", "2013-07"]).exits(0);
    let report = |words: &[&str]| {
        let days = ["report", "2013-06-30..2013-07-01", "--metric", "vm_running"];
        cloud.run(&[&days[..], words].concat())
    };
    let quantities = |words: &[&str], code, complaint: &str| {
        let run = report(&[words, &["--format", "csv"]].concat()).exits(code);
        assert_eq!(run.stderr, complaint, "{words:?}");
        let rows = run.stdout.lines().map(|row| row.split(',').collect());
        let rows: Vec<Vec<&str>> = rows.collect();
        let place = rows[0].iter().position(|name| *name == "quantity").unwrap();
        let first = |row: &Vec<&str>| format!("{} {}", row[0], row[place]);
        rows[1..].iter().map(first).collect::<Vec<_>>()
    };
    let days = "days whose lines do not tell resources apart, 2013-06-30";
    let lack = format!("rbc-usage: not in these figures: {days}\n");
    let of_one = quantities(&["--by", "metric", "--resource", "vm11"], 1, &lack);
    assert_eq!(of_one, ["vm_running 24.0"]);
    let vms = quantities(&["--by", "vm"], 1, &lack);
    assert_eq!(vms, ["vm11 24.0", "vm12 24.0"]);
    let unnamed = format!("rbc-usage: without a resource in these figures: {days}\n");
    let resources = quantities(&["--by", "resource"], 0, &unnamed);
    assert_eq!(resources, [" 48.0", "vm11 24.0", "vm12 24.0"]);
    assert_eq!(quantities(&["--by", "metric"], 0, ""), ["vm_running 96.0"]);
    let facts = |by: &str| {
        let run = report(&["--by", by, "--format", "json"]);
        let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        [
            answer["complete"].to_string(),
            answer["days_without_resources"].to_string(),
        ]
    };
    assert_eq!(facts("vm"), ["false", "[\"2013-06-30\"]"]);
    assert_eq!(facts("resource"), ["true", "[\"2013-06-30\"]"]);
    assert_eq!(facts("sku"), ["true", "null"]);
    let server = Server::start(&cloud.sandbox);
    let days = "start=2013-06-30&end=2013-07-01&metric=vm_running";
    let without = |path: &str, group: &str| {
        let target = format!("/v1/accounts/alice-uuid/{path}?{days}{group}");
        let body = server.get(&target).body;
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        answer["days_without_resources"].to_string()
    };
    assert_eq!(without("usage", "&group=resource"), "[\"2013-06-30\"]");
    assert_eq!(without("resources", ""), "[\"2013-06-30\"]");
    assert_eq!(without("usage", "&group=sku"), "null");
}

#[test]
fn a_ledger_without_resources_says_why_it_knows_no_name() {
    let cloud = cloud();
    cloud.configure("GMT", "[import]\nlines = no\n");
    use_things(&cloud, DAY);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    let words = ["report", DAY, "--resource", "vm11"];
    let why = "no day of the ledger tells resources apart";
    cloud.run(&words).exits(2).complains(&format!(
        "rbc-usage: nothing that was used is called \"vm11\": {why}\n"
    ));
}
