//! Usage types that are no plain hours: counters, buckets, backups, VM snapshots, and VMs that were scaled.

use super::piece::{Group, Piece, Pieces, Replay, resource_of};
use crate::instant::hours;

impl Pieces {
    /// Counters stand at the last instant of their window and never change, so no run voids them. What counts of a row is
    /// what is more than earlier rows whose ends lie in its window: a run that starts before an earlier amount was
    /// stamped writes it again, glued to the next day's if the start is within a minute before midnight.
    pub(super) fn add_counter(&mut self, group: &Group) {
        let rows = group.rows;
        let mut order: Vec<usize> = group.places.clone().collect();
        order.sort_unstable_by_key(|place| rows[*place].id);
        let mut counted: Vec<(usize, f64)> = Vec::new();
        for place in order {
            let row = &rows[place];
            // Windows that share a second are neighbours, unless a run starts in the last second of an earlier one.
            let starts_run = group
                .rewinds
                .of_row(row.id)
                .is_some_and(|rewind| rewind.since == row.start);
            let first = row.start + i64::from(!starts_run);
            let inside = |other: usize| rows[other].end > first && rows[other].end <= row.end;
            let before: f64 = counted
                .iter()
                .filter(|(other, _)| inside(*other))
                .map(|(_, amount)| amount)
                .sum();
            let amount = (row.raw_usage - before).max(0.0);
            let of = counted.iter().find(|(other, _)| inside(*other));
            let piece = Piece {
                factor: if before > 0.0 {
                    amount / row.raw_usage
                } else {
                    1.0
                },
                replay: (before > 0.0).then_some(Replay::Counted),
                of: of.map(|(other, _)| *other),
                ..Piece::whole(row)
            };
            self.other.insert(
                place,
                match amount > 0.0 || before == 0.0 {
                    true => piece,
                    false => Piece::nothing(row, Replay::Counted, piece.of),
                },
            );
            if amount > 0.0 {
                counted.push((place, amount));
            }
        }
    }

    /// The usage server writes a VM snapshot (25, 27) for as long as it knows of it, and what it has written once it need
    /// not write again (4.11 to 4.23). So rows stay, up to where a later run writes the same, or has it end.
    pub(super) fn cut_snapshots(&mut self, group: &Group) {
        let rows = group.rows;
        for place in group.places.clone() {
            let row = &rows[place];
            let ended = group.rewinds.last_ends.get(&row.identity);
            if group.rewinds.after(row.id).is_some() && ended.is_some_and(|end| *end <= row.start) {
                self.other
                    .insert(place, Piece::nothing(row, Replay::Void, None));
                continue;
            }
            let later = group.places.clone().filter(|other| {
                group.epoch(*other) > group.epoch(place)
                    && rows[*other].start < row.end
                    && rows[*other].end > row.start
            });
            let Some(of) = later.min_by_key(|other| (rows[*other].start, rows[*other].id)) else {
                continue;
            };
            let piece = match rows[of].start <= row.start {
                true => Piece::nothing(row, Replay::Void, Some(of)),
                false => until(row, rows[of].start, Some(of)),
            };
            self.other.insert(place, piece);
        }
    }

    /// Of buckets (29) every run writes those that there are today, with today's size: the run that first covered the
    /// time is right.
    pub(super) fn cut_buckets(&mut self, group: &Group) {
        let rows = group.rows;
        for place in group.places.clone() {
            let row = &rows[place];
            let Some(rewind) = group.rewinds.of_row(row.id) else {
                continue;
            };
            let from = rewind.covered_until;
            if row.end <= from {
                self.other
                    .insert(place, Piece::nothing(row, Replay::Void, None));
            } else if row.start < from {
                let piece = Piece {
                    from,
                    factor: hours(row.end - from) / hours(row.end - row.start),
                    replay: Some(Replay::Until),
                    ..Piece::whole(row)
                };
                self.other.insert(place, piece);
            }
        }
    }

    /// A backup's (28) hours are those of the newest run, its size that of the first run that knew it at the time: every
    /// run writes today's.
    pub(super) fn keep_first_sizes(&mut self, group: &Group) {
        let rows = group.rows;
        for place in group.places.clone() {
            let piece = self.at(rows, place);
            if !piece.counts() {
                continue;
            }
            let first = group.places.clone().filter(|other| {
                // A window glued to an earlier one's last seconds is of a time of its own.
                let shared = rows[*other].end.min(piece.to) - rows[*other].start.max(piece.from);
                group.epoch(*other) < group.epoch(place) && 2 * shared > piece.to - piece.from
            });
            let size_of = first.min_by_key(|other| rows[*other].id);
            if size_of.is_some() {
                self.other.insert(place, Piece { size_of, ..piece });
            }
        }
    }

    /// After a live change of its offering a VM has no allocated hours (2) under the old one any more (4.16.1 to 4.23),
    /// though running ones (1). Where a run says such a thing of a window, what earlier ones wrote of it stays, up to
    /// what the run's other allocated hours of the VM leave of the window.
    pub(super) fn keep_scaled(&mut self, group: &Group) {
        let rows = group.rows;
        let (vm, _, zone) = resource_of(&rows[group.places.start]);
        // The rows of type 1 of this VM stand right before those of type 2.
        let before = rows[..group.places.start].iter().rev();
        let running = before
            .take_while(|row| resource_of(row) == (vm, Some(1), zone))
            .count();
        let running = group.places.start - running..group.places.start;
        let mut void: Vec<usize> = group.places.clone().collect();
        void.retain(|place| self.at(rows, *place).replay == Some(Replay::Void));
        // The newest of an offering and window first, so that no other stays beside it.
        void.sort_unstable_by_key(|place| std::cmp::Reverse(rows[*place].id));
        let mut kept: Vec<usize> = Vec::new();
        for place in void {
            let row = &rows[place];
            let newest = group.rewinds.newest_of(row.end);
            let overlaps = |other: &usize| {
                rows[*other].start < row.end
                    && rows[*other].end > row.start
                    && group.epoch(*other) == newest
            };
            let same_offering = |other: &usize| rows[*other].offering_id == row.offering_id;
            let runs = running
                .clone()
                .any(|other| overlaps(&other) && same_offering(&other));
            let allocated: Vec<usize> = group.places.clone().filter(overlaps).collect();
            let repeated = kept.iter().any(|other| {
                same_offering(other) && rows[*other].start < row.end && rows[*other].end > row.start
            });
            if !runs || repeated || allocated.iter().any(same_offering) {
                continue;
            }
            let others: f64 = allocated.iter().map(|other| rows[*other].raw_usage).sum();
            let left = (hours(row.end - row.start) - others).max(0.0);
            let piece = Piece {
                factor: if row.raw_usage > 0.0 {
                    (left / row.raw_usage).min(1.0)
                } else {
                    1.0
                },
                ..Piece::whole(row)
            };
            self.other.insert(place, piece);
            kept.push(place);
        }
    }
}

/// A row up to an instant within its window, by elapsed time.
fn until(row: &crate::row::UsageRow, to: i64, of: Option<usize>) -> Piece {
    Piece {
        to,
        factor: hours(to - row.start) / row.raw_usage.max(hours(to - row.start)),
        replay: Some(Replay::Until),
        of,
        ..Piece::whole(row)
    }
}
