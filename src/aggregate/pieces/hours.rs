//! What is used by the hour: where a later run starts within a row's window, the row counts for what was used before.

use super::piece::{Group, Piece, Pieces, Replay};
use crate::aggregate::runs::{Rewind, may_repeat};
use crate::instant::hours;

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
                let of = group.said_again(place);
                self.other
                    .insert(place, Piece::nothing(row, Replay::Void, of));
            } else if row.end > rewind.since && !self.other.contains_key(&place) {
                self.cut_window(group, place);
            }
        }
    }

    /// The rows of one window and one run, of which `place` is the first, up to the start of a later run. Where several
    /// later runs start in the window, each cuts what is known by the ones before it: the first of those that start at one
    /// instant shows best what the usage server believed about the time since.
    fn cut_window(&mut self, group: &Group, place: usize) {
        let rows = group.rows;
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
        let (mut known, mut left, mut to, mut of) = (raw, raw, row.end, None);
        for (epoch, rewind) in group.rewinds.all_after(row.id) {
            if rewind.since <= row.start || rewind.since >= to {
                continue;
            }
            let again = group.written_since(epoch, rewind, row.end);
            let later = hours_within(group, &again, row.end);
            left = used_before(known, later, row.start, rewind.since, row.end);
            known = left + later.unwrap_or(0.0);
            to = rewind.since;
            of = again.first().copied();
        }
        for other in all {
            let piece = match said.contains(&other) {
                true if left == 0.0 => Piece::nothing(&rows[other], Replay::Until, of),
                true => Piece {
                    to,
                    factor: left / raw,
                    replay: Some(Replay::Until),
                    of,
                    ..Piece::whole(&rows[other])
                },
                false => Piece::nothing(&rows[other], Replay::SameWindow, newest),
            };
            self.other.insert(other, piece);
        }
    }
}

/// Hours that rows have up to an instant, by elapsed time; `None`: there are no rows.
fn hours_within(group: &Group, places: &[usize], to: i64) -> Option<f64> {
    let within = |place: &usize| {
        let row = &group.rows[*place];
        row.raw_usage * hours(row.end.min(to) - row.start) / hours(row.end - row.start)
    };
    (!places.is_empty()).then(|| places.iter().map(within).sum())
}

/// Of `raw` hours between `from` and `to` those before `since`, given what a later run says of the time after it.
///
/// They are what it does not say: `raw - later`. If these do not fit into the time before, or if it says that the resource
/// ended right at its start, the end is the late event: the earlier run had counted it to the window's end, and what does
/// not fit into the time after was before. If it says more than there was, or nothing, all was before that there is room for.
fn used_before(raw: f64, later: Option<f64>, from: i64, since: i64, to: i64) -> f64 {
    let (before, after) = (hours(since - from), hours(to - since));
    let Some(later) = later.filter(|later| *later <= raw + NOISE) else {
        return raw.min(before);
    };
    // NICs of one offering share a row, so that it may have the hours of several windows.
    let shared_by = (raw / (before + after)).max(later / after) - NOISE;
    let shared_by = shared_by.ceil().max(1.0);
    let (before, after) = (shared_by * before, shared_by * after);
    let least = (raw - after).max(0.0).min(before);
    match later < ENDED_AT_ONCE || raw - later > before + NOISE {
        true => least,
        false => (raw - later).clamp(least, before),
    }
}

impl Group<'_> {
    /// The newest row that says the same of the same time by a later run, if any. The rows of one window stand together, in
    /// the order of ids.
    fn said_again(&self, place: usize) -> Option<usize> {
        let (rows, row) = (self.rows, &self.rows[place]);
        let same = |other: &usize| (rows[*other].start, rows[*other].end) == (row.start, row.end);
        let newest = (place..self.places.end).take_while(same).last();
        newest.filter(|newest| self.epoch(*newest) > self.epoch(place))
    }

    /// Rows that runs of an epoch have written of the time between the start of its first and an instant: of each window
    /// those of the first run, as a run may write several rows of one window only of what may repeat.
    fn written_since(&self, epoch: usize, rewind: &Rewind, to: i64) -> Vec<usize> {
        let rows = self.rows;
        let mut written: Vec<usize> = self
            .places
            .clone()
            .filter(|place| {
                self.epoch(*place) == epoch
                    && rows[*place].start >= rewind.since
                    && rows[*place].start < to
            })
            .collect();
        written.dedup_by(|later, earlier| {
            let window = |place: usize| (rows[place].start, rows[place].end);
            window(*later) == window(*earlier) && !may_repeat(&rows[*later])
        });
        written
    }
}
