//! Writes the tables of `cloud.db` that are read for names alone: of everything that has usage and is neither a machine,
//! an address nor a template.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::chance::uuid;
use super::world::{Lifetime, World};

/// A table with a name for each id that usage of these types has.
struct NameTable {
    name: &'static str,
    usage_types: &'static [i64],
    insert: &'static str,
    name_of: fn(&Lifetime) -> String,
}

const TABLES: [NameTable; 6] = [
    NameTable {
        name: "volumes",
        usage_types: &[6],
        insert: "insert into volumes (id, uuid, name) values (?1, ?2, ?3)",
        // As CloudStack calls them, by their machine.
        name_of: |volume| match volume.usage_id % 10 {
            0 => format!("ROOT-{}", volume.usage_id / 10),
            _ => format!("DATA-{}", volume.usage_id / 10),
        },
    },
    NameTable {
        name: "snapshots",
        usage_types: &[9],
        insert: "insert into snapshots (id, uuid, name) values (?1, ?2, ?3)",
        name_of: |snapshot| format!("ROOT-{}-weekly", snapshot.usage_id / 10),
    },
    NameTable {
        name: "vm_snapshots",
        usage_types: &[25, 27],
        insert: "insert into vm_snapshots (id, uuid, name) values (?1, ?2, ?3)",
        name_of: |snapshot| {
            let name = snapshot.vm_name.clone();
            name.unwrap_or_else(|| format!("i-{}-with-memory", snapshot.usage_id))
        },
    },
    NameTable {
        name: "firewall_rules",
        usage_types: &[11, 12],
        insert: "insert into firewall_rules (id, uuid, xid) values (?1, ?2, ?3)",
        name_of: |rule| uuid("xid", rule.usage_id),
    },
    NameTable {
        name: "load_balancing_rules",
        usage_types: &[11],
        // Its uuid is that of the firewall rule.
        insert: "insert into load_balancing_rules (id, name) select ?1, ?3 where ?2 is not null",
        name_of: |rule| format!("{}-http", rule.account.name()),
    },
    NameTable {
        name: "vpn_users",
        usage_types: &[14],
        insert: "insert into vpn_users (id, uuid, username) values (?1, ?2, ?3)",
        name_of: |_| "road-warrior".to_owned(),
    },
];

pub fn insert_used(tx: &Connection, world: &World) -> anyhow::Result<()> {
    for table in TABLES {
        let of_table = world
            .lifetimes
            .iter()
            .filter(|lifetime| table.usage_types.contains(&lifetime.usage_type));
        let names: BTreeMap<i64, String> = of_table
            .map(|lifetime| (lifetime.usage_id, (table.name_of)(lifetime)))
            .collect();
        let mut insert = tx.prepare(table.insert)?;
        for (id, name) in names {
            insert.execute((id, uuid(table.name, id), name))?;
        }
    }
    let networks = world.lifetimes.iter().filter_map(|lifetime| {
        let name = format!("{}-net", lifetime.account.name());
        lifetime.network_id.map(|id| (id, name))
    });
    let networks: BTreeMap<i64, String> = networks.collect();
    let mut insert = tx.prepare("insert into networks (id, uuid, name) values (?1, ?2, ?3)")?;
    for (id, name) in networks {
        insert.execute((id, uuid("networks", id), name))?;
    }
    Ok(())
}
