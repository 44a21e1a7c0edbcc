//! The tables of a ledger in a database of MySQL's protocol. There no transaction covers a change of tables: each statement
//! of a migration can be run again, and the row that says it is done comes last.

use anyhow::{Context, anyhow, ensure};

use super::version::{Initialised, OtherSchema, insist_on_version};
use crate::config::LedgerUri;
use crate::db::{Connection, params};
use crate::ledger::engine::{Engine, NOT_A_LEDGER};
use crate::ledger::timezones;

/// What `initdb` brings a ledger to.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Every migration in order.
pub const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/mysql/0001_ledger.sql")];

/// What is said of an empty database.
const NO_LEDGER: &str = "no ledger yet: run rbc-usage initdb";

/// Asks which version a ledger is of.
pub const VERSION: &str = "select max(version) from schema_versions";

/// Creates the tables, or brings them to this program's schema. Without a zone they are no ledger yet.
pub fn bring_up_to_date(
    ledger: &LedgerUri,
    timezone: Option<&str>,
    now: &str,
) -> anyhow::Result<Initialised> {
    let engine = Engine::open_to_write(ledger)?;
    let connection = engine.connection();
    let found = find_version(connection)?;
    if found == Some(SCHEMA_VERSION) {
        if let Some(timezone) = timezone {
            timezones::agree_on_zones(connection, timezone)?;
        }
        return Ok(Initialised::Current);
    }
    let collation = find_collation(connection)?;
    let from = found.unwrap_or(0);
    let new = (1i64..)
        .zip(MIGRATIONS)
        .filter(|(version, _)| *version > from);
    for (version, migration) in new {
        let migration = migration.replace("{collation}", collation);
        for statement in statements(&migration) {
            connection
                .run(&statement)
                .with_context(|| format!("migration {version}"))?;
        }
        if version == 1 {
            insert_constants(connection, timezone, now)?;
        }
        let sql = "insert into schema_versions (version, applied_at) values (:version, :now)";
        connection.execute(sql, params! {":version": version, ":now": now})?;
    }
    Ok(match found {
        None => Initialised::Created,
        Some(from) => Initialised::Upgraded {
            from,
            without_lines: None,
        },
    })
}

/// The statements of a migration, without its comments.
fn statements(migration: &str) -> Vec<String> {
    let code = migration
        .lines()
        .map(|line| line.split_once("-- ").map_or(line, |(code, _)| code));
    let code: Vec<&str> = code.collect();
    let statements = code.join("\n");
    let statements = statements.split(";\n").map(str::trim);
    statements
        .map(|statement| statement.trim_end_matches(';').to_owned())
        .filter(|statement| !statement.is_empty())
        .collect()
}

fn insert_constants(
    connection: &Connection,
    timezone: Option<&str>,
    now: &str,
) -> anyhow::Result<()> {
    let sql = "insert into stored_resources (id, kind, source_id, uuid, name) values (0, 'none', 0, '', '') \
               on conflict do update set kind = 'none'";
    connection.execute(sql, params! {})?;
    if let Some(timezone) = timezone {
        let sql = "insert into ledgers (only_one, timezone, created_at) values (1, :timezone, :now) \
                   on conflict do update set only_one = 1";
        connection.execute(sql, params! {":timezone": timezone, ":now": now})?;
    }
    Ok(())
}

/// The collation that compares byte by byte, which MariaDB and MySQL call otherwise.
fn find_collation(connection: &Connection) -> anyhow::Result<&'static str> {
    let sql = "select version()";
    let version: String = connection.one(sql, params! {}, |row| row.get(0))?;
    Ok(match version.contains("MariaDB") {
        true => "utf8mb4_nopad_bin",
        false => "utf8mb4_0900_bin",
    })
}

/// The schema version, `None` for a database without tables. Refuses what is not a ledger and what is newer than this
/// program.
pub fn find_version(connection: &Connection) -> anyhow::Result<Option<i64>> {
    let sql = "select count(*), coalesce(sum(table_name = 'schema_versions'), 0) \
               from information_schema.tables where table_schema = database() and table_name <> 'leases'";
    let (tables, versions): (i64, i64) =
        connection.one(sql, params! {}, |row| Ok((row.get(0)?, row.get(1)?)))?;
    if versions == 0 {
        ensure!(
            tables == 0,
            "{NOT_A_LEDGER}: its database has other tables, and must be one of its own"
        );
        return Ok(None);
    }
    // No version: an initdb was killed.
    let version: Option<i64> = connection.one(VERSION, params! {}, |row| row.get(0))?;
    let current = SCHEMA_VERSION;
    if let Some(version) = version {
        ensure!(version <= current, OtherSchema { version, current });
    }
    Ok(version)
}

/// Why nobody could tell which version it is of.
pub fn explained(connection: &Connection, err: anyhow::Error) -> anyhow::Error {
    match find_version(connection) {
        Ok(None) => anyhow!(NO_LEDGER),
        Ok(Some(_)) | Err(_) => err,
    }
}

/// Insists on a ledger of this program's schema.
pub fn insist_on_ledger(connection: &Connection) -> anyhow::Result<()> {
    let found = find_version(connection)?;
    let found = found.context(NO_LEDGER)?;
    insist_on_version(found, SCHEMA_VERSION)
}
