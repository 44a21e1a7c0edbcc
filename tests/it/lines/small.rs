//! A small ledger: one line for all that is priced alike, from the start or of old months that are sealed.

use super::{LINES, cloud, use_things};
use crate::cloudstack::Cloud;

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
