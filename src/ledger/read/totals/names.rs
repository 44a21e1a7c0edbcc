//! What the ledger calls the metrics and resources of the figures: those of many accounts are asked for at once, and none
//! twice in a question.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use anyhow::Context;

use crate::db::{Connection, params};
use crate::ledger::read::skus::SkuTable;
use crate::sku::DerivedMetric;

/// What the ledger calls metrics, and the offerings, zones and resources that figures are grouped by.
pub struct TotalsNames {
    metrics: BTreeMap<MetricKey, Rc<MetricFacts>>,
    /// By the id of the metric that they follow from.
    derived: BTreeMap<i64, Vec<DerivedMetric>>,
    pub skus: SkuTable,
    /// The first one stands for all where figures are not grouped by such.
    pub resources: Vec<Option<Rc<ResourceFacts>>>,
    /// Resource ids to places in `resources`: a resource that was renamed upstream has two ids and one uuid. A
    /// ledger may know many more than a question is about.
    places: BTreeMap<i64, usize>,
    places_of_uuids: BTreeMap<(String, String), (usize, i64)>,
}

/// Which metric: by its id in the ledger, or one that is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKey {
    Stored(i64),
    Derived(DerivedMetric),
}

impl TotalsNames {
    pub fn load(connection: &Connection) -> anyhow::Result<TotalsNames> {
        let stored = load_metrics(connection)?;
        let derived = stored.iter().map(|(id, metric)| {
            let derived = DerivedMetric::from_name(&metric.name);
            (*id, derived.collect())
        });
        let derived: BTreeMap<i64, Vec<DerivedMetric>> = derived.collect();
        let stored = stored
            .into_iter()
            .map(|(id, metric)| (MetricKey::Stored(id), Rc::new(metric)));
        let followed = derived.values().flatten().map(|derived| {
            let facts = MetricFacts {
                name: derived.name().to_owned(),
                unit: derived.unit().to_owned(),
                per: derived.base().per().map(|per| per.name().to_owned()),
            };
            (MetricKey::Derived(*derived), Rc::new(facts))
        });
        Ok(TotalsNames {
            metrics: stored.chain(followed).collect(),
            derived,
            skus: SkuTable::default(),
            resources: vec![None],
            places: BTreeMap::from([(0, 0)]),
            places_of_uuids: BTreeMap::new(),
        })
    }

    pub fn metric(&self, key: MetricKey) -> anyhow::Result<&Rc<MetricFacts>> {
        self.metrics
            .get(&key)
            .context("a record of an unknown metric")
    }

    /// The metrics that follow from one of the ledger's.
    pub fn derived_from(&self, metric_id: i64) -> &[DerivedMetric] {
        self.derived.get(&metric_id).map_or(&[], Vec::as_slice)
    }

    /// Where a resource that was added is in `resources`; the first is that of id 0.
    pub fn place_of(&self, resource_id: i64) -> anyhow::Result<usize> {
        let place = self.places.get(&resource_id).copied();
        place.context("a record of an unknown resource")
    }

    /// Whether a resource at a place is known, and of this kind.
    pub fn is_of_kind(&self, place: usize, kind: &str) -> bool {
        let resource = self.resources[place].as_ref();
        resource.is_some_and(|one| one.kind == kind)
    }

    /// Adds the resources of these ids that are not here yet.
    pub fn add(
        &mut self,
        connection: &Connection,
        resource_ids: impl Iterator<Item = i64>,
    ) -> anyhow::Result<()> {
        let new: BTreeSet<i64> = resource_ids
            .filter(|id| !self.places.contains_key(id))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = new.into_iter().collect();
        let resources = connection.list(RESOURCES, params! {":ids": ids.as_slice()}, |row| {
            let facts = ResourceFacts {
                kind: row.get(1)?,
                uuid: row.get(2)?,
                name: row.get(3)?,
                cloudstack_id: row.get(4)?,
            };
            Ok((row.get(0)?, facts))
        })?;
        for (id, facts) in resources {
            self.add_resource(id, facts);
        }
        Ok(())
    }

    fn add_resource(&mut self, id: i64, facts: ResourceFacts) {
        let key = (facts.kind.clone(), facts.uuid.clone());
        let facts = Some(Rc::new(facts));
        let place = match self.places_of_uuids.entry(key) {
            Entry::Vacant(new) => {
                let place = self.resources.len();
                new.insert((place, id));
                self.resources.push(facts);
                place
            }
            Entry::Occupied(mut known) => {
                let (place, newest) = known.get_mut();
                if id > *newest {
                    *newest = id;
                    self.resources[*place] = facts;
                }
                *place
            }
        };
        self.places.insert(id, place);
    }
}

pub(in crate::ledger::read) const RESOURCES: &str =
    "select id, kind, uuid, name, source_id from stored_resources where id in rarray(:ids)";

fn load_metrics(connection: &Connection) -> anyhow::Result<BTreeMap<i64, MetricFacts>> {
    let sql = "select id, name, unit, per from metrics";
    let metrics = connection.list(sql, params! {}, |row| {
        let facts = MetricFacts {
            name: row.get(1)?,
            unit: row.get(2)?,
            per: row.get(3)?,
        };
        Ok((row.get(0)?, facts))
    })?;
    Ok(metrics.into_iter().collect())
}

#[derive(Debug, PartialEq)]
pub struct MetricFacts {
    pub name: String,
    pub unit: String,
    /// What its records are kept per: a kind of offering, guest OS, address.
    pub per: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct ResourceFacts {
    /// `service_offering`, `guest_os`, `ip_address`, `zone`, `vm` …
    pub kind: String,
    /// CloudStack's, or a stand-in such as `service_offering:123`.
    pub uuid: String,
    /// Where a resource was renamed, the newest name that the records have.
    pub name: String,
    /// Its id in CloudStack's own table.
    pub cloudstack_id: u64,
}
