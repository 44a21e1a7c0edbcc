//! Which guest OS each VM was counted under, day by day: what a VM purged upstream still falls on when a day is read
//! again, and what one that was given another OS since had on its earlier days.

use std::collections::BTreeSet;

use anyhow::Context;

use super::since::Since;
use crate::day::Day;
use crate::db::{Connection, SqlValue, params};
use crate::id_map::IdMap;

/// The guest OS that a VM's hours are counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestOs {
    /// `guest_os.id` in CloudStack; 0: unknown.
    pub id: u64,
    /// Not from the VM itself, but from its template, or unknown.
    pub guessed: bool,
}

/// Of the VMs that were asked for. Never of all: the ledger knows every VM that there ever was.
#[derive(Default)]
pub(super) struct GuestOses(IdMap<u64, Since<GuestOs>>);

impl GuestOses {
    /// Reads those of VMs that were not read before, all at once.
    pub fn read(
        &mut self,
        connection: &Connection,
        vm_ids: impl Iterator<Item = u64>,
    ) -> anyhow::Result<()> {
        let new: BTreeSet<u64> = vm_ids.filter(|id| !self.0.contains_key(id)).collect();
        let ids: Vec<i64> = new
            .iter()
            .map(|id| i64::try_from(*id).with_context(|| format!("VM {id} of CloudStack")))
            .collect::<anyhow::Result<_>>()?;
        let mut read = Vec::new();
        for ids in ids.chunks(VMS_AT_ONCE) {
            read.extend(connection.list(OF_VMS, params! {":ids": ids}, |row| {
                let guest_os = GuestOs {
                    id: row.get(2)?,
                    guessed: row.get(3)?,
                };
                Ok((row.get(0)?, row.get(1)?, guest_os))
            })?);
        }
        for id in new {
            self.0.entry(id).or_default();
        }
        for (vm_id, since, guest_os) in read {
            self.0.entry(vm_id).or_default().set(since, guest_os);
        }
        Ok(())
    }

    /// What a VM was counted under on a day. The VM must have been read.
    pub fn find(&self, vm_id: u64, day: Day) -> Option<GuestOs> {
        debug_assert!(self.0.contains_key(&vm_id), "VM {vm_id} was not read");
        self.0.get(&vm_id)?.find(day).copied()
    }

    /// Freezes what a VM was counted under on a day. Later days, if there are any in the ledger, keep what they
    /// had. Returns what is to be stored.
    pub fn freeze(
        &mut self,
        vm_id: u64,
        day: Day,
        guest_os: GuestOs,
        later_days: bool,
    ) -> Vec<FrozenOs> {
        // A row that names no VM says nothing of another such row.
        if vm_id == 0 {
            return Vec::new();
        }
        let of_vm = self.0.entry(vm_id).or_default();
        let changes = of_vm.freeze(day, guest_os, later_days).into_iter();
        changes
            .map(|(first, guest_os)| (vm_id, first, guest_os))
            .collect()
    }
}

/// A VM, and what it is counted under from a day on.
pub(super) type FrozenOs = (u64, Day, GuestOs);

/// Stores what was frozen; of two of one VM and day the later one holds.
pub(super) fn store(connection: &Connection, frozen: &[FrozenOs]) -> anyhow::Result<()> {
    let sql = "insert into vm_guest_oses (vm_id, since_day, guest_os_id, guessed) \
               values (:vm_id, :since_day, :guest_os_id, :guessed) \
               on conflict do update set guest_os_id = excluded.guest_os_id, guessed = excluded.guessed";
    let rows = frozen.iter().map(|(vm_id, first, guest_os)| {
        [
            SqlValue::from(*vm_id),
            SqlValue::from(*first),
            SqlValue::from(guest_os.id),
            SqlValue::from(guest_os.guessed),
        ]
    });
    connection.insert_many(sql, rows)
}

/// In one statement.
const VMS_AT_ONCE: usize = 10_000;

const OF_VMS: &str = "select vm_id, since_day, guest_os_id, guessed
     from vm_guest_oses
     where vm_id in rarray(:ids)
     order by vm_id, since_day";
