//! Reads `cloud`: the uuids and names behind the ids of usage rows. All accounts are read at the start, of
//! all else only the ids that occur, in batches, and each once a run. Removed rows are looked up like any other.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::ensure;

use super::lookup::{Asked, AskedIds, name, select};
use super::probe::Columns;
use super::usage_row::Addresses;
use crate::cloud::{CloudAccount, Names, Vm};
use crate::db::{Connection, Row};
use crate::metric::{Breakdown, Metric};
use crate::resource::ResourceKind;
use crate::row::UsageRow;
use crate::sku::offering_of;

/// What can be read of `cloud`, and which ids have been asked for.
pub struct NameReader {
    accounts_sql: String,
    all_accounts_read: bool,
    domains: bool,
    projects: bool,
    vms_sql: Option<String>,
    vm_removals: bool,
    templates_sql: Option<String>,
    resources_sql: Vec<(Breakdown, Option<String>)>,
    vm_names: bool,
    asked: AskedIds,
    found_accounts: HashSet<u64>,
}

impl NameReader {
    /// Looks at the schema. Without the account table there is no usage of anybody; all else is optional.
    pub fn probe(cloud: &Connection) -> anyhow::Result<NameReader> {
        // The usage database has an account table too, without a single uuid in it.
        ensure!(
            !Columns::of(cloud, "cloud_usage")?.has("raw_usage"),
            "it has the table cloud_usage, so it is the usage database and not the main one"
        );
        let account = Columns::of(cloud, "account")?;
        account.require(&["id", "uuid", "account_name", "domain_id"])?;
        let vms = Columns::of(cloud, "vm_instance")?;
        let template = Columns::of(cloud, "vm_template")?;
        let domain = Columns::of(cloud, "domain")?.have(&["id", "uuid", "path"]);
        let projects =
            Columns::of(cloud, "projects")?.have(&["uuid", "name", "project_account_id"]);
        let resources_sql = vec![
            (Breakdown::ServiceOffering, service_offerings_sql(cloud)?),
            (
                Breakdown::GuestOs,
                named(cloud, "guest_os", "display_name")?,
            ),
            (
                Breakdown::IpAddress,
                named(cloud, "user_ip_address", "public_ip_address")?,
            ),
            (
                Breakdown::NetworkOffering,
                named(cloud, "network_offerings", "name")?,
            ),
            (
                Breakdown::BackupOffering,
                named(cloud, "backup_offering", "name")?,
            ),
            (
                Breakdown::DiskOffering,
                named(cloud, "disk_offering", "name")?,
            ),
        ];
        Ok(NameReader {
            accounts_sql: accounts_sql(domain, projects, account.has("removed")),
            all_accounts_read: false,
            domains: domain,
            projects,
            vms_sql: vms.have(&["id", "guest_os_id"]).then(|| {
                format!(
                    "select {} from vm_instance where id",
                    vms.select_list(&["id", "guest_os_id", "removed", "uuid", "name"])
                )
            }),
            vm_removals: vms.has("removed"),
            vm_names: vms.has("name"),
            templates_sql: template
                .have(&["id", "guest_os_id"])
                .then(|| "select id, guest_os_id from vm_template where id".to_owned()),
            resources_sql,
            asked: AskedIds::default(),
            found_accounts: HashSet::new(),
        })
    }

    /// What is done without. Whether there can be backups is said by the usage database.
    pub fn limitations(&self, backups: bool) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.domains {
            sentences.push("cloud: domain cannot be read: new accounts have no domain".to_owned());
        }
        if !self.projects {
            sentences.push(
                "cloud: projects cannot be read: new projects are only known by the uuid of their account"
                    .to_owned(),
            );
        }
        if self.vms_sql.is_none() {
            sentences.push(
                "cloud: vm_instance cannot be read: the guest OS of a VM is taken from its template, and use after a \
                 VM's removal goes unnoticed"
                    .to_owned(),
            );
        } else if !self.vm_removals {
            sentences.push(
                "cloud: vm_instance.removed cannot be read: use after a VM's removal goes unnoticed"
                    .to_owned(),
            );
        }
        if self.vms_sql.is_some() && !self.vm_names {
            sentences.push(
                "cloud: vm_instance.name cannot be read: VMs are known by their uuids alone"
                    .to_owned(),
            );
        }
        if self.templates_sql.is_none() {
            sentences.push(
                "cloud: vm_template cannot be read: a VM that is gone has no guest OS".to_owned(),
            );
        }
        for (per, sql) in &self.resources_sql {
            if sql.is_none() && (backups || *per != Breakdown::BackupOffering) {
                let kind = per.name();
                sentences.push(format!(
                    "cloud: the table of {kind} names cannot be read: they are kept as {kind}:<id>"
                ));
            }
        }
        sentences
    }

    /// Asks for the ids of these rows that were not asked for before.
    pub fn read_names(
        &mut self,
        cloud: &Connection,
        rows: &[UsageRow],
        addresses: Addresses,
    ) -> anyhow::Result<Names> {
        let mut names = Names::default();
        self.read_all_accounts(cloud, &mut names)?;
        let account_ids = self
            .asked
            .new_ids(Asked::Account, rows.iter().map(|row| row.account_id));
        let vm_rows = || {
            rows.iter()
                .filter(|row| matches!(row.usage_type, Some(1 | 2)))
        };
        let vms = rows.iter().map(|row| match row.usage_type {
            Some(1 | 2) => row.usage_id,
            _ => row.vm_id,
        });
        let used = rows.iter().map(UsageRow::resource);
        let used = used.filter(|(kind, _)| *kind == ResourceKind::Vm);
        let vms = vms.chain(used.map(|(_, id)| id));
        let vm_ids = self.asked.new_ids(Asked::Vm, vms);
        let template_ids = self
            .asked
            .new_ids(Asked::Template, vm_rows().map(|row| row.template_id));
        select(
            cloud,
            Some(&format!("{} where a.id", self.accounts_sql)),
            &account_ids,
            &mut |id, row| add_account(&mut names, id, row),
        )?;
        select(cloud, self.vms_sql.as_deref(), &vm_ids, &mut |id, row| {
            names.vms.insert(
                id,
                Vm {
                    guest_os_id: row.field(1)?.id()?,
                    // Only good for a finding: a date that is none is no reason to stop.
                    removed: row.field(2)?.moment().unwrap_or(None),
                },
            );
            names.used.insert((ResourceKind::Vm, id), name(row, 3)?);
            Ok(())
        })?;
        select(
            cloud,
            self.templates_sql.as_deref(),
            &template_ids,
            &mut |id, row| {
                names.templates.insert(id, row.field(1)?.id()?);
                Ok(())
            },
        )?;
        self.read_resources(cloud, rows, &mut names)?;
        names.addresses = addresses;
        Ok(names)
    }

    /// The accounts of these rows that `cloud` does not know, of which the usage database may still know the name.
    pub fn read_lost_accounts(
        &mut self,
        usage: &Connection,
        rows: &[UsageRow],
        names: &mut Names,
    ) -> anyhow::Result<()> {
        let known = &names.accounts;
        let lost = rows.iter().map(|row| row.account_id);
        let lost = lost.filter(|id| !known.contains_key(id) && !self.found_accounts.contains(id));
        let lost: BTreeSet<u64> = lost.collect();
        self.found_accounts.extend(known.keys());
        let lost = self.asked.new_ids(Asked::LostAccount, lost.into_iter());
        if lost.is_empty() || !Columns::of(usage, "account")?.have(&["id", "account_name"]) {
            return Ok(());
        }
        let sql = "select id, account_name from account where id";
        select(usage, Some(sql), &lost, &mut |id, row| {
            let account = CloudAccount {
                uuid: None,
                name: row.field(1)?.text()?.unwrap_or_default(),
                domain_uuid: None,
                domain_path: None,
                project_uuid: None,
                project_name: None,
            };
            names.accounts.insert(id, account);
            Ok(())
        })
    }

    /// Once a run, all accounts there are: one that has used nothing yet is an account all the same.
    fn read_all_accounts(&mut self, cloud: &Connection, names: &mut Names) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.all_accounts_read, true) {
            return Ok(());
        }
        cloud.each(&self.accounts_sql, &[], |row| {
            let id = row.field(0)?.id()?;
            self.asked.is_new(Asked::Account, id);
            add_account(names, id, row)
        })
    }

    fn read_resources(
        &mut self,
        cloud: &Connection,
        rows: &[UsageRow],
        names: &mut Names,
    ) -> anyhow::Result<()> {
        let mut ids: HashMap<Breakdown, BTreeSet<u64>> = HashMap::new();
        for row in rows {
            let (metric, _) = Metric::of_usage_type(row.usage_type);
            if let Some(per) = metric.per() {
                let id = if per == Breakdown::IpAddress {
                    row.usage_id
                } else {
                    row.offering_id
                };
                ids.entry(per).or_default().insert(id);
            }
            if offering_of(metric) == Some(Breakdown::DiskOffering) {
                let disks = ids.entry(Breakdown::DiskOffering).or_default();
                disks.insert(row.offering_id);
            }
        }
        let guest_oses = names
            .vms
            .values()
            .map(|vm| vm.guest_os_id)
            .chain(names.templates.values().copied());
        ids.entry(Breakdown::GuestOs)
            .or_default()
            .extend(guest_oses);
        for index in 0..self.resources_sql.len() {
            let per = self.resources_sql[index].0;
            let wanted = self.asked.new_ids(
                Asked::Resource(per),
                ids.remove(&per).unwrap_or_default().into_iter(),
            );
            select(
                cloud,
                self.resources_sql[index].1.as_deref(),
                &wanted,
                &mut |id, row| {
                    // Without a uuid the id stays unresolved, and the ledger gives it a stand-in.
                    if let Some(uuid) = row.field(1)?.text()? {
                        let name = row.field(2)?.text()?.unwrap_or_default();
                        names.resources.insert((per, id), (uuid, name));
                    }
                    Ok(())
                },
            )?;
        }
        Ok(())
    }
}

fn accounts_sql(domain: bool, projects: bool, removals: bool) -> String {
    let (domain_columns, domain_join) = match domain {
        true => ("d.uuid, d.path", "left join domain d on d.id = a.domain_id"),
        false => ("null, null", ""),
    };
    let (project_columns, project_join) = match projects {
        true => (
            "p.uuid, p.name",
            "left join projects p on p.project_account_id = a.id",
        ),
        false => ("null, null", ""),
    };
    let removed = if removals { "a.removed" } else { "null" };
    format!(
        "select a.id, a.uuid, a.account_name, {domain_columns}, {project_columns}, {removed} \
         from account a {domain_join} {project_join}"
    )
}

/// From CloudStack 4.17 uuid and name are columns of service_offering; before, they are those of the disk
/// offering with the same id.
fn service_offerings_sql(cloud: &Connection) -> anyhow::Result<Option<String>> {
    let columns = Columns::of(cloud, "service_offering")?;
    if columns.has("uuid") {
        return named(cloud, "service_offering", "name");
    }
    // What cannot be read says nothing about the schema, and the wrong table has wrong uuids.
    if !columns.has("id") || cloud.may_hide("service_offering", "uuid")? {
        return Ok(None);
    }
    named(cloud, "disk_offering", "name")
}

/// The statement for uuids and names of a table, if it can be read.
fn named(
    cloud: &Connection,
    table: &'static str,
    name: &'static str,
) -> anyhow::Result<Option<String>> {
    let columns = Columns::of(cloud, table)?;
    Ok(columns
        .have(&["id", "uuid", name])
        .then(|| format!("select id, uuid, {name} from {table} where id")))
}

/// The uuids of all accounts that have one.
pub fn account_uuids(cloud: &Connection) -> anyhow::Result<HashMap<u64, String>> {
    let mut uuids = HashMap::new();
    let sql = "select id, uuid from account where uuid is not null";
    cloud.each(sql, &[], |row| {
        let id = row.field(0)?.id()?;
        uuids.extend(row.field(1)?.text()?.map(|uuid| (id, uuid)));
        Ok(())
    })?;
    Ok(uuids)
}

fn account(row: &Row) -> anyhow::Result<CloudAccount> {
    let text = |column: usize| row.field(column)?.text();
    Ok(CloudAccount {
        uuid: text(1)?,
        name: text(2)?.unwrap_or_default(),
        domain_uuid: text(3)?,
        domain_path: text(4)?,
        project_uuid: text(5)?,
        project_name: text(6)?,
    })
}

/// Reads an account, and when it was removed.
fn add_account(names: &mut Names, id: u64, row: &Row) -> anyhow::Result<()> {
    names.accounts.insert(id, account(row)?);
    // Only good for a finding: a date that is none is no reason to stop.
    if let Some(removed) = row.field(7)?.moment().unwrap_or(None) {
        names.removed_accounts.insert(id, removed);
    }
    Ok(())
}
