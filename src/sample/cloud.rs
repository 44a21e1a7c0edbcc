//! Writes `cloud.db`, the snapshot of CloudStack's main database: what the ids in usage rows stand for.

use rusqlite::{Connection, named_params};

use super::catalog::{
    ACCOUNTS, BACKUP_OFFERING, DISK_OFFERINGS, DOMAINS, GUEST_OSES, NETWORK_OFFERINGS,
    SERVICE_OFFERINGS, SampleAccount, TEMPLATES, ZONES,
};
use super::chance::uuid;
use super::period::{at, gmt, whole};
use super::used::insert_used;
use super::world::{Address, OwnedTemplate, SampleVm, World};

/// A machine of `cedar-media`, destroyed and then purged: usage still names it, `vm_instance` no longer does.
const PURGED_VM: i64 = 5006;

/// Fills an empty database.
pub fn write(db: &mut Connection, world: &World) -> anyhow::Result<()> {
    let tx = db.transaction()?;
    tx.execute_batch(include_str!("cloud.sql"))?;
    insert_domains(&tx)?;
    insert_accounts(&tx)?;
    insert_named(&tx)?;
    insert_service_offerings(&tx)?;
    insert_disk_offerings(&tx)?;
    insert_templates(&tx, &world.templates)?;
    for vm in world.vms.iter().filter(|vm| vm.id != PURGED_VM) {
        insert_vm(&tx, vm)?;
    }
    for address in &world.addresses {
        insert_address(&tx, address)?;
    }
    insert_used(&tx, world)?;
    insert_configuration(&tx)?;
    Ok(tx.commit()?)
}

/// When everything was set up.
fn long_ago() -> anyhow::Result<String> {
    gmt(at("2026-05-04", 9))
}

fn insert_domains(tx: &Connection) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "insert into domain (id, parent, name, uuid, path, level)
         values (:id, :parent, :name, :uuid, :path, :level)",
    )?;
    for domain in DOMAINS {
        insert.execute(named_params! {
            ":id": domain.id,
            ":parent": domain.parent,
            ":name": domain.name,
            ":uuid": uuid("domain", domain.id),
            ":path": domain.path,
            ":level": domain.level,
        })?;
    }
    Ok(())
}

/// The two accounts every CloudStack has, the customers, and the projects behind the hidden accounts.
fn insert_accounts(tx: &Connection) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "insert into account (id, account_name, uuid, type, domain_id, state, removed)
         values (:id, :name, :uuid, :type, :domain, :state, :removed)",
    )?;
    for (id, name) in [(1, "system"), (2, "admin")] {
        insert.execute(named_params! {
            ":id": id,
            ":name": name,
            ":uuid": uuid("account", id),
            ":type": 1,
            ":domain": 1,
            ":state": "enabled",
            ":removed": None::<String>,
        })?;
    }
    for account in ACCOUNTS {
        let removed = account.removed().map(gmt).transpose()?;
        insert.execute(named_params! {
            ":id": account.id,
            ":name": account.name(),
            ":uuid": account.uuid(),
            ":type": if account.is_project { 5 } else { 0 },
            ":domain": account.domain_id,
            ":state": if removed.is_some() { "removed" } else { "enabled" },
            ":removed": removed,
        })?;
        if let Some(name) = account.project_name() {
            insert_project(tx, account, name)?;
        }
    }
    Ok(())
}

fn insert_project(tx: &Connection, account: SampleAccount, name: &str) -> anyhow::Result<()> {
    tx.execute(
        "insert into projects (id, name, uuid, display_text, project_account_id, domain_id, created)
         values (:id, :name, :uuid, :name, :account, :domain, :created)",
        named_params! {
            ":id": account.id - 16,
            ":name": name,
            ":uuid": uuid("projects", account.id - 16),
            ":account": account.id,
            ":domain": account.domain_id,
            ":created": long_ago()?,
        },
    )?;
    Ok(())
}

/// The tables that hold little more than a name.
fn insert_named(tx: &Connection) -> anyhow::Result<()> {
    for (id, name) in ZONES {
        tx.execute(
            "insert into data_center (id, name, uuid) values (?1, ?2, ?3)",
            (id, name, uuid("data_center", id)),
        )?;
    }
    for (id, name) in NETWORK_OFFERINGS {
        tx.execute(
            "insert into network_offerings (id, name, unique_name, uuid) values (?1, ?2, ?2, ?3)",
            (id, name, uuid("network_offerings", id)),
        )?;
    }
    for (id, name) in GUEST_OSES {
        tx.execute(
            "insert into guest_os (id, name, display_name, uuid) values (?1, ?2, ?2, ?3)",
            (id, name, uuid("guest_os", id)),
        )?;
    }
    tx.execute(
        "insert into backup_offering (id, name, zone_id, uuid) values (?1, 'Nightly', 1, ?2)",
        (BACKUP_OFFERING, uuid("backup_offering", BACKUP_OFFERING)),
    )?;
    Ok(())
}

fn insert_service_offerings(tx: &Connection) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "insert into service_offering (id, uuid, name, display_text, cpu, speed, ram_size, customized,
            system_use, disk_offering_id, created, removed, state)
         values (:id, :uuid, :name, :name, :cpu, :speed, :ram_size, :customized,
            :system_use, :disk_offering, :created, :removed, :state)",
    )?;
    for offering in SERVICE_OFFERINGS {
        let removed = offering.removed.map(|day| gmt(at(day, 11))).transpose()?;
        insert.execute(named_params! {
            ":id": offering.id,
            ":uuid": uuid("service_offering", offering.id),
            ":name": offering.name,
            ":cpu": offering.size.map(|size| size.cores),
            ":speed": offering.size.map(|size| size.mhz),
            ":ram_size": offering.size.map(|size| size.memory_mb),
            ":customized": offering.size.is_none(),
            ":system_use": offering.system_use,
            ":disk_offering": compute_only_disk(offering.id),
            ":created": long_ago()?,
            ":state": if removed.is_some() { "Inactive" } else { "Active" },
            ":removed": removed,
        })?;
    }
    Ok(())
}

/// The disk offering that belongs to a service offering; the first ids are those of the data disks.
fn compute_only_disk(service_offering_id: i64) -> i64 {
    service_offering_id + 10
}

fn insert_disk_offerings(tx: &Connection) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "insert into disk_offering (id, name, uuid, display_text, disk_size, customized, compute_only, created)
         values (:id, :name, :uuid, :name, 0, :customized, :compute_only, :created)",
    )?;
    let data_disks = DISK_OFFERINGS.map(|(id, name)| (id, name, false));
    let root_disks =
        SERVICE_OFFERINGS.map(|offering| (compute_only_disk(offering.id), offering.name, true));
    for (id, name, compute_only) in data_disks.into_iter().chain(root_disks) {
        insert.execute(named_params! {
            ":id": id,
            ":name": name,
            ":uuid": uuid("disk_offering", id),
            ":customized": !compute_only,
            ":compute_only": compute_only,
            ":created": long_ago()?,
        })?;
    }
    Ok(())
}

fn insert_templates(tx: &Connection, owned: &[OwnedTemplate]) -> anyhow::Result<()> {
    let mut insert = tx.prepare(
        "insert into vm_template (id, unique_name, name, uuid, format, guest_os_id, account_id, created)
         values (:id, :unique_name, :name, :uuid, :format, :guest_os, :account, :created)",
    )?;
    for template in TEMPLATES {
        insert.execute(named_params! {
            ":id": template.id,
            ":unique_name": format!("{}-1", template.id),
            ":name": template.name,
            ":uuid": uuid("vm_template", template.id),
            ":format": template.format,
            ":guest_os": template.guest_os_id,
            ":account": 2,
            ":created": long_ago()?,
        })?;
    }
    for template in owned {
        insert.execute(named_params! {
            ":id": template.id,
            ":unique_name": format!("{}-{}", template.id, template.account.id),
            ":name": template.name,
            ":uuid": uuid("vm_template", template.id),
            ":format": template.format,
            ":guest_os": template.guest_os_id,
            ":account": template.account.id,
            ":created": gmt(template.created)?,
        })?;
    }
    Ok(())
}

fn insert_vm(tx: &Connection, vm: &SampleVm) -> anyhow::Result<()> {
    let is_removed = vm.life.to < whole().to;
    tx.prepare_cached(
        "insert into vm_instance (id, name, uuid, instance_name, type, state, account_id, domain_id,
            data_center_id, service_offering_id, vm_template_id, guest_os_id, created, removed)
         values (:id, :name, :uuid, :instance_name, :type, :state, :account, :domain,
            1, :service_offering, :template, :guest_os, :created, :removed)",
    )?
    .execute(named_params! {
        ":id": vm.id,
        ":name": vm.name,
        ":uuid": uuid("vm_instance", vm.id),
        ":instance_name": vm.instance_name,
        ":type": if vm.is_router { "DomainRouter" } else { "User" },
        ":state": if is_removed { "Expunging" } else { "Running" },
        ":account": vm.account.id,
        ":domain": vm.account.domain_id,
        ":service_offering": vm.service_offering_id,
        ":template": vm.template_id,
        ":guest_os": vm.guest_os_id,
        ":created": gmt(vm.life.from)?,
        ":removed": is_removed.then(|| gmt(vm.life.to)).transpose()?,
    })?;
    Ok(())
}

fn insert_address(tx: &Connection, address: &Address) -> anyhow::Result<()> {
    tx.prepare_cached(
        "insert into user_ip_address (id, uuid, account_id, domain_id, public_ip_address, data_center_id,
            source_nat, allocated, state, is_system, network_id)
         values (:id, :uuid, :account, :domain, :address, 1,
            :source_nat, :allocated, 'Allocated', :is_system, :network)",
    )?
    .execute(named_params! {
        ":id": address.id,
        ":uuid": uuid("user_ip_address", address.id),
        ":account": address.account.id,
        ":domain": address.account.domain_id,
        ":address": address.text,
        ":source_nat": address.is_source_nat,
        ":allocated": gmt(address.allocated)?,
        ":is_system": address.is_system,
        ":network": address.network_id,
    })?;
    Ok(())
}

fn insert_configuration(tx: &Connection) -> anyhow::Result<()> {
    for (name, value) in [
        ("enable.usage.server", "true"),
        ("usage.aggregation.timezone", "Europe/Stockholm"),
        ("usage.execution.timezone", "Europe/Stockholm"),
        ("usage.stats.job.aggregation.range", "1440"),
        ("usage.stats.job.exec.time", "00:15"),
    ] {
        tx.execute(
            "insert into configuration (name, value) values (?1, ?2)",
            (name, value),
        )?;
    }
    Ok(())
}
