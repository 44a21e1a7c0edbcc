//! What a failed change leaves.

use std::collections::HashMap;

use crate::aggregate::{DayUsage, Record};
use crate::cloud::{CloudAccount, Fingerprint, Names};
use crate::day::Day;
use crate::db::params;
use crate::ledger::day::{ClosedDay, Completion, LinesPer, NewDay, Written};
use crate::ledger::{Ledger, initialise};
use crate::metric::{Breakdown, Metric};

const NOW: &str = "2013-06-03T00:20:00Z";

fn names() -> Names {
    let alice = CloudAccount {
        uuid: Some("alice-uuid".to_owned()),
        name: "alice".to_owned(),
        domain_uuid: None,
        domain_path: None,
        project_uuid: None,
        project_name: None,
    };
    let small = ("small-uuid".to_owned(), "small".to_owned());
    Names {
        accounts: HashMap::from([(2, alice)]),
        resources: HashMap::from([((Breakdown::ServiceOffering, 5), small)]),
        ..Names::default()
    }
}

fn write(ledger: &mut Ledger, day: &str) -> anyhow::Result<Written> {
    write_vms(ledger, day, &[(11, 1)])
}

fn write_vms(ledger: &mut Ledger, day: &str, vms: &[(u64, u64)]) -> anyhow::Result<Written> {
    let usage = DayUsage {
        records: vec![Record {
            account_id: 2,
            metric: Metric::VmRunning,
            source_id: 5,
            quantity: 24.0,
        }],
        source_rows: 1,
        ..DayUsage::default()
    };
    ledger.write_day(&NewDay {
        day: day.parse::<Day>()?,
        completion: Completion::Closed,
        usage: &usage,
        vms,
        fingerprint: &Fingerprint {
            rows: 1,
            first: 1,
            last: 1,
            sum: "1".to_owned(),
            again: Vec::new(),
        },
        closed_day: ClosedDay::AddMissing,
        lines_per: LinesPer::Resource,
        unusual: None,
        now: NOW,
    })
}

#[test]
fn what_a_failed_day_stored_is_stored_again_by_the_next() {
    for dry_run in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.db");
        initialise(&(&path).into(), "GMT", NOW, &mut |_| ()).unwrap();
        // At the end of its transaction, after every name is stored.
        let failure = "create temp trigger failure after update of revision on ledgers
                       when exists (select 1 from stored_days where day = '2013-06-01')
                       begin select raise(abort, 'no room'); end";
        let mut ledger = Ledger::open(&(&path).into(), "GMT", dry_run).unwrap();
        ledger.connection().run(failure).unwrap();
        ledger.add_names(names());
        let failed = write(&mut ledger, "2013-06-01").unwrap_err();
        assert!(format!("{failed:#}").contains("no room"), "{failed:#}");
        let written = write(&mut ledger, "2013-06-02").unwrap();
        assert_eq!((written.added, written.findings), (1, 0));
        let sql = "select account_uuid, metric, resource_uuid from daily_usage";
        let named: (String, String, String) = ledger
            .connection()
            .one(sql, params! {}, |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        let expected = ["alice-uuid", "vm_running", "small-uuid"].map(str::to_owned);
        assert_eq!([named.0, named.1, named.2], expected);
        let oses = "select count(*) from vm_guest_oses where vm_id = 11";
        let frozen: i64 = ledger
            .connection()
            .one(oses, params! {}, |row| row.get(0))
            .unwrap();
        assert_eq!(frozen, 1);
    }
}

#[test]
fn a_purged_vm_that_was_installed_anew_keeps_the_os_of_its_first_template() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    initialise(&(&path).into(), "GMT", NOW, &mut |_| ()).unwrap();
    let mut ledger = Ledger::open(&(&path).into(), "GMT", false).unwrap();
    let mut names = names();
    names.templates.extend([(1, 10), (2, 20)]);
    ledger.add_names(names);
    write_vms(&mut ledger, "2013-06-01", &[(11, 1), (11, 2), (12, 2)]).unwrap();
    let sql = "select vm_id, since_day, guest_os_id, guessed from vm_guest_oses order by vm_id";
    let row = |row: &crate::db::Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let frozen: Vec<(i64, String, i64, bool)> =
        ledger.connection().list(sql, params! {}, row).unwrap();
    let day = "2013-06-01".to_owned();
    assert_eq!(frozen, [(11, day.clone(), 10, true), (12, day, 20, true)]);
}

#[test]
fn after_everything_was_rolled_back_nothing_is_done_or_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    initialise(&(&path).into(), "GMT", NOW, &mut |_| ()).unwrap();
    let mut ledger = Ledger::open(&(&path).into(), "GMT", true).unwrap();
    ledger.add_names(names());
    // As SQLite does where the disk is full.
    ledger.connection().rollback().unwrap();
    let message = "an earlier error rolled everything back";
    let failed = write(&mut ledger, "2013-06-01").unwrap_err();
    assert!(format!("{failed:#}").ends_with(message), "{failed:#}");
    let kept = ledger.keep().unwrap_err();
    assert!(format!("{kept:#}").ends_with(message), "{kept:#}");
    let days = ledger.list_days_from(None).unwrap();
    assert_eq!(days, []);
}

#[test]
fn what_is_missing_between_days_is_kept_as_days_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    initialise(&(&path).into(), "GMT", NOW, &mut |_| ()).unwrap();
    let mut ledger = Ledger::open(&(&path).into(), "GMT", false).unwrap();
    ledger.add_names(names());
    for (day, gaps) in [
        ("2013-06-02", &[][..]),
        ("2013-06-06", &["2013-06-06 3"]),
        ("2013-06-04", &["2013-06-04 1", "2013-06-06 1"]),
        (
            "2013-05-30",
            &["2013-06-02 2", "2013-06-04 1", "2013-06-06 1"],
        ),
        (
            "2013-06-04",
            &["2013-06-02 2", "2013-06-04 1", "2013-06-06 1"],
        ),
        ("2013-06-05", &["2013-06-02 2", "2013-06-04 1"]),
    ] {
        write(&mut ledger, day).unwrap();
        let sql =
            "select day || ' ' || gap_before from stored_days where gap_before > 0 order by day";
        let kept: Vec<String> = ledger
            .connection()
            .list(sql, params! {}, |row| row.get(0))
            .unwrap();
        assert_eq!(kept, gaps, "after {day}");
    }
}
