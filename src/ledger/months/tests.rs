//! What is answered from sums is what is answered from days, to the last bit.

use std::path::{Path, PathBuf};

use super::*;
use crate::day::DayRange;
use crate::ledger::carry_over::make_lines_of_records;
use crate::ledger::initialise;
use crate::ledger::month_part::{ACCOUNTS_AT_ONCE, RECORDS, SkuSum, list_parts};
use crate::ledger::read::accounts::{AccountFilter, list_accounts};
use crate::ledger::read::totals::{
    Dimensions, Figure, Granularity, LineChoice, TotalsQuery, list_totals,
};
use crate::ledger::read::{Page, Reader, Total};
use crate::scope::Scope;
use crate::zone::Zone;
use crate::zones::Zones;

const NOW: &str = "2013-09-01T00:20:00Z";

/// April to August of 2013, but for 3 May, and 9 July is open. Two accounts with three resources, of which two have
/// one uuid, and quantities whose sums have to be rounded.
fn fill(folder: &tempfile::TempDir) -> PathBuf {
    fill_with(folder, 0)
}

/// With so many more accounts, that use in June what the first one does.
fn fill_with(folder: &tempfile::TempDir, more: u32) -> PathBuf {
    let path = folder.path().join("usage.db");
    initialise(&(&path).into(), "GMT", NOW, &mut |_| ()).unwrap();
    let ledger = rusqlite::Connection::open(&path).unwrap();
    ledger
        .execute_batch(
            "insert into metrics values (1, 'vm_running', 'hours', 'service_offering'), (2, 'vpc', 'hours', null);
             insert into stored_resources values (1, 'service_offering', 5, 'small', 'Small'),
               (2, 'service_offering', 6, 'large', 'Large'), (3, 'service_offering', 5, 'small', 'Tiny');
             insert into stored_accounts (id, uuid, name) values (2, 'a-2', 'alice'), (3, 'a-3', 'bob');
             with recursive days (day) as (
               select '2013-04-01' union all select date(day, '+1 day') from days where day < '2013-08-31')
             insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
             select day, iif(day = '2013-07-09', 'open', 'closed'), 1, 0, '2013-09-01T00:00:00Z'
             from days where day <> '2013-05-03';
             insert into stored_records
             select a.id, d.day, iif(r.id = 0, 2, 1), r.id, (1 + r.id * 997) * (a.id + julianday(d.day) / 7) / 3
             from stored_accounts a, stored_days d, stored_resources r
             -- A resource has its new name from 10 June.
             where not (r.id = 1 and d.day >= '2013-06-10') and not (r.id = 3 and d.day < '2013-06-10');",
        )
        .unwrap();
    ledger
        .execute_batch(&format!(
            "with recursive ids (id) as (select 4 union all select id + 1 from ids)
             insert into stored_accounts (id, uuid, name) select id, 'a-' || id, 'no. ' || id from ids limit {more};
             insert into stored_records
             select a.id, r.day, r.metric_id, r.resource_id, r.quantity from stored_accounts a, stored_records r
             where a.id > 3 and r.account_id = 2 and r.day like '2013-06-%'"
        ))
        .unwrap();
    drop(ledger);
    let engine = Engine::open_to_write(&(&path).into()).unwrap();
    make_lines_of_records(engine.connection(), &mut |_| ()).unwrap();
    path
}

fn range(first: &str, last: &str) -> DayRange {
    DayRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

/// Account, metric, resource, and all the bits of the quantity.
fn line(account: &str, metric: &str, resource: Option<&str>, quantity: f64) -> String {
    format!("{account} {metric} {resource:?} {:x}", quantity.to_bits())
}

/// What each account used.
fn usage(reader: &mut Reader, range: DayRange) -> Vec<String> {
    let mut lines = Vec::new();
    for account in ["a-2", "a-3"] {
        let usage = reader.account_usage(account, range, &Scope::All);
        let of = |total: &Total| {
            let resource = total.resource_uuid.as_deref();
            line(account, &total.metric, resource, total.quantity)
        };
        lines.extend(usage.unwrap().unwrap().totals.iter().map(of));
    }
    lines.sort();
    lines
}

/// The same, and when, if figures are grouped by time.
fn totals(reader: &mut Reader, range: DayRange, time: Granularity) -> Vec<String> {
    let by = Dimensions {
        account: true,
        offering: true,
        time,
        ..Dimensions::default()
    };
    let zones = Zones::from(Zone::parse("GMT").unwrap());
    let lines = reader.read(|snapshot| {
        let accounts = list_accounts(snapshot, AccountFilter::default(), Page::default())?;
        let question = TotalsQuery {
            accounts: &accounts,
            stretches: None,
            range,
            metrics: &[],
            only: LineChoice::default(),
            by,
            zones: &zones,
            most_sums: usize::MAX,
        };
        let figures = list_totals(snapshot, &question)?;
        let of = |figure: &Figure| {
            let account = &figure.who.account.unwrap().uuid;
            let resource = figure.offering.as_ref().map(|resource| &*resource.uuid);
            let what = line(account, &figure.metric.name, resource, figure.quantity);
            match (figure.month, figure.day) {
                (_, Some(day)) => format!("{what} {day}"),
                (Some(month), None) => format!("{what} {month}"),
                (None, None) => what,
            }
        };
        Ok(figures.iter().map(of).collect::<Vec<_>>())
    });
    let mut lines = lines.unwrap();
    lines.sort();
    lines
}

/// What the accounts used under each SKU, month by month.
fn sku_sums(reader: &Reader, range: DayRange) -> Vec<String> {
    let mut lines = Vec::new();
    for part in list_parts(reader.connection(), range).unwrap() {
        let sums = part.list_sku_sums(reader.connection(), &[2, 3]).unwrap();
        for account_id in [2, 3] {
            let sums = sums.get(&account_id).into_iter().flatten();
            let of = |(sku_id, sum): &SkuSum| format!("{account_id} {sku_id} {:x}", sum.to_bits());
            lines.extend(sums.map(of));
        }
    }
    lines
}

/// All there is to ask.
fn answers(path: &Path) -> Vec<String> {
    let mut reader = Reader::open(&path.into()).unwrap();
    let mut lines = Vec::new();
    for (first, last) in [
        ("2013-04-01", "2013-04-30"),
        ("2013-04-01", "2013-08-31"),
        ("2013-04-17", "2013-08-02"),
        ("2013-06-02", "2013-06-30"),
        ("2013-08-01", "2013-08-30"),
    ] {
        let range = range(first, last);
        let total = totals(&mut reader, range, Granularity::Total);
        assert_eq!(usage(&mut reader, range), total);
        lines.extend(total);
        for time in [Granularity::Month, Granularity::Day] {
            lines.extend(totals(&mut reader, range, time));
        }
        lines.extend(sku_sums(&reader, range));
    }
    lines
}

#[test]
fn sums_change_no_bit_of_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = fill(&folder);
    let before = answers(&path);
    let mut ledger = Ledger::open(&(&path).into(), "GMT", false).unwrap();
    ledger.sum_months().unwrap();
    // May misses a day, and one of July is open.
    let summed = list_months(ledger.connection(), "select month from summed_months").unwrap();
    let summed: Vec<String> = summed.iter().map(Month::to_string).collect();
    assert_eq!(summed, ["2013-04", "2013-06", "2013-08"]);
    assert_eq!(answers(&path), before);
    assert_eq!(list_wrong(&(&path).into(), &mut |_| {}).unwrap(), []);
    // Twice is once.
    ledger.sum_months().unwrap();
    assert_eq!(answers(&path), before);
}

#[test]
fn more_accounts_than_are_asked_for_at_once_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let more = 2 * ACCOUNTS_AT_ONCE + 1;
    let path = fill_with(&folder, more.try_into().unwrap());
    let june = range("2013-06-01", "2013-06-30");
    let mut reader = Reader::open(&(&path).into()).unwrap();
    let before = totals(&mut reader, june, Granularity::Total);
    // Two metrics, and two resources of one of them; the same of everybody but bob.
    assert_eq!(before.len(), (more + 2) * 3);
    let of = |account: &str| -> Vec<String> {
        let lines = before.iter().filter_map(|line| line.strip_prefix(account));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(of("a-2 "), of("a-203 "));
    assert_eq!(of("a-2 ").len(), 3);
    let mut ledger = Ledger::open(&(&path).into(), "GMT", false).unwrap();
    ledger.sum_months().unwrap();
    assert_eq!(totals(&mut reader, june, Granularity::Total), before);
    assert_eq!(list_wrong(&(&path).into(), &mut |_| {}).unwrap(), []);
    let change = "update month_sums set quantity = 1 where account_id in (7, 107, 204)";
    ledger.connection().run(change).unwrap();
    let wrong = list_wrong(&(&path).into(), &mut |_| {}).unwrap();
    assert_eq!((wrong.len(), wrong[0].accounts), (1, 3));
}

#[test]
fn nothing_is_looked_up_in_months_that_the_ledger_has_no_day_of() {
    let folder = tempfile::tempdir().unwrap();
    let reader = Reader::open(&(&fill(&folder)).into()).unwrap();
    let connection = reader.connection();
    let parts = list_parts(connection, range("1970-01-01", "2030-12-31")).unwrap();
    assert_eq!(parts.len(), 61 * 12);
    for part in parts {
        part.list_sums(connection, &[2]).unwrap();
    }
    // April to August of 2013.
    assert_eq!(connection.count_runs(RECORDS).unwrap(), (5, 0));
}

#[test]
fn a_dry_run_adds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = fill(&folder);
    let mut ledger = Ledger::open(&(&path).into(), "GMT", true).unwrap();
    ledger.sum_months().unwrap();
    assert_eq!(list_months_to_sum(ledger.connection()).unwrap().len(), 3);
}

#[test]
fn a_month_whose_sum_is_no_number_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = fill(&folder);
    let mut ledger = Ledger::open(&(&path).into(), "GMT", false).unwrap();
    let sql = "update stored_records set quantity = 1.7e308 where day like '2013-06-%'";
    ledger.connection().run(sql).unwrap();
    ledger.sum_months().unwrap();
    let summed = list_months(ledger.connection(), "select month from summed_months").unwrap();
    assert_eq!(summed.len(), 2);
    let mut reader = Reader::open(&(&path).into()).unwrap();
    let asked = reader.account_usage("a-2", range("2013-06-01", "2013-06-30"), &Scope::All);
    let said = format!("{:#}", asked.unwrap_err());
    assert!(
        said.ends_with("the sum of vm_running is not a number"),
        "{said}"
    );
}

#[test]
fn a_month_that_is_written_meanwhile_is_not_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = fill(&folder);
    let mut ledger = Ledger::open(&(&path).into(), "GMT", false).unwrap();
    ledger.sum_months().unwrap();
    let write = "delete from summed_months where month = '2013-06';
         update stored_records set quantity = quantity + 1 where day = '2013-06-15'";
    std::thread::scope(|scope| {
        let check = scope.spawn(|| {
            (0..500)
                .flat_map(|_| list_wrong(&(&path).into(), &mut |_| {}).unwrap())
                .collect()
        });
        while !check.is_finished() {
            let written = ledger.transaction(|connection, _| connection.run(write));
            written.and_then(|()| ledger.sum_months()).unwrap();
        }
        let wrong: Vec<WrongMonth> = check.join().unwrap();
        assert_eq!(wrong, []);
    });
}
