//! What is doubtful in a day's source data. A finding points at something to look at; it never changes a
//! figure. Kinds are contract: they stand in the ledger's `findings` view.

use anyhow::Context;

use crate::metric::Metric;
use crate::suggestion::did_you_mean;

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
    /// A row that must be multiplied by its size has one that can hardly be.
    SizeDoubtful,
    /// A row ends before it starts; it amounts to nothing.
    EndsBeforeStart,
    /// Rows that repeat others were left out.
    ReplayedRows,
    /// A later run of the usage server wrote the day again, and figures are others than before it.
    Rewritten,
    /// The rows of runs are not in the order of the runs, so that none of them voids what another one said.
    RunsDisordered,
    /// A resource was in use for longer than the day lasts.
    HoursExceedDay,
    /// A device has the same traffic on several networks in one window.
    SameTraffic,
    /// Something of a VM or an account was used after `cloud` says that it was removed.
    UsedAfterRemoval,
    /// A usage type without a metric; the raw values are summed under `usage_type_<n>`.
    UnknownUsageType,
    /// An account or resource that `cloud` does not know; the usage is kept under a stand-in.
    Unresolved,
    /// A backup row whose raw value is not hours; it is kept under `usage_type_28`.
    NotHours,
    /// Windows that start on one local day and end on another were shared between them.
    SpansMidnight,
    /// Most windows lie across midnight by the same offset: the zone is wrong, and the day was stored by force.
    WrongZone,
    /// The source's first row begins within the day.
    SourceBegins,
    /// The source has no rows of a finished day, and some of the day before.
    NoRows,
    /// The newest successful usage jobs all start at the same old instant: days are written again and again.
    UsageJobStuck,
    /// An account used far more or far less than on the days before.
    Unusual,
    /// An id in CloudStack means another account than before, or an account has got another id.
    AccountIdChanged,
    /// A closed day whose stored value is not what the source says now.
    DiffersFromSource,
    /// Lines of a sealed day are not what the source says now, though no figure differs: `verify` has found it.
    LinesDiffer,
    /// `cloud` has another uuid now for an id whose usage is stored: `verify` has found it.
    Remapped,
    /// The source no longer has what the ledger holds, or has a row that cannot be; an import left the day as it is.
    Refused,
}

impl FindingKind {
    pub const ALL: [FindingKind; 23] = [
        FindingKind::SizeUnknown,
        FindingKind::SizeDoubtful,
        FindingKind::EndsBeforeStart,
        FindingKind::ReplayedRows,
        FindingKind::Rewritten,
        FindingKind::RunsDisordered,
        FindingKind::HoursExceedDay,
        FindingKind::SameTraffic,
        FindingKind::UsedAfterRemoval,
        FindingKind::UnknownUsageType,
        FindingKind::Unresolved,
        FindingKind::NotHours,
        FindingKind::SpansMidnight,
        FindingKind::WrongZone,
        FindingKind::SourceBegins,
        FindingKind::NoRows,
        FindingKind::UsageJobStuck,
        FindingKind::Unusual,
        FindingKind::AccountIdChanged,
        FindingKind::DiffersFromSource,
        FindingKind::LinesDiffer,
        FindingKind::Remapped,
        FindingKind::Refused,
    ];

    /// The kind with a published name.
    pub fn of_name(name: &str) -> anyhow::Result<FindingKind> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.with_context(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            match did_you_mean(name, names.iter().copied()) {
                none if none.is_empty() => format!("there are the kinds {}", names.join(", ")),
                nearest => format!("no kind is called {name:?}{nearest}"),
            }
        })
    }

    /// The defect of CloudStack that such a finding is known from, as its tracker has it. Told by the kind and the
    /// metric alone, so it is where to read on and no proof.
    pub fn upstream(self, metric: Option<&str>) -> Option<&'static str> {
        match (self, metric) {
            (FindingKind::ReplayedRows, Some("vm_snapshot_byte_hours")) => {
                Some("apache/cloudstack #5662")
            }
            (FindingKind::SizeDoubtful, Some("secondary_byte_hours")) => {
                Some("apache/cloudstack #9660")
            }
            (FindingKind::SizeDoubtful, Some("backup_byte_hours")) => {
                Some("apache/cloudstack #11442")
            }
            (FindingKind::SizeDoubtful, _) => None,
            (FindingKind::SameTraffic, _) => Some("apache/cloudstack #3944"),
            (FindingKind::EndsBeforeStart, _) => Some("apache/cloudstack #13019"),
            (
                FindingKind::ReplayedRows | FindingKind::Rewritten | FindingKind::UsageJobStuck,
                _,
            ) => Some("apache/cloudstack #13906"),
            (FindingKind::HoursExceedDay, Some("vm_running" | "vm_allocated" | "os_usage")) => {
                Some("apache/cloudstack #12590")
            }
            (FindingKind::HoursExceedDay, Some("primary_byte_hours")) => {
                Some("apache/cloudstack #6717")
            }
            (FindingKind::HoursExceedDay, Some("network")) => Some("apache/cloudstack #10687"),
            (FindingKind::NotHours, _) => Some("apache/cloudstack #4982"),
            (
                FindingKind::HoursExceedDay
                | FindingKind::SizeUnknown
                | FindingKind::RunsDisordered
                | FindingKind::UsedAfterRemoval
                | FindingKind::UnknownUsageType
                | FindingKind::Unresolved
                | FindingKind::SpansMidnight
                | FindingKind::WrongZone
                | FindingKind::SourceBegins
                | FindingKind::NoRows
                | FindingKind::Unusual
                | FindingKind::AccountIdChanged
                | FindingKind::DiffersFromSource
                | FindingKind::LinesDiffer
                | FindingKind::Remapped
                | FindingKind::Refused,
                _,
            ) => None,
        }
    }

    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::SizeUnknown => "size_unknown",
            FindingKind::SizeDoubtful => "size_doubtful",
            FindingKind::EndsBeforeStart => "ends_before_start",
            FindingKind::ReplayedRows => "replayed_rows",
            FindingKind::Rewritten => "rewritten",
            FindingKind::RunsDisordered => "runs_disordered",
            FindingKind::HoursExceedDay => "hours_exceed_day",
            FindingKind::SameTraffic => "same_traffic",
            FindingKind::UsedAfterRemoval => "used_after_removal",
            FindingKind::UnknownUsageType => "unknown_usage_type",
            FindingKind::Unresolved => "unresolved",
            FindingKind::NotHours => "not_hours",
            FindingKind::SpansMidnight => "spans_midnight",
            FindingKind::WrongZone => "wrong_zone",
            FindingKind::SourceBegins => "source_begins",
            FindingKind::NoRows => "no_rows",
            FindingKind::UsageJobStuck => "usage_job_stuck",
            FindingKind::Unusual => "unusual",
            FindingKind::AccountIdChanged => "account_id_changed",
            FindingKind::DiffersFromSource => "differs_from_source",
            FindingKind::LinesDiffer => "lines_differ",
            FindingKind::Remapped => "remapped",
            FindingKind::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in FindingKind::ALL {
            assert_eq!(FindingKind::of_name(kind.name()).unwrap(), kind);
        }
        let unknown = FindingKind::of_name("odd").unwrap_err().to_string();
        assert!(unknown.starts_with("there are the kinds size_unknown, size_doubtful, "));
    }

    #[test]
    fn what_a_finding_looks_like_depends_on_its_metric() {
        let seen = |kind: FindingKind, metric| kind.upstream(metric).unwrap_or("-");
        let exceeds = FindingKind::HoursExceedDay;
        assert_eq!(
            seen(exceeds, Some("vm_running")),
            "apache/cloudstack #12590"
        );
        assert_eq!(
            seen(exceeds, Some("primary_byte_hours")),
            "apache/cloudstack #6717"
        );
        assert_eq!(seen(exceeds, Some("vpn_user")), "-");
        let replayed = FindingKind::ReplayedRows;
        assert_eq!(
            seen(replayed, Some("vm_running")),
            "apache/cloudstack #13906"
        );
        assert_eq!(
            seen(replayed, Some("vm_snapshot_byte_hours")),
            "apache/cloudstack #5662"
        );
        assert_eq!(seen(FindingKind::Refused, None), "-");
    }
}
