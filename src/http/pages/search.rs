//! `GET /search`: accounts and projects that have a text in their names or uuids, and the VMs, volumes, addresses and so on
//! of a month whose name or uuid begins with it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::account::called;
use super::links;
use super::months::{chosen, neighbours_of};
use super::shell::{HtmlPage, body, month_name, name, scope_note};
use crate::http::refusal::Rejection;
use crate::http::v1::accounts::{self, Membership};
use crate::http::v1::context::{Body, Context};
use crate::ledger::read::Page;
use crate::ledger::read::accounts::{Account, AccountFilter, list_accounts};
use crate::ledger::read::resources::{NamedResource, list_users, search_resources};
use crate::ledger::read::selection::Selection;
use crate::month::Month;

pub const PARAMETERS: [&str; 2] = ["search", "month"];

const ROOT: &str = "./";

/// Accounts that are shown; the list of accounts has all.
const MOST_ACCOUNTS: u32 = 25;

/// Resources that are looked for.
const MOST_RESOURCES: usize = 50;

/// Something that is called like what is searched, and the account that used it last in the month.
struct FoundResource {
    resource: NamedResource,
    account: Account,
}

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let text = context.query.get("search").unwrap_or_default().trim();
    let mut visible = accounts::chosen(context, Membership::Now)?;
    let found = match text.is_empty() {
        true => Vec::new(),
        false => find_used(context, visible.as_ref(), month, text)?,
    };
    if let Some(visible) = &mut visible {
        visible.search(text);
    }
    let (list, more) = match text.is_empty() {
        true => (Vec::new(), None),
        false => accounts::page(context, visible.as_ref(), Some(MOST_ACCOUNTS))?,
    };
    let encoded = links::encoded(text);
    let content = html! {
        h1 { "Search" }
        form method="get" role="search" aria-label="Search again" {
            input type="hidden" name="month" value=(month);
            label for="search" { "Name or uuid " }
            input type="search" id="search" name="search" value=(text);
            " "
            button { "Search" }
        }
        (scope_note(context))
        section {
            h2 { "Accounts and projects" }
            @if list.is_empty() { p { "None." } } @else { (accounts_table(&list, month)) }
            @if more.is_some() { p { a href={ "accounts?search=" (encoded) } { "All accounts that are called like this" } } }
        }
        section {
            h2 { "Resources of " (month_name(month)) }
            (neighbours_of(context, month, &format!("search={encoded}&")))
            p.note { "Whose name or uuid begins with it; capitals count." }
            @if found.is_empty() { p { "None." } } @else { (resources_table(&found, month)) }
        }
    };
    let page = HtmlPage {
        title: "Search",
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}

/// What is called so and was used in the month by an account that the user may see, on a day that they may see.
fn find_used(
    context: &Context,
    visible: Option<&Selection>,
    month: Month,
    text: &str,
) -> anyhow::Result<Vec<FoundResource>> {
    let named = search_resources(context.snapshot, text, MOST_RESOURCES)?;
    let ids: Vec<i64> = named.iter().map(|one| one.id).collect();
    let sees = |account_id, day| visible.is_none_or(|all| all.has_day(account_id, day));
    let users = list_users(context.snapshot, month.days(), &ids, &sees)?;
    let account_ids: BTreeSet<i64> = users.values().copied().collect();
    let filter = AccountFilter {
        only: Some(&account_ids),
        ..AccountFilter::default()
    };
    let accounts = list_accounts(context.snapshot, filter, Page::default())?;
    let accounts: BTreeMap<i64, Account> = accounts.into_iter().map(|one| (one.id, one)).collect();
    let found = named.into_iter().filter_map(|resource| {
        let account = accounts.get(users.get(&resource.id)?)?.clone();
        Some(FoundResource { resource, account })
    });
    Ok(found.collect())
}

fn accounts_table(list: &[Account], month: Month) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Account" } th scope="col" { "Domain" } } }
            tbody { @for account in list { tr {
                th scope="row" {
                    a href=(links::account(ROOT, &account.uuid, month)) { (called(account)) }
                    " "
                    small { (account.uuid) }
                }
                td { (account.domain_path.as_deref().unwrap_or_default()) }
            } } }
        }
    }
}

fn resources_table(found: &[FoundResource], month: Month) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Resource" } th scope="col" { "Account" } } }
            tbody { @for FoundResource { resource, account } in found { tr {
                th scope="row" {
                    a href={
                        "accounts/" (links::encoded(&account.uuid)) "/resources/"
                        (links::encoded(&resource.uuid)) "?month=" (month)
                    } { (resource.name) }
                    " "
                    small { (name(&resource.kind)) " " (resource.uuid) }
                }
                td { a href=(links::account(ROOT, &account.uuid, month)) { (called(account)) } }
            } } }
        }
    }
}
