//! `GET /accounts/{uuid}`: a month of one account. Each metric day by day, stacked by SKU, with its table; what was used;
//! corrections; and where programs find the same.

use maud::{Markup, html};

use super::days::{list, standing};
use super::links;
use super::months::{chosen, neighbours};
use super::paging::Paging;
use super::shell::{HtmlPage, body, formats, month_name, quantity, scope_note};
use super::used::{Table, list_metrics, read};
use super::waiting::{Concerned, corrections, findings, show_corrections, show_findings};
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::ledger::read::accounts::Account;
use crate::ledger::read::selection::select_one;
use crate::ledger::read::totals::{Dimensions, Granularity, LineChoice};
use crate::month::Month;
use crate::plural::plural;
use crate::view::resources::{UsedResource, list_used};

pub const PARAMETERS: [&str; 2] = ["month", "page"];

const ROOT: &str = "../";

/// Resources of a page.
const MOST_RESOURCES: usize = 25;

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let seen = context.find_account(context.argument)?;
    let account = seen.account.clone();
    let mut selection = select_one(context.snapshot, seen)?;
    selection.cut(month.days());
    // One that has no day here is as it was on the last that there is.
    let account = selection.accounts.first().unwrap_or(&account);
    let days = list(context, month)?;
    let everything = LineChoice::default();
    let by_day = Dimensions {
        sku: true,
        time: Granularity::Day,
        ..Dimensions::default()
    };
    let figures = read(context, &selection, month, everything, by_day)?;
    let metrics = list_metrics(&figures, month);
    let by_resource = Dimensions {
        resource: true,
        ..Dimensions::default()
    };
    let figures = read(context, &selection, month, everything, by_resource)?;
    let used = list_used(&figures);
    let paging = Paging::chosen(context, used.len(), MOST_RESOURCES)?;
    let concerned = Concerned::of(Some(&selection))?;
    let found = findings(context, month.days(), &concerned)?;
    let corrected = corrections(context, month.days(), &concerned, None)?;
    let uuid = links::encoded(context.argument);
    let title = format!("{}, {}", called(account), month_name(month));
    let of_account = format!("{ROOT}v1/accounts/{uuid}");
    let content = html! {
        h1 { (called(account)) " " small { (month_name(month)) } }
        (neighbours(context, month))
        (who(account, month, ROOT))
        (scope_note(context))
        p { (standing(&days)) }
        @if context.prices.is_some() {
            p { a href={ (uuid) "/statement?month=" (month) } { "Statement of " (month_name(month)) ", with prices" } }
        }
        section {
            h2 { "Usage" }
            @if metrics.is_empty() { p { "Nothing was used in this month." } }
            @for metric in &metrics { (metric.shown(&days, Table::Folded)) }
            p.links {
                "By day and SKU: " (formats(&format!("{of_account}/usage?month={month}&granularity=day&group=sku")))
                ". Totals: " (formats(&format!("{of_account}/usage?month={month}&group=sku")))
            }
        }
        section id="resources" {
            h2 { "Resources" }
            @if used.is_empty() { p { "None." } } @else {
                p.note { (plural(used.len(), "resource")) ". Each leads to its days." }
                (resources(&used[paging.range()], &uuid, month))
                (paging.links(&format!("month={month}&"), "#resources"))
            }
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
pub fn called(account: &Account) -> &str {
    account.project_name.as_deref().unwrap_or(&account.name)
}

/// The names of an account, with links.
pub fn who(account: &Account, month: Month, root: &str) -> Markup {
    html! {
        dl {
            dt { "Account" }
            dd { a href=(links::account(root, &account.uuid, month)) { (account.name) } " " code { (account.uuid) } }
            @if let Some(uuid) = &account.project_uuid {
                dt { "Project" }
                dd { (account.project_name.as_deref().unwrap_or_default()) " " code { (uuid) } }
            }
            @if let Some(path) = &account.domain_path {
                @let key = account.domain_uuid.as_deref().unwrap_or(path);
                dt { "Domain" } dd { a href=(links::domain(root, key, month)) { (path) } }
            }
        }
    }
}

/// `account` is its address.
fn resources(used: &[UsedResource], account: &str, month: Month) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Resource" }
                th.used scope="col" { "Quantities" }
            } }
            tbody { @for one in used { tr {
                th scope="row" {
                    @match &one.resource {
                        Some(resource) => {
                            a href={ (account) "/resources/" (links::encoded(&resource.uuid)) "?month=" (month) } {
                                (resource.name)
                            }
                            " "
                            small { (resource.kind) " " (resource.uuid) }
                        }
                        None => "not told apart",
                    }
                }
                td.used { @for (place, total) in one.totals.iter().enumerate() {
                    @if place > 0 { br; }
                    (total.metric.name) ": " (quantity(total.quantity, &total.metric.unit))
                } }
            } } }
        }
    }
}
