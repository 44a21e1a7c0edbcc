//! What becomes of a day's records: one walk along what the source says and what is stored, and for each pair what the
//! policy makes of it. Pure: `write` applies the plan. A sealed day's corrections are chained: each goes on from the
//! value that the earlier ones came to, so that the sealed value and all corrections add up to what the source says.

use super::day::{ClosedDay, Correction, CorrectionKind, NewRecord, OldRecord, Policy, RecordKey};

/// What to do to the records of a day, and what it amounts to.
#[derive(Debug, Default, PartialEq)]
pub struct DayPlan {
    pub changes: Vec<RecordChange>,
    /// What stays although the source says something else.
    pub unequal: Vec<Unequal>,
    pub added: u64,
    pub kept: u64,
    pub overwritten: u64,
    /// Pending corrections among the changes.
    pub pending: u64,
}

/// One change to a record or to its corrections.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    Insert {
        key: RecordKey,
        resource_id: i64,
        quantity: f64,
    },
    Update {
        key: RecordKey,
        resource_id: i64,
        quantity: f64,
    },
    Delete {
        key: RecordKey,
        resource_id: i64,
    },
    /// Keeps that the value has changed, or should. Boxed, as a new day has an insert for each record and none of these.
    Correct(Box<Correction>),
    /// The record's pending corrections are in the record itself now.
    ApplyPending {
        key: RecordKey,
        resource_id: i64,
    },
}

impl RecordChange {
    pub fn correction(&self) -> Option<&Correction> {
        match self {
            RecordChange::Correct(correction) => Some(correction),
            RecordChange::Insert { .. }
            | RecordChange::Update { .. }
            | RecordChange::Delete { .. }
            | RecordChange::ApplyPending { .. } => None,
        }
    }
}

/// A stored value that is not what the source says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unequal {
    pub key: RecordKey,
    pub resource_id: i64,
    pub stored: Option<f64>,
    pub source: Option<f64>,
}

/// Both lists are sorted by key.
pub fn plan(policy: Policy, old: &[OldRecord], new: &[NewRecord]) -> DayPlan {
    let mut plan = DayPlan::default();
    if policy == Policy::Unfinished && old.is_empty() {
        plan.changes.reserve_exact(new.len());
    }
    let mut old = old.iter().peekable();
    for record in new {
        while let Some(gone) = old.next_if(|before| before.key < record.key) {
            plan.vanished(policy, gone);
        }
        match old.next_if(|before| before.key == record.key) {
            Some(before) => plan.again(policy, record, before),
            None => plan.appeared(policy, record),
        }
    }
    old.for_each(|gone| plan.vanished(policy, gone));
    plan
}

/// How many records the day will have, and how many accounts will have any; `None`: as many as now.
pub fn count_after(policy: Policy, old: &[OldRecord], new: &[NewRecord]) -> Option<(usize, usize)> {
    match policy {
        Policy::Unfinished | Policy::Closed(ClosedDay::Overwrite) => {
            Some((new.len(), count_accounts(new)))
        }
        Policy::Closed(ClosedDay::AddMissing) => {
            let mut keys: Vec<RecordKey> = new.iter().map(|record| record.key).collect();
            let stored = old.iter().filter(|record| record.stored.is_some());
            keys.extend(stored.map(|record| record.key));
            keys.sort_unstable();
            keys.dedup();
            let accounts = keys.chunk_by(|a, b| a.0 == b.0).count();
            Some((keys.len(), accounts))
        }
        Policy::Closed(ClosedDay::ReportOnly) | Policy::Sealed => None,
    }
}

/// How many accounts have any of the records, which are sorted by key.
pub fn count_accounts(records: &[NewRecord]) -> usize {
    records.chunk_by(|a, b| a.key.0 == b.key.0).count()
}

impl DayPlan {
    /// A record that the ledger has nothing of yet.
    fn appeared(&mut self, policy: Policy, record: &NewRecord) {
        let (key, resource_id) = (record.key, record.resource_id);
        let new = Some(record.quantity);
        match policy {
            Policy::Unfinished => {
                self.insert(record, resource_id);
                self.added += 1;
            }
            Policy::Closed(ClosedDay::AddMissing | ClosedDay::Overwrite) => {
                self.insert(record, resource_id);
                self.added += 1;
                self.correct(key, resource_id, None, new, CorrectionKind::Overwritten);
            }
            Policy::Closed(ClosedDay::ReportOnly) => self.unequal.push(Unequal {
                key,
                resource_id,
                stored: None,
                source: new,
            }),
            Policy::Sealed => {
                self.correct(key, resource_id, None, new, CorrectionKind::Pending);
            }
        }
    }

    /// A record that the ledger has already.
    fn again(&mut self, policy: Policy, record: &NewRecord, before: &OldRecord) {
        let new = Some(record.quantity);
        match policy {
            Policy::Unfinished | Policy::Closed(ClosedDay::Overwrite) => {
                self.replace(policy, record, before);
            }
            // Only a pending correction speaks of it: the record itself is still missing.
            Policy::Closed(ClosedDay::AddMissing) if before.stored.is_none() => {
                self.replace(policy, record, before);
            }
            Policy::Closed(ClosedDay::AddMissing | ClosedDay::ReportOnly) => {
                self.kept += 1;
                if !is_same(before.stored, new) {
                    self.unequal.push(unequal(before, new));
                }
            }
            Policy::Sealed => {
                self.kept += 1;
                self.correct_sealed(before, new);
            }
        }
    }

    /// Records whose sums are as before, but not their lines: another VM, size or zone. The sums by these are figures too.
    pub fn add_moved(&mut self, policy: Policy, moved: &[OldRecord]) {
        for before in moved {
            let (key, resource_id, same) = (before.key, before.resource_id, before.corrected);
            match policy {
                Policy::Unfinished => {}
                Policy::Closed(ClosedDay::AddMissing | ClosedDay::ReportOnly) => {
                    self.unequal.push(unequal(before, before.stored));
                }
                Policy::Closed(ClosedDay::Overwrite) => {
                    self.kept -= 1;
                    self.overwritten += 1;
                    self.correct(key, resource_id, same, same, CorrectionKind::Overwritten);
                }
                Policy::Sealed => {
                    self.correct(key, resource_id, same, same, CorrectionKind::Pending);
                }
            }
        }
    }

    /// Whether it says of a record that it is not what the source says.
    pub fn differs(&self, key: RecordKey) -> bool {
        let corrections = self.changes.iter().filter_map(RecordChange::correction);
        let mut keys = corrections
            .map(|correction| correction.key)
            .chain(self.unequal.iter().map(|unequal| unequal.key));
        keys.any(|other| other == key)
    }

    /// A record that the source no longer has.
    fn vanished(&mut self, policy: Policy, gone: &OldRecord) {
        match policy {
            Policy::Closed(ClosedDay::AddMissing | ClosedDay::ReportOnly) => {
                if gone.stored.is_some() {
                    self.unequal.push(unequal(gone, None));
                }
            }
            Policy::Sealed => self.correct_sealed(gone, None),
            Policy::Unfinished | Policy::Closed(ClosedDay::Overwrite) => {
                if gone.stored.is_some() {
                    self.delete(gone);
                    self.overwritten += 1;
                }
                self.correct_overwritten(gone, None);
            }
        }
    }

    /// The new value takes the old one's place, under the name that was frozen unless that is a stand-in. On
    /// an open day growth is the rule, and only what shrinks is kept as a correction.
    fn replace(&mut self, policy: Policy, record: &NewRecord, before: &OldRecord) {
        let new = Some(record.quantity);
        if !record.stand_in && before.stand_in && before.resource_id != record.resource_id {
            self.delete(before);
            self.insert(record, record.resource_id);
            self.correct_overwritten(before, None);
            let kind = CorrectionKind::Overwritten;
            self.correct(record.key, record.resource_id, None, new, kind);
            self.overwritten += 1;
            return;
        }
        match before.stored {
            None => {
                self.insert(record, before.resource_id);
                self.added += 1;
            }
            stored if is_same(stored, new) => self.kept += 1,
            Some(_) => {
                self.changes.push(RecordChange::Update {
                    key: record.key,
                    resource_id: before.resource_id,
                    quantity: record.quantity,
                });
                self.overwritten += 1;
            }
        }
        if policy != Policy::Unfinished || new < before.stored {
            self.correct_overwritten(before, new);
        }
    }

    fn insert(&mut self, record: &NewRecord, resource_id: i64) {
        self.changes.push(RecordChange::Insert {
            key: record.key,
            resource_id,
            quantity: record.quantity,
        });
    }

    fn delete(&mut self, before: &OldRecord) {
        self.changes.push(RecordChange::Delete {
            key: before.key,
            resource_id: before.resource_id,
        });
    }

    /// Keeps that a record has changed, from what its pending corrections had made of it: these are in it now.
    fn correct_overwritten(&mut self, before: &OldRecord, new: Option<f64>) {
        let (key, resource_id, old) = (before.key, before.resource_id, before.corrected);
        if before.pending {
            self.changes
                .push(RecordChange::ApplyPending { key, resource_id });
        }
        if !is_same(old, new) {
            self.correct(key, resource_id, old, new, CorrectionKind::Overwritten);
        }
    }

    fn correct_sealed(&mut self, before: &OldRecord, new: Option<f64>) {
        let (key, resource_id, old) = (before.key, before.resource_id, before.corrected);
        if !is_same(old, new) {
            self.correct(key, resource_id, old, new, CorrectionKind::Pending);
        }
    }

    fn correct(
        &mut self,
        key: RecordKey,
        resource_id: i64,
        old: Option<f64>,
        new: Option<f64>,
        kind: CorrectionKind,
    ) {
        self.pending += u64::from(kind == CorrectionKind::Pending);
        let correction = Correction {
            key,
            resource_id,
            old,
            new,
            kind,
        };
        self.changes
            .push(RecordChange::Correct(Box::new(correction)));
    }
}

/// Figures that differ by no more than the rounding of their sums are one figure, and the stored one stays: earlier
/// versions added up in another order.
fn is_same(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= ROUNDING * one.abs().max(other.abs()),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Of a figure.
pub(super) const ROUNDING: f64 = 1e-12;

fn unequal(before: &OldRecord, source: Option<f64>) -> Unequal {
    Unequal {
        key: before.key,
        resource_id: before.resource_id,
        stored: before.stored,
        source,
    }
}

#[cfg(test)]
mod tests;
