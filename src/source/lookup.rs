//! Looks up ids in `cloud`: in batches, and each once a run.

use std::collections::HashMap;

use crate::cloud::CloudName;
use crate::db::{Connection, Row};
use crate::id_map::IdSet;
use crate::metric::Breakdown;
use crate::resource::ResourceKind;

/// Ids asked for by one statement.
const BATCH: usize = 1000;

/// What an id was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    Account,
    LostAccount,
    Vm,
    Template,
    Resource(Breakdown),
    Used(ResourceKind),
    Zone,
    /// Of a service offering.
    Size,
}

/// Which ids have been asked for.
#[derive(Default)]
pub struct AskedIds(HashMap<Asked, IdSet<u64>>);

impl AskedIds {
    /// Whether an id is asked for now for the first time. 0 is none.
    pub fn is_new(&mut self, asked: Asked, id: u64) -> bool {
        id != 0 && self.0.entry(asked).or_default().insert(id)
    }

    /// Those of the ids that are asked for now for the first time, in order.
    pub fn new_ids(&mut self, asked: Asked, ids: impl Iterator<Item = u64>) -> Vec<u64> {
        let known = self.0.entry(asked).or_default();
        let mut new: Vec<u64> = ids.filter(|id| *id != 0 && known.insert(*id)).collect();
        new.sort_unstable();
        new
    }
}

/// Runs a statement that ends in `where <id>` for each batch of ids. The ids are written into the text: they
/// are numbers, and no dialect takes a list as one parameter.
pub fn select(
    cloud: &Connection,
    sql: Option<&str>,
    ids: &[u64],
    on_row: &mut dyn FnMut(u64, &Row) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(sql) = sql else { return Ok(()) };
    for batch in ids.chunks(BATCH) {
        let list: Vec<String> = batch.iter().map(u64::to_string).collect();
        cloud.each(&format!("{sql} in ({})", list.join(", ")), &[], |row| {
            on_row(row.field(0)?.id()?, row)
        })?;
    }
    Ok(())
}

/// Uuid and name, from this column on.
pub fn name(row: &Row, column: usize) -> anyhow::Result<CloudName> {
    Ok(CloudName {
        uuid: row.field(column)?.text()?,
        name: row.field(column + 1)?.text()?,
    })
}
