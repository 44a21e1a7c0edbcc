//! Ledgers that are made, upgraded and refused.

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::ledger::Ledger;
use crate::ledger::backup::backup;

#[test]
fn the_list_of_migrations_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "0001_ledger.sql",
            "0002_proof.sql",
            "0003_months.sql",
            "0004_age.sql",
            "0005_refusals.sql",
            "0006_runs.sql",
            "0007_timezones.sql",
            "0008_lines.sql",
            "mysql"
        ]
    );
    assert_eq!(MIGRATIONS.len(), names.len() - 1);
}

#[test]
fn initialising_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let now = "2013-06-02T00:20:00Z";
    assert_eq!(
        initialise(&(&path).into(), "GMT", now, &mut |_| ()).unwrap(),
        Initialised::Created
    );
    assert_eq!(
        initialise(&(&path).into(), "GMT", "2014-01-01T00:00:00Z", &mut |_| ()).unwrap(),
        Initialised::Current
    );
    let created: String = Connection::open(&path)
        .unwrap()
        .query_row("select created_at from ledgers", [], |row| row.get(0))
        .unwrap();
    assert_eq!(created, now);
}

#[test]
fn a_ledger_without_days_takes_another_zone_and_one_with_days_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let now = "2013-06-02T00:20:00Z";
    initialise(&(&path).into(), "GMT", now, &mut |_| ()).unwrap();
    assert_eq!(
        initialise(&(&path).into(), "Europe/Stockholm", now, &mut |_| ()).unwrap(),
        Initialised::Current
    );
    let ledger = Ledger::open(&(&path).into(), "Asia/Tokyo", false).unwrap();
    assert_eq!(ledger.zones().name(), "Asia/Tokyo");
    let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at) \
               values ('2013-06-01', 'closed', 0, 0, '2013-06-02T00:20:00Z')";
    ledger.connection().run(sql).unwrap();
    drop(ledger);
    let message = "its days are those of Asia/Tokyo, main.timezone says GMT: write main.timezone = Asia/Tokyo, or \
                   move the ledger by rbc-usage rezone GMT --from DAY";
    let other = initialise(&(&path).into(), "GMT", now, &mut |_| ()).unwrap_err();
    assert!(format!("{other:#}").ends_with(message), "{other:#}");
    let other = Ledger::open(&(&path).into(), "GMT", false).err().unwrap();
    assert!(format!("{other:#}").ends_with(message), "{other:#}");
}

/// An empty ledger as an older version made it.
fn of_schema(version: usize, path: &Path) -> Connection {
    let old = Connection::open(path).unwrap();
    for migration in &MIGRATIONS[..version] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "user_version", version).unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    old
}

#[test]
fn a_ledger_of_the_first_schema_keeps_its_days() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let old = of_schema(1, &path);
    old.execute_batch(
        "insert into ledgers values (1, 'GMT', '2013-06-02T00:20:00Z');
         insert into stored_days values ('2013-06-01', 'closed', 3, 1, '2013-06-02T00:20:00Z'),
           ('2013-06-02', 'closed', 0, 0, '2013-06-03T00:20:00Z');
         insert into metrics values (1, 'vpc', 'hours', null), (2, 'network', 'hours', null);
         insert into stored_accounts (id, uuid, name) values (2, 'a-2', 'alice'), (3, 'a-3', 'bob');
         insert into stored_records values (2, '2013-06-01', 1, 0, 24), (2, '2013-06-01', 2, 0, 24),
           (3, '2013-06-01', 1, 0, 24);",
    )
    .unwrap();
    drop(old);
    let now = "2014-01-01T00:00:00Z";
    assert_eq!(
        initialise(&(&path).into(), "GMT", now, &mut |_| ()).unwrap(),
        Initialised::Upgraded {
            from: 1,
            without_lines: Some(("2013-06-01".parse().unwrap(), "2013-06-02".parse().unwrap())),
        }
    );
    let day: (String, i64, Option<String>) = Connection::open(&path)
        .unwrap()
        .query_row("select state, source_rows, sealed_at from days", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
        .unwrap();
    assert_eq!(day, ("closed".to_owned(), 3, None));
    let upgraded = Connection::open(&path).unwrap();
    let counts = |day: &str| -> (i64, i64) {
        let sql = "select records, accounts from stored_days where day = ?1";
        upgraded
            .query_row(sql, [day], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap()
    };
    assert_eq!(
        (counts("2013-06-01"), counts("2013-06-02")),
        ((3, 2), (0, 0))
    );
}

/// One refusal somebody has looked at, one not, and one of a sealed day whose rows were purged: that is routine now.
#[test]
fn refusals_of_a_ledger_from_before_they_had_a_table_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let old = of_schema(3, &path);
    let gone = "the source has no rows of it any more; what 2 rows gave is kept";
    old.execute_batch(&format!(
        "insert into ledgers (only, timezone, created_at) values (1, 'GMT', '2013-06-02T00:20:00Z');
         insert into stored_days (day, state, source_rows, replayed_rows, imported_at, sealed_at) values
           ('2013-06-01', 'closed', 2, 0, '2013-06-02T00:20:00Z', '2013-07-02T00:20:00Z'),
           ('2013-06-02', 'closed', 2, 0, '2013-06-03T00:20:00Z', null),
           ('2013-06-03', 'closed', 2, 0, '2013-06-04T00:20:00Z', null);
         insert into stored_findings (day, kind, detail) values ('2013-06-01', 'refused', '{gone}'),
           ('2013-06-02', 'refused', '{gone}'), ('2013-06-03', 'refused', 'row 7'), ('2013-06-03', 'no_rows', 'x');
         insert into acknowledgements values ('2013-06-02', 'refused', 0, 0, '', '{gone}', 'known', '2013-06-09T00:00:00Z');"
    ))
    .unwrap();
    drop(old);
    initialise(&(&path).into(), "GMT", "2014-01-01T00:00:00Z", &mut |_| ()).unwrap();
    let upgraded = Connection::open(&path).unwrap();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = upgraded.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    assert_eq!(
        list(
            "select id || ' ' || day || ' ' || kind || ' ' || coalesce(reason, '-') from findings order by id"
        ),
        [
            "2 2013-06-02 refused known",
            "3 2013-06-03 refused -",
            "4 2013-06-03 no_rows -"
        ]
    );
    assert_eq!(
        list("select day || ' ' || source_gone || ' ' || since from stored_refusals"),
        [
            "2013-06-02 1 2013-06-03T00:20:00Z",
            "2013-06-03 0 2013-06-04T00:20:00Z"
        ]
    );
    assert_eq!(
        list("select cast(findings as text) from days"),
        ["0", "1", "2"]
    );
}

#[test]
fn gaps_and_acknowledgements_of_an_older_ledger_are_kept_with_its_days_and_findings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let old = of_schema(3, &path);
    old.execute_batch(
        "insert into ledgers (only, timezone, created_at) values (1, 'GMT', '2013-06-02T00:20:00Z');
         insert into stored_days (day, state, source_rows, replayed_rows, imported_at) values
           ('2013-06-01', 'closed', 3, 1, '2013-06-02T00:20:00Z'), ('2013-06-02', 'closed', 0, 0, ''),
           ('2013-06-06', 'closed', 0, 0, '');
         insert into stored_findings (day, kind, resource, detail) values
           ('2013-06-01', 'replayed_rows', null, '2 rows'), ('2013-06-02', 'unresolved', 'vm:12', 'unknown');
         insert into acknowledgements values
           ('2013-06-01', 'replayed_rows', 0, 0, '', '2 rows', 'seen', '2013-06-03T00:00:00Z');",
    )
    .unwrap();
    drop(old);
    initialise(&(&path).into(), "GMT", "2014-01-01T00:00:00Z", &mut |_| ()).unwrap();
    let ledger = Connection::open(&path).unwrap();
    let kept = || -> (String, String) {
        let sql = "select (select group_concat(day || ' ' || gap_before) from stored_days where gap_before > 0), \
                   (select group_concat(id || ' ' || acknowledged) from stored_findings)";
        ledger
            .query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap()
    };
    let kept = kept();
    assert_eq!(kept, ("2013-06-06 3".to_owned(), "1 1,2 0".to_owned()));
}

/// Equal was not enough where rows lie across midnight: their zone may be a wrong one.
#[test]
fn a_day_with_rows_across_midnight_is_to_be_verified_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.db");
    let old = of_schema(6, &path);
    old.execute_batch(
        "insert into ledgers (only, timezone, created_at) values (1, 'GMT', '2013-06-02T00:20:00Z');
         insert into stored_days (day, state, source_rows, replayed_rows, imported_at, verified_at, sealed_at) values
           ('2013-06-01', 'closed', 2, 0, '2013-06-02T00:20:00Z', '2013-06-02T00:30:00Z', '2013-07-02T00:20:00Z'),
           ('2013-06-02', 'closed', 2, 0, '2013-06-03T00:20:00Z', '2013-06-03T00:30:00Z', null),
           ('2013-06-03', 'closed', 2, 0, '2013-06-04T00:20:00Z', '2013-06-04T00:30:00Z', null);
         insert into stored_findings (day, kind, detail) values
           ('2013-06-01', 'spans_midnight', '1 row'), ('2013-06-02', 'spans_midnight', '1 row');",
    )
    .unwrap();
    drop(old);
    initialise(&(&path).into(), "GMT", "2014-01-01T00:00:00Z", &mut |_| ()).unwrap();
    let ledger = Connection::open(&path).unwrap();
    let days = "select group_concat(day || ' ' || coalesce(verified_at, '-')) from stored_days";
    let days: String = ledger.query_row(days, [], |row| row.get(0)).unwrap();
    let (sealed, equal) = ("2013-06-02T00:30:00Z", "2013-06-04T00:30:00Z");
    assert_eq!(
        days,
        format!("2013-06-01 {sealed},2013-06-02 -,2013-06-03 {equal}")
    );
}

#[test]
fn refuses_what_is_not_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let (text, other, newer) = (
        folder.path().join("text"),
        folder.path().join("other"),
        folder.path().join("newer"),
    );
    std::fs::write(
        &text,
        "a text that is long enough to have room for the head of a database file, which it is not",
    )
    .unwrap();
    Connection::open(&other)
        .unwrap()
        .execute_batch("create table things (id integer)")
        .unwrap();
    initialise(&(&newer).into(), "GMT", "2013-06-02T00:20:00Z", &mut |_| ()).unwrap();
    Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    for (path, message) in [
        (
            &text,
            format!("ledger {}: not a ledger of rbc-usage", text.display()),
        ),
        (
            &other,
            format!("ledger {}: not a ledger of rbc-usage", other.display()),
        ),
        (
            &newer,
            format!(
                "ledger {}: its schema 99 is newer than this program's {SCHEMA_VERSION}: use a newer rbc-usage",
                newer.display()
            ),
        ),
    ] {
        let before = std::fs::read(path).unwrap();
        assert_eq!(
            format!(
                "{:#}",
                initialise(&path.into(), "GMT", "2013-06-02T00:20:00Z", &mut |_| ()).unwrap_err()
            ),
            message
        );
        let opened = Ledger::open(&path.into(), "GMT", false).err().unwrap();
        assert_eq!(format!("{opened:#}"), message);
        let copy = folder.path().join("copy.db");
        let copied = backup(&path.into(), &copy, "2013-06-02T00:20:00Z", &mut |_| ()).unwrap_err();
        assert_eq!(format!("{copied:#}"), message);
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}
