//! Compares the ledger with its source: the rows of each day by number and digest, and every figure. Reads and
//! adds up as an import does, by the same code, and writes nothing but that a day was found equal.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context;

use crate::aggregate::window::DayBounds;
use crate::aggregate::{DayUsage, Record, aggregate};
use crate::day::Day;
use crate::import::purged;
use crate::ledger::Ledger;
use crate::ledger::proof::{DayFigures, Figure, Naming};
use crate::ledger::write::{DayState, Existing, NewDay};
use crate::metric::Metric;
use crate::row::{Digest, UsageRow};
use crate::source::{Source, SourceDay};
use crate::zone::Zone;

/// Figures that differ by no more than this part of the larger one are equal. The same rows give the same
/// figure to the last bit; this leaves room for another program's order of adding.
pub const TOLERANCE: f64 = 1e-9;

pub struct Request<'a> {
    pub zone: &'a Zone,
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
    source.read_ahead(days, request.zone, "verify", &mut |day, read| {
        let verdict = read
            .map_err(anyhow::Error::from)
            .and_then(|read| verify_day(day, request, read, ledger, &mut told))
            .with_context(|| format!("verify {day}"))?;
        on_day(verdict)
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
        ..
    } = read;
    let bounds = DayBounds::of(day, request.zone);
    ledger.learn(names);
    let existing = Existing::Report;
    let stored = ledger.find_day(day)?;
    let usage = ledger.with_vm_facts(day, stored, existing, |vms| {
        aggregate(&mut rows, bounds, request.zone, vms)
    })?;
    let figures = ledger.day_figures(day)?;
    let purged = stored.and_then(|stored| purged(stored, &usage, oldest, bounds));
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
    differences.extend(names_that_differ(day, ledger, &figures, told));
    let equal = !differences
        .iter()
        .any(|difference| difference.kind.needs_a_look());
    if equal {
        ledger.note_equal(&NewDay {
            day,
            state: DayState::Closed,
            usage: &usage,
            rows: &rows,
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

/// A day of the ledger beside what its source gives now.
struct Comparison<'a> {
    day: Day,
    tolerance: f64,
    ledger: &'a Ledger,
    rows: &'a [UsageRow],
    usage: &'a DayUsage,
    stored: &'a DayFigures,
}

impl Comparison<'_> {
    fn differences(&self) -> Vec<Difference> {
        let mut differences: Vec<Difference> = pairs(&self.usage.records, &self.stored.figures)
            .into_iter()
            .filter_map(|(now, stored)| self.figure(now, stored))
            .collect();
        let explained: BTreeSet<Metric> = differences.iter().filter_map(|d| d.metric).collect();
        for (usage_type, change) in self.changed_types() {
            let metric = Metric::of_usage_type(usage_type).0;
            if !explained.contains(&metric) {
                let replayed = self.usage.replayed_rows > self.stored.replayed_rows;
                let kind = match change.kind {
                    Kind::RowAdded if replayed => Kind::Replayed,
                    kind => kind,
                };
                let of_type = usage_type.map_or("no usage type".to_owned(), |number| {
                    format!("usage type {number}")
                });
                differences.push(Difference {
                    metric: Some(metric),
                    ..about_day(
                        self.day,
                        kind,
                        format!("{of_type}: {}; no figure differs", change.detail),
                    )
                });
            }
        }
        differences
    }

    /// What is to be said of one figure, if it differs.
    fn figure(&self, now: Option<&Record>, stored: Option<&Figure>) -> Option<Difference> {
        let source = now.map(|record| record.quantity);
        let ours = stored.and_then(|figure| figure.quantity);
        if self.is_equal(ours, source) {
            return None;
        }
        let (account_id, metric, source_id) = match (now, stored) {
            (Some(record), _) => (record.account_id, record.metric, record.source_id),
            (None, Some(figure)) => (figure.account_id, figure.metric, figure.source_id),
            (None, None) => return None,
        };
        let resource = match stored {
            Some(figure) => self
                .ledger
                .resource_naming(figure.resource_id)
                .map(|(uuid, name, _)| Name { uuid, name }),
            None => metric.per().map(|per| {
                let (uuid, name) = self.ledger.resource_of(per, source_id);
                Name { uuid, name }
            }),
        };
        let (uuid, name, _) = self.ledger.account_naming(account_id);
        let change = self.why(metric);
        Some(Difference {
            day: self.day,
            kind: change.kind,
            account: Some(Name { uuid, name }),
            metric: Some(metric),
            resource,
            stored: ours,
            source,
            detail: change.detail,
        })
    }

    fn is_equal(&self, ours: Option<f64>, source: Option<f64>) -> bool {
        match (ours, source) {
            (Some(ours), Some(source)) => {
                (ours - source).abs() <= self.tolerance * ours.abs().max(source.abs())
            }
            (ours, source) => ours == source,
        }
    }

    /// Why figures of a metric differ, as far as the rows of its usage types tell.
    fn why(&self, metric: Metric) -> Change {
        if self.stored.digests.is_empty() {
            return Change {
                kind: Kind::Differs,
                detail: "how the source looked before is not known".to_owned(),
            };
        }
        let of_metric = |usage_type: Option<u32>| match metric {
            Metric::OsUsage => usage_type == Some(1),
            Metric::UsageType(28) => usage_type == Some(28),
            _ => Metric::of_usage_type(usage_type).0 == metric,
        };
        self.changed_types()
            .into_iter()
            .find(|(usage_type, _)| of_metric(*usage_type))
            .map_or_else(
                || Change {
                    kind: Kind::Edited,
                    detail: "the source is as it was imported: the ledger was changed".to_owned(),
                },
                |(_, change)| change,
            )
    }

    /// Usage types whose rows are not those of the import.
    fn changed_types(&self) -> BTreeMap<Option<u32>, Change> {
        let (then, now) = (&self.stored.digests, &self.usage.digests);
        if then.is_empty() {
            return BTreeMap::new();
        }
        let types: BTreeSet<Option<u32>> = then.keys().chain(now.keys()).copied().collect();
        let of = |digests: &BTreeMap<Option<u32>, Digest>, usage_type| {
            digests.get(&usage_type).copied().unwrap_or_default()
        };
        types
            .into_iter()
            .map(|usage_type| (usage_type, of(then, usage_type), of(now, usage_type)))
            .filter(|(_, then, now)| then != now)
            .map(|(usage_type, then, now)| (usage_type, self.change(then, now)))
            .collect()
    }

    fn change(&self, then: Digest, now: Digest) -> Change {
        let kind = match now.rows.cmp(&then.rows) {
            std::cmp::Ordering::Greater => Kind::RowAdded,
            std::cmp::Ordering::Less => Kind::RowRemoved,
            std::cmp::Ordering::Equal => Kind::RowChanged,
        };
        let rows = format!("{} rows, {} when imported", now.rows, then.rows);
        // The sums differ by the hash of the one row that has come.
        let added = now.sum.wrapping_sub(then.sum);
        let row = self
            .rows
            .iter()
            .find(|row| now.rows == then.rows + 1 && row.hash() == added);
        let detail = match row {
            Some(row) => format!("{rows}: row {} was added", row.id),
            None => rows,
        };
        Change { kind, detail }
    }
}

/// How the rows of a usage type have changed.
struct Change {
    kind: Kind,
    detail: String,
}

/// What is of one account, metric and id, from two lists sorted by these.
fn pairs<'a>(
    now: &'a [Record],
    stored: &'a [Figure],
) -> Vec<(Option<&'a Record>, Option<&'a Figure>)> {
    let of_record = |record: &Record| (record.account_id, record.metric, record.source_id);
    let of_figure = |figure: &Figure| (figure.account_id, figure.metric, figure.source_id);
    let mut pairs = Vec::with_capacity(now.len());
    let mut stored = stored.iter().peekable();
    for record in now {
        while let Some(gone) = stored.next_if(|figure| of_figure(figure) < of_record(record)) {
            pairs.push((None, Some(gone)));
        }
        let same = stored.next_if(|figure| of_figure(figure) == of_record(record));
        pairs.push((Some(record), same));
    }
    pairs.extend(stored.map(|gone| (None, Some(gone))));
    pairs
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
        difference.kind != Kind::Renamed || told.insert(format!("{:?}", difference.detail))
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
