//! `GET /`: a month of everything that the user may see. Its days, its totals beside those of the month before, the largest
//! accounts by one metric, and what waits for somebody.

use maud::{Markup, html};

use super::days::{ShownDay, calendar, list, standing, those};
use super::months::{chosen, neighbours};
use super::shell::{HtmlPage, body, formats, month_name, scope_note};
use super::totals::MonthUsage;
use super::waiting::{Concerned, corrections, findings, show_corrections, show_findings};
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::ledger::read::days::DayState;
use crate::ledger::read::selection::{KnownScope, select};
use crate::month::Month;
use crate::plural::plural;

pub const PARAMETERS: [&str; 2] = ["month", "metric"];

const ROOT: &str = "./";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let asked = context.query.metrics()?.into_iter().next();
    let days = list(context, month)?;
    let known = KnownScope::load(context.snapshot, context.scope)?;
    let visible = select(context.snapshot, &known, None)?;
    let concerned = Concerned::of((!known.is_unlimited()).then_some(&visible))?;
    let usage = MonthUsage::read(context, visible, month, asked)?;
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
            (calendar(&days, ROOT))
            p.links { "Days for programs: " (formats(&format!("v1/days?month={month}"))) }
        }
        @match &usage {
            Ok(usage) => {
                (usage.totals(month, &format!("v1/usage?month={month}")))
                (usage.largest(ROOT, month))
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
    let mut pending = corrections(context, month.days(), concerned, Some("pending"))?;
    pending.retain(|one| one.acknowledged_at.is_none());
    let found = findings(context, month.days(), concerned)?;
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
