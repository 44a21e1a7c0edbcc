//! Finds accounts whose usage of a day is far from that of the days before it, and those that have fallen silent. One walk
//! over what `recent_figures` holds; nothing is asked account by account.

use std::collections::{BTreeMap, HashMap};

use super::accounts::Accounts;
use super::day::NewFinding;
use super::recent_figures::{DaysCompared, RecentFigures};
use crate::aggregate::window::DayBounds;
use crate::cloud::Names;
use crate::finding::FindingKind;
use crate::metric::{GIB, Metric};
use crate::unusual::{LEAST_DAYS, USUAL_DAYS, UnusualRule, usual_if_far};

/// More accounts than this are counted instead of listed if they are most of those that were compared: then it is not the
/// accounts that are unusual, but the cloud or its usage server.
const MOST_LISTED: usize = 10;

/// What the ledger and the source say of accounts and metrics.
pub(super) struct CompareFacts<'a> {
    pub accounts: &'a Accounts,
    pub cloud: &'a Names,
    pub metrics: HashMap<i64, Metric>,
}

/// Which way a figure, or all of an account, is unusual.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unusual {
    Silent,
    Less(Metric),
    More(Metric),
}

/// On which of the days an account used anything.
#[derive(Clone, Copy, Default)]
struct DaysOfUse {
    /// A bit for each of the days before, the oldest first.
    before: u32,
    today: bool,
}

#[derive(Default)]
struct Seen {
    compared: usize,
    /// By account, with what is to be said.
    unusual: BTreeMap<i64, String>,
}

/// The findings of a closed day, whose figures are held, as are those of the days before.
pub(super) fn find_unusual(
    rule: &UnusualRule,
    recent: &RecentFigures,
    window: &DaysCompared,
    day: DayBounds,
    known: &CompareFacts,
) -> Vec<NewFinding> {
    let count = window.before.len();
    if count < LEAST_DAYS {
        return Vec::new();
    }
    let mut accounts: HashMap<i64, DaysOfUse> = HashMap::new();
    for ((account_id, _), figures) in recent.figures() {
        let days = accounts.entry(*account_id).or_default();
        days.today |= figures[window.today] != 0.0;
        for (bit, place) in window.before.iter().enumerate() {
            days.before |= u32::from(figures[*place] != 0.0) << bit;
        }
    }
    let left = |account_id: i64| known.is_removed(account_id, day.end);
    let mut seen: BTreeMap<Unusual, Seen> = BTreeMap::new();
    for (account_id, days) in &accounts {
        if days.before == 0 {
            continue;
        }
        // Since its first day, it fell silent on too few of them for that to be usual.
        let since_first = count - days.before.trailing_zeros() as usize;
        let silent = since_first - days.before.count_ones() as usize;
        let used_yesterday = days.before >> (count - 1) == 1;
        if since_first >= LEAST_DAYS && silent < USUAL_DAYS && used_yesterday && !left(*account_id)
        {
            let seen = seen.entry(Unusual::Silent).or_default();
            seen.compared += 1;
            if !days.today {
                let used = days.before.count_ones();
                let detail = format!(
                    "nothing, after usage on {used} of the {since_first} closed days before"
                );
                seen.unusual.insert(*account_id, detail);
            }
        }
    }
    let of_24_hours = match day.hours() {
        24.0 => String::new(),
        hours => format!("; as if the day, which had {hours} hours, had had 24"),
    };
    for ((account_id, metric_id), figures) in recent.figures() {
        let metric = known.metrics.get(metric_id).copied();
        let Some((metric, floor)) = metric.and_then(|of| Some((of, rule.floors.of(of)?))) else {
            continue;
        };
        let days = accounts[account_id];
        if !days.today || days.before == 0 {
            continue;
        }
        let first = days.before.trailing_zeros() as usize;
        let mut before = [0.0; 32];
        let before = &mut before[..count - first];
        for (figure, place) in before.iter_mut().zip(&window.before[first..]) {
            *figure = f64::from(figures[*place]);
        }
        let today = f64::from(figures[window.today]);
        if before.len() < LEAST_DAYS {
            continue;
        }
        for unusual in [Unusual::More(metric), Unusual::Less(metric)] {
            seen.entry(unusual).or_default().compared += 1;
        }
        let Some(usual) = usual_if_far(before, today, floor, rule) else {
            continue;
        };
        let unusual = match today > usual.median {
            true => Unusual::More(metric),
            false if left(*account_id) => continue,
            false => Unusual::Less(metric),
        };
        let detail = format!(
            "{}, usually {}: {} to {} on the {} closed days before{of_24_hours}",
            readable(today, metric),
            number(usual.median, metric),
            number(usual.lowest, metric),
            number(usual.highest, metric),
            before.len(),
        );
        let seen = seen.entry(unusual).or_default();
        seen.unusual.insert(*account_id, detail);
    }
    seen.into_iter()
        .flat_map(|(what, seen)| findings(what, seen))
        .collect()
}

impl CompareFacts<'_> {
    /// Whether an account was removed before an instant, in seconds since 1970 UTC.
    fn is_removed(&self, account_id: i64, before: i64) -> bool {
        let ids = self.accounts.source_ids(account_id).iter();
        let mut removals = ids.filter_map(|id| self.cloud.removed_accounts.get(id));
        removals.any(|removed| *removed < before)
    }
}

fn findings(what: Unusual, seen: Seen) -> Vec<NewFinding> {
    let Seen { compared, unusual } = seen;
    let finding = |account_id, detail| NewFinding {
        kind: FindingKind::Unusual,
        account_id,
        metric: match what {
            Unusual::Silent => None,
            Unusual::Less(metric) | Unusual::More(metric) => Some(metric),
        },
        resource: None,
        detail,
    };
    let accounts = unusual.len();
    if accounts > MOST_LISTED && 2 * accounts > compared {
        let what = match what {
            Unusual::Silent => "nothing",
            Unusual::Less(_) => "far less than usual",
            Unusual::More(_) => "far more than usual",
        };
        let detail = format!("{what}, by {accounts} of the {compared} accounts that were compared");
        return vec![finding(None, detail)];
    }
    let listed = unusual.into_iter();
    listed
        .map(|(account_id, detail)| finding(Some(account_id), detail))
        .collect()
}

/// With its unit, bytes in GiB.
fn readable(quantity: f64, metric: Metric) -> String {
    let unit = match metric.unit() {
        "byte-hours" => "GiB-hours",
        "bytes" => "GiB",
        unit => unit,
    };
    format!("{} {unit}", number(quantity, metric))
}

/// Four digits of it: as many as people read, and the same ones when a little of the day is corrected.
fn number(quantity: f64, metric: Metric) -> String {
    let quantity = match metric.unit() {
        "byte-hours" | "bytes" => quantity / GIB,
        _ => quantity,
    };
    if quantity == 0.0 {
        return "0".to_owned();
    }
    let digits = quantity.log10().floor();
    let rounded = match digits > 3.0 {
        true => {
            let step = 10_f64.powf(digits - 3.0);
            (quantity / step).round() * step
        }
        false => {
            let parts = 10_f64.powf(3.0 - digits);
            (quantity * parts).round() / parts
        }
    };
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_four_digits() {
        for (quantity, metric, expected) in [
            (0.0, Metric::VmRunning, "0 hours"),
            (23.999722, Metric::VmRunning, "24 hours"),
            (1234.56, Metric::VmRunning, "1235 hours"),
            (0.0123456, Metric::VmRunning, "0.01235 hours"),
            (12345678.0, Metric::DiskReadRequests, "12350000 requests"),
            (2400.0 * GIB, Metric::PrimaryByteHours, "2400 GiB-hours"),
            (1.5 * GIB, Metric::NetworkBytesSent, "1.5 GiB"),
            (
                1e22 * GIB,
                Metric::NetworkBytesSent,
                "10000000000000000000000 GiB",
            ),
        ] {
            assert_eq!(readable(quantity, metric), expected);
        }
    }
}
