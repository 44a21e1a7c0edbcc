//! Domains as they were, and which of them a question means. A domain is its uuid: a path can be given to another
//! domain once the first one is gone, and then means the other one. What lies in a domain is told by lineages; where
//! one is not known, by paths, but never by a path that another domain has had too.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Snapshot;
use crate::db::{Connection, params};

/// A domain as it was for some time: one that moved or was renamed has several of these, with one uuid.
#[derive(Debug, PartialEq, Eq)]
pub struct DomainState {
    /// Of `stored_domains`.
    pub id: i64,
    /// CloudStack's, or `domain:<id>` while it cannot be resolved.
    pub uuid: String,
    /// `/a/b/`
    pub path: Option<String>,
    /// Uuids from the root domain down to itself, `/u1/u2/u3/`; empty: not known.
    pub lineage: String,
}

/// Every domain that the ledger has heard of.
pub struct Domains(Vec<DomainState>);

/// The domain that a question means, with all that lies in it.
#[derive(Debug, PartialEq, Eq)]
pub struct FoundDomain {
    /// None: only domains below it are known, and not their lineages.
    pub uuid: Option<String>,
    /// Ids in `stored_domains` of itself and its sub-domains.
    pub ids: BTreeSet<i64>,
    /// Other domains that have had the path as well, if it was found by its path.
    pub namesakes: BTreeSet<String>,
    /// The path that it was found by, or its newest one.
    path: Option<String>,
}

impl DomainState {
    /// The uuids and paths that are known by this one: its own, and those of the domains above it.
    fn places(&self) -> Vec<(&str, &str)> {
        let Some(path) = self.path.as_deref() else {
            return Vec::new();
        };
        let uuids: Vec<&str> = parts(&self.lineage).collect();
        let ends = path.match_indices('/').map(|(place, _)| place + 1);
        let paths: Vec<&str> = ends.map(|end| &path[..end]).collect();
        if uuids.len() != paths.len() {
            return vec![(&self.uuid, path)];
        }
        uuids.into_iter().zip(paths).collect()
    }

    /// The path that the domain with this uuid had when this one, which lies in it, was as it is here.
    fn path_of(&self, uuid: &str) -> Option<&str> {
        let places = self.places().into_iter();
        places.rev().find(|place| place.0 == uuid).map(|it| it.1)
    }

    fn has_ancestor(&self, uuid: &str) -> bool {
        parts(&self.lineage).any(|one| one == uuid)
    }
}

fn parts(lineage: &str) -> impl Iterator<Item = &str> {
    lineage.split('/').filter(|uuid| !uuid.is_empty())
}

impl FoundDomain {
    /// What to know about a path that has been several domains'.
    pub fn ambiguity(&self) -> Option<String> {
        let (uuid, path) = (self.uuid.as_ref()?, self.path.as_ref()?);
        let others: Vec<&str> = self.namesakes.iter().map(String::as_str).collect();
        (!others.is_empty()).then(|| {
            let others = others.join(", ");
            format!(
                "{path} means the domain {uuid}; it was the path of {others} as well: write a uuid"
            )
        })
    }

    /// What it was called while the newest of these domains were as they are here.
    pub fn path_among<'a>(
        &'a self,
        newest_first: impl Iterator<Item = &'a DomainState>,
    ) -> Option<&'a str> {
        let uuid = self.uuid.as_deref();
        let mut paths = newest_first.filter_map(|domain| domain.path_of(uuid?));
        paths.next().or(self.path.as_deref())
    }
}

impl Domains {
    pub fn load(snapshot: &Snapshot) -> anyhow::Result<Domains> {
        let sql = "select id, uuid, nullif(path, ''), lineage from stored_domains order by id";
        let domains = snapshot.connection().list(sql, params! {}, |row| {
            Ok(DomainState {
                id: row.get(0)?,
                uuid: row.get(1)?,
                path: row.get(2)?,
                lineage: row.get(3)?,
            })
        })?;
        Ok(Domains(domains))
    }

    /// The domain with this uuid, else the newest one with this path. None: nothing is known of such a domain.
    pub fn find(&self, snapshot: &Snapshot, text: &str) -> anyhow::Result<Option<FoundDomain>> {
        let is_it = |domain: &DomainState| domain.uuid == text || domain.has_ancestor(text);
        if let Some(newest) = self.0.iter().rev().find(|domain| is_it(domain)) {
            let path = newest.path_of(text).map(str::to_owned);
            return Ok(Some(self.found(Some(text), path, BTreeSet::new())));
        }
        let path = domain_path(text);
        let mut uuids: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for domain in &self.0 {
            for (uuid, _) in domain.places().into_iter().filter(|place| place.1 == path) {
                uuids.entry(uuid).or_default().push(domain.id);
            }
        }
        let newest = match uuids.len() {
            0 => None,
            1 => uuids.keys().next().copied(),
            _ => newest(snapshot.connection(), &uuids)?,
        };
        let others = uuids.keys().filter(|uuid| Some(**uuid) != newest);
        let others = others.map(|uuid| (*uuid).to_owned()).collect();
        let found = self.found(newest, Some(path), others);
        Ok(Some(found).filter(|found| !found.ids.is_empty()))
    }

    /// Paths that are known, for suggestions.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|domain| domain.path.as_deref())
    }

    fn found(
        &self,
        uuid: Option<&str>,
        path: Option<String>,
        namesakes: BTreeSet<String>,
    ) -> FoundDomain {
        let own = self.own_paths(uuid, path.as_deref());
        let is_in = |domain: &&DomainState| {
            let by_path = || {
                let path = domain.path.as_deref();
                path.is_some_and(|path| own.iter().any(|own| path.starts_with(own)))
            };
            uuid.is_some_and(|uuid| domain.uuid == uuid || domain.has_ancestor(uuid))
                || (domain.lineage.is_empty() && by_path())
        };
        let ids = self
            .0
            .iter()
            .filter(is_in)
            .map(|domain| domain.id)
            .collect();
        FoundDomain {
            uuid: uuid.map(str::to_owned),
            ids,
            namesakes,
            path,
        }
    }

    /// The paths that this domain has had and no other one.
    fn own_paths<'a>(&'a self, uuid: Option<&str>, path: Option<&'a str>) -> BTreeSet<&'a str> {
        let Some(uuid) = uuid else {
            return path.into_iter().collect();
        };
        let (own, others): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .flat_map(DomainState::places)
            .partition(|place| place.0 == uuid);
        let others: BTreeSet<&str> = others.into_iter().map(|place| place.1).collect();
        let own = own.into_iter().map(|place| place.1);
        own.filter(|path| !others.contains(path)).collect()
    }
}

/// Of several domains that have had a path, the one that an account came to last; each with the ids that say so. If an
/// older version has kept no days, the one with the newest account.
fn newest<'a>(
    connection: &Connection,
    uuids: &BTreeMap<&'a str, Vec<i64>>,
) -> anyhow::Result<Option<&'a str>> {
    let ids: Vec<i64> = uuids.values().flatten().copied().collect();
    let since = connection.list(SINCE, params! {":ids": ids.as_slice()}, |row| {
        Ok((
            row.get::<i64>(0)?,
            (row.get::<String>(1)?, row.get::<i64>(2)?),
        ))
    })?;
    let since: BTreeMap<i64, (String, i64)> = since.into_iter().collect();
    let newest = |ids: &Vec<i64>| ids.iter().map(|id| (since.get(id), *id)).max();
    let uuid = uuids.iter().max_by_key(|(_, ids)| newest(ids));
    Ok(uuid.map(|(uuid, _)| *uuid))
}

const SINCE: &str = "select domain_id, max(since_day), max(account_id) from account_states \
     where domain_id in rarray(:ids) group by domain_id";

/// A domain's path as CloudStack writes it, with a slash at both ends.
pub fn domain_path(text: &str) -> String {
    let names = text.trim_matches('/');
    if names.is_empty() {
        "/".to_owned()
    } else {
        format!("/{names}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_can_be_written_without_its_slashes() {
        for (text, path) in [
            ("/", "/"),
            ("", "/"),
            ("acme", "/acme/"),
            ("/acme/north", "/acme/north/"),
            ("/acme/", "/acme/"),
        ] {
            assert_eq!(domain_path(text), path);
        }
    }
}
