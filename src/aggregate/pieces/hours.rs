//! What is used by the hour: where a later run starts within a row's window, the row counts for what was used before.

use std::collections::BTreeMap;

use super::{Group, Piece, Pieces, Replay};
use crate::aggregate::runs::{Rewind, may_repeat};
use crate::aggregate::window::hours;
use crate::row::UsageRow;

/// A resource that had ended when a run starts has a row of one millisecond in it, 2.8e-7 hours (CloudStack 4.0 to 4.23).
const ENDED_AT_ONCE: f64 = 3e-6;

/// Hours that 32-bit floats are off by at most, in sums of a day.
const NOISE: f64 = 1e-4;

impl Pieces {
    /// Takes away what later runs void. `Group::places` are in the order of starts.
    pub(super) fn cut_hours(&mut self, group: &Group) {
        let rows = group.rows;
        for place in group.places.clone() {
            let row = &rows[place];
            let Some(rewind) = group.rewinds.after(row.id) else {
                continue;
            };
            if row.start >= rewind.since {
                let of = self.said_again(group, place);
                self.other
                    .insert(place, Piece::nothing(row, Replay::Void, of));
            } else if row.end > rewind.since && !self.other.contains_key(&place) {
                self.cut_window(group, place, rewind);
            }
        }
    }

    /// The rows of one window and one run, of which `place` is the first, up to the start of a later run.
    ///
    /// What was believed of the time after it when the rows were written is what the first run said that started there, if
    /// others have since. Else: of `raw` hours in the window, those before are what the later run does not say: `raw - later`. If these do not fit
    /// into the time before, or if the later run says that the resource ended right at its start, its end is the late
    /// event: the earlier run had counted it to the window's end, and what does not fit into the time after was before.
    /// If the later run says more than there was, its start is late, and all was before that there is room for.
    fn cut_window(&mut self, group: &Group, place: usize, rewind: &Rewind) {
        let rows = group.rows;
        let since = rewind.since;
        let row = &rows[place];
        let epoch = group.epoch(place);
        let all: Vec<usize> = group
            .places
            .clone()
            .filter(|other| {
                (rows[*other].start, rows[*other].end) == (row.start, row.end)
                    && group.epoch(*other) == epoch
            })
            .collect();
        // Of what the usage server adds up itself, a window has one row.
        let newest = all.iter().copied().max_by_key(|other| rows[*other].id);
        let said: Vec<usize> = match may_repeat(row) {
            true => all.clone(),
            false => newest.into_iter().collect(),
        };
        let raw: f64 = said.iter().map(|other| rows[*other].raw_usage).sum();
        let again: Vec<usize> = group
            .places
            .clone()
            .filter(|other| {
                group.epoch(*other) == epoch + 1
                    && rows[*other].start >= since
                    && rows[*other].start < row.end
            })
            .collect();
        let within = |other: &UsageRow| {
            let length = hours(other.end - other.start);
            other.raw_usage * hours(other.end.min(row.end) - other.start) / length
        };
        let later: f64 = again.iter().map(|other| within(&rows[*other])).sum();
        let (before, after) = (hours(since - row.start), hours(row.end - since));
        // NICs of one offering share a row, so that it may have the hours of several windows.
        let shared_by = (raw / (before + after)).max(later / after) - NOISE;
        let shared_by = shared_by.ceil().max(1.0);
        let (before, after) = (shared_by * before, shared_by * after);
        let least = (raw - after).max(0.0);
        let ended_at_once = later < ENDED_AT_ONCE && !again.is_empty();
        let believed = (rewind.repeated && !may_repeat(row))
            .then(|| {
                group
                    .first_said(since, row.end, epoch)
                    .map(|other| within(&rows[other]))
            })
            .map(Iterator::sum::<f64>);
        let counted = if let Some(believed) = believed {
            (raw - believed).max(0.0)
        } else if again.is_empty() || later > raw + NOISE {
            raw.min(before)
        } else if ended_at_once || raw - later > before + NOISE {
            least.min(before)
        } else {
            (raw - later).clamp(least.min(before), before)
        };
        for other in all {
            let piece = match said.contains(&other) {
                true if counted == 0.0 => {
                    Piece::nothing(&rows[other], Replay::Until, again.first().copied())
                }
                true => Piece {
                    to: since,
                    factor: counted / raw,
                    replay: Some(Replay::Until),
                    of: again.first().copied(),
                    ..Piece::whole(&rows[other])
                },
                false => Piece::nothing(&rows[other], Replay::SameWindow, newest),
            };
            self.other.insert(other, piece);
        }
    }

    /// The newest row that says the same of the same time by a later run, if any.
    pub(super) fn said_again(&self, group: &Group, place: usize) -> Option<usize> {
        let (rows, row) = (group.rows, &group.rows[place]);
        let later = group.places.clone().filter(|other| {
            let other = &rows[*other];
            other.id > row.id && other.start < row.end && other.end > row.start
        });
        later
            .filter(|other| group.epoch(*other) > group.epoch(place))
            .max_by_key(|other| rows[*other].id)
    }
}

impl Group<'_> {
    /// Of each window between two instants the first row of an epoch.
    fn first_said(
        &self,
        since: i64,
        until: i64,
        epoch: usize,
    ) -> impl Iterator<Item = usize> + use<> {
        let mut first: BTreeMap<(i64, i64), usize> = BTreeMap::new();
        for place in self.places.clone() {
            let row = &self.rows[place];
            if self.epoch(place) == epoch && row.start >= since && row.start < until {
                let of_window = first.entry((row.start, row.end)).or_insert(place);
                if row.id < self.rows[*of_window].id {
                    *of_window = place;
                }
            }
        }
        first.into_values()
    }
}
