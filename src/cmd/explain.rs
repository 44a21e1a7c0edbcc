//! `rbc-usage explain`: the source rows behind a figure.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

use crate::aggregate::runs::Rewind;
use crate::arguments::{ConfigFile, DayArgs, WorkbookFormatArgs, begun};
use crate::day::{Day, DayRange};
use crate::explain::{Agreement, ExplainRequest, Explained, ExplainedRow, Explanation, explain};
use crate::instant::Utc;
use crate::ledger::account_lines::NamedLine;
use crate::ledger::read::accounts::Account;
use crate::metric::Metric;
use crate::open::open_source;
use crate::output::{self, Column, Document, Tone, Unit, Value};
use crate::period::Period;
use crate::plural::plural;
use crate::sku::DerivedMetric;
use crate::terminal;
use crate::verify::TOLERANCE;
use crate::view::figures::gib_hours;

/// Show the source rows behind a figure
///
/// Reads the account's usage rows of the period again and adds them up as an import does. For each
/// row, explain shows what the row adds and why: `within` the day; `glued`, because it starts up to
/// a minute before midnight; `shared` between days by elapsed time; `until_run`, up to the start of
/// a later run of the usage server; `excess`, what earlier rows of a counter had not counted;
/// `beside` others that it overlaps. Or it shows why the row does not count: it is `void`, because
/// a later run covered its window; it repeats another row (`counted`, `same_window`, `contained`,
/// `overlapped`); it is `hidden` from CloudStack's API; or it is a `per_vm_volume` row beside the
/// volume's own. One line for each figure has the sum and the ledger's record; the runs are named
/// below.
///
/// Of a VM, a volume or another resource, its rows stand beside the ledger's lines of it. If
/// CloudStack has purged the rows of a day, the ledger's lines are what is left: `source_gone`. Days
/// that were imported before lines were kept do not say what was of one resource: `not_told_apart`.
///
/// Exit code: 0 sums and records are equal, or cannot be compared; 1 some differ, or a day is
/// missing in the ledger; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage explain acme 2013-06-01\n  \
    rbc-usage explain 5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f001 2013-06 vm_running\n  \
    rbc-usage explain acme yesterday vm_running 'small offering'\n  \
    rbc-usage explain acme 2013-06 vm_running web-01\n  \
    rbc-usage explain acme vm_running -s 2013-06-01 -e 2013-06-07")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Uuid of an account or project, or a name that only one of them has
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// Days: YYYY-MM-DD, DAY..DAY, YYYY-MM, 7d, yesterday …; leave it out if an option gives them
    #[arg(value_name = "PERIOD")]
    period: Option<String>,
    /// Only this metric, such as vm_running
    #[arg(value_name = "METRIC")]
    metric: Option<String>,
    /// Only this VM, volume, address, offering, guest OS …: its uuid, its name, or kind and id such as vm:3009
    #[arg(value_name = "RESOURCE")]
    resource: Option<String>,
    #[command(flatten)]
    days: DayArgs,
    #[command(flatten)]
    format: WorkbookFormatArgs,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let style = args.format.style()?;
    let config = args.config.load()?;
    let today = config.zone.day_at(super::unix_now()?)?;
    let (range, metric, resource) = args.asked(today)?;
    let range = begun(range, today, &config.zone)?;
    let metric = metric.map(explainable).transpose()?;
    let request = ExplainRequest {
        ledger: &config.ledger,
        timezone: config.zone.name(),
        account: &args.account,
        range,
        today,
        metric,
        resource,
        tolerance: TOLERANCE,
    };
    let Explanation {
        account,
        zones,
        coverage,
        figures,
    } = explain(&request, &|| open_source(&config))?;
    let needs_a_look = figures.iter().any(|figure| figure.agreement.needs_a_look());
    let mut document = document(account, range, zones.of(range.last()).name(), figures)?;
    document.facts.extend(coverage.facts());
    document.notes.extend(coverage.absences());
    output::write(&document, &style, out)?;
    terminal::eprint_beside(&coverage.absences(), &coverage, args.format.format);
    Ok(super::exit_code(!needs_a_look && coverage.is_whole()))
}

/// The metric of a name. One that is derived has no rows of its own.
fn explainable(name: &str) -> anyhow::Result<Metric> {
    if let Some(derived) = DerivedMetric::of_name(name) {
        let base = derived.base().name();
        bail!("{name} is derived from {base}: explain that");
    }
    Metric::asked_for(name).map_err(anyhow::Error::msg)
}

impl Args {
    /// The days, and the names of metric and resource. Where an option says the days, the word in their place is
    /// the metric.
    fn asked(&self, today: Day) -> anyhow::Result<(DayRange, Option<&str>, Option<&str>)> {
        let words = [&self.period, &self.metric, &self.resource].map(Option::as_deref);
        match (self.days.days(today)?, words) {
            (Some(range), [metric, resource, None]) => Ok((range, metric, resource)),
            (Some(_), [_, _, Some(word)]) => {
                bail!("the days are said twice, or {word:?} is too much")
            }
            (None, [Some(period), metric, resource]) => {
                Ok((period.parse::<Period>()?.days(today), metric, resource))
            }
            (None, [None, _, _]) => {
                bail!("which days? write one after the account, or --month YYYY-MM")
            }
        }
    }
}

const COLUMNS: [Column; 34] = [
    Column::shown("day", "day").key(),
    Column::hidden("line"),
    Column::shown("metric", "metric").kept(),
    Column::hidden("unit"),
    Column::hidden("resource_uuid"),
    Column::shown("resource_name", "resource").detail(),
    Column::shown("row_id", "row").key(),
    Column::hidden("usage_type"),
    Column::shown("about", "about"),
    Column::hidden("about_uuid"),
    Column::shown("about_name", "name"),
    Column::hidden("description"),
    Column::shown("start_date", "from (UTC)").detail(),
    Column::shown("end_date", "to").detail(),
    Column::shown("raw_usage", "raw").detail(),
    Column::shown("size_bytes", "size").detail(),
    Column::hidden("is_hidden"),
    Column::hidden("part_start_date"),
    Column::hidden("part_end_date"),
    Column::shown("share", "share"),
    Column::shown("why", "why").key().kept(),
    Column::shown("repeats_row_id", "of row").detail(),
    Column::hidden("later_run"),
    Column::shown("quantity", "quantity").key(),
    Column::shown("stored", "ledger").key(),
    Column::shown("agreement", "").key(),
    Column::hidden("offering_uuid"),
    Column::shown("offering_name", "offering").detail(),
    Column::hidden("zone_uuid"),
    Column::shown("zone_name", "zone").detail(),
    Column::shown("vcpus", "vCPUs").detail(),
    Column::shown("mhz", "MHz").detail(),
    Column::shown("memory_mib", "MiB").detail(),
    Column::shown("gib_hours", "GiB-hours").key(),
];

/// Those of the SKU, before the last.
const OF_SKU: usize = 7;

fn document(
    account: Account,
    range: DayRange,
    zone: &str,
    figures: Vec<Explained>,
) -> anyhow::Result<Document> {
    let count = |agreement| figures.iter().filter(|f| f.agreement == agreement).count();
    let (equal, all) = (count(Agreement::Equal), figures.len());
    let found = plural(all, "figure");
    let mut notes = vec![match (all, equal == all) {
        (0, _) => found,
        (_, true) => format!("{found}, as the ledger has it"),
        (_, false) => format!("{found}, {equal} as the ledger has it"),
    }];
    for (agreement, of_one, of_many) in [
        (Agreement::Differs, "differs", "differ"),
        (
            Agreement::Open,
            "is of a day that is not finished",
            "are of days that are not finished",
        ),
        (
            Agreement::Missing,
            "is of a day that the ledger lacks",
            "are of days that the ledger lacks",
        ),
        (
            Agreement::NotToldApart,
            "is of a day whose lines do not tell resources apart",
            "are of days whose lines do not tell resources apart",
        ),
        (
            Agreement::SourceGone,
            "is of a day whose source is gone: shown is what the ledger holds",
            "are of days whose source is gone: shown is what the ledger holds",
        ),
    ] {
        match count(agreement) {
            0 => {}
            1 => notes.push(format!("1 {of_one}")),
            many => notes.push(format!("{many} {of_many}")),
        }
    }
    notes.extend(later_runs(&figures)?);
    let mut rows = Vec::new();
    for figure in figures {
        for row in &figure.rows {
            rows.push(row_line(&figure, row)?);
        }
        rows.extend(figure.lines.iter().map(|line| ledger_line(&figure, line)));
        rows.push(figure_line(&figure));
    }
    let facts = vec![
        ("account_uuid", Value::Text(account.uuid)),
        ("account_name", Value::Text(account.name.clone())),
        ("start", Value::Time(range.first().to_string())),
        ("end", Value::Time(range.last().to_string())),
        ("timezone", Value::Text(zone.to_owned())),
    ];
    Ok(Document {
        title: format!(
            "{}, {} to {}, {zone}",
            account.name,
            range.first(),
            range.last()
        ),
        picture: Vec::new(),
        facts,
        rows_name: "lines",
        columns: COLUMNS.to_vec(),
        rows,
        notes,
    })
}

/// What later runs of the usage server did to rows, a sentence for each run and each thing it did.
fn later_runs(figures: &[Explained]) -> anyhow::Result<Vec<String>> {
    let mut runs: BTreeMap<(u64, bool, bool), (Rewind, Vec<u64>)> = BTreeMap::new();
    for row in figures.iter().flat_map(|figure| &figure.rows) {
        if let Some(run) = row.rewind {
            let key = (run.first_id, row.outcome.counts(), row.repeats.is_some());
            let (_, ids) = runs.entry(key).or_insert((run, Vec::new()));
            // A running VM's row is there for its guest OS as well.
            if !ids.contains(&row.row.id) {
                ids.push(row.row.id);
            }
        }
    }
    runs.into_iter()
        .map(|((_, counts, again), (run, ids))| {
            let since = Utc::at(run.since)?.to_string();
            let noun = if ids.len() == 1 { "row" } else { "rows" };
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            let rows = format!("{noun} {}", ids.join(", "));
            let run = run.name();
            Ok(match (counts, again) {
                (true, _) => format!("{rows}: counted up to {since}, where {run} starts"),
                (false, true) => {
                    format!("{rows}: void, {run} covered the time since {since} and wrote it again")
                }
                (false, false) => format!(
                    "{rows}: void, {run} covered the time since {since} and has no row of this window"
                ),
            })
        })
        .collect()
}

/// What a line of a source row and that of the sum begin with.
fn beginning(figure: &Explained, line: &'static str) -> Vec<Value> {
    let resource = figure.resource.as_ref();
    vec![
        Value::Time(figure.day.to_string()),
        Value::Text(line.to_owned()),
        Value::Text(figure.metric.name().into_owned()),
        Value::Text(figure.metric.unit().to_owned()),
        Value::text(resource.map(|resource| resource.uuid.as_str())),
        Value::text(resource.map(|resource| resource.name.as_str())),
    ]
}

fn row_line(figure: &Explained, explained: &ExplainedRow) -> anyhow::Result<Vec<Value>> {
    let row = &explained.row;
    let optional = |number: Option<u64>| number.map_or(Value::Nothing, Value::Count);
    let mut line = beginning(figure, "row");
    line.extend([
        Value::Id(row.id),
        optional(row.usage_type.map(u64::from)),
        Value::Text(explained.about.clone()),
        Value::text(explained.uuid.as_deref()),
        Value::text(explained.name.as_deref()),
        Value::text(explained.description.as_deref()),
        Value::Time(Utc::at(row.start)?.to_string()),
        Value::Time(Utc::at(row.end - 1)?.to_string()),
        Value::Quantity(row.raw_usage, Unit::Exact),
        optional(row.size()),
        Value::Truth(row.hidden),
        Value::Time(Utc::at(explained.part.from)?.to_string()),
        Value::Time(Utc::at(explained.part.to - 1)?.to_string()),
        Value::Quantity(explained.share, Unit::None),
        Value::Text(explained.outcome.name().to_owned()),
        explained.repeats.map_or(Value::Nothing, Value::Id),
        Value::text(explained.rewind.map(|run| run.name()).as_deref()),
        Value::Quantity(explained.quantity, Unit::Exact),
        Value::Nothing,
        Value::Nothing,
    ]);
    line.extend(std::iter::repeat_n(Value::Nothing, OF_SKU));
    line.push(gib_hours(figure.metric, Some(explained.quantity)));
    Ok(line)
}

/// What the ledger has of one resource under one SKU.
fn ledger_line(figure: &Explained, held: &NamedLine) -> Vec<Value> {
    let names = &held.names;
    let text = |text: &Option<String>| Value::text(text.as_deref());
    let count = |number: Option<u64>| number.map_or(Value::Nothing, Value::Count);
    let about = match held.key.resource {
        (_, 0) => Value::Nothing,
        (kind, id) => Value::Text(format!("{}:{id}", kind.name())),
    };
    let mut line = beginning(figure, "ledger");
    line.extend([Value::Nothing, Value::Nothing, about]);
    line.extend([text(&names.resource_uuid), text(&names.resource_name)]);
    line.extend(std::iter::repeat_n(Value::Nothing, 9));
    line.extend([
        Value::Text("ledger".to_owned()),
        Value::Nothing,
        Value::Nothing,
        Value::Nothing,
        Value::Quantity(held.quantity, Unit::Exact),
        Value::Nothing,
        text(&names.offering_uuid),
        text(&names.offering_name),
        text(&names.zone_uuid),
        text(&names.zone_name),
        count(names.vcpus),
        count(names.mhz),
        count(names.memory_mib),
        gib_hours(figure.metric, Some(held.quantity)),
    ]);
    line
}

fn figure_line(figure: &Explained) -> Vec<Value> {
    let quantity =
        |number: Option<f64>| number.map_or(Value::Nothing, |n| Value::Quantity(n, Unit::Exact));
    let tone = match figure.agreement {
        Agreement::Equal => Tone::Good,
        Agreement::Open | Agreement::SourceGone | Agreement::NotToldApart => Tone::Doubtful,
        Agreement::Differs | Agreement::Missing => Tone::Bad,
    };
    let mut line = beginning(figure, "sum");
    line.extend(std::iter::repeat_n(Value::Nothing, 14));
    line.extend([
        Value::Text("sum".to_owned()),
        Value::Nothing,
        Value::Nothing,
        quantity(figure.sum),
        quantity(figure.stored),
        Value::State(figure.agreement.name(), tone),
    ]);
    line.extend(std::iter::repeat_n(Value::Nothing, OF_SKU));
    line.push(gib_hours(figure.metric, figure.sum.or(figure.stored)));
    line
}
