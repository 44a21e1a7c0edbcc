//! `GET /accounts`: the accounts that the user may see, or those that are called like what is searched, page by page.

use maud::html;

use super::links;
use super::months::chosen;
use super::shell::{HtmlPage, body, formats, scope_note};
use crate::http::refusal::Rejection;
use crate::http::v1::accounts::{self, Membership};
use crate::http::v1::context::{Body, Context};
use crate::http::v1::query::PAGE;
use crate::plural::plural;

pub const PARAMETERS: [&str; 2] = ["search", "cursor"];

const ROOT: &str = "./";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let mut visible = accounts::chosen(context, Membership::Now)?;
    let search = context.query.get("search").filter(|text| !text.is_empty());
    if let (Some(visible), Some(text)) = (&mut visible, search) {
        visible.search(text);
    }
    let (list, next) = accounts::page(context, visible.as_ref(), Some(PAGE))?;
    let suffix = search.map_or_else(String::new, |text| {
        format!("search={}&", links::encoded(text))
    });
    let content = html! {
        h1 { "Accounts" }
        @if let Some(text) = search {
            p { "Whose name, uuid, project or domain has " strong { (text) } "." }
        }
        (scope_note(context))
        @if list.is_empty() { p { "None." } } @else {
            table {
                caption { (plural(list.len(), "account")) " on this page" }
                thead { tr {
                    th scope="col" { "Account" }
                    th scope="col" { "Domain" }
                } }
                tbody { @for account in &list { tr {
                    th scope="row" {
                        a href=(links::account(ROOT, &account.uuid, month)) {
                            (account.project_name.as_deref().unwrap_or(&account.name))
                        }
                        " "
                        code.note { (account.uuid) }
                    }
                    td { @if let Some(path) = &account.domain_path {
                        @let key = account.domain_uuid.as_deref().unwrap_or(path);
                        a href=(links::domain(ROOT, key, month)) { (path) }
                    } }
                } } }
            }
            @if let Some(cursor) = &next {
                p { a rel="next" href={ "?" (suffix) "cursor=" (links::encoded(cursor)) } { "Next page" } }
            }
            p.links { "Accounts: " (formats(&format!("v1/accounts?{suffix}limit=1000"))) }
        }
    };
    let page = HtmlPage {
        title: "Accounts",
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}
