//! Days of the ledger as an import finds them, for those who only read: all in one snapshot, beside what the source
//! says of ids. Writes nothing.

use super::day::{Policy, StoredDay};
use super::held::find_day;
use super::known_vms::KnownVms;
use super::names::LedgerNames;
use super::naming::AccountRef;
use super::read::Snapshot;
use super::timezones::agreed_zones;
use super::verification::{DayFigures, day_figures};
use crate::cloud::Names;
use crate::day::Day;
use crate::db::Connection;
use crate::metric::Breakdown;
use crate::zones::Zones;

pub struct DayReader<'a> {
    connection: &'a Connection,
    zones: Zones,
    names: LedgerNames,
}

impl<'a> DayReader<'a> {
    /// Reads all names that the ledger has. Its days have to be of the zone that is configured.
    pub fn of(snapshot: &'a Snapshot, timezone: &str) -> anyhow::Result<DayReader<'a>> {
        let connection = snapshot.connection();
        Ok(DayReader {
            connection,
            zones: agreed_zones(connection, timezone)?,
            names: LedgerNames::load(connection)?,
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        self.connection
    }

    pub(super) fn names(&self) -> &LedgerNames {
        &self.names
    }

    /// The zones that its days are of.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// Adds what the source says of ids.
    pub fn add_names(&mut self, names: Names) {
        self.names.add_names(names);
    }

    /// What the ledger has of a day.
    pub fn find_day(&self, day: Day) -> anyhow::Result<Option<StoredDay>> {
        find_day(self.connection, day)
    }

    /// What source and ledger know of VMs on a day; `vms` are ids of VMs, each with its template's. `policy` is what is going
    /// to be done to the day.
    pub fn known_vms(
        &mut self,
        day: Day,
        policy: Policy,
        vms: impl Iterator<Item = (u64, u64)>,
    ) -> anyhow::Result<KnownVms> {
        KnownVms::of(self.connection, &mut self.names, day, policy, vms)
    }

    /// The ids in CloudStack that mean an account, or have meant it.
    pub fn source_ids(&self, account_id: i64) -> Vec<u64> {
        self.names.accounts.source_ids(account_id).to_vec()
    }

    /// What an id in CloudStack means on a day.
    pub fn account_ref(&self, source_id: u64, day: Day) -> AccountRef {
        self.names.account_ref(source_id, day)
    }

    /// The figures of a day that the ledger has.
    pub fn day_figures(&self, day: Day) -> anyhow::Result<DayFigures> {
        day_figures(self.connection, &self.names, day)
    }

    /// The uuid and name that a resource is stored under; `None` for what is not kept per resource.
    pub fn stored_resource(&self, resource_id: i64) -> Option<(String, String)> {
        let (uuid, name, _) = self.names.resource_naming(resource_id)?;
        Some((uuid, name))
    }

    /// The uuid and name that a figure which the ledger does not have would get.
    pub fn resource_of(&self, per: Breakdown, source_id: u64) -> (String, String) {
        self.names.find_resource(per, source_id)
    }
}
