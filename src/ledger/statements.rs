//! The statements that write and read one day: one function, one statement. What is to be changed is decided
//! in `write`.

use rusqlite::{CachedStatement, Connection};

use super::registry::Registry;
use super::write::DayState;
use crate::aggregate::DayUsage;
use crate::day::Day;
use crate::finding::{Finding, FindingKind};

/// What identifies a record within its day, whatever its resource was called when it was stored: account,
/// metric id, source id.
pub type Key = (u64, i64, u64);

/// A record that is there.
pub struct OldRecord {
    pub key: Key,
    pub resource_id: i64,
    /// In the metric's unit.
    pub quantity: f64,
}

pub struct Statements<'a> {
    connection: &'a Connection,
    day: String,
    now: &'a str,
}

impl<'a> Statements<'a> {
    /// For one day; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn new(connection: &'a Connection, day: Day, now: &'a str) -> Statements<'a> {
        Statements {
            connection,
            day: day.to_string(),
            now,
        }
    }

    /// The day as the ledger writes it.
    pub fn day(&self) -> &str {
        &self.day
    }

    /// The day's records, sorted by key.
    pub fn list_records(&self, registry: &Registry) -> anyhow::Result<Vec<OldRecord>> {
        let sql = "select r.account_id, r.metric_id, r.resource_id, r.quantity \
                   from stored_accounts a \
                   join stored_records r on r.account_id = a.id and r.day = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([&self.day])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let resource_id = row.get(2)?;
            let key = (row.get(0)?, row.get(1)?, registry.source_id(resource_id));
            records.push(OldRecord {
                key,
                resource_id,
                quantity: row.get(3)?,
            });
        }
        records.sort_unstable_by_key(|record| record.key);
        Ok(records)
    }

    pub fn has_later_days(&self) -> anyhow::Result<bool> {
        let sql = "select exists (select 1 from stored_days where day > ?1)";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([&self.day], |row| row.get(0))?)
    }

    pub fn upsert_day(&self, state: DayState, usage: &DayUsage) -> anyhow::Result<()> {
        let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at) \
                   values (?1, ?2, ?3, ?4, ?5) \
                   on conflict do update set state = excluded.state, source_rows = excluded.source_rows, \
                     replayed_rows = excluded.replayed_rows, imported_at = excluded.imported_at";
        let state = match state {
            DayState::Open => "open",
            DayState::Closed => "closed",
        };
        let values = (
            &self.day,
            state,
            usage.source_rows,
            usage.replayed_rows,
            self.now,
        );
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Inserts a record: account id, day, metric id, resource id, quantity.
    pub fn prepare_insert(&self) -> anyhow::Result<CachedStatement<'a>> {
        let sql = "insert into stored_records (account_id, day, metric_id, resource_id, quantity) \
                   values (?1, ?2, ?3, ?4, ?5)";
        Ok(self.connection.prepare_cached(sql)?)
    }

    pub fn update_record(&self, key: Key, resource_id: i64, quantity: f64) -> anyhow::Result<()> {
        let sql = "update stored_records set quantity = ?5 \
                   where account_id = ?1 and day = ?2 and metric_id = ?3 and resource_id = ?4";
        let values = (key.0, &self.day, key.1, resource_id, quantity);
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    pub fn delete_record(&self, key: Key, resource_id: i64) -> anyhow::Result<()> {
        let sql = "delete from stored_records \
                   where account_id = ?1 and day = ?2 and metric_id = ?3 and resource_id = ?4";
        let values = (key.0, &self.day, key.1, resource_id);
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    pub fn insert_correction(
        &self,
        key: Key,
        resource_id: i64,
        old: Option<f64>,
        new: Option<f64>,
    ) -> anyhow::Result<()> {
        let sql = "insert into stored_corrections \
                     (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at) \
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = (&self.day, key.0, key.1, resource_id, old, new, self.now);
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Deletes the day's findings, all or those of one kind.
    pub fn delete_findings(&self, kind: Option<FindingKind>) -> anyhow::Result<()> {
        let sql = "delete from stored_findings where day = ?1 and kind = coalesce(?2, kind)";
        self.connection
            .prepare_cached(sql)?
            .execute((&self.day, kind.map(FindingKind::name)))?;
        Ok(())
    }

    pub fn insert_finding(&self, finding: &Finding, metric_id: Option<i64>) -> anyhow::Result<()> {
        let sql = "insert into stored_findings (day, kind, account_id, metric_id, resource, detail) \
                   values (?1, ?2, ?3, ?4, ?5, ?6)";
        let Finding {
            kind,
            account_id,
            resource,
            detail,
            ..
        } = finding;
        let values = (
            &self.day,
            kind.name(),
            account_id,
            metric_id,
            resource,
            detail,
        );
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    pub fn count_findings(&self) -> anyhow::Result<u64> {
        let sql = "select count(*) from stored_findings where day = ?1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([&self.day], |row| row.get(0))?)
    }
}
