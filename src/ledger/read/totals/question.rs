//! What a question about totals asks for: whose usage, of which days, metrics and things, and what figures are grouped by.

use crate::day::DayRange;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::stretches::Stretches;
use crate::resource::ResourceKind;
use crate::zones::Zones;

/// What is asked for.
pub struct TotalsQuery<'a> {
    /// Whose usage.
    pub accounts: &'a [Account],
    /// The days of theirs that are asked for, and the domain on each; none: all days, under the accounts' own domains.
    pub stretches: Option<&'a Stretches>,
    pub range: DayRange,
    /// Published names; none: all.
    pub metrics: &'a [String],
    pub only: LineChoice<'a>,
    pub by: Dimensions,
    /// The ledger's, for the hours of its months.
    pub zones: &'a Zones,
    /// Sums that may be held at once: one of each month, or day if figures are grouped by day, for everything that figures
    /// are grouped by. Beyond it the error is `TooManySums`.
    pub most_sums: usize,
}

/// What is asked of lines alone. All conditions hold together; the default is everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineChoice<'a> {
    /// Only in these zones, by their ids in the ledger.
    pub zones: Option<&'a [i64]>,
    /// Only of these VMs, volumes and so on, by their ids in the ledger.
    pub resources: Option<&'a [i64]>,
    /// Only of what is of this kind. Figures have to be grouped by resource.
    pub kind: Option<ResourceKind>,
}

/// What figures are grouped by, besides their metric: hours and bytes cannot be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimensions {
    pub account: bool,
    pub domain: bool,
    pub project: bool,
    /// What records are kept per: offering, guest OS or address, where the metric is kept per such.
    pub offering: bool,
    pub zone: bool,
    /// Zone, offering and size of VMs: all that a price depends on.
    pub sku: bool,
    /// The offering of disks. Metrics that are not priced by such are left out.
    pub disk_offering: bool,
    /// The VM, the volume, the address …
    pub resource: bool,
    pub time: Granularity,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    #[default]
    Total,
    Month,
    Day,
}
