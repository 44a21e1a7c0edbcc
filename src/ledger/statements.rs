//! The statements that write and read one day. What changes is decided in `plan`.

use std::collections::BTreeMap;

use anyhow::Context;

use super::day::{
    Completion, Correction, CorrectionKind, NewDay, NewFinding, OldRecord, RecordKey,
};
use super::names::LedgerNames;
use crate::aggregate::DayUsage;
use crate::cloud::Fingerprint;
use crate::day::{Day, DayRange};
use crate::db::{Connection, SqlValue, params};
use crate::finding::FindingKind;
use crate::row::Digest;

pub struct Statements<'a> {
    connection: &'a Connection,
    day: Day,
    now: &'a str,
}

impl<'a> Statements<'a> {
    /// For one day; `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn new(connection: &'a Connection, day: Day, now: &'a str) -> Statements<'a> {
        Statements {
            connection,
            day,
            now,
        }
    }

    /// The day's records and pending corrections, sorted by key.
    pub fn list_records(&self, names: &LedgerNames) -> anyhow::Result<Vec<OldRecord>> {
        let sql = "select account_id, metric_id, resource_id, quantity from stored_records where day = :day";
        let mut pending = self.list_pending(names)?;
        let mut records = self
            .connection
            .list(sql, params! {":day": self.day}, |row| {
                let resource_id = row.get(2)?;
                let key = (row.get(0)?, row.get(1)?, names.source_id(resource_id));
                let stored = Some(row.get(3)?);
                let correction = pending.remove(&(key, resource_id));
                Ok(OldRecord {
                    key,
                    resource_id,
                    stand_in: names.is_stand_in(resource_id),
                    stored,
                    corrected: correction.unwrap_or(stored),
                    pending: correction.is_some(),
                })
            })?;
        let without_record = |((key, resource_id), corrected)| OldRecord {
            key,
            resource_id,
            stand_in: names.is_stand_in(resource_id),
            stored: None,
            corrected,
            pending: true,
        };
        records.extend(pending.into_iter().map(without_record));
        records.sort_unstable_by_key(|record| record.key);
        Ok(records)
    }

    /// What the newest pending correction says of each record that has any.
    fn list_pending(
        &self,
        names: &LedgerNames,
    ) -> anyhow::Result<BTreeMap<(RecordKey, i64), Option<f64>>> {
        let sql = "select account_id, metric_id, resource_id, new_quantity from stored_corrections \
                   where day = :day and kind = 'pending' order by id";
        let mut pending = BTreeMap::new();
        self.connection
            .each(sql, params! {":day": self.day}, |row| {
                let resource_id = row.get(2)?;
                let key = (row.get(0)?, row.get(1)?, names.source_id(resource_id));
                pending.insert((key, resource_id), row.get(3)?);
                Ok(())
            })?;
        Ok(pending)
    }

    pub fn has_later_days(&self) -> anyhow::Result<bool> {
        let sql = "select exists (select 1 from stored_days where day > :day)";
        self.connection
            .one(sql, params! {":day": self.day}, |row| row.get(0))
    }

    /// Keeps that a day which is not closed yet is written now. Whatever was verified was another day.
    pub fn upsert_day(&self, new: &NewDay) -> anyhow::Result<()> {
        self.upsert(new.completion, new)
    }

    /// The same of a closed day, which stays closed.
    pub fn update_imported(&self, new: &NewDay) -> anyhow::Result<()> {
        self.upsert(Completion::Closed, new)
    }

    fn upsert(&self, completion: Completion, new: &NewDay) -> anyhow::Result<()> {
        let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at) \
                   values (:day, :state, :source_rows, :replayed_rows, :now) \
                   on conflict do update set state = excluded.state, source_rows = excluded.source_rows, \
                     replayed_rows = excluded.replayed_rows, imported_at = excluded.imported_at, verified_at = null";
        let state = match completion {
            Completion::Open => "open",
            Completion::Closed => "closed",
        };
        let values = params! {
            ":day": self.day,
            ":state": state,
            ":source_rows": new.usage.source_rows,
            ":replayed_rows": new.usage.replayed_rows,
            ":now": self.now,
        };
        self.connection.execute(sql, values)?;
        self.update_gaps()
    }

    /// Keeps how many days are missing before this one, and between it and the next.
    fn update_gaps(&self) -> anyhow::Result<()> {
        let neighbours = "select (select max(day) from stored_days where day < :day), \
                                 (select min(day) from stored_days where day > :day)";
        let (before, after): (Option<Day>, Option<Day>) =
            self.connection
                .one(neighbours, params! {":day": self.day}, |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
        let update =
            "update stored_days set gap_before = :days where day = :day and gap_before <> :days";
        let pairs = [
            before.map(|before| (before, self.day)),
            after.map(|after| (self.day, after)),
        ];
        for (first, second) in pairs.into_iter().flatten() {
            let days = DayRange::new(first, second)?.count_days() - 2;
            self.connection
                .execute(update, params! {":day": second, ":days": days})?;
        }
        Ok(())
    }

    /// Keeps that the day may be relied on.
    pub fn mark_verified(&self) -> anyhow::Result<()> {
        let sql = "update stored_days set verified_at = :now where day = :day";
        self.connection
            .execute(sql, params! {":day": self.day, ":now": self.now})?;
        Ok(())
    }

    /// Keeps how many records the day has now, and how many accounts have any.
    pub fn update_counts(&self, records: usize, accounts: usize) -> anyhow::Result<()> {
        let sql =
            "update stored_days set records = :records, accounts = :accounts where day = :day";
        let values = params! {
            ":day": self.day,
            ":records": i64::try_from(records)?,
            ":accounts": i64::try_from(accounts)?,
        };
        self.connection.execute(sql, values)?;
        Ok(())
    }

    /// Keeps how the source looks whose figures the day holds, or holds with its pending corrections.
    pub fn update_source(&self, usage: &DayUsage, fingerprint: &Fingerprint) -> anyhow::Result<()> {
        let sql = "update stored_days set source_rows = :rows, replayed_rows = :replayed, fingerprint = :fingerprint \
                   where day = :day";
        let values = params! {
            ":day": self.day,
            ":rows": usage.source_rows,
            ":replayed": usage.replayed_rows,
            ":fingerprint": fingerprint.to_string(),
        };
        self.connection.execute(sql, values)?;
        let sql = "delete from stored_digests where day = :day";
        self.connection.execute(sql, params! {":day": self.day})?;
        let sql = "insert into stored_digests (day, usage_type, source_rows, digest) \
                   values (:day, :usage_type, :rows, :sum)";
        for (usage_type, digest) in &usage.digests {
            let values = params! {
                ":day": self.day,
                ":usage_type": usage_type.map_or(-1, i64::from),
                ":rows": digest.rows,
                ":sum": format!("{:032x}", digest.sum),
            };
            self.connection.execute(sql, values)?;
        }
        Ok(())
    }

    /// How the source looked when `update_source` was last called; empty: never.
    pub fn list_digests(&self) -> anyhow::Result<BTreeMap<Option<u32>, Digest>> {
        let sql = "select usage_type, source_rows, digest from stored_digests where day = :day";
        let digests = self
            .connection
            .list(sql, params! {":day": self.day}, |row| {
                let usage_type: i64 = row.get(0)?;
                let sum: &str = row.get(2)?;
                let digest = Digest {
                    rows: row.get(1)?,
                    sum: u128::from_str_radix(sum, 16)
                        .with_context(|| format!("digest {sum:?} of {}", self.day))?,
                };
                Ok((u32::try_from(usage_type).ok(), digest))
            })?;
        Ok(digests.into_iter().collect())
    }

    /// The day's month has other records, or will have.
    pub fn forget_month_sums(&self) -> anyhow::Result<()> {
        forget_month_sums(self.connection, self.day)
    }

    /// The day is not, or no longer, known to equal its source.
    pub fn forget_verification(&self) -> anyhow::Result<()> {
        let sql = "update stored_days set verified_at = null where day = :day";
        self.connection.execute(sql, params! {":day": self.day})?;
        Ok(())
    }

    /// Values are bound by place, not by name: this runs once for each record.
    pub fn insert_records(
        &self,
        records: impl Iterator<Item = (RecordKey, i64, f64)>,
    ) -> anyhow::Result<()> {
        let sql = "insert into stored_records (account_id, day, metric_id, resource_id, quantity) \
                   values (:account_id, :day, :metric_id, :resource_id, :quantity)";
        let day = self.day.to_string();
        let rows = records.map(|((account_id, metric_id, _), resource_id, quantity)| {
            [
                SqlValue::from(account_id),
                SqlValue::from(&day),
                SqlValue::from(metric_id),
                SqlValue::from(resource_id),
                SqlValue::from(quantity),
            ]
        });
        self.connection.insert_many(sql, rows)
    }

    pub fn update_record(
        &self,
        key: RecordKey,
        resource_id: i64,
        quantity: f64,
    ) -> anyhow::Result<()> {
        let sql = "update stored_records set quantity = :quantity \
                   where day = :day and account_id = :account_id and metric_id = :metric_id \
                     and resource_id = :resource_id";
        let values = params! {
            ":account_id": key.0,
            ":day": self.day,
            ":metric_id": key.1,
            ":resource_id": resource_id,
            ":quantity": quantity,
        };
        self.connection.execute(sql, values)?;
        Ok(())
    }

    pub fn delete_record(&self, key: RecordKey, resource_id: i64) -> anyhow::Result<()> {
        let sql = "delete from stored_records \
                   where day = :day and account_id = :account_id and metric_id = :metric_id \
                     and resource_id = :resource_id";
        let values = params! {
            ":account_id": key.0,
            ":day": self.day,
            ":metric_id": key.1,
            ":resource_id": resource_id,
        };
        self.connection.execute(sql, values)?;
        Ok(())
    }

    /// Returns its id.
    pub fn insert_correction(&self, correction: &Correction) -> anyhow::Result<i64> {
        let sql = "insert into stored_corrections \
                     (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind) \
                   values (:day, :account_id, :metric_id, :resource_id, :old, :new, :now, :kind)";
        let kind = match correction.kind {
            CorrectionKind::Overwritten => "overwritten",
            CorrectionKind::Pending => "pending",
        };
        let values = params! {
            ":day": self.day,
            ":account_id": correction.key.0,
            ":metric_id": correction.key.1,
            ":resource_id": correction.resource_id,
            ":old": correction.old,
            ":new": correction.new,
            ":now": self.now,
            ":kind": kind,
        };
        self.connection.insert(sql, values)
    }

    /// A record's pending corrections have come into the record itself.
    pub fn apply_pending(&self, key: RecordKey, resource_id: i64) -> anyhow::Result<()> {
        let sql = "update stored_corrections set kind = 'applied' \
                   where day = :day and account_id = :account_id and metric_id = :metric_id \
                     and resource_id = :resource_id and kind = 'pending'";
        let values = params! {
            ":day": self.day,
            ":account_id": key.0,
            ":metric_id": key.1,
            ":resource_id": resource_id,
        };
        self.connection.execute(sql, values)?;
        Ok(())
    }

    /// Deletes the day's findings of one kind.
    pub fn delete_findings(&self, kind: FindingKind) -> anyhow::Result<()> {
        let sql = "delete from stored_findings where day = :day and kind = :kind";
        let values = params! {":day": self.day, ":kind": kind.name()};
        self.connection.execute(sql, values)?;
        Ok(())
    }

    /// Deletes the day's findings of all other kinds.
    pub fn delete_findings_but(&self, kept: &[FindingKind]) -> anyhow::Result<()> {
        let sql =
            "delete from stored_findings where day = :day and kind <> :first and kind <> :second";
        let kept = |place: usize| kept.get(place).map_or("", |kind| kind.name());
        let values = params! {":day": self.day, ":first": kept(0), ":second": kept(1)};
        self.connection.execute(sql, values)?;
        Ok(())
    }

    pub fn insert_finding(
        &self,
        finding: &NewFinding,
        metric_id: Option<i64>,
    ) -> anyhow::Result<()> {
        // What somebody has acknowledged stays so when its day is written again.
        let sql = "insert into stored_findings (day, kind, account_id, metric_id, resource, detail, acknowledged) \
                   values (:day, :kind, :account_id, :metric_id, :resource, :detail, exists ( \
                     select 1 from acknowledgements \
                     where day = :day and kind = :kind and account_id = coalesce(:account_id, 0) \
                       and metric_id = coalesce(:metric_id, 0) and resource = coalesce(:resource, '') \
                       and detail = :detail))";
        let NewFinding {
            kind,
            account_id,
            resource,
            detail,
            ..
        } = finding;
        let values = params! {
            ":day": self.day,
            ":kind": kind.name(),
            ":account_id": *account_id,
            ":metric_id": metric_id,
            ":resource": resource.as_ref(),
            ":detail": detail,
        };
        self.connection.execute(sql, values)?;
        Ok(())
    }

    /// Whether the day's findings of a kind are these, in this order.
    pub fn has_findings(
        &self,
        kind: FindingKind,
        findings: &[(&NewFinding, Option<i64>)],
    ) -> anyhow::Result<bool> {
        let sql = "select account_id, metric_id, resource, detail from stored_findings \
                   where day = :day and kind = :kind order by id";
        let values = params! {":day": self.day, ":kind": kind.name()};
        let stored = self.connection.list(sql, values, |row| {
            let account_id: Option<i64> = row.get(0)?;
            let metric_id: Option<i64> = row.get(1)?;
            let resource: Option<String> = row.get(2)?;
            let detail: String = row.get(3)?;
            Ok((account_id, metric_id, resource, detail))
        })?;
        let these = findings.iter().map(|(finding, metric_id)| {
            let (resource, detail) = (finding.resource.clone(), finding.detail.clone());
            (finding.account_id, *metric_id, resource, detail)
        });
        Ok(these.eq(stored))
    }

    pub fn count_findings(&self) -> anyhow::Result<u64> {
        let sql = "select count(*) from stored_findings where day = :day";
        self.connection
            .one(sql, params! {":day": self.day}, |row| row.get(0))
    }
}

/// Counts this write.
pub fn count_revision(connection: &Connection) -> anyhow::Result<()> {
    let sql = "update ledgers set revision = revision + 1";
    connection.execute(sql, params! {})?;
    Ok(())
}

/// A day of this month has other records, or will have.
pub fn forget_month_sums(connection: &Connection, day: Day) -> anyhow::Result<()> {
    let sql = "delete from summed_months where month = substr(:day, 1, 7)";
    connection.execute(sql, params! {":day": day})?;
    Ok(())
}
