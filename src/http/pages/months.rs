//! Which month a page is about, and the way to those beside it.

use maud::{Markup, html};

use super::shell::month_name;
use crate::http::refusal::Rejection;
use crate::http::v1::context::Context;
use crate::month::Month;

/// The month that is asked for; else the last that is over, or the ledger's last if that is earlier.
pub fn chosen(context: &Context) -> Result<Month, Rejection> {
    if let Some(range) = context.query.optional_period(context.max_days)? {
        return Ok(Month::of(range.first()));
    }
    let over = Month::of(context.yesterday.next()).previous();
    let last = context.state.days.map(|days| Month::of(days.last()));
    Ok(last.map_or(over, |last| last.min(over)))
}

/// Links to the months before and after, as far as there is something to see. Only the query of the address changes.
pub fn neighbours(context: &Context, month: Month) -> Markup {
    neighbours_of(context, month, "")
}

/// The same where the query says more than the month: `query` is the rest, with an `&` at its end.
pub fn neighbours_of(context: &Context, month: Month, query: &str) -> Markup {
    let days = context.state.days;
    let is_before = days.is_some_and(|days| Month::of(days.first()) < month);
    let is_after = month < Month::of(context.yesterday);
    html! {
        nav.months aria-label="Months" {
            @if is_before {
                @let before = month.previous();
                a rel="prev" href={ "?" (query) "month=" (before) } { "← " (month_name(before)) }
            }
            @if is_after {
                @let after = month.next();
                a rel="next" href={ "?" (query) "month=" (after) } { (month_name(after)) " →" }
            }
        }
    }
}
