//! What the ledger knows by name: metrics, accounts and resources, with the guest OS that a VM is counted under.
//! Held in memory during an import, so that no figure asks the database for a name.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context, ensure};

use super::account_states::{AccountStates, Keep};
use super::accounts::Accounts;
use super::day::{ClosedDay, Policy};
use super::guest_oses::{GuestOs, GuestOses};
use super::line_ids::LineIds;
use crate::cloud::Names;
use crate::day::Day;
use crate::db::{Connection, params};
use crate::id_map::IdMap;
use crate::metric::{Breakdown, Metric};

/// The resources that metrics are kept per. Of those that lines are about there may be very many.
const KEPT_PER: &str = "select id, kind, source_id, uuid, name from stored_resources \
     where kind in ('service_offering', 'guest_os', 'ip_address', 'network_offering', 'backup_offering', \
       'disk_offering') \
     order by id";

/// A resource as it is frozen in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FrozenName {
    pub per: Breakdown,
    pub source_id: u64,
    pub uuid: String,
    pub name: String,
}

/// A resource for a new record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resource {
    pub id: i64,
    /// Neither CloudStack nor the ledger knows its uuid.
    pub stand_in: bool,
}

/// What an account's id in CloudStack means on a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccountOnDay {
    /// The ledger's own.
    pub id: i64,
    /// It is kept under a stand-in.
    pub stand_in: bool,
    /// The id in CloudStack of the account that has the same uuid.
    pub twin: Option<u64>,
}

#[derive(Default)]
pub struct LedgerNames {
    metrics: IdMap<Metric, i64>,
    pub(super) accounts: Accounts,
    states: AccountStates,
    resources: HashMap<Rc<FrozenName>, i64>,
    pub(super) resources_by_id: IdMap<i64, Rc<FrozenName>>,
    /// The newest resolved resource of a source id.
    pub(super) newest: IdMap<(Breakdown, u64), i64>,
    pub(super) guest_oses: GuestOses,
    /// What the source says in this run.
    pub(super) cloud: Names,
    /// Accounts that the source named and that are not stored yet.
    named_accounts: Vec<u64>,
    /// Resources that were looked up in this run, with the answer.
    settled_resources: IdMap<(Breakdown, u64), Resource>,
    /// Of lines.
    pub(super) lines: LineIds,
    /// It could not be read again after an error.
    is_lost: bool,
}

impl LedgerNames {
    /// Reads all of it.
    pub fn load(connection: &Connection) -> anyhow::Result<LedgerNames> {
        let mut names = LedgerNames::default();
        connection.each("select id, name from metrics", params! {}, |row| {
            let name: &str = row.get(1)?;
            let metric = Metric::of_name(name)
                .with_context(|| format!("metric {name} is not this program's"))?;
            names.metrics.insert(metric, row.get(0)?);
            Ok(())
        })?;
        connection.each(KEPT_PER, params! {}, |row| {
            let kind: &str = row.get(1)?;
            if let Some(per) = Breakdown::ALL.into_iter().find(|per| per.name() == kind) {
                let frozen = FrozenName {
                    per,
                    source_id: row.get(2)?,
                    uuid: row.get(3)?,
                    name: row.get(4)?,
                };
                names.remember(frozen, row.get(0)?);
            }
            Ok(())
        })?;
        names.accounts = Accounts::load(connection)?;
        names.states = AccountStates::load(connection)?;
        Ok(names)
    }

    /// Reads all of it again, as a transaction that stored names was rolled back. What the source says stays. If it
    /// cannot be read, nothing of the ledger is known any more, and whoever writes a record gets an error.
    pub fn reload(&mut self, connection: &Connection) -> anyhow::Result<()> {
        let names = std::mem::take(&mut self.cloud);
        match LedgerNames::load(connection) {
            Ok(loaded) => {
                *self = loaded;
                self.add_names(names);
                Ok(())
            }
            Err(err) => {
                *self = LedgerNames {
                    cloud: names,
                    is_lost: true,
                    ..LedgerNames::default()
                };
                Err(err)
            }
        }
    }

    /// Reads it if that failed when it was last to be read again: the server may be back, or another one in its place.
    pub fn reload_if_lost(&mut self, connection: &Connection) -> anyhow::Result<()> {
        match self.is_lost {
            true => self.reload(connection),
            false => Ok(()),
        }
    }

    /// Adds what the source says of ids.
    pub fn add_names(&mut self, names: Names) {
        self.named_accounts.extend(names.accounts.keys());
        self.accounts.note_uuids(&names.accounts);
        self.cloud.accounts.extend(names.accounts);
        self.cloud.removed_accounts.extend(names.removed_accounts);
        self.cloud.resources.extend(names.resources);
        self.cloud.vms.extend(names.vms);
        self.cloud.templates.extend(names.templates);
        self.cloud.addresses.extend(names.addresses);
        // Of the first day there are very many, and an extended map is a second one for a while.
        match self.cloud.used.is_empty() {
            true => self.cloud.used = names.used,
            false => self.cloud.used.extend(names.used),
        }
        self.cloud.zones.extend(names.zones);
        self.cloud.domains.extend(names.domains);
        self.cloud.offering_sizes.extend(names.offering_sizes);
    }

    /// Lets go of what the source says of things that are safely in the ledger: there may be very many.
    pub fn forget_stored_names(&mut self) {
        let lines = &self.lines;
        self.cloud.used.retain(|used, _| !lines.has(*used));
        self.cloud.used.shrink_to_fit();
    }

    /// The guest OS under which a VM's hours are counted on a day; the VM must have been read. On a day that was counted before it is the one of then,
    /// else the VM's own, else the one it had before, else its template's.
    pub fn guest_os(&self, vm_id: u64, template_id: u64, day: Day, policy: Policy) -> GuestOs {
        let frozen = self.guest_oses.find(vm_id, day);
        let known = frozen.filter(|frozen| frozen.id != 0);
        let own = self.cloud.vms.get(&vm_id).map(|vm| GuestOs {
            id: vm.guest_os_id,
            guessed: false,
        });
        let found = match policy {
            // What the source says now goes first.
            Policy::Unfinished => own.or(known),
            // Records stay, also those of an unknown OS: nothing may come to stand beside them.
            Policy::Closed(ClosedDay::AddMissing | ClosedDay::ReportOnly) | Policy::Sealed => {
                frozen.or(own)
            }
            // Records may be replaced: an unknown or guessed OS gives way to one that has become known.
            Policy::Closed(ClosedDay::Overwrite) => {
                known.filter(|known| !known.guessed).or(own).or(known)
            }
        };
        found.unwrap_or_else(|| GuestOs {
            id: self.cloud.templates.get(&template_id).copied().unwrap_or(0),
            guessed: true,
        })
    }

    /// The metric's id in the ledger.
    pub fn metric(&mut self, connection: &Connection, metric: Metric) -> anyhow::Result<i64> {
        ensure!(!self.is_lost, "its names could not be read after an error");
        if let Some(id) = self.metrics.get(&metric) {
            return Ok(*id);
        }
        let sql = "insert into metrics (name, unit, per) values (:name, :unit, :per)";
        let values = params! {
            ":name": metric.name(),
            ":unit": metric.unit(),
            ":per": metric.per().map(Breakdown::name),
        };
        let id = connection.insert(sql, values)?;
        self.metrics.insert(metric, id);
        Ok(id)
    }

    /// The metric with an id in the ledger.
    pub fn find_metric(&self, id: i64) -> Option<Metric> {
        self.metrics
            .iter()
            .find(|(_, other)| **other == id)
            .map(|(metric, _)| *metric)
    }

    /// All of them, by their ids in the ledger.
    pub fn metrics(&self) -> impl Iterator<Item = (i64, Metric)> {
        self.metrics.iter().map(|(metric, id)| (*id, *metric))
    }

    /// The id in the ledger of a metric that it has.
    pub fn find_metric_id(&self, metric: Metric) -> Option<i64> {
        self.metrics.get(&metric).copied()
    }

    /// Stores all accounts that the source named, also those that used nothing.
    pub fn store_named_accounts(&mut self, connection: &Connection) -> anyhow::Result<()> {
        let mut named = std::mem::take(&mut self.named_accounts);
        named.sort_unstable();
        named
            .into_iter()
            .try_for_each(|id| self.accounts.settle(connection, &self.cloud, id))
    }

    /// What an account's id in CloudStack means on a day. Whatever it means now is stored.
    pub fn account(
        &mut self,
        connection: &Connection,
        source_id: u64,
        day: Day,
    ) -> anyhow::Result<AccountOnDay> {
        self.accounts.settle(connection, &self.cloud, source_id)?;
        let id = self.accounts.find(source_id, day);
        let id = id.context("an account without an id in the ledger")?;
        let stand_in = self.accounts.is_stand_in(id, source_id);
        let twin = match stand_in {
            true => self.accounts.twin(&self.cloud, source_id),
            false => None,
        };
        Ok(AccountOnDay { id, stand_in, twin })
    }

    /// Keeps name and domain of an account that has usage on a day; `source_domain` is the `domain.id` of its rows.
    pub(super) fn keep_state(
        &mut self,
        connection: &Connection,
        day: Day,
        account_id: i64,
        source_domain: u32,
        keep: Keep,
    ) -> anyhow::Result<()> {
        let account = self.accounts.get(account_id);
        let account = account.context("an account without a name")?;
        let account = (account_id, account);
        self.states
            .keep(connection, &self.cloud, day, account, source_domain, keep)
    }

    /// The resource for a new record: as the source has it now, else as the ledger has it, else a stand-in.
    pub fn resource(
        &mut self,
        connection: &Connection,
        per: Breakdown,
        source_id: u64,
    ) -> anyhow::Result<Resource> {
        if let Some(resource) = self.settled_resources.get(&(per, source_id)) {
            return Ok(*resource);
        }
        let resource = self.store_resource(connection, per, source_id)?;
        self.settled_resources.insert((per, source_id), resource);
        Ok(resource)
    }

    fn store_resource(
        &mut self,
        connection: &Connection,
        per: Breakdown,
        source_id: u64,
    ) -> anyhow::Result<Resource> {
        let address = if per == Breakdown::IpAddress {
            self.cloud.addresses.get(&source_id)
        } else {
            None
        };
        let known = self.cloud.resources.get(&(per, source_id));
        let frozen = match (known, self.newest.get(&(per, source_id))) {
            (Some((uuid, name)), _) => {
                let name = address.unwrap_or(name).clone();
                FrozenName {
                    per,
                    source_id,
                    uuid: uuid.clone(),
                    name,
                }
            }
            (None, Some(id)) => {
                return Ok(Resource {
                    id: *id,
                    stand_in: false,
                });
            }
            (None, None) => {
                let uuid = stand_in(per, source_id);
                let name = address.unwrap_or(&uuid).clone();
                FrozenName {
                    per,
                    source_id,
                    uuid,
                    name,
                }
            }
        };
        let stand_in = known.is_none();
        if let Some(id) = self.resources.get(&frozen) {
            return Ok(Resource { id: *id, stand_in });
        }
        let sql = "insert into stored_resources (kind, source_id, uuid, name) values (:kind, :source_id, :uuid, :name)";
        let values = params! {
            ":kind": per.name(),
            ":source_id": source_id,
            ":uuid": frozen.uuid.as_str(),
            ":name": frozen.name.as_str(),
        };
        let id = connection.insert(sql, values)?;
        self.remember(frozen, id);
        Ok(Resource { id, stand_in })
    }

    /// The id in CloudStack of a stored resource; 0 for what is not per resource.
    pub fn source_id(&self, resource_id: i64) -> u64 {
        self.resources_by_id
            .get(&resource_id)
            .map_or(0, |frozen| frozen.source_id)
    }

    /// The uuid a resource is stored under; `None` for what is not per resource.
    pub fn resource_uuid(&self, resource_id: i64) -> Option<String> {
        self.resources_by_id
            .get(&resource_id)
            .map(|frozen| frozen.uuid.clone())
    }

    /// Whether a stored resource's uuid could not be found.
    pub fn is_stand_in(&self, resource_id: i64) -> bool {
        self.resources_by_id
            .get(&resource_id)
            .is_some_and(|frozen| frozen.is_stand_in())
    }

    fn remember(&mut self, frozen: FrozenName, id: i64) {
        let frozen = Rc::new(frozen);
        if !frozen.is_stand_in() {
            self.newest.insert((frozen.per, frozen.source_id), id);
        }
        self.resources_by_id.insert(id, frozen.clone());
        self.resources.insert(frozen, id);
    }
}

impl FrozenName {
    fn is_stand_in(&self) -> bool {
        // Asked of every record of a day: most uuids are none at a glance.
        self.uuid.starts_with(self.per.name()) && self.uuid == stand_in(self.per, self.source_id)
    }
}

/// The stable text a resource is kept under while its uuid cannot be found.
pub fn stand_in(per: Breakdown, source_id: u64) -> String {
    format!("{}:{source_id}", per.name())
}

#[cfg(test)]
mod tests;
