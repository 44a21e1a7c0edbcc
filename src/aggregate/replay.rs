//! Which rows of a day say again what another row says. One usage event that cannot be processed makes
//! CloudStack's usage server (4.0 to 4.22.1) write every day since that event again on each run, and a late
//! event leaves short pieces that lie inside a day already written. Across a clock change, or with an
//! aggregation range that does not divide the day, the later windows are cut elsewhere than the earlier ones.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::window::{DayBounds, Part, part_of_day};
use crate::row::UsageRow;
use crate::zones::Zones;

/// Why a row is not counted, or not wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replay {
    /// Another row has the same identity and the same window.
    SameWindow,
    /// Another row of the same identity has a window around this one's.
    Contained,
    /// Windows of the same identity lie across each other: see `shares_of_overlapping`.
    Overlapping,
}

/// That a row is a replay, and of which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    pub replay: Replay,
    /// The place of a row that says the same.
    pub of: usize,
}

/// What counts of a row beside others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    pub share: f64,
    /// The place of the first of those that go before it where they overlap.
    pub of: Option<usize>,
}

/// What a row tells of: one resource, in one zone. Rows of one identity tell of the same.
pub fn resource_of(row: &UsageRow) -> (u64, Option<u32>, u32) {
    (row.usage_id, row.usage_type, row.zone_id)
}

/// Sorts the rows by resource and says of each, in the new order, whether it is a replay. The verdict on a row does not
/// depend on the order the rows came in.
///
/// Same window: of rows that the usage server writes at most once an identity and window, the one with the
/// highest id counts, as a later run has seen late events; for buckets (29) the lowest, as a later run
/// writes today's size into old windows. VM snapshots, backups, networks and VPCs (25, 28, 30, 31) may
/// repeat rightly, so there only equal raw values are the same fact; the lowest id counts for backups,
/// whose size is today's as well.
pub fn mark_replays(rows: &mut [UsageRow]) -> Vec<Option<Repeat>> {
    // The wider window first, so that what surrounds a row stands before it.
    rows.sort_unstable_by(|a, b| {
        let repeated = |row: &UsageRow| {
            if may_repeat(row) {
                row.raw_usage.to_bits()
            } else {
                0
            }
        };
        let rest = |row: &UsageRow| (row.start, Reverse(row.end), repeated(row), preference(row));
        // Few rows share their resource.
        resource_of(a)
            .cmp(&resource_of(b))
            .then_with(|| a.identity.cmp(&b.identity))
            .then_with(|| rest(a).cmp(&rest(b)))
    });
    let mut verdicts: Vec<Option<Repeat>> = Vec::with_capacity(rows.len());
    let mut kept: Option<usize> = None;
    // The latest end among the windows of this identity that start no later, and whose it is: a row that ends
    // no later than that, without being of the same window, lies inside one of them.
    let mut reaches = (i64::MIN, 0);
    for (place, row) in rows.iter().enumerate() {
        let verdict = match kept {
            Some(before) if rows[before].identity == row.identity => {
                let previous = &rows[before];
                let (replay, of) = if (previous.start, previous.end) == (row.start, row.end) {
                    let again = !may_repeat(row) || previous.raw_usage == row.raw_usage;
                    let first = verdicts[before]
                        .filter(|earlier| earlier.replay == Replay::SameWindow)
                        .map_or(before, |earlier| earlier.of);
                    (again.then_some(Replay::SameWindow), first)
                } else if row.end <= reaches.0 {
                    (Some(Replay::Contained), reaches.1)
                } else {
                    let across = row.start < reaches.0;
                    (across.then_some(Replay::Overlapping), reaches.1)
                };
                replay.map(|replay| Repeat { replay, of })
            }
            Some(_) | None => {
                reaches.0 = i64::MIN;
                None
            }
        };
        if verdict.is_none_or(|repeat| repeat.replay != Replay::Contained) {
            kept = Some(place);
            if row.end > reaches.0 {
                reaches = (row.end, place);
            }
        }
        verdicts.push(verdict);
    }
    verdicts
}

/// Where windows of one identity lie across each other, the share of each row, by its place, that counts for
/// the day: no second counts twice. Rows within the day come first, as those that span midnight only
/// estimate what is whose; then the row that would count if the windows were the same.
pub fn shares_of_overlapping(
    rows: &[UsageRow],
    verdicts: &[Option<Repeat>],
    day: DayBounds,
    zone: &Zones,
) -> anyhow::Result<HashMap<usize, Beside>> {
    let mut shares: HashMap<usize, Beside> = HashMap::new();
    let replay = |place: usize| verdicts[place].map(|repeat| repeat.replay);
    let mut first = 0;
    for group in rows.chunk_by(|a, b| a.identity == b.identity) {
        let places = first..first + group.len();
        first = places.end;
        if !places
            .clone()
            .any(|place| replay(place) == Some(Replay::Overlapping))
        {
            continue;
        }
        let mut parts: Vec<(usize, Part)> = Vec::new();
        for place in places {
            let row = &rows[place];
            if matches!(replay(place), None | Some(Replay::Overlapping))
                && let Some(part) = part_of_day(row.start, row.end, day, zone)?
            {
                parts.push((place, part));
            }
        }
        parts.sort_by_key(|(place, part)| {
            let spans_midnight = part.to - part.from < part.of_seconds;
            (spans_midnight, preference(&rows[*place]))
        });
        let window = |place: usize| (rows[place].start, rows[place].end);
        for (index, (place, part)) in parts.iter().enumerate() {
            let before = &parts[..index];
            let same_window = before
                .iter()
                .find(|(other, _)| window(*other) == window(*place));
            let share = match same_window {
                Some((other, _)) => shares[other],
                None => Beside {
                    share: part.share(seconds_beside(*part, before)),
                    of: before
                        .iter()
                        .find(|(_, other)| other.from < part.to && other.to > part.from)
                        .map(|(other, _)| *other),
                },
            };
            shares.insert(*place, share);
        }
    }
    Ok(shares)
}

/// How many seconds of a part lie in none of the others.
fn seconds_beside(part: Part, others: &[(usize, Part)]) -> i64 {
    let mut left = vec![(part.from, part.to)];
    for (_, other) in others {
        left = left
            .into_iter()
            .flat_map(|(from, to)| [(from, to.min(other.from)), (from.max(other.to), to)])
            .filter(|(from, to)| from < to)
            .collect();
    }
    left.into_iter().map(|(from, to)| to - from).sum()
}

fn may_repeat(row: &UsageRow) -> bool {
    matches!(row.usage_type, Some(25 | 28 | 30 | 31))
}

/// The row with the smallest value is the one that counts.
fn preference(row: &UsageRow) -> u64 {
    match row.usage_type {
        Some(28 | 29) => row.id,
        Some(_) | None => u64::MAX - row.id,
    }
}
