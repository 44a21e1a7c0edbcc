//! Lines: what one resource of an account used on the day, of one metric, under one SKU. Each row adds a part to a line
//! or two; a record is the sum of the parts of several lines. SKUs are many times fewer than lines, so that a line
//! names its own by a number.

use super::record::Record;
use crate::id_map::IdMap;
use crate::metric::{Breakdown, Metric};
use crate::resource::ResourceKind;
use crate::row::{BadRow, UsageRow};
use crate::sku::{Sku, VmSize, offering_of};
use crate::sum::CompensatedSum;

/// One line of one day; while rows go by, a part of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsageLine {
    /// `account.id` in CloudStack.
    pub account_id: u64,
    /// What was used: its kind, and its id in CloudStack; 0 if the rows name none.
    pub resource: (ResourceKind, u64),
    /// In the metric's unit.
    pub quantity: f64,
    /// Place of its SKU among those of the day.
    pub sku: u32,
    /// `domain.id` in CloudStack: the account's own on this day, by the newest of its rows.
    pub domain_id: u32,
}

impl UsageLine {
    /// The record that the line is a part of: its account, metric and source id.
    pub fn record_key(&self, skus: &[Sku]) -> (u64, Metric, u64) {
        let sku = self.sku_of(skus);
        let source_id = match sku.metric.per() {
            None => 0,
            Some(Breakdown::IpAddress) => self.resource.1,
            Some(_) => sku.offering.map_or(0, |(_, id)| id),
        };
        (self.account_id, sku.metric, source_id)
    }

    /// What the line is priced by; `skus` are those of its day.
    pub fn sku_of<'a>(&self, skus: &'a [Sku]) -> &'a Sku {
        // A u32 fits the address space of any machine this runs on.
        &skus[self.sku as usize]
    }
}

/// Lines in the making.
pub(super) struct Parts {
    parts: Vec<UsageLine>,
    running: Vec<RunningPart>,
    skus: IdMap<Sku, u32>,
    /// Domain of each account, with the id of the row that says so.
    domains: IdMap<u64, (u64, u32)>,
}

/// A part of a VM that ran, which counts for its guest OS as well.
struct RunningPart {
    /// Its place.
    part: u32,
    zone_id: u32,
    vm_id: u64,
    template_id: u64,
}

/// What a day's parts add up to.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub records: Vec<Record>,
    pub lines: Vec<UsageLine>,
    pub skus: Vec<Sku>,
}

impl Parts {
    /// For so many rows.
    pub fn of(rows: usize) -> Parts {
        Parts {
            // A running VM counts for its guest OS as well.
            parts: Vec::with_capacity(rows + rows / 8),
            running: Vec::new(),
            skus: IdMap::default(),
            domains: IdMap::default(),
        }
    }

    /// The account's domain is that of its newest row.
    pub fn note_domain(&mut self, row: &UsageRow) {
        let newest = self.domains.entry(row.account_id).or_default();
        *newest = (row.id, row.domain_id).max(*newest);
    }

    /// What a row adds to its metric.
    pub fn add(&mut self, row: &UsageRow, metric: Metric, quantity: f64) -> anyhow::Result<()> {
        let sku = self.place_of(sku(row, metric))?;
        if metric == Metric::VmRunning {
            self.running.push(RunningPart {
                part: u32::try_from(self.parts.len())?,
                zone_id: row.zone_id,
                vm_id: row.usage_id,
                template_id: row.template_id,
            });
        }
        self.parts.push(UsageLine {
            account_id: row.account_id,
            resource: row.resource(),
            quantity,
            sku,
            domain_id: 0,
        });
        Ok(())
    }

    fn place_of(&mut self, sku: Sku) -> anyhow::Result<u32> {
        let next = u32::try_from(self.skus.len())?;
        Ok(*self.skus.entry(sku).or_insert(next))
    }

    /// Lets running VMs count for their guest OSes.
    fn add_guest_oses(&mut self, guest_os: &dyn Fn(u64, u64) -> u64) -> anyhow::Result<()> {
        for running in std::mem::take(&mut self.running) {
            let part = self.parts[running.part as usize];
            let id = guest_os(running.vm_id, running.template_id);
            let sku = self.place_of(guest_os_sku(running.zone_id, id))?;
            self.parts.push(UsageLine { sku, ..part });
        }
        Ok(())
    }

    /// Adds up the parts of each line, and the lines of each record. Both in order, so that the order of the rows cannot
    /// change a last bit of a sum. `guest_os` has the guest OS of a VM and template by their ids; 0: unknown.
    pub fn add_up(mut self, guest_os: &dyn Fn(u64, u64) -> u64) -> anyhow::Result<Added> {
        self.add_guest_oses(guest_os)?;
        let skus = self.sort_skus();
        let groups = group_by_record(&skus);
        let mut parts = self.parts;
        // The lines of a record lie together: all of one group, and of an address if it is kept per address.
        parts.sort_unstable_by(|a, b| {
            let key = |part: &UsageLine| {
                let group = groups[part.sku as usize];
                (part.account_id, group, part.resource, part.sku)
            };
            key(a)
                .cmp(&key(b))
                .then_with(|| a.quantity.total_cmp(&b.quantity))
        });
        let mut records = Vec::new();
        // Lines take the places of their parts, which are no fewer.
        let mut lines = 0;
        let mut first = 0;
        while first < parts.len() {
            let key = parts[first].record_key(&skus);
            let mut sum = CompensatedSum::default();
            while first < parts.len() && parts[first].record_key(&skus) == key {
                let line = line(&parts[first..]);
                sum.add(line.0.quantity);
                (parts[lines], first) = (line.0, first + line.1);
                lines += 1;
            }
            records.push(record(key, sum.value())?);
        }
        parts.truncate(lines);
        parts.shrink_to_fit();
        for account in parts.chunk_by_mut(|a, b| a.account_id == b.account_id) {
            let domain = self.domains.get(&account[0].account_id);
            let domain_id = domain.map_or(0, |(_, domain_id)| *domain_id);
            account
                .iter_mut()
                .for_each(|line| line.domain_id = domain_id);
        }
        Ok(Added {
            records,
            lines: parts,
            skus,
        })
    }

    /// The SKUs in order. Parts go by their new places.
    fn sort_skus(&mut self) -> Vec<Sku> {
        let mut skus: Vec<(Sku, u32)> = self.skus.drain().collect();
        skus.sort_unstable();
        let mut places = vec![0; skus.len()];
        for (place, (_, number)) in (0..).zip(&skus) {
            places[*number as usize] = place;
        }
        for part in &mut self.parts {
            part.sku = places[part.sku as usize];
        }
        skus.into_iter().map(|(sku, _)| sku).collect()
    }
}

/// Numbers SKUs, which are in order, by what of their records' keys they know: the metric, and what it is kept per
/// unless that is an address. So records in the order of these numbers and of addresses are in the order of their keys.
fn group_by_record(skus: &[Sku]) -> Vec<u32> {
    let key = |sku: &Sku| {
        let per_offering = sku.metric.per().filter(|per| *per != Breakdown::IpAddress);
        let id = per_offering.and(sku.offering).map_or(0, |(_, id)| id);
        (sku.metric, id)
    };
    let mut group = 0;
    let mut groups = Vec::with_capacity(skus.len());
    for (place, sku) in skus.iter().enumerate() {
        if place > 0 && key(sku) != key(&skus[place - 1]) {
            group += 1;
        }
        groups.push(group);
    }
    groups
}

fn record(
    (account_id, metric, source_id): (u64, Metric, u64),
    quantity: f64,
) -> anyhow::Result<Record> {
    if !quantity.is_finite() {
        let name = metric.name();
        let wrong = format!("account {account_id}: {name} is too large to be a number");
        return Err(BadRow(wrong).into());
    }
    Ok(Record {
        account_id,
        metric,
        source_id,
        quantity,
    })
}

/// The line that the parts begin with, and of how many of them it is the sum.
fn line(parts: &[UsageLine]) -> (UsageLine, usize) {
    let first = parts[0];
    let key = |part: &UsageLine| (part.account_id, part.resource, part.sku);
    let (mut sum, mut count) = (CompensatedSum::default(), 0);
    for part in parts.iter().take_while(|part| key(part) == key(&first)) {
        sum.add(part.quantity);
        count += 1;
    }
    let quantity = sum.value();
    (UsageLine { quantity, ..first }, count)
}

fn sku(row: &UsageRow, metric: Metric) -> Sku {
    let offering = offering_of(metric).map(|kind| (kind, row.offering_id));
    Sku {
        metric,
        offering: offering.filter(|(_, id)| *id != 0),
        zone_id: row.zone_id,
        size: match metric {
            Metric::VmRunning | Metric::VmAllocated => row.vm_size(),
            _ => VmSize::default(),
        },
    }
}

fn guest_os_sku(zone_id: u32, guest_os_id: u64) -> Sku {
    Sku {
        metric: Metric::OsUsage,
        offering: (guest_os_id != 0).then_some((Breakdown::GuestOs, guest_os_id)),
        zone_id,
        size: VmSize::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day of ten thousand accounts has 400,000 of them.
    #[test]
    fn a_line_stays_small() {
        assert!(size_of::<UsageLine>() <= 48, "{}", size_of::<UsageLine>());
    }
}
