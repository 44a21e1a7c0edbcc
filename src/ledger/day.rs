//! One day of the ledger as values: what the ledger has of it, what an import brings, what the import may change, and
//! what came of it. No SQL, no rules: `plan` has the rules, `write` and `statements` the SQL.

pub use super::line_table::LinesPer;
use crate::aggregate::DayUsage;
use crate::cloud::Fingerprint;
use crate::day::Day;
use crate::finding::FindingKind;
use crate::metric::Metric;
use crate::unusual::UnusualRule;

/// Whether the source has finished the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    Open,
    Closed,
}

/// What an import may do to a closed day: the choice of whoever starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedDay {
    /// Stored records stay, missing ones are added.
    AddMissing,
    /// What the source says replaces what is stored.
    Overwrite,
    /// Nothing changes; differences are reported.
    ReportOnly,
}

/// What an import does to one day, from that choice and the day's state in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The ledger does not have the day, or has it as it was before the source finished it: what the source says now
    /// replaces what is stored.
    Unfinished,
    Closed(ClosedDay),
    /// Nothing changes; what differs becomes pending corrections.
    Sealed,
}

impl Policy {
    pub fn of(stored: Option<StoredDay>, closed_day: ClosedDay) -> Policy {
        match stored {
            Some(StoredDay { sealed: true, .. }) => Policy::Sealed,
            Some(StoredDay {
                completion: Completion::Closed,
                ..
            }) => Policy::Closed(closed_day),
            Some(StoredDay {
                completion: Completion::Open,
                ..
            })
            | None => Policy::Unfinished,
        }
    }
}

/// A day as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredDay {
    pub completion: Completion,
    pub source_rows: u64,
    /// Of these, counted already by another row.
    pub replayed_rows: u64,
    /// The lowest id of the source's rows that ended on it; `None`: there were none, or it is not known.
    pub first_id: Option<u64>,
    /// No import may change it.
    pub sealed: bool,
    /// It was found equal to its source since it was written.
    pub verified: bool,
    /// What its lines tell apart.
    pub lines_per: LinesPer,
}

impl StoredDay {
    /// Whether the day no longer needs its source: that its rows are purged is routine.
    pub fn is_settled(self) -> bool {
        self.sealed || (self.verified && self.completion == Completion::Closed)
    }
}

/// What to write.
pub struct NewDay<'a> {
    pub day: Day,
    pub completion: Completion,
    pub usage: &'a DayUsage,
    /// The VMs that ran by any row, each with its template.
    pub vms: &'a [(u64, u64)],
    pub fingerprint: &'a Fingerprint,
    pub closed_day: ClosedDay,
    /// What its lines are to tell apart.
    pub lines_per: LinesPer,
    /// How its figures are compared with those of the days before; `None`: not at all.
    pub unusual: Option<&'a UnusualRule>,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
}

/// What writing a day did.
#[derive(Debug, PartialEq)]
pub struct Written {
    /// A closed day stays closed.
    pub completion: Completion,
    pub sealed: bool,
    pub accounts: u64,
    pub added: u64,
    pub kept: u64,
    pub overwritten: u64,
    /// Corrections that a sealed day has got.
    pub pending: u64,
    pub differences: Vec<FigureDifference>,
    pub findings: u64,
    /// Accounts whose ids have come to mean something else, as sentences.
    pub account_changes: Vec<String>,
}

/// A closed day's value that is not what the source says, and was not overwritten.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureDifference {
    /// The account's uuid.
    pub account: String,
    pub account_id: i64,
    pub metric: Metric,
    /// The resource's uuid.
    pub resource: Option<String>,
    /// In the metric's unit. `None`: the ledger has no such record.
    pub stored: Option<f64>,
    /// `None`: the source has no such usage any more.
    pub source: Option<f64>,
}

impl FigureDifference {
    pub fn in_words(&self) -> String {
        in_words(self.stored, self.source)
    }

    /// What the day's findings say of it.
    pub fn finding(&self) -> NewFinding {
        NewFinding {
            kind: FindingKind::DiffersFromSource,
            account_id: Some(self.account_id),
            metric: Some(self.metric),
            resource: self.resource.clone(),
            detail: self.in_words(),
        }
    }
}

/// `stored 24, the source says nothing`: the detail of a finding, by which it is acknowledged.
pub fn in_words(stored: Option<f64>, source: Option<f64>) -> String {
    let quantity_or_nothing = |quantity: Option<f64>| {
        quantity.map_or("nothing".to_owned(), |quantity| quantity.to_string())
    };
    if stored == source {
        let stored = quantity_or_nothing(stored);
        return format!("stored {stored} as the source says, but of other VMs, sizes or zones");
    }
    format!(
        "stored {}, the source says {}",
        quantity_or_nothing(stored),
        quantity_or_nothing(source)
    )
}

/// A finding to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewFinding {
    pub kind: FindingKind,
    /// The ledger's own id.
    pub account_id: Option<i64>,
    pub metric: Option<Metric>,
    pub resource: Option<String>,
    pub detail: String,
}

/// What identifies a record within its day, whatever its resource was called when it was stored: the ledger's ids of
/// account and metric, and the source id.
pub type RecordKey = (i64, i64, u64);

/// A record to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewRecord {
    pub key: RecordKey,
    pub resource_id: i64,
    /// Nobody knows the uuid of its resource.
    pub stand_in: bool,
    /// In the metric's unit.
    pub quantity: f64,
}

/// A record that is there, and what pending corrections have made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OldRecord {
    pub key: RecordKey,
    pub resource_id: i64,
    /// Nobody knew the uuid of its resource when it was stored.
    pub stand_in: bool,
    /// In the metric's unit. `None`: there is no record, only pending corrections.
    pub stored: Option<f64>,
    /// The stored value with all pending corrections; `None`: they took it away.
    pub corrected: Option<f64>,
    pub pending: bool,
}

/// What a correction is: see the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorrectionKind {
    Overwritten,
    Pending,
}

/// A correction to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    pub key: RecordKey,
    pub resource_id: i64,
    pub old: Option<f64>,
    pub new: Option<f64>,
    pub kind: CorrectionKind,
}
