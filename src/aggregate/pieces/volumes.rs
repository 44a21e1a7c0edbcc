//! Volume rows for each VM, which CloudStack writes from 4.22.1 on beside the volume's own row. Some builds write them
//! alone, so one is left out only where the volume has a row of its own for the time.

use std::ops::Range;

use super::overlap::seconds_beside;
use super::piece::{Piece, Pieces, Replay};
use crate::row::UsageRow;

impl Pieces {
    /// The rows of one volume.
    pub(super) fn drop_rows_per_vm(&mut self, rows: &[UsageRow], places: Range<usize>) {
        if places.clone().all(|place| rows[place].vm_id == 0) {
            return;
        }
        let own: Vec<(usize, (i64, i64))> = places
            .clone()
            .filter(|place| rows[*place].vm_id == 0)
            .map(|place| (place, self.at(rows, place)))
            .filter(|(_, piece)| piece.counts())
            .map(|(place, piece)| (place, (piece.from, piece.to)))
            .collect();
        for place in places.filter(|place| rows[*place].vm_id != 0) {
            let piece = self.at(rows, place);
            if !piece.counts() {
                continue;
            }
            let spans = own.iter().map(|(_, span)| *span);
            let left = seconds_beside((piece.from, piece.to), spans);
            if left == piece.to - piece.from {
                continue;
            }
            let of = own
                .iter()
                .find(|(_, (from, to))| *from < piece.to && *to > piece.from);
            let of = of.map(|(place, _)| *place);
            // A second that windows share is nobody's.
            let piece = match left <= 1 {
                true => Piece::nothing(&rows[place], Replay::OwnRow, of),
                false => Piece {
                    // Up to 2^53 seconds are exact.
                    factor: piece.factor * left as f64 / (piece.to - piece.from) as f64,
                    replay: Some(Replay::Overlapping),
                    of,
                    ..piece
                },
            };
            self.other.insert(place, piece);
        }
    }
}
