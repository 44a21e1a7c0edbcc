//! Shows how a figure comes about: the source rows behind it, what each of them adds and why, and that the sum
//! is what the ledger holds. The rules are those of the aggregation, which reports each row as it goes by.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

use crate::aggregate::row_trace::{RowOutcome, RowTrace};
use crate::aggregate::runs::Rewind;
use crate::aggregate::window::{DayBounds, Part};
use crate::coverage::{Coverage, find_coverage};
use crate::day::{Day, DayRange};
use crate::import::{add_up, rows_gone, running_vms};
use crate::ledger::day::{ClosedDay, Completion, Policy};
use crate::ledger::day_reader::DayReader;
use crate::ledger::ledger_at;
use crate::ledger::read::accounts::{Account, find_one};
use crate::ledger::read::{Reader, Snapshot};
use crate::metric::{Metric, resource_of_usage_type};
use crate::row::UsageRow;
use crate::source::{Descriptions, Source, SourceDay};
use crate::verify::Name;
use crate::zones::Zones;

/// How often the ledger is read, at most, while it keeps changing.
const ATTEMPTS: usize = 5;

/// Which figures are explained.
pub struct ExplainRequest<'a> {
    pub ledger: &'a Path,
    /// The zone that is configured.
    pub timezone: &'a str,
    /// Uuid of an account or a project, or a name that only one of them has.
    pub account: &'a str,
    pub range: DayRange,
    pub today: Day,
    pub metric: Option<Metric>,
    /// Sums that differ from the ledger by no more than this part are equal.
    pub tolerance: f64,
}

/// The figures of an account on days that have begun.
pub struct Explanation {
    pub account: Account,
    /// The zones that the ledger's days are of.
    pub zones: Zones,
    pub coverage: Coverage,
    /// In the order of days, then metrics.
    pub figures: Vec<Explained>,
}

/// One figure of one day.
#[derive(Debug)]
pub struct Explained {
    pub day: Day,
    pub metric: Metric,
    pub resource: Option<Name>,
    pub rows: Vec<ExplainedRow>,
    /// What the rows come to, in the metric's unit; `None`: none of them counts.
    pub sum: Option<f64>,
    /// The ledger's record, of a sealed day with its pending corrections.
    pub stored: Option<f64>,
    pub agreement: Agreement,
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
    /// The day's rows have been purged: they are no sum to compare with.
    SourceGone,
}

/// One source row and its part in a figure.
#[derive(Debug)]
pub struct ExplainedRow {
    pub row: UsageRow,
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

/// Reads the ledger in one snapshot. If figures differ and somebody has written to the ledger meanwhile, it may be that
/// an import has taken over what the source says by now: then asks again.
pub fn explain(
    request: &ExplainRequest,
    open_source: &dyn Fn() -> anyhow::Result<Source>,
) -> anyhow::Result<Explanation> {
    let mut reader = Reader::open(request.ledger)?;
    let mut attempts = 1;
    loop {
        let before = reader.changes()?;
        let explained =
            reader.read(|snapshot| Ok(explain_in(snapshot, request, open_source)))??;
        let mut agreements = explained.figures.iter().map(|figure| figure.agreement);
        let is_sure = !agreements.any(Agreement::needs_a_look);
        if is_sure || attempts == ATTEMPTS || reader.changes()? == before {
            return Ok(explained);
        }
        attempts += 1;
    }
}

fn explain_in(
    snapshot: &Snapshot,
    request: &ExplainRequest,
    open_source: &dyn Fn() -> anyhow::Result<Source>,
) -> anyhow::Result<Explanation> {
    let named = || ledger_at(request.ledger);
    let (range, today) = (request.range, request.today);
    let coverage = find_coverage(snapshot, Some(range), today).with_context(named)?;
    let account = find_one(snapshot, request.account).with_context(named)?;
    let account = account.map_err(anyhow::Error::msg)?;
    let mut ledger = DayReader::of(snapshot, request.timezone).with_context(named)?;
    let zones = ledger.zones().clone();
    let mut source = open_source()?;
    let account_id = account.id.unsigned_abs();
    source.narrow_to(account_id);
    let mut figures = Vec::new();
    for day in range.days().filter(|day| *day <= today) {
        let named = || format!("explain {day}");
        let bounds = DayBounds::of(day, &zones);
        let read = source.read_day(bounds).with_context(named)?;
        let descriptions = source.describe(&read.rows).with_context(named)?;
        let of_day = explain_day(day, account_id, request, read, &descriptions, &mut ledger);
        figures.extend(of_day.with_context(named)?);
    }
    Ok(Explanation {
        account,
        zones,
        coverage,
        figures,
    })
}

/// What belongs to one metric and id.
#[derive(Default)]
struct FigureParts {
    rows: Vec<ExplainedRow>,
    sum: Option<f64>,
    stored: Option<f64>,
    resource_id: Option<i64>,
}

fn explain_day(
    day: Day,
    account_id: u64,
    request: &ExplainRequest,
    read: SourceDay,
    descriptions: &Descriptions,
    ledger: &mut DayReader,
) -> anyhow::Result<Vec<Explained>> {
    let SourceDay {
        mut rows,
        rewinds,
        names,
        fingerprint,
        oldest,
        lowest_id,
        ..
    } = read;
    ledger.add_names(names);
    let zones = ledger.zones().clone();
    let bounds = DayBounds::of(day, &zones);
    let stored = ledger.find_day(day)?;
    // The rows are those of one account, the fingerprint is of all.
    let gone = stored
        .and_then(|stored| rows_gone(stored, fingerprint.rows, oldest, lowest_id, bounds))
        .is_some();
    let mut figures: BTreeMap<(Metric, u64), FigureParts> = BTreeMap::new();
    let mut note = |step: &RowTrace| {
        for key in step.figures.keys() {
            let row = explained_row(step, descriptions);
            figures.entry(key).or_default().rows.push(row);
        }
    };
    let policy = Policy::of(stored, ClosedDay::ReportOnly);
    let known = ledger.known_vms(day, policy, running_vms(&rows))?;
    let usage = add_up(&mut rows, &rewinds, bounds, &zones, &known, &mut note)?;
    for record in usage.records {
        let figure = figures.entry((record.metric, record.source_id));
        figure.or_default().sum = Some(record.quantity);
    }
    if stored.is_some() {
        let of_account = |id: u64| id == account_id;
        let records = ledger.day_figures(day)?.figures.into_iter();
        for record in records.filter(|record| of_account(record.account_id)) {
            let figure = figures.entry((record.metric, record.source_id));
            let figure = figure.or_default();
            figure.stored = record.quantity;
            figure.resource_id = Some(record.resource_id);
        }
    }
    // What is to be said of figures that are not equal.
    let otherwise = match stored.map(|stored| stored.completion) {
        None => Agreement::Missing,
        Some(_) if gone => Agreement::SourceGone,
        Some(Completion::Open) => Agreement::Open,
        Some(Completion::Closed) => Agreement::Differs,
    };
    let is_asked_for = |metric| request.metric.is_none_or(|asked| asked == metric);
    Ok(figures
        .into_iter()
        .filter(|((metric, _), _)| is_asked_for(*metric))
        .map(|(key, figure)| explained(day, key, figure, otherwise, request.tolerance, ledger))
        .collect())
}

fn explained_row(step: &RowTrace, descriptions: &Descriptions) -> ExplainedRow {
    let kind = resource_of_usage_type(step.row.usage_type);
    let id = step.row.usage_id;
    let known = descriptions.resources.get(&(kind, id)).cloned();
    let (uuid, name) = known.unwrap_or_default();
    ExplainedRow {
        row: step.row.clone(),
        about: format!("{kind}:{id}"),
        uuid,
        name,
        description: descriptions.rows.get(&step.row.id).cloned(),
        part: step.part,
        share: if step.outcome.counts() {
            step.share
        } else {
            0.0
        },
        outcome: step.outcome,
        repeats: step.repeats,
        rewind: step.rewind,
        quantity: step.figures.quantity,
    }
}

fn explained(
    day: Day,
    (metric, source_id): (Metric, u64),
    mut figure: FigureParts,
    otherwise: Agreement,
    tolerance: f64,
    ledger: &DayReader,
) -> Explained {
    figure
        .rows
        .sort_by_key(|explained| (explained.row.start, explained.row.id));
    let resource = match figure.resource_id {
        Some(id) => ledger
            .stored_resource(id)
            .map(|(uuid, name)| Name { uuid, name }),
        None => metric.per().map(|per| {
            let (uuid, name) = ledger.resource_of(per, source_id);
            Name { uuid, name }
        }),
    };
    let equal = match (figure.sum, figure.stored) {
        (Some(sum), Some(stored)) => {
            (sum - stored).abs() <= tolerance * sum.abs().max(stored.abs())
        }
        (sum, stored) => sum == stored,
    };
    let agreement = match otherwise {
        Agreement::Missing => Agreement::Missing,
        _ if equal => Agreement::Equal,
        otherwise => otherwise,
    };
    Explained {
        day,
        metric,
        resource,
        rows: figure.rows,
        sum: figure.sum,
        stored: figure.stored,
        agreement,
    }
}

impl Explained {
    /// Whether a text is the uuid or name of what the metric is kept per.
    pub fn is_of_resource(&self, text: &str) -> bool {
        let resource = self.resource.as_ref();
        resource.is_some_and(|resource| resource.uuid == text || resource.name == text)
    }
}

impl Agreement {
    /// The published name.
    pub fn name(self) -> &'static str {
        match self {
            Agreement::Equal => "equal",
            Agreement::Differs => "differs",
            Agreement::Open => "open",
            Agreement::Missing => "missing",
            Agreement::SourceGone => "source_gone",
        }
    }

    pub fn needs_a_look(self) -> bool {
        matches!(self, Agreement::Differs | Agreement::Missing)
    }
}
