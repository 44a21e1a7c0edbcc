//! A day's lines as they are held, beside those that the source comes to now: which of them differ. Pure. What was
//! renamed since is the same line, and a size that rows do not say is the one that was frozen.

use super::line_table::StoredLine;
use crate::aggregate::UsageLine;
use crate::metric::{Breakdown, Metric};
use crate::resource::ResourceKind;
use crate::sku::{SizeNumbers, Sku, VmSize};

/// What identifies a line of an account, but for the size of its SKU: ids in CloudStack, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    pub metric: Metric,
    pub offering_id: u64,
    pub zone_id: u64,
    /// `(Other, 0)`: not told apart.
    pub resource: (ResourceKind, u64),
}

impl LineKey {
    /// The source id of the record that the line is a part of, as `UsageLine::record_key` has it.
    pub fn record_id(&self) -> u64 {
        match self.metric.per() {
            None => 0,
            Some(Breakdown::IpAddress) => self.resource.1,
            Some(_) => self.offering_id,
        }
    }

    fn of(line: &UsageLine, sku: &Sku, apart: bool) -> LineKey {
        LineKey {
            metric: sku.metric,
            offering_id: sku.offering.map_or(0, |(_, id)| id),
            zone_id: u64::from(sku.zone_id),
            resource: match line.resource {
                (_, id) if id == 0 || !apart => (ResourceKind::Other, 0),
                used => used,
            },
        }
    }
}

/// A line of a day in the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldLine {
    /// In the ledger.
    pub account_id: i64,
    pub key: LineKey,
    pub size: SizeNumbers,
    pub stored: StoredLine,
}

/// A line that is not what the source says now. One of the two is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineDifference {
    pub key: LineKey,
    pub held: Option<StoredLine>,
    pub source: Option<UsageLine>,
}

impl LineDifference {
    /// In the metric's unit, like the other.
    pub fn held_quantity(&self) -> Option<f64> {
        self.held.map(|held| held.quantity)
    }

    pub fn source_quantity(&self) -> Option<f64> {
        self.source.map(|line| line.quantity)
    }
}

/// Whether two quantities differ by no more than a part of the larger one.
pub fn is_equal(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

/// The lines of one account that differ, by more than a part of the larger one. `now` are lines of `skus`; `size_of` tells
/// how large the VMs of a SKU are, also where its offering says so. Not `apart`: the lines that are held do not tell
/// resources apart.
pub fn compare_lines(
    held: &[HeldLine],
    now: &[UsageLine],
    skus: &[Sku],
    size_of: &dyn Fn(&Sku) -> VmSize,
    apart: bool,
    tolerance: f64,
) -> Vec<LineDifference> {
    let mut held: Vec<&HeldLine> = held.iter().collect();
    held.sort_by_key(|line| (line.key, line.size));
    let now = merge_alike(now, skus, size_of, apart);
    let mut differences = Vec::new();
    let mut rest = &held[..];
    for alike in now.chunk_by(|a, b| a.key == b.key) {
        let key = alike[0].key;
        let before = rest.partition_point(|line| line.key < key);
        differences.extend(rest[..before].iter().map(|line| gone(line)));
        rest = &rest[before..];
        let count = rest.partition_point(|line| line.key == key);
        let (of_key, others) = rest.split_at(count);
        rest = others;
        compare_sizes(of_key, alike, tolerance, &mut differences);
    }
    differences.extend(rest.iter().map(|line| gone(line)));
    differences
}

/// A line that the source comes to.
struct SourceLine {
    key: LineKey,
    size: SizeNumbers,
    /// Of the size, what rows say.
    said: VmSize,
    line: UsageLine,
}

/// The lines in order; those that the ledger would keep as one are one.
fn merge_alike(
    lines: &[UsageLine],
    skus: &[Sku],
    size_of: &dyn Fn(&Sku) -> VmSize,
    apart: bool,
) -> Vec<SourceLine> {
    let of = |line: &UsageLine| {
        let sku = line.sku_of(skus);
        SourceLine {
            key: LineKey::of(line, sku, apart),
            size: size_of(sku).numbers(),
            said: sku.size,
            line: *line,
        }
    };
    let mut now: Vec<SourceLine> = lines.iter().map(of).collect();
    now.sort_by(|a, b| {
        let quantities = || a.line.quantity.total_cmp(&b.line.quantity);
        (a.key, a.size).cmp(&(b.key, b.size)).then_with(quantities)
    });
    now.dedup_by(|next, line| {
        let same = (next.key, next.size) == (line.key, line.size);
        if same {
            line.line.quantity += next.line.quantity;
            line.said = line.said.or(next.said);
        }
        same
    });
    now
}

/// Lines that are alike but for their size, of which there are one or two: each stands beside the one of its size, or
/// else beside one that has whatever rows say of it.
fn compare_sizes(
    held: &[&HeldLine],
    now: &[SourceLine],
    tolerance: f64,
    differences: &mut Vec<LineDifference>,
) {
    let mut left: Vec<&HeldLine> = held.to_vec();
    let mut take = |fits: &dyn Fn(&HeldLine) -> bool| {
        let place = left.iter().position(|held| fits(held));
        place.map(|place| left.remove(place).stored)
    };
    let same: Vec<Option<StoredLine>> = now
        .iter()
        .map(|line| take(&|held| held.size == line.size))
        .collect();
    for (line, same) in now.iter().zip(same) {
        let same = same.or_else(|| take(&|held| fits(held.size, line.said)));
        let equal = same.is_some_and(|held| is_equal(held.quantity, line.line.quantity, tolerance));
        if !equal {
            differences.push(LineDifference {
                key: line.key,
                held: same,
                source: Some(line.line),
            });
        }
    }
    differences.extend(left.into_iter().map(gone));
}

/// Whether all that rows say of a size is that of a line.
fn fits(held: SizeNumbers, said: VmSize) -> bool {
    let said = [said.vcpus, said.mhz, said.memory_mib];
    let mut parts = held.into_iter().zip(said);
    parts.all(|(held, said)| said.is_none_or(|said| said.get() == held))
}

fn gone(line: &HeldLine) -> LineDifference {
    LineDifference {
        key: line.key,
        held: Some(line.stored),
        source: None,
    }
}

#[cfg(test)]
mod tests;
