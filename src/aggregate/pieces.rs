//! What of each row counts: at each instant what the newest run that covered it says, and nothing twice. First what later
//! runs void is taken away (`runs` tells them); then, where no run tells, of rows that say the same the better one counts.

mod hours;
mod kinds;
mod overlap;
mod volumes;

use std::collections::HashMap;
use std::ops::Range;

use super::runs::Rewinds;
use crate::row::UsageRow;

/// Why a row is not counted, or not wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replay {
    /// A later run covered the time.
    Void,
    /// A later run covered the end of its window, and the row counts up to where that starts.
    Until,
    /// A counter of which another row has counted a part, or all.
    Counted,
    /// Another row has the same identity and the same window.
    SameWindow,
    /// Another row of the same identity has a window around this one's.
    Contained,
    /// Windows of the same identity lie across each other.
    Overlapping,
    /// The volume has its own row, beside those for each VM.
    OwnRow,
}

/// What of a row counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// The instants it counts for, `[from, to)`, since 1970 UTC. Equal: none.
    pub from: i64,
    pub to: i64,
    /// Of the row's amount, what was used in them, from 0 to 1.
    pub factor: f64,
    pub replay: Option<Replay>,
    /// The place of a row that goes before it.
    pub of: Option<usize>,
    /// The place of the row whose size it has, if that is another.
    pub size_of: Option<usize>,
}

impl Piece {
    /// All of a row. A counter stands at the last instant of its window, when it was read.
    pub fn whole(row: &UsageRow) -> Piece {
        Piece {
            from: if is_counter(row.usage_type) {
                row.end - 1
            } else {
                row.start
            },
            to: row.end,
            factor: 1.0,
            replay: None,
            of: None,
            size_of: None,
        }
    }

    pub fn counts(&self) -> bool {
        self.from < self.to
    }

    fn nothing(row: &UsageRow, replay: Replay, of: Option<usize>) -> Piece {
        Piece {
            to: i64::MIN,
            factor: 0.0,
            replay: Some(replay),
            of,
            ..Piece::whole(row)
        }
    }
}

/// What of the rows counts, by their place; a row that is not here counts wholly.
#[derive(Debug, Default)]
pub struct Pieces {
    other: HashMap<usize, Piece>,
    /// Places of rows, group by group, whose pieces still lie across each other.
    pub across: Vec<Vec<usize>>,
}

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

    pub fn at(&self, rows: &[UsageRow], place: usize) -> Piece {
        let other = self.other.get(&place).copied();
        other.unwrap_or_else(|| Piece::whole(&rows[place]))
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

/// Rows that belong together, by their places.
struct Group<'a> {
    rows: &'a [UsageRow],
    places: Range<usize>,
    rewinds: &'a Rewinds,
}

impl Group<'_> {
    /// How many rewinds a row comes after: rows of one number were written by runs that do not void each other.
    fn epoch(&self, place: usize) -> usize {
        self.rewinds.before(self.rows[place].id)
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

fn is_counter(usage_type: Option<u32>) -> bool {
    matches!(usage_type, Some(4 | 5 | 21..=24))
}

/// What a row tells of: one resource, in one zone. Rows of one identity tell of the same.
pub fn resource_of(row: &UsageRow) -> (u64, Option<u32>, u32) {
    (row.usage_id, row.usage_type, row.zone_id)
}

/// Of rows that say the same, the one with the smallest value counts: the newest, but of buckets (29) and backups (28)
/// the oldest, as later runs write today's size.
fn preference(row: &UsageRow) -> u64 {
    match row.usage_type {
        Some(28 | 29) => row.id,
        Some(_) | None => u64::MAX - row.id,
    }
}

pub use overlap::shares_of_overlapping;
