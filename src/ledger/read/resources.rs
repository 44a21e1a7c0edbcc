//! How people name what was used, and zones: the ids in the ledger of everything that is called so. What was renamed
//! has several, all of which are meant by each of its names; so has what is called like something else.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Snapshot;
use crate::day::{Day, DayRange};
use crate::db::params;
use crate::resource::ResourceKind;
use crate::suggestion::did_you_mean;

/// The zones with this uuid or that have ever had this name; else, in words, that there is none.
pub fn find_zones(snapshot: &Snapshot, key: &str) -> anyhow::Result<Result<Vec<i64>, String>> {
    let sql = "select id, uuid, name from stored_resources where kind = 'zone'";
    let zones: Vec<(i64, String, String)> = snapshot.connection().list(sql, params! {}, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let called = zones
        .iter()
        .filter(|(_, uuid, name)| [uuid, name].contains(&&key.to_owned()));
    let ids: Vec<i64> = called.map(|(id, _, _)| *id).collect();
    if ids.is_empty() {
        let names = zones
            .iter()
            .flat_map(|(_, uuid, name)| [uuid.as_str(), name.as_str()]);
        let nearest = did_you_mean(key, names);
        return Ok(Err(format!("no zone is called {key:?}{nearest}")));
    }
    list_same(snapshot, &ids).map(Ok)
}

/// These, and what else is stored of the same things: their other names, and the stand-ins of days on which CloudStack
/// did not know their uuids.
fn list_same(snapshot: &Snapshot, ids: &[i64]) -> anyhow::Result<Vec<i64>> {
    let connection = snapshot.connection();
    let mut same: BTreeSet<i64> = ids.iter().copied().collect();
    let by_uuid = "select r.id
                   from stored_resources f
                   cross join stored_resources r on r.uuid = f.uuid and r.kind = f.kind
                   where f.id in rarray(:ids)";
    same.extend(connection.list(by_uuid, params! {":ids": ids}, |row| row.get::<i64>(0))?);
    let by_id = "select r.id, f.kind, f.source_id, f.uuid, r.uuid
                 from stored_resources f
                 cross join stored_resources r on r.kind = f.kind and r.source_id = f.source_id
                 where f.id in rarray(:ids)";
    connection.each(by_id, params! {":ids": ids}, |row| {
        let (kind, source_id): (&str, u64) = (row.get(1)?, row.get(2)?);
        let stand_in = format!("{kind}:{source_id}");
        let (found, other): (&str, &str) = (row.get(3)?, row.get(4)?);
        if source_id != 0 && [found, other].contains(&stand_in.as_str()) {
            same.insert(row.get(0)?);
        }
        Ok(())
    })?;
    Ok(same.into_iter().collect())
}

/// The uuids of what is of this kind, such as `zone` or `service_offering`, and has this uuid, or else this name.
pub fn list_uuids(snapshot: &Snapshot, kind: &str, key: &str) -> anyhow::Result<BTreeSet<String>> {
    for sql in [
        "select uuid, kind from stored_resources where uuid = :key",
        "select uuid, kind from stored_resources where name = :key",
    ] {
        let connection = snapshot.connection();
        let called: Vec<(String, String)> = connection.list(sql, params! {":key": key}, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let of_kind = called.into_iter().filter(|(_, one)| one == kind);
        let uuids: BTreeSet<String> = of_kind.map(|(uuid, _)| uuid).collect();
        if !uuids.is_empty() {
            return Ok(uuids);
        }
    }
    Ok(BTreeSet::new())
}

/// Kind and id in CloudStack of what `find_resources` finds.
pub fn find_used(snapshot: &Snapshot, key: &str) -> anyhow::Result<BTreeSet<(ResourceKind, u64)>> {
    let Ok(ids) = find_resources(snapshot, key)? else {
        return Ok(BTreeSet::new());
    };
    let sql = "select kind, source_id from stored_resources where id in rarray(:ids)";
    let values = params! {":ids": ids.as_slice()};
    let used = snapshot.connection().list(sql, values, |row| {
        Ok((ResourceKind::of_name(row.get(0)?), row.get(1)?))
    })?;
    let used = used.into_iter();
    Ok(used.filter_map(|(kind, id)| Some((kind?, id))).collect())
}

/// The VMs, volumes, addresses and so on with this kind and id in CloudStack, such as `vm:3009`, or else with this uuid,
/// or else that have ever had this name; else, in words, that there is none.
pub fn find_resources(snapshot: &Snapshot, key: &str) -> anyhow::Result<Result<Vec<i64>, String>> {
    let connection = snapshot.connection();
    let by_id = key.split_once(':').and_then(|(kind, id)| {
        let kind = ResourceKind::ALL
            .into_iter()
            .find(|one| one.name() == kind)?;
        Some((kind, id.parse::<u64>().ok()?))
    });
    let mut ids = match by_id {
        Some((kind, id)) => {
            let sql =
                "select id from stored_resources where kind = :kind and source_id = :source_id";
            let values = params! {":kind": kind.name(), ":source_id": id};
            connection.list(sql, values, |row| row.get(0))?
        }
        None => Vec::new(),
    };
    for sql in [
        "select id, kind from stored_resources where uuid = :key",
        "select id, kind from stored_resources where name = :key",
    ] {
        if !ids.is_empty() {
            break;
        }
        let called: Vec<(i64, bool)> = connection.list(sql, params! {":key": key}, |row| {
            let kind: &str = row.get(1)?;
            let is_used = ResourceKind::ALL.iter().any(|one| one.name() == kind);
            Ok((row.get(0)?, is_used))
        })?;
        ids.extend(
            called
                .into_iter()
                .filter(|(_, is_used)| *is_used)
                .map(|(id, _)| id),
        );
    }
    if ids.is_empty() {
        let sql = "select day from stored_days where lines_per = 'resource' order by day limit 1";
        let first: Option<Day> = connection.find(sql, params! {}, |row| row.get(0))?;
        let why = match first {
            Some(_) => "give a name, a uuid, or kind and id such as vm:12",
            None => "no day of the ledger tells resources apart",
        };
        return Ok(Err(format!(
            "nothing that was used is called {key:?}: {why}"
        )));
    }
    list_same(snapshot, &ids).map(Ok)
}

/// A VM, a volume, an address … under one of its names.
pub struct NamedResource {
    /// The ledger's.
    pub id: i64,
    pub kind: String,
    pub uuid: String,
    pub name: String,
}

/// What was used of which a name or the uuid begins with a text, in the order of the names: at most so many.
pub fn search_resources(
    snapshot: &Snapshot,
    text: &str,
    most: usize,
) -> anyhow::Result<Vec<NamedResource>> {
    let beyond = format!("{text}{}", char::MAX);
    let mut found: BTreeMap<i64, NamedResource> = BTreeMap::new();
    for sql in [BY_UUID, BY_NAME] {
        let values = params! {":text": text, ":beyond": &beyond};
        snapshot.connection().each(sql, values, |row| {
            let resource = NamedResource {
                id: row.get(0)?,
                kind: row.get(1)?,
                uuid: row.get(2)?,
                name: row.get(3)?,
            };
            if found.len() < most && ResourceKind::of_name(&resource.kind).is_some() {
                found.entry(resource.id).or_insert(resource);
            }
            Ok(())
        })?;
    }
    let mut found: Vec<NamedResource> = found.into_values().collect();
    found.sort_by(|one, other| (&one.name, &one.uuid).cmp(&(&other.name, &other.uuid)));
    Ok(found)
}

/// Rows of a search, offerings and the like included.
const BY_UUID: &str = "select id, kind, uuid, name
     from stored_resources
     where uuid >= :text and uuid < :beyond
     order by uuid
     limit 1000";
const BY_NAME: &str = "select id, kind, uuid, name
     from stored_resources
     where name >= :text and name < :beyond
     order by name
     limit 1000";

/// The account that used each of these last in a range of days, of the days of accounts that `sees` allows. The days are
/// looked through from the last one back, until each has been found.
pub fn list_users(
    snapshot: &Snapshot,
    range: DayRange,
    resource_ids: &[i64],
    sees: &dyn Fn(i64, Day) -> bool,
) -> anyhow::Result<BTreeMap<i64, i64>> {
    let mut users = BTreeMap::new();
    let days: Vec<Day> = range.days().collect();
    for day in days.into_iter().rev() {
        let left: Vec<i64> = resource_ids
            .iter()
            .copied()
            .filter(|id| !users.contains_key(id))
            .collect();
        if left.is_empty() {
            break;
        }
        let values = params! {":day": day, ":ids": left.as_slice()};
        snapshot.connection().each(USERS, values, |row| {
            let (resource_id, account_id) = (row.get(0)?, row.get(1)?);
            if sees(account_id, day) {
                users.entry(resource_id).or_insert(account_id);
            }
            Ok(())
        })?;
    }
    Ok(users)
}

const USERS: &str = "select distinct l.resource_id, x.account_id
     from account_days x
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
     where x.day = :day and l.resource_id in rarray(:ids)
     order by 1, 2";
