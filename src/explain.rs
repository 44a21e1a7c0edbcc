//! Shows how a figure comes about: the source rows behind it, what each of them adds and why, and that the sum
//! is what the ledger holds. The rules are those of the aggregation, which reports each row as it goes by.

mod figure;
mod narrow;

use std::collections::BTreeMap;

use anyhow::Context;

use crate::aggregate::count;
use crate::aggregate::row_trace::RowTrace;
use crate::aggregate::window::DayBounds;
use crate::config::LedgerUri;
use crate::coverage::{Coverage, find_coverage};
use crate::day::{Day, DayRange};
use crate::import::rows_gone;
use crate::ledger::account_lines::NamedLine;
use crate::ledger::day::{ClosedDay, Completion, LinesPer, Policy};
use crate::ledger::day_reader::DayReader;
use crate::ledger::ledger_at;
use crate::ledger::naming::AccountRef;
use crate::ledger::read::accounts::{Account, find_one};
use crate::ledger::read::resources::find_used;
use crate::ledger::read::{Reader, Snapshot};
use crate::metric::{Metric, resource_of_usage_type};
use crate::source::{Descriptions, Source, SourceDay};
use crate::verify::Name;
use crate::zones::Zones;
pub use figure::{Agreement, Explained, ExplainedRow};
use narrow::narrow;

/// How often the ledger is read, at most, while it keeps changing.
const ATTEMPTS: usize = 5;

/// Which figures are explained.
pub struct ExplainRequest<'a> {
    pub ledger: &'a LedgerUri,
    /// The zone that is configured.
    pub timezone: &'a str,
    /// Uuid of an account or a project, or a name that only one of them has.
    pub account: &'a str,
    pub range: DayRange,
    pub today: Day,
    pub metric: Option<Metric>,
    /// Uuid or name of what is to be explained, or kind and id such as `vm:12`.
    pub resource: Option<&'a str>,
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
    source.narrow_to(ledger.source_ids(account.id));
    let mut figures = Vec::new();
    for day in range.days().filter(|day| *day <= today) {
        let named = || format!("explain {day}");
        let bounds = DayBounds::of(day, &zones);
        let read = source.read_day(bounds).with_context(named)?;
        let descriptions = source.describe(&read.rows).with_context(named)?;
        let of_day = explain_day(day, account.id, request, read, &descriptions, &mut ledger);
        figures.extend(of_day.with_context(named)?);
    }
    if let Some(text) = request.resource {
        let in_ledger = find_used(snapshot, text).with_context(named)?;
        figures = narrow(figures, text, &in_ledger, &account.name, request.tolerance)?;
    }
    for figure in &mut figures {
        if !figure.is_of_lines && figure.agreement != Agreement::SourceGone {
            figure.lines.clear();
        }
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
    lines: Vec<NamedLine>,
    sum: Option<f64>,
    stored: Option<f64>,
    resource_id: Option<i64>,
}

fn explain_day(
    day: Day,
    account_id: i64,
    request: &ExplainRequest,
    read: SourceDay,
    descriptions: &Descriptions,
    ledger: &mut DayReader,
) -> anyhow::Result<Vec<Explained>> {
    let SourceDay {
        mut rows,
        rewinds,
        names,
        removals,
        fingerprint,
        oldest,
        lowest_id,
        ..
    } = read;
    ledger.add_names(names);
    rows.retain(|row| ledger.account_ref(row.account_id, day) == AccountRef::Stored(account_id));
    let zones = ledger.zones().clone();
    let bounds = DayBounds::of(day, &zones);
    let stored = ledger.find_day(day)?;
    // The rows are those of one account, the fingerprint is of all.
    let gone = stored
        .and_then(|stored| rows_gone(stored, fingerprint.rows, oldest, lowest_id, bounds))
        .is_some();
    let mut steps = Vec::new();
    let mut note = |step: &RowTrace| {
        let key = (step.figure.metric, step.figure.source_id);
        steps.push((key, explained_row(step, descriptions)));
    };
    let counted = count(&mut rows, &rewinds, bounds, &zones, &removals, &mut note)?;
    let policy = Policy::of(stored, ClosedDay::ReportOnly);
    let running = steps
        .iter()
        .filter(|((metric, _), _)| *metric == Metric::VmRunning);
    let vms = running.map(|(_, step)| (step.row.usage_id, step.row.template_id));
    let known = ledger.known_vms(day, policy, vms)?;
    let mut figures: BTreeMap<(Metric, u64), FigureParts> = BTreeMap::new();
    for (key, step) in steps {
        // A running VM counts for its guest OS as well.
        if key.0 == Metric::VmRunning {
            let guest_os = known.guest_os(step.row.usage_id, step.row.template_id);
            let figure = figures.entry((Metric::OsUsage, guest_os));
            figure.or_default().rows.push(step.clone());
        }
        figures.entry(key).or_default().rows.push(step);
    }
    for record in known.add_up(counted)?.records {
        let figure = figures.entry((record.metric, record.source_id));
        // Several ids in CloudStack may mean the account.
        let sum = &mut figure.or_default().sum;
        *sum = Some(sum.unwrap_or(0.0) + record.quantity);
    }
    if let Some(stored) = stored {
        for line in ledger.account_lines(day, stored, account_id)? {
            let figure = figures.entry((line.key.metric, line.key.record_id()));
            figure.or_default().lines.push(line);
        }
        let of_account = |id: i64| id == account_id;
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
        .map(|(key, figure)| {
            let told_apart = stored.is_some_and(|stored| stored.lines_per == LinesPer::Resource);
            Explained {
                told_apart,
                ..explained(day, key, figure, otherwise, request.tolerance, ledger)
            }
        })
        .collect())
}

fn explained_row(step: &RowTrace, descriptions: &Descriptions) -> ExplainedRow {
    let kind = resource_of_usage_type(step.row.usage_type);
    let id = step.row.usage_id;
    let known = descriptions.resources.get(&(kind, id)).cloned();
    let (uuid, name) = known.unwrap_or_default();
    ExplainedRow {
        row: step.row.clone(),
        used: step.row.resource(),
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
        quantity: step.figure.quantity,
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
    let agreement = otherwise.unless_equal(figure.sum, figure.stored, tolerance);
    Explained {
        day,
        metric,
        resource,
        rows: figure.rows,
        sum: figure.sum,
        stored: figure.stored,
        lines: figure.lines,
        agreement,
        otherwise,
        told_apart: false,
        is_of_lines: false,
    }
}
