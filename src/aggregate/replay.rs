//! Which rows of a day say again what another row says. One usage event that cannot be processed makes
//! CloudStack's usage server (4.0 to 4.22.1) write every day since that event again on each run, and a late
//! event leaves short pieces that lie inside a day already written.

use std::cmp::Reverse;

use crate::row::UsageRow;

/// Why a row is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replay {
    /// Another row has the same identity and the same window.
    SameWindow,
    /// Another row of the same identity has a window around this one's.
    Contained,
}

/// Sorts the rows and says of each, in the new order, whether it is a replay. The verdict on a row does not
/// depend on the order the rows came in.
///
/// Same window: of rows that the usage server writes at most once an identity and window, the one with the
/// highest id counts, as a later run has seen late events; for buckets (29) the lowest, as a later run
/// writes today's size into old windows. VM snapshots, backups, networks and VPCs (25, 28, 30, 31) may
/// repeat rightly, so there only equal raw values are the same fact; the lowest id counts for backups,
/// whose size is today's as well.
pub fn mark_replays(rows: &mut [UsageRow]) -> Vec<Option<Replay>> {
    // The wider window first, so that what surrounds a row stands before it.
    rows.sort_unstable_by(|a, b| {
        let key = |row: &UsageRow| (row.identity, row.start, Reverse(row.end));
        let repeated = |row: &UsageRow| {
            if may_repeat(row) {
                row.raw_usage.to_bits()
            } else {
                0
            }
        };
        (key(a), repeated(a), preference(a)).cmp(&(key(b), repeated(b), preference(b)))
    });
    let mut verdicts = Vec::with_capacity(rows.len());
    let mut kept: Option<&UsageRow> = None;
    // The latest end among the windows of this identity that start no later: a row that ends no later than
    // that, without being of the same window, lies inside one of them.
    let mut reaches = i64::MIN;
    for row in rows.iter() {
        let verdict = match kept {
            Some(previous) if previous.identity == row.identity => {
                if (previous.start, previous.end) == (row.start, row.end) {
                    let again = !may_repeat(row) || previous.raw_usage == row.raw_usage;
                    again.then_some(Replay::SameWindow)
                } else {
                    (row.end <= reaches).then_some(Replay::Contained)
                }
            }
            Some(_) | None => {
                reaches = i64::MIN;
                None
            }
        };
        if verdict != Some(Replay::Contained) {
            kept = Some(row);
            reaches = reaches.max(row.end);
        }
        verdicts.push(verdict);
    }
    verdicts
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
