//! Writes one day within its transaction: gives its records their ids, has them reconciled with what is there,
//! and keeps what the source looked like and what was doubtful in it.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::guest_oses::Counted;
use super::refusals;
use super::registry::{Registry, stand_in};
use super::statements::{Key, OldRecord, Statements, count_revision};
use super::write::{DayState, Difference, Existing, NewDay, StoredDay, Written};
use crate::finding::{Finding, FindingKind};
use crate::metric::Metric;

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
    pub fn new(
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

    pub fn write(&mut self) -> anyhow::Result<Written> {
        let state = if self.was_closed {
            DayState::Closed
        } else {
            self.new.state
        };
        self.registry.store_told_accounts(self.connection)?;
        let old = match self.stored {
            Some(_) => self.statements.list_records(self.registry)?,
            None => Vec::new(),
        };
        if !self.was_closed {
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
        self.update_counts(&records, &old)?;
        self.reconcile(&records, old, &mut written)?;
        if self.mode != Mode::Report {
            self.freeze_guest_oses(counted(self.stored, self.new.existing))?;
        }
        refusals::settle(self.connection, self.new.day)?;
        findings.extend(written.differences.iter().map(difference_finding));
        let renewed = self.note_source(&written)?;
        written.findings = self.replace_findings(&findings, !renewed)?;
        count_revision(self.connection)?;
        Ok(written)
    }

    /// Notes how many records the day will have, and how many accounts any; the sums of its month are to be made anew.
    fn update_counts(&self, records: &[NewRecord], old: &[OldRecord]) -> anyhow::Result<()> {
        let mut keys: BTreeSet<Key> = records.iter().map(|record| record.key).collect();
        match self.mode {
            Mode::Replace => {}
            Mode::Gain => {
                let stored = old.iter().filter(|record| record.stored.is_some());
                keys.extend(stored.map(|record| record.key));
            }
            Mode::Report | Mode::Sealed => return Ok(()),
        }
        self.statements.forget_month_sums()?;
        let accounts: BTreeSet<u64> = keys.iter().map(|key| key.0).collect();
        self.statements.update_counts(keys.len(), accounts.len())
    }

    /// Keeps how the source looks, if its figures are what the day holds now. Answers whether what was found
    /// doubtful in it is to be kept anew.
    fn note_source(&self, written: &Written) -> anyhow::Result<bool> {
        let written_anew = written.added + written.overwritten > 0;
        if self.was_closed && written_anew {
            self.statements.upsert_day(DayState::Closed, self.new)?;
        }
        if !written.differences.is_empty() || written.pending > 0 {
            self.statements.forget_verification()?;
        }
        if !written.differences.is_empty() {
            return Ok(written_anew);
        }
        let before = self.statements.list_digests()?;
        self.statements.update_source(self.new)?;
        let changed = !before.is_empty() && before != self.new.usage.digests;
        Ok(written_anew || changed || self.mode == Mode::Replace)
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
        for (vm, template) in self.new.vms {
            let registry = &self.registry;
            let guest_os = registry.guest_os(self.connection, *vm, *template, day, counted)?;
            let oses = &mut self.registry.guest_oses;
            oses.freeze(self.connection, *vm, day, guest_os, later_days)?;
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
            self.statements.delete_findings(Some(differs))?;
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

pub(super) fn counted(stored: Option<StoredDay>, existing: Existing) -> Counted {
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
