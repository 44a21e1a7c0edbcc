//! `GET /v1/days`: what is known of each day, from its state to the instants it holds.

use super::render::{columns, instants};
use super::{Answer, Asking, Refusal, render};
use crate::day::DayRange;
use crate::ledger::read::days::{DayFacts, list_days};
use crate::output::{Document, Unit, Value};
use crate::scope::Scope;

pub const PARAMETERS: [&str; 4] = ["start", "end", "month", "format"];

const COLUMNS: [&str; 17] = [
    "day",
    "state",
    "starts_at",
    "ends_at",
    "hours",
    "records",
    "accounts",
    "source_rows",
    "replayed_rows",
    "findings",
    "acknowledged_findings",
    "differing_values",
    "pending_corrections",
    "imported_at",
    "verified_at",
    "sealed_at",
    "provisional",
];

pub fn answer(asking: &Asking) -> Result<Answer, Refusal> {
    let range = asking.query.period(asking.terms.max_days)?;
    let mut period = render::period_facts(asking, range)?;
    let days = list_days(asking.snapshot, range)?;
    let document = Document {
        facts: std::mem::take(&mut period.facts),
        rows_name: "days",
        columns: columns(&COLUMNS),
        rows: days
            .iter()
            .map(|facts| row(asking, facts))
            .collect::<anyhow::Result<_>>()?,
        ..Document::default()
    };
    Ok(render::answer(asking, Some(period), None, &document)?)
}

fn row(asking: &Asking, facts: &DayFacts) -> anyhow::Result<Vec<Value>> {
    let day = DayRange::from(facts.day);
    let (starts_at, ends_at) = instants(&asking.state.zones, day)?;
    // These count what all accounts have, which is not for a user who may see some of them.
    let count = |number: u64| match asking.terms.scope {
        Scope::All => Value::Count(number),
        Scope::Only(_) => Value::Nothing,
    };
    Ok(vec![
        Value::Text(facts.day.to_string()),
        Value::Text(facts.state.name().to_owned()),
        Value::Text(starts_at),
        Value::Text(ends_at),
        Value::Quantity(asking.state.zones.hours(day), Unit::Hours),
        count(facts.records),
        count(facts.accounts),
        count(facts.source_rows),
        count(facts.replayed_rows),
        count(facts.findings),
        count(facts.acknowledged),
        count(facts.differing),
        count(facts.pending_corrections),
        Value::text(facts.imported_at.clone()),
        Value::text(facts.verified_at.clone()),
        Value::text(facts.sealed_at.clone()),
        Value::Truth(facts.provisional),
    ])
}
