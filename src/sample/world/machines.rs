//! The virtual machines and all that hangs on them. A machine's fate follows from its number within its
//! account, so that every account has some of each and a reader can work out what to expect.

use super::resources::{Amount, Lifetime, SampleVm, World, clipped, moment, volume_description};
use crate::sample::catalog::{
    BACKUP_OFFERING, CUSTOM_OFFERING, ComputeSize, DELETED_OFFERING, GIB, ISOLATED_NETWORK,
    SHARED_NETWORK, SampleAccount, TEMPLATES, Template,
};
use crate::sample::chance;
use crate::sample::period::{self, Span};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const NAMES: [&str; 6] = ["web", "db", "app", "cache", "mail", "batch"];

/// A machine with what its parts have in common.
struct Machine {
    account: SampleAccount,
    /// Counts from 0 within the account.
    number: i64,
    id: i64,
    name: String,
    life: Span,
    template: &'static Template,
}

/// Adds the account's machine of this number.
pub fn add(world: &mut World, account: SampleAccount, number: i64) {
    let id = account.id * 1000 + number + 1;
    let Some(life) = life(id, number).overlap(account.alive()) else {
        return;
    };
    let machine = Machine {
        account,
        number,
        id,
        name: format!("{}-{:02}", NAMES[index(number, 6)], number + 1),
        life,
        template: template(account, number),
    };
    world.vms.push(machine.row());
    machine.add_compute(world);
    machine.add_volumes(world);
    machine.add_nics(world);
    if number % 12 == 0 {
        machine.add_disk_counters(world);
    }
    if number % 5 == 2 {
        machine.add_weekly_snapshots(world);
    }
    machine.add_copies(world);
}

/// Of eight machines one is created in the sample's days, one is destroyed, one both; five stay all along.
fn life(id: i64, number: i64) -> Span {
    let second = |what| chance::between(0, DAY, what, id);
    let born_before = period::at("2026-06-01", 0) + chance::between(0, 90 * DAY, "before", id);
    let (from, to) = match number % 8 {
        4 => (moment(2 + number, second("created")), period::whole().to),
        5 => (born_before, moment(10 + number, second("destroyed"))),
        6 => (
            moment(1 + number / 2, second("created")),
            moment(12 + number, second("destroyed")),
        ),
        _ => (born_before, period::whole().to),
    };
    Span { from, to }
}

/// One machine in thirteen was installed from the ISO, the others come from the three templates in turn.
fn template(account: SampleAccount, number: i64) -> &'static Template {
    if number % 13 == 12 {
        &TEMPLATES[3]
    } else {
        &TEMPLATES[index(number + account.id, 3)]
    }
}

/// A place in a list of `length`, going round.
fn index(number: i64, length: usize) -> usize {
    usize::try_from(number).expect("machines are numbered from 0") % length
}

impl Machine {
    fn row(&self) -> SampleVm {
        let guest_os_id = match self.template.format {
            // Somebody told CloudStack what was installed from the ISO.
            "ISO" => 2,
            _ => self.template.guest_os_id,
        };
        let offerings = self.offerings();
        SampleVm {
            id: self.id,
            account: self.account,
            name: self.name.clone(),
            instance_name: format!("i-{}-{}-VM", self.account.id, self.id),
            is_router: false,
            template_id: self.template.id,
            guest_os_id,
            service_offering_id: offerings.last().map_or(1, |(id, _)| *id),
            life: self.life,
        }
    }

    fn lifetime(
        &self,
        usage_type: i64,
        usage_id: i64,
        span: Span,
        description: String,
    ) -> Lifetime {
        Lifetime {
            vm_id: Some(self.id),
            ..Lifetime::new(self.account, usage_type, usage_id, span, description)
        }
    }

    /// Its service offerings one after the other: the fourth machine of sixteen is scaled one noon.
    fn offerings(&self) -> Vec<(i64, Span)> {
        let Span { from, to } = self.life;
        let first = 1 + (self.number + self.account.id) % 3;
        let scaled = moment(12 + self.account.id % 10, 12 * HOUR);
        match self.number {
            n if n % 11 == 6 => vec![(CUSTOM_OFFERING, self.life)],
            n if n % 11 == 8 => vec![(DELETED_OFFERING, self.life)],
            n if n % 16 == 3 && from < scaled && scaled < to => vec![
                (first, Span { from, to: scaled }),
                (1 + first % 3, Span { from: scaled, to }),
            ],
            _ => vec![(first, self.life)],
        }
    }

    /// Types 2 (allocated) and 1 (running).
    fn add_compute(&self, world: &mut World) {
        let running = if self.number % 8 == 7 {
            working_weeks()
        } else {
            vec![self.life]
        };
        for (offering_id, span) in self.offerings() {
            for (usage_type, doing, spans) in [
                (1, "running time", clipped(&running, span)),
                (2, "allocated", vec![span]),
            ] {
                let description = format!(
                    "{} {doing} (ServiceOffering: {offering_id}) (Template: {})",
                    self.name, self.template.id
                );
                world.lifetimes.push(Lifetime {
                    spans,
                    vm_name: Some(self.name.clone()),
                    offering_id: Some(offering_id),
                    template_id: Some(self.template.id),
                    kind: Some("KVM"),
                    compute: (offering_id == CUSTOM_OFFERING).then_some(ComputeSize {
                        cores: 3,
                        mhz: 2000,
                        memory_mb: 6144,
                    }),
                    ..self.lifetime(usage_type, self.id, span, description)
                });
            }
        }
    }

    /// Type 6: a root disk each; a data disk for every third, of which every third grows one afternoon.
    fn add_volumes(&self, world: &mut World) {
        let volume = |id, span, made_from: String, bytes| Lifetime {
            size: Some(bytes),
            ..Lifetime::new(
                self.account,
                6,
                id,
                span,
                volume_description(id, &made_from),
            )
        };
        let root = volume(
            self.root_volume_id(),
            self.life,
            format!("Template: {}", self.template.id),
            self.template.disk_bytes,
        );
        world.lifetimes.push(Lifetime {
            template_id: Some(self.template.id),
            ..root
        });
        if self.number % 3 != 0 {
            return;
        }
        let Span { from, to } = self.life;
        let grows = moment(20 + self.number % 10, 15 * HOUR);
        let sizes = if self.number % 9 == 0 && from < grows && grows < to {
            vec![
                (100, Span { from, to: grows }),
                (150, Span { from: grows, to }),
            ]
        } else {
            vec![(100, self.life)]
        };
        let offering = 1 + self.number % 2;
        for (gib, span) in sizes {
            let made_from = format!("DiskOffering: {offering}");
            world.lifetimes.push(Lifetime {
                offering_id: Some(offering),
                ..volume(self.root_volume_id() + 1, span, made_from, gib * GIB)
            });
        }
    }

    fn root_volume_id(&self) -> i64 {
        self.id * 10
    }

    /// Type 13: the default NIC, and every tenth machine one more in a shared network.
    fn add_nics(&self, world: &mut World) {
        let nics = [(ISOLATED_NETWORK, 1), (SHARED_NETWORK, 0)];
        let count = if self.number % 10 == 1 { 2 } else { 1 };
        for (offering_id, is_default) in nics.into_iter().take(count) {
            let description = format!(
                "Network offering:{offering_id} for Vm : {} usage time",
                self.name
            );
            world.lifetimes.push(Lifetime {
                offering_id: Some(offering_id),
                ..self.lifetime(13, is_default, self.life, description)
            });
        }
    }

    /// Types 21 to 24, of the root disk.
    fn add_disk_counters(&self, world: &mut World) {
        for (usage_type, per_day, what, unit) in [
            (21, 400_000, "disk I/O read (io requests)", "io read"),
            (22, 900_000, "disk I/O write (io requests)", "io write"),
            (23, 6 * GIB, "disk I/O read (bytes)", "bytes read"),
            (24, 14 * GIB, "disk I/O write (bytes)", "bytes write"),
        ] {
            let volume_id = self.root_volume_id();
            let description = format!("{what} for Vm: {} and Volume: {volume_id}", self.id);
            world.lifetimes.push(Lifetime {
                amount: Amount::Counter { per_day, unit },
                kind: Some("VirtualMachine"),
                ..self.lifetime(usage_type, volume_id, self.life, description)
            });
        }
    }

    /// Type 9: a snapshot of the root disk every week, kept for two.
    fn add_weekly_snapshots(&self, world: &mut World) {
        for week in 0..5 {
            let taken = moment(2 + 7 * week, 3 * HOUR);
            if taken < self.life.from || taken >= self.life.to {
                continue;
            }
            let id = self.root_volume_id() + week;
            let bytes = self.template.disk_bytes / 4 + (1 + week) * GIB / 2;
            let kept = Span {
                from: taken,
                to: (taken + 14 * DAY).min(self.account.alive().to),
            };
            let description = format!("Snapshot Id:{id} Size:{bytes}");
            world.lifetimes.push(Lifetime {
                size: Some(bytes),
                virtual_bytes: Some(self.template.disk_bytes),
                ..Lifetime::new(self.account, 9, id, kept, description)
            });
        }
    }

    /// Of twelve machines one has a snapshot with its memory (25), one has one on primary storage (27), one is
    /// backed up every night (28).
    fn add_copies(&self, world: &mut World) {
        let snapshot_id = self.id + 50_000;
        let taken = moment(5 + self.number, 10 * HOUR + 1800);
        let ten_days = Span {
            from: taken,
            to: taken + 10 * DAY,
        };
        let virtual_bytes = Some(self.template.disk_bytes);
        let copy = match self.number % 12 {
            0 => Lifetime {
                offering_id: Some(BACKUP_OFFERING),
                size: Some(self.template.disk_bytes / 3),
                virtual_bytes,
                ..self.lifetime(
                    28,
                    self.id,
                    self.life,
                    format!(
                        "Backup usage VM ID: {}, backup offering: {BACKUP_OFFERING}",
                        self.id
                    ),
                )
            },
            1 => Lifetime {
                size: Some(5 * GIB),
                ..self.lifetime(
                    25,
                    snapshot_id,
                    ten_days,
                    format!(
                        "VMSnapshot Id: {snapshot_id} Usage: VM Id: {} Volume Id: {}  Size: {}",
                        self.id,
                        self.root_volume_id(),
                        5 * GIB
                    ),
                )
            },
            2 => Lifetime {
                vm_name: Some(format!("{}-before-upgrade", self.name)),
                size: Some(3 * GIB),
                virtual_bytes,
                ..self.lifetime(
                    27,
                    snapshot_id,
                    ten_days,
                    format!(
                        "VMSnapshot Id: {snapshot_id} On Primary Usage: VM Id: {}",
                        self.id
                    ),
                )
            },
            _ => return,
        };
        let spans = clipped(&copy.spans, self.life);
        world.lifetimes.push(Lifetime { spans, ..copy });
    }
}

/// Monday 07:00 to Friday 18:00, week after week, from before the sample's days to after them.
fn working_weeks() -> Vec<Span> {
    // The first day, 2026-09-25, is a Friday; the clock change moves the last two weeks by an hour.
    (0..8)
        .map(|week| Span {
            from: moment(7 * week - 4, 7 * HOUR),
            to: moment(7 * week, 18 * HOUR),
        })
        .collect()
}
