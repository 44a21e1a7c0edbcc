//! Compares the ledger with its source: the rows of each day by number and digest, and every figure. Reads and
//! adds up as an import does, by the same code, and changes no figure: it notes that a day was found equal, and keeps
//! what no import finds, so that it can be acknowledged.

mod comparison;

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;

use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::{misfit, windows_of};
use crate::day::Day;
use crate::finding::{Finding, FindingKind};
use crate::import::{add_up, purged, running_vms};
use crate::ledger::Ledger;
use crate::ledger::day::{ClosedDay, Policy, in_words as figures_in_words};
use crate::ledger::naming::NameChange;
use crate::ledger::refusals::Cause;
use crate::ledger::verification::{AcknowledgedFinding, DayFigures};
use crate::metric::Metric;
use crate::row::BadRow;
use crate::source::{Source, SourceDay};
use crate::zones::Zones;
use comparison::Comparison;

/// Figures that differ by no more than this part of the larger one are equal. The same rows give the same
/// figure to the last bit; this leaves room for another program's order of adding.
pub const TOLERANCE: f64 = 1e-9;

pub struct VerifyRules<'a> {
    pub zones: &'a Zones,
    /// See `TOLERANCE`.
    pub tolerance: f64,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
}

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
    /// Figures differ, and nothing tells how the source looked before.
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
    pub account: Option<Name>,
    pub metric: Option<Metric>,
    pub resource: Option<Name>,
    /// In the metric's unit. `None`: there is none, or it is not about a figure.
    pub stored: Option<f64>,
    pub source: Option<f64>,
    pub detail: String,
    /// Somebody has acknowledged it.
    pub acknowledged: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub uuid: String,
    pub name: String,
}

/// What became of one day.
#[derive(Debug, PartialEq)]
pub struct DayVerdict {
    pub day: Day,
    pub verdict: Verdict,
    pub source_rows: u64,
    pub figures: u64,
    pub differences: Vec<Difference>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Equal,
    Different,
    /// Nothing is left to compare the day with, and it stays what it was.
    SourceGone,
}

impl Difference {
    pub fn needs_a_look(&self) -> bool {
        self.kind.needs_a_look() && !self.acknowledged
    }

    /// The finding that this difference is, if it is one that can be acknowledged. Rows that have changed without a
    /// figure are none: importing the day settles them.
    fn finding(&self) -> Option<AcknowledgedFinding> {
        let is_figure = self.stored.is_some() || self.source.is_some();
        let (kind, detail) = match self.kind {
            Kind::Remapped => (FindingKind::Remapped, self.detail.clone()),
            Kind::WrongZone => (FindingKind::WrongZone, self.detail.clone()),
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
            Kind::BadRow => "bad_row",
            Kind::WrongZone => "wrong_zone",
        }
    }

    /// Whether a person should look at it. Names are frozen on purpose, and replays count for nothing.
    pub fn needs_a_look(self) -> bool {
        !matches!(self, Kind::Replayed | Kind::Renamed | Kind::SourceGone)
    }
}

/// Compares closed days in order; `on_day` is told of each.
pub fn verify(
    days: &[Day],
    rules: &VerifyRules,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayVerdict) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    source.read_ahead(days, rules.zones, "verify", &mut |day, read| {
        let verified = match read {
            Ok(read) => verify_day(day, rules, read, ledger, &mut told),
            Err(bad) => Err(bad.into()),
        };
        let verdict = verified.or_else(|err| {
            let bad = err.downcast::<BadRow>()?;
            without_rows(day, Cause::BadRow, bad.to_string(), rules, ledger)
        });
        on_day(verdict.with_context(|| format!("verify {day}"))?)
    })
}

/// A day whose rows cannot be read, or are gone, is refused as an import refuses it: once somebody has acknowledged
/// that, it is as good as it gets. A row that cannot be read spoils its day and no other.
fn without_rows(
    day: Day,
    cause: Cause,
    reason: String,
    rules: &VerifyRules,
    ledger: &mut Ledger,
) -> anyhow::Result<DayVerdict> {
    let kind = match cause {
        Cause::SourceGone => Kind::Purged,
        Cause::BadRow => Kind::BadRow,
        Cause::WrongZone => Kind::WrongZone,
    };
    ledger.refuse_day(day, &reason, cause, rules.now)?;
    let mut differences = vec![about_day(day, kind, reason)];
    let verdict = acknowledged(day, &mut differences, rules, ledger)?;
    Ok(DayVerdict {
        day,
        verdict,
        source_rows: 0,
        figures: 0,
        differences,
    })
}

/// Marks what somebody has acknowledged. If that is all there is, the day may be relied on.
fn acknowledged(
    day: Day,
    differences: &mut [Difference],
    rules: &VerifyRules,
    ledger: &mut Ledger,
) -> anyhow::Result<Verdict> {
    let known = ledger.list_acknowledged(day)?;
    for difference in differences.iter_mut() {
        difference.acknowledged = difference
            .finding()
            .is_some_and(|finding| known.contains(&finding));
    }
    if differences.iter().any(Difference::needs_a_look) {
        ledger.mark_unequal(day)?;
        return Ok(Verdict::Different);
    }
    ledger.mark_acknowledged(day, rules.now)?;
    Ok(Verdict::Equal)
}

fn verify_day(
    day: Day,
    rules: &VerifyRules,
    read: SourceDay,
    ledger: &mut Ledger,
    told: &mut BTreeSet<String>,
) -> anyhow::Result<DayVerdict> {
    let SourceDay {
        mut rows,
        names,
        fingerprint,
        oldest,
        lowest_id,
        rewinds,
        ..
    } = read;
    let bounds = DayBounds::of(day, rules.zones);
    ledger.add_names(names);
    let stored = ledger.find_day(day)?;
    let policy = Policy::of(stored, ClosedDay::ReportOnly);
    let known = ledger.known_vms(day, policy, running_vms(&rows))?;
    let usage = add_up(
        &mut rows,
        &rewinds,
        bounds,
        rules.zones,
        &known,
        &mut |_| (),
    )?;
    let figures = ledger.day_figures(day)?;
    let purged = stored.and_then(|stored| purged(stored, &usage, oldest, lowest_id, bounds));
    let verdict_of = |verdict, differences| DayVerdict {
        day,
        verdict,
        source_rows: usage.source_rows,
        // A count of records fits 64 bits.
        figures: figures.figures.len() as u64,
        differences,
    };
    match (purged, stored) {
        (Some(reason), Some(stored)) if stored.is_settled() => {
            let gone = vec![about_day(day, Kind::SourceGone, reason)];
            return Ok(verdict_of(Verdict::SourceGone, gone));
        }
        (Some(reason), _) => return without_rows(day, Cause::SourceGone, reason, rules, ledger),
        (None, _) => {}
    }
    let mut differences = Comparison {
        day,
        tolerance: rules.tolerance,
        ledger,
        rows: &rows,
        usage: &usage,
        fingerprint: &fingerprint,
        newest_run: rewinds.newest(),
        stored: &figures,
    }
    .differences();
    let windows = windows_of(rows.iter().map(|row| (row.start, row.end)), bounds);
    let misfit = misfit(&windows, day, rules.zones);
    differences.extend(misfit.map(|misfit| about_day(day, Kind::WrongZone, misfit.to_string())));
    let (names, remapped) = names_that_differ(day, ledger, &figures, told);
    differences.extend(names);
    ledger.keep_findings(day, FindingKind::Remapped, &remapped)?;
    let equal = !differences.iter().any(Difference::needs_a_look);
    let verdict = if equal {
        ledger.mark_verified(day, &usage, &fingerprint, rules.now)?;
        Verdict::Equal
    } else {
        acknowledged(day, &mut differences, rules, ledger)?
    };
    Ok(verdict_of(verdict, differences))
}

fn about_day(day: Day, kind: Kind, detail: String) -> Difference {
    Difference {
        day,
        kind,
        account: None,
        metric: None,
        resource: None,
        stored: None,
        source: None,
        detail,
        acknowledged: false,
    }
}

/// Accounts and resources of a day that `cloud` knows otherwise now, and the findings that come of it. What was only
/// renamed is told once.
fn names_that_differ(
    day: Day,
    ledger: &Ledger,
    stored: &DayFigures,
    told: &mut BTreeSet<String>,
) -> (Vec<Difference>, Vec<Finding>) {
    let mut differences = Vec::new();
    let mut remapped = Vec::new();
    let accounts: BTreeSet<u64> = stored.figures.iter().map(|f| f.account_id).collect();
    for id in accounts {
        let (uuid, name, naming) = ledger.account_naming(id);
        let account = Some(Name { uuid, name });
        if let Some((kind, detail)) = in_words(naming) {
            if kind == Kind::Remapped {
                remapped.push(remapped_finding(Some(id), None, None, &detail));
            }
            differences.push(Difference {
                account,
                ..about_day(day, kind, detail)
            });
        }
    }
    let mut resources: HashMap<i64, Metric> = HashMap::new();
    for figure in &stored.figures {
        let metric = resources.entry(figure.resource_id).or_insert(figure.metric);
        *metric = figure.metric.min(*metric);
    }
    let mut resources: Vec<(i64, Metric)> = resources.into_iter().collect();
    resources.sort_unstable();
    for (resource_id, metric) in resources {
        let Some((uuid, name, naming)) = ledger.resource_naming(resource_id) else {
            continue;
        };
        if let Some((kind, detail)) = in_words(naming) {
            if kind == Kind::Remapped {
                let resource = Some(uuid.clone());
                remapped.push(remapped_finding(None, Some(metric), resource, &detail));
            }
            differences.push(Difference {
                metric: Some(metric),
                resource: Some(Name { uuid, name }),
                ..about_day(day, kind, detail)
            });
        }
    }
    differences.retain(|difference| {
        let who = (
            &difference.account,
            &difference.resource,
            &difference.detail,
        );
        difference.kind != Kind::Renamed || told.insert(format!("{who:?}"))
    });
    (differences, remapped)
}

fn remapped_finding(
    account_id: Option<u64>,
    metric: Option<Metric>,
    resource: Option<String>,
    detail: &str,
) -> Finding {
    Finding {
        kind: FindingKind::Remapped,
        account_id,
        metric,
        resource,
        detail: detail.to_owned(),
    }
}

fn in_words(naming: NameChange) -> Option<(Kind, String)> {
    match naming {
        NameChange::Same => None,
        NameChange::Renamed { stored, now } => Some((
            Kind::Renamed,
            format!("stored as {stored:?}, cloud now says {now:?}"),
        )),
        NameChange::Remapped { stored, now } => Some((
            Kind::Remapped,
            format!("stored as {stored}, cloud now says {now}"),
        )),
    }
}
