//! `check` adds up the lines of each day, and looks whether each line belongs to one day of one account.

use super::{DAY, imported, use_things};
use crate::cloudstack::Cloud;

/// What `check` says of the ledger that is wrong.
fn faults(cloud: &Cloud) -> Vec<String> {
    let run = cloud.run(&["check", "--format", "csv"]);
    let lines = run.stdout.lines();
    let of_ledger = lines.filter_map(|line| line.strip_prefix("error,ledger,"));
    of_ledger
        .map(|line| line.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn lines_add_up_to_the_records_of_their_day() {
    let cloud = imported();
    use_things(&cloud, "2013-06-02");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    assert_eq!(faults(&cloud), [""; 0]);
    // The last bits may differ: 24 + 24 and 48.
    let record = "update stored_records set quantity = 48.00000001 where quantity = 48 and day = '2013-06-01'";
    cloud.edit_ledger(record);
    assert_eq!(faults(&cloud), [""; 0]);
    cloud.edit_ledger("update stored_lines set quantity = 23 where quantity = 24 and id < 8");
    assert_eq!(
        faults(&cloud),
        [
            format!(
                "the lines of {DAY} do not add up to its records, for 1 account: rbc-usage verify {DAY}"
            ),
            format!("the lines of {DAY} {NO_SUMS} -s {DAY} -e {DAY}"),
        ]
    );
}

const NO_SUMS: &str = "do not add up to its sums by SKU, for 1 account: rbc-usage import -f";

#[test]
fn lines_add_up_to_the_sums_that_are_kept_beside_them() {
    let cloud = imported();
    cloud.edit_ledger("update account_days set sku_sums = replace(sku_sums, '.0', '.5')");
    let fault = format!("the lines of {DAY} {NO_SUMS} -s {DAY} -e {DAY}");
    assert_eq!(faults(&cloud), [fault]);
    cloud.run(&["import", "-f", "-s", DAY, "-e", DAY]).exits(0);
    assert_eq!(faults(&cloud), [""; 0]);
}

#[test]
fn each_line_belongs_to_one_day() {
    let cloud = imported();
    use_things(&cloud, "2013-06-02");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    // The 7 lines of either day.
    cloud.edit_ledger("update account_days set line_count = 8 where day = '2013-06-01'");
    assert_eq!(
        faults(&cloud)[..2],
        [
            "lines of 2013-06-02 are those of another account's day as well",
            "there are 14 lines, and its days have 15 lines",
        ]
    );
    let line = "update account_days set line_count = 7; delete from stored_lines where id = 14";
    cloud.edit_ledger(line);
    let faults = faults(&cloud);
    assert_eq!(faults[0], "there are 13 lines, and its days have 14 lines");
    assert_eq!(faults.len(), 3, "{faults:?}");
}
