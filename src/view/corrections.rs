//! How corrections are listed: the same columns for people, programs and the server's clients.

use super::lines::changed_lines as lines;
use super::{Cell, id, text};
use crate::ledger::read::corrections::StoredCorrection;
use crate::output::{Column, Unit, Value};

pub const CELLS: &[Cell<StoredCorrection>] = &[
    (Column::shown("id", "id").key(), |one| id(one.id)),
    (Column::shown("kind", "kind").kept(), |one| {
        Value::Text(one.kind.clone())
    }),
    (Column::shown("day", "day").key(), |one| {
        Value::Time(one.day.to_string())
    }),
    (Column::hidden("account_uuid"), |one| {
        Value::Text(one.account_uuid.clone())
    }),
    (Column::shown("account_name", "account").key(), |one| {
        Value::Text(one.account_name.clone())
    }),
    (Column::shown("metric", "metric").key().kept(), |one| {
        Value::Text(one.metric.clone())
    }),
    (Column::hidden("unit"), |one| Value::Text(one.unit.clone())),
    (Column::hidden("resource_uuid"), |one| {
        text(&one.resource_uuid)
    }),
    (Column::shown("resource_name", "resource"), |one| {
        text(&one.resource_name)
    }),
    (Column::shown("old_quantity", "old").detail(), |one| {
        quantity(one, one.old_quantity)
    }),
    (Column::shown("new_quantity", "new").detail(), |one| {
        quantity(one, one.new_quantity)
    }),
    (Column::shown("delta", "difference").key(), |one| {
        quantity(one, Some(one.delta))
    }),
    (Column::shown("corrected_at", "found").detail(), |one| {
        Value::Time(one.corrected_at.clone())
    }),
    (Column::shown("acknowledged_at", "acknowledged"), |one| {
        Value::time(one.acknowledged_at.as_ref())
    }),
    (Column::shown("reason", "reason").detail().folded(), |one| {
        text(&one.reason)
    }),
    (Column::shown("lines", "lines").detail().folded(), |one| {
        lines(&one.lines, Unit::of_name(&one.unit))
    }),
    (Column::hidden("more_lines"), |one| {
        Value::Count(one.lines.more)
    }),
];

fn quantity(correction: &StoredCorrection, number: Option<f64>) -> Value {
    let unit = Unit::of_name(&correction.unit);
    number.map_or(Value::Nothing, |number| Value::Quantity(number, unit))
}
