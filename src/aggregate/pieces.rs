//! What of each row counts: at each instant what the newest run that covered it says, and nothing twice. First what later
//! runs void is taken away (`runs` finds them); then, where no run explains it, the better one of rows that say the same counts.

mod hours;
mod kinds;
mod overlap;
mod piece;
mod volumes;

use std::ops::Range;

use super::runs::Rewinds;
use crate::row::UsageRow;
pub use overlap::shares_of_overlapping;
use piece::{Group, is_counter};
pub use piece::{Piece, Pieces, Replay, resource_of};

impl Pieces {
    /// Of rows that touch a day, and others that these depend on. Sorts them by resource and identity. What is said of a
    /// row does not depend on the order they came in.
    pub fn of(rows: &mut [UsageRow], rewinds: &Rewinds) -> Pieces {
        rows.sort_unstable_by(|a, b| {
            let rest = |row: &UsageRow| (row.start, std::cmp::Reverse(row.end), row.id);
            resource_of(a)
                .cmp(&resource_of(b))
                .then_with(|| a.identity.cmp(&b.identity))
                .then_with(|| rest(a).cmp(&rest(b)))
        });
        let mut pieces = Pieces::default();
        let mut resource = 0..0;
        let mut first = 0;
        for group in rows.chunk_by(|a, b| a.identity == b.identity) {
            let places = first..first + group.len();
            first = places.end;
            if !is_plain(group, rewinds) {
                pieces.add_group(rows, places.clone(), rewinds);
            }
            if resource_of(&rows[resource.start]) != resource_of(&group[0]) {
                pieces.finish_resource(rows, resource, rewinds);
                resource = places.clone();
            }
            resource.end = places.end;
        }
        if !rows.is_empty() {
            pieces.finish_resource(rows, resource, rewinds);
        }
        pieces
    }

    /// Rows of one identity.
    fn add_group(&mut self, rows: &[UsageRow], places: Range<usize>, rewinds: &Rewinds) {
        let group = Group {
            rows,
            places,
            rewinds,
        };
        let usage_type = rows[group.places.start].usage_type;
        match usage_type {
            _ if is_counter(usage_type) => return self.add_counter(&group),
            Some(25 | 27) => self.cut_snapshots(&group),
            Some(29) => self.cut_buckets(&group),
            _ => self.cut_hours(&group),
        }
        self.drop_repeats(&group);
        if usage_type == Some(28) {
            self.keep_first_sizes(&group);
        }
    }

    /// Rows of one resource, whose identities are all done.
    fn finish_resource(&mut self, rows: &[UsageRow], places: Range<usize>, rewinds: &Rewinds) {
        match rows[places.start].usage_type {
            Some(6) => self.drop_rows_per_vm(rows, places),
            Some(2) if !rewinds.is_empty() => self.keep_scaled(&Group {
                rows,
                places,
                rewinds,
            }),
            _ => {}
        }
    }
}

/// Whether windows follow each other and no run voids any of them, as it is nearly always.
fn is_plain(group: &[UsageRow], rewinds: &Rewinds) -> bool {
    let in_turn = group
        .windows(2)
        .all(|pair| pair[0].end - 1 <= pair[1].start);
    let untouched = |row: &UsageRow| {
        rewinds
            .after(row.id)
            .is_none_or(|rewind| row.end <= rewind.since)
            && (row.usage_type != Some(29)
                || rewinds
                    .of_row(row.id)
                    .is_none_or(|rewind| row.start >= rewind.covered_until))
    };
    in_turn && (rewinds.is_empty() || group.iter().all(untouched))
}
