//! `GET /accounts/{uuid}/statement`: what a month of one account costs, by the operator's prices, to be printed.

use maud::html;

use super::account::called;
use super::links;
use super::months::{chosen, neighbours};
use super::shell::{HtmlPage, body, formats, month_name, scope_note};
use crate::coverage::find_coverage;
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};
use crate::http::v1::statement::draw;
use crate::scope::Scope;
use crate::statement::StatementFrame;

pub const PARAMETERS: [&str; 1] = ["month"];

const ROOT: &str = "../../";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let drawn = draw(context, month)?;
    let today = context.yesterday.next();
    let coverage = find_coverage(context.snapshot, Some(month.days()), today)?;
    let mut notes = match context.scope {
        Scope::All => {
            let file = context.prices.map_or("", |prices| &prices.file);
            drawn.statement.sentences(&drawn.standing, file)
        }
        // The price file is the operator's.
        Scope::Only(_) => drawn.statement.sentences_for_customers(&drawn.standing),
    };
    notes.extend(coverage.sentences());
    let zones = &context.state.zones;
    let frame = StatementFrame {
        month,
        timezone: zones.of(month.days().last()).name(),
        hours: zones.hours(month.days()),
        state: drawn.standing.in_words(coverage.is_final()),
        notes: &notes,
    };
    let uuid = links::encoded(context.argument);
    let title = format!(
        "Statement of {}, {}",
        called(&drawn.account),
        month_name(month)
    );
    let content = html! {
        (drawn.statement.page(&frame)?)
        (scope_note(context))
        (neighbours(context, month))
        p.links { a href=(links::account(ROOT, context.argument, month)) { "The account's month" } }
        p.links { "Lines: " (formats(&format!("{ROOT}v1/accounts/{uuid}/statement?month={month}"))) }
    };
    let page = HtmlPage {
        title: &title,
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}
