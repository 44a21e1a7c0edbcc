//! `GET /v1/days`: what is known about each day, from its state to the instants at which it begins and ends.

use super::context::{Body, Context};
use super::render;
use crate::http::refusal::Rejection;
use crate::ledger::read::days::list_days;
use crate::output::Document;
use crate::scope::Scope;
use crate::view;
use crate::view::days::{DayRow, FOR_SERVER};

pub const PARAMETERS: [&str; 4] = ["start", "end", "month", "format"];

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let range = context.query.period(context.max_days)?;
    let mut period = render::period_facts(context, range)?;
    // The counts cover all accounts, which users who may see only some of them must not learn.
    let counts = *context.scope == Scope::All;
    let days = list_days(context.snapshot, range)?.into_iter();
    let days = days.map(|facts| DayRow::of(facts, &context.state.zones, counts));
    let days: Vec<DayRow> = days.collect::<anyhow::Result<_>>()?;
    let document = Document {
        facts: std::mem::take(&mut period.facts),
        rows_name: "days",
        columns: view::columns(FOR_SERVER),
        rows: view::rows(FOR_SERVER, &days),
        ..Document::default()
    };
    Ok(render::answer(context, Some(period), None, &document)?)
}
