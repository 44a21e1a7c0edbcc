//! What was used in a month: the totals of each metric beside those of the month before, and the largest accounts by one
//! metric.

use std::collections::BTreeMap;
use std::rc::Rc;

use maud::{Markup, html};

use super::links;
use super::plot::share;
use super::shell::{formats, name, quantity};
use crate::day::DayRange;
use crate::http::refusal::Rejection;
use crate::http::v1::context::Context;
use crate::http::v1::render::check_work;
use crate::http::v1::usage::{MOST_SUMS, figures_of};
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::{
    Dimensions, Figure, Granularity, LineChoice, MetricFacts, TotalsQuery,
};
use crate::month::Month;
use crate::plural::plural;
use crate::sum::CompensatedSum;

/// Domains of a page.
const MOST_DOMAINS: usize = 100;

/// Accounts in the list of the largest.
const LARGEST: usize = 10;

/// What accounts are compared by if nothing else is asked for.
const USUAL_METRIC: &str = "vm_running";

/// A metric in the month and in the one before.
struct Compared {
    name: String,
    unit: String,
    now: f64,
    before: f64,
}

/// An account, and what it used of a metric.
struct LargeAccount {
    uuid: String,
    name: String,
    domain_path: Option<String>,
    quantity: f64,
}

/// A domain without those in it, and what its accounts used of a metric.
struct LargeDomain {
    uuid: String,
    path: String,
    quantity: f64,
}

pub struct MonthUsage {
    metrics: Vec<Compared>,
    /// By what accounts are compared; `None`: there is nothing.
    metric: Option<String>,
    /// From the largest, like the accounts.
    domains: Vec<LargeDomain>,
    accounts: Vec<LargeAccount>,
    /// How many days of the month, and of the one before, are missing or open.
    unfinished: [usize; 2],
}

impl MonthUsage {
    /// In words, if there are too many accounts.
    pub fn read(
        context: &Context,
        mut selection: Selection,
        month: Month,
        asked: Option<String>,
    ) -> Result<Result<MonthUsage, String>, Rejection> {
        let both = DayRange::new(month.previous().first_day(), month.days().last());
        let both = both.map_err(anyhow::Error::from)?;
        selection.cut(both);
        if let Err(problem) = check_work(selection.accounts.len(), month.days()) {
            return Ok(Err(problem.detail));
        }
        let asks = question(context, &selection, both, &[], by_sku(Granularity::Month));
        let metrics = compare(&figures_of(context, &asks)?, month);
        let metric = asked.or_else(|| {
            let used = metrics.iter().filter(|one| one.now > 0.0);
            let mut names: Vec<&str> = used.map(|one| one.name.as_str()).collect();
            names.sort_by_key(|name| *name != USUAL_METRIC);
            names.first().map(|name| (*name).to_owned())
        });
        selection.cut(month.days());
        let (mut accounts, mut domains) = (Vec::new(), Vec::new());
        if let Some(metric) = &metric {
            let wanted = [metric.clone()];
            let by = Dimensions {
                account: true,
                domain: true,
                ..Dimensions::default()
            };
            let asks = question(context, &selection, month.days(), &wanted, by);
            let figures = figures_of(context, &asks)?;
            accounts = largest(&figures);
            domains = largest_domains(&figures);
        }
        Ok(Ok(MonthUsage {
            metrics,
            metric,
            domains,
            accounts,
            unfinished: [
                count_unfinished(context, month)?,
                count_unfinished(context, month.previous())?,
            ],
        }))
    }

    /// `programs` is where they find the same.
    pub fn totals(&self, month: Month, programs: &str) -> Markup {
        html! {
            section {
                h2 { "Totals" }
                @for (month, days) in [month, month.previous()].into_iter().zip(self.unfinished) {
                    @if days > 0 { p.note {
                        (month) " lacks " (plural(days, "day")) " or has them open: its totals are not comparable."
                    } }
                }
                @if self.metrics.is_empty() {
                    p { "Nothing was used in this month or the one before." }
                } @else {
                    table.totals role="table" {
                        thead role="rowgroup" { tr role="row" {
                            th scope="col" role="columnheader" { "Metric" }
                            th.figure scope="col" role="columnheader" { (month) }
                            th.figure scope="col" role="columnheader" { (month.previous()) }
                            th.figure scope="col" role="columnheader" { "Change" }
                        } }
                        tbody role="rowgroup" { @for one in &self.metrics { tr role="row" {
                            th scope="row" role="rowheader" { (name(&one.name)) }
                            td.figure role="cell" { (quantity(one.now, &one.unit)) }
                            td.figure role="cell" { (quantity(one.before, &one.unit)) }
                            td.figure role="cell" { (change(one.now, one.before)) }
                        } } }
                    }
                }
                p.links {
                    "For programs: "
                    (formats(programs))
                }
            }
        }
    }

    /// The domains that the accounts were in, each without those in it.
    pub fn domains(&self, root: &str, month: Month) -> Markup {
        let Some((metric, sum, unit)) = self.compared_by() else {
            return html! {};
        };
        html! {
            section {
                h2 { "Domains" }
                @if self.domains.is_empty() {
                    p { "No account used " (name(metric)) " in this month." }
                } @else {
                    table {
                        caption { "By " (name(metric)) ", each without the domains in it" }
                        thead { tr {
                            th scope="col" { "Domain" }
                            th.figure scope="col" { "Quantity" }
                            th.figure scope="col" { "Share" }
                        } }
                        tbody { @for domain in self.domains.iter().take(MOST_DOMAINS) { tr {
                            @let of = share_of(domain.quantity, sum);
                            th scope="row" {
                                a href=(links::domain(root, &domain.uuid, month)) { (domain.path) }
                                (share(of))
                            }
                            td.figure { (quantity(domain.quantity, unit)) }
                            td.figure { (percent(of)) }
                        } } }
                    }
                    @if self.domains.len() > MOST_DOMAINS {
                        p { (self.domains.len() - MOST_DOMAINS) " smaller ones are not shown." }
                    }
                }
            }
        }
    }

    /// The metric by which accounts are compared, its total, and its unit.
    fn compared_by(&self) -> Option<(&str, f64, &str)> {
        let metric = self.metric.as_deref()?;
        let total = self.metrics.iter().find(|one| one.name == metric);
        let (sum, unit) = total.map_or((0.0, ""), |one| (one.now, one.unit.as_str()));
        Some((metric, sum, unit))
    }

    pub fn largest(&self, root: &str, month: Month) -> Markup {
        let Some((metric, sum, unit)) = self.compared_by() else {
            return html! {};
        };
        html! {
            section {
                h2 { "Largest accounts" }
                form method="get" {
                    input type="hidden" name="month" value=(month);
                    label for="metric" { "Metric " }
                    select id="metric" name="metric" {
                        @for one in &self.metrics {
                            option value=(one.name) selected[one.name == metric] { (one.name) }
                        }
                    }
                    " "
                    button { "Show" }
                }
                @if self.accounts.is_empty() {
                    p { "No account used " (name(metric)) " in this month." }
                } @else {
                    table {
                        caption { "By " (name(metric)) ", and the share of all that is used" }
                        thead { tr {
                            th scope="col" { "Account" }
                            th.figure scope="col" { "Quantity" }
                            th.figure scope="col" { "Share" }
                        } }
                        tbody { @for account in &self.accounts { tr {
                            @let of = share_of(account.quantity, sum);
                            th scope="row" {
                                a href=(links::account(root, &account.uuid, month)) { (account.name) }
                                @if let Some(path) = &account.domain_path { " " span.note { (path) } }
                                (share(of))
                            }
                            td.figure { (quantity(account.quantity, unit)) }
                            td.figure { (percent(of)) }
                        } } }
                    }
                }
            }
        }
    }
}

fn count_unfinished(context: &Context, month: Month) -> anyhow::Result<usize> {
    let unfinished = context.snapshot.list_unfinished(month.days())?;
    Ok(unfinished.open_days.len() + unfinished.missing_days.len())
}

fn question<'a>(
    context: &'a Context,
    selection: &'a Selection,
    range: DayRange,
    metrics: &'a [String],
    by: Dimensions,
) -> TotalsQuery<'a> {
    TotalsQuery {
        accounts: &selection.accounts,
        stretches: Some(&selection.stretches),
        range,
        metrics,
        only: LineChoice::default(),
        by,
        zones: &context.state.zones,
        most_sums: MOST_SUMS,
    }
}

/// Figures by month and SKU of a question that names no metric. What SKUs have is read at once for stored metrics and
/// those that follow from them, which is half of what it takes to read metrics.
fn by_sku(time: Granularity) -> Dimensions {
    Dimensions {
        sku: true,
        time,
        ..Dimensions::default()
    }
}

/// Puts the two months of each metric side by side.
fn compare(figures: &[Figure], month: Month) -> Vec<Compared> {
    let of_month = |is_now: bool| {
        let figures = figures.iter();
        add_up_metrics(figures.filter(move |one| (one.month == Some(month)) == is_now))
    };
    let mut compared: BTreeMap<String, Compared> = BTreeMap::new();
    for (is_now, metrics) in [(true, of_month(true)), (false, of_month(false))] {
        for (facts, quantity) in metrics {
            let one = compared
                .entry(facts.name.clone())
                .or_insert_with(|| Compared {
                    name: facts.name.clone(),
                    unit: facts.unit.clone(),
                    now: 0.0,
                    before: 0.0,
                });
            match is_now {
                true => one.now = quantity,
                false => one.before = quantity,
            }
        }
    }
    compared.into_values().collect()
}

/// What figures make of each metric, by its name.
fn add_up_metrics<'f>(
    figures: impl Iterator<Item = &'f Figure<'f>>,
) -> Vec<(Rc<MetricFacts>, f64)> {
    let mut sums: BTreeMap<&str, (&Rc<MetricFacts>, CompensatedSum)> = BTreeMap::new();
    for figure in figures {
        let facts = &figure.metric;
        let (_, sum) = sums
            .entry(&facts.name)
            .or_insert((facts, CompensatedSum::default()));
        sum.add(figure.quantity);
    }
    let sums = sums.into_values();
    sums.map(|(facts, sum)| (Rc::clone(facts), sum.value()))
        .collect()
}

/// The totals of each metric in some days.
pub fn list_metric_totals(
    context: &Context,
    selection: &Selection,
    range: DayRange,
) -> Result<Vec<(Rc<MetricFacts>, f64)>, Rejection> {
    let asks = question(context, selection, range, &[], by_sku(Granularity::Total));
    Ok(add_up_metrics(figures_of(context, &asks)?.iter()))
}

/// What accounts have, wherever they were. The largest first; of those that are the same, in the order of their names.
fn largest(figures: &[Figure]) -> Vec<LargeAccount> {
    let mut sums: Vec<LargeAccount> = Vec::new();
    // They come account by account.
    for figure in figures.iter().filter(|one| one.quantity > 0.0) {
        let Some(account) = figure.who.account else {
            continue;
        };
        match sums.last_mut() {
            Some(last) if last.uuid == account.uuid => last.quantity += figure.quantity,
            Some(_) | None => sums.push(LargeAccount {
                uuid: account.uuid.clone(),
                name: account
                    .project_name
                    .clone()
                    .unwrap_or_else(|| account.name.clone()),
                domain_path: account.domain_path.clone(),
                quantity: figure.quantity,
            }),
        }
    }
    sums.sort_by(|one, other| other.quantity.total_cmp(&one.quantity));
    sums.truncate(LARGEST);
    sums
}

fn largest_domains(figures: &[Figure]) -> Vec<LargeDomain> {
    let mut sums: BTreeMap<&str, (&str, CompensatedSum)> = BTreeMap::new();
    for figure in figures.iter().filter(|one| one.quantity > 0.0) {
        let Some(uuid) = figure.who.domain_uuid else {
            continue;
        };
        let path = figure.who.domain_path.unwrap_or(uuid);
        let (_, sum) = sums
            .entry(uuid)
            .or_insert((path, CompensatedSum::default()));
        sum.add(figure.quantity);
    }
    let domains = sums.into_iter().map(|(uuid, (path, sum))| LargeDomain {
        uuid: uuid.to_owned(),
        path: path.to_owned(),
        quantity: sum.value(),
    });
    let mut domains: Vec<LargeDomain> = domains.collect();
    let order = |one: &LargeDomain, other: &LargeDomain| {
        let quantities = other.quantity.total_cmp(&one.quantity);
        quantities.then_with(|| one.path.cmp(&other.path))
    };
    domains.sort_by(order);
    domains
}

fn share_of(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn percent(of: f64) -> String {
    format!("{:.1} %", of * 100.0)
}

/// How much more or less it is than before.
fn change(now: f64, before: f64) -> String {
    if before == 0.0 {
        return if now == 0.0 { "–" } else { "new" }.to_owned();
    }
    format!("{:+.1} %", (now - before) / before * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_what_came_on_top() {
        for (now, before, expected) in [
            (150.0, 100.0, "+50.0 %"),
            (1.0, 3.0, "-66.7 %"),
            (0.0, 3.0, "-100.0 %"),
            (2.0, 2.0, "+0.0 %"),
            (2.0, 0.0, "new"),
            (0.0, 0.0, "–"),
        ] {
            assert_eq!(change(now, before), expected);
        }
    }
}
