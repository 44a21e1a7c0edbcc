//! What lines refer to beyond what figures need: uuids and names of volumes, networks and other resources and of zones,
//! and how large service offerings are. Nothing here decides a figure, so that a table that cannot be read is
//! a limitation and no error.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use super::lookup::{Asked, AskedIds, name, select};
use super::probe::Columns;
use crate::cloud::Names;
use crate::db::{Connection, Field};
use crate::resource::ResourceKind;
use crate::row::UsageRow;
use crate::sku::VmSize;

/// Where `cloud` has a kind of resource: table and column of its name.
pub fn table_of(kind: ResourceKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        ResourceKind::Vm | ResourceKind::Router => ("vm_instance", "name"),
        ResourceKind::IpAddress => ("user_ip_address", "public_ip_address"),
        ResourceKind::Network => ("networks", "name"),
        ResourceKind::Volume => ("volumes", "name"),
        ResourceKind::Template | ResourceKind::Iso => ("vm_template", "name"),
        ResourceKind::Snapshot => ("snapshots", "name"),
        ResourceKind::SecurityGroup => ("security_group", "name"),
        ResourceKind::LoadBalancerRule => ("load_balancing_rules", "name"),
        ResourceKind::PortForwardingRule => ("firewall_rules", "xid"),
        ResourceKind::VpnUser => ("vpn_users", "username"),
        ResourceKind::VmSnapshot => ("vm_snapshots", "name"),
        ResourceKind::Bucket => ("bucket", "name"),
        ResourceKind::Vpc => ("vpc", "name"),
        ResourceKind::Other => return None,
    })
}

/// Kinds whose names are read here; those of VMs and addresses come with what figures need of them.
const KINDS: [ResourceKind; 13] = [
    ResourceKind::Network,
    ResourceKind::Router,
    ResourceKind::Volume,
    ResourceKind::Template,
    ResourceKind::Iso,
    ResourceKind::Snapshot,
    ResourceKind::SecurityGroup,
    ResourceKind::LoadBalancerRule,
    ResourceKind::PortForwardingRule,
    ResourceKind::VpnUser,
    ResourceKind::VmSnapshot,
    ResourceKind::Bucket,
    ResourceKind::Vpc,
];

/// The statements, each where its table can be read, and which ids have been asked for.
pub struct LineNameReader {
    resources: Vec<(ResourceKind, Option<String>)>,
    zones: Option<String>,
    sizes: Option<String>,
    asked: AskedIds,
}

impl LineNameReader {
    pub fn probe(cloud: &Connection) -> anyhow::Result<LineNameReader> {
        let mut resources = Vec::new();
        for kind in KINDS {
            resources.push((kind, resource_sql(cloud, kind)?));
        }
        let service_offering = Columns::of(cloud, "service_offering")?;
        let sizes = ["id", "cpu", "speed", "ram_size"];
        Ok(LineNameReader {
            resources,
            zones: sql_of(cloud, "data_center", "name")?,
            sizes: service_offering.have(&sizes).then(|| {
                "select id, cpu, speed, ram_size from service_offering where id".to_owned()
            }),
            asked: AskedIds::default(),
        })
    }

    /// What is done without. `may_have`: kinds that this CloudStack is old enough not to have are not missed.
    pub fn limitations(&self, may_have: &dyn Fn(ResourceKind) -> bool) -> Vec<String> {
        let mut tables: Vec<&str> = Vec::new();
        for (kind, sql) in &self.resources {
            // What has no table of its own is told by other sentences.
            let own = !matches!(
                kind,
                ResourceKind::Router | ResourceKind::Template | ResourceKind::Iso
            );
            let missed = sql.is_none() && own && may_have(*kind);
            tables.extend(table_of(*kind).filter(|_| missed).map(|(table, _)| table));
        }
        if self.zones.is_none() {
            tables.push("data_center");
        }
        let mut sentences = Vec::new();
        if !tables.is_empty() {
            let tables = tables.join(", ");
            sentences.push(format!(
                "cloud: {tables} cannot be read: what they name is known by its id alone"
            ));
        }
        if self.sizes.is_none() {
            sentences.push(
                "cloud: cpu, speed and ram_size of service_offering cannot be read: sizes of VMs are known of custom \
                 offerings alone"
                    .to_owned(),
            );
        }
        sentences
    }

    /// Asks for what lines of these rows refer to and no earlier rows did.
    pub fn read_names(
        &mut self,
        cloud: &Connection,
        rows: &[UsageRow],
        names: &mut Names,
    ) -> anyhow::Result<()> {
        let mut ids: BTreeMap<ResourceKind, Vec<u64>> = BTreeMap::new();
        let mut zones = BTreeSet::new();
        for row in rows {
            let (kind, id) = row.resource();
            if KINDS.contains(&kind) && self.asked.is_new(Asked::Used(kind), id) {
                ids.entry(kind).or_default().push(id);
            }
            zones.insert(u64::from(row.zone_id));
        }
        for (kind, sql) in &self.resources {
            let mut ids = ids.remove(kind).unwrap_or_default();
            ids.sort_unstable();
            select(cloud, sql.as_deref(), &ids, &mut |id, row| {
                names.used.insert((*kind, id), name(row, 1)?);
                Ok(())
            })?;
        }
        let zones = self.asked.new_ids(Asked::Zone, zones.into_iter());
        select(cloud, self.zones.as_deref(), &zones, &mut |id, row| {
            names.zones.insert(id, name(row, 1)?);
            Ok(())
        })?;
        let vms = rows
            .iter()
            .filter(|row| matches!(row.usage_type, Some(1 | 2)));
        let offerings: BTreeSet<u64> = vms.map(|row| row.offering_id).collect();
        let offerings = self.asked.new_ids(Asked::Size, offerings.into_iter());
        let sql = self.sizes.as_deref();
        select(cloud, sql, &offerings, &mut |id, row| {
            let size = VmSize {
                vcpus: part_of_size(row.field(1)?)?,
                mhz: part_of_size(row.field(2)?)?,
                memory_mib: part_of_size(row.field(3)?)?,
            };
            names.offering_sizes.insert(id, size);
            Ok(())
        })
    }
}

/// NULL for custom offerings. What is beyond four billion is no size of a VM.
fn part_of_size(field: Field) -> anyhow::Result<Option<NonZeroU32>> {
    let number = field.unsigned()?.unwrap_or(0);
    Ok(u32::try_from(number).ok().and_then(NonZeroU32::new))
}

fn resource_sql(cloud: &Connection, kind: ResourceKind) -> anyhow::Result<Option<String>> {
    let Some((table, name)) = table_of(kind) else {
        return Ok(None);
    };
    // Its rules are rows of firewall_rules, under the same ids; the uuid is there.
    if kind == ResourceKind::LoadBalancerRule
        && !Columns::of(cloud, table)?.has("uuid")
        && Columns::of(cloud, table)?.have(&["id", "name"])
        && Columns::of(cloud, "firewall_rules")?.have(&["id", "uuid"])
    {
        let join = "load_balancing_rules l left join firewall_rules f on f.id = l.id";
        return Ok(Some(format!(
            "select l.id, f.uuid, l.name from {join} where l.id"
        )));
    }
    sql_of(cloud, table, name)
}

/// The statement for uuids and names of a table, of which one may be missing.
fn sql_of(
    cloud: &Connection,
    table: &'static str,
    name: &'static str,
) -> anyhow::Result<Option<String>> {
    let columns = Columns::of(cloud, table)?;
    let readable = columns.has("id") && (columns.has("uuid") || columns.has(name));
    Ok(readable.then(|| {
        let list = columns.select_list(&["id", "uuid", name]);
        format!("select {list} from {table} where id")
    }))
}

#[cfg(test)]
mod tests;
