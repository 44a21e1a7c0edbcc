//! What becomes of a day's records: one walk along what is new and what is there, and for each pair what the
//! writer's mode makes of it. A sealed day's corrections are chained: each goes on from the value that the
//! earlier ones came to, so that the sealed value and all corrections make what the source says.

use anyhow::Context;
use rusqlite::CachedStatement;

use super::statements::{CorrectionKind, OldRecord};
use super::write::{Difference, Written};
use super::writer::{DayWriter, Mode, NewRecord};
use crate::metric::Metric;

impl DayWriter<'_> {
    /// Both lists are in the order of their keys.
    pub fn reconcile(
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
                Some(before) => self.again(record, &before, &mut insert, written)?,
                None => self.appeared(record, &mut insert, written)?,
            }
        }
        old.try_for_each(|gone| self.vanished(&gone, written))
    }

    /// A record that the ledger says nothing of yet.
    fn appeared(
        &self,
        record: &NewRecord,
        insert: &mut CachedStatement,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let new = Some(record.quantity);
        match self.mode {
            Mode::Replace | Mode::Gain => {
                self.insert(insert, record, record.resource_id)?;
                written.added += 1;
                if self.was_closed {
                    let kind = CorrectionKind::Overwritten;
                    let (key, id) = (record.key, record.resource_id);
                    self.statements
                        .insert_correction(key, id, None, new, kind)?;
                }
            }
            Mode::Report => {
                let none = OldRecord {
                    key: record.key,
                    resource_id: record.resource_id,
                    stored: None,
                    corrected: None,
                    pending: false,
                };
                let difference = self.difference(&none, record.metric, new);
                written.differences.push(difference);
            }
            Mode::Sealed => {
                let kind = CorrectionKind::Pending;
                let (key, id) = (record.key, record.resource_id);
                self.statements
                    .insert_correction(key, id, None, new, kind)?;
                written.pending += 1;
            }
        }
        Ok(())
    }

    /// A record that the ledger knows already.
    fn again(
        &self,
        record: &NewRecord,
        before: &OldRecord,
        insert: &mut CachedStatement,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let new = Some(record.quantity);
        match self.mode {
            Mode::Replace => self.replace(record, before, insert, written)?,
            // Only a pending correction speaks of it: it is missing still.
            Mode::Gain if before.stored.is_none() => {
                self.replace(record, before, insert, written)?
            }
            Mode::Gain | Mode::Report => {
                written.kept += 1;
                if before.stored != new {
                    let difference = self.difference(before, record.metric, new);
                    written.differences.push(difference);
                }
            }
            Mode::Sealed => {
                written.kept += 1;
                self.correct_sealed(before, new, written)?;
            }
        }
        Ok(())
    }

    /// A record that the source says nothing of any more.
    fn vanished(&self, gone: &OldRecord, written: &mut Written) -> anyhow::Result<()> {
        match self.mode {
            Mode::Gain | Mode::Report => {
                if gone.stored.is_some() {
                    let metric = self
                        .registry
                        .find_metric(gone.key.1)
                        .context("a record of an unknown metric")?;
                    let difference = self.difference(gone, metric, None);
                    written.differences.push(difference);
                }
            }
            Mode::Sealed => self.correct_sealed(gone, None, written)?,
            Mode::Replace => {
                if gone.stored.is_some() {
                    self.statements.delete_record(gone.key, gone.resource_id)?;
                    written.overwritten += 1;
                }
                self.correct(gone, None)?;
            }
        }
        Ok(())
    }

    fn difference(&self, before: &OldRecord, metric: Metric, source: Option<f64>) -> Difference {
        Difference {
            account: self.registry.account_uuid(before.key.0),
            account_id: before.key.0,
            metric,
            resource: self.registry.resource_uuid(before.resource_id),
            stored: before.stored,
            source,
        }
    }

    /// The new value takes the old one's place, under the name that was frozen unless that is a stand-in. On
    /// an open day growth is the rule, and only what shrinks is kept as a correction.
    fn replace(
        &self,
        record: &NewRecord,
        before: &OldRecord,
        insert: &mut CachedStatement,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let new = Some(record.quantity);
        if !record.stand_in
            && before.resource_id != record.resource_id
            && self.registry.is_stand_in(before.resource_id)
        {
            self.statements
                .delete_record(record.key, before.resource_id)?;
            self.insert(insert, record, record.resource_id)?;
            self.correct(before, None)?;
            let kind = CorrectionKind::Overwritten;
            let (key, id) = (record.key, record.resource_id);
            self.statements
                .insert_correction(key, id, None, new, kind)?;
            written.overwritten += 1;
            return Ok(());
        }
        match before.stored {
            None => {
                self.insert(insert, record, before.resource_id)?;
                written.added += 1;
            }
            Some(quantity) if quantity == record.quantity => written.kept += 1,
            Some(_) => {
                let (key, id) = (record.key, before.resource_id);
                self.statements.update_record(key, id, record.quantity)?;
                written.overwritten += 1;
            }
        }
        if self.was_closed || Some(record.quantity) < before.stored {
            self.correct(before, new)?;
        }
        Ok(())
    }

    fn insert(
        &self,
        insert: &mut CachedStatement,
        record: &NewRecord,
        resource_id: i64,
    ) -> anyhow::Result<()> {
        let (account_id, metric_id, _) = record.key;
        insert.execute((
            account_id,
            self.statements.day(),
            metric_id,
            resource_id,
            record.quantity,
        ))?;
        Ok(())
    }

    /// Keeps that a record has changed, from what its pending corrections had made of it: these are in it now.
    fn correct(&self, before: &OldRecord, new: Option<f64>) -> anyhow::Result<()> {
        let (key, id, old) = (before.key, before.resource_id, before.corrected);
        if before.pending {
            self.statements.apply_pending(key, id)?;
        }
        if old != new {
            let kind = CorrectionKind::Overwritten;
            self.statements.insert_correction(key, id, old, new, kind)?;
        }
        Ok(())
    }

    fn correct_sealed(
        &self,
        before: &OldRecord,
        new: Option<f64>,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        if before.corrected != new {
            let (key, id, old) = (before.key, before.resource_id, before.corrected);
            let kind = CorrectionKind::Pending;
            self.statements.insert_correction(key, id, old, new, kind)?;
            written.pending += 1;
        }
        Ok(())
    }
}
