//! What is doubtful in a day's source data. A finding points at something to look at; it never changes a
//! figure. Kinds are contract: they stand in the ledger's `findings` view.

use crate::metric::Metric;

/// One doubtful thing of one day.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub kind: FindingKind,
    /// `account.id` in CloudStack.
    pub account_id: Option<u64>,
    pub metric: Option<Metric>,
    /// What it is about, such as `vm:12` or `service_offering:3`.
    pub resource: Option<String>,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// A row that must be multiplied by its size has none; it counts as 0.
    SizeUnknown,
    /// Rows that repeat others were left out.
    ReplayedRows,
    /// A resource was in use for longer than the day lasts.
    HoursExceedDay,
    /// A VM was used after `cloud` says it was removed.
    UsedAfterRemoval,
    /// A usage type without a metric; the raw values are summed under `usage_type_<n>`.
    UnknownUsageType,
    /// An account or resource that `cloud` does not know; the usage is kept under a stand-in.
    Unresolved,
    /// A backup row whose raw value is not hours; it is kept under `usage_type_28`.
    NotHours,
    /// Windows that start on one local day and end on another were shared between them.
    SpansMidnight,
    /// The newest successful usage jobs all start at the same old instant: days are written again and again.
    UsageJobStuck,
    /// A closed day whose stored value is not what the source says now.
    DiffersFromSource,
    /// The ledger holds what the source no longer has; an import left the day as it is.
    Refused,
}

impl FindingKind {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::SizeUnknown => "size_unknown",
            FindingKind::ReplayedRows => "replayed_rows",
            FindingKind::HoursExceedDay => "hours_exceed_day",
            FindingKind::UsedAfterRemoval => "used_after_removal",
            FindingKind::UnknownUsageType => "unknown_usage_type",
            FindingKind::Unresolved => "unresolved",
            FindingKind::NotHours => "not_hours",
            FindingKind::SpansMidnight => "spans_midnight",
            FindingKind::UsageJobStuck => "usage_job_stuck",
            FindingKind::DiffersFromSource => "differs_from_source",
            FindingKind::Refused => "refused",
        }
    }
}
