//! Keeps a day's lines: gives SKUs and what was used their ids in the ledger, and writes the lines in the order in
//! which they lie in their table. A name is frozen: what was renamed upstream gets another id, and old lines keep theirs.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context;

use super::account_states::Keep;
use super::day::{NewDay, RecordKey};
use super::line_ids::StoredSku;
use super::line_table::{self, LineWriter, LinesPer, StoredLine};
use super::names::LedgerNames;
use crate::aggregate::{DayUsage, UsageLine};
use crate::cloud::Names;
use crate::day::Day;
use crate::db::{Connection, SqlValue, params};
use crate::id_map::IdMap;
use crate::metric::Breakdown;
use crate::resource::ResourceKind;
use crate::sku::{Sku, VmSize};

/// Puts the lines of a day in place of those it has.
pub(super) fn replace_lines(
    connection: &Connection,
    names: &mut LedgerNames,
    new: &NewDay,
) -> anyhow::Result<()> {
    let (day, usage) = (new.day, new.usage);
    let ids = LineNaming::new(connection, names, day, usage, &usage.lines, new.lines_per)?;
    line_table::delete_day(connection, day)?;
    let mut writer = LineWriter::new(connection)?;
    let mut of_account = Vec::new();
    for (account_id, lines) in by_account(connection, names, day, usage)? {
        of_account.clear();
        for line in lines.into_iter().flatten() {
            of_account.push(ids.stored(connection, names, line)?);
        }
        line_table::merge(&mut of_account);
        writer.insert(day, account_id, &of_account)?;
    }
    writer.finish()?;
    line_table::set_lines_per(connection, day, new.lines_per)
}

/// Adds the lines of some records to those that a day has.
pub(super) fn add_lines(
    connection: &Connection,
    names: &mut LedgerNames,
    new: &NewDay,
    per: LinesPer,
    records: &HashSet<RecordKey>,
) -> anyhow::Result<()> {
    let (day, usage) = (new.day, new.usage);
    let ids = LineNaming::new(connection, names, day, usage, &usage.lines, per)?;
    for (account_id, lines) in by_account(connection, names, day, usage)? {
        let mut added = Vec::new();
        for line in lines.into_iter().flatten() {
            let (_, metric, source_id) = line.record_key(&usage.skus);
            let metric_id = names.metric(connection, metric)?;
            if records.contains(&(account_id, metric_id, source_id)) {
                added.push(ids.stored(connection, names, line)?);
            }
        }
        if added.is_empty() {
            continue;
        }
        added.extend(line_table::take(connection, day, account_id)?);
        line_table::merge(&mut added);
        let mut writer = LineWriter::new(connection)?;
        writer.insert(day, account_id, &added)?;
        writer.finish()?;
    }
    Ok(())
}

/// The lines of a day by account of the ledger, in the order of these. Several ids in CloudStack may mean one account.
fn by_account<'a>(
    connection: &Connection,
    names: &mut LedgerNames,
    day: Day,
    usage: &'a DayUsage,
) -> anyhow::Result<BTreeMap<i64, Vec<&'a [UsageLine]>>> {
    let mut accounts: BTreeMap<i64, Vec<&[UsageLine]>> = BTreeMap::new();
    for lines in usage.lines.chunk_by(|a, b| a.account_id == b.account_id) {
        let account = names.account(connection, lines[0].account_id, day)?;
        accounts.entry(account.id).or_default().push(lines);
    }
    Ok(accounts)
}

/// Keeps names and domains of the accounts that have usage on a day. A day that was closed before keeps those it has.
pub(super) fn keep_states(
    connection: &Connection,
    names: &mut LedgerNames,
    day: Day,
    usage: &DayUsage,
    keep: Keep,
) -> anyhow::Result<()> {
    let mut domains = BTreeMap::new();
    for of_account in usage.records.chunk_by(|a, b| a.account_id == b.account_id) {
        let account = names.account(connection, of_account[0].account_id, day)?;
        domains.insert(account.id, 0);
    }
    for (account_id, lines) in by_account(connection, names, day, usage)? {
        let newest = lines.last().and_then(|lines| lines.first());
        domains.insert(account_id, newest.map_or(0, |line| line.domain_id));
    }
    for (account_id, domain_id) in domains {
        names.keep_state(connection, day, account_id, domain_id, keep)?;
    }
    Ok(())
}

/// What the lines of one day are called in the ledger.
pub(super) struct LineNaming {
    /// By place among the SKUs of the day.
    skus: Vec<i64>,
    frozen: IdMap<(ResourceKind, u64), i64>,
    per: LinesPer,
}

impl LineNaming {
    /// For some of a day's lines, or all.
    pub(super) fn new(
        connection: &Connection,
        names: &mut LedgerNames,
        day: Day,
        usage: &DayUsage,
        lines: &[UsageLine],
        per: LinesPer,
    ) -> anyhow::Result<LineNaming> {
        let skus = usage.skus.iter();
        let skus = skus.map(|sku| sku_id(connection, names, sku));
        let skus = skus.collect::<anyhow::Result<Vec<i64>>>()?;
        let mut frozen = IdMap::default();
        if per != LinesPer::Sku {
            frozen = list_frozen(connection, day)?;
            store_used(connection, names, lines)?;
        }
        Ok(LineNaming { skus, frozen, per })
    }

    pub(super) fn stored(
        &self,
        connection: &Connection,
        names: &mut LedgerNames,
        line: &UsageLine,
    ) -> anyhow::Result<StoredLine> {
        let resource_id = match (self.per, self.frozen.get(&line.resource)) {
            (LinesPer::Sku, _) => 0,
            (_, Some(id)) => *id,
            (_, None) => used_id(connection, names, line)?,
        };
        Ok(StoredLine {
            sku_id: self.skus[line.sku as usize],
            resource_id,
            quantity: line.quantity,
        })
    }
}

/// What the lines of a day are about, by kind and id in CloudStack: written again, they keep the names of their day. A
/// stand-in gives way to a name that has become known.
fn list_frozen(
    connection: &Connection,
    day: Day,
) -> anyhow::Result<IdMap<(ResourceKind, u64), i64>> {
    let sql = "select distinct s.kind, s.source_id, s.id from account_days x \
               cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1 \
               cross join stored_resources s on s.id = l.resource_id \
               where x.day = :day and s.uuid <> s.kind || ':' || s.source_id order by s.id";
    let mut frozen = IdMap::default();
    connection.each(sql, params! {":day": day}, |row| {
        let name: &str = row.get(0)?;
        if let Some(kind) = ResourceKind::of_name(name) {
            frozen.insert((kind, row.get(1)?), row.get(2)?);
        }
        Ok(())
    })?;
    Ok(frozen)
}

/// How large the VMs of a SKU are: as rows say, or else their offering.
pub(super) fn size_of(names: &LedgerNames, sku: &Sku) -> VmSize {
    match sku.offering {
        Some((Breakdown::ServiceOffering, id)) => {
            let offering = names.cloud.offering_sizes.get(&id);
            sku.size.or(offering.copied().unwrap_or_default())
        }
        Some(_) | None => sku.size,
    }
}

fn sku_id(connection: &Connection, names: &mut LedgerNames, sku: &Sku) -> anyhow::Result<i64> {
    names.lines.read_skus(connection)?;
    let offering_id = match sku.offering {
        Some((per, id)) if id != 0 => names.resource(connection, per, id)?.id,
        Some(_) | None => 0,
    };
    let [vcpus, mhz, memory_mib] = size_of(names, sku).numbers();
    let stored = StoredSku {
        metric_id: names.metric(connection, sku.metric)?,
        offering_id,
        zone_id: zone_id(connection, names, sku.zone_id)?,
        vcpus,
        mhz,
        memory_mib,
    };
    if let Some(id) = names.lines.skus.get(&stored) {
        return Ok(*id);
    }
    let sql = "insert into skus (metric_id, offering_id, zone_id, vcpus, mhz, memory_mib) \
               values (:metric_id, :offering_id, :zone_id, :vcpus, :mhz, :memory_mib)";
    let values = params! {
        ":metric_id": stored.metric_id,
        ":offering_id": stored.offering_id,
        ":zone_id": stored.zone_id,
        ":vcpus": stored.vcpus,
        ":mhz": stored.mhz,
        ":memory_mib": stored.memory_mib,
    };
    let id = connection.insert(sql, values)?;
    names.lines.skus.insert(stored, id);
    Ok(id)
}

fn zone_id(
    connection: &Connection,
    names: &mut LedgerNames,
    source_id: u32,
) -> anyhow::Result<i64> {
    if source_id == 0 {
        return Ok(0);
    }
    if let Some(id) = names.lines.zones.get(&source_id) {
        return Ok(*id);
    }
    let known = names.cloud.zones.get(&u64::from(source_id));
    let (uuid, name) = known.map_or((None, None), |zone| (zone.uuid.clone(), zone.name.clone()));
    let new = NewName::of("zone", u64::from(source_id), uuid, name);
    let stored = store_all(connection, "zone", &[new])?;
    let id = stored.values().next().copied();
    let id = id.context("a zone without an id")?;
    names.lines.zones.insert(source_id, id);
    Ok(id)
}

/// An id of this run, which `store_used` has stored.
fn used_id(
    connection: &Connection,
    names: &mut LedgerNames,
    line: &UsageLine,
) -> anyhow::Result<i64> {
    match line.resource {
        (_, 0) => Ok(0),
        // What a record is kept per as well.
        (ResourceKind::IpAddress, id) => {
            Ok(names.resource(connection, Breakdown::IpAddress, id)?.id)
        }
        used => names
            .lines
            .used
            .get(&used)
            .copied()
            .context("a line about something without an id"),
    }
}

/// Gives ids to those resources of these lines that have none in this run, kind by kind.
fn store_used(
    connection: &Connection,
    names: &mut LedgerNames,
    lines: &[UsageLine],
) -> anyhow::Result<()> {
    let mut new: BTreeMap<ResourceKind, Vec<u64>> = BTreeMap::new();
    for line in lines {
        let (kind, id) = line.resource;
        let is_new = id != 0
            && kind != ResourceKind::IpAddress
            && !names.lines.used.contains_key(&line.resource);
        if is_new {
            new.entry(kind).or_default().push(id);
        }
    }
    for (kind, mut ids) in new {
        ids.sort_unstable();
        ids.dedup();
        for ids in ids.chunks(NAMES_AT_ONCE) {
            let frozen = ids.iter().map(|id| used_name(&names.cloud, kind, *id));
            let frozen: Vec<NewName> = frozen.collect();
            let stored = store_all(connection, kind.name(), &frozen)?;
            let stored = stored.into_iter().map(|(id, stored)| ((kind, id), stored));
            names.lines.used.extend(stored);
        }
    }
    Ok(())
}

/// The first import of a large cloud names very many things.
const NAMES_AT_ONCE: usize = 10_000;

/// What is to be stored of a name. Where `cloud` does not know it, `is_stand_in`: then what the ledger knows goes first.
struct NewName {
    source_id: u64,
    uuid: String,
    name: String,
    is_stand_in: bool,
}

impl NewName {
    fn of(kind: &str, source_id: u64, uuid: Option<String>, name: Option<String>) -> NewName {
        let is_stand_in = uuid.is_none() && name.is_none();
        let uuid = uuid.unwrap_or_else(|| format!("{kind}:{source_id}"));
        NewName {
            source_id,
            name: name.unwrap_or_else(|| uuid.clone()),
            uuid,
            is_stand_in,
        }
    }
}

fn used_name(cloud: &Names, kind: ResourceKind, id: u64) -> NewName {
    let known = cloud.used.get(&(kind, id));
    let (uuid, name) = known.map_or((None, None), |used| (used.uuid.clone(), used.name.clone()));
    NewName::of(kind.name(), id, uuid, name)
}

/// The ids of names of one kind, by id in CloudStack: those that are there, and new ones. At most three statements.
fn store_all(
    connection: &Connection,
    kind: &str,
    names: &[NewName],
) -> anyhow::Result<HashMap<u64, i64>> {
    let ids: Vec<i64> = names
        .iter()
        .map(|name| i64::try_from(name.source_id))
        .collect::<Result<_, _>>()?;
    let mut stored = find_all(connection, kind, &ids, names)?;
    let missing: Vec<&NewName> = names
        .iter()
        .filter(|name| !stored.contains_key(&name.source_id))
        .collect();
    if missing.is_empty() {
        return Ok(stored);
    }
    let sql = "insert into stored_resources (kind, source_id, uuid, name) values (:kind, :source_id, :uuid, :name)";
    let rows = missing.iter().map(|new| {
        [
            SqlValue::from(kind),
            SqlValue::from(new.source_id),
            SqlValue::from(&new.uuid),
            SqlValue::from(&new.name),
        ]
    });
    connection.insert_many(sql, rows)?;
    stored.extend(find_all(connection, kind, &ids, names)?);
    Ok(stored)
}

/// Those of these names that the ledger has: the very name; for a stand-in, the newest that it has of the id.
fn find_all(
    connection: &Connection,
    kind: &str,
    ids: &[i64],
    names: &[NewName],
) -> anyhow::Result<HashMap<u64, i64>> {
    let wanted: HashMap<u64, &NewName> = names.iter().map(|name| (name.source_id, name)).collect();
    let sql = "select source_id, id, uuid, name from stored_resources \
               where kind = :kind and source_id in rarray(:ids) order by id";
    let mut found = HashMap::new();
    connection.each(sql, params! {":kind": kind, ":ids": ids}, |row| {
        let source_id: u64 = row.get(0)?;
        let Some(wanted) = wanted.get(&source_id) else {
            return Ok(());
        };
        let same = row.get::<&str>(2)? == wanted.uuid && row.get::<&str>(3)? == wanted.name;
        if same || wanted.is_stand_in {
            found.insert(source_id, row.get(1)?);
        }
        Ok(())
    })?;
    Ok(found)
}
