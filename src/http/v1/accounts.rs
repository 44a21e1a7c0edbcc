//! `GET /v1/accounts`: the accounts, page by page.

use std::collections::BTreeSet;

use super::context::{Body, Context};
use super::query::PAGE;
use super::{cursor, render};
use crate::http::refusal::{Problem, Rejection};
use crate::ledger::read::Page;
use crate::ledger::read::accounts::{
    Account, AccountFilter, count_accounts, domain_path, list_accounts,
};
use crate::output::{Document, Value};
use crate::view;
use crate::view::accounts::CELLS;

pub const PARAMETERS: [&str; 5] = ["search", "domain", "limit", "cursor", "format"];

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let limit = context.query.limit()?.unwrap_or(PAGE);
    let visible = context.visible_ids()?;
    check_domain(context, visible.as_ref())?;
    let (accounts, next) = page(context, visible.as_ref(), Some(limit))?;
    let total = count_accounts(context.snapshot, filter(context, visible.as_ref()))?;
    let document = Document {
        facts: vec![
            ("total", Value::Count(total)),
            ("next_cursor", Value::text(next.clone())),
        ],
        rows_name: "accounts",
        columns: view::columns(CELLS),
        rows: view::rows(CELLS, &accounts),
        ..Document::default()
    };
    Ok(render::answer(context, None, next, &document)?)
}

/// Refuses a domain that no account is in, or none that the user may see: a typing error must not look like no usage.
pub fn check_domain(context: &Context, visible: Option<&BTreeSet<i64>>) -> Result<(), Rejection> {
    let Some(domain) = context.query.get("domain") else {
        return Ok(());
    };
    if domain.is_empty() {
        let detail = "domain: it is empty; the path of the root is /";
        return Err(Problem::of_parameter("domain", detail).into());
    }
    let in_domain = AccountFilter {
        domain: Some(domain),
        only: visible,
        ..AccountFilter::default()
    };
    match count_accounts(context.snapshot, in_domain)? {
        0 => Err(no_domain(&domain_path(domain))
            .with("parameter", "domain".into())
            .into()),
        _ => Ok(()),
    }
}

/// The answer for a domain without an account that the user may see, whether the domain exists or not.
pub fn no_domain(path: &str) -> Problem {
    Problem::new(404, format!("no domain has the path {path}"))
}

/// The accounts that are asked for, from the cursor on, and the cursor of the next page. Without a limit they are all
/// on one page.
pub fn page(
    context: &Context,
    visible: Option<&BTreeSet<i64>>,
    limit: Option<u32>,
) -> Result<(Vec<Account>, Option<String>), Rejection> {
    let cursor = context.query.get("cursor");
    let last: Option<[String; 2]> = cursor.map(cursor::read).transpose()?;
    let after = last
        .as_ref()
        .map(|[name, uuid]| (name.as_str(), uuid.as_str()));
    let filter = AccountFilter {
        after,
        ..filter(context, visible)
    };
    // One more than asked for, to see whether there is a next page.
    let page = Page {
        limit: limit.map(|limit| limit + 1),
        offset: 0,
    };
    let mut accounts = list_accounts(context.snapshot, filter, page)?;
    let next = render::cut(&mut accounts, limit, |last| {
        cursor::make(&[&last.name, &last.uuid])
    });
    Ok((accounts, next))
}

fn filter<'a>(context: &'a Context, visible: Option<&'a BTreeSet<i64>>) -> AccountFilter<'a> {
    AccountFilter {
        search: context.query.get("search"),
        domain: context.query.get("domain"),
        only: visible,
        after: None,
    }
}
