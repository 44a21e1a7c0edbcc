//! Which tables a ledger has: the migrations, how `initdb` applies them, and which version a file is of.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, named_params};

use super::context::ledger_at;
use super::file::open;
use super::{access, timezones};

/// Marks a SQLite file as a ledger: "RBCU".
pub(super) const APPLICATION_ID: i32 = 0x5242_4355;

/// What `initdb` brings a ledger to.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Every migration in order; the version of a ledger is the number of those it has had.
const MIGRATIONS: [&str; 7] = [
    include_str!("../../migrations/0001_ledger.sql"),
    include_str!("../../migrations/0002_proof.sql"),
    include_str!("../../migrations/0003_months.sql"),
    include_str!("../../migrations/0004_age.sql"),
    include_str!("../../migrations/0005_refusals.sql"),
    include_str!("../../migrations/0006_runs.sql"),
    include_str!("../../migrations/0007_timezones.sql"),
];

/// What `initdb` found and did.
#[derive(Debug, PartialEq)]
pub enum Initialised {
    Created,
    Upgraded { from: i64 },
    Current,
}

/// Creates the ledger with mode 0600, or brings it to this program's schema. `timezone` is written into a new
/// ledger; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
pub fn initialise(path: &Path, timezone: &str, now: &str) -> anyhow::Result<Initialised> {
    let named = || ledger_at(path);
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|err| access::explained(err, path))
        .with_context(named)?;
    let mut connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let found = version(&connection, path)?;
    if found == Some(SCHEMA_VERSION) {
        timezones::agree_on_zones(&connection, timezone).with_context(named)?;
        return Ok(Initialised::Current);
    }
    migrate(&mut connection, found.unwrap_or(0), timezone, now).with_context(named)?;
    Ok(found.map_or(Initialised::Created, |from| Initialised::Upgraded { from }))
}

fn migrate(
    connection: &mut Connection,
    from: i64,
    timezone: &str,
    now: &str,
) -> anyhow::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    // Someone may have been quicker between the look at the version and the lock.
    let from = from.max(tx.query_row(
        "select user_version from pragma_user_version",
        [],
        |row| row.get(0),
    )?);
    for (version, migration) in (1i64..)
        .zip(MIGRATIONS)
        .filter(|(version, _)| *version > from)
    {
        tx.execute_batch(migration)
            .with_context(|| format!("migration {version}"))?;
    }
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    let sql = "insert into ledgers (only, timezone, created_at) values (1, :timezone, :now) on conflict do nothing";
    tx.execute(sql, named_params! {":timezone": timezone, ":now": now})?;
    Ok(tx.commit()?)
}

/// The schema version of a ledger, `None` for an empty file. Refuses what is not a ledger and what is newer
/// than this program.
fn version(connection: &Connection, path: &Path) -> anyhow::Result<Option<i64>> {
    let facts = "select (select user_version from pragma_user_version), \
                 (select application_id from pragma_application_id), (select count(*) from sqlite_schema)";
    let read = connection.query_row(facts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (version, application, objects): (i64, i32, i64) = match read {
        Err(err) if err.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            bail!("{} is not a ledger", path.display())
        }
        other => other
            .map_err(|err| access::explained_by_place(err, path))
            .with_context(|| ledger_at(path))?,
    };
    if objects == 0 && version == 0 {
        return Ok(None);
    }
    ensure!(
        application == APPLICATION_ID,
        "{} is not a ledger",
        path.display()
    );
    ensure!(
        version <= SCHEMA_VERSION,
        "ledger {} has schema {version}, newer than this program's {SCHEMA_VERSION}: install a newer rbc-usage",
        path.display()
    );
    Ok(Some(version))
}

/// Insists on an initialised ledger of this program's schema.
pub(super) fn insist_on_current(connection: &Connection, path: &Path) -> anyhow::Result<()> {
    let found = version(connection, path)?;
    ensure!(
        found == Some(SCHEMA_VERSION),
        "ledger {} is not initialised for this version: run rbc-usage initdb",
        path.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
