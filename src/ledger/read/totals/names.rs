//! What the ledger calls the metrics and resources of the figures, looked up once a question.

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::Context;
use rusqlite::named_params;

use crate::ledger::read::Snapshot;

/// What the ledger calls metrics and resources.
pub struct TotalsNames {
    metrics: BTreeMap<i64, Rc<MetricFacts>>,
    /// The first one stands for all where figures are not grouped by resource.
    pub resources: Vec<Option<Rc<ResourceFacts>>>,
    /// Resource ids to places in `resources`: a resource that was renamed upstream has two ids and one uuid. A
    /// ledger may know many more than a question is about, so they are looked up as they come.
    places: BTreeMap<i64, usize>,
    places_of_uuids: BTreeMap<(String, String), (usize, i64)>,
    told_apart: bool,
}

impl TotalsNames {
    pub fn load(snapshot: &Snapshot, told_apart: bool) -> anyhow::Result<TotalsNames> {
        Ok(TotalsNames {
            metrics: load_metrics(snapshot)?,
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

    pub fn place_of(&mut self, snapshot: &Snapshot, resource_id: i64) -> anyhow::Result<usize> {
        if !self.told_apart {
            return Ok(0);
        }
        if let Some(place) = self.places.get(&resource_id) {
            return Ok(*place);
        }
        let facts = find_resource(snapshot, resource_id)?;
        let key = (facts.kind.clone(), facts.uuid.clone());
        let next = self.resources.len();
        let (place, newest) = self
            .places_of_uuids
            .entry(key)
            .or_insert((next, resource_id));
        if *place == next {
            self.resources.push(Some(Rc::new(facts)));
        } else if resource_id > *newest {
            *newest = resource_id;
            self.resources[*place] = Some(Rc::new(facts));
        }
        self.places.insert(resource_id, *place);
        Ok(*place)
    }
}

fn find_resource(snapshot: &Snapshot, resource_id: i64) -> anyhow::Result<ResourceFacts> {
    let mut statement = snapshot
        .tx
        .prepare_cached("select kind, uuid, name from resources where id = :id")?;
    let facts = statement.query_one(named_params! {":id": resource_id}, |row| {
        Ok(ResourceFacts {
            kind: row.get(0)?,
            uuid: row.get(1)?,
            name: row.get(2)?,
        })
    })?;
    Ok(facts)
}

fn load_metrics(snapshot: &Snapshot) -> anyhow::Result<BTreeMap<i64, Rc<MetricFacts>>> {
    let mut statement = snapshot
        .tx
        .prepare_cached("select id, name, unit, per is not null from metrics")?;
    let mut rows = statement.query([])?;
    let mut metrics = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let facts = MetricFacts {
            name: row.get(1)?,
            unit: row.get(2)?,
            per_resource: row.get(3)?,
        };
        metrics.insert(row.get(0)?, Rc::new(facts));
    }
    Ok(metrics)
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
