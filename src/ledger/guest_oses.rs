//! Which guest OS each VM was counted under, day by day: what a VM purged upstream still falls on when a day is read
//! again, and what one that was given another OS since had on its earlier days.

use std::collections::hash_map::Entry;

use super::since::Since;
use crate::day::Day;
use crate::db::{Connection, params};
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
    /// What a VM was counted under on a day.
    pub fn find(
        &mut self,
        connection: &Connection,
        vm_id: u64,
        day: Day,
    ) -> anyhow::Result<Option<GuestOs>> {
        Ok(self.of_vm(connection, vm_id)?.find(day).copied())
    }

    fn of_vm(
        &mut self,
        connection: &Connection,
        vm_id: u64,
    ) -> anyhow::Result<&mut Since<GuestOs>> {
        Ok(match self.0.entry(vm_id) {
            Entry::Occupied(of_vm) => of_vm.into_mut(),
            Entry::Vacant(place) => place.insert(list_of_vm(connection, vm_id)?),
        })
    }

    /// Freezes what a VM was counted under on a day. Later days, if there are any in the ledger, keep what they
    /// had.
    pub fn freeze(
        &mut self,
        connection: &Connection,
        vm_id: u64,
        day: Day,
        guest_os: GuestOs,
        later_days: bool,
    ) -> anyhow::Result<()> {
        // A row that names no VM says nothing of another such row.
        if vm_id == 0 {
            return Ok(());
        }
        let of_vm = self.of_vm(connection, vm_id)?;
        let sql = "insert into vm_guest_oses (vm_id, since_day, guest_os_id, guessed) values (:vm_id, :since_day, :guest_os_id, :guessed) \
                   on conflict do update set guest_os_id = excluded.guest_os_id, guessed = excluded.guessed";
        for (first, guest_os) in of_vm.freeze(day, guest_os, later_days) {
            let values = params! {
                ":vm_id": vm_id,
                ":since_day": first,
                ":guest_os_id": guest_os.id,
                ":guessed": guest_os.guessed,
            };
            connection.execute(sql, values)?;
        }
        Ok(())
    }
}

fn list_of_vm(connection: &Connection, vm_id: u64) -> anyhow::Result<Since<GuestOs>> {
    let sql = "select since_day, guest_os_id, guessed from vm_guest_oses where vm_id = :vm_id order by since_day";
    let list = connection.list(sql, params! {":vm_id": vm_id}, |row| {
        let guest_os = GuestOs {
            id: row.get(1)?,
            guessed: row.get(2)?,
        };
        Ok((row.get(0)?, guest_os))
    })?;
    Ok(list.into_iter().collect())
}
