//! What the ledger calls the metrics and resources of the figures: those of an account are asked for at once, and none
//! twice in a question.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use anyhow::Context;

use crate::db::{Connection, params};

/// What the ledger calls metrics and resources.
pub struct TotalsNames {
    metrics: BTreeMap<i64, Rc<MetricFacts>>,
    /// The first one stands for all where figures are not grouped by resource.
    pub resources: Vec<Option<Rc<ResourceFacts>>>,
    /// Resource ids to places in `resources`: a resource that was renamed upstream has two ids and one uuid. A
    /// ledger may know many more than a question is about.
    places: BTreeMap<i64, usize>,
    places_of_uuids: BTreeMap<(String, String), (usize, i64)>,
    told_apart: bool,
}

impl TotalsNames {
    pub fn load(connection: &Connection, told_apart: bool) -> anyhow::Result<TotalsNames> {
        Ok(TotalsNames {
            metrics: load_metrics(connection)?,
            resources: vec![None],
            places: BTreeMap::from([(0, 0)]),
            places_of_uuids: BTreeMap::new(),
            told_apart,
        })
    }

    pub fn metric(&self, metric_id: i64) -> anyhow::Result<Rc<MetricFacts>> {
        let metric = self.metrics.get(&metric_id);
        metric.cloned().context("a record of an unknown metric")
    }

    /// Where a resource that was added is in `resources`.
    pub fn place_of(&self, resource_id: i64) -> anyhow::Result<usize> {
        match self.told_apart {
            true => self
                .places
                .get(&resource_id)
                .copied()
                .context("a record of an unknown resource"),
            false => Ok(0),
        }
    }

    /// Adds the resources of these ids that are not here yet.
    pub fn add(
        &mut self,
        connection: &Connection,
        resource_ids: impl Iterator<Item = i64>,
    ) -> anyhow::Result<()> {
        if !self.told_apart {
            return Ok(());
        }
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
    "select id, kind, uuid, name from stored_resources where id in rarray(:ids)";

fn load_metrics(connection: &Connection) -> anyhow::Result<BTreeMap<i64, Rc<MetricFacts>>> {
    let sql = "select id, name, unit, per is not null from metrics";
    let metrics = connection.list(sql, params! {}, |row| {
        let facts = MetricFacts {
            name: row.get(1)?,
            unit: row.get(2)?,
            per_resource: row.get(3)?,
        };
        Ok((row.get(0)?, Rc::new(facts)))
    })?;
    Ok(metrics.into_iter().collect())
}

#[derive(Debug, PartialEq)]
pub struct MetricFacts {
    pub name: String,
    pub unit: String,
    pub per_resource: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct ResourceFacts {
    /// `service_offering`, `guest_os`, `ip_address` …
    pub kind: String,
    /// CloudStack's, or a stand-in such as `service_offering:123`.
    pub uuid: String,
    /// Where a resource was renamed, the newest name that the records have.
    pub name: String,
}
