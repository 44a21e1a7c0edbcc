//! One figure explained: its rows, the ledger's lines of it, and how their sums compare.

use crate::aggregate::row_trace::RowOutcome;
use crate::aggregate::runs::Rewind;
use crate::aggregate::window::Part;
use crate::day::Day;
use crate::ledger::account_lines::NamedLine;
use crate::ledger::line_comparison::is_equal;
use crate::metric::Metric;
use crate::resource::ResourceKind;
use crate::row::UsageRow;
use crate::verify::Name;

/// One figure of one day.
#[derive(Debug)]
pub struct Explained {
    pub day: Day,
    pub metric: Metric,
    pub resource: Option<Name>,
    pub rows: Vec<ExplainedRow>,
    /// The ledger's lines of it, where a VM or another resource is explained or the source no longer has the rows.
    pub lines: Vec<NamedLine>,
    /// What the rows come to, in the metric's unit; `None`: none of them counts.
    pub sum: Option<f64>,
    /// The ledger's record or, of a VM or another resource, the sum of its lines; of a sealed day with its pending corrections.
    pub stored: Option<f64>,
    pub agreement: Agreement,
    /// What is to be said unless they are equal.
    pub(super) otherwise: Agreement,
    /// Whether the day's lines tell resources apart.
    pub(super) told_apart: bool,
    /// It is only the part of one resource.
    pub(super) is_of_lines: bool,
}

/// Whether rows and ledger agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    Equal,
    Differs,
    /// The day was imported before the source had finished it: it may have grown since.
    Open,
    /// The ledger does not have the day.
    Missing,
    /// The day's lines do not tell resources apart: the ledger does not say what was of this one.
    NotToldApart,
    /// The day's rows have been purged: they are no sum to compare with.
    SourceGone,
}

/// One source row and its part in a figure.
#[derive(Clone, Debug)]
pub struct ExplainedRow {
    pub row: UsageRow,
    /// What was used, as lines name it.
    pub used: (ResourceKind, u64),
    /// What it is about, such as `vm:12`.
    pub about: String,
    pub uuid: Option<String>,
    pub name: Option<String>,
    /// CloudStack's own words.
    pub description: Option<String>,
    /// The instants of its window on the day.
    pub part: Part,
    /// Of the whole row, that counts.
    pub share: f64,
    pub outcome: RowOutcome,
    /// The row that goes before this one where they say the same.
    pub repeats: Option<u64>,
    /// The later run of the usage server that voids it, or the end of its window.
    pub rewind: Option<Rewind>,
    /// In the metric's unit.
    pub quantity: f64,
}

impl Explained {
    /// Whether a text is the uuid or name of what the metric is kept per.
    pub fn is_of_resource(&self, text: &str) -> bool {
        let resource = self.resource.as_ref();
        resource.is_some_and(|resource| resource.uuid == text || resource.name == text)
    }
}

impl Agreement {
    /// This, unless the sum of the rows is what the ledger has. Of a day that is missing nothing is equal.
    pub(super) fn unless_equal(
        self,
        sum: Option<f64>,
        stored: Option<f64>,
        tolerance: f64,
    ) -> Agreement {
        let equal = match (sum, stored) {
            (Some(sum), Some(stored)) => is_equal(sum, stored, tolerance),
            (sum, stored) => sum == stored,
        };
        match self {
            Agreement::Missing => Agreement::Missing,
            _ if equal => Agreement::Equal,
            otherwise => otherwise,
        }
    }

    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            Agreement::Equal => "equal",
            Agreement::Differs => "differs",
            Agreement::Open => "open",
            Agreement::Missing => "missing",
            Agreement::NotToldApart => "not_told_apart",
            Agreement::SourceGone => "source_gone",
        }
    }

    pub fn needs_a_look(self) -> bool {
        matches!(self, Agreement::Differs | Agreement::Missing)
    }
}
