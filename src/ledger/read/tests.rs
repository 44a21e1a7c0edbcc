//! Days, findings, corrections and the state of a ledger filled by plain SQL.

use rusqlite::Connection;

use super::account_usage::NAMES;
use super::corrections::{CorrectionFilter, list_corrections};
use super::days::{DayFacts, list_days};
use super::findings::{FindingFilter, ShowAcknowledged, list_findings};
use super::state::find_state;
use super::*;
use crate::day::DayRange;
use crate::ledger::initialise;
use crate::scope::Scope;

/// Seven days of one kind each, the first of them missing.
fn reader(folder: &tempfile::TempDir) -> Reader {
    let path = folder.path().join("usage.db");
    initialise(&(&path).into(), "GMT", "2013-06-09T00:20:00Z", &mut |_| ()).unwrap();
    let ledger = Connection::open(&path).unwrap();
    ledger
        .execute_batch(
            "insert into metrics values (1, 'vm_running', 'hours', 'service_offering');
             insert into stored_resources values (1, 'service_offering', 5, 'small-uuid', 'Small');
             insert into stored_accounts (id, uuid, name) values (2, 'a-2', 'alice'), (3, 'a-3', 'bob');
             insert into stored_days (day, state, source_rows, replayed_rows, imported_at, verified_at, sealed_at) values
               ('2013-06-01', 'closed', 9, 2, '2013-06-02T00:20:00Z', '2013-06-03T00:20:00Z', '2013-06-04T00:20:00Z'),
               ('2013-06-03', 'closed', 3, 0, '2013-06-04T00:20:00Z', null, null),
               ('2013-06-04', 'closed', 3, 0, '2013-06-05T00:20:00Z', null, null),
               ('2013-06-05', 'closed', 3, 0, '2013-06-06T00:20:00Z', null, null),
               ('2013-06-06', 'open', 1, 0, '2013-06-06T12:20:00Z', null, null);
             insert into stored_records values (2, '2013-06-01', 1, 0, 1), (2, '2013-06-01', 1, 1, 1),
               (3, '2013-06-01', 1, 1, 1), (3, '2013-06-03', 1, 1, 1);
             update stored_days set records = 3, accounts = 2 where day = '2013-06-01';
             update stored_days set records = 1, accounts = 1 where day = '2013-06-03';
             insert into stored_findings (id, day, kind, account_id, metric_id, resource, detail) values
               (1, '2013-06-03', 'differs_from_source', 2, 1, 'small-uuid', 'stored 1, the source says 2'),
               (3, '2013-06-05', 'differs_from_source', 3, 1, 'small-uuid', 'stored 1, the source says 3'),
               (4, '2013-06-05', 'replayed_rows', null, null, null, '2 rows');
             insert into stored_refusals (day, id, reason, source_gone, since, last_seen, acknowledged_at, acknowledged_because) values
               ('2013-06-04', 2, 'no rows', 1, '2013-06-05T00:20:00Z', '2013-06-05T00:20:00Z', null, null);
             insert into acknowledgements values
               ('2013-06-05', 'differs_from_source', 3, 1, 'small-uuid', 'stored 1, the source says 3', 'credited', '2013-06-07T00:00:00Z');
             update stored_findings set acknowledged = 1 where id = 3;
             insert into stored_corrections (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind) values
               ('2013-06-01', 2, 1, 1, 1, 4, '2013-06-08T00:00:00Z', 'pending'),
               ('2013-06-03', 3, 1, 1, null, 1, '2013-06-05T00:00:00Z', 'overwritten');
             insert into imports (started_at, outcome, days) values ('2013-06-05T00:20:00Z', 'done', 1),
               ('2013-06-06T00:20:00Z', null, null);
             update ledgers set revision = 17;",
        )
        .unwrap();
    Reader::open(&(&path).into()).unwrap()
}

fn range(first: &str, last: &str) -> DayRange {
    DayRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

#[test]
fn each_day_has_its_state_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let days = reader(&folder)
        .read(|snapshot| list_days(snapshot, range("2013-06-01", "2013-06-07")))
        .unwrap();
    let line = |facts: &DayFacts| {
        format!(
            "{} {} records={} accounts={} rows={} findings={} acknowledged={} differing={} pending={}",
            facts.day,
            facts.state.name(),
            facts.records,
            facts.accounts,
            facts.source_rows,
            facts.findings,
            facts.acknowledged,
            facts.differing,
            facts.pending_corrections
        )
    };
    assert_eq!(
        days.iter().map(line).collect::<Vec<_>>(),
        [
            "2013-06-01 sealed records=3 accounts=2 rows=9 findings=0 acknowledged=0 differing=0 pending=1",
            "2013-06-02 missing records=0 accounts=0 rows=0 findings=0 acknowledged=0 differing=0 pending=0",
            "2013-06-03 differing records=1 accounts=1 rows=3 findings=1 acknowledged=0 differing=1 pending=0",
            "2013-06-04 refused records=0 accounts=0 rows=3 findings=1 acknowledged=0 differing=0 pending=0",
            "2013-06-05 closed records=0 accounts=0 rows=3 findings=2 acknowledged=1 differing=0 pending=0",
            "2013-06-06 open records=0 accounts=0 rows=1 findings=0 acknowledged=0 differing=0 pending=0",
            "2013-06-07 missing records=0 accounts=0 rows=0 findings=0 acknowledged=0 differing=0 pending=0",
        ]
    );
    assert_eq!(days[0].replayed_rows, 2);
    assert_eq!(days[0].verified_at.as_deref(), Some("2013-06-03T00:20:00Z"));
    assert_eq!(days[0].sealed_at.as_deref(), Some("2013-06-04T00:20:00Z"));
    assert_eq!(days[5].imported_at.as_deref(), Some("2013-06-06T12:20:00Z"));
    let unfinished = reader(&tempfile::tempdir().unwrap())
        .read(|snapshot| snapshot.list_unfinished(range("2013-06-01", "2013-06-06")))
        .unwrap();
    assert_eq!(unfinished.open_days, ["2013-06-06".parse().unwrap()]);
    assert_eq!(unfinished.missing_days, ["2013-06-02".parse().unwrap()]);
}

#[test]
fn findings_are_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let mut ids = |filter: FindingFilter| -> Vec<i64> {
        let found = reader.read(|snapshot| list_findings(snapshot, filter, Page::default()));
        found.unwrap().iter().map(|finding| finding.id).collect()
    };
    let unseen = FindingFilter::default();
    let all = FindingFilter {
        acknowledged: ShowAcknowledged::Included,
        ..unseen
    };
    let accounts = [3].into();
    assert_eq!(ids(unseen), [1, 2, 4]);
    assert_eq!(ids(all), [1, 2, 3, 4]);
    let kind = Some("differs_from_source");
    assert_eq!(ids(FindingFilter { kind, ..all }), [1, 3]);
    let accounts = Some(&accounts);
    assert_eq!(ids(FindingFilter { accounts, ..all }), [3]);
    let one_day = Some(range("2013-06-04", "2013-06-04"));
    assert_eq!(
        ids(FindingFilter {
            range: one_day,
            ..all
        }),
        [2]
    );
    let page = Page {
        limit: Some(2),
        offset: 2,
    };
    let found = reader
        .read(|snapshot| list_findings(snapshot, all, page))
        .unwrap();
    assert_eq!(found[0].reason.as_deref(), Some("credited"));
    assert_eq!(found[0].account_name.as_deref(), Some("bob"));
    assert_eq!(found[1].detail, "2 rows");
}

#[test]
fn corrections_are_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let mut lines = |filter: CorrectionFilter| -> Vec<String> {
        let found = reader.read(|snapshot| list_corrections(snapshot, filter, Page::default()));
        let line = |one: &super::corrections::StoredCorrection| {
            format!(
                "{} {} {} {:?}",
                one.kind, one.account_name, one.delta, one.old_quantity
            )
        };
        found.unwrap().iter().map(line).collect()
    };
    let (pending, overwritten) = ("pending alice 3 Some(1.0)", "overwritten bob 1 None");
    let all = CorrectionFilter::default();
    let accounts = [3].into();
    assert_eq!(lines(all), [pending, overwritten]);
    assert_eq!(
        lines(CorrectionFilter {
            kind: Some("pending"),
            ..all
        }),
        [pending]
    );
    assert_eq!(
        lines(CorrectionFilter {
            since: Some("2013-06-08"),
            ..all
        }),
        [pending]
    );
    assert_eq!(
        lines(CorrectionFilter {
            accounts: Some(&accounts),
            ..all
        }),
        [overwritten]
    );
    let third = Some(range("2013-06-03", "2013-06-03"));
    assert_eq!(
        lines(CorrectionFilter {
            range: third,
            ..all
        }),
        [overwritten]
    );
}

#[test]
fn the_state_tells_what_the_ledger_covers() {
    let folder = tempfile::tempdir().unwrap();
    let state = reader(&folder).read(find_state).unwrap();
    assert_eq!(state.zones.name(), "GMT");
    assert_eq!(state.revision, 17);
    assert_eq!(state.days, Some(range("2013-06-01", "2013-06-06")));
    assert_eq!(state.newest_closed_day, Some("2013-06-05".parse().unwrap()));
    let run = state.last_import.unwrap();
    assert_eq!(run.started_at, "2013-06-06T00:20:00Z");
    assert_eq!((run.finished_at, run.outcome, run.days), (None, None, None));
}

#[test]
fn an_account_is_summed_by_metric_and_resource() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let ledger = Connection::open(folder.path().join("usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into metrics values (2, 'network_bytes_sent', 'bytes', null);
             delete from stored_records;
             insert into stored_records values (2, '2013-06-01', 1, 1, 1), (2, '2013-06-03', 2, 0, 5),
               (2, '2013-06-04', 1, 1, 2), (2, '2013-06-04', 2, 0, 6), (2, '2013-06-05', 1, 1, 4),
               (3, '2013-06-05', 1, 1, 100)",
        )
        .unwrap();
    let mut totals = |first, last| {
        let usage = reader
            .account_usage("a-2", range(first, last), &Scope::All)
            .unwrap();
        let of = |total: &Total| {
            format!(
                "{} {:?} {}",
                total.metric, total.resource_uuid, total.quantity
            )
        };
        usage.unwrap().totals.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(
        totals("2013-06-01", "2013-06-05"),
        [
            "network_bytes_sent None 11",
            "vm_running Some(\"small-uuid\") 7"
        ]
    );
    assert_eq!(
        totals("2013-06-03", "2013-06-04"),
        [
            "network_bytes_sent None 11",
            "vm_running Some(\"small-uuid\") 2"
        ]
    );
    assert_eq!(totals("2013-06-02", "2013-06-02"), [""; 0]);
}

#[test]
fn no_statement_is_planned_anew_for_other_values() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    for (account, day) in [
        ("a-2", "2013-06-01"),
        ("a-3", "2013-06-03"),
        ("a-2", "2013-06-04"),
    ] {
        let usage = reader.account_usage(account, range(day, "2013-06-05"), &Scope::All);
        assert!(usage.unwrap().is_some());
    }
    let records = crate::ledger::month_part::RECORDS;
    assert_eq!(reader.connection().count_runs(records).unwrap(), (3, 0));
}

#[test]
fn the_names_of_all_figures_are_asked_for_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let days = range("2013-06-01", "2013-06-05");
    let usage = reader.account_usage("a-2", days, &Scope::All).unwrap();
    assert_eq!(usage.unwrap().totals.len(), 2);
    assert_eq!(reader.connection().count_runs(NAMES).unwrap(), (1, 0));
}
