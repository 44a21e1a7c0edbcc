//! Writes one day, wholly or not at all: gives its records their ids, has `plan` say what becomes of them, applies
//! that, and keeps what the source looked like and what was doubtful in it.

use std::collections::HashSet;

use anyhow::Context;

use super::account_states::Keep;
use super::correction_lines::DifferingLines;
use super::day::{
    ClosedDay, Completion, Correction, FigureDifference, NewDay, NewFinding, NewRecord, OldRecord,
    Policy, RecordKey, StoredDay, Written,
};
use super::guest_oses;
use super::handle::Ledger;
use super::held::find_day;
use super::line_reader::LinesOf;
use super::line_table::LinesPer;
use super::lines::{add_lines, keep_states, replace_lines};
use super::names::LedgerNames;
use super::plan::{DayPlan, RecordChange, Unequal, count_accounts, count_after, plan};
use super::recent_figures::RecentFigures;
use super::refusals;
use super::resolution::{name_findings, resolve};
use super::statements::{Statements, count_revision};
use super::unknown_sizes::find_unknown_sizes;
use super::unusual::{CompareFacts, find_unusual};
use crate::aggregate::window::DayBounds;
use crate::cloud::Names;
use crate::day::Day;
use crate::db::{Connection, params};
use crate::finding::FindingKind;
use crate::zones::Zones;

impl Ledger {
    /// What the ledger has of a day.
    pub fn find_day(&self, day: Day) -> anyhow::Result<Option<StoredDay>> {
        find_day(self.connection(), day)
    }

    /// Adds what the source says of ids, for the days written from now on.
    pub fn add_names(&mut self, names: Names) {
        self.names.add_names(names);
    }

    /// Writes a day in one transaction. On an error the day is as it was.
    pub fn write_day(&mut self, new: &NewDay) -> anyhow::Result<Written> {
        let mut recent = std::mem::take(&mut self.recent);
        let zones = self.zones.clone();
        let written = self.transaction(|connection, names| {
            let stored = find_day(connection, new.day)?;
            // After an error nothing is held: what was rolled back is not in the ledger.
            let mut held = std::mem::take(&mut recent);
            let written =
                DayWriter::new(connection, names, new, stored).write(&mut held, &zones)?;
            recent = held;
            Ok(written)
        })?;
        self.recent = recent;
        self.names.forget_stored_names();
        Ok(written)
    }

    /// Whether the day has differences or a refusal, and somebody has acknowledged them all.
    pub fn is_acknowledged(&self, day: Day) -> anyhow::Result<bool> {
        let sql = "select coalesce(min(acknowledged_at is not null), false) from findings \
                   where day = :day and kind in ('differs_from_source', 'refused')";
        self.connection()
            .one(sql, params! {":day": day}, |row| row.get(0))
    }
}

/// What the plan of one day stands on, and what applies it.
struct DayWriter<'a> {
    connection: &'a Connection,
    names: &'a mut LedgerNames,
    new: &'a NewDay<'a>,
    stored: Option<StoredDay>,
    policy: Policy,
    statements: Statements<'a>,
}

impl<'a> DayWriter<'a> {
    fn new(
        connection: &'a Connection,
        names: &'a mut LedgerNames,
        new: &'a NewDay<'a>,
        stored: Option<StoredDay>,
    ) -> DayWriter<'a> {
        DayWriter {
            connection,
            names,
            new,
            stored,
            policy: Policy::of(stored, new.closed_day),
            statements: Statements::new(connection, new.day, new.now),
        }
    }

    fn write(&mut self, recent: &mut RecentFigures, zones: &Zones) -> anyhow::Result<Written> {
        let was_closed = self.policy != Policy::Unfinished;
        self.names.store_named_accounts(self.connection)?;
        let old = match self.stored {
            Some(_) => self.statements.list_records(self.names)?,
            None => Vec::new(),
        };
        if !was_closed {
            self.statements.upsert_day(self.new)?;
        }
        let (connection, new) = (self.connection, self.new);
        let mut findings = name_findings(connection, self.names, new)?;
        findings.extend(find_unknown_sizes(self.new.usage, self.names));
        let records = resolve(connection, self.names, new, &mut findings)?;
        self.update_counts(&old, &records)?;
        let mut plan = plan(self.policy, &old, &records);
        let differing = self.differing_lines(&plan)?;
        let is_moved = |record: &&OldRecord| {
            record.corrected.is_some() && differing.has(record.key) && !plan.differs(record.key)
        };
        let moved: Vec<OldRecord> = old.iter().filter(is_moved).copied().collect();
        plan.add_moved(self.policy, &moved);
        let corrections = self.apply(&plan.changes)?;
        differing.keep(self.connection, self.names, self.new, &corrections)?;
        let differences = self.name_all(&plan.unequal)?;
        if self.policy != Policy::Closed(ClosedDay::ReportOnly) {
            self.freeze()?;
        }
        refusals::settle(self.connection, self.new.day)?;
        findings.extend(differences.iter().map(FigureDifference::finding));
        let renewed = self.keep_source(&plan)?;
        self.keep_lines(&plan, &old, renewed)?;
        findings.extend(self.find_unusual(&records, renewed, recent, zones)?);
        let account_changes = self.names.accounts.take_changes();
        findings.extend(
            account_changes
                .iter()
                .map(|change| account_id_changed(change)),
        );
        let findings = self.replace_findings(&findings, !renewed)?;
        count_revision(self.connection)?;
        Ok(Written {
            completion: match was_closed {
                true => Completion::Closed,
                false => self.new.completion,
            },
            sealed: self.policy == Policy::Sealed,
            // A count of rows fits 64 bits.
            accounts: count_accounts(&records) as u64,
            added: plan.added,
            kept: plan.kept,
            overwritten: plan.overwritten,
            pending: plan.pending,
            differences,
            findings,
            account_changes,
        })
    }

    /// Keeps how many records the day will have, and how many accounts any; the sums of its month are to be rebuilt.
    fn update_counts(&self, old: &[OldRecord], records: &[NewRecord]) -> anyhow::Result<()> {
        let Some((records, accounts)) = count_after(self.policy, old, records) else {
            return Ok(());
        };
        self.statements.forget_month_sums()?;
        self.statements.update_counts(records, accounts)
    }

    /// The lines that are not as before: of all accounts where the source's rows are not those that the day was written
    /// from, else of those that corrections are about.
    fn differing_lines(&self, plan: &DayPlan) -> anyhow::Result<DifferingLines> {
        let (connection, names, new) = (self.connection, &*self.names, self.new);
        let per = self
            .stored
            .map_or(LinesPer::Record, |stored| stored.lines_per);
        let stays = self.policy != Policy::Unfinished && per != LinesPer::Record;
        if stays && self.statements.list_digests()? != new.usage.digests {
            return DifferingLines::find(connection, names, new, per, LinesOf::All);
        }
        let corrections = plan.changes.iter().filter_map(RecordChange::correction);
        let mut accounts: Vec<i64> = corrections.map(|correction| correction.key.0).collect();
        accounts.sort_unstable();
        accounts.dedup();
        DifferingLines::find(connection, names, new, per, LinesOf::Accounts(&accounts))
    }

    /// Deletes run before inserts, so that a record finds its place free. Returns the corrections with their ids.
    fn apply<'c>(&self, changes: &'c [RecordChange]) -> anyhow::Result<Vec<(i64, &'c Correction)>> {
        let mut corrections = Vec::new();
        for change in changes {
            match change {
                RecordChange::Insert { .. } => {}
                RecordChange::Update {
                    key,
                    resource_id,
                    quantity,
                } => self
                    .statements
                    .update_record(*key, *resource_id, *quantity)?,
                RecordChange::Delete { key, resource_id } => {
                    self.statements.delete_record(*key, *resource_id)?;
                }
                RecordChange::Correct(correction) => {
                    let id = self.statements.insert_correction(correction)?;
                    corrections.push((id, correction.as_ref()));
                }
                RecordChange::ApplyPending { key, resource_id } => {
                    self.statements.apply_pending(*key, *resource_id)?;
                }
            }
        }
        let inserts = changes.iter().filter_map(|change| match change {
            RecordChange::Insert {
                key,
                resource_id,
                quantity,
            } => Some((*key, *resource_id, *quantity)),
            RecordChange::Update { .. }
            | RecordChange::Delete { .. }
            | RecordChange::Correct(_)
            | RecordChange::ApplyPending { .. } => None,
        });
        self.statements.insert_records(inserts)?;
        Ok(corrections)
    }

    fn name_all(&self, unequal: &[Unequal]) -> anyhow::Result<Vec<FigureDifference>> {
        let name = |unequal: &Unequal| {
            let (account_id, metric_id, _) = unequal.key;
            let metric = self.names.find_metric(metric_id);
            Ok(FigureDifference {
                account: self.names.accounts.uuid(account_id),
                account_id,
                metric: metric.context("a record of an unknown metric")?,
                resource: self.names.resource_uuid(unequal.resource_id),
                stored: unequal.stored,
                source: unequal.source,
            })
        };
        unequal.iter().map(name).collect()
    }

    /// Keeps how the source looks, if its figures are what the day holds now. Returns whether the findings replace the
    /// former ones.
    fn keep_source(&self, plan: &DayPlan) -> anyhow::Result<bool> {
        let rewritten = plan.added + plan.overwritten > 0;
        if self.policy != Policy::Unfinished && rewritten {
            self.statements.update_imported(self.new)?;
        }
        if !plan.unequal.is_empty() || plan.pending > 0 {
            self.statements.forget_verification()?;
        }
        if !plan.unequal.is_empty() {
            return Ok(rewritten);
        }
        let before = self.statements.list_digests()?;
        self.statements
            .update_source(self.new.usage, self.new.fingerprint)?;
        let changed = !before.is_empty() && before != self.new.usage.digests;
        let replaced = matches!(
            self.policy,
            Policy::Unfinished | Policy::Closed(ClosedDay::Overwrite)
        );
        Ok(rewritten || changed || replaced)
    }

    /// Keeps the lines of the figures that the day holds now. A sealed day gets lines if it has none, and no others.
    fn keep_lines(
        &mut self,
        plan: &DayPlan,
        old: &[OldRecord],
        renewed: bool,
    ) -> anyhow::Result<()> {
        let has_lines = self
            .stored
            .is_some_and(|stored| stored.lines_per != LinesPer::Record);
        let holds_the_source = plan.unequal.is_empty() && plan.pending == 0;
        let replace = match self.policy {
            Policy::Unfinished => true,
            Policy::Closed(ClosedDay::Overwrite | ClosedDay::AddMissing) => {
                holds_the_source && (renewed || !has_lines)
            }
            // With pending corrections, also those of earlier imports, its figures are not those of the source.
            Policy::Sealed => {
                holds_the_source && !has_lines && !old.iter().any(|record| record.pending)
            }
            Policy::Closed(ClosedDay::ReportOnly) => false,
        };
        if replace {
            self.statements.forget_month_sums()?;
            return replace_lines(self.connection, self.names, self.new);
        }
        let inserted: HashSet<RecordKey> = plan
            .changes
            .iter()
            .filter_map(|change| match change {
                RecordChange::Insert { key, .. } => Some(*key),
                RecordChange::Update { .. }
                | RecordChange::Delete { .. }
                | RecordChange::Correct(_)
                | RecordChange::ApplyPending { .. } => None,
            })
            .collect();
        // As the lines that it has.
        let per = self
            .stored
            .map_or(self.new.lines_per, |stored| stored.lines_per);
        match !inserted.is_empty() {
            true => add_lines(self.connection, self.names, self.new, per, &inserted),
            false => Ok(()),
        }
    }

    /// Compares the figures that a closed day holds now with those of the days before. Those of a sealed day are as they
    /// were, and so are its findings.
    fn find_unusual(
        &self,
        records: &[NewRecord],
        renewed: bool,
        recent: &mut RecentFigures,
        zones: &Zones,
    ) -> anyhow::Result<Vec<NewFinding>> {
        let (connection, day) = (self.connection, self.new.day);
        if self.policy != Policy::Sealed {
            recent.forget(day);
        }
        let is_closed = match self.policy {
            Policy::Unfinished => self.new.completion == Completion::Closed,
            Policy::Closed(_) => true,
            Policy::Sealed => false,
        };
        let Some(rule) = self.new.unusual.filter(|_| is_closed && renewed) else {
            return Ok(Vec::new());
        };
        recent.read_before(connection, day, zones)?;
        match self.policy {
            Policy::Unfinished => {
                let figures = records.iter();
                let figures = figures.map(|of| ((of.key.0, of.key.1), of.quantity));
                recent.set(day, zones, figures);
            }
            Policy::Closed(_) | Policy::Sealed => recent.read_day(connection, day, zones)?,
        }
        let known = CompareFacts {
            accounts: &self.names.accounts,
            cloud: &self.names.cloud,
            metrics: self.names.metrics().collect(),
        };
        let bounds = DayBounds::of(day, zones);
        Ok(find_unusual(
            rule,
            recent,
            &recent.window(day),
            bounds,
            &known,
        ))
    }

    /// Freezes what the day's accounts are called, and what its VMs are counted under.
    fn freeze(&mut self) -> anyhow::Result<()> {
        let day = self.new.day;
        let later_days = self.statements.has_later_days()?;
        let keep = match self.policy {
            Policy::Unfinished => Keep::Now { later_days },
            Policy::Closed(_) | Policy::Sealed => Keep::Former,
        };
        keep_states(self.connection, self.names, day, self.new.usage, keep)?;
        let vms = self.new.vms;
        let oses = &mut self.names.guest_oses;
        oses.read(self.connection, vms.iter().map(|(vm, _)| *vm))?;
        let mut frozen = Vec::new();
        // One after the other: what a VM has been given holds for another row of it.
        for (vm, template) in vms {
            let guest_os = self.names.guest_os(*vm, *template, day, self.policy);
            let oses = &mut self.names.guest_oses;
            frozen.extend(oses.freeze(*vm, day, guest_os, later_days));
        }
        guest_oses::store(self.connection, &frozen)
    }

    /// Puts the findings in place of the day's former ones. Where the source has not changed the former ones
    /// still hold, and only differences and changes of accounts are new. Returns how many there are now.
    fn replace_findings(
        &mut self,
        findings: &[NewFinding],
        only_differences: bool,
    ) -> anyhow::Result<u64> {
        let differs = FindingKind::DiffersFromSource;
        let is_new = |kind| kind == differs || kind == FindingKind::AccountIdChanged;
        if only_differences {
            self.statements.delete_findings(differs)?;
        } else {
            let kept: &[FindingKind] = match self.policy {
                Policy::Sealed => &[FindingKind::AccountIdChanged, FindingKind::Unusual],
                Policy::Unfinished | Policy::Closed(_) => &[FindingKind::AccountIdChanged],
            };
            self.statements.delete_findings_but(kept)?;
        }
        for finding in findings
            .iter()
            .filter(|finding| !only_differences || is_new(finding.kind))
        {
            let metric_id = match finding.metric {
                Some(metric) => Some(self.names.metric(self.connection, metric)?),
                None => None,
            };
            self.statements.insert_finding(finding, metric_id)?;
        }
        self.statements.count_findings()
    }
}

/// Found once, and kept whatever becomes of the day. Of no account: nobody who may see only one of the two accounts is to
/// read about the other.
fn account_id_changed(change: &str) -> NewFinding {
    NewFinding {
        kind: FindingKind::AccountIdChanged,
        account_id: None,
        metric: None,
        resource: None,
        detail: change.to_owned(),
    }
}
