//! What one account used in a range of days: the answer of `/usage`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};

use super::reader::Reader;
use super::selection::{SeenAccount, find_account};
use super::skus::SkuTable;
use super::stretches::shares;
use crate::day::DayRange;
use crate::db::{Connection, params};
use crate::ledger::month_part::{MonthSum, SkuSum, list_parts};
use crate::ledger::timezones::find_zones;
use crate::ledger::unfinished::{Unfinished, list_unfinished};
use crate::scope::Scope;
use crate::sku::DerivedMetric;
use crate::sum::CompensatedSum;
use crate::zones::Zones;

/// What one account used in a range of days.
#[derive(Debug, PartialEq)]
pub struct AccountUsage {
    /// The zones that the ledger's days are of.
    pub zones: Zones,
    /// Sorted by metric, then resource.
    pub totals: Vec<Total>,
    pub unfinished: Unfinished,
}

/// One metric, of one resource where it is kept per resource, summed over the range.
#[derive(Debug, PartialEq)]
pub struct Total {
    pub metric: String,
    /// None where the metric is kept per account only.
    pub resource_uuid: Option<String>,
    /// In the metric's unit; finite.
    pub quantity: f64,
}

impl Reader {
    /// Usage of the account that has this uuid or whose project has it; none if there is no such account in the
    /// scope.
    pub fn account_usage(
        &mut self,
        uuid: &str,
        range: DayRange,
        scope: &Scope,
    ) -> anyhow::Result<Option<AccountUsage>> {
        self.read(|snapshot| {
            let connection = snapshot.connection();
            let Some(seen) = find_account(snapshot, uuid, scope)? else {
                return Ok(None);
            };
            Ok(Some(AccountUsage {
                zones: find_zones(connection)?,
                totals: list_totals(connection, &seen, range)?,
                unfinished: list_unfinished(connection, range)?,
            }))
        })
    }
}

/// A metric's name, and a resource's uuid where the metric is kept per resource.
type FigureName<'a> = (&'a str, Option<&'a str>);

fn list_totals(
    connection: &Connection,
    seen: &SeenAccount,
    range: DayRange,
) -> anyhow::Result<Vec<Total>> {
    let all: Vec<DayRange> = match &seen.stretches {
        Some(stretches) => {
            let shares = shares(stretches, false)?.into_iter();
            shares.map(|share| share.days).collect()
        }
        None => vec![range],
    };
    let mut months: Vec<Vec<MonthSum>> = Vec::new();
    let mut skus: Vec<Vec<SkuSum>> = Vec::new();
    let id = [seen.account.id];
    for part in list_parts(connection, range)? {
        for days in &all {
            if let Some(part) = part.within(*days)? {
                months.extend(part.list_sums(connection, &id)?.into_values());
                skus.extend(part.list_sku_sums(connection, &id)?.into_values());
            }
        }
    }
    let resources = months.iter().flatten().map(|((_, resource), _)| *resource);
    let names = FigureNames::load(connection, resources.collect())?;
    let mut totals: BTreeMap<FigureName, CompensatedSum> = BTreeMap::new();
    for sums in months {
        // A resource that was renamed upstream has two rows with one uuid: the names join them again.
        let mut month: BTreeMap<FigureName, CompensatedSum> = BTreeMap::new();
        for (ids, quantity) in sums {
            month.entry(names.of(ids)?).or_default().add(quantity);
        }
        for (name, sum) in month {
            totals.entry(name).or_default().add(sum.value());
        }
    }
    for ((derived, _), sum) in add_up_derived(connection, &names, &skus)? {
        let name = (derived.name(), None);
        totals.entry(name).or_default().add(sum.value());
    }
    totals
        .into_iter()
        .map(|((metric, resource_uuid), sum)| {
            let quantity = sum.value();
            ensure!(quantity.is_finite(), "the sum of {metric} is not a number");
            Ok(Total {
                metric: metric.to_owned(),
                resource_uuid: resource_uuid.map(str::to_owned),
                quantity,
            })
        })
        .collect()
}

/// Metrics that follow from the lines of others, by month; without those of which no size is known.
fn add_up_derived(
    connection: &Connection,
    names: &FigureNames,
    months: &[Vec<SkuSum>],
) -> anyhow::Result<BTreeMap<(DerivedMetric, usize), CompensatedSum>> {
    let mut table = SkuTable::default();
    table.add(connection, months.iter().flatten().map(|(id, _)| *id))?;
    let mut derived: BTreeMap<i64, Vec<DerivedMetric>> = BTreeMap::new();
    for (id, metric) in &names.metrics {
        derived.insert(*id, DerivedMetric::from_name(&metric.name).collect());
    }
    let mut sums: BTreeMap<(DerivedMetric, usize), CompensatedSum> = BTreeMap::new();
    for (month, skus) in months.iter().enumerate() {
        for (sku_id, hours) in skus {
            let sku = table.get(*sku_id)?;
            for metric in derived.get(&sku.metric_id).into_iter().flatten() {
                if let Some(quantity) = metric.quantity(*hours, sku.size()) {
                    sums.entry((*metric, month)).or_default().add(quantity);
                }
            }
        }
    }
    Ok(sums)
}

/// The names of all figures of an answer, by the ids of metric and resource: all metrics, and the resources that occur.
struct FigureNames {
    metrics: BTreeMap<i64, MetricName>,
    uuids: BTreeMap<i64, String>,
}

struct MetricName {
    name: String,
    per_resource: bool,
}

impl FigureNames {
    fn load(connection: &Connection, resources: BTreeSet<i64>) -> anyhow::Result<FigureNames> {
        let sql = "select id, name, per is not null from metrics";
        let metrics = connection.list(sql, params! {}, |row| {
            let (name, per_resource) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, MetricName { name, per_resource }))
        })?;
        let ids: Vec<i64> = resources.into_iter().collect();
        let uuids = connection.list(NAMES, params! {":ids": ids.as_slice()}, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(FigureNames {
            metrics: metrics.into_iter().collect(),
            uuids: uuids.into_iter().collect(),
        })
    }

    fn of(&self, (metric, resource): (i64, i64)) -> anyhow::Result<FigureName<'_>> {
        let metric = self.metrics.get(&metric);
        let metric = metric.context("a record of an unknown metric")?;
        let uuid = match metric.per_resource {
            true => Some(
                self.uuids
                    .get(&resource)
                    .context("a record of an unknown resource")?
                    .as_str(),
            ),
            false => None,
        };
        Ok((metric.name.as_str(), uuid))
    }
}

pub(super) const NAMES: &str = "select id, uuid from stored_resources where id in rarray(:ids)";
