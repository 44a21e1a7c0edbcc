//! Shows how a figure comes about: the source rows behind it, what each of them adds and why, and that the sum
//! is what the ledger holds. The rules are those of the aggregation, which tells of each row as it goes by.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::aggregate::runs::Rewind;
use crate::aggregate::step::{Fate, Step};
use crate::aggregate::window::{DayBounds, Part};
use crate::day::Day;
use crate::import::{DayRows, add_up_and_tell, rows_gone};
use crate::ledger::Ledger;
use crate::ledger::day::{ClosedDay, Completion, Policy};
use crate::metric::{Metric, resource_of_usage_type};
use crate::row::UsageRow;
use crate::source::{Descriptions, Source, SourceDay};
use crate::verify::Name;
use crate::zones::Zones;

/// Which figures. All conditions hold together.
pub struct Question<'a> {
    pub account_id: u64,
    pub metric: Option<Metric>,
    /// Uuid or name of what a metric is kept per.
    pub resource: Option<&'a str>,
    pub zones: &'a Zones,
    /// Sums that differ from the ledger by no more than this part are equal.
    pub tolerance: f64,
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
    pub fate: Fate,
    /// The row that goes before this one where they say the same.
    pub repeats: Option<u64>,
    /// The later run of the usage server that voids it, or the end of its window.
    pub rewind: Option<Rewind>,
    /// In the metric's unit.
    pub quantity: f64,
}

/// Explains days in order; `on_day` gets the figures of each.
pub fn explain(
    days: &[Day],
    question: &Question,
    source: &mut Source,
    ledger: &mut Ledger,
    on_day: &mut dyn FnMut(Vec<Explained>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    source.narrow_to(question.account_id);
    for day in days {
        let named = || format!("explain {day}");
        let bounds = DayBounds::of(*day, question.zones);
        let read = source.read_day(bounds).with_context(named)?;
        let descriptions = source.describe(&read.rows).with_context(named)?;
        let figures =
            explain_day(*day, question, read, &descriptions, ledger).with_context(named)?;
        on_day(figures)?;
    }
    Ok(())
}

/// What belongs to one metric and id.
#[derive(Default)]
struct Figure {
    rows: Vec<ExplainedRow>,
    sum: Option<f64>,
    stored: Option<f64>,
    resource_id: Option<i64>,
}

fn explain_day(
    day: Day,
    question: &Question,
    read: SourceDay,
    descriptions: &Descriptions,
    ledger: &mut Ledger,
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
    let bounds = DayBounds::of(day, question.zones);
    let stored = ledger.find_day(day)?;
    // The rows are those of one account, the fingerprint is of all.
    let gone = stored
        .and_then(|stored| rows_gone(stored, fingerprint.rows, oldest, lowest_id, bounds))
        .is_some();
    let mut figures: BTreeMap<(Metric, u64), Figure> = BTreeMap::new();
    let mut note = |step: &Step| {
        for key in step.figures.keys() {
            let row = explained_row(step, descriptions);
            figures.entry(key).or_default().rows.push(row);
        }
    };
    let of_day = DayRows {
        day,
        zones: question.zones,
        policy: Policy::of(stored, ClosedDay::ReportOnly),
        rows: &mut rows,
        rewinds: &rewinds,
    };
    let usage = add_up_and_tell(of_day, ledger, &mut note)?;
    for record in usage.records {
        let figure = figures.entry((record.metric, record.source_id));
        figure.or_default().sum = Some(record.quantity);
    }
    if stored.is_some() {
        let of_account = |id: u64| id == question.account_id;
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
    Ok(figures
        .into_iter()
        .map(|(key, figure)| explained(day, key, figure, otherwise, question, ledger))
        .filter(|explained| is_asked_for(explained, question))
        .collect())
}

fn explained_row(step: &Step, descriptions: &Descriptions) -> ExplainedRow {
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
        share: if step.fate.counts() { step.share } else { 0.0 },
        fate: step.fate,
        repeats: step.repeats,
        rewind: step.rewind,
        quantity: step.figures.quantity,
    }
}

fn explained(
    day: Day,
    (metric, source_id): (Metric, u64),
    mut figure: Figure,
    otherwise: Agreement,
    question: &Question,
    ledger: &Ledger,
) -> Explained {
    figure
        .rows
        .sort_by_key(|explained| (explained.row.start, explained.row.id));
    let resource = match figure.resource_id {
        Some(id) => ledger
            .resource_naming(id)
            .map(|(uuid, name, _)| Name { uuid, name }),
        None => metric.per().map(|per| {
            let (uuid, name) = ledger.resource_of(per, source_id);
            Name { uuid, name }
        }),
    };
    let equal = match (figure.sum, figure.stored) {
        (Some(sum), Some(stored)) => {
            (sum - stored).abs() <= question.tolerance * sum.abs().max(stored.abs())
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

fn is_asked_for(explained: &Explained, question: &Question) -> bool {
    let is_metric = question
        .metric
        .is_none_or(|metric| metric == explained.metric);
    let is_resource = question.resource.is_none_or(|text| {
        let resource = explained.resource.as_ref();
        resource.is_some_and(|resource| resource.uuid == text || resource.name == text)
    });
    is_metric && is_resource
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
