//! `GET /v1/accounts/{uuid}/resources`: the VMs, volumes, addresses and so on that an account used in a range of days,
//! with the totals of each, page by page.

use super::context::{Body, Context};
use super::query::PAGE;
use super::render::{self, period_facts};
use super::{cursor, usage};
use crate::http::refusal::Rejection;
use crate::ledger::read::selection::select_one;
use crate::ledger::read::totals::{Dimensions, Granularity, LineChoice, TotalsQuery};
use crate::output::{Document, Value};
use crate::view;
use crate::view::resources::{CELLS, UsedResource, list_used};

pub const PARAMETERS: [&str; 8] = [
    "start", "end", "month", "metric", "require", "limit", "cursor", "format",
];

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let query = context.query;
    query.requires_complete()?;
    let range = query.period(context.max_days)?;
    let metrics = query.metrics()?;
    let limit = query.limit()?.unwrap_or(PAGE);
    let after: Option<[String; 3]> = query.get("cursor").map(cursor::read).transpose()?;
    let seen = context.find_account(context.argument)?;
    let account = seen.account.clone();
    let mut selection = select_one(context.snapshot, seen)?;
    selection.cut(range);
    let mut period = period_facts(context, range)?;
    period.check_requirement(context)?;
    let question = TotalsQuery {
        accounts: &selection.accounts,
        stretches: Some(&selection.stretches),
        range,
        metrics: &metrics,
        only: LineChoice::default(),
        by: Dimensions {
            resource: true,
            time: Granularity::Total,
            ..Dimensions::default()
        },
        zones: &context.state.zones,
        most_sums: usage::MOST_SUMS,
    };
    let figures = usage::figures_of(context, &question)?;
    let mut used = list_used(&figures);
    // A list in memory fits 64 bits.
    let total = Value::Count(used.len() as u64);
    if let Some(after) = after {
        used.retain(|one| one.key().map(str::to_owned) > after);
    }
    let next = render::cut(&mut used, Some(limit), |last: &UsedResource| {
        cursor::make(&last.key())
    });
    let account = selection.accounts.first().unwrap_or(&account);
    period.facts.extend(view::accounts::facts(account));
    let without = render::days_without_resources(context, range)?;
    period.facts.push(without);
    period.facts.push(("total", total));
    period
        .facts
        .push(("next_cursor", Value::text(next.clone())));
    let document = Document {
        facts: std::mem::take(&mut period.facts),
        rows_name: "resources",
        columns: view::columns(CELLS),
        rows: view::rows(CELLS, &used),
        ..Document::default()
    };
    Ok(render::answer(context, Some(period), next, &document)?)
}
