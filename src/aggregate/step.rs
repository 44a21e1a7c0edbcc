//! What becomes of one row on its way into a day's figures, for whoever wants to be told.

use super::VmFacts;
use super::replay::Replay;
use super::window::Part;
use crate::metric::{Metric, Per};
use crate::row::UsageRow;

/// One row that touches the day.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub row: &'a UsageRow,
    pub part: Part,
    /// Of the whole row, that counts for the day unless its fate is not to count.
    pub share: f64,
    pub fate: Fate,
    /// The id of a row that goes before this one where they say the same.
    pub repeats: Option<u64>,
    pub figures: Figures,
}

/// Why the share is what it is, or why the row does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The window lies within the day.
    Within,
    /// It starts up to a minute early, which is taken for the midnight.
    Glued,
    /// It spans midnight and is shared by elapsed time.
    Shared,
    /// What of it lies beside others that go before it.
    Beside,
    /// Not counted: other rows say the same.
    Repeats(Replay),
    /// Not counted: hidden from CloudStack's own API.
    Hidden,
    /// Not counted: repeats the volume's own row.
    PerVmVolume,
}

/// The figures that a row belongs to. What it adds to each is the same.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub metric: Metric,
    pub source_id: u64,
    /// A running VM counts for its guest OS as well.
    pub guest_os_id: Option<u64>,
    /// In the metric's unit; 0 for a row that does not count.
    pub quantity: f64,
}

impl Fate {
    pub(super) fn of(row: &UsageRow, part: Part, share: f64, replay: Option<Replay>) -> Fate {
        match replay {
            Some(replay @ (Replay::SameWindow | Replay::Contained)) => Fate::Repeats(replay),
            Some(replay) if share == 0.0 => Fate::Repeats(replay),
            _ if row.hidden => Fate::Hidden,
            _ if row.usage_type == Some(6) && row.of_vm => Fate::PerVmVolume,
            Some(_) => Fate::Beside,
            None if part.to - part.from < part.of_seconds => Fate::Shared,
            None if part.of_seconds < row.end - row.start => Fate::Glued,
            None => Fate::Within,
        }
    }

    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Within => "within",
            Fate::Glued => "glued",
            Fate::Shared => "shared",
            Fate::Beside => "beside",
            Fate::Repeats(Replay::SameWindow) => "same_window",
            Fate::Repeats(Replay::Contained) => "contained",
            Fate::Repeats(Replay::Overlapping) => "overlapped",
            Fate::Hidden => "hidden",
            Fate::PerVmVolume => "per_vm_volume",
        }
    }

    pub fn counts(self) -> bool {
        matches!(
            self,
            Fate::Within | Fate::Glued | Fate::Shared | Fate::Beside
        )
    }
}

impl Figures {
    pub(super) fn of(row: &UsageRow, vms: &VmFacts) -> Figures {
        let metric = match Metric::of_usage_type(row.usage_type).0 {
            Metric::BackupByteHours if !row.raw_is_hours => Metric::UsageType(28),
            metric => metric,
        };
        let source_id = match metric.per() {
            Some(Per::ServiceOffering | Per::NetworkOffering | Per::BackupOffering) => {
                row.offering_id
            }
            Some(Per::IpAddress) => row.usage_id,
            // Guest OS hours are booked beside the VM's, where its OS is known.
            Some(Per::GuestOs) | None => 0,
        };
        let runs = metric == Metric::VmRunning;
        Figures {
            metric,
            source_id,
            guest_os_id: runs.then(|| (vms.guest_os)(row.usage_id, row.template_id)),
            quantity: 0.0,
        }
    }

    /// Metric, and id in CloudStack of what it is kept per.
    pub fn keys(self) -> impl Iterator<Item = (Metric, u64)> {
        let guest_os = self.guest_os_id.map(|id| (Metric::OsUsage, id));
        [(self.metric, self.source_id)].into_iter().chain(guest_os)
    }
}
