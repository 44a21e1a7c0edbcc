//! Source rows of one day in, daily records, lines and findings out. Pure: no database, no clock, and the result
//! does not depend on the order of the rows. Which rows count and where windows lie on days is below;
//! uuids and names are not known here, records carry CloudStack's ids.

mod finding_collector;
mod lines;
pub mod pieces;
mod record;
pub mod row_trace;
pub mod runs;
pub mod window;
pub mod zone_fit;

use std::collections::BTreeMap;

use crate::cloud::Removals;
use crate::finding::Finding;
use crate::instant::hours;
use crate::metric::{Measure, Metric};
use crate::row::{BadRow, Digest, UsageRow};
use crate::sku::Sku;
use crate::zones::Zones;
use finding_collector::FindingCollector;
pub use lines::UsageLine;
use lines::{Added, Parts};
use pieces::{Piece, Pieces, Replay, shares_of_overlapping};
pub use record::Record;
use row_trace::{RowFigure, RowOutcome, RowTrace};
use runs::{Rewind, Rewinds};
use window::{DayBounds, part_of_day};

/// A day's figures, sorted by account, metric and source id; lines of one record by resource and SKU.
#[derive(Debug, Default, PartialEq)]
pub struct DayUsage {
    pub records: Vec<Record>,
    pub lines: Vec<UsageLine>,
    /// What lines are priced by; they name places in it.
    pub skus: Vec<Sku>,
    pub findings: Vec<Finding>,
    /// Rows that touch the day, replays included.
    pub source_rows: u64,
    pub replayed_rows: u64,
    /// Rows hidden from CloudStack's own API; not counted.
    pub hidden_rows: u64,
    /// Volume rows per attached VM (4.22.1 and later), which repeat the volume's own row; not counted.
    pub per_vm_volume_rows: u64,
    /// The rows that touch the day, by usage type; none for rows without one.
    pub digests: BTreeMap<Option<u32>, Digest>,
}

/// A day whose rows have gone by: all that its figures are made of but the guest OS of each VM.
pub struct CountedRows {
    /// Without figures.
    usage: DayUsage,
    parts: Parts,
    running_vms: Vec<(u64, u64)>,
    /// The newest run, if it wrote the day again, and what there had been before it.
    before: Option<(Rewind, Parts)>,
}

/// Counts the rows of one day. `rows` are all rows whose windows touch the day, and those of the runs around it that these
/// depend on, in any order; they are sorted in place. `on_row` gets each row that touches the day, and what became of it.
pub fn count(
    rows: &mut [UsageRow],
    rewinds: &Rewinds,
    day: DayBounds,
    zone: &Zones,
    removals: &Removals,
    on_row: &mut dyn FnMut(&RowTrace),
) -> anyhow::Result<CountedRows> {
    // What the newest run has changed is the difference to what had been written before it.
    let before = match rewinds.newest_of_all(day) {
        Some(newest) => {
            rows.sort_unstable_by_key(|row| row.id);
            let earlier = rows.partition_point(|row| row.id < newest.first_id);
            let (earlier, rewinds) = (&mut rows[..earlier], rewinds.before_run(newest));
            let counted = count_rows(earlier, &rewinds, day, zone, removals, &mut |_| ())?;
            Some((*newest, counted.parts))
        }
        None => None,
    };
    let mut counted = count_rows(rows, rewinds, day, zone, removals, on_row)?;
    for job in &rewinds.disordered {
        let findings = &mut counted.usage.findings;
        findings.push(finding_collector::disordered(*job));
    }
    Ok(CountedRows { before, ..counted })
}

impl CountedRows {
    /// The VMs that ran on the day by any row, each with its template, in the order of the rows. One may come several times.
    pub fn running_vms(&self) -> impl Iterator<Item = (u64, u64)> {
        self.running_vms.iter().copied()
    }

    /// Adds up the day. `guest_os` has the guest OS of a VM and template by their ids; 0: unknown.
    pub fn add_up(self, guest_os: &dyn Fn(u64, u64) -> u64) -> anyhow::Result<DayUsage> {
        let mut usage = self.usage;
        let before = match self.before {
            Some((newest, parts)) => Some((newest, parts.add_up(guest_os)?.records)),
            None => None,
        };
        let Added {
            records,
            lines,
            skus,
        } = self.parts.add_up(guest_os)?;
        (usage.records, usage.lines, usage.skus) = (records, lines, skus);
        if let Some((newest, before)) = before {
            let rewritten = finding_collector::rewritten(&newest, &before, &usage.records)?;
            usage.findings.extend(rewritten);
        }
        Ok(usage)
    }
}

fn count_rows(
    rows: &mut [UsageRow],
    rewinds: &Rewinds,
    day: DayBounds,
    zone: &Zones,
    removals: &Removals,
    on_row: &mut dyn FnMut(&RowTrace),
) -> anyhow::Result<CountedRows> {
    let pieces = Pieces::of(rows, rewinds);
    let overlapping = shares_of_overlapping(rows, &pieces, day, zone)?;
    let mut sums = Sums::of(rows.len());
    let mut running_vms = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let part_of = |from, to| {
            part_of_day(from, to, day, zone).map_err(|err| bad_row(row, &format!("{err:#}")))
        };
        let Some(touches) = part_of(row.start, row.end)? else {
            continue;
        };
        sums.note(row)?;
        if row.usage_type == Some(1) {
            running_vms.push((row.usage_id, row.template_id));
        }
        let piece = pieces.at(rows, place);
        let part = match piece.counts() {
            // What counts of it may be another day's.
            true => match part_of(piece.from, piece.to)? {
                Some(part) => part,
                None => continue,
            },
            false => touches,
        };
        let beside = overlapping.get(&place);
        let share = match (piece.counts(), beside) {
            (false, _) => 0.0,
            (true, Some(beside)) => beside.share,
            (true, None) => part.share(part.to - part.from),
        };
        let outcome = RowOutcome::of(row, &piece, part, share);
        let share = share * piece.factor;
        if let Some(replay) = replay_of(outcome, &piece) {
            sums.doubts.replayed(row, replay);
        }
        let mut figure = RowFigure::of(row);
        match outcome {
            RowOutcome::Repeats(Replay::OwnRow) => sums.usage.per_vm_volume_rows += 1,
            RowOutcome::Repeats(_) => sums.usage.replayed_rows += 1,
            RowOutcome::Hidden => sums.usage.hidden_rows += 1,
            RowOutcome::Within
            | RowOutcome::Glued
            | RowOutcome::Shared
            | RowOutcome::Until
            | RowOutcome::Excess
            | RowOutcome::Beside => {
                let size = piece.size_of.map_or(row.size(), |place| rows[place].size());
                sums.count(row, size, share, &mut figure)?;
                if part.to - part.from < part.of_seconds {
                    sums.doubts.spans_midnight();
                }
                sums.doubts.used(row, figure.metric, share, day);
                sums.doubts.used_after_removal(row, figure.metric, removals);
            }
        }
        let of = beside.map_or(piece.of, |beside| beside.of.or(piece.of));
        on_row(&RowTrace {
            row,
            part,
            share,
            outcome,
            repeats: of.map(|of| rows[of].id),
            rewind: match outcome {
                RowOutcome::Until | RowOutcome::Repeats(Replay::Void | Replay::Until) => {
                    rewinds.after(row.id).copied()
                }
                _ => None,
            },
            figure,
        });
    }
    drop((pieces, overlapping));
    let Sums {
        mut usage,
        parts,
        doubts,
    } = sums;
    usage.findings = doubts.into_findings(day);
    Ok(CountedRows {
        usage,
        parts,
        running_vms,
        before: None,
    })
}

/// What a day comes to while its rows go by.
struct Sums {
    usage: DayUsage,
    parts: Parts,
    doubts: FindingCollector,
}

impl Sums {
    /// For so many rows.
    fn of(rows: usize) -> Sums {
        Sums {
            usage: DayUsage::default(),
            parts: Parts::of(rows),
            doubts: FindingCollector::default(),
        }
    }

    /// A row that touches the day, whether it counts or not.
    fn note(&mut self, row: &UsageRow) -> anyhow::Result<()> {
        if !(row.raw_usage.is_finite() && row.raw_usage >= 0.0) {
            return Err(bad_row(row, &format!("raw_usage is {}", row.raw_usage)));
        }
        self.usage.source_rows += 1;
        self.usage
            .digests
            .entry(row.usage_type)
            .or_default()
            .add(row);
        if row.backwards {
            self.doubts.backwards(row);
        }
        Ok(())
    }

    /// Adds a share of a row to its figure.
    fn count(
        &mut self,
        row: &UsageRow,
        size: Option<u64>,
        share: f64,
        figure: &mut RowFigure,
    ) -> anyhow::Result<()> {
        let metric = figure.metric;
        figure.quantity = measure(row, size, metric, &mut self.doubts) * share;
        if !figure.quantity.is_finite() {
            let wrong = format!("{} is too large to be a number", metric.name());
            return Err(bad_row(row, &wrong));
        }
        self.parts.note_domain(row);
        self.parts.add(row, metric, figure.quantity)
    }
}

/// What is to be said of a row that is not counted, or not wholly.
fn replay_of(outcome: RowOutcome, piece: &Piece) -> Option<Replay> {
    match outcome {
        RowOutcome::Repeats(Replay::OwnRow) => None,
        RowOutcome::Repeats(replay) => Some(replay),
        RowOutcome::Until => Some(Replay::Until),
        RowOutcome::Excess => Some(Replay::Counted),
        RowOutcome::Beside => Some(Replay::Overlapping),
        // Hidden or not, it repeats others.
        RowOutcome::Hidden => piece.replay,
        RowOutcome::Within | RowOutcome::Glued | RowOutcome::Shared => None,
    }
}

fn bad_row(row: &UsageRow, wrong: &str) -> anyhow::Error {
    BadRow(format!("cloud_usage row {}: {wrong}", row.id)).into()
}

/// The quantity of a whole row, before its share of the day is taken.
fn measure(
    row: &UsageRow,
    size: Option<u64>,
    metric: Metric,
    doubts: &mut FindingCollector,
) -> f64 {
    if metric == Metric::UsageType(28) {
        doubts.not_hours(row);
        return row.raw_usage;
    }
    match Metric::of_usage_type(row.usage_type).1 {
        Measure::Raw => row.raw_usage,
        // Up to 8 EiB fit the 53 bits of a double in steps of a kilobyte; MySQL's product is a double too.
        Measure::RawTimesSize => {
            doubts.size(row, size, metric);
            row.raw_usage * size.unwrap_or(0) as f64
        }
        Measure::RawTimesWindow => row.raw_usage * hours(row.end - row.start),
    }
}

#[cfg(test)]
mod tests;
