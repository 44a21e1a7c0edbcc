//! One difference between the ledger and its source: its published kind, what it is about, and the finding that
//! acknowledges it.

use crate::day::Day;
use crate::finding::FindingKind;
use crate::ledger::day::{NewFinding, in_words as figures_in_words};
use crate::ledger::read::corrected_lines::ChangedLines;
use crate::ledger::verification::AcknowledgedFinding;
use crate::metric::Metric;

/// What kind of difference it is. Names are contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The source has rows that it had not when the day was imported.
    RowAdded,
    RowRemoved,
    /// As many rows as then, and not the same.
    RowChanged,
    /// A run of the usage server has written the day again, which voids what earlier ones said of it.
    Rewritten,
    /// Rows that repeat others; figures are the same.
    Replayed,
    /// `cloud` has another name for it now.
    Renamed,
    /// `cloud` has another uuid for its id now.
    Remapped,
    /// The day's rows have been deleted, and it was never found equal to them.
    Purged,
    /// The same of a day that is sealed or was found equal: that is routine.
    SourceGone,
    /// The rows are those of the import, and the record is not what they come to.
    Edited,
    /// No figure differs, but lines below them do: hours of one VM that are another's now.
    LinesDiffer,
    /// Figures differ, and nothing shows how the source looked before.
    Differs,
    /// A row holds what no row can: nothing can be said of the day.
    BadRow,
    /// The windows are those of another zone.
    WrongZone,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub day: Day,
    pub kind: Kind,
    /// In CloudStack.
    pub account_id: Option<i64>,
    pub account: Option<Name>,
    pub metric: Option<Metric>,
    pub resource: Option<Name>,
    /// In the metric's unit. `None`: there is none, or it is not about a figure.
    pub stored: Option<f64>,
    pub source: Option<f64>,
    pub detail: String,
    /// Which lines differ, where the day's lines tell resources apart.
    pub lines: ChangedLines,
    /// Somebody has acknowledged it.
    pub acknowledged: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub uuid: String,
    pub name: String,
}

impl Difference {
    /// What the findings of a sealed day say of lines that differ.
    pub fn lines_finding(&self) -> Option<NewFinding> {
        (self.kind == Kind::LinesDiffer).then(|| NewFinding {
            kind: FindingKind::LinesDiffer,
            account_id: self.account_id,
            metric: self.metric,
            resource: self.resource.as_ref().map(|name| name.uuid.clone()),
            detail: self.detail.clone(),
        })
    }

    pub fn needs_a_look(&self) -> bool {
        self.kind.needs_a_look() && !self.acknowledged
    }

    /// The finding that this difference is, if it is one that can be acknowledged. Rows that have changed without a
    /// figure are none: importing the day settles them.
    pub fn finding(&self) -> Option<AcknowledgedFinding> {
        let is_figure = self.stored.is_some() || self.source.is_some();
        let (kind, detail) = match self.kind {
            Kind::Remapped => (FindingKind::Remapped, self.detail.clone()),
            Kind::WrongZone => (FindingKind::WrongZone, self.detail.clone()),
            Kind::LinesDiffer => (FindingKind::LinesDiffer, self.detail.clone()),
            Kind::Purged | Kind::BadRow => (FindingKind::Refused, self.detail.clone()),
            Kind::RowAdded
            | Kind::RowRemoved
            | Kind::RowChanged
            | Kind::Rewritten
            | Kind::Edited
            | Kind::Differs
                if is_figure =>
            {
                let detail = figures_in_words(self.stored, self.source);
                (FindingKind::DiffersFromSource, detail)
            }
            Kind::RowAdded
            | Kind::RowRemoved
            | Kind::RowChanged
            | Kind::Rewritten
            | Kind::Edited
            | Kind::Differs
            | Kind::Replayed
            | Kind::Renamed
            | Kind::SourceGone => return None,
        };
        let uuid = |name: &Option<Name>| name.as_ref().map(|name| name.uuid.clone());
        Some(AcknowledgedFinding {
            kind: kind.name().to_owned(),
            account_uuid: uuid(&self.account),
            metric: self.metric.map(|metric| metric.name().into_owned()),
            resource: uuid(&self.resource),
            detail,
        })
    }
}

impl Kind {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::RowAdded => "row_added",
            Kind::RowRemoved => "row_removed",
            Kind::RowChanged => "row_changed",
            Kind::Rewritten => "rewritten",
            Kind::Replayed => "replayed",
            Kind::Renamed => "renamed",
            Kind::Remapped => "remapped",
            Kind::Purged => "purged",
            Kind::SourceGone => "source_gone",
            Kind::Edited => "edited",
            Kind::Differs => "differs",
            Kind::LinesDiffer => "lines_differ",
            Kind::BadRow => "bad_row",
            Kind::WrongZone => "wrong_zone",
        }
    }

    /// Whether a person should look at it. Names are frozen on purpose, and replays count for nothing.
    pub fn needs_a_look(self) -> bool {
        !matches!(self, Kind::Replayed | Kind::Renamed | Kind::SourceGone)
    }
}

/// One that is not about a figure.
pub fn about_day(day: Day, kind: Kind, detail: String) -> Difference {
    Difference {
        day,
        kind,
        account_id: None,
        account: None,
        metric: None,
        resource: None,
        stored: None,
        source: None,
        detail,
        lines: ChangedLines::default(),
        acknowledged: false,
    }
}
