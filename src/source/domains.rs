//! Reads the domains of `cloud`, all of them once a run: what they are called, and which lies in which. The uuid of the
//! topmost is what identifies a CloudStack, as each installation has made its own.

use std::collections::HashMap;

use super::probe::Columns;
use crate::cloud::CloudDomain;
use crate::db::Connection;

/// Deeper than any tree of domains: parents that go round in circles end here.
const DEEPEST: usize = 255;

/// A domain as its table has it.
struct DomainRow {
    uuid: Option<String>,
    path: Option<String>,
    parent: Option<u64>,
}

/// How domains are asked for, where they may be read.
pub struct DomainReader {
    sql: Option<String>,
    parents: bool,
    are_read: bool,
}

impl DomainReader {
    pub fn probe(cloud: &Connection) -> anyhow::Result<DomainReader> {
        let columns = Columns::of(cloud, "domain")?;
        let sql = columns.have(&["id", "uuid", "path"]).then(|| {
            let list = columns.select_list(&["id", "uuid", "path", "parent"]);
            format!("select {list} from domain")
        });
        Ok(DomainReader {
            sql,
            parents: columns.has("parent"),
            are_read: false,
        })
    }

    /// What is done without. That there are no domains at all is told with the accounts.
    pub fn limitation(&self) -> Option<String> {
        let missing = self.sql.is_some() && !self.parents;
        missing.then(|| {
            "cloud: domain.parent cannot be read: which domain lies in which is not known"
                .to_owned()
        })
    }

    /// All domains, once a run; then none.
    pub fn read_new(&mut self, cloud: &Connection) -> anyhow::Result<HashMap<u64, CloudDomain>> {
        if std::mem::replace(&mut self.are_read, true) {
            return Ok(HashMap::new());
        }
        let rows = self.list(cloud)?;
        let lineages = rows.keys().map(|id| (*id, lineage(*id, &rows)));
        let lineages: HashMap<u64, Option<String>> = lineages.collect();
        let named = |(id, row): (u64, DomainRow)| {
            let lineage = lineages.get(&id).cloned().flatten();
            let DomainRow { uuid, path, .. } = row;
            let domain = CloudDomain {
                uuid,
                path,
                lineage,
            };
            (id, domain)
        };
        Ok(rows.into_iter().map(named).collect())
    }

    /// The uuid of the root domain; `None` where it cannot be read.
    pub fn root_uuid(&self, cloud: &Connection) -> anyhow::Result<Option<String>> {
        // In every CloudStack it is the first.
        let Some(sql) = &self.sql else {
            return Ok(None);
        };
        let mut uuid = None;
        cloud.each(&format!("{sql} where id = 1"), &[], |row| {
            uuid = row.field(1)?.text()?;
            Ok(())
        })?;
        Ok(uuid)
    }

    fn list(&self, cloud: &Connection) -> anyhow::Result<HashMap<u64, DomainRow>> {
        let mut rows = HashMap::new();
        let Some(sql) = &self.sql else {
            return Ok(rows);
        };
        cloud.each(sql, &[], |row| {
            let domain = DomainRow {
                uuid: row.field(1)?.text()?,
                path: row.field(2)?.text()?,
                // Only good for the lineage: what is no id is no reason to stop.
                parent: row.field(3)?.unsigned().unwrap_or(None),
            };
            rows.insert(row.field(0)?.id()?, domain);
            Ok(())
        })?;
        Ok(rows)
    }
}

/// `/root/parent/itself/`, by uuids; `None` where one of them is not known.
fn lineage(id: u64, rows: &HashMap<u64, DomainRow>) -> Option<String> {
    let mut uuids = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next {
        let row = rows.get(&id)?;
        uuids.push(row.uuid.as_deref()?);
        if uuids.len() > DEEPEST {
            return None;
        }
        next = row.parent;
        // A table without parents tells of the topmost domain alone.
        if next.is_none() && id != 1 {
            return None;
        }
    }
    uuids.reverse();
    Some(format!("/{}/", uuids.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(u64, &str, Option<u64>)]) -> HashMap<u64, DomainRow> {
        let row = |(id, uuid, parent): &(u64, &str, Option<u64>)| {
            let row = DomainRow {
                uuid: Some((*uuid).to_owned()).filter(|uuid| !uuid.is_empty()),
                path: None,
                parent: *parent,
            };
            (*id, row)
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn a_lineage_is_known_if_all_of_it_is() {
        let known = rows(&[(1, "r", None), (2, "a", Some(1)), (3, "n", Some(2))]);
        assert_eq!(lineage(1, &known).as_deref(), Some("/r/"));
        assert_eq!(lineage(3, &known).as_deref(), Some("/r/a/n/"));
        assert_eq!(lineage(4, &known), None);
        let circle = rows(&[(1, "r", None), (2, "a", Some(3)), (3, "n", Some(2))]);
        assert_eq!(lineage(2, &circle), None);
        for unknown in [
            rows(&[(1, "r", None), (2, "", Some(1)), (3, "n", Some(2))]),
            rows(&[(1, "r", None), (3, "n", Some(2))]),
            rows(&[(1, "r", None), (3, "n", None)]),
        ] {
            assert_eq!(lineage(3, &unknown), None);
        }
    }
}
