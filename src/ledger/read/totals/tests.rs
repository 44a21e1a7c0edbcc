//! Totals over a ledger filled by plain SQL, worked out by hand.

use crate::day::DayRange;
use crate::zone::Zone;
use crate::zones::Zones;
use rusqlite::Connection;

use super::*;
use crate::ledger::initialise;
use crate::ledger::month_part::RECORDS;
use crate::ledger::read::accounts::{AccountFilter, find_accounts, list_accounts};
use crate::ledger::read::stretches::list_stretches;
use crate::ledger::read::{Page, Reader};

/// Three accounts in two domains, one of them a project's; October with its 25-hour day, and a day of November.
fn reader(folder: &tempfile::TempDir) -> Reader {
    let path = folder.path().join("usage.db");
    initialise(
        &(&path).into(),
        "Europe/Stockholm",
        "2026-11-02T00:20:00Z",
        &mut |_| (),
    )
    .unwrap();
    let ledger = Connection::open(&path).unwrap();
    ledger
        .execute_batch(
            "insert into metrics values (1, 'vm_running', 'hours', 'service_offering'),
               (2, 'primary_byte_hours', 'byte-hours', null), (3, 'os_usage', 'hours', 'guest_os');
             insert into stored_resources values (1, 'service_offering', 5, 'small-uuid', 'Small'),
               (2, 'service_offering', 5, 'small-uuid', 'Tiny'), (3, 'service_offering', 6, 'large-uuid', 'Large'),
               (4, 'guest_os', 1, 'small-uuid', 'CentOS 6');
             insert into stored_accounts values
               (2, 'a-2', 'zoe', 'd-1', '/acme/', null, null),
               (3, 'a-3', 'bob', 'd-2', '/acme/north/', null, null),
               (4, 'a-4', 'PrjAcct-web-1', 'd-3', '/acmeco/', 'p-4', 'web');
             insert into stored_domains select id, domain_uuid, domain_path, '' from stored_accounts;
             insert into account_states (account_id, since_day, name, domain_id) select id, '1970-01-01', name, id from stored_accounts;
             insert into stored_days (day, state, source_rows, replayed_rows, imported_at) values
               ('2026-10-01', 'closed', 1, 0, '2026-11-02T00:20:00Z'),
               ('2026-10-25', 'closed', 1, 0, '2026-11-02T00:20:00Z'),
               ('2026-11-01', 'open', 1, 0, '2026-11-02T00:20:00Z');
             insert into stored_records values
               (2, '2026-10-01', 1, 1, 24), (2, '2026-10-25', 1, 2, 25), (2, '2026-10-25', 1, 3, 0.5),
               (2, '2026-11-01', 1, 3, 0.25), (2, '2026-10-01', 3, 4, 24),
               (3, '2026-10-25', 2, 0, 799937658880000), (3, '2026-11-01', 2, 0, 773094113280000),
               (4, '2026-11-01', 1, 3, 7);",
        )
        .unwrap();
    Reader::open(&(&path).into()).unwrap()
}

/// Every figure as a line.
fn totals(metrics: &[&str], by: Dimensions) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let zones = Zones::from(Zone::parse("Europe/Stockholm").unwrap());
    let metrics: Vec<String> = metrics.iter().map(|name| (*name).to_owned()).collect();
    let range =
        DayRange::new("2026-10-01".parse().unwrap(), "2026-11-01".parse().unwrap()).unwrap();
    reader(&folder)
        .read(|snapshot| {
            let accounts = list_accounts(snapshot, AccountFilter::default(), Page::default())?;
            let stretches = list_stretches(snapshot, &accounts)?;
            let question = TotalsQuery {
                accounts: &accounts,
                stretches: Some(&stretches),
                range,
                metrics: &metrics,
                only: LineChoice::default(),
                by,
                zones: &zones,
                most_sums: usize::MAX,
            };
            Ok(list_totals(snapshot, &question)?.iter().map(line).collect())
        })
        .unwrap()
}

fn line(figure: &Figure) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or("-".to_owned());
    format!(
        "{} {} {} {} {} {} {} {}",
        figure.who.account.map_or("-", |account| &account.name),
        figure.who.domain_path.unwrap_or("-"),
        figure.who.project_name.unwrap_or("-"),
        figure.metric.name,
        figure.offering.as_ref().map_or("-", |one| &one.name),
        or_dash(
            figure
                .day
                .map(|day| day.to_string())
                .or(figure.month.map(|month| month.to_string()))
        ),
        figure.quantity,
        or_dash(figure.gib_months.map(|gib| gib.to_string())),
    )
}

#[test]
fn everything_in_one_figure_a_metric() {
    // 799937658880000 byte-hours are 745,000 GiB-hours, and October has 745 hours; November's 720,000 are a
    // thousand GiB in 720.
    assert_eq!(
        totals(&[], Dimensions::default()),
        [
            "- - - os_usage - - 24 -",
            "- - - primary_byte_hours - - 1573031772160000 2000",
            "- - - vm_running - - 56.75 -",
        ]
    );
}

#[test]
fn by_account_resource_and_month() {
    let by = Dimensions {
        account: true,
        offering: true,
        time: Granularity::Month,
        ..Dimensions::default()
    };
    assert_eq!(
        totals(&["vm_running", "primary_byte_hours"], by),
        [
            "PrjAcct-web-1 /acmeco/ web vm_running Large 2026-11 7 -",
            "bob /acme/north/ - primary_byte_hours - 2026-10 799937658880000 1000",
            "bob /acme/north/ - primary_byte_hours - 2026-11 773094113280000 1000",
            "zoe /acme/ - vm_running Large 2026-10 0.5 -",
            "zoe /acme/ - vm_running Large 2026-11 0.25 -",
            "zoe /acme/ - vm_running Tiny 2026-10 49 -",
        ]
    );
}

#[test]
fn by_domain_and_day() {
    let by = Dimensions {
        domain: true,
        time: Granularity::Day,
        ..Dimensions::default()
    };
    assert_eq!(
        totals(&["vm_running"], by),
        [
            "- /acme/ - vm_running - 2026-10-01 24 -",
            "- /acme/ - vm_running - 2026-10-25 25.5 -",
            "- /acme/ - vm_running - 2026-11-01 0.25 -",
            "- /acmeco/ - vm_running - 2026-11-01 7 -",
        ]
    );
}

#[test]
fn by_project() {
    let by = Dimensions {
        project: true,
        ..Dimensions::default()
    };
    assert_eq!(
        totals(&["vm_running"], by),
        ["- - - vm_running - - 49.75 -", "- - web vm_running - - 7 -"]
    );
}

#[test]
fn more_sums_than_may_be_held_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let zones = Zones::from(Zone::parse("Europe/Stockholm").unwrap());
    let range =
        DayRange::new("2026-10-01".parse().unwrap(), "2026-11-01".parse().unwrap()).unwrap();
    // One account's three days make two months of two metrics, of which one was used in one month only.
    for (metrics, time, sums) in [
        (&[][..], Granularity::Total, 3),
        (&[], Granularity::Day, 4),
        (&["vm_running"], Granularity::Month, 2),
        (&["vm_running"], Granularity::Day, 3),
        (&["os_usage"], Granularity::Day, 1),
    ] {
        let metrics: Vec<String> = metrics.iter().map(|name| (*name).to_owned()).collect();
        let listed = |most_sums| {
            reader(&tempfile::tempdir_in(&folder).unwrap()).read(|snapshot| {
                let question = TotalsQuery {
                    accounts: &find_accounts(snapshot, "zoe")?,
                    stretches: None,
                    range,
                    metrics: &metrics,
                    only: LineChoice::default(),
                    by: Dimensions {
                        time,
                        ..Dimensions::default()
                    },
                    zones: &zones,
                    most_sums,
                };
                Ok(list_totals(snapshot, &question)?.len())
            })
        };
        assert!(listed(sums).is_ok(), "{metrics:?} {time:?}");
        let err = listed(sums - 1).unwrap_err();
        assert_eq!(err.downcast_ref(), Some(&TooManySums), "{err:#}");
    }
}

#[test]
fn accounts_are_found_by_what_people_know_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let names = |filter: AccountFilter, page: Page, reader: &mut Reader| -> Vec<String> {
        reader
            .read(|snapshot| list_accounts(snapshot, filter, page))
            .unwrap()
            .into_iter()
            .map(|account| account.name)
            .collect()
    };
    let all = AccountFilter::default();
    let page = Page::default();
    assert_eq!(
        names(all, page, &mut reader),
        ["PrjAcct-web-1", "bob", "zoe"]
    );
    let second = Page {
        limit: Some(1),
        offset: 1,
    };
    assert_eq!(names(all, second, &mut reader), ["bob"]);
    for (search, expected) in [
        ("BO", "bob"),
        ("p-4", "PrjAcct-web-1"),
        ("north", "bob"),
        ("A-2", "zoe"),
    ] {
        let filter = AccountFilter {
            search: Some(search),
            ..all
        };
        assert_eq!(names(filter, page, &mut reader), [expected], "{search}");
    }
    let only = [3, 99].into();
    let filter = AccountFilter {
        only: Some(&only),
        ..all
    };
    assert_eq!(names(filter, page, &mut reader), ["bob"]);
    for (key, expected) in [
        ("a-2", "zoe"),
        ("p-4", "PrjAcct-web-1"),
        ("web", "PrjAcct-web-1"),
        ("bob", "bob"),
    ] {
        let found = reader
            .read(|snapshot| find_accounts(snapshot, key))
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, expected);
    }
    let nobody = reader
        .read(|snapshot| find_accounts(snapshot, "bo"))
        .unwrap();
    assert_eq!(nobody, []);
}

/// Thirds and tenths, which no sum of floating-point numbers holds exactly.
#[test]
fn months_add_up_to_the_total_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let ledger = Connection::open(folder.path().join("usage.db")).unwrap();
    ledger
        .execute_batch("begin; delete from stored_records; delete from stored_days")
        .unwrap();
    let range =
        DayRange::new("2025-12-01".parse().unwrap(), "2026-11-30".parse().unwrap()).unwrap();
    for (number, day) in (1u32..).zip(range.days()) {
        let day = day.to_string();
        let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
                   values (?, 'closed', 1, 0, '2026-11-02T00:20:00Z')";
        ledger.execute(sql, [&day]).unwrap();
        for account in 2..5 {
            for resource in 1..4 {
                let quantity =
                    f64::from(number * 7919 % 1000 * account) / 3.0 + 0.1 * f64::from(resource);
                let sql = "insert into stored_records values (?, ?, 1, ?, ?)";
                ledger
                    .execute(sql, (account, &day, resource, quantity))
                    .unwrap();
            }
        }
    }
    ledger.execute_batch("commit").unwrap();
    let zones = Zones::from(Zone::parse("Europe/Stockholm").unwrap());
    let sums = |snapshot: &Snapshot, by: Dimensions| -> anyhow::Result<Vec<(String, f64)>> {
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
        let mut sums: BTreeMap<String, CompensatedSum> = BTreeMap::new();
        for figure in list_totals(snapshot, &question)? {
            let key = format!(
                "{:?} {:?}",
                figure.who.account.map(|account| &account.name),
                figure.offering.map(|one| one.name.clone())
            );
            sums.entry(key).or_default().add(figure.quantity);
        }
        Ok(sums
            .into_iter()
            .map(|(key, sum)| (key, sum.value()))
            .collect())
    };
    for (account, offering) in [(true, true), (true, false), (false, true), (false, false)] {
        let by = |time| Dimensions {
            account,
            offering,
            time,
            ..Dimensions::default()
        };
        let (total, months) = reader
            .read(|snapshot| {
                Ok((
                    sums(snapshot, by(Granularity::Total))?,
                    sums(snapshot, by(Granularity::Month))?,
                ))
            })
            .unwrap();
        assert_eq!(total, months);
        assert!(total[0].1 > 10_000.0);
    }
}

#[test]
fn accounts_and_names_are_asked_for_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder);
    let zones = Zones::from(Zone::parse("Europe/Stockholm").unwrap());
    let range =
        DayRange::new("2026-10-01".parse().unwrap(), "2026-11-01".parse().unwrap()).unwrap();
    let count = reader.read(|snapshot| {
        let accounts = list_accounts(snapshot, AccountFilter::default(), Page::default())?;
        let question = TotalsQuery {
            accounts: &accounts,
            stretches: None,
            range,
            metrics: &[],
            only: LineChoice::default(),
            by: Dimensions {
                offering: true,
                ..Dimensions::default()
            },
            zones: &zones,
            most_sums: usize::MAX,
        };
        Ok(list_totals(snapshot, &question)?.len())
    });
    assert_eq!(count.unwrap(), 4);
    let connection = reader.connection();
    // Three accounts in two months; all resources are among those of October.
    assert_eq!(connection.count_runs(RECORDS).unwrap().0, 2);
    assert_eq!(connection.count_runs(super::names::RESOURCES).unwrap().0, 1);
}
