//! `GET /corrections`: values of closed days that changed, in the order they were found, page by page: of a month or of all
//! days, of one kind or of all, of one account or of all that the user may see.

use maud::{Markup, html};

use super::links;
use super::months::chosen;
use super::shell::{HtmlPage, body, formats, name, quantity, scope_note};
use super::waiting::Concerned;
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::http::v1::corrections::{KINDS, last_seen};
use crate::http::v1::query::PAGE;
use crate::http::v1::{cursor, render};
use crate::ledger::read::Page;
use crate::ledger::read::corrections::{CorrectionFilter, StoredCorrection, list_corrections};
use crate::month::Month;

pub const PARAMETERS: [&str; 4] = ["month", "kind", "account", "cursor"];

const ROOT: &str = "./";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let query = context.query;
    // A form sends what is left empty as well.
    let given = |name| query.get(name).filter(|text| !text.is_empty());
    let month = match given("month") {
        Some(_) => query.optional_period(context.max_days)?,
        None => None,
    };
    let kind = match given("kind") {
        Some(_) => query.word("kind", &KINDS)?.map(|place| KINDS[place]),
        None => None,
    };
    let listed = match given("account") {
        Some(_) => context.listed()?,
        None => context.visible()?,
    };
    let concerned = Concerned::of(listed.as_ref())?;
    let after = given("cursor").map(last_seen).transpose()?;
    let filter = CorrectionFilter {
        range: month,
        kind,
        accounts: concerned.ids(),
        hidden: concerned.hidden(),
        after,
        ..CorrectionFilter::default()
    };
    // One more than is shown, to see whether there is a next page.
    let page = Page {
        limit: Some(PAGE + 1),
        offset: 0,
    };
    let mut list = list_corrections(context.snapshot, filter, page)?;
    let next = render::cut(&mut list, Some(PAGE), |last: &StoredCorrection| {
        cursor::make(&[&last.id.to_string()])
    });
    let suffix: String = ["month", "kind", "account"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}={}&", links::encoded(given(name)?))))
        .collect();
    let usual = chosen_month(context)?;
    let content = html! {
        h1 { "Corrections" }
        p { "Values of closed days that changed, in the order in which imports found them." }
        (scope_note(context))
        (form(given("month"), kind, given("account")))
        @if list.is_empty() { p { "None." } } @else {
            (table(&list, usual))
            @if let Some(cursor) = &next {
                p { a rel="next" href={ "?" (suffix) "cursor=" (links::encoded(cursor)) } { "Next page" } }
            }
        }
        p.links { "Corrections: " (formats(&format!("v1/corrections?{suffix}limit=1000"))) }
    };
    let page = HtmlPage {
        title: "Corrections",
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}

/// The month that links to accounts lead to if a correction is not of it.
fn chosen_month(context: &Context) -> Result<Month, Rejection> {
    match context.query.get("month") {
        Some("") => Ok(Month::of(context.yesterday)),
        Some(_) | None => chosen(context),
    }
}

fn form(month: Option<&str>, kind: Option<&str>, account: Option<&str>) -> Markup {
    html! {
        form.filter method="get" {
            @if let Some(account) = account { input type="hidden" name="account" value=(account); }
            span { label for="month" { "Month " } input type="month" id="month" name="month" value=[month]; }
            span {
                label for="kind" { "Kind " }
                select id="kind" name="kind" {
                    option value="" { "all" }
                    @for one in KINDS { option value=(one) selected[Some(one) == kind] { (one) } }
                }
            }
            button { "Show" }
        }
    }
}

fn table(list: &[StoredCorrection], usual: Month) -> Markup {
    let value = |number: Option<f64>, unit: &str| match number {
        Some(number) => quantity(number, unit),
        None => "nothing".to_owned(),
    };
    html! {
        table {
            thead { tr {
                th scope="col" { "Day" }
                th scope="col" { "What" }
                th.figure scope="col" { "From, to, difference" }
            } }
            tbody { @for one in list {
                @let month = if usual.days().contains(one.day) { usual } else { Month::of(one.day) };
                tr {
                    th.day scope="row" { a href={ (ROOT) "days/" (one.day) } { (one.day) } }
                    td {
                        strong { (one.kind) } " " (name(&one.metric))
                        @if let Some(resource) = &one.resource_name { " of " (resource) }
                        ", "
                        a href=(links::account(ROOT, &one.account_uuid, month)) { (one.account_name) }
                        br;
                        small {
                            "no. " (one.id) ", found " (one.corrected_at)
                            @if let Some(at) = &one.acknowledged_at { ", acknowledged " (at) }
                            @if let Some(reason) = &one.reason { ": " (reason) }
                        }
                    }
                    td.figure {
                        (value(one.old_quantity, &one.unit)) br;
                        (value(one.new_quantity, &one.unit)) br;
                        strong { (quantity(one.delta, &one.unit)) }
                    }
                }
            } }
        }
    }
}
