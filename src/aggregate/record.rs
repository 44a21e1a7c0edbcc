//! What comes out of a day: records.

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
