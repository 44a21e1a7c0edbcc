//! Sources that say what cannot be, and outputs that break: what an import makes of them, and what it says.

use std::fs::File;

use super::{DAYS, RUNNING, cloud, two_closed_days, vm};
use crate::sandbox::Run;

#[track_caller]
fn says(run: &Run, words: &str) {
    assert!(run.stderr.contains(words), "no {words:?} in\n{run}");
}

#[test]
fn a_usage_server_ahead_of_the_clock_closes_no_day_of_the_future() {
    let cloud = cloud();
    let yesterday = cloud.ledger("select date('now', '-1 day')").remove(0);
    cloud.add_usage(&[vm(&yesterday, 2, 5, 24.0)]);
    cloud.finished_until("2099-12-31 23:59:59");
    let run = cloud.run(&["import"]).exits(1);
    says(&run, "finished until 2100-01-01T00:00:00Z");
    says(&run, "one of the clocks is wrong");
    let future = "select count(*) from days where day >= date('now')";
    assert_eq!(cloud.ledger(future), ["0"]);
    let closed =
        format!("select count(*) from days where day = '{yesterday}' and state = 'closed'");
    assert_eq!(cloud.ledger(&closed), ["1"]);
}

#[test]
fn a_report_that_cannot_be_written_stops_no_import() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    let mut command = cloud.sandbox.command(&["import"]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let run = Run::of(&mut command).exits(2);
    says(
        &run,
        "all is imported, but the report could not be written: No space left",
    );
    assert_eq!(
        cloud.ledger(DAYS),
        ["2013-06-01 | closed", "2013-06-02 | closed"]
    );
}

#[test]
fn days_missing_between_others_need_a_look() {
    let cloud = two_closed_days();
    cloud.add_usage(&[vm("2013-06-05", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-05 23:59:59");
    let run = cloud.run(&["import", "-s", "2013-06-05"]).exits(1);
    says(
        &run,
        "2 days are missing in the ledger, the first is 2013-06-03",
    );
    cloud
        .run(&["import", "-s", "2013-06-03", "-e", "2013-06-04"])
        .exits(0);
    assert_eq!(cloud.ledger(RUNNING).len(), 3);
}

#[test]
fn a_ledger_in_no_folder_is_refused_by_name() {
    let cloud = cloud();
    let mut command = cloud.sandbox.command(&["initdb"]);
    command.env(
        "RBC_USAGE_MAIN__RBC_USAGE_URI",
        "sqlite:///nowhere/usage.db",
    );
    let run = Run::of(&mut command).exits(2);
    says(&run, "there is no folder ./nowhere");
}
