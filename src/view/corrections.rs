//! How corrections are listed: the same rows for people, programs and the server's clients.

use crate::ledger::read::corrections::StoredCorrection;
use crate::output::{Column, Unit, Value};

pub const COLUMNS: [Column; 15] = [
    Column::shown("id", "id"),
    Column::shown("kind", "kind"),
    Column::shown("day", "day"),
    Column::hidden("account_uuid"),
    Column::shown("account_name", "account"),
    Column::shown("metric", "metric"),
    Column::hidden("unit"),
    Column::hidden("resource_uuid"),
    Column::shown("resource_name", "resource"),
    Column::shown("old_quantity", "old"),
    Column::shown("new_quantity", "new"),
    Column::shown("delta", "difference"),
    Column::shown("corrected_at", "found"),
    Column::shown("acknowledged_at", "acknowledged"),
    Column::shown("reason", "reason"),
];

pub fn row(correction: StoredCorrection) -> Vec<Value> {
    let unit = Unit::of_name(&correction.unit);
    let quantity =
        |number: Option<f64>| number.map_or(Value::Nothing, |number| Value::Quantity(number, unit));
    vec![
        // Ids begin at 1.
        Value::Id(correction.id.unsigned_abs()),
        Value::Text(correction.kind),
        Value::Text(correction.day.to_string()),
        Value::Text(correction.account_uuid),
        Value::Text(correction.account_name),
        Value::Text(correction.metric),
        Value::Text(correction.unit),
        Value::text(correction.resource_uuid),
        Value::text(correction.resource_name),
        quantity(correction.old_quantity),
        quantity(correction.new_quantity),
        quantity(Some(correction.delta)),
        Value::Text(correction.corrected_at),
        Value::text(correction.acknowledged_at),
        Value::text(correction.reason),
    ]
}
