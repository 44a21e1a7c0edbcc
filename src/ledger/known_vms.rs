//! What an aggregation has to know of a day's VMs and accounts before it starts: the guest OS that each VM's hours are
//! counted under, and what was removed when.

use anyhow::Context;

use super::day::Policy;
use super::handle::Ledger;
use super::names::LedgerNames;
use crate::cloud::Names;
use crate::day::Day;
use crate::db::Connection;
use crate::id_map::{IdMap, IdSet};

/// Of the VMs of one day, and of every account.
pub struct KnownVms<'a> {
    /// Guest OS id by VM id and template id.
    guest_oses: IdMap<(u64, u64), u64>,
    names: &'a Names,
}

impl Ledger {
    /// What source and ledger know of VMs on a day; `vms` are ids of VMs, each with its template's. `policy` is what
    /// is going to be done to the day: how much the guest OS that a VM was counted under before weighs.
    pub fn known_vms(
        &mut self,
        day: Day,
        policy: Policy,
        vms: impl Iterator<Item = (u64, u64)>,
    ) -> anyhow::Result<KnownVms<'_>> {
        KnownVms::of(self.engine.connection(), &mut self.names, day, policy, vms)
            .with_context(|| self.engine.name())
    }
}

impl<'a> KnownVms<'a> {
    pub(super) fn of(
        connection: &Connection,
        names: &'a mut LedgerNames,
        day: Day,
        policy: Policy,
        vms: impl Iterator<Item = (u64, u64)>,
    ) -> anyhow::Result<KnownVms<'a>> {
        let vms: IdSet<(u64, u64)> = vms.collect();
        let ids = vms.iter().map(|(vm, _)| *vm);
        names.guest_oses.read(connection, ids)?;
        let guest_os = |(vm, template): (u64, u64)| {
            let guest_os = names.guest_os(vm, template, day, policy);
            ((vm, template), guest_os.id)
        };
        let guest_oses = vms.into_iter().map(guest_os).collect();
        Ok(KnownVms {
            guest_oses,
            names: &names.cloud,
        })
    }

    /// Of a VM that was asked for; 0: unknown.
    pub fn guest_os(&self, vm: u64, template: u64) -> u64 {
        self.guest_oses.get(&(vm, template)).copied().unwrap_or(0)
    }

    /// When the source says a VM was removed, in seconds since 1970 UTC.
    pub fn vm_removed(&self, vm: u64) -> Option<i64> {
        self.names.vms.get(&vm).and_then(|vm| vm.removed)
    }

    /// When the source says an account was removed, in seconds since 1970 UTC.
    pub fn account_removed(&self, account: u64) -> Option<i64> {
        self.names.removed_accounts.get(&account).copied()
    }
}
