//! Lines with all that a price may depend on, as statements take them: what an account used in some days by SKU and
//! resource, and what pending corrections add to that. What SKUs and resources are called is read once a question.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use anyhow::{Context, ensure};

use super::lines::{self, LineFilter};
use super::reader::Snapshot;
use super::skus::SkuTable;
use super::totals::{RESOURCES, ResourceFacts};
use crate::day::{Day, DayRange};
use crate::db::params;
use crate::ledger::month_part::{MonthPart, list_parts};
use crate::metric::Metric;
use crate::month::Month;
use crate::sku::{VmSize, offering_of};

/// A SKU by its names.
#[derive(Clone, Debug, PartialEq)]
pub struct SkuFacts {
    /// The published name.
    pub metric: Rc<str>,
    /// The published unit.
    pub unit: Rc<str>,
    /// `None`: there is none, or it is not known; like the zone.
    pub offering: Option<Rc<ResourceFacts>>,
    pub zone: Option<Rc<ResourceFacts>>,
    pub size: VmSize,
}

/// What was used under a SKU.
#[derive(Clone, Debug)]
pub struct SkuLine {
    pub sku: Rc<SkuFacts>,
    /// `None`: the ledger does not tell apart what was used.
    pub resource: Option<Rc<ResourceFacts>>,
    /// In the metric's unit; finite.
    pub quantity: f64,
}

/// A part of a pending correction.
#[derive(Clone, Debug)]
pub struct PendingLine {
    pub correction_id: i64,
    pub account_id: i64,
    pub day: Day,
    /// What there would be more, or less, than the sealed day has.
    pub line: SkuLine,
}

/// Name and unit.
type MetricNames = (Rc<str>, Rc<str>);

/// Reads the lines of one month, account by account.
pub struct SkuLineReader<'a> {
    snapshot: &'a Snapshot<'a>,
    part: Option<MonthPart>,
    /// Lines of one question.
    most: usize,
    metrics: HashMap<i64, MetricNames>,
    skus: SkuTable,
    facts: HashMap<i64, Rc<SkuFacts>>,
    resources: HashMap<i64, Rc<ResourceFacts>>,
}

impl<'a> SkuLineReader<'a> {
    /// Beyond so many lines of one question the error is `TooManySums`.
    pub fn of_month(
        snapshot: &'a Snapshot,
        month: Month,
        most: usize,
    ) -> anyhow::Result<SkuLineReader<'a>> {
        let connection = snapshot.connection();
        let metrics = connection.list("select id, name, unit from metrics", params! {}, |row| {
            let (name, unit): (String, String) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, (name.into(), unit.into())))
        })?;
        Ok(SkuLineReader {
            snapshot,
            part: list_parts(connection, month.days())?.pop(),
            most,
            metrics: metrics.into_iter().collect(),
            skus: SkuTable::default(),
            facts: HashMap::new(),
            resources: HashMap::new(),
        })
    }

    /// What an account used in some days of the month, one line for each SKU and resource.
    pub fn list(&mut self, account_id: i64, days: DayRange) -> anyhow::Result<Vec<SkuLine>> {
        let part = match &self.part {
            Some(part) => part.within(days)?,
            None => None,
        };
        let Some(part) = part else {
            return Ok(Vec::new());
        };
        let filter = LineFilter {
            account_id,
            part: &part,
            resources: None,
            apart: true,
            most: self.most,
        };
        let sums = lines::add_up(self.snapshot.connection(), filter)?;
        let ids: Vec<(i64, i64)> = sums
            .iter()
            .map(|sum| (sum.sku_id, sum.resource_id))
            .collect();
        self.read_names(&ids)?;
        let line = |sum: &lines::LineSum| self.line(sum.sku_id, sum.resource_id, sum.quantity);
        sums.iter().map(line).collect()
    }

    /// The pending corrections of days before one that nobody has acknowledged, in the order of the days. Where it is not
    /// known which lines a correction is about, it is one line of what is known.
    pub fn list_pending(
        &mut self,
        account_ids: &BTreeSet<i64>,
        before: Day,
    ) -> anyhow::Result<Vec<PendingLine>> {
        let ids: Vec<i64> = account_ids.iter().copied().collect();
        let values = params! {":accounts": ids.as_slice(), ":before": before};
        let connection = self.snapshot.connection();
        let pending = connection.list(PENDING, values, pending_row)?;
        self.name_pending(pending)
    }

    /// The same of corrections by their ids, whether somebody has acknowledged them or not.
    pub fn list_corrections(
        &mut self,
        account_ids: &BTreeSet<i64>,
        correction_ids: &[i64],
    ) -> anyhow::Result<Vec<PendingLine>> {
        let ids: Vec<i64> = account_ids.iter().copied().collect();
        let values = params! {":accounts": ids.as_slice(), ":ids": correction_ids};
        let connection = self.snapshot.connection();
        let pending = connection.list(OF_CORRECTIONS, values, pending_row)?;
        self.name_pending(pending)
    }

    fn name_pending(&mut self, pending: Vec<PendingRow>) -> anyhow::Result<Vec<PendingLine>> {
        let ids: Vec<(i64, i64)> = pending
            .iter()
            .filter_map(|row| row.sku_id.zip(row.resource_id))
            .collect();
        self.read_names(&ids)?;
        let of_records: Vec<i64> = pending.iter().map(|row| row.record_resource_id).collect();
        self.read_resources(of_records.into_iter())?;
        let line = |row: PendingRow| {
            let line = match (row.sku_id, row.resource_id) {
                (Some(sku_id), Some(resource_id)) => {
                    self.line(sku_id, resource_id, row.quantity)?
                }
                _ => self.line_of_record(&row)?,
            };
            Ok(PendingLine {
                correction_id: row.correction_id,
                account_id: row.account_id,
                day: row.day,
                line,
            })
        };
        pending.into_iter().map(line).collect()
    }

    fn line(&self, sku_id: i64, resource_id: i64, quantity: f64) -> anyhow::Result<SkuLine> {
        let sku = self
            .facts
            .get(&sku_id)
            .context("a line of an unknown SKU")?;
        ensure!(
            quantity.is_finite(),
            "the sum of {} is not a number",
            sku.metric
        );
        Ok(SkuLine {
            sku: Rc::clone(sku),
            resource: self.resource(resource_id)?,
            quantity,
        })
    }

    /// A record knows its offering or its address.
    fn line_of_record(&self, row: &PendingRow) -> anyhow::Result<SkuLine> {
        let (metric, unit) = self.metric(row.metric_id)?;
        let named = self.resource(row.record_resource_id)?;
        let has_offering = Metric::of_name(&metric).is_some_and(|one| offering_of(one).is_some());
        let (offering, resource) = match has_offering {
            true => (named, None),
            false => (None, named),
        };
        let sku = SkuFacts {
            metric,
            unit,
            offering,
            zone: None,
            size: VmSize::default(),
        };
        Ok(SkuLine {
            sku: Rc::new(sku),
            resource,
            quantity: row.quantity,
        })
    }

    fn metric(&self, id: i64) -> anyhow::Result<MetricNames> {
        let found = self.metrics.get(&id);
        Ok(found.context("a line of an unknown metric")?.clone())
    }

    /// 0: none.
    fn resource(&self, id: i64) -> anyhow::Result<Option<Rc<ResourceFacts>>> {
        if id == 0 {
            return Ok(None);
        }
        let found = self.resources.get(&id);
        Ok(Some(Rc::clone(
            found.context("a line of an unknown resource")?,
        )))
    }

    /// Reads what these SKUs and resources are called, as far as that is not known yet.
    fn read_names(&mut self, ids: &[(i64, i64)]) -> anyhow::Result<()> {
        let connection = self.snapshot.connection();
        self.skus.add(connection, ids.iter().map(|(sku, _)| *sku))?;
        let new: BTreeSet<i64> = ids
            .iter()
            .map(|(sku, _)| *sku)
            .filter(|sku| !self.facts.contains_key(sku))
            .collect();
        let mut resources: Vec<i64> = ids.iter().map(|(_, resource)| *resource).collect();
        for id in &new {
            let stored = self.skus.get(*id)?;
            resources.extend([stored.offering_id, stored.zone_id]);
        }
        self.read_resources(resources.into_iter())?;
        for id in new {
            let stored = self.skus.get(id)?;
            let (metric, unit) = self.metric(stored.metric_id)?;
            let facts = SkuFacts {
                metric,
                unit,
                offering: self.resource(stored.offering_id)?,
                zone: self.resource(stored.zone_id)?,
                size: stored.size(),
            };
            self.facts.insert(id, Rc::new(facts));
        }
        Ok(())
    }

    fn read_resources(&mut self, ids: impl Iterator<Item = i64>) -> anyhow::Result<()> {
        let new: BTreeSet<i64> = ids
            .filter(|id| *id != 0 && !self.resources.contains_key(id))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = new.into_iter().collect();
        let values = params! {":ids": ids.as_slice()};
        let connection = self.snapshot.connection();
        connection.each(RESOURCES, values, |row| {
            let facts = ResourceFacts {
                kind: row.get(1)?,
                uuid: row.get(2)?,
                name: row.get(3)?,
                cloudstack_id: row.get(4)?,
            };
            self.resources.insert(row.get(0)?, Rc::new(facts));
            Ok(())
        })
    }
}

/// As it is read. `None`: which lines the correction is about is not known.
struct PendingRow {
    correction_id: i64,
    day: Day,
    account_id: i64,
    metric_id: i64,
    record_resource_id: i64,
    sku_id: Option<i64>,
    resource_id: Option<i64>,
    quantity: f64,
}

fn pending_row(row: &crate::db::Row) -> anyhow::Result<PendingRow> {
    Ok(PendingRow {
        correction_id: row.get(0)?,
        day: row.get(1)?,
        account_id: row.get(2)?,
        metric_id: row.get(3)?,
        record_resource_id: row.get(4)?,
        sku_id: row.get(5)?,
        resource_id: row.get(6)?,
        quantity: row.get(7)?,
    })
}

pub(super) const OF_CORRECTIONS: &str = "select c.id, c.day, c.account_id, c.metric_id, c.resource_id, p.sku_id, \
     p.resource_id, \
     iif(p.sku_id is null, coalesce(c.new_quantity, 0.0) - coalesce(c.old_quantity, 0.0), \
         coalesce(p.new_quantity, 0.0) - coalesce(p.old_quantity, 0.0)) \
     from stored_corrections c \
     left join correction_lines p on p.correction_id = c.id \
     where c.id in rarray(:ids) and c.account_id in rarray(:accounts) \
     order by c.day, c.id, p.sku_id, p.resource_id";

/// Along the index of those that are due.
pub(super) const PENDING: &str = "select c.id, c.day, c.account_id, c.metric_id, c.resource_id, p.sku_id, p.resource_id, \
     iif(p.sku_id is null, coalesce(c.new_quantity, 0.0) - coalesce(c.old_quantity, 0.0), \
         coalesce(p.new_quantity, 0.0) - coalesce(p.old_quantity, 0.0)) \
     from stored_corrections c \
     left join correction_lines p on p.correction_id = c.id \
     where c.kind = 'pending' and c.acknowledged_at is null and c.day < :before \
       and c.account_id in rarray(:accounts) \
     order by c.day, c.id, p.sku_id, p.resource_id";
