//! Writes one day, wholly or not at all. An open day is replaced, a closed day only gains records unless it is
//! forced, a sealed day stays as it is, and every value of a closed day that changes is kept in `corrections`.

use std::cell::RefCell;

use anyhow::Context;
use rusqlite::Connection;

use super::Ledger;
use super::registry::Registry;
use super::writer::{DayWriter, counted};
use crate::aggregate::{DayUsage, VmFacts};
use crate::day::Day;
use crate::metric::Metric;
use crate::source::{Fingerprint, Names, first_id};

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
    /// The lowest id of the source's rows that ended on it; `None`: there were none, or it is not known.
    pub first_id: Option<u64>,
    /// No import may change it.
    pub sealed: bool,
    /// It was found equal to its source since it was written.
    pub verified: bool,
}

impl StoredDay {
    /// Whether the day needs its source no more: a purge of it is routine.
    pub fn is_settled(self) -> bool {
        self.sealed || (self.verified && self.state == DayState::Closed)
    }
}

/// What to write.
pub struct NewDay<'a> {
    pub day: Day,
    pub state: DayState,
    pub usage: &'a DayUsage,
    /// The VMs whose running was counted, each with its template.
    pub vms: &'a [(u64, u64)],
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

impl Ledger {
    /// What the ledger has of a day.
    pub fn find_day(&self, day: Day) -> anyhow::Result<Option<StoredDay>> {
        let sql = "select state, source_rows, replayed_rows, sealed_at is not null, fingerprint, \
                     verified_at is not null \
                   from stored_days where day = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([day.to_string()])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let state: String = row.get(0)?;
        let fingerprint: Option<String> = row.get(4)?;
        let state = if state == "closed" {
            DayState::Closed
        } else {
            DayState::Open
        };
        Ok(Some(StoredDay {
            state,
            source_rows: row.get(1)?,
            replayed_rows: row.get(2)?,
            first_id: fingerprint.as_deref().and_then(first_id),
            sealed: row.get(3)?,
            verified: row.get(5)?,
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
        act: impl FnOnce(&VmFacts) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let counted = counted(stored, existing);
        // Those who ask cannot pass an error on; what they make of the stand-in is thrown away.
        let failed = RefCell::new(None);
        let guest_os = |vm, template| {
            let (connection, registry) = (&self.connection, &self.registry);
            match registry.guest_os(connection, vm, template, day, counted) {
                Ok(guest_os) => guest_os.id,
                Err(err) => {
                    failed.borrow_mut().get_or_insert(err);
                    0
                }
            }
        };
        let removed = |vm| self.registry.vm_removed(vm);
        let acted = act(&VmFacts {
            guest_os: &guest_os,
            removed: &removed,
            account_removed: &|account| self.registry.account_removed(account),
        });
        match failed.take() {
            Some(err) => Err(err).with_context(|| format!("ledger {}", self.path.display())),
            None => acted,
        }
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

    /// Whether the day has differences or a refusal, and somebody has acknowledged them all.
    pub fn is_acknowledged(&self, day: Day) -> anyhow::Result<bool> {
        let sql = "select coalesce(min(acknowledged_at is not null), false) from findings \
                   where day = ?1 and kind in ('differs_from_source', 'refused')";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([day.to_string()], |row| row.get(0))?)
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
        self.insist_on_file()?;
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
impl Difference {
    pub fn in_words(&self) -> String {
        in_words(self.stored, self.source)
    }
}

/// `stored 24, the source says nothing`: the detail of a finding, by which it is acknowledged.
pub fn in_words(stored: Option<f64>, source: Option<f64>) -> String {
    let said = |quantity: Option<f64>| {
        quantity.map_or("nothing".to_owned(), |quantity| quantity.to_string())
    };
    format!("stored {}, the source says {}", said(stored), said(source))
}
