//! What becomes of one row on its way into a day's figures, for callers that report it.

use super::pieces::{Piece, Replay};
use super::runs::Rewind;
use super::window::Part;
use crate::metric::{Breakdown, Metric};
use crate::row::UsageRow;

/// One row that touches the day.
#[derive(Clone, Debug)]
pub struct RowTrace<'a> {
    pub row: &'a UsageRow,
    pub part: Part,
    /// Of the whole row, that counts for the day unless its outcome is not to count.
    pub share: f64,
    pub outcome: RowOutcome,
    /// The id of a row that goes before this one where they say the same.
    pub repeats: Option<u64>,
    /// The later run that voids it, or the end of its window.
    pub rewind: Option<Rewind>,
    pub figure: RowFigure,
}

/// Why the share is what it is, or why the row does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// The window lies within the day.
    Within,
    /// It starts up to a minute early, which is taken for the midnight.
    Glued,
    /// It spans midnight and is shared by elapsed time.
    Shared,
    /// What was used up to the start of a later run, which covers the rest of its window.
    Until,
    /// What is more than a counter's earlier rows have counted.
    Excess,
    /// What of it lies beside others that go before it.
    Beside,
    /// Not counted: a later run covered its window, or other rows say the same.
    Repeats(Replay),
    /// Not counted: hidden from CloudStack's own API.
    Hidden,
}

/// The figure that a row belongs to. A running VM counts as much for its guest OS.
#[derive(Clone, Copy, Debug)]
pub struct RowFigure {
    pub metric: Metric,
    pub source_id: u64,
    /// In the metric's unit; 0 for a row that does not count.
    pub quantity: f64,
}

impl RowOutcome {
    /// Of a row whose piece has this part in the day, less than `whole` of it where others lie across it.
    pub(super) fn of(row: &UsageRow, piece: &Piece, part: Part, share: f64) -> RowOutcome {
        let whole = part.share(part.to - part.from);
        match piece.replay {
            Some(replay) if !piece.counts() => RowOutcome::Repeats(replay),
            _ if share == 0.0 => RowOutcome::Repeats(Replay::Overlapping),
            _ if row.hidden => RowOutcome::Hidden,
            Some(Replay::Until) => RowOutcome::Until,
            Some(Replay::Counted) => RowOutcome::Excess,
            Some(_) => RowOutcome::Beside,
            None if share < whole => RowOutcome::Beside,
            None if part.to - part.from < part.of_seconds => RowOutcome::Shared,
            None if part.of_seconds < piece.to - piece.from => RowOutcome::Glued,
            None => RowOutcome::Within,
        }
    }

    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            RowOutcome::Within => "within",
            RowOutcome::Glued => "glued",
            RowOutcome::Shared => "shared",
            RowOutcome::Until => "until_run",
            RowOutcome::Excess => "excess",
            RowOutcome::Beside => "beside",
            RowOutcome::Repeats(Replay::Void) => "void",
            RowOutcome::Repeats(Replay::Until) => "until_run",
            RowOutcome::Repeats(Replay::Counted) => "counted",
            RowOutcome::Repeats(Replay::OwnRow) => "per_vm_volume",
            RowOutcome::Repeats(Replay::SameWindow) => "same_window",
            RowOutcome::Repeats(Replay::Contained) => "contained",
            RowOutcome::Repeats(Replay::Overlapping) => "overlapped",
            RowOutcome::Hidden => "hidden",
        }
    }

    pub fn counts(self) -> bool {
        matches!(
            self,
            RowOutcome::Within
                | RowOutcome::Glued
                | RowOutcome::Shared
                | RowOutcome::Until
                | RowOutcome::Excess
                | RowOutcome::Beside
        )
    }
}

impl RowFigure {
    pub(super) fn of(row: &UsageRow) -> RowFigure {
        let metric = match Metric::of_usage_type(row.usage_type).0 {
            Metric::BackupByteHours if !row.raw_is_hours => Metric::UsageType(28),
            metric => metric,
        };
        let source_id = match metric.per() {
            Some(
                Breakdown::ServiceOffering | Breakdown::NetworkOffering | Breakdown::BackupOffering,
            ) => row.offering_id,
            Some(Breakdown::IpAddress) => row.usage_id,
            // Guest OS hours are booked beside the VM's, where its OS is known.
            Some(Breakdown::GuestOs | Breakdown::DiskOffering) | None => 0,
        };
        RowFigure {
            metric,
            source_id,
            quantity: 0.0,
        }
    }
}
