//! Reads what usage rows are about, for people: uuid and name of a VM, a volume, an address, and the words that
//! CloudStack put into the row. Nothing here decides a figure, and what may not be read is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context;

use super::line_names::table_of;
use super::lookup::select;
use super::probe::Columns;
use super::reader::Source;
use crate::db::Connection;
use crate::metric::resource_of_usage_type;
use crate::resource::ResourceKind;
use crate::row::UsageRow;

/// Uuid and name, each where it can be read.
type Texts = (Option<String>, Option<String>);

/// What rows are about.
#[derive(Debug, Default)]
pub struct Descriptions {
    /// By kind and id.
    pub resources: HashMap<(&'static str, u64), Texts>,
    /// CloudStack's own words by row id.
    pub rows: HashMap<u64, String>,
}

impl Source {
    /// Looks up what these rows are about.
    pub fn describe(&mut self, rows: &[UsageRow]) -> anyhow::Result<Descriptions> {
        let mut descriptions = Descriptions::default();
        let mut ids: BTreeMap<&'static str, BTreeSet<u64>> = BTreeMap::new();
        for row in rows {
            let kind = resource_of_usage_type(row.usage_type);
            ids.entry(kind).or_default().insert(row.usage_id);
        }
        for kind in ResourceKind::ALL {
            let (Some((table, name)), Some(ids)) = (table_of(kind), ids.get(kind.name())) else {
                continue;
            };
            let found = describe(&self.cloud, table, name, ids).context("read cloud")?;
            let of_kind = found
                .into_iter()
                .map(|(id, texts)| ((kind.name(), id), texts));
            descriptions.resources.extend(of_kind);
        }
        let row_ids: Vec<u64> = rows.iter().map(|row| row.id).collect();
        let sql = "select id, description from cloud_usage where id";
        select(&self.cloud_usage, Some(sql), &row_ids, &mut |id, row| {
            if let Some(text) = row.field(1)?.text()? {
                descriptions.rows.insert(id, text);
            }
            Ok(())
        })
        .context("read cloud_usage")?;
        Ok(descriptions)
    }
}

fn describe(
    cloud: &Connection,
    table: &'static str,
    name: &'static str,
    ids: &BTreeSet<u64>,
) -> anyhow::Result<HashMap<u64, Texts>> {
    let columns = Columns::of(cloud, table)?;
    let mut found = HashMap::new();
    if !columns.has("id") {
        return Ok(found);
    }
    let list = columns.select_list(&["id", "uuid", name]);
    let sql = format!("select {list} from {table} where id");
    let ids: Vec<u64> = ids.iter().copied().collect();
    select(cloud, Some(&sql), &ids, &mut |id, row| {
        found.insert(id, (row.field(1)?.text()?, row.field(2)?.text()?));
        Ok(())
    })?;
    Ok(found)
}
