//! What an account used, one resource a row: which it is, and the totals of each of its metrics.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Cell;
use crate::ledger::read::totals::{Figure, MetricFacts, ResourceFacts};
use crate::output::{Column, Objects, Unit, Value, csv_quantity};

/// A VM, a volume, an address …, with its totals.
#[derive(Clone, Debug)]
pub struct UsedResource {
    /// None: what the ledger does not tell apart.
    pub resource: Option<Rc<ResourceFacts>>,
    /// By metric, in the order of their names.
    pub totals: Vec<ResourceTotal>,
}

#[derive(Clone, Debug)]
pub struct ResourceTotal {
    pub metric: Rc<MetricFacts>,
    pub quantity: f64,
    pub gib_months: Option<f64>,
}

impl UsedResource {
    /// What it is sorted by: kind, name, uuid.
    pub fn key(&self) -> [&str; 3] {
        key(self.resource.as_deref())
    }
}

fn key(resource: Option<&ResourceFacts>) -> [&str; 3] {
    resource.map_or([""; 3], |one| [&one.kind, &one.name, &one.uuid])
}

/// Puts figures that are grouped by resource together.
pub fn list_used(figures: &[Figure]) -> Vec<UsedResource> {
    let mut used: BTreeMap<[&str; 3], UsedResource> = BTreeMap::new();
    for figure in figures {
        let resource = &figure.resource;
        let one = used
            .entry(key(resource.as_deref()))
            .or_insert_with(|| UsedResource {
                resource: resource.clone(),
                totals: Vec::new(),
            });
        one.totals.push(ResourceTotal {
            metric: Rc::clone(&figure.metric),
            quantity: figure.quantity,
            gib_months: figure.gib_months,
        });
    }
    used.into_values().collect()
}

pub const CELLS: &[Cell<UsedResource>] = &[
    (Column::hidden("resource_kind"), |one| {
        Value::text(one.resource.as_ref().map(|one| one.kind.as_str()))
    }),
    (Column::hidden("resource_uuid"), |one| {
        Value::text(one.resource.as_ref().map(|one| one.uuid.as_str()))
    }),
    (Column::hidden("resource_name"), |one| {
        Value::text(one.resource.as_ref().map(|one| one.name.as_str()))
    }),
    (Column::hidden("cloudstack_id"), |one| {
        let id = one.resource.as_ref().map(|one| one.cloudstack_id);
        id.map_or(Value::Nothing, Value::Id)
    }),
    (Column::hidden("totals"), |one| totals(&one.totals)),
];

fn totals(totals: &[ResourceTotal]) -> Value {
    let words = totals
        .iter()
        .map(|total| format!("{}={}", total.metric.name, csv_quantity(total.quantity)));
    let words: Vec<String> = words.collect();
    Value::Objects(Objects {
        objects: totals.iter().map(keys).collect(),
        shown: words.join(" "),
        raw: words.join(" "),
    })
}

fn keys(total: &ResourceTotal) -> Vec<(&'static str, Value)> {
    let gib = total.gib_months;
    vec![
        ("metric", Value::Text(total.metric.name.clone())),
        ("unit", Value::Text(total.metric.unit.clone())),
        ("quantity", Value::Quantity(total.quantity, Unit::Exact)),
        (
            "gib_months",
            gib.map_or(Value::Nothing, |gib| Value::Quantity(gib, Unit::GibMonths)),
        ),
    ]
}
