//! Uuids and names as the ledger holds them, beside those that `cloud` has now.

use super::handle::Ledger;
use super::names::{LedgerNames, stand_in};
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

impl Ledger {
    /// The uuid and name an account is stored under, and what `cloud` says of them.
    pub fn account_naming(&self, id: u64) -> (String, String, NameChange) {
        self.names.account_naming(id)
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

    /// The uuid and name of an account, and what the source says of them now.
    pub fn account_naming(&self, id: u64) -> (String, String, NameChange) {
        let known = self.cloud.accounts.get(&id);
        let now = known.and_then(|known| Some((known.uuid.clone()?, known.name.clone())));
        let Some(stored) = self.accounts.get(&id) else {
            let stand_in = format!("account:{id}");
            let (uuid, name) = now.unwrap_or_else(|| (stand_in.clone(), stand_in));
            return (uuid, name, NameChange::Same);
        };
        let uuid = self.account_uuid(id);
        let naming = naming((&uuid, &stored.name), now);
        (uuid, stored.name.clone(), naming)
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
