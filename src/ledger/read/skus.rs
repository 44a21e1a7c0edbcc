//! The SKUs that a question comes across, each asked for once. A ledger may have many more.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;

use crate::db::{Connection, params};
use crate::ledger::line_ids::StoredSku;

#[derive(Default)]
pub struct SkuTable {
    known: HashMap<i64, StoredSku>,
}

impl SkuTable {
    /// Reads those of these ids that are not here yet.
    pub fn add(
        &mut self,
        connection: &Connection,
        ids: impl Iterator<Item = i64>,
    ) -> anyhow::Result<()> {
        let new: BTreeSet<i64> = ids.filter(|id| !self.known.contains_key(id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = new.into_iter().collect();
        let sql = "select id, metric_id, offering_id, zone_id, vcpus, mhz, memory_mib \
                   from skus where id in rarray(:ids)";
        connection.each(sql, params! {":ids": ids.as_slice()}, |row| {
            let sku = StoredSku {
                metric_id: row.get(1)?,
                offering_id: row.get(2)?,
                zone_id: row.get(3)?,
                vcpus: row.get(4)?,
                mhz: row.get(5)?,
                memory_mib: row.get(6)?,
            };
            self.known.insert(row.get(0)?, sku);
            Ok(())
        })
    }

    /// One that was added.
    pub fn get(&self, id: i64) -> anyhow::Result<&StoredSku> {
        self.known.get(&id).context("a line of an unknown SKU")
    }
}
