//! The lines of a day that are not what the source says now, under their names: what `verify` finds below the figures.

use std::collections::{BTreeMap, HashMap};

use super::correction_lines::of_account;
use super::day::StoredDay;
use super::handle::Ledger;
use super::line_comparison::{LineDifference, compare_lines};
use super::line_reader::{LinesOf, list_corrected_lines, list_held_lines};
use super::line_table::LinesPer;
use super::lines::size_of;
use super::naming::AccountRef;
use super::read::corrected_lines::{ChangedLine, ChangedLines, MOST_LINES};
use crate::aggregate::DayUsage;
use crate::day::Day;
use crate::db::{Connection, params};
use crate::metric::{Breakdown, Metric};
use crate::resource::ResourceKind;
use crate::sku::Sku;

/// Account, metric and source id of a record.
pub type RecordId = (AccountRef, Metric, u64);

impl Ledger {
    /// The lines that differ, by the record that they are a part of; none where the day's lines are its records. Those of a sealed day are compared together with its pending corrections.
    pub fn differing_lines(
        &self,
        day: Day,
        stored: Option<StoredDay>,
        usage: &DayUsage,
        tolerance: f64,
    ) -> anyhow::Result<BTreeMap<RecordId, ChangedLines>> {
        let has_lines = |stored: &StoredDay| stored.lines_per != LinesPer::Record;
        let Some(stored) = stored.filter(has_lines) else {
            return Ok(BTreeMap::new());
        };
        let (connection, names) = (self.connection(), &self.names);
        let held = match stored.sealed {
            true => list_corrected_lines(connection, names, day, LinesOf::All)?,
            false => list_held_lines(connection, names, day, LinesOf::All)?,
        };
        let mut now = names.lines_by_account(day, &usage.lines);
        for of_account in held.chunk_by(|a, b| a.account_id == b.account_id) {
            let account = AccountRef::Stored(of_account[0].account_id);
            now.entry(account).or_default();
        }
        let sizes = |sku: &Sku| size_of(names, sku);
        let apart = stored.lines_per == LinesPer::Resource;
        let mut differing: BTreeMap<RecordId, Vec<LineDifference>> = BTreeMap::new();
        for (account, now) in &now {
            let held = match account.stored() {
                Some(id) => of_account(&held, id, |line| line.account_id),
                None => &[],
            };
            for line in compare_lines(held, now, &usage.skus, &sizes, apart, tolerance) {
                let record = (*account, line.key.metric, line.key.record_id());
                differing.entry(record).or_default().push(line);
            }
        }
        self.name_lines(differing, usage)
    }

    /// The lines by name, those that differ most first.
    fn name_lines(
        &self,
        differing: BTreeMap<RecordId, Vec<LineDifference>>,
        usage: &DayUsage,
    ) -> anyhow::Result<BTreeMap<RecordId, ChangedLines>> {
        let stored = differing.values().flatten().filter_map(|line| line.held);
        let (skus, used) = stored.map(|line| (line.sku_id, line.resource_id)).unzip();
        let skus = list_sku_names(self.connection(), skus)?;
        let used = list_used_names(self.connection(), used)?;
        let name = |line: &LineDifference| {
            let line_of = match (line.held, line.source) {
                (Some(held), _) => {
                    let of_sku = skus.get(&held.sku_id).cloned().unwrap_or_default();
                    let (kind, uuid, name) =
                        used.get(&held.resource_id).cloned().unwrap_or_default();
                    ChangedLine {
                        resource_kind: kind,
                        resource_uuid: uuid,
                        resource_name: name,
                        ..of_sku
                    }
                }
                (None, source) => {
                    let sku = source.map(|line| *line.sku_of(&usage.skus));
                    self.name_new(line, sku)
                }
            };
            ChangedLine {
                old_quantity: line.held_quantity(),
                new_quantity: line.source_quantity(),
                ..line_of
            }
        };
        let named = differing.into_iter().map(|(record, mut lines)| {
            lines.sort_by(|a, b| change(b).total_cmp(&change(a)));
            let listed = lines.iter().take(MOST_LINES as usize);
            let lines = ChangedLines {
                lines: listed.map(name).collect(),
                // A count of lines fits 64 bits.
                more: lines.len().saturating_sub(MOST_LINES as usize) as u64,
            };
            (record, lines)
        });
        Ok(named.collect())
    }

    /// What a line that the ledger does not have would be called.
    fn name_new(&self, line: &LineDifference, sku: Option<Sku>) -> ChangedLine {
        let names = &self.names;
        let (kind, id) = line.key.resource;
        let used = match kind {
            _ if id == 0 => None,
            ResourceKind::IpAddress => Some(names.find_resource(Breakdown::IpAddress, id)),
            kind => {
                let known = names.cloud.used.get(&(kind, id));
                let uuid = known.and_then(|used| used.uuid.clone());
                let uuid = uuid.unwrap_or_else(|| format!("{}:{id}", kind.name()));
                let name = known.and_then(|used| used.name.clone());
                Some((uuid.clone(), name.unwrap_or(uuid)))
            }
        };
        let zone = match line.key.zone_id {
            0 => None,
            id => {
                let known = names.cloud.zones.get(&id);
                let uuid = known.and_then(|zone| zone.uuid.clone());
                let uuid = uuid.unwrap_or_else(|| format!("zone:{id}"));
                let name = known.and_then(|zone| zone.name.clone());
                Some((uuid.clone(), name.unwrap_or(uuid)))
            }
        };
        let offering = sku.and_then(|sku| sku.offering);
        let offering = offering.map(|(per, id)| names.find_resource(per, id));
        let size = sku.map(|sku| size_of(names, &sku)).unwrap_or_default();
        let number = |part: Option<std::num::NonZeroU32>| part.map(|part| u64::from(part.get()));
        let (resource_uuid, resource_name) = used.unzip();
        let (zone_uuid, zone_name) = zone.unzip();
        let (offering_uuid, offering_name) = offering.unzip();
        ChangedLine {
            resource_kind: resource_uuid.as_ref().map(|_| kind.name().to_owned()),
            resource_uuid,
            resource_name,
            zone_uuid,
            zone_name,
            offering_uuid,
            offering_name,
            vcpus: number(size.vcpus),
            mhz: number(size.mhz),
            memory_mib: number(size.memory_mib),
            ..ChangedLine::default()
        }
    }
}

/// How much a line has changed, in the metric's unit.
fn change(line: &LineDifference) -> f64 {
    (line.source_quantity().unwrap_or_default() - line.held_quantity().unwrap_or_default()).abs()
}

/// Kind, uuid and name.
pub(super) type UsedName = (Option<String>, Option<String>, Option<String>);

pub(super) fn list_used_names(
    connection: &Connection,
    mut ids: Vec<i64>,
) -> anyhow::Result<HashMap<i64, UsedName>> {
    ids.sort_unstable();
    ids.dedup();
    let sql =
        "select id, kind, uuid, name from stored_resources where id in rarray(:ids) and id <> 0";
    let names = connection.list(sql, params! {":ids": &ids[..]}, |row| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))
    })?;
    Ok(names.into_iter().collect())
}

/// What these SKUs are called, as lines without quantities.
pub(super) fn list_sku_names(
    connection: &Connection,
    mut ids: Vec<i64>,
) -> anyhow::Result<HashMap<i64, ChangedLine>> {
    ids.sort_unstable();
    ids.dedup();
    let sql = "select k.id, nullif(z.uuid, ''), nullif(z.name, ''), nullif(o.uuid, ''), nullif(o.name, ''), \
                 nullif(k.vcpus, 0), nullif(k.mhz, 0), nullif(k.memory_mib, 0) \
               from skus k \
               join stored_resources z on z.id = k.zone_id \
               join stored_resources o on o.id = k.offering_id \
               where k.id in rarray(:ids)";
    let names = connection.list(sql, params! {":ids": &ids[..]}, |row| {
        let line = ChangedLine {
            zone_uuid: row.get(1)?,
            zone_name: row.get(2)?,
            offering_uuid: row.get(3)?,
            offering_name: row.get(4)?,
            vcpus: row.get(5)?,
            mhz: row.get(6)?,
            memory_mib: row.get(7)?,
            ..ChangedLine::default()
        };
        Ok((row.get(0)?, line))
    })?;
    Ok(names.into_iter().collect())
}
