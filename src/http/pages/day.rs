//! `GET /days/{day}`: one day of everything that the user may see: its state, its totals, its findings and corrections.

use maud::{Markup, html};

use super::links;
use super::shell::{HtmlPage, body, formats, month_name, name, quantity, scope_note};
use super::totals::list_metric_totals;
use super::waiting::{Concerned, corrections, findings, show_corrections, show_findings};
use crate::day::Day;
use crate::http::refusal::{Problem, Rejection};
use crate::http::v1::context::{Body, Context};
use crate::http::v1::render::check_work;
use crate::ledger::read::days::{DayFacts, list_days};
use crate::ledger::read::selection::{KnownScope, Selection, select};
use crate::month::Month;
use crate::scope::Scope;

pub const PARAMETERS: [&str; 0] = [];

const ROOT: &str = "../";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let day: Day = context
        .argument
        .parse()
        .map_err(|err| Problem::new(404, format!("{err}")))?;
    let month = Month::of(day);
    let known = KnownScope::load(context.snapshot, context.scope)?;
    let mut visible = select(context.snapshot, &known, None)?;
    let concerned = Concerned::of((!known.is_unlimited()).then_some(&visible))?;
    visible.cut(day.into());
    let facts = list_days(context.snapshot, day.into())?;
    let found = findings(context, day.into(), &concerned)?;
    let corrected = corrections(context, day.into(), &concerned, None)?;
    let title = day.to_string();
    let days = format!("start={day}&end={day}");
    let content = html! {
        h1 { (title) }
        nav.months aria-label="Days" {
            a rel="prev" href=(day.previous()) { "← " (day.previous()) }
            a href=(links::month(ROOT, month)) { (month_name(month)) }
            a rel="next" href=(day.next()) { (day.next()) " →" }
        }
        (scope_note(context))
        @for facts in &facts { (standing(context, facts)) }
        section {
            h2 { "Totals" }
            (totals(context, &visible, day)?)
            p.links { "By account: " (formats(&format!("{ROOT}v1/usage?{days}"))) }
        }
        section {
            h2 { "Findings" }
            @if found.is_empty() { p { "None that nobody has acknowledged." } } @else {
                (show_findings(&found, ROOT, month, &format!("{ROOT}v1/findings?{days}")))
            }
        }
        section {
            h2 { "Corrections" }
            @if corrected.is_empty() { p { "None." } } @else {
                (show_corrections(&corrected, ROOT, month, &format!("{ROOT}v1/corrections?{days}")))
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

fn standing(context: &Context, facts: &DayFacts) -> Markup {
    // Counts cover all accounts, which users who may see only some of them must not learn.
    let counts = *context.scope == Scope::All;
    let times = [
        ("Imported", &facts.imported_at),
        ("Verified", &facts.verified_at),
        ("Sealed", &facts.sealed_at),
    ];
    html! {
        dl {
            dt { "State" }
            dd {
                (facts.state.name())
                @if facts.provisional { ", may change: a run of the usage server has gone back to it" }
            }
            @for (word, at) in times {
                @if let Some(at) = at { dt { (word) } dd { (at) } }
            }
            @if counts {
                dt { "Accounts" } dd { (facts.accounts) }
                dt { "Source rows" } dd { (facts.source_rows) ", of which " (facts.replayed_rows) " are replayed" }
            }
        }
    }
}

fn totals(context: &Context, visible: &Selection, day: Day) -> Result<Markup, Rejection> {
    check_work(visible.accounts.len(), day.into())?;
    let totals = list_metric_totals(context, visible, day.into())?;
    Ok(html! {
        @if totals.is_empty() { p { "Nothing was used on this day." } } @else {
            table {
                thead { tr { th scope="col" { "Metric" } th.figure scope="col" { "Quantity" } } }
                tbody { @for (metric, total) in &totals { tr {
                    th scope="row" { (name(&metric.name)) }
                    td.figure { (quantity(*total, &metric.unit)) }
                } } }
            }
        }
    })
}
