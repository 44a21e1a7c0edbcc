//! What there is in a simulated cloud, and when. How one is made up is next door, in `random`; here are only
//! the resources that begin behind the usage server's back.

use super::DAY;

/// What the row of a resource says beside its figure and dates. Two lives with one identity share a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub usage_type: u32,
    pub account_id: u64,
    pub usage_id: u64,
    pub description: String,
    pub vm_instance_id: Option<u64>,
    pub offering_id: Option<u64>,
    pub template_id: Option<u64>,
    /// The column `type`.
    pub device: Option<&'static str>,
    /// Bytes, but for IP addresses a flag.
    pub size: Option<u64>,
    pub network_id: Option<u64>,
    pub state: Option<&'static str>,
    pub is_hidden: bool,
}

/// A span of a resource's existence during which nothing about it changes.
#[derive(Clone, Debug)]
pub struct Life {
    pub identity: Identity,
    /// A whole second, as events are stored.
    pub start: i64,
    /// A whole second too, and counted itself; `i64::MAX` for what goes on.
    pub end: i64,
    /// When the usage server could first see the event that began it.
    pub reported: i64,
    /// The same of the event that ended it.
    pub end_reported: i64,
    /// The VM of an attached volume.
    pub attached_to: Option<u64>,
}

/// Events that the usage server cannot process, up to the one that fails: each run goes back to the oldest of them,
/// until somebody repairs it.
#[derive(Clone, Copy, Debug)]
pub struct Stuck {
    pub oldest: i64,
    /// `i64::MAX`: nobody does.
    pub repaired: i64,
}

/// A device or disk whose counters go up; one identity and one amount for each direction.
#[derive(Debug)]
pub struct Counter {
    pub identities: Vec<Identity>,
    pub flows: Vec<(i64, Vec<u64>)>,
}

/// A bucket or the backups of a VM: there all the time, its size in bytes read now and then.
#[derive(Debug)]
pub struct Gauge {
    pub identity: Identity,
    pub readings: Vec<(i64, u64)>,
}

#[derive(Debug, Default)]
pub struct Cloud {
    pub lives: Vec<Life>,
    pub counters: Vec<Counter>,
    pub gauges: Vec<Gauge>,
    pub stuck: Vec<Stuck>,
    /// VM ids with the guest OS of each.
    pub vms: Vec<(u64, u64)>,
    /// Ids of public addresses.
    pub addresses: Vec<u64>,
}

/// Accounts are numbered from 2; the last one belongs to a project.
pub const ACCOUNTS: std::ops::RangeInclusive<u64> = 2..=6;
pub const SERVICE_OFFERINGS: std::ops::RangeInclusive<u64> = 11..=14;
pub const DISK_OFFERINGS: std::ops::RangeInclusive<u64> = 21..=23;
pub const NETWORK_OFFERINGS: std::ops::RangeInclusive<u64> = 31..=32;
pub const BACKUP_OFFERINGS: std::ops::RangeInclusive<u64> = 41..=42;
pub const GUEST_OSES: std::ops::RangeInclusive<u64> = 51..=53;
pub const TEMPLATES: std::ops::RangeInclusive<u64> = 61..=63;

impl Cloud {
    /// A VM and its disk that began at `start`, which the usage server learned only at `reported`.
    pub fn begin_late(&mut self, account_id: u64, start: i64, reported: i64) {
        let vm = 9_000 + u64::try_from(self.vms.len()).unwrap();
        self.vms.push((vm, 51));
        for usage_type in [1, 2, 6] {
            let is_disk = usage_type == 6;
            self.lives.push(Life {
                identity: Identity {
                    usage_type,
                    account_id,
                    usage_id: vm,
                    description: format!("late {vm}"),
                    vm_instance_id: (!is_disk).then_some(vm),
                    offering_id: (!is_disk).then_some(11),
                    size: is_disk.then_some(5 << 30),
                    ..Identity::default()
                },
                start,
                end: i64::MAX,
                reported,
                end_reported: i64::MAX,
                attached_to: is_disk.then_some(vm),
            });
        }
    }

    /// A VM with a network card, and one more of the same offering that began at `start` and was learned of
    /// at `reported`: later runs write a larger figure into the row that both share.
    pub fn second_card_late(&mut self, account_id: u64, start: i64, reported: i64) {
        let identity = Identity {
            usage_type: 13,
            account_id,
            usage_id: 1,
            description: "two cards".to_owned(),
            vm_instance_id: Some(9_900),
            offering_id: Some(31),
            ..Identity::default()
        };
        for (start, reported) in [(start - 30 * DAY, start - 30 * DAY), (start, reported)] {
            self.lives.push(Life {
                identity: identity.clone(),
                start,
                end: i64::MAX,
                reported,
                end_reported: i64::MAX,
                attached_to: None,
            });
        }
    }

    /// The usage server cannot process the event at `failing`, nor those between `oldest` and it, until `repaired`: what
    /// began in them has no rows until then, and what ended goes on. Of what changes more than once around that time
    /// rows cannot tell enough, and of VM snapshots a later run says nothing: these events are processed.
    pub fn stick(&mut self, oldest: i64, failing: i64, repaired: i64) {
        let around = oldest - DAY..=failing + DAY;
        let changes = |identity: &Identity| {
            let lives = self.lives.iter().filter(|life| life.identity == *identity);
            let instants = lives.flat_map(|life| [life.start, life.end]);
            instants.filter(|at| around.contains(at)).count()
        };
        let once: Vec<bool> = self
            .lives
            .iter()
            .map(|life| {
                changes(&life.identity) == 1 && !matches!(life.identity.usage_type, 25 | 27)
            })
            .collect();
        for (life, once) in self.lives.iter_mut().zip(once) {
            if once && (oldest..=failing).contains(&life.start) {
                life.reported = repaired;
            }
            if once && (oldest..=failing).contains(&life.end) {
                life.end_reported = repaired;
            }
        }
        self.stuck.push(Stuck { oldest, repaired });
    }
}
