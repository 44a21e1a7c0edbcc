//! Running and allocated VMs whose size nobody knows, so that their hours add nothing to the metrics that are derived
//! from it.

use std::collections::{BTreeMap, BTreeSet};

use super::day::NewFinding;
use super::lines::size_of;
use super::names::LedgerNames;
use crate::aggregate::DayUsage;
use crate::finding::FindingKind;
use crate::metric::{Breakdown, Metric};
use crate::plural::plural;
use crate::resource::ResourceKind;
use crate::sku::{DerivedMetric, Sku};

/// What VMs of one offering used of one metric.
#[derive(Default)]
struct Uncounted {
    derived: BTreeSet<DerivedMetric>,
    hours: f64,
    vms: BTreeSet<(ResourceKind, u64)>,
    accounts: BTreeSet<u64>,
}

/// One finding for each metric and offering, not for each account: it is the offering that lacks something. None of
/// offerings that `cloud` does not know at all, which is a finding of another kind.
pub fn find_unknown_sizes(usage: &DayUsage, names: &LedgerNames) -> Vec<NewFinding> {
    let unknown: Vec<Vec<DerivedMetric>> = usage
        .skus
        .iter()
        .map(|sku| list_unknown(sku, names))
        .collect();
    if unknown.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    let mut uncounted: BTreeMap<(Metric, Option<(Breakdown, u64)>), Uncounted> = BTreeMap::new();
    for line in &usage.lines {
        let derived = &unknown[line.sku as usize];
        if !derived.is_empty() && line.quantity > 0.0 {
            let sku = line.sku_of(&usage.skus);
            let of = uncounted.entry((sku.metric, sku.offering)).or_default();
            of.derived.extend(derived);
            of.hours += line.quantity;
            of.vms.insert(line.resource);
            of.accounts.insert(line.account_id);
        }
    }
    let finding = |((metric, offering), of): (_, Uncounted)| {
        let offering: Option<(Breakdown, u64)> = offering;
        let derived: Vec<&str> = of.derived.iter().map(|derived| derived.name()).collect();
        let (vms, accounts) = (of.vms.len(), of.accounts.len());
        NewFinding {
            kind: FindingKind::SizeUnknown,
            account_id: None,
            metric: Some(metric),
            resource: offering.map(|(kind, id)| format!("{}:{id}", kind.name())),
            detail: format!(
                "the size is not known: {} hours of {} of {} count as 0 in {}",
                of.hours,
                plural(vms, "VM"),
                plural(accounts, "account"),
                derived.join(" and ")
            ),
        }
    };
    uncounted.into_iter().map(finding).collect()
}

fn list_unknown(sku: &Sku, names: &LedgerNames) -> Vec<DerivedMetric> {
    let is_known = |key| names.cloud.resources.contains_key(key);
    if !sku.offering.as_ref().is_none_or(is_known) {
        return Vec::new();
    }
    let size = size_of(names, sku);
    DerivedMetric::from_metric(sku.metric)
        .filter(|derived| derived.quantity(1.0, size).is_none())
        .collect()
}
