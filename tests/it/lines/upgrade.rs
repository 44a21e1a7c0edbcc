//! A ledger of version 1.0.0 becomes one with lines: no figure changes, and the source fills the lines in.

use super::{LINES, OF_A_DAY, cloud, use_things};

/// What version 1.0.0 made of two days of this very cloud, the first of them sealed.
const OF_1_0_0: &str = include_str!("ledger-1.0.0.sql");

const FIGURES: &str = "select day, account_name, metric, resource_name, quantity from daily_usage order by 1, 2, 3, 4";

#[test]
fn lines_are_filled_from_the_source_and_no_figure_changes() {
    let cloud = cloud();
    use_things(&cloud, "2013-06-01");
    use_things(&cloud, "2013-06-02");
    rusqlite::Connection::open(cloud.sandbox.path("usage.db"))
        .unwrap()
        .execute_batch(OF_1_0_0)
        .unwrap();
    let before = cloud.ledger(FIGURES);
    assert_eq!(before.len(), 8);
    let run = cloud.run(&["initdb"]).exits(0);
    let says = "upgraded from schema 2\n2013-06-01 to 2013-06-02: lines without resource, zone and size; rbc-usage import ";
    assert!(run.stdout.contains(says), "{run}");
    assert_eq!(cloud.ledger(FIGURES), before);
    let sums = "select day, account_name, metric, offering_name, quantity from daily_lines order by 1, 2, 3, 4";
    assert_eq!(cloud.ledger(sums), before);
    // Until then a day shows its records, of no resource.
    let first = LINES.replace("where", "where day = '2013-06-01' and");
    assert_eq!(
        cloud.ledger(&first),
        [
            "null | null | null | network_bytes_sent | 5000 | null | null | null | null | null",
            "null | null | null | os_usage | 48 | null | Debian 7 | null | null | null",
            "null | null | null | primary_byte_hours | 51539607552 | null | null | null | null | null",
            "null | null | null | vm_running | 48 | null | small | null | null | null",
        ]
    );
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02", "-f"])
        .exits(0);
    assert_eq!(cloud.ledger(FIGURES), before);
    assert_eq!(cloud.ledger("select * from corrections"), [""; 0]);
    assert_eq!(cloud.ledger(&first), OF_A_DAY);
    let pieces = "select lines_per, lines from stored_days natural join account_days";
    assert_eq!(cloud.ledger(pieces), ["resource | 7"; 2]);
}
