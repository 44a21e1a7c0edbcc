//! Which tables a ledger has: the migrations, how `initdb` applies them, and which version a ledger is of. Those of a file
//! are here, those of a cluster's database in `cluster`.

mod cluster;
mod version;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, bail, ensure};

use super::carry_over::make_lines_of_records;
use super::engine::{APPLICATION_ID, Engine, NOT_A_LEDGER, READ_ONLY, explained, ledger_at};
use super::step::Step;
use super::timezones;
use crate::config::LedgerUri;
use crate::day::Day;
use crate::db::{Connection, params};

use version::insist_on_version;
pub use version::{Initialised, OtherSchema};

/// What `initdb` brings a ledger to.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Every migration in order; the version of a ledger is the number of those it has had.
const MIGRATIONS: [&str; 8] = [
    include_str!("../../migrations/0001_ledger.sql"),
    include_str!("../../migrations/0002_proof.sql"),
    include_str!("../../migrations/0003_months.sql"),
    include_str!("../../migrations/0004_age.sql"),
    include_str!("../../migrations/0005_refusals.sql"),
    include_str!("../../migrations/0006_runs.sql"),
    include_str!("../../migrations/0007_timezones.sql"),
    include_str!("../../migrations/0008_lines.sql"),
];

/// The first version that has lines.
const WITH_LINES: i64 = 8;

/// Creates the ledger, a file with mode 0600, or brings it to this program's schema. `timezone` is written into a new
/// ledger; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
pub fn initialise(
    ledger: &LedgerUri,
    timezone: &str,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Initialised> {
    bring_up_to_date(ledger, Some(timezone), now, on_step)
}

/// Makes the tables of a ledger, which is none without a zone.
pub(super) fn make_tables(ledger: &LedgerUri, now: &str) -> anyhow::Result<()> {
    bring_up_to_date(ledger, None, now, &mut |_| ())?;
    Ok(())
}

fn bring_up_to_date(
    ledger: &LedgerUri,
    timezone: Option<&str>,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Initialised> {
    let mut initialise = || -> anyhow::Result<Initialised> {
        let path = match ledger {
            LedgerUri::File(path) => path,
            LedgerUri::ReadOnlyFile(_) => bail!(READ_ONLY),
            LedgerUri::Cluster(_) => return cluster::bring_up_to_date(ledger, timezone, now),
        };
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|err| explained(err, path))?;
        let engine = Engine::open_to_write(ledger)?;
        let found = find_version(engine.connection())?;
        if found == Some(SCHEMA_VERSION) {
            if let Some(timezone) = timezone {
                timezones::agree_on_zones(engine.connection(), timezone)?;
            }
            return Ok(Initialised::Current);
        }
        let from = found.unwrap_or(0);
        migrate(engine.connection(), from, timezone, now, on_step)?;
        let without_lines = match from < WITH_LINES {
            true => find_days_without_lines(engine.connection())?,
            false => None,
        };
        Ok(
            found.map_or(Initialised::Created, |from| Initialised::Upgraded {
                from,
                without_lines,
            }),
        )
    };
    initialise().with_context(|| ledger_at(ledger))
}

fn migrate(
    connection: &Connection,
    from: i64,
    timezone: Option<&str>,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<()> {
    connection.run("pragma journal_mode = wal")?;
    connection.run("begin exclusive")?;
    // Someone may have been quicker between the look at the version and the lock.
    let sql = "select user_version from pragma_user_version";
    let from = from.max(connection.one(sql, params! {}, |row| row.get(0))?);
    let new = (1i64..)
        .zip(MIGRATIONS)
        .filter(|(version, _)| *version > from);
    for (version, migration) in new {
        connection
            .run(migration)
            .with_context(|| format!("migration {version}"))?;
    }
    if from < WITH_LINES {
        make_lines_of_records(connection, on_step)?;
    }
    connection.run(&format!("pragma user_version = {SCHEMA_VERSION}"))?;
    connection.run(&format!("pragma application_id = {APPLICATION_ID}"))?;
    if let Some(timezone) = timezone {
        let sql = "insert into ledgers (only, timezone, created_at) values (1, :timezone, :now) on conflict do nothing";
        connection.execute(sql, params! {":timezone": timezone, ":now": now})?;
    }
    connection.commit()
}

fn find_days_without_lines(connection: &Connection) -> anyhow::Result<Option<(Day, Day)>> {
    let first = "select day from stored_days where lines_per = 'record' order by day limit 1";
    let last = "select day from stored_days where lines_per = 'record' order by day desc limit 1";
    let [first, last] = [first, last].map(|sql| connection.find(sql, params! {}, |row| row.get(0)));
    Ok(first?.zip(last?))
}

/// The schema version of a ledger, `None` for an empty file. Refuses what is not a ledger and what is newer
/// than this program.
fn find_version(connection: &Connection) -> anyhow::Result<Option<i64>> {
    let facts = "select (select user_version from pragma_user_version), \
                 (select application_id from pragma_application_id), (select count(*) from sqlite_schema)";
    let read = connection.one(facts, params! {}, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    });
    let (version, application, objects): (i64, i64, i64) = read?;
    if objects == 0 && version == 0 {
        return Ok(None);
    }
    ensure!(application == i64::from(APPLICATION_ID), NOT_A_LEDGER);
    let current = SCHEMA_VERSION;
    ensure!(version <= current, OtherSchema { version, current });
    Ok(Some(version))
}

/// Whether it has the tables of this program's schema; an error if it has others.
pub(super) fn has_tables(ledger: &LedgerUri) -> anyhow::Result<bool> {
    if ledger.file().is_some_and(|path| !path.exists()) {
        return Ok(false);
    }
    let engine = Engine::open_to_write(ledger)?;
    let made = match ledger {
        LedgerUri::File(_) | LedgerUri::ReadOnlyFile(_) => {
            find_version(engine.connection())?.is_some()
        }
        LedgerUri::Cluster(_) => cluster::find_version(engine.connection())?.is_some(),
    };
    if made {
        insist_on_ledger(&engine)?;
    }
    Ok(made)
}

/// Insists on a ledger of this program's schema.
pub(super) fn insist_on_ledger(engine: &Engine) -> anyhow::Result<()> {
    if !engine.is_file() {
        return cluster::insist_on_ledger(engine.connection());
    }
    let version = find_version(engine.connection())?.unwrap_or(0);
    insist_on_version(version, SCHEMA_VERSION)
}

/// Insists on this program's schema, where it is known to be a ledger.
pub(super) fn insist_on_current(engine: &Engine) -> anyhow::Result<()> {
    let (sql, current) = match engine.is_file() {
        true => ("pragma user_version", SCHEMA_VERSION),
        false => (cluster::VERSION, cluster::SCHEMA_VERSION),
    };
    let version = engine.connection().one(sql, params! {}, |row| row.get(0));
    let version = version.map_err(|err| match engine.is_file() {
        true => err,
        false => cluster::explained(engine.connection(), err),
    })?;
    insist_on_version(version, current)
}

#[cfg(test)]
mod tests;
