//! Writes one day, wholly or not at all. Decides what an import may change: an open day is replaced, a closed
//! day only gains records unless it is forced, and every value of a closed day that changes is kept in
//! `corrections`.

use anyhow::Context;
use rusqlite::Connection;

use super::Ledger;
use super::registry::{Counted, Registry, stand_in};
use super::statements::{Key, Statements, count_revision};
use crate::aggregate::{DayUsage, VmFacts};
use crate::day::Day;
use crate::finding::{Finding, FindingKind};
use crate::metric::Metric;
use crate::row::UsageRow;
use crate::source::{Fingerprint, Names};

/// Whether the source has finished the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    Open,
    Closed,
}

/// What an import may do to a closed day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Add what is missing.
    Keep,
    /// Take over all that the source says.
    Overwrite,
    /// Nothing: only tell what differs.
    Report,
}

/// A day as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredDay {
    pub state: DayState,
    pub source_rows: u64,
    /// Of these, counted already by another row.
    pub replayed_rows: u64,
    /// No import may change it.
    pub sealed: bool,
}

/// What to write.
pub struct NewDay<'a> {
    pub day: Day,
    pub state: DayState,
    pub usage: &'a DayUsage,
    /// The source rows of the day, for the VMs in them.
    pub rows: &'a [UsageRow],
    pub fingerprint: &'a Fingerprint,
    pub existing: Existing,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
}

/// What writing a day did.
#[derive(Debug, PartialEq)]
pub struct Written {
    /// A closed day stays closed.
    pub state: DayState,
    pub sealed: bool,
    pub accounts: u64,
    pub added: u64,
    pub kept: u64,
    pub overwritten: u64,
    /// Corrections that a sealed day has got.
    pub pending: u64,
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
    /// In the metric's unit. `None`: the ledger has no such record.
    pub stored: Option<f64>,
    /// `None`: the source has no such usage any more.
    pub source: Option<f64>,
}

/// What becomes of a day's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// What the source says takes the place of what is there.
    Replace,
    /// What is there stays, what is missing is added.
    Gain,
    /// Nothing changes.
    Report,
    /// Nothing changes; what differs is kept as pending corrections.
    Sealed,
}

/// A record to be written.
pub(super) struct NewRecord {
    pub key: Key,
    pub resource_id: i64,
    pub stand_in: bool,
    pub metric: Metric,
    pub quantity: f64,
}

impl Ledger {
    /// What the ledger has of a day.
    pub fn find_day(&self, day: Day) -> anyhow::Result<Option<StoredDay>> {
        let sql = "select state, source_rows, replayed_rows, sealed_at is not null \
                   from stored_days where day = ?1";
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
            replayed_rows: row.get(2)?,
            sealed: row.get(3)?,
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
        let path = self.path.clone();
        let named = || format!("ledger {}", path.display());
        let stored = self.find_day(new.day).with_context(named)?;
        self.transaction(|connection, registry| {
            let written = DayWriter::new(connection, registry, new, stored).write()?;
            Ok(written)
        })
        .with_context(named)
    }

    /// Keeps why a day was refused, and leaves all else as it is.
    pub fn refuse_day(&mut self, day: Day, reason: &str, now: &str) -> anyhow::Result<()> {
        let named = format!("ledger {}", self.path.display());
        self.transaction(|connection, _| {
            let statements = Statements::new(connection, day, now);
            statements.delete_findings(Some(FindingKind::Refused))?;
            let finding = Finding {
                kind: FindingKind::Refused,
                account_id: None,
                metric: None,
                resource: None,
                detail: reason.to_owned(),
            };
            statements.insert_finding(&finding, None)?;
            statements.forget_verification()?;
            count_revision(connection)
        })
        .context(named)
    }

    /// All of what is done, or nothing of it. Within a rehearsal it is a part of the whole that is never
    /// committed.
    pub(super) fn transaction<T>(
        &mut self,
        act: impl FnOnce(&Connection, &mut Registry) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (begin, commit, rollback) = match self.rehearsal {
            true => (
                "savepoint day",
                "release day",
                "rollback to day; release day",
            ),
            false => ("begin immediate", "commit", "rollback"),
        };
        self.connection.execute_batch(begin)?;
        let result = act(&self.connection, &mut self.registry).and_then(|done| {
            self.connection.execute_batch(commit)?;
            Ok(done)
        });
        if result.is_err() {
            // The error that led here is the one to tell; SQLite may have rolled back by itself.
            let _ = self.connection.execute_batch(rollback);
        }
        result
    }
}

pub(super) struct DayWriter<'a> {
    pub connection: &'a Connection,
    pub registry: &'a mut Registry,
    new: &'a NewDay<'a>,
    stored: Option<StoredDay>,
    pub was_closed: bool,
    pub mode: Mode,
    pub statements: Statements<'a>,
}

impl<'a> DayWriter<'a> {
    fn new(
        connection: &'a Connection,
        registry: &'a mut Registry,
        new: &'a NewDay<'a>,
        stored: Option<StoredDay>,
    ) -> DayWriter<'a> {
        let was_closed = stored.is_some_and(|day| day.state == DayState::Closed);
        let mode = match (was_closed, new.existing) {
            _ if stored.is_some_and(|day| day.sealed) => Mode::Sealed,
            (true, Existing::Keep) => Mode::Gain,
            (true, Existing::Report) => Mode::Report,
            (true, Existing::Overwrite) | (false, _) => Mode::Replace,
        };
        let statements = Statements::new(connection, new.day, new.now);
        DayWriter {
            connection,
            registry,
            new,
            stored,
            was_closed,
            mode,
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
        if self.mode == Mode::Replace {
            self.statements.upsert_day(state, self.new)?;
        }
        let mut findings = self.new.usage.findings.clone();
        let records = self.resolve(&mut findings)?;
        let mut written = Written {
            state,
            sealed: self.mode == Mode::Sealed,
            accounts: count_accounts(&records),
            added: 0,
            kept: 0,
            overwritten: 0,
            pending: 0,
            differences: Vec::new(),
            findings: 0,
        };
        self.reconcile(&records, old, &mut written)?;
        if self.mode != Mode::Report {
            self.freeze_guest_oses(counted(self.stored, self.new.existing))?;
        }
        findings.extend(written.differences.iter().map(difference_finding));
        let renewed = self.note_source(&written)?;
        written.findings = self.replace_findings(&findings, !renewed)?;
        count_revision(self.connection)?;
        Ok(written)
    }

    /// Keeps how the source looks, if its figures are what the day holds now. Answers whether what was found
    /// doubtful in it is to be kept anew.
    fn note_source(&self, written: &Written) -> anyhow::Result<bool> {
        let gained = self.mode == Mode::Gain && written.added > 0;
        if gained {
            self.statements.upsert_day(DayState::Closed, self.new)?;
        }
        if !written.differences.is_empty() || written.pending > 0 {
            self.statements.forget_verification()?;
        }
        if !written.differences.is_empty() {
            return Ok(gained);
        }
        let before = self.statements.list_digests()?;
        self.statements.update_source(self.new)?;
        let changed = !before.is_empty() && before != self.new.usage.digests;
        Ok(gained || changed || self.mode == Mode::Replace)
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

    /// Puts the findings in place of the day's former ones. Where the source has not changed the former ones
    /// still hold, and only the differences are new. Answers how many there are now.
    fn replace_findings(
        &mut self,
        findings: &[Finding],
        only_differences: bool,
    ) -> anyhow::Result<u64> {
        let differs = FindingKind::DiffersFromSource;
        if only_differences {
            for kind in [differs, FindingKind::Refused] {
                self.statements.delete_findings(Some(kind))?;
            }
        } else {
            self.statements.delete_findings(None)?;
        }
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
    match stored.map(|day| (day.state, day.sealed)) {
        Some((_, true)) => Counted::ForGood,
        Some((DayState::Closed, false)) => match existing {
            Existing::Keep | Existing::Report => Counted::ForGood,
            Existing::Overwrite => Counted::UntilKnown,
        },
        Some((DayState::Open, false)) | None => Counted::Afresh,
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
    Finding {
        kind: FindingKind::DiffersFromSource,
        account_id: Some(difference.account_id),
        metric: Some(difference.metric),
        resource: difference.resource.clone(),
        detail: difference.in_words(),
    }
}

impl Difference {
    /// `stored 24, the source says nothing`
    pub fn in_words(&self) -> String {
        let said = |quantity: Option<f64>| {
            quantity.map_or("nothing".to_owned(), |quantity| quantity.to_string())
        };
        format!(
            "stored {}, the source says {}",
            said(self.stored),
            said(self.source)
        )
    }
}
