//! `GET /`: a month of everything that the user may see. Its days, its totals beside those of the month before, the largest
//! accounts by one metric, and what waits for somebody.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::days::{ShownDay, calendar, list, standing, those};
use super::links;
use super::plot::share;
use super::shell::{HtmlPage, body, formats, month_name, name, quantity, scope_note};
use super::waiting::{Concerned, corrections, findings, show_corrections, show_findings};
use crate::day::DayRange;
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::http::v1::render::check_work;
use crate::http::v1::usage::{MOST_SUMS, figures_of};
use crate::ledger::read::days::DayState;
use crate::ledger::read::selection::{KnownScope, Selection, select};
use crate::ledger::read::totals::{Dimensions, Figure, Granularity, LineChoice, TotalsQuery};
use crate::month::Month;
use crate::plural::plural;

pub const PARAMETERS: [&str; 2] = ["month", "metric"];

const ROOT: &str = "./";

/// Accounts in the list of the largest.
const LARGEST: usize = 10;

/// What accounts are compared by if nothing else is asked for.
const USUAL_METRIC: &str = "vm_running";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen_month(context)?;
    let asked = context.query.metrics()?.into_iter().next();
    let days = list(context, month)?;
    let known = KnownScope::load(context.snapshot, context.scope)?;
    let visible = select(context.snapshot, &known, None)?;
    let concerned = Concerned::of((!known.is_unlimited()).then_some(&visible))?;
    let usage = Usage::read(context, &visible, month, asked)?;
    let title = month_name(month);
    let content = html! {
        h1 { (title) }
        (neighbours(context, month))
        (scope_note(context))
        p { (standing(&days)) }
        (freshness(context))
        section {
            h2 { "What needs a look" }
            (waiting(context, month, &days, &concerned)?)
        }
        section {
            h2 { "Days" }
            (calendar(&days))
            p.links { "Days for programs: " (formats(&format!("v1/days?month={month}"))) }
        }
        @match &usage {
            Ok(usage) => {
                (usage.totals(month))
                (usage.largest(month))
            }
            Err(why) => section {
                h2 { "Totals" }
                p { "There are too many accounts for one page: " (why) "." }
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

/// The month that is asked for; else the last that is over, or the ledger's last if that is earlier.
pub fn chosen_month(context: &Context) -> Result<Month, Rejection> {
    if let Some(range) = context.query.optional_period(context.max_days)? {
        return Ok(Month::of(range.first()));
    }
    let over = Month::of(context.yesterday.next()).previous();
    let last = context.state.days.map(|days| Month::of(days.last()));
    Ok(last.map_or(over, |last| last.min(over)))
}

/// Links to the months before and after, as far as there is something to see.
fn neighbours(context: &Context, month: Month) -> Markup {
    let days = context.state.days;
    let is_before = days.is_some_and(|days| Month::of(days.first()) < month);
    let is_after = month < Month::of(context.yesterday);
    html! {
        nav.months aria-label="Months" {
            @if is_before {
                @let before = month.previous();
                a rel="prev" href=(links::month(ROOT, before)) { "← " (month_name(before)) }
            }
            @if is_after {
                @let after = month.next();
                a rel="next" href=(links::month(ROOT, after)) { (month_name(after)) " →" }
            }
        }
    }
}

/// How far the ledger goes.
fn freshness(context: &Context) -> Markup {
    let newest = context.state.newest_closed_day;
    html! {
        p {
            @match newest {
                Some(day) => {
                    "The newest closed day is " (day)
                    @let behind = context.yesterday.days_since(day);
                    @if behind > 0 { ", " (plural(behind, "day")) " before yesterday" }
                    ". "
                }
                None => "No day is closed yet. ",
            }
            @if let Some(run) = &context.state.last_import {
                @match &run.finished_at {
                    Some(at) => { "The last import ended at " (at) "." }
                    None => { "The last import began at " (run.started_at) " and has not ended." }
                }
            } @else {
                "Nothing has been imported yet."
            }
            " Times are UTC, days are of " (context.state.zones.name()) "."
        }
    }
}

/// Days, corrections and findings that wait for somebody.
fn waiting(
    context: &Context,
    month: Month,
    days: &[ShownDay],
    concerned: &Concerned,
) -> anyhow::Result<Markup> {
    let states = [
        (DayState::Missing, "not in the ledger: import them"),
        (
            DayState::Refused,
            "kept as they were, because their source rows have gone or cannot be read",
        ),
        (
            DayState::Differing,
            "closed, and the source says something else now",
        ),
        (DayState::Open, "the source had not finished them"),
    ];
    let states: Vec<(DayState, String, &str)> = states
        .into_iter()
        .filter_map(|(state, meaning)| {
            Some((state, those(days, |day| day.state == Some(state))?, meaning))
        })
        .collect();
    let mut pending = corrections(context, month, concerned, Some("pending"))?;
    pending.retain(|one| one.acknowledged_at.is_none());
    let found = findings(context, month, concerned)?;
    Ok(html! {
        @if states.is_empty() && pending.is_empty() && found.is_empty() { p { "Nothing." } }
        @if !states.is_empty() {
            ul { @for (state, days, meaning) in states {
                li { strong { (state.name()) } ": " (days) ", " (meaning) }
            } }
        }
        @if !pending.is_empty() {
            h3 { "Pending corrections" }
            (show_corrections(&pending, ROOT, month, &format!("v1/corrections?month={month}&kind=pending")))
        }
        @if !found.is_empty() {
            h3 { "Findings" }
            (show_findings(&found, ROOT, month, &format!("v1/findings?month={month}")))
        }
    })
}

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

struct Usage {
    metrics: Vec<Compared>,
    /// By what accounts are compared; `None`: there is nothing.
    metric: Option<String>,
    /// From the largest.
    accounts: Vec<LargeAccount>,
}

impl Usage {
    /// In words, if there are too many accounts.
    fn read(
        context: &Context,
        visible: &Selection,
        month: Month,
        asked: Option<String>,
    ) -> Result<Result<Usage, String>, Rejection> {
        let mut selection = visible.clone();
        let both = DayRange::new(month.previous().first_day(), month.days().last());
        let both = both.map_err(anyhow::Error::from)?;
        selection.cut(both);
        if let Err(problem) = check_work(selection.accounts.len(), month.days()) {
            return Ok(Err(problem.detail));
        }
        let by = Dimensions {
            time: Granularity::Month,
            ..Dimensions::default()
        };
        let asks = question(context, &selection, both, &[], by);
        let metrics = compare(&figures_of(context, &asks)?, month);
        let metric = asked.or_else(|| {
            let used = metrics.iter().filter(|one| one.now > 0.0);
            let mut names: Vec<&str> = used.map(|one| one.name.as_str()).collect();
            names.sort_by_key(|name| *name != USUAL_METRIC);
            names.first().map(|name| (*name).to_owned())
        });
        selection.cut(month.days());
        let accounts = match &metric {
            Some(metric) => {
                let by = Dimensions {
                    account: true,
                    ..Dimensions::default()
                };
                let wanted = [metric.clone()];
                let asks = question(context, &selection, month.days(), &wanted, by);
                largest(&figures_of(context, &asks)?)
            }
            None => Vec::new(),
        };
        Ok(Ok(Usage {
            metrics,
            metric,
            accounts,
        }))
    }

    fn totals(&self, month: Month) -> Markup {
        html! {
            section {
                h2 { "Totals" }
                @if self.metrics.is_empty() {
                    p { "Nothing was used in this month or the one before." }
                } @else {
                    table.totals {
                        thead { tr {
                            th scope="col" { "Metric" }
                            th.figure scope="col" { (month) }
                            th.figure scope="col" { (month.previous()) }
                            th.figure scope="col" { "Change" }
                        } }
                        tbody { @for one in &self.metrics { tr {
                            th scope="row" { (name(&one.name)) }
                            td.figure { (quantity(one.now, &one.unit)) }
                            td.figure { (quantity(one.before, &one.unit)) }
                            td.figure { (change(one.now, one.before)) }
                        } } }
                    }
                }
                p.links {
                    "By account: "
                    (formats(&format!("v1/usage?month={month}")))
                }
            }
        }
    }

    fn largest(&self, month: Month) -> Markup {
        let Some(metric) = &self.metric else {
            return html! {};
        };
        let total = self.metrics.iter().find(|one| one.name == *metric);
        let (sum, unit) = total.map_or((0.0, ""), |one| (one.now, one.unit.as_str()));
        html! {
            section {
                h2 { "Largest accounts" }
                form method="get" action=(ROOT) {
                    input type="hidden" name="month" value=(month);
                    label for="metric" { "Metric " }
                    select id="metric" name="metric" {
                        @for one in &self.metrics {
                            option value=(one.name) selected[one.name == *metric] { (one.name) }
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
                            @let of = if sum > 0.0 { account.quantity / sum } else { 0.0 };
                            th scope="row" {
                                a href=(links::account(ROOT, &account.uuid, month)) { (account.name) }
                                @if let Some(path) = &account.domain_path { " " span.note { (path) } }
                                (share(of))
                            }
                            td.figure { (quantity(account.quantity, unit)) }
                            td.figure { (format!("{:.1} %", of * 100.0)) }
                        } } }
                    }
                }
            }
        }
    }
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

/// Puts the two months of each metric side by side.
fn compare(figures: &[Figure], month: Month) -> Vec<Compared> {
    let mut compared: BTreeMap<&str, Compared> = BTreeMap::new();
    for figure in figures {
        let metric = &figure.metric;
        let one = compared.entry(&metric.name).or_insert_with(|| Compared {
            name: metric.name.clone(),
            unit: metric.unit.clone(),
            now: 0.0,
            before: 0.0,
        });
        match figure.month == Some(month) {
            true => one.now = figure.quantity,
            false => one.before = figure.quantity,
        }
    }
    compared.into_values().collect()
}

/// The largest first; of those that are the same, in the order of their names.
fn largest(figures: &[Figure]) -> Vec<LargeAccount> {
    let mut sorted: Vec<&Figure> = figures.iter().filter(|one| one.quantity > 0.0).collect();
    sorted.sort_by(|one, other| other.quantity.total_cmp(&one.quantity));
    let accounts = sorted.into_iter().filter_map(|figure| {
        let account = figure.who.account?;
        Some(LargeAccount {
            uuid: account.uuid.clone(),
            name: account
                .project_name
                .clone()
                .unwrap_or_else(|| account.name.clone()),
            domain_path: account.domain_path.clone(),
            quantity: figure.quantity,
        })
    });
    accounts.take(LARGEST).collect()
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
