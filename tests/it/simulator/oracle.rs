//! What the ledger must hold: each life intersected with each local day [midnight, next midnight), summed.
//!
//! Where the usage server itself moves usage between days, no importer can know better, and the oracle
//! follows the documented rule. A window that spans a local midnight is spread evenly over its time. One
//! that begins at most a minute before a midnight counts wholly after it. Of each run counts what no later one
//! covered. Counters land where their run ends. Sizes of buckets and backups are what they were when a run first
//! covered the time.

use std::collections::BTreeMap;

use super::MINUTE;
use super::cloud::{Cloud, Identity, Life};
use super::server::{Run, exact};
use super::windows::Window;
use super::zones::LocalDay;

/// Day, account's uuid, metric, resource's uuid (empty where the metric has none).
pub type Key = (String, String, String, String);

/// Quantities in the unit of their metric.
pub type Usage = BTreeMap<Key, f64>;

/// The sum of what lived, flowed and was held on these days, which follow each other without a gap.
pub fn expected(cloud: &Cloud, runs: &[Run], days: &[LocalDay]) -> Usage {
    add_up(cloud, runs, days, &measures)
}

/// The same line by line: in place of the resource's uuid the kind and id of what was used, and the offering's uuid.
pub fn expected_lines(cloud: &Cloud, runs: &[Run], days: &[LocalDay]) -> Usage {
    add_up(cloud, runs, days, &line_measures)
}

/// What a row counts for: name of the metric, what tells its figures apart, what they are multiplied by.
type Measures = Vec<(&'static str, String, f64)>;

fn add_up(
    cloud: &Cloud,
    runs: &[Run],
    days: &[LocalDay],
    measures: &dyn Fn(&Identity, &Cloud) -> Measures,
) -> Usage {
    let placed = Placement::of(runs, days);
    let mut usage = Usage::new();
    let mut book = |identity: &Identity, milliseconds: &[f64], factor: f64| {
        for (metric, resource, size) in measures(identity, cloud) {
            for (day, amount) in days.iter().zip(milliseconds) {
                let account = account_uuid(identity.account_id);
                let key = (
                    day.day.clone(),
                    account,
                    metric.to_owned(),
                    resource.clone(),
                );
                *usage.entry(key).or_default() += amount * factor * size;
            }
        }
    };
    let per_hour = 1.0 / 3_600_000.0;
    for life in cloud.lives.iter().filter(|l| !l.identity.is_hidden) {
        book(&life.identity, &placed.life(life), per_hour);
    }
    for gauge in &cloud.gauges {
        let held = placed.held(|instant| gauge.at(instant));
        book(&gauge.identity, &held, per_hour);
    }
    for counter in &cloud.counters {
        for (n, identity) in counter.identities.iter().enumerate() {
            let counted = placed.counted(|fresh| counter.counted(fresh)[n]);
            book(identity, &counted, 1.0);
        }
    }
    usage
}

/// Where the windows that count lie on the days: of each run, up to where a later one starts.
struct Placement<'a> {
    runs: &'a [Run],
    days: &'a [LocalDay],
    midnights: Vec<i64>,
    /// Windows that span a midnight, as far as no later run covered them, each with whether it was written again.
    odd: Vec<(Window, bool)>,
}

impl<'a> Placement<'a> {
    fn of(runs: &'a [Run], days: &'a [LocalDay]) -> Placement<'a> {
        let midnights: Vec<i64> = days.iter().flat_map(|d| [d.begins, d.ends]).collect();
        let mut odd: Vec<(Window, bool)> = Vec::new();
        for run in runs {
            odd.retain_mut(|(window, _)| {
                window.end = window.end.min(run.range.start - 1);
                window.start <= window.end
            });
            let again = |window: &Window| window.start < run.fresh.start;
            odd.extend(run.windows.iter().map(|window| (*window, again(window))));
        }
        odd.retain(|(window, _)| {
            let inside = window.start + 1..=window.end;
            midnights.iter().any(|midnight| inside.contains(midnight))
        });
        Placement {
            runs,
            days,
            midnights,
            odd,
        }
    }

    /// Milliseconds of a life on each day.
    fn life(&self, life: &Life) -> Vec<f64> {
        let covered = Window {
            start: self.runs.first().expect("a run").fresh.start,
            end: self.runs.last().expect("a run").fresh.end,
        };
        let on = |day: &LocalDay, window| overlap(life.within(window), day);
        let mut plain: Vec<i64> = self.days.iter().map(|day| on(day, covered)).collect();
        let mut moved = vec![0.0; plain.len()];
        for (window, _) in &self.odd {
            // Rows of VM snapshots carry their own times: they are spread over their life, not the window.
            let own_times = matches!(life.identity.usage_type, 25 | 27);
            let glued = self.glued(*window);
            if glued.is_none() && own_times {
                continue;
            }
            let taken = match glued {
                Some(midnight) => Window {
                    start: window.start,
                    end: midnight - 1,
                },
                None => *window,
            };
            let Some(lived) = life.within(taken) else {
                continue;
            };
            for (sum, day) in plain.iter_mut().zip(self.days) {
                *sum -= overlap(Some(lived), day);
            }
            for (sum, share) in moved.iter_mut().zip(self.shares(*window)) {
                *sum += float(lived.length()) * share;
            }
        }
        plain
            .iter()
            .zip(moved)
            .map(|(p, m)| float(*p) + m)
            .collect()
    }

    /// Byte-milliseconds on each day of what holds `bytes` when a run is made.
    fn held(&self, bytes: impl Fn(i64) -> u64) -> Vec<f64> {
        let mut sums = vec![0.0; self.days.len()];
        for run in self.runs {
            for (sum, day) in sums.iter_mut().zip(self.days) {
                *sum += float(overlap(Some(run.fresh), day)) * exact(bytes(run.fresh.end));
            }
        }
        for (window, again) in &self.odd {
            // What is written again counts for what was not covered before.
            let (Some(midnight), false) = (self.glued(*window), again) else {
                continue;
            };
            let before = Window {
                start: window.start,
                end: midnight - 1,
            };
            let run = self.runs.iter().find(|run| run.windows.contains(window));
            let amount = exact(bytes(run.expect("a run of the window").fresh.end));
            for ((sum, day), share) in sums.iter_mut().zip(self.days).zip(self.shares(*window)) {
                *sum += float(before.length()) * amount * share;
                *sum -= float(overlap(Some(before), day)) * amount;
            }
        }
        sums
    }

    /// What a counter counted, on the day in which the run that read it ended.
    fn counted(&self, delta: impl Fn(Window) -> u64) -> Vec<f64> {
        let mut sums = vec![0.0; self.days.len()];
        for run in self.runs {
            for (sum, day) in sums.iter_mut().zip(self.days) {
                if (day.begins..day.ends).contains(&run.fresh.end) {
                    *sum += exact(delta(run.fresh));
                }
            }
        }
        sums
    }

    /// The midnight that a window begins at most a minute before.
    fn glued(&self, window: Window) -> Option<i64> {
        let inside = window.start + 1..=window.end;
        let mut midnights = self.midnights.iter().copied();
        midnights.find(|midnight| inside.contains(midnight) && midnight - window.start <= MINUTE)
    }

    /// Which part of a window falls on each day.
    fn shares(&self, window: Window) -> Vec<f64> {
        let window = Window {
            start: self.glued(window).unwrap_or(window.start),
            end: window.end,
        };
        let whole = float(window.length());
        let parts = self.days.iter().map(|day| overlap(Some(window), day));
        parts.map(|part| float(part) / whole).collect()
    }
}

/// Milliseconds of a span on a day.
fn overlap(span: Option<Window>, day: &LocalDay) -> i64 {
    let Some(span) = span else { return 0 };
    ((span.end + 1).min(day.ends) - span.start.max(day.begins)).max(0)
}

#[expect(clippy::cast_precision_loss, reason = "a few weeks in milliseconds")]
fn float(milliseconds: i64) -> f64 {
    milliseconds as f64
}

fn line_measures(identity: &Identity, cloud: &Cloud) -> Measures {
    let id = identity.usage_id;
    let vm = || ("vm", identity.vm_instance_id.expect("a VM"));
    let (kind, id) = match (identity.usage_type, identity.device, identity.network_id) {
        (1 | 2 | 28, _, _) | (4 | 5, Some("UserVm"), _) => ("vm", id),
        (3, _, _) => ("ip_address", id),
        (4 | 5, _, Some(network)) if network > 0 => ("network", network),
        (4 | 5, _, _) => ("router", id),
        (6 | 21..=24 | 26, _, _) => ("volume", id),
        (7, _, _) => ("template", id),
        (8, _, _) => ("iso", id),
        (9, _, _) => ("snapshot", id),
        (10, _, _) => ("security_group", id),
        (11, _, _) => ("load_balancer_rule", id),
        (12, _, _) => ("port_forwarding_rule", id),
        (13, _, _) => vm(),
        (14, _, _) => ("vpn_user", id),
        (25 | 27, _, _) => ("vm_snapshot", id),
        (29, _, _) => ("bucket", id),
        (30, _, _) => ("network", id),
        (31, _, _) => ("vpc", id),
        (other, _, _) => panic!("the cloud has nothing of type {other}"),
    };
    let label = |(metric, resource, factor): (&'static str, String, f64)| {
        let disk = identity.offering_id.map(|id| uuid("disk_offering", id));
        let offering = match identity.usage_type {
            1 | 2 | 13 | 28 => resource,
            6 | 25 => disk.unwrap_or_default(),
            _ => String::new(),
        };
        (metric, format!("{kind} {id} {offering}"), factor)
    };
    measures(identity, cloud).into_iter().map(label).collect()
}

fn measures(identity: &Identity, cloud: &Cloud) -> Measures {
    let bytes = || exact(identity.size.expect("a size"));
    let offering = |kind| uuid(kind, identity.offering_id.expect("an offering"));
    let none = String::new;
    match identity.usage_type {
        1 => {
            let vm = cloud.vms.iter().find(|(vm, _)| *vm == identity.usage_id);
            vec![
                ("vm_running", offering("service_offering"), 1.0),
                ("os_usage", uuid("os", vm.expect("a VM").1), 1.0),
            ]
        }
        2 => vec![("vm_allocated", offering("service_offering"), 1.0)],
        3 => vec![("ip_address_allocated", uuid("ip", identity.usage_id), 1.0)],
        4 => vec![("network_bytes_sent", none(), 1.0)],
        5 => vec![("network_bytes_received", none(), 1.0)],
        6 => vec![("primary_byte_hours", none(), bytes())],
        7..=9 => vec![("secondary_byte_hours", none(), bytes())],
        10 => vec![("security_group", none(), 1.0)],
        11 => vec![("load_balancer_policy", none(), 1.0)],
        12 => vec![("port_forwarding_rule", none(), 1.0)],
        13 => vec![("network_offering", offering("network_offering"), 1.0)],
        14 => vec![("vpn_user", none(), 1.0)],
        21 => vec![("disk_read_requests", none(), 1.0)],
        22 => vec![("disk_write_requests", none(), 1.0)],
        23 => vec![("disk_bytes_read", none(), 1.0)],
        24 => vec![("disk_bytes_written", none(), 1.0)],
        25 => vec![("vm_snapshot_byte_hours", none(), bytes())],
        26 => vec![("volume_secondary_byte_hours", none(), bytes())],
        27 => vec![("vm_snapshot_on_primary_byte_hours", none(), bytes())],
        28 => vec![("backup_byte_hours", offering("backup_offering"), 1.0)],
        29 => vec![("bucket_byte_hours", none(), 1.0)],
        30 => vec![("network", none(), 1.0)],
        31 => vec![("vpc", none(), 1.0)],
        other => panic!("the cloud has nothing of type {other}"),
    }
}

/// The uuid that `store` gives a row of the main database.
pub fn uuid(kind: &str, id: u64) -> String {
    format!("{kind}-{id}")
}

pub fn account_uuid(id: u64) -> String {
    uuid("account", id)
}

/// Every figure in which a ledger differs from what was expected. Nothing and 0 are the same. `seconds` is what the usage
/// server has glued to another day: of each of an account's lives, how much of it was there cannot be told.
pub fn differences(expected: &Usage, found: &Usage, seconds: f64) -> Vec<String> {
    let mut keys: Vec<&Key> = expected.keys().chain(found.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter_map(|key| {
            let [wanted, got] = [expected, found].map(|usage| *usage.get(key).unwrap_or(&0.0));
            let glued = match key.2.contains("bytes_") || key.2.contains("requests") {
                true => 0.0,
                false => seconds / 3600.0,
            };
            let glued = match key.2.ends_with("byte_hours") {
                // As much as all disks of an account hold.
                true => glued * 5e12,
                false => glued * 20.0,
            };
            let near =
                (wanted - got).abs() <= tolerance(&key.2) * wanted.abs().max(got.abs()) + glued;
            (!near).then(|| format!("{key:?}: expected {wanted}, found {got}"))
        })
        .collect()
}

/// Hours pass through four operations on 32-bit floats, each off by at most 6e-8 of the figure, and sums of
/// positive figures are off by no more than their parts. Counts are whole numbers below 1e11, where 1e-12
/// means exactly; it only leaves room for those that a window across midnight splits.
fn tolerance(metric: &str) -> f64 {
    match metric {
        "network_bytes_sent"
        | "network_bytes_received"
        | "disk_read_requests"
        | "disk_write_requests"
        | "disk_bytes_read"
        | "disk_bytes_written" => 1e-12,
        _ => 1e-6,
    }
}
