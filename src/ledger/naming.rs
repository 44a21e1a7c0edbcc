//! Uuids and names as the ledger holds them, beside those that `cloud` has now.

use std::collections::BTreeMap;

use super::accounts::stand_in as account_stand_in;
use super::handle::Ledger;
use super::names::{LedgerNames, stand_in};
use crate::aggregate::UsageLine;
use crate::day::Day;
use crate::metric::Breakdown;

/// What `cloud` says now of something that the ledger holds by its uuid and name.
#[derive(Clone, Debug, PartialEq)]
pub enum NameChange {
    /// The same, or nothing any more.
    Same,
    /// Another name for the same uuid.
    Renamed { stored: String, now: String },
    /// Another uuid for the same id.
    Remapped { stored: String, now: String },
}

/// An account that a figure is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountRef {
    /// By its id in the ledger.
    Stored(i64),
    /// The ledger does not have it: by its id in CloudStack.
    New(u64),
}

impl AccountRef {
    /// Its id in the ledger.
    pub fn stored(self) -> Option<i64> {
        match self {
            AccountRef::Stored(id) => Some(id),
            AccountRef::New(_) => None,
        }
    }
}

impl Ledger {
    /// What an id in CloudStack means on a day.
    pub fn account_ref(&self, source_id: u64, day: Day) -> AccountRef {
        self.names.account_ref(source_id, day)
    }

    /// The uuid and name an account is stored under, and what `cloud` says of them.
    pub fn account_naming(&self, account: AccountRef) -> (String, String, NameChange) {
        self.names.account_naming(account)
    }

    /// The uuid and name a resource is stored under, and what `cloud` says of them; `None` for what is not kept
    /// per resource.
    pub fn resource_naming(&self, resource_id: i64) -> Option<(String, String, NameChange)> {
        self.names.resource_naming(resource_id)
    }

    /// The uuid and name that a figure which the ledger does not have would get.
    pub fn resource_of(&self, per: Breakdown, source_id: u64) -> (String, String) {
        self.names.find_resource(per, source_id)
    }
}

impl LedgerNames {
    /// The uuid and name for a resource: as `resource` would store it.
    pub fn find_resource(&self, per: Breakdown, source_id: u64) -> (String, String) {
        let known = self.named_now(per, source_id);
        let newest = self.newest.get(&(per, source_id));
        let newest = newest.and_then(|id| self.resources_by_id.get(id));
        let stored = newest.map(|frozen| (frozen.uuid.clone(), frozen.name.clone()));
        known.or(stored).unwrap_or_else(|| {
            let uuid = stand_in(per, source_id);
            (uuid.clone(), uuid)
        })
    }

    /// The uuid and name that the source says now.
    fn named_now(&self, per: Breakdown, source_id: u64) -> Option<(String, String)> {
        let (uuid, name) = self.cloud.resources.get(&(per, source_id))?;
        let address = match per {
            Breakdown::IpAddress => self.cloud.addresses.get(&source_id),
            _ => None,
        };
        Some((uuid.clone(), address.unwrap_or(name).clone()))
    }

    /// The uuid and name of a stored resource, and what the source says of them now.
    pub fn resource_naming(&self, resource_id: i64) -> Option<(String, String, NameChange)> {
        let frozen = self.resources_by_id.get(&resource_id)?;
        let now = self.named_now(frozen.per, frozen.source_id);
        let naming = naming((&frozen.uuid, &frozen.name), now);
        Some((frozen.uuid.clone(), frozen.name.clone(), naming))
    }

    /// The uuid and name of an account, and what the source says of them now. That an id has come to mean another account
    /// is no news once an import has taken note of it.
    pub fn account_naming(&self, account: AccountRef) -> (String, String, NameChange) {
        let now = |source_id: u64| {
            let known = self.cloud.accounts.get(&source_id)?;
            Some((known.uuid.clone()?, known.name.clone()))
        };
        let id = match account {
            AccountRef::Stored(id) => id,
            AccountRef::New(source_id) => {
                let stand_in = account_stand_in(source_id);
                let (uuid, name) = now(source_id).unwrap_or_else(|| (stand_in.clone(), stand_in));
                return (uuid, name, NameChange::Same);
            }
        };
        let uuid = self.accounts.uuid(id);
        let stored = self.accounts.get(id);
        let name = stored.map_or(String::new(), |stored| stored.name.clone());
        let source_ids = self.accounts.source_ids(id).iter().copied();
        let mut meant = source_ids.filter(|source_id| self.accounts.newest(*source_id) == Some(id));
        // A twin has the uuid of another account, on purpose.
        let known = meant.clone().find_map(now).filter(|_| {
            meant.all(|source_id| self.accounts.twin(&self.cloud, source_id).is_none())
        });
        let naming = naming((&uuid, &name), known);
        (uuid, name, naming)
    }

    /// The lines of a day by account. Several ids in CloudStack may mean one.
    pub fn lines_by_account(
        &self,
        day: Day,
        lines: &[UsageLine],
    ) -> BTreeMap<AccountRef, Vec<UsageLine>> {
        let mut accounts: BTreeMap<AccountRef, Vec<UsageLine>> = BTreeMap::new();
        for of_id in lines.chunk_by(|a, b| a.account_id == b.account_id) {
            let account = self.account_ref(of_id[0].account_id, day);
            accounts.entry(account).or_default().extend(of_id);
        }
        accounts
    }

    /// What an id in CloudStack means on a day, for those who do not write.
    pub fn account_ref(&self, source_id: u64, day: Day) -> AccountRef {
        let stored = self.accounts.find(source_id, day);
        stored.map_or(AccountRef::New(source_id), AccountRef::Stored)
    }
}

fn naming(stored: (&str, &str), now: Option<(String, String)>) -> NameChange {
    match now {
        Some((uuid, _)) if uuid != stored.0 => NameChange::Remapped {
            stored: stored.0.to_owned(),
            now: uuid,
        },
        Some((_, name)) if name != stored.1 => NameChange::Renamed {
            stored: stored.1.to_owned(),
            now: name,
        },
        Some(_) | None => NameChange::Same,
    }
}
