//! What goes into a day from outside its rows, and what comes out of it: facts of VMs and accounts, and records.

use crate::metric::Metric;

/// One figure of one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// `account.id` in CloudStack.
    pub account_id: u64,
    pub metric: Metric,
    /// Id in CloudStack of what the metric is kept per; 0 if it is not, or if the row names none.
    pub source_id: u64,
    /// In the metric's unit.
    pub quantity: f64,
}

/// What `cloud` knows of VMs and accounts.
pub struct VmFacts<'a> {
    /// The guest OS id of a VM id and template id; 0 for unknown.
    pub guest_os: &'a dyn Fn(u64, u64) -> u64,
    /// When the VM was removed, in seconds since 1970 UTC.
    pub removed: &'a dyn Fn(u64) -> Option<i64>,
    /// When the account was removed, in seconds since 1970 UTC.
    pub account_removed: &'a dyn Fn(u64) -> Option<i64>,
}
