//! `GET /v1/corrections`: values of closed days that changed, in the order they were found, page by page.

use super::context::{Body, Context};
use super::query::PAGE;
use super::{cursor, render};
use crate::http::refusal::{Problem, Rejection};
use crate::instant::is_day_or_instant;
use crate::ledger::read::Page;
use crate::ledger::read::corrections::{CorrectionFilter, StoredCorrection, list_corrections};
use crate::ledger::read::selection::Selection;
use crate::output::{Document, Value};
use crate::view;
use crate::view::corrections::CELLS;

pub const PARAMETERS: [&str; 9] = [
    "since", "start", "end", "month", "kind", "account", "limit", "cursor", "format",
];

pub const KINDS: [&str; 3] = ["overwritten", "pending", "applied"];

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let query = context.query;
    let range = query.optional_period(context.max_days)?;
    let kind = query.word("kind", &KINDS)?.map(|place| KINDS[place]);
    let since = query.get("since").map(instant).transpose()?;
    let limit = query.limit()?.unwrap_or(PAGE);
    let after = query.get("cursor").map(last_seen).transpose()?;
    let listed = context.listed()?;
    let accounts = listed.as_ref().map(Selection::ids);
    let hidden = match &listed {
        Some(listed) => listed.hidden_days()?,
        None => None,
    };
    let filter = CorrectionFilter {
        range,
        kind,
        since,
        accounts: accounts.as_ref(),
        hidden: hidden.as_deref(),
        after,
    };
    // One more than asked for, to see whether there is a next page.
    let page = Page {
        limit: Some(limit + 1),
        offset: 0,
    };
    let mut corrections = list_corrections(context.snapshot, filter, page)?;
    let next = render::cut(&mut corrections, Some(limit), |last: &StoredCorrection| {
        cursor::make(&[&last.id.to_string()])
    });
    let document = Document {
        facts: vec![("next_cursor", Value::text(next.clone()))],
        rows_name: "corrections",
        columns: view::columns(CELLS),
        rows: view::rows(CELLS, &corrections),
        ..Document::default()
    };
    Ok(render::answer(context, None, next, &document)?)
}

fn instant(text: &str) -> Result<&str, Problem> {
    if is_day_or_instant(text) {
        return Ok(text);
    }
    let detail = format!("since: {text:?} is no time: write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ");
    Err(Problem::of_parameter("since", detail))
}

pub fn last_seen(text: &str) -> Result<i64, Problem> {
    let [id] = cursor::read(text)?;
    id.parse().map_err(|_| cursor::refusal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_second() {
        for right in ["2013-06-01", "2013-06-01T00:00:00Z", "2013-06-01T23:59:59Z"] {
            assert_eq!(instant(right), Ok(right));
        }
        for wrong in [
            "",
            "2013-06",
            "2013-02-30",
            "2013-06-01T",
            "2013-06-01T24:00:00Z",
            "2013-06-01T00:60:00Z",
            "2013-06-01T00:00:60Z",
            "2013-06-01T00:00:00",
            "2013-06-01 00:00:00Z",
            "2013-06-01T00:00:00+02:00",
            "2013-06-0é",
            "2013-06-01T0é:00:0Z",
        ] {
            assert_eq!(instant(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
