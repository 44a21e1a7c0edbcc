//! Compares the ledger with its source: the rows of each day by number and digest, and every figure. Reads and
//! adds up as an import does, by the same code, and writes nothing but that a day was found equal.

mod comparison;

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;

use crate::aggregate::aggregate;
use crate::aggregate::window::DayBounds;
use crate::aggregate::zone_fit::{misfit, windows_of};
use crate::day::Day;
use crate::import::purged;
use crate::ledger::Ledger;
use crate::ledger::naming::Naming;
use crate::ledger::proof::DayFigures;
use crate::ledger::write::{DayState, Existing, NewDay};
use crate::metric::Metric;
use crate::row::BadRow;
use crate::source::{Source, SourceDay};
use crate::zones::Zones;
use comparison::Comparison;

/// Figures that differ by no more than this part of the larger one are equal. The same rows give the same
/// figure to the last bit; this leaves room for another program's order of adding.
pub const TOLERANCE: f64 = 1e-9;

pub struct Request<'a> {
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
    /// Rows that repeat others; figures are the same.
    Replayed,
    /// `cloud` has another name for it now.
    Renamed,
    /// `cloud` has another uuid for its id now.
    Remapped,
    /// The day's rows have been deleted.
    Purged,
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
    pub equal: bool,
    pub source_rows: u64,
    pub figures: u64,
    pub differences: Vec<Difference>,
}

impl Kind {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::RowAdded => "row_added",
            Kind::RowRemoved => "row_removed",
            Kind::RowChanged => "row_changed",
            Kind::Replayed => "replayed",
            Kind::Renamed => "renamed",
            Kind::Remapped => "remapped",
            Kind::Purged => "purged",
            Kind::Edited => "edited",
            Kind::Differs => "differs",
            Kind::BadRow => "bad_row",
            Kind::WrongZone => "wrong_zone",
        }
    }

    /// Whether a person should look at it. Names are frozen on purpose, and replays count for nothing.
    pub fn needs_a_look(self) -> bool {
        !matches!(self, Kind::Replayed | Kind::Renamed)
    }
}

/// Compares closed days in order; `on_day` is told of each.
pub fn verify(
    days: &[Day],
    request: &Request,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(DayVerdict) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    source.read_ahead(days, request.zones, "verify", &mut |day, read| {
        let verified = match read {
            Ok(read) => verify_day(day, request, read, ledger, &mut told),
            Err(bad) => Err(bad.into()),
        };
        let verdict = verified.or_else(|err| {
            let bad = err.downcast::<BadRow>()?;
            unreadable(day, bad.to_string(), ledger)
        });
        on_day(verdict.with_context(|| format!("verify {day}"))?)
    })
}

/// A row that cannot be read spoils its day and no other.
fn unreadable(day: Day, reason: String, ledger: &mut Ledger) -> anyhow::Result<DayVerdict> {
    ledger.note_unequal(day)?;
    Ok(DayVerdict {
        day,
        equal: false,
        source_rows: 0,
        figures: 0,
        differences: vec![about_day(day, Kind::BadRow, reason)],
    })
}

fn verify_day(
    day: Day,
    request: &Request,
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
        ..
    } = read;
    let bounds = DayBounds::of(day, request.zones);
    ledger.learn(names);
    let existing = Existing::Report;
    let stored = ledger.find_day(day)?;
    let usage = ledger.with_vm_facts(day, stored, existing, |vms| {
        aggregate(&mut rows, bounds, request.zones, vms)
    })?;
    let figures = ledger.day_figures(day)?;
    let purged = stored.and_then(|stored| purged(stored, &usage, oldest, lowest_id, bounds));
    let mut differences = match purged {
        Some(reason) => vec![about_day(day, Kind::Purged, reason)],
        None => Comparison {
            day,
            tolerance: request.tolerance,
            ledger,
            rows: &rows,
            usage: &usage,
            stored: &figures,
        }
        .differences(),
    };
    let windows = windows_of(rows.iter().map(|row| (row.start, row.end)), bounds);
    let misfit = misfit(&windows, day, request.zones);
    differences.extend(misfit.map(|misfit| about_day(day, Kind::WrongZone, misfit.to_string())));
    differences.extend(names_that_differ(day, ledger, &figures, told));
    let equal = !differences
        .iter()
        .any(|difference| difference.kind.needs_a_look());
    if equal {
        ledger.note_equal(&NewDay {
            day,
            state: DayState::Closed,
            usage: &usage,
            vms: &[],
            fingerprint: &fingerprint,
            existing,
            now: request.now,
        })?;
    } else {
        ledger.note_unequal(day)?;
    }
    Ok(DayVerdict {
        day,
        equal,
        source_rows: usage.source_rows,
        // A count of records fits 64 bits.
        figures: figures.figures.len() as u64,
        differences,
    })
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
    }
}

/// Accounts and resources of a day that `cloud` knows otherwise now. What was only renamed is told once.
fn names_that_differ(
    day: Day,
    ledger: &Ledger,
    stored: &DayFigures,
    told: &mut BTreeSet<String>,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let accounts: BTreeSet<u64> = stored.figures.iter().map(|f| f.account_id).collect();
    for id in accounts {
        let (uuid, name, naming) = ledger.account_naming(id);
        let account = Some(Name { uuid, name });
        if let Some((kind, detail)) = in_words(naming) {
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
    differences
}

fn in_words(naming: Naming) -> Option<(Kind, String)> {
    match naming {
        Naming::Same => None,
        Naming::Renamed { stored, now } => Some((
            Kind::Renamed,
            format!("stored as {stored:?}, cloud now says {now:?}"),
        )),
        Naming::Remapped { stored, now } => Some((
            Kind::Remapped,
            format!("stored as {stored}, cloud now says {now}"),
        )),
    }
}
