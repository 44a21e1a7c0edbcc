//! Rows of one identity that say the same, though no run shows which is right: the same window twice, one inside another,
//! or across each other. Windows that share a second are neighbours.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::piece::{Group, Piece, Pieces, Replay, preference};
use crate::aggregate::runs::may_repeat;
use crate::aggregate::window::{DayBounds, Part, part_of_day};
use crate::instant::hours;
use crate::row::UsageRow;
use crate::zones::Zones;

/// How much longer than its window a resource's periods may seem, in hours: the usage server reckons in 32-bit floats.
const FLOAT_NOISE: f64 = 1e-4;

/// What counts of a row beside others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// Of the piece, from 0 to 1.
    pub share: f64,
    /// The place of the first of those that go before it where they overlap.
    pub of: Option<usize>,
}

impl Pieces {
    /// Drops those that repeat others, and notes which lie across each other.
    ///
    /// Same window: the preferred row counts. Rows that a run may write several of in one window count together, unless
    /// they amount to the same (25, 28) or to more than the window has (30, 31), where equal amounts are the same fact.
    pub(super) fn drop_repeats(&mut self, group: &Group) {
        let rows = group.rows;
        let mut order: Vec<(usize, Piece)> = group
            .places
            .clone()
            .map(|place| (place, self.at(rows, place)))
            .filter(|(_, piece)| piece.counts())
            .collect();
        let repeated = |place: usize| match may_repeat(&rows[place]) {
            true => rows[place].raw_usage.to_bits(),
            false => 0,
        };
        // The wider window first, so that what surrounds a row stands before it.
        order.sort_unstable_by_key(|(place, piece)| {
            (
                piece.from,
                Reverse(piece.to),
                repeated(*place),
                preference(&rows[*place]),
            )
        });
        let mut kept: Option<(usize, Piece)> = None;
        let mut reaches = (i64::MIN, 0);
        let mut across = false;
        let mut periods_fit = false;
        for (index, (place, piece)) in order.iter().enumerate() {
            let same =
                kept.filter(|(_, before)| (before.from, before.to) == (piece.from, piece.to));
            if same.is_none() {
                periods_fit = fit_their_window(rows, &order[index..]);
            }
            let dropped = match same {
                Some((before, _)) => {
                    let again = match may_repeat(&rows[*place]) {
                        true => rows[before].raw_usage == rows[*place].raw_usage && !periods_fit,
                        false => true,
                    };
                    let of = self.other.get(&before).filter(|other| !other.counts());
                    let of = of.and_then(|other| other.of).unwrap_or(before);
                    again.then_some((Replay::SameWindow, of))
                }
                None if kept.is_some() && piece.to <= reaches.0 => {
                    Some((Replay::Contained, reaches.1))
                }
                None => {
                    across |= kept.is_some() && piece.from < reaches.0 - 1;
                    None
                }
            };
            if let Some((replay, of)) = dropped {
                let nothing = Piece::nothing(&rows[*place], replay, Some(of));
                self.other.insert(*place, nothing);
            }
            if dropped.is_none_or(|(replay, _)| replay != Replay::Contained) {
                kept = Some((*place, *piece));
                if piece.to > reaches.0 {
                    reaches = (piece.to, *place);
                }
            }
        }
        if across {
            order.retain(|(place, _)| self.at(rows, *place).counts());
            self.across
                .push(order.into_iter().map(|(place, _)| place).collect());
        }
    }
}

/// Whether the periods of a network's or VPC's states that begin `rest`, all of one window, fit into it.
fn fit_their_window(rows: &[UsageRow], rest: &[(usize, Piece)]) -> bool {
    let (first, piece) = rest[0];
    if !matches!(rows[first].usage_type, Some(30 | 31)) {
        return false;
    }
    let same = rest
        .iter()
        .take_while(|(_, other)| (other.from, other.to) == (piece.from, piece.to));
    let used: f64 = same
        .map(|(place, other)| rows[*place].raw_usage * other.factor)
        .sum();
    used <= hours(piece.to - piece.from) + FLOAT_NOISE
}

/// Where windows of one identity lie across each other, the share of each piece, by its place, that counts for
/// the day: no second counts twice. Rows within the day come first, as those that span midnight only
/// estimate what is whose; then the row that would count if the windows were the same.
pub fn shares_of_overlapping(
    rows: &[UsageRow],
    pieces: &Pieces,
    day: DayBounds,
    zone: &Zones,
) -> anyhow::Result<HashMap<usize, Beside>> {
    let mut shares: HashMap<usize, Beside> = HashMap::new();
    for group in &pieces.across {
        let mut parts: Vec<(usize, Part)> = Vec::new();
        for place in group {
            let piece = pieces.at(rows, *place);
            if let Some(part) = part_of_day(piece.from, piece.to, day, zone)? {
                parts.push((*place, part));
            }
        }
        parts.sort_by_key(|(place, part)| {
            let spans_midnight = part.to - part.from < part.of_seconds;
            (spans_midnight, preference(&rows[*place]))
        });
        let window = |place: usize| {
            let piece = pieces.at(rows, place);
            (piece.from, piece.to)
        };
        for (index, (place, part)) in parts.iter().enumerate() {
            let before = &parts[..index];
            let same_window = before
                .iter()
                .find(|(other, _)| window(*other) == window(*place));
            let share = match same_window {
                Some((other, _)) => shares[other],
                None => {
                    let spans = before.iter().map(|(_, other)| (other.from, other.to));
                    Beside {
                        share: part.share(seconds_beside((part.from, part.to), spans)),
                        of: before
                            .iter()
                            .find(|(_, other)| other.from < part.to - 1 && other.to - 1 > part.from)
                            .map(|(other, _)| *other),
                    }
                }
            };
            shares.insert(*place, share);
        }
    }
    Ok(shares)
}

/// How many seconds of a span lie in none of the others. Spans that share one second are neighbours, and share none.
pub(super) fn seconds_beside(
    (from, to): (i64, i64),
    others: impl Iterator<Item = (i64, i64)>,
) -> i64 {
    let mut left = vec![(from, to)];
    for (other_from, other_to) in others {
        if to - other_from == 1 || other_to - from == 1 {
            continue;
        }
        left = left
            .into_iter()
            .flat_map(|(from, to)| [(from, to.min(other_from)), (from.max(other_to), to)])
            .filter(|(from, to)| from < to)
            .collect();
    }
    left.into_iter().map(|(from, to)| to - from).sum()
}
