//! Makes up a cloud at random from a seed, the same every time.

use super::cloud::{
    ACCOUNTS, BACKUP_OFFERINGS, Cloud, Counter, DISK_OFFERINGS, GUEST_OSES, Gauge, Identity, Life,
    NETWORK_OFFERINGS, SERVICE_OFFERINGS, TEMPLATES,
};
use super::windows::Window;
use super::{DAY, HOUR, MINUTE, SECOND};

impl Cloud {
    /// Accounts with resources that come and go inside a range of time, some of them there already
    /// before it and after it.
    pub fn random(seed: u64, range: Window) -> Cloud {
        let mut maker = Maker {
            dice: Dice(seed),
            range,
            cloud: Cloud::default(),
            last_id: 100,
        };
        for account in ACCOUNTS {
            for _ in 0..maker.dice.pick(2..=4) {
                maker.virtual_machine(account);
            }
            for _ in 0..maker.dice.pick(1..=3) {
                maker.address(account);
                maker.stored_copy(account);
                maker.network(account);
                maker.rule(account);
            }
            maker.bucket(account);
        }
        maker.cloud
    }
}

/// Numbers that look random and follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from a range that holds both its ends.
    fn pick(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        range.start() + self.roll() % (range.end() - range.start() + 1)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.roll().is_multiple_of(chances)
    }

    /// A whole number of `step`s inside a window.
    fn instant(&mut self, window: Window, step: i64) -> i64 {
        let steps = u64::try_from(window.length() / step).unwrap();
        window.start + i64::try_from(self.pick(0..=steps - 1)).unwrap() * step
    }
}

struct Maker {
    dice: Dice,
    range: Window,
    cloud: Cloud,
    last_id: u64,
}

impl Maker {
    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// From some moment to another, either of which may lie outside the range.
    fn span(&mut self) -> Window {
        let start = if self.dice.one_in(2) {
            self.range.start - 3 * DAY
        } else {
            self.dice.instant(self.range, SECOND)
        };
        let rest = Window {
            start: start.max(self.range.start),
            end: self.range.end,
        };
        let end = if self.dice.one_in(2) {
            i64::MAX
        } else {
            self.dice.instant(rest, SECOND)
        };
        Window { start, end }
    }

    /// Cuts a span at some moments; each part starts when the one before it ends.
    fn parts(&mut self, whole: Window) -> Vec<Window> {
        let mut parts = vec![whole];
        for _ in 0..self.dice.pick(0..=2) {
            let last = parts.pop().expect("there is always a part");
            let inside = Window {
                start: last.start.max(self.range.start),
                end: last.end.min(self.range.end),
            };
            if inside.length() < HOUR {
                parts.push(last);
                break;
            }
            let cut = self.dice.instant(inside, SECOND);
            parts.push(Window { end: cut, ..last });
            parts.push(Window { start: cut, ..last });
        }
        parts
    }

    fn live(&mut self, identity: Identity, span: Window) -> &mut Life {
        self.cloud.lives.push(Life {
            identity,
            start: span.start,
            end: span.end,
            reported: span.start,
            end_reported: span.end,
            attached_to: None,
        });
        self.cloud.lives.last_mut().expect("just pushed")
    }

    /// A VM with what hangs on it: it is scaled, stopped and started, and its disk resized.
    fn virtual_machine(&mut self, account_id: u64) {
        let vm = self.id();
        let guest_os = self.dice.pick(GUEST_OSES);
        self.cloud.vms.push((vm, guest_os));
        let whole = self.span();
        let template_id = Some(self.dice.pick(TEMPLATES));
        let machine = |usage_type, offering| Identity {
            usage_type,
            account_id,
            usage_id: vm,
            description: format!("i-{account_id}-{vm}-VM"),
            vm_instance_id: Some(vm),
            offering_id: Some(offering),
            template_id,
            device: (usage_type <= 2).then_some("KVM"),
            ..Identity::default()
        };
        for part in self.parts(whole) {
            let offering = self.dice.pick(SERVICE_OFFERINGS);
            self.live(machine(2, offering), part);
            for (n, period) in self.parts(part).into_iter().enumerate() {
                // Between two running periods of a part it stands still.
                if n != 1 {
                    self.live(machine(1, offering), period);
                }
            }
        }
        let network = self.dice.pick(NETWORK_OFFERINGS);
        // A second card of the same offering shares the row of the first: 48 hours a day are right. Of a VM that is made or
        // destroyed, rows do not tell how many there were, so it has one.
        let always = whole.start < self.range.start && whole.end == i64::MAX;
        let cards = self.dice.pick(1..=2);
        for _ in 0..if always { cards } else { 1 } {
            let mut card = machine(13, network);
            card.usage_id = 1;
            self.live(card, whole);
        }
        self.live(machine(10, 0), whole).identity.offering_id = None;
        self.volume(account_id, vm, whole);
        self.snapshots(account_id, vm);
        if self.dice.one_in(2) {
            let offering = self.dice.pick(BACKUP_OFFERINGS);
            self.gauge(machine(28, offering));
        }
    }

    fn volume(&mut self, account_id: u64, vm: u64, whole: Window) {
        let volume = self.id();
        let offering_id = self.dice.one_in(2).then(|| self.dice.pick(DISK_OFFERINGS));
        for part in self.parts(whole) {
            let identity = Identity {
                usage_type: 6,
                account_id,
                usage_id: volume,
                description: format!("Volume Id: {volume}"),
                offering_id,
                size: Some(self.dice.pick(1..=500) << 30),
                ..Identity::default()
            };
            self.live(identity, part).attached_to = Some(vm);
        }
        let direction = |usage_type| Identity {
            usage_type,
            account_id,
            usage_id: volume,
            description: format!("disk {usage_type} of {volume}"),
            vm_instance_id: Some(vm),
            device: Some("VirtualMachine"),
            ..Identity::default()
        };
        self.counter([21, 22, 23, 24].map(direction).into());
    }

    /// VM snapshots of both kinds. Their rows carry their own times, and are placed by these. So they are
    /// taken at whole 5 minutes, clear of the minute before midnight, and end with the last millisecond of a
    /// minute, so that the cut to seconds in the stored dates does not blur how a row is split.
    fn snapshots(&mut self, account_id: u64, vm: u64) {
        for usage_type in [25, 27] {
            let start = self.dice.instant(self.range, 5 * MINUTE);
            let rest = Window {
                start,
                end: self.range.end,
            };
            let identity = Identity {
                usage_type,
                account_id,
                usage_id: self.id(),
                description: format!("VM snapshot of {vm}"),
                vm_instance_id: Some(vm),
                size: Some(self.dice.pick(1..=50) << 30),
                ..Identity::default()
            };
            let end = self.dice.instant(rest, 5 * MINUTE) + 3 * MINUTE - 1;
            self.live(identity, Window { start, end });
        }
    }

    fn address(&mut self, account_id: u64) {
        let address = self.id();
        self.cloud.addresses.push(address);
        let source_nat = self.dice.one_in(2);
        let identity = Identity {
            usage_type: 3,
            account_id,
            usage_id: address,
            description: format!("IPAddress: 192.0.2.{}", address % 256),
            device: source_nat.then_some("SourceNat"),
            // A flag; nothing may multiply by it.
            size: Some(u64::from(self.dice.one_in(4))),
            is_hidden: self.dice.one_in(5),
            ..Identity::default()
        };
        let span = self.span();
        self.live(identity, span);
        let direction = |usage_type| Identity {
            usage_type,
            account_id,
            usage_id: address + 5_000,
            description: format!("router of {address}, {usage_type}"),
            device: Some("DomainRouter"),
            network_id: Some(address + 6_000),
            ..Identity::default()
        };
        self.counter([4, 5].map(direction).into());
    }

    /// A template, an ISO, a snapshot, or a volume on secondary storage.
    fn stored_copy(&mut self, account_id: u64) {
        let usage_type = [7, 8, 9, 26][usize::try_from(self.dice.pick(0..=3)).unwrap()];
        let identity = Identity {
            usage_type,
            account_id,
            usage_id: self.id(),
            description: "a copy on secondary storage".to_owned(),
            size: Some(self.dice.pick(1..=80_000_000_000)),
            ..Identity::default()
        };
        let span = self.span();
        self.live(identity, span);
    }

    /// A network that changes its state, or a VPC.
    fn network(&mut self, account_id: u64) {
        let usage_type = if self.dice.one_in(3) { 31 } else { 30 };
        let network = self.id();
        let whole = self.span();
        for (n, part) in self.parts(whole).into_iter().enumerate() {
            let identity = Identity {
                usage_type,
                account_id,
                usage_id: network,
                description: format!("network {network}"),
                offering_id: (usage_type == 30).then_some(31),
                size: Some(0),
                state: Some(["Allocated", "Implemented"][n % 2]),
                ..Identity::default()
            };
            self.live(identity, part);
        }
    }

    /// A load balancer rule, a port forwarding rule or a VPN user.
    fn rule(&mut self, account_id: u64) {
        let identity = Identity {
            usage_type: [11, 12, 14][usize::try_from(self.dice.pick(0..=2)).unwrap()],
            account_id,
            usage_id: self.id(),
            description: "a rule".to_owned(),
            ..Identity::default()
        };
        let span = self.span();
        self.live(identity, span);
    }

    fn bucket(&mut self, account_id: u64) {
        let identity = Identity {
            usage_type: 29,
            account_id,
            usage_id: self.id(),
            description: "a bucket".to_owned(),
            ..Identity::default()
        };
        self.gauge(identity);
    }

    fn gauge(&mut self, identity: Identity) {
        let mut readings = vec![(i64::MIN, self.dice.pick(0..=1 << 40))];
        let mut at = self.range.start;
        while at < self.range.end {
            at += i64::try_from(self.dice.pick(1..=40)).unwrap() * HOUR;
            readings.push((at, self.dice.pick(0..=1 << 40)));
        }
        self.cloud.gauges.push(Gauge { identity, readings });
    }

    /// Now and then something flows, in the first direction more often than in the others.
    fn counter(&mut self, identities: Vec<Identity>) {
        let mut flows = Vec::new();
        for _ in 0..self.dice.pick(0..=30) {
            let at = self.dice.instant(self.range, SECOND);
            let amounts = identities.iter().enumerate().map(|(n, _)| {
                if n == 0 || self.dice.one_in(2) {
                    self.dice.pick(1..=5_000_000_000)
                } else {
                    0
                }
            });
            let amounts = amounts.collect();
            flows.push((at, amounts));
        }
        self.cloud.counters.push(Counter { identities, flows });
    }
}
