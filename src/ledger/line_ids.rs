//! Which ids in the ledger an import has given to what lines are about, and which SKUs the ledger has.

use std::collections::HashMap;
use std::num::NonZeroU32;

use crate::db::{Connection, params};
use crate::id_map::IdMap;
use crate::resource::ResourceKind;
use crate::sku::VmSize;

/// Ids in the ledger, of this run.
#[derive(Default)]
pub struct LineIds {
    pub used: IdMap<(ResourceKind, u64), i64>,
    pub zones: HashMap<u32, i64>,
    pub skus: HashMap<StoredSku, i64>,
    skus_are_read: bool,
}

impl LineIds {
    /// Whether this run has given it an id.
    pub fn has(&self, used: (ResourceKind, u64)) -> bool {
        self.used.contains_key(&used)
    }

    /// Reads all SKUs that the ledger has, once: there are few.
    pub fn read_skus(&mut self, connection: &Connection) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.skus_are_read, true) {
            return Ok(());
        }
        let sql = "select id, metric_id, offering_id, zone_id, vcpus, mhz, memory_mib from skus";
        let skus = connection.list(sql, params! {}, |row| {
            let stored = StoredSku {
                metric_id: row.get(1)?,
                offering_id: row.get(2)?,
                zone_id: row.get(3)?,
                vcpus: row.get(4)?,
                mhz: row.get(5)?,
                memory_mib: row.get(6)?,
            };
            Ok((stored, row.get(0)?))
        })?;
        self.skus.extend(skus);
        Ok(())
    }
}

/// A SKU by ids in the ledger. 0: there is none, or it is not known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoredSku {
    pub metric_id: i64,
    pub offering_id: i64,
    pub zone_id: i64,
    pub vcpus: u32,
    pub mhz: u32,
    pub memory_mib: u32,
}

impl StoredSku {
    /// What is known of the VM's size.
    pub fn size(&self) -> VmSize {
        VmSize {
            vcpus: NonZeroU32::new(self.vcpus),
            mhz: NonZeroU32::new(self.mhz),
            memory_mib: NonZeroU32::new(self.memory_mib),
        }
    }
}
