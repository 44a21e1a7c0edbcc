//! What is doubtful about the rows of a day, noted while they go by. Nothing here changes a figure.

use std::collections::BTreeMap;

use super::pieces::{Replay, resource_of};
use super::record::Record;
use super::runs::Rewind;
use super::window::DayBounds;
use crate::cloud::Removals;
use crate::finding::{Finding, FindingKind};
use crate::instant::Utc;
use crate::metric::{Bound, Metric, hours_bound, resource_of_usage_type};
use crate::plural::plural;
use crate::row::{Identity, UsageRow};

/// How much longer than the day a resource may seem in use: CloudStack glues up to 60 seconds to a window, and
/// computes hours in 32-bit floats.
const HOURS_TOLERANCE: f64 = 0.02;

/// Sizes from here on, 4 EiB, are no sizes.
const TOO_LARGE: u64 = 1 << 62;

/// Doubtful things noted while the rows go by.
#[derive(Default)]
pub struct FindingCollector {
    findings: Vec<Finding>,
    replayed: BTreeMap<(Option<u32>, Replay), u64>,
    unknown_types: BTreeMap<(u64, Metric), u64>,
    removed_accounts: BTreeMap<(u64, Option<u32>, Metric), u64>,
    spanning_rows: u64,
    /// The resource whose rows go by, as they come by resource.
    in_use: Option<InUse>,
    /// The device whose traffic goes by.
    device: Option<Device>,
}

/// The traffic of one device in one direction.
struct Device {
    resource: (u64, Option<u32>, u32),
    /// End of the window, amount and network of each row.
    rows: Vec<(i64, f64, Identity)>,
    /// Whether it has been reported.
    reported: bool,
}

/// How long a resource was in use.
struct InUse {
    resource: (u64, Option<u32>, u32),
    /// Set where one id stands for several resources.
    identity: Option<Identity>,
    /// Of the first of its rows.
    vm_id: u64,
    hours: f64,
    /// The first of the accounts that used it.
    account_id: u64,
}

impl FindingCollector {
    pub fn replayed(&mut self, row: &UsageRow, replay: Replay) {
        *self.replayed.entry((row.usage_type, replay)).or_default() += 1;
    }

    /// A size that hours are multiplied by.
    pub fn size(&mut self, row: &UsageRow, size: Option<u64>, metric: Metric) {
        match size {
            None => self.about_row(
                FindingKind::SizeUnknown,
                row,
                metric,
                "the size is NULL and counts as 0",
            ),
            Some(0) if row.raw_usage > 0.0 => {
                self.about_row(FindingKind::SizeDoubtful, row, metric, "the size is 0");
            }
            Some(size) if size >= TOO_LARGE => {
                let detail = format!("the size is {size} bytes");
                self.about_row(FindingKind::SizeDoubtful, row, metric, &detail);
            }
            Some(_) => {}
        }
    }

    pub fn not_hours(&mut self, row: &UsageRow) {
        let detail = "usage_display is not in hours: raw_usage is kept as it is";
        self.about_row(FindingKind::NotHours, row, Metric::UsageType(28), detail);
    }

    pub fn backwards(&mut self, row: &UsageRow) {
        let metric = Metric::of_usage_type(row.usage_type).0;
        let detail = "it ends before it starts, and amounts to nothing";
        self.about_row(FindingKind::EndsBeforeStart, row, metric, detail);
    }

    /// Use of what `cloud` says had been removed when the window began.
    pub fn used_after_removal(&mut self, row: &UsageRow, metric: Metric, removals: &Removals) {
        let before = |removed: Option<&i64>| removed.is_some_and(|removed| *removed < row.start);
        let vm = match row.usage_type {
            Some(1 | 2) => row.usage_id,
            _ => row.vm_id,
        };
        if vm != 0 && before(removals.vms.get(&vm)) {
            let detail = match row.usage_type {
                Some(1 | 2 | 28) => "the VM was removed before".to_owned(),
                _ => format!("its VM, vm:{vm}, was removed before"),
            };
            self.about_row(FindingKind::UsedAfterRemoval, row, metric, &detail);
        }
        if before(removals.accounts.get(&row.account_id)) {
            let key = (row.account_id, row.usage_type, metric);
            *self.removed_accounts.entry(key).or_default() += 1;
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

    /// A row was shared between days.
    pub fn spans_midnight(&mut self) {
        self.spanning_rows += 1;
    }

    /// `share` of a row's amount was used on the day. Rows come by resource and identity.
    pub fn used(&mut self, row: &UsageRow, metric: Metric, share: f64, day: DayBounds) {
        if let Metric::UsageType(_) | Metric::UntypedUsage = metric
            && row.usage_type != Some(28)
        {
            let key = (row.account_id, metric);
            *self.unknown_types.entry(key).or_default() += 1;
        }
        self.traffic(row, metric);
        let bound = match row.raw_is_hours {
            true => hours_bound(row.usage_type),
            false => Bound::None,
        };
        if bound == Bound::None || (bound == Bound::Resource && row.usage_id == 0) {
            return;
        }
        let of = resource_of(row);
        let identity = (bound == Bound::Identity).then_some(row.identity);
        let same = |used: &InUse| used.resource == of && used.identity == identity;
        if !self.in_use.as_ref().is_some_and(same) {
            self.resource_done(day);
        }
        let used = self.in_use.get_or_insert(InUse {
            resource: of,
            identity,
            vm_id: row.vm_id,
            hours: 0.0,
            account_id: row.account_id,
        });
        used.hours += row.raw_usage * share;
        used.account_id = used.account_id.min(row.account_id);
    }

    /// Traffic of a device (4, 5). A router of a VPC may have it once for each tier (CloudStack 4.11 to 4.13, PR 3944).
    fn traffic(&mut self, row: &UsageRow, metric: Metric) {
        if !matches!(row.usage_type, Some(4 | 5)) || row.raw_usage == 0.0 {
            return;
        }
        let resource = resource_of(row);
        if self
            .device
            .as_ref()
            .is_none_or(|device| device.resource != resource)
        {
            self.device = Some(Device {
                resource,
                rows: Vec::new(),
                reported: false,
            });
        }
        let Some(device) = &mut self.device else {
            return;
        };
        let same = |(end, amount, network): &(i64, f64, Identity)| {
            (*end, *amount) == (row.end, row.raw_usage) && *network != row.identity
        };
        let again = device.rows.iter().any(same) && !device.reported;
        device.reported |= again;
        device.rows.push((row.end, row.raw_usage, row.identity));
        if again {
            let detail = "the same amount as on another network of the device in this window";
            self.about_row(FindingKind::SameTraffic, row, metric, detail);
        }
    }

    /// Closes the account of the resource whose rows have gone by.
    fn resource_done(&mut self, day: DayBounds) {
        let Some(used) = self.in_use.take() else {
            return;
        };
        if used.hours > day.hours() + HOURS_TOLERANCE {
            let usage_type = used.resource.1;
            let merged = match usage_type {
                Some(13) => "; right if the VM has as many NICs of this offering",
                _ => "",
            };
            let detail = format!(
                "{:.2} hours on a day of {}{merged}",
                used.hours,
                day.hours()
            );
            self.findings.push(Finding {
                kind: FindingKind::HoursExceedDay,
                account_id: Some(used.account_id),
                metric: Some(Metric::of_usage_type(usage_type).0),
                resource: Some(name_in_use(&used)),
                detail,
            });
        }
    }

    pub fn into_findings(mut self, day: DayBounds) -> Vec<Finding> {
        self.resource_done(day);
        let mut findings = self.findings;
        for ((usage_type, replay), rows) in self.replayed {
            let metric = Metric::of_usage_type(usage_type).0;
            let (rows, of_type) = (plural(rows, "row"), of_type(usage_type));
            let detail = format!("{rows} of {of_type} {}", why(replay));
            findings.push(of_the_day(FindingKind::ReplayedRows, Some(metric), detail));
        }
        if self.spanning_rows > 0 {
            let rows = plural(self.spanning_rows, "row");
            let detail = format!("{rows} across midnight, shared by elapsed time");
            findings.push(of_the_day(FindingKind::SpansMidnight, None, detail));
        }
        for ((account_id, usage_type, metric), rows) in self.removed_accounts {
            let (rows, of_type) = (plural(rows, "row"), of_type(usage_type));
            let detail = format!("{rows} of {of_type} after the account was removed");
            findings.push(Finding {
                account_id: Some(account_id),
                ..of_the_day(FindingKind::UsedAfterRemoval, Some(metric), detail)
            });
        }
        for ((account_id, metric), rows) in self.unknown_types {
            let detail = format!("{} kept as {}", plural(rows, "row"), metric.name());
            findings.push(Finding {
                account_id: Some(account_id),
                ..of_the_day(FindingKind::UnknownUsageType, Some(metric), detail)
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

fn why(replay: Replay) -> &'static str {
    match replay {
        Replay::Void => "not counted: a later run covered the time",
        Replay::Until => "counted up to the start of a later run",
        Replay::Counted => "counted only for what earlier rows had not counted",
        Replay::SameWindow => "not counted: same window as another row",
        Replay::Contained => "not counted: inside another row's window",
        Replay::Overlapping => "counted only beside other rows, whose windows overlap",
        Replay::OwnRow => "not counted: the volume has its own",
    }
}

fn of_type(usage_type: Option<u32>) -> String {
    usage_type.map_or("no usage type".to_owned(), |number| {
        format!("usage type {number}")
    })
}

fn of_the_day(kind: FindingKind, metric: Option<Metric>, detail: String) -> Finding {
    Finding {
        kind,
        account_id: None,
        metric,
        resource: None,
        detail,
    }
}

/// A job of the usage server whose rows are not in the order of jobs.
pub fn disordered(job: u64) -> Finding {
    let detail = format!(
        "the rows of usage_job {job} are not in the order of jobs, as after a purge or a restore by hand: whether they void \
         others is not known"
    );
    of_the_day(FindingKind::RunsDisordered, None, detail)
}

/// What a run that wrote the day again has changed, in one line; none if nothing.
pub fn rewritten(
    run: &Rewind,
    before: &[Record],
    after: &[Record],
) -> anyhow::Result<Option<Finding>> {
    let mut figures: BTreeMap<(Metric, u64, u64), [f64; 2]> = BTreeMap::new();
    for (records, which) in [(before, 0), (after, 1)] {
        for record in records {
            let key = (record.metric, record.account_id, record.source_id);
            figures.entry(key).or_default()[which] = record.quantity;
        }
    }
    // What came and what went of each metric, as one may hide the other.
    let mut changes: BTreeMap<Metric, [f64; 2]> = BTreeMap::new();
    for ((metric, _, _), [before, after]) in figures {
        let change = after - before;
        if change.abs() > 1e-6 * after.max(before) {
            changes.entry(metric).or_default()[usize::from(change < 0.0)] += change;
        }
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let changes: Vec<String> = changes
        .into_iter()
        .map(|(metric, parts)| {
            // Hours have as many digits as CloudStack's own display, what is larger none behind the point.
            let digits = if metric.unit() == "hours" { 1e6 } else { 1.0 };
            let parts = parts.map(|part| (part * digits).round() / digits);
            let parts = parts.iter().filter(|part| **part != 0.0);
            let parts: Vec<String> = parts.map(|part| format!("{part:+}")).collect();
            format!("{} {} {}", metric.name(), parts.join(" "), metric.unit())
        })
        .collect();
    let detail = format!(
        "{} wrote the time since {} again: {}",
        run.name(),
        Utc::at(run.since)?,
        changes.join(", ")
    );
    Ok(Some(of_the_day(FindingKind::Rewritten, None, detail)))
}

/// What a finding calls something in use: by its id, or by its VM where the id stands for several.
fn name_in_use(used: &InUse) -> String {
    let (usage_id, usage_type, _) = used.resource;
    match usage_type {
        Some(13) => format!("vm:{}", used.vm_id),
        Some(25 | 27) if usage_id == 0 => format!("vm:{}", used.vm_id),
        _ => resource(usage_type, usage_id),
    }
}

/// How a finding names a resource: `vm:12`.
pub fn resource(usage_type: Option<u32>, usage_id: u64) -> String {
    format!("{}:{usage_id}", resource_of_usage_type(usage_type))
}
