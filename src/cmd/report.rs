//! `rbc-usage report`: totals of the ledger by any of their dimensions, from account to day.

use std::io::Write;
use std::process::ExitCode;

use anyhow::ensure;

use crate::arguments::{ConfigFile, PeriodArgs, TableArgs, parser, whole};
use crate::coverage::{Coverage, find_coverage};
use crate::day::{Day, DayRange, in_ranges};
use crate::instant::Utc;
use crate::ledger::read::corrections::{CorrectionFilter, StoredCorrection, list_corrections};
use crate::ledger::read::days::list_days_without_resources;
use crate::ledger::read::resources::{find_resources, find_zones};
use crate::ledger::read::selection::Selection;
use crate::ledger::read::state::find_state;
use crate::ledger::read::totals::{
    Dimensions, Figure, Granularity, LineChoice, TotalsQuery, list_totals,
};
use crate::ledger::read::{Page, Reader, Snapshot};
use crate::month::Month;
use crate::output::{self, Column, Document, Value, write};
use crate::plural::plural;
use crate::prices::{PriceList, read_prices};
use crate::report::costs::{CostQuery, CostedCharges, find_costs};
use crate::report::focus::{Found, RowContext};
use crate::report::{self, By, focus};
use crate::sku::DerivedMetric;
use crate::terminal;
use crate::view;
use crate::zones::Zones;

/// Print totals by account, domain, zone, SKU, resource, metric, day or month
///
/// Without a period: last month. Figures of different metrics are never added up, so the metric is
/// always one of the columns.
///
/// Exit code: 0 fine; 1 days of the period are missing or open, so the figures are not final, or
/// their lines do not tell apart the resources that are asked for; 2 an error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    rbc-usage report --month 2013-06                               per account\n  \
    rbc-usage report --month 2013-06 --by domain --metric vm_running --top 5\n  \
    rbc-usage report --month 2013-06 --account acme --by offering,day --format csv\n  \
    rbc-usage report --month 2013-06 --account acme --by vm,sku\n  \
    rbc-usage report --last 30d --by account --metric vm_running --chart\n  \
    rbc-usage report --month 2013-06 --format focus")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    period: PeriodArgs,
    /// What to group totals by, in the order of the columns: account, domain, project, offering, zone, sku,
    /// resource (or only vm, volume), disk_offering, metric, month, day [default: account]
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    by: Vec<By>,
    /// Only this account, by its uuid, its project's uuid, or its name; can be given several times
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Only accounts of this domain and of the domains below it, on the days that they were in it; by its path or uuid
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only in this zone, by its name or uuid
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Only of this VM, volume, address or other resource, by its name, its uuid, or kind and id in CloudStack
    /// (vm:3009)
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Only these metrics
    #[arg(long, value_name = "METRIC", value_delimiter = ',')]
    metric: Vec<String>,
    /// Only the N largest totals of each metric
    #[arg(long, value_name = "N", value_parser = top)]
    top: Option<usize>,
    /// Draw the days of each total (tables only)
    #[arg(long)]
    chart: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = parser::<ReportFormat>(), default_value = "table")]
    format: ReportFormat,
    #[command(flatten)]
    table: TableArgs,
}

fn top(text: &str) -> anyhow::Result<usize> {
    Ok(usize::try_from(whole(text, 1, u64::MAX)?)?)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    /// Aligned columns and rounded figures, for people
    Table,
    /// One object: facts, then the rows as objects
    Json,
    /// A header line and the rows
    Csv,
    /// A workbook for spreadsheets: the rows, notes and facts as sheets
    Xlsx,
    /// CSV in the shape of FOCUS 1.2, with costs if there is a price file: a row for each account, resource, SKU and day
    Focus,
}

impl ReportFormat {
    fn of_output(self) -> output::Format {
        match self {
            ReportFormat::Table => output::Format::Table,
            ReportFormat::Json => output::Format::Json,
            ReportFormat::Csv | ReportFormat::Focus => output::Format::Csv,
            ReportFormat::Xlsx => output::Format::Xlsx,
        }
    }
}

/// What a report is of.
struct ReportScope {
    zones: Zones,
    range: DayRange,
    /// Of days in the range.
    selection: Selection,
    /// Of all days: corrections may be of earlier ones.
    ever: Selection,
    /// Whether the path of a domain has been another one's as well.
    ambiguity: Option<String>,
    /// By their ids in the ledger; none: all.
    zones_asked: Option<Vec<i64>>,
    resources_asked: Option<Vec<i64>>,
    coverage: Coverage,
    /// Days whose lines do not tell resources apart, if that matters here.
    without_resources: Option<Vec<Day>>,
}

impl ReportScope {
    /// Whether figures are of some resources only, so that days whose lines do not tell them apart fall out.
    fn is_of_resources(&self, by: &[By]) -> bool {
        self.resources_asked.is_some() || report::kind(by).is_some()
    }

    /// Every day is there, final, and in the figures.
    fn is_final(&self, by: &[By]) -> bool {
        let mut without = self.without_resources.iter().flatten();
        let fall_out = self.is_of_resources(by) && without.next().is_some();
        self.coverage.is_final() && !fall_out
    }
}

pub fn run(mut args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    check(&args)?;
    if args.by.is_empty() {
        args.by.push(By::Account);
    }
    let style = args.table.style(args.format.of_output())?;
    let config = args.config.load()?;
    let mut reader = Reader::open(&config.ledger)?;
    let subject = find_subject(&args, &mut reader)?;
    let mut all_priced = true;
    let document = match args.format {
        ReportFormat::Focus => {
            let prices = config.prices.as_deref().map(read_prices).transpose()?;
            let context = RowContext {
                zones: &subject.zones,
                names: &config.focus,
            };
            let focused = focused(&args, &mut reader, &subject, context, prices.as_ref())?;
            all_priced = focused.all_priced;
            let mut document = focused.document;
            // Without costs it is no FOCUS data set whatever the names are.
            let missing = config.focus.missing();
            if prices.is_some() && !missing.is_empty() {
                document.notes.push(format!(
                    "FOCUS needs a name in {}: write provider in [focus] of the configuration",
                    missing.join(", ")
                ));
            }
            document
        }
        ReportFormat::Table | ReportFormat::Json | ReportFormat::Csv | ReportFormat::Xlsx => {
            report(&args, &mut reader, &subject)?
        }
    };
    write(&document, &style, out)?;
    // FOCUS has no place for notes either, and corrections are rows of it.
    let beside = match args.format {
        ReportFormat::Focus => &[sentences(&args, &subject), document.notes.clone()].concat(),
        ReportFormat::Table | ReportFormat::Json | ReportFormat::Csv | ReportFormat::Xlsx => {
            &document.notes
        }
    };
    terminal::eprint_beside(beside, &subject.coverage, style.format);
    Ok(super::exit_code(subject.is_final(&args.by) && all_priced))
}

fn check(args: &Args) -> anyhow::Result<()> {
    report::check_metrics(&args.metric)?;
    ensure!(
        args.domain.as_deref() != Some(""),
        "--domain is empty: the path of the root is /"
    );
    ensure!(
        args.format != ReportFormat::Focus || (args.by.is_empty() && args.top.is_none()),
        "--format focus has a row for each account, resource, SKU and day: leave out --by and --top"
    );
    let by_time = args.by.contains(&By::Day) || args.by.contains(&By::Month);
    ensure!(
        !(args.chart && by_time),
        "--chart is for totals of all days: leave day and month out of --by"
    );
    ensure!(
        !args.chart || args.format == ReportFormat::Table,
        "--chart is for tables"
    );
    report::check_by(&args.by)
}

fn find_subject(args: &Args, reader: &mut Reader) -> anyhow::Result<ReportScope> {
    let state = reader.read(find_state)?;
    let zones = state.zones;
    let now = super::unix_now()?;
    let today = zones.day_at(now)?;
    let range = args.period.days(now, zones.newest())?;
    let range = range.unwrap_or_else(|| Month::of(today).previous().days());
    let domain = args.domain.as_deref();
    let (ever, ambiguity) = reader
        .read(|snapshot| report::select_accounts(snapshot, &args.account, domain))?
        .map_err(anyhow::Error::msg)?;
    let mut selection = ever.clone();
    selection.cut(range);
    let zones_asked = match &args.zone {
        Some(key) => Some(reader.read(|snapshot| find_zones(snapshot, key))?),
        None => None,
    };
    let resources_asked = match &args.resource {
        Some(key) => Some(reader.read(|snapshot| find_resources(snapshot, key))?),
        None => None,
    };
    let coverage = reader.read(|snapshot| find_coverage(snapshot, Some(range), today))?;
    let tells_apart = args.resource.is_some()
        || args.format == ReportFormat::Focus
        || report::dimensions(&args.by).resource;
    let without_resources = tells_apart
        .then(|| reader.read(|snapshot| list_days_without_resources(snapshot, range)))
        .transpose()?;
    Ok(ReportScope {
        zones,
        range,
        selection,
        ever,
        ambiguity,
        zones_asked: zones_asked.transpose().map_err(anyhow::Error::msg)?,
        resources_asked: resources_asked.transpose().map_err(anyhow::Error::msg)?,
        coverage,
        without_resources,
    })
}

fn report(args: &Args, reader: &mut Reader, subject: &ReportScope) -> anyhow::Result<Document> {
    let dimensions = report::dimensions(&args.by);
    reader.read(|snapshot| {
        let filter = CorrectionFilter {
            range: Some(subject.range),
            ..CorrectionFilter::default()
        };
        let pending = list_pending(&args.metric, snapshot, subject, filter)?;
        let due = pending.iter().filter(|one| one.acknowledged_at.is_none());
        let due = due.count();
        let question = question(args, subject, dimensions);
        let mut figures = list_totals(snapshot, &question)?;
        report::arrange(&mut figures, &args.by, args.top);
        let cells = report::cells(&args.by);
        let mut columns = view::figures::columns(&cells);
        let mut rows: Vec<_> = figures
            .iter()
            .map(|figure| view::figures::row(&cells, figure))
            .collect();
        if args.chart {
            columns.push(Column::shown("days", "days").key());
            let by_day = Dimensions {
                time: Granularity::Day,
                ..dimensions
            };
            let question = TotalsQuery {
                by: by_day,
                ..question
            };
            let daily = list_totals(snapshot, &question)?;
            let missing = &subject.coverage.unfinished.missing_days;
            report::draw_days(&mut rows, &figures, &daily, subject.range, missing);
        }
        Ok(Document {
            title: title(subject),
            facts: facts(args, subject, due),
            rows_name: "usage",
            columns,
            rows,
            notes: notes(args, subject, due, &figures),
            ..Document::default()
        })
    })
}

fn question<'a>(args: &'a Args, subject: &'a ReportScope, by: Dimensions) -> TotalsQuery<'a> {
    TotalsQuery {
        accounts: &subject.selection.accounts,
        stretches: Some(&subject.selection.stretches),
        range: subject.range,
        metrics: &args.metric,
        only: LineChoice {
            zones: subject.zones_asked.as_deref(),
            resources: subject.resources_asked.as_deref(),
            kind: report::kind(&args.by),
        },
        by,
        zones: &subject.zones,
        most_sums: usize::MAX,
    }
}

/// With costs if there are prices.
fn focused(
    args: &Args,
    reader: &mut Reader,
    subject: &ReportScope,
    context: RowContext,
    prices: Option<&PriceList>,
) -> anyhow::Result<CostedCharges> {
    let by = [By::Account, By::Domain, By::Sku, By::Resource, By::Day];
    let by = report::dimensions(&by);
    let Some(prices) = prices else {
        let document = reader.read(|snapshot| {
            let figures = list_totals(snapshot, &question(args, subject, by))?;
            let corrections = pending_corrections(snapshot, subject, &args.metric)?;
            focus::document(&figures, &corrections, &subject.ever, context)
        })?;
        return Ok(CostedCharges {
            document,
            all_priced: true,
        });
    };
    // An amount is of a whole month, and a day has its share of it.
    let (first, last) = (subject.range.first(), subject.range.last());
    let (first, last) = (Month::of(first).days(), Month::of(last).days());
    let months = DayRange::new(first.first(), last.last())?;
    let mut selection = subject.ever.clone();
    selection.cut(months);
    let figures = TotalsQuery {
        accounts: &selection.accounts,
        stretches: Some(&selection.stretches),
        range: months,
        ..question(args, subject, by)
    };
    // Derived metrics are corrected with the metric that they are derived from.
    let mut metrics = args.metric.clone();
    let derived = args
        .metric
        .iter()
        .filter_map(|name| DerivedMetric::of_name(name));
    metrics.extend(derived.map(|one| one.base().name().into_owned()));
    let found = reader.read(|snapshot| {
        let corrections = pending_corrections(snapshot, subject, &metrics)?;
        let question = CostQuery {
            prices,
            range: subject.range,
            figures,
            selection: &subject.ever,
            context,
            corrections: &corrections,
        };
        find_costs(snapshot, &question)
    })?;
    found.map_err(anyhow::Error::msg)
}

fn pending_corrections(
    snapshot: &Snapshot,
    subject: &ReportScope,
    metrics: &[String],
) -> anyhow::Result<Vec<Found>> {
    let since = Utc::at(subject.zones.midnight(subject.range.first()))?.to_string();
    let filter = CorrectionFilter {
        since: Some(&since),
        ..CorrectionFilter::default()
    };
    focus::found_within(
        list_pending(metrics, snapshot, subject, filter)?,
        subject.range,
        &subject.zones,
    )
}

/// Differences that sealed days withhold, of the accounts and metrics that are asked for.
fn list_pending(
    metrics: &[String],
    snapshot: &Snapshot,
    subject: &ReportScope,
    filter: CorrectionFilter,
) -> anyhow::Result<Vec<StoredCorrection>> {
    let (ids, hidden) = (subject.ever.ids(), subject.ever.hidden_days()?);
    let filter = CorrectionFilter {
        kind: Some("pending"),
        accounts: Some(&ids),
        hidden: hidden.as_deref(),
        ..filter
    };
    let mut corrections = list_corrections(snapshot, filter, Page::default())?;
    corrections.retain(|one| metrics.is_empty() || metrics.contains(&one.metric));
    Ok(corrections)
}

/// What people should know about days and domains.
fn sentences(args: &Args, subject: &ReportScope) -> Vec<String> {
    let mut sentences = subject.coverage.sentences();
    if let Some(days) = &subject.without_resources
        && !days.is_empty()
    {
        let fate = match subject.is_of_resources(&args.by) {
            true => "not in these figures",
            false => "without a resource in these figures",
        };
        let days = in_ranges(days);
        sentences.push(format!(
            "{fate}: days whose lines do not tell resources apart, {days}"
        ));
    }
    sentences.extend(subject.ambiguity.clone());
    sentences
}

/// What people should know about the figures. `due` is the number of pending corrections that are not acknowledged.
fn notes(args: &Args, subject: &ReportScope, due: usize, figures: &[Figure]) -> Vec<String> {
    let mut notes = sentences(args, subject);
    // CSV and JSON name what their rows are of.
    if args.format == ReportFormat::Table && report::adds_up_offerings(&args.by, figures) {
        notes.push(
            "figures of different offerings are added up: --by offering, sku or resource tells them apart"
                .to_owned(),
        );
    }
    if due > 0 {
        let (first, last) = (subject.range.first(), subject.range.last());
        notes.push(format!(
            "not in these figures: {}, see {} --pending {first}..{last}",
            plural(due, "pending correction"),
            args.config.program("corrections")
        ));
    }
    notes
}

/// The zone of the last day.
fn timezone(subject: &ReportScope) -> &str {
    subject.zones.of(subject.range.last()).name()
}

fn title(subject: &ReportScope) -> String {
    format!(
        "{} to {}, {}, {} hours",
        subject.range.first(),
        subject.range.last(),
        timezone(subject),
        subject.zones.hours(subject.range)
    )
}

fn facts(args: &Args, subject: &ReportScope, due: usize) -> Vec<(&'static str, Value)> {
    let mut facts = vec![
        ("start", Value::Time(subject.range.first().to_string())),
        ("end", Value::Time(subject.range.last().to_string())),
        ("timezone", Value::Text(timezone(subject).to_owned())),
        (
            "hours",
            Value::Quantity(subject.zones.hours(subject.range), output::Unit::None),
        ),
        ("complete", Value::Truth(subject.is_final(&args.by))),
    ];
    facts.extend(subject.coverage.facts());
    if let Some(days) = &subject.without_resources {
        let days = days.iter().map(Day::to_string).collect();
        facts.push(("days_without_resources", Value::List(days)));
    }
    let by = args.by.iter().map(|by| by.name().to_owned());
    facts.push(("by", Value::List(by.collect())));
    // A count of corrections fits 64 bits.
    facts.push(("pending_corrections", Value::Count(due as u64)));
    facts
}
