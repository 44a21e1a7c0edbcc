//! How lines that have changed are listed in one cell: each with its keys for programs, a few in words for people.

use crate::ledger::read::corrected_lines::{ChangedLine, ChangedLines};
use crate::output::unit::readable;
use crate::output::{Objects, Unit, Value, csv_quantity};

/// Lines of a metric of this unit.
pub fn changed_lines(changed: &ChangedLines, unit: Unit) -> Value {
    let shown = changed
        .in_words(|line| line.in_words(&line.resource_name, |quantity| readable(quantity, unit)));
    let raw = changed.lines.iter();
    let raw = raw.map(|line| line.in_words(&line.resource_uuid, csv_quantity));
    Value::Objects(Objects {
        objects: changed.lines.iter().map(keys).collect(),
        shown,
        raw: raw.collect::<Vec<String>>().join("; "),
    })
}

fn keys(line: &ChangedLine) -> Vec<(&'static str, Value)> {
    let text = |text: &Option<String>| Value::text(text.as_deref());
    let count = |number: Option<u64>| number.map_or(Value::Nothing, Value::Count);
    let quantity = |number: Option<f64>| {
        number.map_or(Value::Nothing, |number| {
            Value::Quantity(number, Unit::Exact)
        })
    };
    vec![
        ("resource_kind", text(&line.resource_kind)),
        ("resource_uuid", text(&line.resource_uuid)),
        ("resource_name", text(&line.resource_name)),
        ("zone_uuid", text(&line.zone_uuid)),
        ("zone_name", text(&line.zone_name)),
        ("offering_uuid", text(&line.offering_uuid)),
        ("offering_name", text(&line.offering_name)),
        ("vcpus", count(line.vcpus)),
        ("mhz", count(line.mhz)),
        ("memory_mib", count(line.memory_mib)),
        ("old_quantity", quantity(line.old_quantity)),
        ("new_quantity", quantity(line.new_quantity)),
    ]
}
