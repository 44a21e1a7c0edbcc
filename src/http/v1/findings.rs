//! `GET /v1/findings`: what was doubtful in the source, page by page.

use super::context::{Body, Context};
use super::query::PAGE;
use super::{cursor, render};
use crate::finding::FindingKind;
use crate::http::refusal::Rejection;
use crate::ledger::read::Page;
use crate::ledger::read::findings::{
    FindingFilter, ShowAcknowledged, StoredFinding, list_findings,
};
use crate::ledger::read::selection::Selection;
use crate::output::{Document, Value};
use crate::view;
use crate::view::findings::FOR_SERVER;

pub const PARAMETERS: [&str; 9] = [
    "start",
    "end",
    "month",
    "kind",
    "account",
    "acknowledged",
    "limit",
    "cursor",
    "format",
];

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let query = context.query;
    let range = query.optional_period(context.max_days)?;
    let acknowledged = match query.word("acknowledged", &["left-out", "included"])? {
        Some(1) => ShowAcknowledged::Included,
        _ => ShowAcknowledged::LeftOut,
    };
    let kinds = FindingKind::ALL.map(FindingKind::name);
    let kind = query.word("kind", &kinds)?.map(|place| kinds[place]);
    let limit = query.limit()?.unwrap_or(PAGE);
    let after = query.get("cursor").map(last_seen).transpose()?;
    let listed = context.listed()?;
    let accounts = listed.as_ref().map(Selection::ids);
    let hidden = match &listed {
        Some(listed) => listed.hidden_days()?,
        None => None,
    };
    let filter = FindingFilter {
        range,
        kind,
        accounts: accounts.as_ref(),
        hidden: hidden.as_deref(),
        acknowledged,
        after,
    };
    // One more than asked for, to see whether there is a next page.
    let page = Page {
        limit: Some(limit + 1),
        offset: 0,
    };
    let mut findings = list_findings(context.snapshot, filter, page)?;
    let next = render::cut(&mut findings, Some(limit), |last: &StoredFinding| {
        cursor::make(&[&last.day.to_string(), &last.id.to_string()])
    });
    let document = Document {
        facts: vec![("next_cursor", Value::text(next.clone()))],
        rows_name: "findings",
        columns: view::columns(FOR_SERVER),
        rows: view::rows(FOR_SERVER, &findings),
        ..Document::default()
    };
    Ok(render::answer(context, None, next, &document)?)
}

fn last_seen(text: &str) -> Result<(crate::day::Day, i64), super::Problem> {
    let [day, id] = cursor::read(text)?;
    match (day.parse(), id.parse()) {
        (Ok(day), Ok(id)) => Ok((day, id)),
        _ => Err(cursor::refusal()),
    }
}
