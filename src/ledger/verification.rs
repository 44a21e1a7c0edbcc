//! What a day's figures are compared by, and that they were found equal.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::day::NewFinding;
use super::handle::Ledger;
use super::held::find_day;
use super::names::LedgerNames;
use super::refusals;
use super::statements::{Statements, count_revision};
use crate::aggregate::DayUsage;
use crate::cloud::Fingerprint;
use crate::day::{Day, DayRange};
use crate::db::{Connection, params};
use crate::finding::FindingKind;
use crate::metric::Metric;
use crate::row::Digest;

/// One figure of a day as the ledger has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFigure {
    /// The ledger's own id.
    pub account_id: i64,
    pub metric: Metric,
    pub source_id: u64,
    pub resource_id: i64,
    /// In the metric's unit, with the pending corrections of a sealed day; `None`: they took it away.
    pub quantity: Option<f64>,
}

/// A day as the ledger has it.
#[derive(Debug, PartialEq)]
pub struct DayFigures {
    /// Sorted by account, metric and source id.
    pub figures: Vec<StoredFigure>,
    /// How the source looked; empty: the day was imported before this was kept.
    pub digests: BTreeMap<Option<u32>, Digest>,
    /// The same of its rows by count and ids, as a text.
    pub fingerprint: Option<String>,
    pub replayed_rows: u64,
}

/// A finding that somebody has acknowledged, by what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AcknowledgedFinding {
    pub kind: String,
    pub account_uuid: Option<String>,
    pub metric: Option<String>,
    pub resource: Option<String>,
    pub detail: String,
}

/// A day's figures and how its source looked.
pub(super) fn day_figures(
    connection: &Connection,
    names: &LedgerNames,
    day: Day,
) -> anyhow::Result<DayFigures> {
    let statements = Statements::new(connection, day, "");
    let sealed = find_day(connection, day)?.is_some_and(|stored| stored.sealed);
    let mut figures = Vec::new();
    for record in statements.list_records(names)? {
        let (account_id, metric_id, source_id) = record.key;
        let metric = names
            .find_metric(metric_id)
            .context("a record of an unknown metric")?;
        figures.push(StoredFigure {
            account_id,
            metric,
            source_id,
            resource_id: record.resource_id,
            quantity: match sealed {
                true => record.corrected,
                false => record.stored,
            },
        });
    }
    figures.sort_by_key(|figure| (figure.account_id, figure.metric, figure.source_id));
    let sql = "select replayed_rows, fingerprint from stored_days where day = :day";
    let (replayed_rows, fingerprint) = connection.one(sql, params! {":day": day}, |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(DayFigures {
        figures,
        digests: statements.list_digests()?,
        fingerprint,
        replayed_rows,
    })
}

impl Ledger {
    /// A day's figures and how its source looked.
    pub fn day_figures(&self, day: Day) -> anyhow::Result<DayFigures> {
        day_figures(self.connection(), &self.names, day).with_context(|| self.engine.name())
    }

    /// Closed days, in order: those of a range, or all that were not found equal since they were written.
    pub fn list_closed_days(&self, range: Option<DayRange>) -> anyhow::Result<Vec<Day>> {
        let connection = self.connection();
        match range {
            None => {
                let sql = "select day from stored_days where state = 'closed' and verified_at is null order by day";
                connection.list(sql, params! {}, |row| row.get(0))
            }
            Some(range) => {
                let sql = "select day from stored_days where state = 'closed' and day between :first and :last \
                           order by day";
                let days = params! {":first": range.first(), ":last": range.last()};
                connection.list(sql, days, |row| row.get(0))
            }
        }
    }

    /// Keeps that a day was found equal to its source, and settles what it was refused for. A day that was imported
    /// before digests were kept gets those of now: they are of the rows that its figures equal.
    pub fn mark_verified(
        &mut self,
        day: Day,
        usage: &DayUsage,
        fingerprint: &Fingerprint,
        now: &str,
    ) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            let statements = Statements::new(connection, day, now);
            if statements.list_digests()?.is_empty() {
                statements.update_source(usage, fingerprint)?;
            }
            refusals::settle(connection, day)?;
            statements.mark_verified()?;
            count_revision(connection)
        })
    }

    /// Records that somebody has acknowledged whatever differs between a day and its source. `now` is UTC,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn mark_acknowledged(&mut self, day: Day, now: &str) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            Statements::new(connection, day, now).mark_verified()?;
            count_revision(connection)
        })
    }

    /// Keeps the day's findings of a kind that imports do not look for. Those that are there keep their ids.
    pub fn keep_findings(
        &mut self,
        day: Day,
        kind: FindingKind,
        findings: &[NewFinding],
    ) -> anyhow::Result<()> {
        self.transaction(|connection, names| {
            let statements = Statements::new(connection, day, "");
            let mut kept = Vec::new();
            for finding in findings {
                let metric = finding.metric;
                let metric_id = metric.map(|metric| names.metric(connection, metric));
                kept.push((finding, metric_id.transpose()?));
            }
            if statements.has_findings(kind, &kept)? {
                return Ok(());
            }
            statements.delete_findings(kind)?;
            for (finding, metric_id) in kept {
                statements.insert_finding(finding, metric_id)?;
            }
            count_revision(connection)
        })
    }

    /// What somebody has acknowledged of a day.
    pub fn list_acknowledged(&self, day: Day) -> anyhow::Result<BTreeSet<AcknowledgedFinding>> {
        let sql = "select kind, account_uuid, metric, resource, detail from findings \
                   where day = :day and acknowledged_at is not null";
        let found = self.connection().list(sql, params! {":day": day}, |row| {
            Ok(AcknowledgedFinding {
                kind: row.get(0)?,
                account_uuid: row.get(1)?,
                metric: row.get(2)?,
                resource: row.get(3)?,
                detail: row.get(4)?,
            })
        })?;
        Ok(found.into_iter().collect())
    }

    /// Records that a day was not found equal.
    pub fn mark_unequal(&mut self, day: Day) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            let statements = Statements::new(connection, day, "");
            statements.forget_verification()?;
            count_revision(connection)
        })
    }
}
