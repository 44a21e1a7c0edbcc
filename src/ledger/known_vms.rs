//! The guest OS that the hours of each VM are counted under on a day: what the rows alone do not say of its figures.
//! `import`, `verify`, `explain` and `rezone` add up here, so that they agree by construction.

use anyhow::Context;

use super::day::Policy;
use super::handle::Ledger;
use super::names::LedgerNames;
use crate::aggregate::{CountedRows, DayUsage};
use crate::day::Day;
use crate::db::Connection;
use crate::id_map::{IdMap, IdSet};

/// Of the VMs of one day.
pub struct KnownVms {
    /// Guest OS id by VM id and template id.
    guest_oses: IdMap<(u64, u64), u64>,
}

impl Ledger {
    /// Adds up a day whose rows have been counted. `policy` is what is going to be done to the day: how much the guest OS
    /// that a VM was counted under before weighs.
    pub fn add_up(
        &mut self,
        day: Day,
        policy: Policy,
        counted: CountedRows,
    ) -> anyhow::Result<DayUsage> {
        let (connection, names) = (self.engine.connection(), &mut self.names);
        let known = KnownVms::of(connection, names, day, policy, counted.running_vms());
        known.with_context(|| self.engine.name())?.add_up(counted)
    }
}

impl KnownVms {
    /// What source and ledger know of VMs on a day; `vms` are ids of VMs, each with its template's.
    pub(super) fn of(
        connection: &Connection,
        names: &mut LedgerNames,
        day: Day,
        policy: Policy,
        vms: impl Iterator<Item = (u64, u64)>,
    ) -> anyhow::Result<KnownVms> {
        let vms: IdSet<(u64, u64)> = vms.collect();
        let ids = vms.iter().map(|(vm, _)| *vm);
        names.guest_oses.read(connection, ids)?;
        let guest_os = |(vm, template): (u64, u64)| {
            let guest_os = names.guest_os(vm, template, day, policy);
            ((vm, template), guest_os.id)
        };
        let guest_oses = vms.into_iter().map(guest_os).collect();
        Ok(KnownVms { guest_oses })
    }

    /// Of a VM that was asked for; 0: unknown.
    pub fn guest_os(&self, vm: u64, template: u64) -> u64 {
        self.guest_oses.get(&(vm, template)).copied().unwrap_or(0)
    }

    /// Adds up a day; its running VMs were asked for.
    pub fn add_up(&self, counted: CountedRows) -> anyhow::Result<DayUsage> {
        counted.add_up(&|vm, template| self.guest_os(vm, template))
    }
}
