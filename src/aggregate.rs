//! Source rows of one day in, daily records and findings out. Pure: no database, no clock, and the result
//! does not depend on the order of the rows. Replay removal and the placing of windows on days are below;
//! uuids and names are not known here, records carry CloudStack's ids.

pub mod replay;
pub mod step;
pub mod window;
pub mod zone_fit;

use std::collections::BTreeMap;

use crate::finding::{Finding, FindingKind};
use crate::metric::{Measure, Metric, hours_are_bounded_by_the_day, resource_of_usage_type};
use crate::row::{BadRow, Digest, UsageRow};
use crate::words::counted;
use crate::zones::Zones;
use replay::{Replay, mark_replays, resource_of, shares_of_overlapping};
use step::{Fate, Figures, Step};
use window::{DayBounds, hours, part_of_day};

/// How much longer than the day a resource may seem in use: CloudStack glues up to 60 seconds to a window, and
/// computes hours in 32-bit floats.
const HOURS_TOLERANCE: f64 = 0.02;

/// One figure of one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// `account.id` in CloudStack.
    pub account_id: u64,
    pub metric: Metric,
    /// Id in CloudStack of what the metric is kept per; 0 if it is not, or if the row names none.
    pub source_id: u64,
    /// In the metric's unit.
    pub quantity: f64,
}

/// A day's figures, sorted by account, metric and source id.
#[derive(Debug, Default, PartialEq)]
pub struct DayUsage {
    pub records: Vec<Record>,
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

/// What `cloud` knows of VMs.
pub struct VmFacts<'a> {
    /// The guest OS id of a VM id and template id; 0 for unknown.
    pub guest_os: &'a dyn Fn(u64, u64) -> u64,
    /// When the VM was removed, in seconds since 1970 UTC.
    pub removed: &'a dyn Fn(u64) -> Option<i64>,
}

/// What is added up as one record.
type Key = (u64, Metric, u64);

/// Adds up one day. `rows` are all rows whose windows touch the day, in any order; they are sorted in place.
pub fn aggregate(
    rows: &mut [UsageRow],
    day: DayBounds,
    zone: &Zones,
    vms: &VmFacts,
) -> anyhow::Result<DayUsage> {
    aggregate_and_tell(rows, day, zone, vms, &mut |_| ())
}

/// The same, telling of each row that touches the day what became of it.
pub fn aggregate_and_tell(
    rows: &mut [UsageRow],
    day: DayBounds,
    zone: &Zones,
    vms: &VmFacts,
    on_row: &mut dyn FnMut(&Step),
) -> anyhow::Result<DayUsage> {
    let verdicts = mark_replays(rows);
    let overlapping = shares_of_overlapping(rows, &verdicts, day, zone)?;
    let mut usage = DayUsage::default();
    let mut parts: Vec<(Key, f64)> = Vec::with_capacity(rows.len() + rows.len() / 8);
    let mut doubts = Doubts::default();
    for (place, (row, verdict)) in rows.iter().zip(&verdicts).enumerate() {
        if !(row.raw_usage.is_finite() && row.raw_usage >= 0.0) {
            return Err(bad_row(row, &format!("raw_usage is {}", row.raw_usage)));
        }
        let part = part_of_day(row.start, row.end, day, zone)
            .map_err(|err| bad_row(row, &format!("{err:#}")))?;
        let Some(part) = part else { continue };
        usage.source_rows += 1;
        usage.digests.entry(row.usage_type).or_default().add(row);
        let whole = part.share(part.to - part.from);
        let beside = overlapping.get(&place);
        let share = beside.map_or(whole, |beside| beside.share);
        let replay = match verdict.map(|repeat| repeat.replay) {
            Some(Replay::Overlapping) | None => (share < whole).then_some(Replay::Overlapping),
            inside => inside,
        };
        if let Some(replay) = replay {
            doubts.replayed(row, replay);
        }
        let fate = Fate::of(row, part, share, replay);
        let mut figures = Figures::of(row, vms);
        match fate {
            Fate::Repeats(_) => usage.replayed_rows += 1,
            Fate::Hidden => usage.hidden_rows += 1,
            Fate::PerVmVolume => usage.per_vm_volume_rows += 1,
            Fate::Within | Fate::Glued | Fate::Shared | Fate::Beside => {
                let metric = figures.metric;
                figures.quantity = measure(row, metric, &mut doubts) * share;
                if !figures.quantity.is_finite() {
                    let wrong = format!("{} is too large to be a number", metric.name());
                    return Err(bad_row(row, &wrong));
                }
                for (metric, source_id) in figures.keys() {
                    parts.push(((row.account_id, metric, source_id), figures.quantity));
                }
                doubts.used(row, metric, share, day);
                if matches!(row.usage_type, Some(1 | 2)) {
                    doubts.used_after_removal(row, metric, (vms.removed)(row.usage_id));
                }
            }
        }
        let of = match beside {
            Some(beside) => beside.of,
            None => verdict.map(|repeat| repeat.of),
        };
        on_row(&Step {
            row,
            part,
            share,
            fate,
            repeats: of.map(|of| rows[of].id),
            figures,
        });
    }
    drop((verdicts, overlapping));
    usage.records = add_up(parts)?;
    usage.findings = doubts.into_findings(day);
    Ok(usage)
}

fn bad_row(row: &UsageRow, wrong: &str) -> anyhow::Error {
    BadRow(format!("cloud_usage row {}: {wrong}", row.id)).into()
}

/// The quantity of a whole row, before its share of the day is taken.
fn measure(row: &UsageRow, metric: Metric, doubts: &mut Doubts) -> f64 {
    if metric == Metric::UsageType(28) {
        doubts.not_hours(row);
        return row.raw_usage;
    }
    match Metric::of_usage_type(row.usage_type).1 {
        Measure::Raw => row.raw_usage,
        // Up to 8 EiB fit the 53 bits of a double in steps of a kilobyte; MySQL's product is a double too.
        Measure::RawTimesSize => match row.size {
            Some(size) => row.raw_usage * size as f64,
            None => {
                doubts.size_unknown(row, metric);
                0.0
            }
        },
        Measure::RawTimesWindow => row.raw_usage * hours(row.end - row.start),
    }
}

/// Adds the parts of each key. The parts are added in order of size, so that neither the order of the rows
/// nor their ids can change a last bit of the sum.
fn add_up(mut parts: Vec<(Key, f64)>) -> anyhow::Result<Vec<Record>> {
    parts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    parts
        .chunk_by(|a, b| a.0 == b.0)
        .map(|group| {
            let (account_id, metric, source_id) = group[0].0;
            let quantity: f64 = group.iter().map(|part| part.1).sum();
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
        })
        .collect()
}

/// Doubtful things noted while the rows go by.
#[derive(Default)]
struct Doubts {
    findings: Vec<Finding>,
    replayed: BTreeMap<(Option<u32>, Replay), u64>,
    unknown_types: BTreeMap<(u64, Metric), u64>,
    spanning_rows: u64,
    /// The resource whose rows go by, as they come by resource.
    in_use: Option<InUse>,
}

/// How long a resource was in use.
struct InUse {
    resource: (u64, Option<u32>, u32),
    hours: f64,
    /// The first of the accounts that used it.
    account_id: u64,
}

impl Doubts {
    fn replayed(&mut self, row: &UsageRow, replay: Replay) {
        *self.replayed.entry((row.usage_type, replay)).or_default() += 1;
    }

    fn size_unknown(&mut self, row: &UsageRow, metric: Metric) {
        self.about_row(
            FindingKind::SizeUnknown,
            row,
            metric,
            "the size is NULL and counts as 0",
        );
    }

    fn not_hours(&mut self, row: &UsageRow) {
        let detail = "usage_display is not in hours: raw_usage is kept as it is";
        self.about_row(FindingKind::NotHours, row, Metric::UsageType(28), detail);
    }

    fn used_after_removal(&mut self, row: &UsageRow, metric: Metric, removed: Option<i64>) {
        if removed.is_some_and(|removed| removed < row.start) {
            self.about_row(
                FindingKind::UsedAfterRemoval,
                row,
                metric,
                "the VM was removed before",
            );
        }
    }

    fn about_row(&mut self, kind: FindingKind, row: &UsageRow, metric: Metric, detail: &str) {
        self.findings.push(Finding {
            kind,
            account_id: Some(row.account_id),
            metric: Some(metric),
            resource: Some(resource(row.usage_type, row.usage_id)),
            detail: format!("row {}: {detail}", row.id),
        });
    }

    fn used(&mut self, row: &UsageRow, metric: Metric, share: f64, day: DayBounds) {
        if let Metric::UsageType(_) | Metric::UntypedUsage = metric
            && row.usage_type != Some(28)
        {
            *self
                .unknown_types
                .entry((row.account_id, metric))
                .or_default() += 1;
        }
        if share < 1.0 && (row.start < day.start || row.end > day.end) {
            self.spanning_rows += 1;
        }
        if hours_are_bounded_by_the_day(row.usage_type) && row.usage_id != 0 {
            let resource = resource_of(row);
            if self
                .in_use
                .as_ref()
                .is_none_or(|used| used.resource != resource)
            {
                self.resource_done(day);
            }
            let used = self.in_use.get_or_insert(InUse {
                resource,
                hours: 0.0,
                account_id: row.account_id,
            });
            used.hours += row.raw_usage * share;
            used.account_id = used.account_id.min(row.account_id);
        }
    }

    /// Closes the account of the resource whose rows have gone by.
    fn resource_done(&mut self, day: DayBounds) {
        let Some(used) = self.in_use.take() else {
            return;
        };
        if used.hours > day.hours() + HOURS_TOLERANCE {
            let (usage_id, usage_type, _) = used.resource;
            self.findings.push(Finding {
                kind: FindingKind::HoursExceedDay,
                account_id: Some(used.account_id),
                metric: Some(Metric::of_usage_type(usage_type).0),
                resource: Some(resource(usage_type, usage_id)),
                detail: format!("{:.2} hours on a day of {}", used.hours, day.hours()),
            });
        }
    }

    fn into_findings(mut self, day: DayBounds) -> Vec<Finding> {
        self.resource_done(day);
        let of_the_day = |kind, metric, detail| Finding {
            kind,
            account_id: None,
            metric,
            resource: None,
            detail,
        };
        let mut findings = self.findings;
        for ((usage_type, replay), rows) in self.replayed {
            let why = match replay {
                Replay::SameWindow => "not counted: same window as another row",
                Replay::Contained => "not counted: inside another row's window",
                Replay::Overlapping => "counted only beside other rows, whose windows overlap",
            };
            let metric = Metric::of_usage_type(usage_type).0;
            let of_type = usage_type.map_or("no usage type".to_owned(), |number| {
                format!("usage type {number}")
            });
            let detail = format!("{} of {of_type} {why}", counted(rows, "row"));
            findings.push(of_the_day(FindingKind::ReplayedRows, Some(metric), detail));
        }
        if self.spanning_rows > 0 {
            let rows = counted(self.spanning_rows, "row");
            let detail = format!("{rows} across midnight, shared by elapsed time");
            findings.push(of_the_day(FindingKind::SpansMidnight, None, detail));
        }
        for ((account_id, metric), rows) in self.unknown_types {
            let detail = format!("{} kept as {}", counted(rows, "row"), metric.name());
            let kind = FindingKind::UnknownUsageType;
            findings.push(Finding {
                account_id: Some(account_id),
                ..of_the_day(kind, Some(metric), detail)
            });
        }
        findings.sort_by(|a, b| {
            let key = |f: &Finding| {
                (
                    f.kind,
                    f.account_id,
                    f.metric,
                    f.resource.clone(),
                    f.detail.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        findings
    }
}

/// How a finding names a resource: `vm:12`.
pub fn resource(usage_type: Option<u32>, usage_id: u64) -> String {
    format!("{}:{usage_id}", resource_of_usage_type(usage_type))
}

#[cfg(test)]
mod tests;
