//! `GET /v1/accounts`: the accounts, page by page.

use super::context::{Body, Context};
use super::query::PAGE;
use super::{cursor, render};
use crate::http::refusal::{Problem, Rejection};
use crate::ledger::read::Page;
use crate::ledger::read::accounts::{Account, AccountFilter, count_accounts, list_accounts};
use crate::ledger::read::selection::{KnownScope, Selection, select};
use crate::output::{Document, Value};
use crate::view;
use crate::view::accounts::CELLS;

pub const PARAMETERS: [&str; 5] = ["search", "domain", "limit", "cursor", "format"];

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let limit = context.query.limit()?.unwrap_or(PAGE);
    let mut chosen = chosen(context, Membership::Now)?;
    if let (Some(chosen), Some(text)) = (&mut chosen, context.query.get("search")) {
        chosen.search(text);
    }
    let (accounts, next) = page(context, chosen.as_ref(), Some(limit))?;
    let total = match &chosen {
        Some(chosen) => chosen.accounts.len() as u64,
        None => count_accounts(context.snapshot, filter(context))?,
    };
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

/// Which accounts of a domain are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// That are in it now, or were on the last day that the user may see.
    Now,
    /// That have ever been in it, for the days that they were.
    Ever,
}

/// The accounts that the user may see, in the domain that the query names if it names one; `None`: all.
pub fn chosen(context: &Context, membership: Membership) -> Result<Option<Selection>, Rejection> {
    let Some(text) = context.query.get("domain") else {
        return Ok(context.visible()?);
    };
    if text.is_empty() {
        let detail = "domain: it is empty; the path of the root is /";
        return Err(Problem::of_parameter("domain", detail).into());
    }
    let found = context.find_domain(text);
    let (found, selection) = found.map_err(|rejection| match rejection {
        Rejection::Problem(problem) => problem.with("parameter", "domain".into()).into(),
        Rejection::Ledger(err) => Rejection::Ledger(err),
    })?;
    match membership {
        Membership::Now => {
            let known = KnownScope::load(context.snapshot, context.scope)?;
            let mut visible = select(context.snapshot, &known, None)?;
            visible.keep_those_now_in(&found);
            Ok(Some(visible))
        }
        Membership::Ever => Ok(Some(selection)),
    }
}

/// The accounts that are asked for, from the cursor on, and the cursor of the next page. Without a limit they are all
/// on one page.
pub fn page(
    context: &Context,
    chosen: Option<&Selection>,
    limit: Option<u32>,
) -> Result<(Vec<Account>, Option<String>), Rejection> {
    let cursor = context.query.get("cursor");
    let last: Option<[String; 2]> = cursor.map(cursor::read).transpose()?;
    let after = last
        .as_ref()
        .map(|[name, uuid]| (name.as_str(), uuid.as_str()));
    // One more than asked for, to see whether there is a next page.
    let one_more = limit.map(|limit| limit + 1);
    let mut accounts = match chosen {
        Some(chosen) => chosen.page(after, one_more),
        None => {
            let filter = AccountFilter {
                after,
                ..filter(context)
            };
            let page = Page {
                limit: one_more,
                offset: 0,
            };
            list_accounts(context.snapshot, filter, page)?
        }
    };
    let next = render::cut(&mut accounts, limit, |last| {
        cursor::make(&[&last.name, &last.uuid])
    });
    Ok((accounts, next))
}

fn filter<'a>(context: &'a Context) -> AccountFilter<'a> {
    AccountFilter {
        search: context.query.get("search"),
        ..AccountFilter::default()
    }
}
