//! A piece: what of one row counts, and why the rest does not; and the rows that are judged together.

use std::collections::HashMap;
use std::ops::Range;

use crate::aggregate::runs::Rewinds;
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

    pub(super) fn nothing(row: &UsageRow, replay: Replay, of: Option<usize>) -> Piece {
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
    pub(super) other: HashMap<usize, Piece>,
    /// Places of rows, group by group, whose pieces still lie across each other.
    pub across: Vec<Vec<usize>>,
}

impl Pieces {
    pub fn at(&self, rows: &[UsageRow], place: usize) -> Piece {
        let other = self.other.get(&place).copied();
        other.unwrap_or_else(|| Piece::whole(&rows[place]))
    }
}

/// Rows that belong together, by their places.
pub(super) struct Group<'a> {
    pub rows: &'a [UsageRow],
    pub places: Range<usize>,
    pub rewinds: &'a Rewinds,
}

impl Group<'_> {
    /// How many rewinds a row comes after: rows of one number were written by runs that do not void each other.
    pub fn epoch(&self, place: usize) -> usize {
        self.rewinds.before(self.rows[place].id)
    }
}

pub(super) fn is_counter(usage_type: Option<u32>) -> bool {
    matches!(usage_type, Some(4 | 5 | 21..=24))
}

/// What a row is about: one resource, in one zone. Rows of one identity are about the same.
pub fn resource_of(row: &UsageRow) -> (u64, Option<u32>, u32) {
    (row.usage_id, row.usage_type, row.zone_id)
}

/// Of rows that say the same, the one with the smallest value counts: the newest, but of buckets (29) and backups (28)
/// the oldest, as later runs write today's size.
pub(super) fn preference(row: &UsageRow) -> u64 {
    match row.usage_type {
        Some(28 | 29) => row.id,
        Some(_) | None => u64::MAX - row.id,
    }
}
