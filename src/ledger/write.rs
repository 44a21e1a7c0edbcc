//! Writes one day, wholly or not at all. Decides what an import may change: an open day is replaced, a closed
//! day only gains records unless it is forced, and every value of a closed day that changes is kept in
//! `corrections`.

use std::collections::HashMap;

use anyhow::Context;
use rusqlite::{Connection, named_params};

use super::Ledger;
use super::registry::{Counted, Registry, stand_in};
use crate::aggregate::{DayUsage, VmFacts};
use crate::day::Day;
use crate::finding::{Finding, FindingKind};
use crate::metric::{Metric, Per};
use crate::row::UsageRow;
use crate::source::Names;

/// Whether the source has finished the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    Open,
    Closed,
}

/// What an import may do to a closed day's existing records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Overwrite,
}

/// A day as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredDay {
    pub state: DayState,
    pub source_rows: u64,
    pub records: u64,
}

/// What to write.
pub struct NewDay<'a> {
    pub day: Day,
    pub state: DayState,
    pub usage: &'a DayUsage,
    /// The source rows of the day, for the VMs in them.
    pub rows: &'a [UsageRow],
    pub existing: Existing,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
}

/// What writing a day did.
#[derive(Debug, PartialEq)]
pub struct Written {
    /// A closed day stays closed.
    pub state: DayState,
    pub accounts: u64,
    pub added: u64,
    pub kept: u64,
    pub overwritten: u64,
    pub differences: Vec<Difference>,
    pub findings: u64,
}

/// A closed day's value that is not what the source says, and was not overwritten.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The account's uuid.
    pub account: String,
    pub account_id: u64,
    pub metric: Metric,
    /// The resource's uuid.
    pub resource: Option<String>,
    /// In the metric's unit.
    pub stored: f64,
    /// `None`: the source has no such usage any more.
    pub source: Option<f64>,
}

/// What identifies a record within its day, whatever its resource was called when it was stored: account,
/// metric id, source id.
type Key = (u64, i64, u64);

/// A record to be written.
struct NewRecord {
    key: Key,
    resource_id: i64,
    stand_in: bool,
    metric: Metric,
    quantity: f64,
}

/// A record that is there.
struct OldRecord {
    resource_id: i64,
    /// Its uuid is a stand-in.
    stand_in: bool,
    resource: Option<String>,
    quantity: f64,
}

impl Ledger {
    /// What the ledger has of a day.
    pub fn find_day(&self, day: Day) -> anyhow::Result<Option<StoredDay>> {
        let sql = "select state, source_rows, (select count(*) from stored_accounts a \
                     join stored_records r on r.account_id = a.id and r.day = d.day) \
                   from stored_days d where day = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([day.to_string()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let state: String = row.get(0)?;
        let state = if state == "closed" {
            DayState::Closed
        } else {
            DayState::Open
        };
        Ok(Some(StoredDay {
            state,
            source_rows: row.get(1)?,
            records: row.get(2)?,
        }))
    }

    /// Takes in the source's names, for the days written from now on.
    pub fn learn(&mut self, names: Names) {
        self.registry.learn(names);
    }

    /// What is known of VMs on a day, from the source and from what was counted before.
    pub fn with_vm_facts<T>(
        &self,
        day: Day,
        stored: Option<StoredDay>,
        existing: Existing,
        act: impl FnOnce(&VmFacts) -> T,
    ) -> T {
        let counted = counted(stored, existing);
        let guest_os = |vm, template| self.registry.guest_os(vm, template, day, counted);
        let removed = |vm| self.registry.vm_removed(vm);
        act(&VmFacts {
            guest_os: &guest_os,
            removed: &removed,
        })
    }

    /// Writes a day in one transaction. On an error the day is as it was.
    pub fn write_day(&mut self, new: &NewDay) -> anyhow::Result<Written> {
        let named = || format!("ledger {}", self.path.display());
        let stored = self.find_day(new.day).with_context(named)?;
        // Within a rehearsal the day is a part of the whole that is never committed.
        let (begin, commit, rollback) = match self.rehearsal {
            true => (
                "savepoint day",
                "release day",
                "rollback to day; release day",
            ),
            false => ("begin immediate", "commit", "rollback"),
        };
        self.connection.execute_batch(begin).with_context(named)?;
        let mut writer = DayWriter {
            connection: &self.connection,
            registry: &mut self.registry,
            new,
        };
        let result = writer.write(stored).and_then(|written| {
            self.connection.execute_batch(commit)?;
            Ok(written)
        });
        if result.is_err() {
            // The error that led here is the one to tell; SQLite may have rolled back by itself.
            let _ = self.connection.execute_batch(rollback);
        }
        result.with_context(|| format!("ledger {}", self.path.display()))
    }
}

struct DayWriter<'a> {
    connection: &'a Connection,
    registry: &'a mut Registry,
    new: &'a NewDay<'a>,
}

impl DayWriter<'_> {
    fn write(&mut self, stored: Option<StoredDay>) -> anyhow::Result<Written> {
        let was_closed = stored.is_some_and(|day| day.state == DayState::Closed);
        let state = if was_closed {
            DayState::Closed
        } else {
            self.new.state
        };
        let only_gain = was_closed && self.new.existing == Existing::Keep;
        let mut old = if stored.is_some() {
            self.list_old_records()?
        } else {
            HashMap::new()
        };
        if !only_gain {
            self.upsert_day(state)?;
        }
        let mut findings = self.new.usage.findings.clone();
        let records = self.resolve(&mut findings)?;
        let mut written = Written {
            state,
            accounts: count_accounts(&records),
            added: 0,
            kept: 0,
            overwritten: 0,
            differences: Vec::new(),
            findings: 0,
        };
        for record in &records {
            match old.remove(&record.key) {
                None => {
                    self.insert_record(record)?;
                    written.added += 1;
                    if was_closed {
                        self.insert_correction(
                            record.key,
                            record.resource_id,
                            None,
                            Some(record.quantity),
                        )?;
                    }
                }
                Some(before) if only_gain => self.compare(record, before, &mut written),
                Some(before) => self.replace(record, before, was_closed, &mut written)?,
            }
        }
        for (key, before) in old {
            if only_gain {
                written.differences.push(self.vanished(key, before)?);
            } else {
                self.delete_record(key, before.resource_id)?;
                self.insert_correction(key, before.resource_id, Some(before.quantity), None)?;
                written.overwritten += 1;
            }
        }
        self.freeze_guest_oses(counted(stored, self.new.existing))?;
        sort_differences(&mut written.differences);
        findings.extend(written.differences.iter().map(difference_finding));
        if only_gain && written.added > 0 {
            self.upsert_day(state)?;
        }
        written.findings = self.replace_findings(&findings, only_gain && written.added == 0)?;
        Ok(written)
    }

    /// Gives the day's records their ids in the ledger; notes what had to be given a stand-in.
    fn resolve(&mut self, findings: &mut Vec<Finding>) -> anyhow::Result<Vec<NewRecord>> {
        let mut records = Vec::with_capacity(self.new.usage.records.len());
        let mut unresolved_account = None;
        for record in &self.new.usage.records {
            let metric_id = self.registry.metric(self.connection, record.metric)?;
            if !self.registry.account(self.connection, record.account_id)?
                && unresolved_account.replace(record.account_id) != Some(record.account_id)
            {
                let account = format!("account:{}", record.account_id);
                findings.push(unresolved(record.account_id, None, account));
            }
            let (resource_id, stand_in) = match record.metric.per() {
                None => (0, false),
                Some(per) => {
                    let resource =
                        self.registry
                            .resource(self.connection, per, record.source_id)?;
                    if resource.stand_in {
                        let name = stand_in(per, record.source_id);
                        findings.push(unresolved(record.account_id, Some(record.metric), name));
                    }
                    (resource.id, resource.stand_in)
                }
            };
            let key = (record.account_id, metric_id, record.source_id);
            let (metric, quantity) = (record.metric, record.quantity);
            records.push(NewRecord {
                key,
                resource_id,
                stand_in,
                metric,
                quantity,
            });
        }
        Ok(records)
    }

    /// On a closed day that only gains: the old value stays.
    fn compare(&self, record: &NewRecord, before: OldRecord, written: &mut Written) {
        written.kept += 1;
        if before.quantity != record.quantity {
            written.differences.push(Difference {
                account: self.registry.account_uuid(record.key.0),
                account_id: record.key.0,
                metric: record.metric,
                resource: before.resource,
                stored: before.quantity,
                source: Some(record.quantity),
            });
        }
    }

    /// The new value takes the old one's place, under the name that was frozen unless that is a stand-in. On
    /// an open day growth is the rule, and only what shrinks is kept as a correction.
    fn replace(
        &mut self,
        record: &NewRecord,
        before: OldRecord,
        was_closed: bool,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        if before.stand_in && !record.stand_in && before.resource_id != record.resource_id {
            self.delete_record(record.key, before.resource_id)?;
            self.insert_record(record)?;
            self.insert_correction(record.key, before.resource_id, Some(before.quantity), None)?;
            self.insert_correction(record.key, record.resource_id, None, Some(record.quantity))?;
            written.overwritten += 1;
        } else if before.quantity == record.quantity {
            written.kept += 1;
        } else {
            self.update_record(record.key, before.resource_id, record.quantity)?;
            if was_closed || record.quantity < before.quantity {
                let (old, new) = (Some(before.quantity), Some(record.quantity));
                self.insert_correction(record.key, before.resource_id, old, new)?;
            }
            written.overwritten += 1;
        }
        Ok(())
    }

    /// A record of a closed day that the source says nothing of any more.
    fn vanished(&self, key: Key, before: OldRecord) -> anyhow::Result<Difference> {
        let metric = self
            .registry
            .find_metric(key.1)
            .context("a record of an unknown metric")?;
        let OldRecord {
            resource, quantity, ..
        } = before;
        let account = self.registry.account_uuid(key.0);
        Ok(Difference {
            account,
            account_id: key.0,
            metric,
            resource,
            stored: quantity,
            source: None,
        })
    }

    fn freeze_guest_oses(&mut self, counted: Counted) -> anyhow::Result<()> {
        let day = self.new.day;
        let sql = "select exists (select 1 from stored_days where day > ?1)";
        let later_days: bool = self
            .connection
            .query_row(sql, [day.to_string()], |row| row.get(0))?;
        for row in self.new.rows.iter().filter(|row| row.usage_type == Some(1)) {
            let guest_os = self
                .registry
                .guest_os(row.usage_id, row.template_id, day, counted);
            self.registry.freeze_guest_os(
                self.connection,
                row.usage_id,
                day,
                guest_os,
                later_days,
            )?;
        }
        Ok(())
    }

    fn list_old_records(&mut self) -> anyhow::Result<HashMap<Key, OldRecord>> {
        let sql = "select r.account_id, r.metric_id, s.source_id, r.resource_id, s.kind, s.uuid, r.quantity \
                   from stored_accounts a \
                   join stored_records r on r.account_id = a.id and r.day = :day \
                   join resources s on s.id = r.resource_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(named_params! { ":day": self.new.day.to_string() })?;
        let mut records = HashMap::new();
        while let Some(row) = rows.next()? {
            let (source_id, kind, uuid): (u64, String, String) =
                (row.get(2)?, row.get(4)?, row.get(5)?);
            let per = Per::ALL.into_iter().find(|per| per.name() == kind);
            let record = OldRecord {
                resource_id: row.get(3)?,
                stand_in: per.is_some_and(|per| stand_in(per, source_id) == uuid),
                resource: per.is_some().then_some(uuid),
                quantity: row.get(6)?,
            };
            records.insert((row.get(0)?, row.get(1)?, source_id), record);
        }
        Ok(records)
    }

    fn upsert_day(&self, state: DayState) -> anyhow::Result<()> {
        let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at) \
                   values (:day, :state, :source_rows, :replayed_rows, :now) \
                   on conflict do update set state = excluded.state, source_rows = excluded.source_rows, \
                     replayed_rows = excluded.replayed_rows, imported_at = excluded.imported_at";
        self.connection
            .prepare_cached(sql)?
            .execute(named_params! {
                ":day": self.new.day.to_string(),
                ":state": match state { DayState::Open => "open", DayState::Closed => "closed" },
                ":source_rows": self.new.usage.source_rows,
                ":replayed_rows": self.new.usage.replayed_rows,
                ":now": self.new.now,
            })?;
        Ok(())
    }

    fn insert_record(&self, record: &NewRecord) -> anyhow::Result<()> {
        let sql = "insert into stored_records (account_id, day, metric_id, resource_id, quantity) \
                   values (?1, ?2, ?3, ?4, ?5)";
        let (account_id, metric_id, _) = record.key;
        let day = self.new.day.to_string();
        self.connection.prepare_cached(sql)?.execute((
            account_id,
            day,
            metric_id,
            record.resource_id,
            record.quantity,
        ))?;
        Ok(())
    }

    fn update_record(&self, key: Key, resource_id: i64, quantity: f64) -> anyhow::Result<()> {
        let sql = "update stored_records set quantity = ?5 \
                   where account_id = ?1 and day = ?2 and metric_id = ?3 and resource_id = ?4";
        let day = self.new.day.to_string();
        self.connection
            .prepare_cached(sql)?
            .execute((key.0, day, key.1, resource_id, quantity))?;
        Ok(())
    }

    fn delete_record(&self, key: Key, resource_id: i64) -> anyhow::Result<()> {
        let sql = "delete from stored_records \
                   where account_id = ?1 and day = ?2 and metric_id = ?3 and resource_id = ?4";
        let day = self.new.day.to_string();
        self.connection
            .prepare_cached(sql)?
            .execute((key.0, day, key.1, resource_id))?;
        Ok(())
    }

    fn insert_correction(
        &self,
        key: Key,
        resource_id: i64,
        old: Option<f64>,
        new: Option<f64>,
    ) -> anyhow::Result<()> {
        let sql = "insert into stored_corrections \
                     (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at) \
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let day = self.new.day.to_string();
        self.connection.prepare_cached(sql)?.execute((
            day,
            key.0,
            key.1,
            resource_id,
            old,
            new,
            self.new.now,
        ))?;
        Ok(())
    }

    /// Puts the findings in place of the day's former ones. On a closed day that gained nothing the former
    /// ones still hold, and only the differences are new. Answers how many there are now.
    fn replace_findings(
        &mut self,
        findings: &[Finding],
        only_differences: bool,
    ) -> anyhow::Result<u64> {
        let day = self.new.day.to_string();
        let differs = FindingKind::DiffersFromSource;
        let kind = if only_differences {
            Some(differs.name())
        } else {
            None
        };
        let sql = "delete from stored_findings where day = ?1 and kind = coalesce(?2, kind)";
        self.connection.prepare_cached(sql)?.execute((&day, kind))?;
        let sql = "insert into stored_findings (day, kind, account_id, metric_id, resource, detail) \
                   values (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = self.connection.prepare_cached(sql)?;
        for finding in findings
            .iter()
            .filter(|finding| !only_differences || finding.kind == differs)
        {
            if let Some(account_id) = finding.account_id {
                self.registry.account(self.connection, account_id)?;
            }
            let metric_id = match finding.metric {
                Some(metric) => Some(self.registry.metric(self.connection, metric)?),
                None => None,
            };
            let kind = finding.kind.name();
            insert.execute((
                &day,
                kind,
                finding.account_id,
                metric_id,
                &finding.resource,
                &finding.detail,
            ))?;
        }
        let sql = "select count(*) from stored_findings where day = ?1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([&day], |row| row.get(0))?)
    }
}

fn counted(stored: Option<StoredDay>, existing: Existing) -> Counted {
    match (stored.map(|day| day.state), existing) {
        (Some(DayState::Closed), Existing::Keep) => Counted::ForGood,
        (Some(DayState::Closed), Existing::Overwrite) => Counted::UntilKnown,
        (Some(DayState::Open) | None, _) => Counted::Afresh,
    }
}

fn count_accounts(records: &[NewRecord]) -> u64 {
    // The records come sorted by account; a count of rows fits 64 bits.
    records.chunk_by(|a, b| a.key.0 == b.key.0).count() as u64
}

fn sort_differences(differences: &mut [Difference]) {
    differences.sort_by(|a, b| {
        (a.account_id, a.metric, &a.resource).cmp(&(b.account_id, b.metric, &b.resource))
    });
}

fn unresolved(account_id: u64, metric: Option<Metric>, stand_in: String) -> Finding {
    Finding {
        kind: FindingKind::Unresolved,
        account_id: Some(account_id),
        metric,
        detail: format!("cloud does not know {stand_in}"),
        resource: Some(stand_in),
    }
}

fn difference_finding(difference: &Difference) -> Finding {
    let source = difference
        .source
        .map_or("nothing".to_owned(), |quantity| quantity.to_string());
    Finding {
        kind: FindingKind::DiffersFromSource,
        account_id: Some(difference.account_id),
        metric: Some(difference.metric),
        resource: difference.resource.clone(),
        detail: format!("stored {}, the source says {source}", difference.stored),
    }
}
