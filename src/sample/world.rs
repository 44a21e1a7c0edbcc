//! What the sample's accounts have, and when: every machine, disk, address and rule, and for each of them
//! the hours that the usage server counts.

mod machines;
mod resources;
mod services;

use super::catalog::ACCOUNTS;
use super::period::{self, Span};
use resources::volume_description;
pub use resources::{Address, Amount, Lifetime, OwnedTemplate, SampleVm, World};

impl World {
    /// The same world every time.
    pub fn new() -> World {
        let mut world = World {
            vms: Vec::new(),
            addresses: Vec::new(),
            templates: Vec::new(),
            lifetimes: Vec::new(),
        };
        for account in ACCOUNTS {
            for number in 0..account.vms {
                machines::add(&mut world, account, number);
            }
            services::add(&mut world, account);
        }
        world.add_volume_of_unknown_size();
        // The usage server goes from account to account, and through the types of each.
        world
            .lifetimes
            .sort_by_key(|lifetime| (lifetime.account.id, lifetime.usage_type));
        world
    }

    /// A disk of `birch-bank` that was deleted before its size was known, within one day.
    fn add_volume_of_unknown_size(&mut self) {
        let span = Span {
            from: period::at("2026-10-05", 9),
            to: period::at("2026-10-05", 17),
        };
        let account = ACCOUNTS[1];
        self.lifetimes.push(Lifetime {
            offering_id: Some(1),
            ..Lifetime::new(
                account,
                6,
                49_999,
                span,
                volume_description(49_999, "DiskOffering: 1"),
            )
        });
    }
}
