//! Which rows of a day say again what another row says. One usage event that cannot be processed makes
//! CloudStack's usage server (4.0 to 4.22.1) write every day since that event again on each run, and a late
//! event leaves short pieces that lie inside a day already written. Over a clock change such pieces are
//! shifted by an hour, and lie across two days already written.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use super::window::GLUED_SECONDS;
use crate::row::UsageRow;

/// Why a row is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replay {
    /// Another row has the same identity and the same window.
    SameWindow,
    /// Another row of the same identity has a window around this one's.
    Contained,
    /// Rows of the same identity that were written before have all of its window between them.
    Covered,
}

/// `[start, end)` in seconds since 1970 UTC.
pub type Span = (i64, i64);

/// What of the rows counts, by their place.
#[derive(Debug, Default)]
pub struct Replays {
    /// Why a row does not count; `None`: it does.
    pub verdicts: Vec<Option<Replay>>,
    /// The spans for which a row counts, where that is not its whole window.
    pub clipped: HashMap<usize, Vec<Span>>,
}

/// Sorts the rows and says of each, in the new order, whether and for what it counts. That does not depend on
/// the order the rows came in.
///
/// Same window: of rows that the usage server writes at most once an identity and window, the one with the
/// highest id counts, as a later run has seen late events; for buckets (29) the lowest, as a later run
/// writes today's size into old windows. VM snapshots, backups, networks and VPCs (25, 28, 30, 31) may
/// repeat rightly, so there only equal raw values are the same fact; the lowest id counts for backups,
/// whose size is today's as well.
///
/// A window inside another one does not count. Where windows overlap otherwise, the one that was written first
/// counts whole, and a later one for what it has beyond it.
pub fn mark_replays(rows: &mut [UsageRow]) -> Replays {
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
    let mut replays = Replays {
        verdicts: Vec::with_capacity(rows.len()),
        clipped: HashMap::new(),
    };
    let mut first = 0;
    for same in rows.chunk_by(|a, b| a.identity == b.identity) {
        let group = first..first + same.len();
        first = group.end;
        if mark_identity(same, &mut replays.verdicts) {
            clip_overlaps(rows, group, &mut replays);
        }
    }
    replays
}

/// Judges the rows of one identity. Answers whether windows that count overlap by more than the usage server
/// glues to a window.
fn mark_identity(rows: &[UsageRow], verdicts: &mut Vec<Option<Replay>>) -> bool {
    let mut overlap = false;
    let mut kept: Option<&UsageRow> = None;
    // The latest end among the windows that start no later: a row that ends no later than that, without
    // being of the same window, lies inside one of them.
    let mut reaches = i64::MIN;
    for row in rows {
        let verdict = match kept {
            Some(previous) if window(previous) == window(row) => {
                let again = !may_repeat(row) || previous.raw_usage == row.raw_usage;
                again.then_some(Replay::SameWindow)
            }
            Some(_) if row.end <= reaches => Some(Replay::Contained),
            Some(_) => {
                overlap |= reaches - row.start > GLUED_SECONDS;
                None
            }
            None => None,
        };
        if verdict != Some(Replay::Contained) {
            kept = Some(row);
            reaches = reaches.max(row.end);
        }
        verdicts.push(verdict);
    }
    overlap
}

/// Gives each window of one identity only what those written before it have left over.
fn clip_overlaps(rows: &[UsageRow], group: Range<usize>, replays: &mut Replays) {
    let mut first_written: HashMap<Span, u64> = HashMap::new();
    for index in group
        .clone()
        .filter(|index| replays.verdicts[*index] != Some(Replay::Contained))
    {
        let id = rows[index].id;
        first_written
            .entry(window(&rows[index]))
            .and_modify(|first| *first = id.min(*first))
            .or_insert(id);
    }
    let mut windows: Vec<(u64, Span)> = first_written
        .into_iter()
        .map(|(span, id)| (id, span))
        .collect();
    windows.sort_unstable();
    for (place, (_, span)) in windows.iter().enumerate() {
        let mut left = vec![*span];
        for (_, before) in &windows[..place] {
            left = left
                .into_iter()
                .flat_map(|part| without(part, *before))
                .collect();
        }
        if left == [*span] {
            continue;
        }
        for index in group.clone() {
            if window(&rows[index]) != *span || replays.verdicts[index].is_some() {
                continue;
            }
            if left.is_empty() {
                replays.verdicts[index] = Some(Replay::Covered);
            } else {
                replays.clipped.insert(index, left.clone());
            }
        }
    }
}

/// What is left of a span when another is taken away.
fn without(span: Span, taken: Span) -> impl Iterator<Item = Span> {
    let before = (span.0, span.1.min(taken.0));
    let after = (span.0.max(taken.1), span.1);
    [before, after]
        .into_iter()
        .filter(|(start, end)| start < end)
}

fn window(row: &UsageRow) -> Span {
    (row.start, row.end)
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
