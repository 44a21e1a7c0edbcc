//! Accounts that move, are renamed, and domains that get another one's path, worked out by hand. Everybody uses 24 hours
//! of `vm_running` on each day from 2026-07-01 to 08-02, but for the two of the path that is given again.

use rusqlite::Connection;

use super::*;
use crate::ledger::initialise;
use crate::ledger::read::Reader;
use crate::ledger::read::totals::{Dimensions, Granularity, LineChoice, TotalsQuery, list_totals};
use crate::scope::{ScopeLimits, parse_domains, parse_uuids};
use crate::zone::Zone;
use crate::zones::Zones;

/// July is closed and added up. `x` is the account of /acme/ with 24 hours on July 3rd, `y` that of the later /acme/ with
/// 7 hours on July 20th. `mover` is in /a/ until July 10th, then in /b/; it is called so until July 31st, then `gone`.
/// /b/ is called /c/ from July 21st on; `stayer` is in it. `below` is in /a/sub/.
const LEDGER: &str = "
    insert into metrics values (1, 'vm_running', 'hours', 'service_offering');
    insert into stored_resources values (1, 'service_offering', 5, 'small-uuid', 'Small');
    insert into stored_accounts (id, uuid, name, project_uuid) values (1, 'x-uuid', 'x', null), (2, 'y-uuid', 'y', null),
      (3, 'm-uuid', 'gone', 'p-uuid'), (4, 's-uuid', 'stayer', null), (5, 'b-uuid', 'below', null);
    insert into stored_domains values (1, 'X', '/acme/', '/R/X/'), (2, 'Y', '/acme/', '/R/Y/'),
      (3, 'A', '/a/', '/R/A/'), (4, 'B', '/b/', '/R/B/'), (5, 'B', '/c/', '/R/B/'), (6, 'S', '/a/sub/', '/R/A/S/');
    insert into account_states (account_id, since_day, name, domain_id) values (1, '1970-01-01', 'x', 1), (2, '2026-07-20', 'y', 2),
      (3, '1970-01-01', 'mover', 3), (3, '2026-07-11', 'mover', 4), (3, '2026-07-21', 'mover', 5),
      (3, '2026-08-01', 'gone', 5), (4, '1970-01-01', 'stayer', 4), (4, '2026-07-21', 'stayer', 5),
      (5, '1970-01-01', 'below', 6);
    with recursive n (i) as (select 0 union all select i + 1 from n where i < 32)
    insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
      select date('2026-07-01', i || ' days'), 'closed', 1, 0, '2026-08-03T00:20:00Z' from n;
    insert into stored_records select a.id, d.day, 1, 1, 24 from stored_accounts a, stored_days d where a.id >= 3;
    insert into stored_records values (1, '2026-07-03', 1, 1, 24), (2, '2026-07-20', 1, 1, 7);
    insert into summed_months values ('2026-07');
    insert into month_sums select account_id, '2026-07', 1, 1, sum(quantity) from stored_records
      where day < '2026-08-01' group by account_id;";

fn reader(folder: &tempfile::TempDir, more: &str) -> Reader {
    let path = folder.path().join("usage.db");
    initialise(&(&path).into(), "GMT", "2026-08-03T00:20:00Z", &mut |_| ()).unwrap();
    let ledger = Connection::open(&path).unwrap();
    ledger.execute_batch(LEDGER).unwrap();
    ledger.execute_batch(more).unwrap();
    Reader::open(&(&path).into()).unwrap()
}

fn range(first: &str, last: &str) -> DayRange {
    DayRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

fn july() -> DayRange {
    range("2026-07-01", "2026-07-31")
}

const BY_DOMAIN: Dimensions = Dimensions {
    account: false,
    domain: true,
    project: false,
    offering: false,
    zone: false,
    sku: false,
    disk_offering: false,
    resource: false,
    time: Granularity::Total,
};

const BY_ACCOUNT: Dimensions = Dimensions {
    account: true,
    domain: false,
    ..BY_DOMAIN
};

/// Each total as a line: account, uuid and path of its domain, hours.
fn totals(
    snapshot: &Snapshot,
    mut selection: Selection,
    range: DayRange,
    by: Dimensions,
) -> anyhow::Result<Vec<String>> {
    selection.cut(range);
    let question = TotalsQuery {
        accounts: &selection.accounts,
        stretches: Some(&selection.stretches),
        range,
        metrics: &[],
        only: LineChoice::default(),
        by,
        zones: &Zones::from(Zone::parse("GMT")?),
        most_sums: usize::MAX,
    };
    let figures = list_totals(snapshot, &question)?;
    let line = |who: &crate::ledger::read::totals::Who, hours: f64| {
        format!(
            "{} {} {} {hours}",
            who.account.map_or("-", |account| &account.name),
            who.domain_uuid.unwrap_or("-"),
            who.domain_path.unwrap_or("-"),
        )
    };
    let lines = figures.iter().map(|one| line(&one.who, one.quantity));
    Ok(lines.collect())
}

fn scope(domains: &str, uuids: &str) -> Scope {
    Scope::Only(ScopeLimits {
        accounts: parse_uuids(uuids).unwrap(),
        domains: parse_domains(domains).unwrap(),
        ..ScopeLimits::default()
    })
}

/// The totals of what a scope has.
fn seen(reader: &mut Reader, scope: &Scope, range: DayRange, by: Dimensions) -> Vec<String> {
    let read = reader.read(|snapshot| {
        let known = KnownScope::load(snapshot, scope)?;
        totals(snapshot, select(snapshot, &known, None)?, range, by)
    });
    read.unwrap()
}

/// The totals of a domain by account; none: there is no such domain.
fn of_domain(reader: &mut Reader, text: &str) -> Option<Vec<String>> {
    let read = reader.read(|snapshot| {
        let Some(found) = Domains::load(snapshot)?.find(snapshot, text)? else {
            return Ok(None);
        };
        let known = KnownScope::load(snapshot, &Scope::All)?;
        let selection = select(snapshot, &known, Some(&found))?;
        totals(snapshot, selection, july(), BY_ACCOUNT).map(Some)
    });
    read.unwrap()
}

#[test]
fn an_account_counts_for_each_domain_on_the_days_that_it_was_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder, "");
    // The mover has 10 days in A and 21 in B, the stayer 31 in B, which is called /c/ at the end: 240, 504 and 744 hours.
    assert_eq!(
        seen(&mut reader, &Scope::All, july(), BY_DOMAIN),
        [
            "- A /a/ 240",
            "- S /a/sub/ 744",
            "- X /acme/ 24",
            "- Y /acme/ 7",
            "- B /c/ 1248"
        ]
    );
    assert_eq!(
        seen(
            &mut reader,
            &Scope::All,
            range("2026-07-10", "2026-07-12"),
            BY_DOMAIN
        ),
        ["- A /a/ 24", "- S /a/sub/ 72", "- B /b/ 120"]
    );
}

#[test]
fn an_account_is_called_what_it_was_called_last_within_the_range() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder, "");
    let m = scope("", "m-uuid");
    assert_eq!(
        seen(&mut reader, &m, july(), BY_ACCOUNT),
        ["mover B /c/ 744"]
    );
    let ten_days = range("2026-07-01", "2026-07-10");
    assert_eq!(
        seen(&mut reader, &m, ten_days, BY_ACCOUNT),
        ["mover A /a/ 240"]
    );
    let both = range("2026-07-01", "2026-08-02");
    assert_eq!(seen(&mut reader, &m, both, BY_ACCOUNT), ["gone B /c/ 792"]);
}

#[test]
fn a_path_means_the_domain_that_has_it_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder, "");
    for (text, expected) in [
        ("/acme/", ["y Y /acme/ 7"].as_slice()),
        ("acme", &["y Y /acme/ 7"]),
        ("X", &["x X /acme/ 24"]),
        ("Y", &["y Y /acme/ 7"]),
        ("/a/", &["below S /a/sub/ 744", "mover A /a/ 240"]),
        // Under either of its paths it is the same domain.
        ("/b/", &["mover B /c/ 504", "stayer B /c/ 744"]),
        ("/c/", &["mover B /c/ 504", "stayer B /c/ 744"]),
        // No account is in the root itself: it is known from lineages.
        (
            "/",
            &[
                "below S /a/sub/ 744",
                "mover B /c/ 744",
                "stayer B /c/ 744",
                "x X /acme/ 24",
                "y Y /acme/ 7",
            ],
        ),
        (
            "R",
            &[
                "below S /a/sub/ 744",
                "mover B /c/ 744",
                "stayer B /c/ 744",
                "x X /acme/ 24",
                "y Y /acme/ 7",
            ],
        ),
    ] {
        assert_eq!(of_domain(&mut reader, text).unwrap(), expected, "{text}");
        let scope = Scope::Only(ScopeLimits {
            domains: [text.to_owned()].into(),
            ..ScopeLimits::default()
        });
        assert_eq!(
            seen(&mut reader, &scope, july(), BY_ACCOUNT),
            expected,
            "{text}"
        );
    }
    for unknown in ["/acm/", "x", "/a/sub/sub/", "/A/"] {
        assert_eq!(of_domain(&mut reader, unknown), None, "{unknown}");
    }
}

#[test]
fn a_domain_that_gets_its_path_back_is_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let back = "insert into stored_domains values (7, 'X', '/old/', '/R/X/');
                insert into account_states (account_id, since_day, name, domain_id) values (1, '2026-07-10', 'x', 7), (1, '2026-07-25', 'x', 1);";
    let mut reader = reader(&folder, back);
    assert_eq!(of_domain(&mut reader, "/acme/").unwrap(), ["x X /acme/ 24"]);
}

#[test]
fn without_lineages_paths_tell_what_is_below_unless_another_domain_has_had_them() {
    let folder = tempfile::tempdir().unwrap();
    // As an older version has left it: states since ever, and one more account of X below /acme/.
    let old = "update stored_domains set lineage = '';
               update account_states set since_day = '1970-01-01' where account_id = 2;
               insert into stored_domains values (7, 'XS', '/acme/sub/', '');
               update account_states set domain_id = 7 where account_id = 5;";
    let mut reader = reader(&folder, old);
    assert_eq!(of_domain(&mut reader, "/acme/").unwrap(), ["y Y /acme/ 7"]);
    assert_eq!(of_domain(&mut reader, "X").unwrap(), ["x X /acme/ 24"]);
    assert_eq!(
        of_domain(&mut reader, "/acme/sub/").unwrap(),
        ["below XS /acme/sub/ 744"]
    );
    assert_eq!(of_domain(&mut reader, "/a/").unwrap(), ["mover A /a/ 240"]);
    assert_eq!(of_domain(&mut reader, "/").unwrap().len(), 5);
    let found = reader
        .read(|snapshot| Domains::load(snapshot)?.find(snapshot, "/acme/"))
        .unwrap()
        .unwrap();
    assert_eq!(found.namesakes, ["X".to_owned()].into());
}

#[test]
fn a_user_sees_an_account_on_the_days_that_it_was_in_the_domain() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder, "");
    let mut hidden = |domains: &str| {
        let read = reader.read(|snapshot| {
            let scope = scope(domains, "");
            let known = KnownScope::load(snapshot, &scope)?;
            let selection = select(snapshot, &known, None)?;
            let names = selection.accounts.iter().map(|one| one.name.clone());
            let seen = find_account(snapshot, "p-uuid", &scope)?;
            let seen = seen.map(|seen| seen.account.domain_uuid);
            Ok((names.collect::<Vec<_>>(), selection.hidden_days()?, seen))
        });
        read.unwrap()
    };
    // Under the name and in the domain that it had when it was last seen.
    let a = vec!["below".to_owned(), "mover".to_owned()];
    assert_eq!(
        hidden("/a/"),
        (
            a,
            Some(r#"[[3,"2026-07-11","9999-12-30"]]"#.to_owned()),
            Some(Some("A".to_owned()))
        )
    );
    let b = vec!["gone".to_owned(), "stayer".to_owned()];
    assert_eq!(
        hidden("B-UUID-THAT-IS-NOT-THERE /c/"),
        (
            b,
            Some(r#"[[3,"1970-01-01","2026-07-10"]]"#.to_owned()),
            Some(Some("B".to_owned()))
        )
    );
    assert_eq!(hidden("/acme/"), (vec!["y".to_owned()], None, None));
}

#[test]
fn usage_of_an_account_has_no_other_days() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = reader(&folder, "");
    let mut hours = |domains: &str, uuid: &str| {
        let scope = scope(domains, "");
        let usage = reader.account_usage(uuid, july(), &scope).unwrap()?;
        Some(usage.totals.iter().map(|total| total.quantity).sum::<f64>())
    };
    assert_eq!(hours("/a/", "m-uuid"), Some(240.0));
    assert_eq!(hours("/b/", "m-uuid"), Some(504.0));
    assert_eq!(hours("/a/ /b/", "m-uuid"), Some(744.0));
    assert_eq!(hours("/acme/", "m-uuid"), None);
    assert_eq!(hours("/acme/", "x-uuid"), None);
    assert_eq!(hours("/acme/", "y-uuid"), Some(7.0));
}

/// Nobody has used anything in /new/ or as `idle`, who is in /c/: a list has the account, and no such domain is known.
#[test]
fn an_account_that_has_used_nothing_is_in_its_own_domain() {
    let folder = tempfile::tempdir().unwrap();
    let idle = "insert into stored_accounts (id, uuid, name, domain_uuid, domain_path)
                values (6, 'i-uuid', 'idle', 'B', '/c/'), (7, 'n-uuid', 'new', 'N', '/new/');";
    let mut reader = reader(&folder, idle);
    let mut names = |domains: &str| -> Vec<String> {
        let read = reader.read(|snapshot| {
            let scope = scope(domains, "");
            let known = KnownScope::load(snapshot, &scope)?;
            select(snapshot, &known, None)
        });
        let accounts = read.unwrap().accounts.into_iter();
        accounts.map(|account| account.name).collect()
    };
    assert_eq!(names("/b/"), ["gone", "idle", "stayer"]);
    assert_eq!(names("/new/"), [""; 0]);
    assert_eq!(names("/a/"), ["below", "mover"]);
}

/// Of two domains that an older version knew under one path, the one with the newer account has it now.
#[test]
fn without_days_the_newest_account_tells_whose_a_path_is() {
    for (x, y, hours) in [(8, 9, ["y Y /acme/ 7"]), (9, 8, ["x X /acme/ 24"])] {
        let folder = tempfile::tempdir().unwrap();
        let old = format!(
            "insert into stored_accounts (id, uuid, name) values ({x}, 'x2', 'x'), ({y}, 'y2', 'y');
             update stored_domains set lineage = '';
             update account_states set since_day = '1970-01-01' where account_id = 2;
             insert into account_states (account_id, since_day, name, domain_id) values ({x}, '1970-01-01', 'x', 1), ({y}, '1970-01-01', 'y', 2);"
        );
        let mut reader = reader(&folder, &old);
        assert_eq!(of_domain(&mut reader, "/acme/").unwrap(), hours);
    }
}
