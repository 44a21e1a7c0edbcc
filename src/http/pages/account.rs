//! `GET /accounts/{uuid}`: a month of one account. Each metric day by day, stacked by SKU, with its table; what was used;
//! corrections; and where programs find the same.

use std::collections::BTreeMap;
use std::rc::Rc;

use maud::{Markup, html};

use super::days::{ShownDay, list, standing};
use super::links;
use super::months::{chosen, neighbours};
use super::plot::{self, MOST_SERIES, Series};
use super::shell::{HtmlPage, body, formats, month_name, name, quantity, scope_note};
use super::waiting::{Concerned, corrections, findings, show_corrections, show_findings};
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::http::v1::usage::{MOST_SUMS, figures_of};
use crate::ledger::read::accounts::Account;
use crate::ledger::read::selection::{Selection, select_one};
use crate::ledger::read::totals::{
    Dimensions, Figure, Granularity, LineChoice, MetricFacts, ResourceFacts, TotalsQuery,
};
use crate::month::Month;
use crate::sku::VmSize;
use crate::view::resources::{UsedResource, list_used};

pub const PARAMETERS: [&str; 1] = ["month"];

const ROOT: &str = "../";

/// Resources of a page.
const MOST_RESOURCES: usize = 500;

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let seen = context.find_account(context.argument)?;
    let account = seen.account.clone();
    let mut selection = select_one(context.snapshot, seen)?;
    selection.cut(month.days());
    // One that has no day here is as it was on the last that there is.
    let account = selection.accounts.first().unwrap_or(&account);
    let days = list(context, month)?;
    let metrics = list_metrics(context, &selection, month)?;
    let by_resource = Dimensions {
        resource: true,
        ..Dimensions::default()
    };
    let used = read(context, &selection, month, by_resource)?;
    let used = list_used(&used);
    let concerned = Concerned::of(Some(&selection))?;
    let found = findings(context, month.days(), &concerned)?;
    let corrected = corrections(context, month.days(), &concerned, None)?;
    let uuid = links::encoded(context.argument);
    let title = format!("{}, {}", called(account), month_name(month));
    let of_account = format!("{ROOT}v1/accounts/{uuid}");
    let content = html! {
        h1 { (called(account)) " " small { (month_name(month)) } }
        (neighbours(context, month))
        (who(account, month))
        (scope_note(context))
        p { (standing(&days)) }
        section {
            h2 { "Usage" }
            @if metrics.is_empty() { p { "Nothing was used in this month." } }
            @for metric in &metrics { (metric.shown(&days)) }
            p.links {
                "By day and SKU: " (formats(&format!("{of_account}/usage?month={month}&granularity=day&group=sku")))
                ". Totals: " (formats(&format!("{of_account}/usage?month={month}&group=sku")))
            }
        }
        section {
            h2 { "Resources" }
            (resources(&used))
            p.links { "Resources: " (formats(&format!("{of_account}/resources?month={month}&limit=1000"))) }
        }
        section {
            h2 { "Corrections" }
            @if corrected.is_empty() { p { "None." } } @else {
                (show_corrections(&corrected, ROOT, month,
                    &format!("{ROOT}v1/corrections?account={uuid}&month={month}")))
            }
        }
        section {
            h2 { "Findings" }
            @if found.is_empty() { p { "None that nobody has acknowledged." } } @else {
                (show_findings(&found, ROOT, month,
                    &format!("{ROOT}v1/findings?account={uuid}&month={month}")))
            }
        }
    };
    let page = HtmlPage {
        title: &title,
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}

/// What people call it: a project by its own name.
fn called(account: &Account) -> &str {
    account.project_name.as_deref().unwrap_or(&account.name)
}

fn who(account: &Account, month: Month) -> Markup {
    html! {
        dl {
            dt { "Account" } dd { (account.name) " " code { (account.uuid) } }
            @if let Some(uuid) = &account.project_uuid {
                dt { "Project" }
                dd { (account.project_name.as_deref().unwrap_or_default()) " " code { (uuid) } }
            }
            @if let Some(path) = &account.domain_path {
                @let key = account.domain_uuid.as_deref().unwrap_or(path);
                dt { "Domain" } dd { a href=(links::domain(ROOT, key, month)) { (path) } }
            }
        }
    }
}

fn read<'a>(
    context: &'a Context,
    selection: &'a Selection,
    month: Month,
    by: Dimensions,
) -> Result<Vec<Figure<'a>>, Rejection> {
    let question = TotalsQuery {
        accounts: &selection.accounts,
        stretches: Some(&selection.stretches),
        range: month.days(),
        metrics: &[],
        only: LineChoice::default(),
        by,
        zones: &context.state.zones,
        most_sums: MOST_SUMS,
    };
    figures_of(context, &question)
}

/// What tells SKUs of a metric apart: offering, zone, size.
type SkuKey = (Option<String>, Option<String>, VmSize);

fn key(figure: &Figure) -> SkuKey {
    let uuid = |facts: &Option<Rc<ResourceFacts>>| facts.as_ref().map(|one| one.uuid.clone());
    (uuid(&figure.offering), uuid(&figure.zone), figure.size)
}

fn label(figure: &Figure) -> String {
    let named = [&figure.offering, &figure.zone].into_iter().flatten();
    let mut parts: Vec<String> = named.map(|one| one.name.clone()).collect();
    let size = figure.size;
    parts.extend(size.vcpus.map(|number| format!("{number} vCPU")));
    parts.extend(size.mhz.map(|number| format!("{number} MHz")));
    parts.extend(size.memory_mib.map(|number| format!("{number} MiB")));
    match parts.is_empty() {
        true => "not told apart".to_owned(),
        false => parts.join(", "),
    }
}

struct SkuTotal {
    label: String,
    quantity: f64,
    heights: Vec<f64>,
}

/// One metric in a month.
struct UsedMetric {
    facts: Rc<MetricFacts>,
    total: f64,
    /// From the largest.
    skus: Vec<SkuTotal>,
}

fn list_metrics(
    context: &Context,
    selection: &Selection,
    month: Month,
) -> Result<Vec<UsedMetric>, Rejection> {
    let by = |sku, time| Dimensions {
        sku,
        time,
        ..Dimensions::default()
    };
    let length = month.days().days().count();
    let mut heights: BTreeMap<(String, SkuKey), Vec<f64>> = BTreeMap::new();
    for figure in read(context, selection, month, by(true, Granularity::Day))? {
        let Some(day) = figure.day else { continue };
        let name = figure.metric.name.clone();
        let days = heights.entry((name, key(&figure)));
        let days = days.or_insert_with(|| vec![0.0; length]);
        days[usize::from(day.day_of_month()) - 1] = figure.quantity;
    }
    let mut skus: BTreeMap<String, Vec<SkuTotal>> = BTreeMap::new();
    for figure in read(context, selection, month, by(true, Granularity::Total))? {
        let name = figure.metric.name.clone();
        let days = heights.remove(&(name.clone(), key(&figure)));
        skus.entry(name).or_default().push(SkuTotal {
            label: label(&figure),
            quantity: figure.quantity,
            heights: days.unwrap_or_else(|| vec![0.0; length]),
        });
    }
    let totals = read(context, selection, month, by(false, Granularity::Total))?;
    let metrics = totals.into_iter().map(|figure| {
        let mut skus = skus.remove(&figure.metric.name).unwrap_or_default();
        skus.sort_by(|one, other| other.quantity.total_cmp(&one.quantity));
        UsedMetric {
            total: figure.quantity,
            facts: figure.metric,
            skus,
        }
    });
    Ok(metrics.collect())
}

impl UsedMetric {
    /// The largest SKUs, and the rest as one.
    fn series(&self) -> Vec<Series> {
        let series = |sku: &SkuTotal| Series {
            label: sku.label.clone(),
            heights: sku.heights.clone(),
        };
        let shown = self.skus.len().min(MOST_SERIES);
        let (large, small) = self.skus.split_at(shown);
        let mut list: Vec<Series> = large.iter().map(series).collect();
        if let Some(first) = small.first() {
            let mut heights = vec![0.0; first.heights.len()];
            for sku in small {
                for (sum, height) in heights.iter_mut().zip(&sku.heights) {
                    *sum += height;
                }
            }
            let label = format!("{} others", small.len());
            list.push(Series { label, heights });
        }
        list
    }

    fn shown(&self, days: &[ShownDay]) -> Markup {
        let MetricFacts {
            name: metric, unit, ..
        } = &*self.facts;
        let series = self.series();
        let pale: Vec<bool> = days.iter().map(ShownDay::is_unfinished).collect();
        let highest = plot::highest(&series, days.len());
        let said = format!("Bars of {metric} for each day; the table below has the figures");
        let ends = days.first().zip(days.last());
        html! {
            article {
                h3 { (name(metric)) }
                p { strong { (quantity(self.total, unit)) } " in all, at most " (quantity(highest, unit)) " on a day." }
                (plot::bars(&said, &series, &pale))
                @if let Some((first, last)) = ends {
                    p.axis aria-hidden="true" { span { (first.day) } span { (last.day) } }
                }
                table {
                    caption.hidden { "Totals of " (metric) " by SKU" }
                    thead { tr { th scope="col" { "SKU" } th.figure scope="col" { "Quantity" } } }
                    tbody { @for (place, sku) in self.skus.iter().enumerate() { tr {
                        th scope="row" { (plot::swatch(place.min(MOST_SERIES))) " " (sku.label) }
                        td.figure { (quantity(sku.quantity, unit)) }
                    } } }
                }
                details {
                    summary { "Day by day" span.hidden { " of " (metric) } }
                    (by_day(&series, days, unit))
                }
            }
        }
    }
}

fn by_day(series: &[Series], days: &[ShownDay], unit: &str) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Day" }
                th scope="col" { "SKU" }
                th.figure scope="col" { "Quantity" }
            } }
            tbody { @for (place, day) in days.iter().enumerate() {
                @let used: Vec<&Series> = series.iter().filter(|one| one.heights[place] > 0.0).collect();
                @if used.is_empty() { tr {
                    th scope="row" { (day.day) }
                    td { (if day.is_unfinished() { day.word() } else { "nothing" }) }
                    td.figure { "–" }
                } }
                @for one in used { tr {
                    th scope="row" { (day.day) }
                    td {
                        (one.label)
                        @if day.is_unfinished() { " (" (day.word()) ")" }
                    }
                    td.figure { (quantity(one.heights[place], unit)) }
                } }
            } }
        }
    }
}

fn resources(used: &[UsedResource]) -> Markup {
    html! {
        @if used.is_empty() { p { "None." } } @else {
            table {
                thead { tr {
                    th scope="col" { "Resource" }
                    th.figure scope="col" { "Quantities" }
                } }
                tbody { @for one in used.iter().take(MOST_RESOURCES) { tr {
                    th scope="row" {
                        @match &one.resource {
                            Some(resource) => {
                                (resource.name) " " span.note { (name(&resource.kind)) " " (resource.uuid) }
                            }
                            None => "not told apart",
                        }
                    }
                    td.figure { @for total in &one.totals {
                        div { (name(&total.metric.name)) ": " (quantity(total.quantity, &total.metric.unit)) }
                    } }
                } } }
            }
            @if used.len() > MOST_RESOURCES {
                p { (used.len() - MOST_RESOURCES) " more are in the lists for programs." }
            }
        }
    }
}
