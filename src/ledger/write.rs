//! Writes one day, wholly or not at all. Decides what an import may change: an open day is replaced, a closed
//! day only gains records unless it is forced, and every value of a closed day that changes is kept in
//! `corrections`.

use anyhow::Context;
use rusqlite::Connection;

use super::Ledger;
use super::registry::{Counted, Registry, stand_in};
use super::statements::{Key, OldRecord, Statements};
use crate::aggregate::{DayUsage, VmFacts};
use crate::day::Day;
use crate::finding::{Finding, FindingKind};
use crate::metric::Metric;
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

/// A record to be written.
struct NewRecord {
    key: Key,
    resource_id: i64,
    stand_in: bool,
    metric: Metric,
    quantity: f64,
}

impl Ledger {
    /// What the ledger has of a day.
    pub fn find_day(&self, day: Day) -> anyhow::Result<Option<StoredDay>> {
        let sql = "select state, source_rows from stored_days where day = ?1";
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
        let source_rows = row.get(1)?;
        Ok(Some(StoredDay { state, source_rows }))
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
        let mut writer = DayWriter::new(&self.connection, &mut self.registry, new, stored);
        let result = writer.write().and_then(|written| {
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
    stored: Option<StoredDay>,
    was_closed: bool,
    /// A closed day whose existing records stay as they are.
    only_gains: bool,
    statements: Statements<'a>,
}

impl<'a> DayWriter<'a> {
    fn new(
        connection: &'a Connection,
        registry: &'a mut Registry,
        new: &'a NewDay<'a>,
        stored: Option<StoredDay>,
    ) -> DayWriter<'a> {
        let was_closed = stored.is_some_and(|day| day.state == DayState::Closed);
        let only_gains = was_closed && new.existing == Existing::Keep;
        let statements = Statements::new(connection, new.day, new.now);
        DayWriter {
            connection,
            registry,
            new,
            stored,
            was_closed,
            only_gains,
            statements,
        }
    }

    fn write(&mut self) -> anyhow::Result<Written> {
        let state = if self.was_closed {
            DayState::Closed
        } else {
            self.new.state
        };
        let old = match self.stored {
            Some(_) => self.statements.list_records(self.registry)?,
            None => Vec::new(),
        };
        if !self.only_gains {
            self.statements.upsert_day(state, self.new.usage)?;
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
        self.reconcile(&records, old, &mut written)?;
        self.freeze_guest_oses(counted(self.stored, self.new.existing))?;
        findings.extend(written.differences.iter().map(difference_finding));
        let gained = self.only_gains && written.added > 0;
        if gained {
            self.statements.upsert_day(state, self.new.usage)?;
        }
        written.findings = self.replace_findings(&findings, self.only_gains && !gained)?;
        Ok(written)
    }

    /// Gives the day's records their ids in the ledger; notes what had to be given a stand-in. Sorted by key.
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
            let (resource_id, is_stand_in) = match record.metric.per() {
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
            records.push(NewRecord {
                key: (record.account_id, metric_id, record.source_id),
                resource_id,
                stand_in: is_stand_in,
                metric: record.metric,
                quantity: record.quantity,
            });
        }
        records.sort_unstable_by_key(|record| record.key);
        Ok(records)
    }

    /// Walks along what is new and what is there, both in the order of their keys.
    fn reconcile(
        &mut self,
        records: &[NewRecord],
        old: Vec<OldRecord>,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let mut insert = self.statements.prepare_insert()?;
        let mut old = old.into_iter().peekable();
        for record in records {
            while let Some(gone) = old.next_if(|before| before.key < record.key) {
                self.vanished(&gone, written)?;
            }
            match old.next_if(|before| before.key == record.key) {
                Some(before) if self.only_gains => self.compare(record, &before, written),
                Some(before) => self.replace(record, &before, written)?,
                None => {
                    let (account_id, metric_id, _) = record.key;
                    let day = self.statements.day();
                    insert.execute((
                        account_id,
                        day,
                        metric_id,
                        record.resource_id,
                        record.quantity,
                    ))?;
                    written.added += 1;
                    if self.was_closed {
                        let new = Some(record.quantity);
                        self.statements.insert_correction(
                            record.key,
                            record.resource_id,
                            None,
                            new,
                        )?;
                    }
                }
            }
        }
        old.try_for_each(|gone| self.vanished(&gone, written))
    }

    /// A record that the source says nothing of any more.
    fn vanished(&self, gone: &OldRecord, written: &mut Written) -> anyhow::Result<()> {
        if self.only_gains {
            let metric = self
                .registry
                .find_metric(gone.key.1)
                .context("a record of an unknown metric")?;
            written
                .differences
                .push(self.difference(gone, metric, None));
            return Ok(());
        }
        self.statements.delete_record(gone.key, gone.resource_id)?;
        self.statements
            .insert_correction(gone.key, gone.resource_id, Some(gone.quantity), None)?;
        written.overwritten += 1;
        Ok(())
    }

    /// On a closed day that only gains: the old value stays.
    fn compare(&self, record: &NewRecord, before: &OldRecord, written: &mut Written) {
        written.kept += 1;
        if before.quantity != record.quantity {
            written
                .differences
                .push(self.difference(before, record.metric, Some(record.quantity)));
        }
    }

    fn difference(&self, before: &OldRecord, metric: Metric, source: Option<f64>) -> Difference {
        Difference {
            account: self.registry.account_uuid(before.key.0),
            account_id: before.key.0,
            metric,
            resource: self.registry.resource_uuid(before.resource_id),
            stored: before.quantity,
            source,
        }
    }

    /// The new value takes the old one's place, under the name that was frozen unless that is a stand-in. On
    /// an open day growth is the rule, and only what shrinks is kept as a correction.
    fn replace(
        &self,
        record: &NewRecord,
        before: &OldRecord,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let statements = &self.statements;
        let (old, new) = (Some(before.quantity), Some(record.quantity));
        if !record.stand_in
            && before.resource_id != record.resource_id
            && self.registry.is_stand_in(before.resource_id)
        {
            statements.delete_record(record.key, before.resource_id)?;
            statements.prepare_insert()?.execute((
                record.key.0,
                statements.day(),
                record.key.1,
                record.resource_id,
                record.quantity,
            ))?;
            statements.insert_correction(record.key, before.resource_id, old, None)?;
            statements.insert_correction(record.key, record.resource_id, None, new)?;
            written.overwritten += 1;
        } else if before.quantity == record.quantity {
            written.kept += 1;
        } else {
            statements.update_record(record.key, before.resource_id, record.quantity)?;
            if self.was_closed || record.quantity < before.quantity {
                statements.insert_correction(record.key, before.resource_id, old, new)?;
            }
            written.overwritten += 1;
        }
        Ok(())
    }

    fn freeze_guest_oses(&mut self, counted: Counted) -> anyhow::Result<()> {
        let day = self.new.day;
        let later_days = self.statements.has_later_days()?;
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

    /// Puts the findings in place of the day's former ones. On a closed day that gained nothing the former
    /// ones still hold, and only the differences are new. Answers how many there are now.
    fn replace_findings(
        &mut self,
        findings: &[Finding],
        only_differences: bool,
    ) -> anyhow::Result<u64> {
        let differs = FindingKind::DiffersFromSource;
        self.statements
            .delete_findings(only_differences.then_some(differs))?;
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
            self.statements.insert_finding(finding, metric_id)?;
        }
        self.statements.count_findings()
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
