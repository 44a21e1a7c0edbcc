//! What an account has besides machines: its network with a router, addresses, traffic and rules, and
//! templates of its own.

use super::resources::{Address, Amount, Lifetime, OwnedTemplate, SampleVm, World, moment};
use crate::sample::catalog::{GIB, ROUTER_OFFERING, SampleAccount};
use crate::sample::period::Span;

/// Adds everything of the account that is not a machine.
pub fn add(world: &mut World, account: SampleAccount) {
    add_traffic(world, account);
    add_addresses(world, account);
    add_rules(world, account);
    add_templates(world, account);
}

fn network_id(account: SampleAccount) -> i64 {
    200 + account.id
}

/// The account's router (which nobody pays for) and types 4 and 5, counted by it.
fn add_traffic(world: &mut World, account: SampleAccount) {
    let router_id = account.id * 1000 + 900;
    world.vms.push(SampleVm {
        id: router_id,
        account,
        name: format!("r-{router_id}-VM"),
        instance_name: format!("r-{router_id}-VM"),
        is_router: true,
        template_id: 201,
        guest_os_id: 1,
        service_offering_id: ROUTER_OFFERING,
        life: account.alive(),
    });
    for (usage_type, what, unit, per_day) in [
        (4, "sent", "bytes sent", account.vms * 2 * GIB),
        (5, "received", "bytes received", account.vms * GIB / 2),
    ] {
        let description = format!("network bytes {what} for Host: {router_id}");
        world.lifetimes.push(Lifetime {
            amount: Amount::Counter { per_day, unit },
            kind: Some("DomainRouter"),
            network_id: Some(network_id(account)),
            ..Lifetime::new(account, usage_type, router_id, account.alive(), description)
        });
    }
}

/// Type 3: the network's source NAT, and one to three more, the third only from the tenth day on. One address of
/// `delta-energy` belongs to the system and is hidden.
fn add_addresses(world: &mut World, account: SampleAccount) {
    let octet = 6 + 5 * (account.id - 3);
    for number in 0..=(1 + account.id % 3) {
        let from = match number {
            3 => moment(9, 34_567),
            _ => account.alive().from,
        };
        add_address(world, account, (number, octet + number), from);
    }
    if account.id == 6 {
        add_address(world, account, (99, 250), account.alive().from);
    }
}

/// Adds 203.0.113.`octet`, the account's address of this number: 0 is the source NAT, 99 the hidden one.
fn add_address(world: &mut World, account: SampleAccount, (number, octet): (i64, i64), from: i64) {
    let alive = Span {
        from,
        ..account.alive()
    };
    if alive.from >= alive.to {
        return;
    }
    let id = account.id * 100 + number;
    let text = format!("203.0.113.{octet}");
    let is_system = number == 99;
    world.lifetimes.push(Lifetime {
        kind: Some(if number == 0 { "SourceNat" } else { "" }),
        size: Some(i64::from(is_system)),
        is_hidden: is_system,
        ..Lifetime::new(account, 3, id, alive, format!("IPAddress: {text}"))
    });
    world.addresses.push(Address {
        id,
        account,
        text,
        is_source_nat: number == 0,
        is_system,
        network_id: network_id(account),
        allocated: from,
    });
}

/// Types 11 (every third account), 12 (two for every odd one) and 14 (every fourth).
fn add_rules(world: &mut World, account: SampleAccount) {
    let mut rule = |usage_type, id, description| {
        let lifetime = Lifetime::new(account, usage_type, id, account.alive(), description);
        world.lifetimes.push(lifetime);
    };
    let first = account.id * 10;
    if account.id % 3 == 0 {
        rule(
            11,
            first,
            format!("Load Balancing Policy: {first} usage time"),
        );
    }
    if account.id % 2 == 1 {
        for id in [first + 1, first + 2] {
            rule(12, id, format!("Port Forwarding Rule: {id} usage time"));
        }
    }
    if account.id % 4 == 3 {
        let id = first + 3;
        rule(
            14,
            id,
            format!("VPN User: road-warrior, Id: {id} usage time"),
        );
    }
}

/// Type 7 in both zones for one account in five, type 8 for another.
fn add_templates(world: &mut World, account: SampleAccount) {
    let (usage_type, format, bytes) = match account.id % 5 {
        3 => (7, "QCOW2", 4 * GIB),
        4 => (8, "ISO", GIB),
        _ => return,
    };
    let id = 230 + account.id;
    let (what, virtual_bytes, zones) = match usage_type {
        7 => ("Template", 20 * GIB, vec![1, 2]),
        _ => ("ISO", bytes, vec![1]),
    };
    for zone_id in zones {
        let description = format!("{what} Id:{id} Size:{bytes} VirtualSize: {virtual_bytes}");
        world.lifetimes.push(Lifetime {
            zone_id,
            template_id: (usage_type == 7).then_some(201),
            size: Some(bytes),
            virtual_bytes: Some(virtual_bytes),
            ..Lifetime::new(account, usage_type, id, account.alive(), description)
        });
    }
    world.templates.push(OwnedTemplate {
        id,
        account,
        name: format!("{} golden image", account.name()),
        format,
        guest_os_id: 1,
        created: account.alive().from,
    });
}
