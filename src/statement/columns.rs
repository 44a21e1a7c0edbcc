//! The columns of a statement, for commands and `/v1` at once.

use std::num::NonZeroU32;
use std::rc::Rc;

use rust_decimal::Decimal;

use super::lines::{LineCharge, PricedAmount, StatementLine};
use crate::ledger::read::totals::ResourceFacts;
use crate::output::{Column, Tone, Unit, Value};
use crate::view::Cell;

pub const CELLS: &[Cell<StatementLine>] = &[
    (Column::shown("account_name", "account").key(), |line| {
        Value::Text(line.account.name.clone())
    }),
    (Column::hidden("account_uuid"), |line| {
        Value::Text(line.account.uuid.clone())
    }),
    (Column::hidden("domain_path"), |line| {
        Value::text(line.account.domain_path.as_deref())
    }),
    (Column::hidden("domain_uuid"), |line| {
        Value::text(line.account.domain_uuid.as_deref())
    }),
    (Column::hidden("project_name"), |line| {
        Value::text(line.account.project_name.as_deref())
    }),
    (Column::hidden("project_uuid"), |line| {
        Value::text(line.account.project_uuid.as_deref())
    }),
    (Column::shown("correction_id", "correction"), |line| {
        let id = line.correction_id;
        id.map_or(Value::Nothing, |id| Value::Id(id.unsigned_abs()))
    }),
    (Column::shown("start", "from").detail(), |line| {
        Value::Time(line.days.first().to_string())
    }),
    (Column::shown("end", "to").detail(), |line| {
        Value::Time(line.days.last().to_string())
    }),
    (Column::shown("metric", "metric").key().kept(), |line| {
        Value::Text(line.metric.to_string())
    }),
    (
        Column::shown("offering_name", "offering").detail(),
        |line| name(&line.sku.offering),
    ),
    (Column::hidden("offering_uuid"), |line| {
        uuid(&line.sku.offering)
    }),
    (Column::shown("zone_name", "zone").detail(), |line| {
        name(&line.sku.zone)
    }),
    (Column::hidden("zone_uuid"), |line| uuid(&line.sku.zone)),
    (Column::hidden("vcpus"), |line| part(line.sku.size.vcpus)),
    (Column::hidden("mhz"), |line| part(line.sku.size.mhz)),
    (Column::hidden("memory_mib"), |line| {
        part(line.sku.size.memory_mib)
    }),
    (Column::hidden("resource_kind"), |line| {
        Value::text(line.resource.as_ref().map(|one| one.kind.as_str()))
    }),
    (Column::shown("resource_name", "resource").key(), |line| {
        name(&line.resource)
    }),
    (Column::hidden("resource_uuid"), |line| uuid(&line.resource)),
    (Column::hidden("metric_quantity"), |line| {
        let quantity = line.quantity;
        quantity.map_or(Value::Nothing, |it| Value::Quantity(it, Unit::Exact))
    }),
    (Column::hidden("metric_unit"), |line| {
        Value::Text(line.metric_unit.to_string())
    }),
    (Column::shown("quantity", "quantity").key(), |line| {
        decimal(line, |amount| amount.units)
    }),
    (Column::shown("unit", "unit"), |line| {
        Value::text(line.amount().map(|amount| amount.unit))
    }),
    (Column::shown("price", "price"), |line| {
        decimal(line, |amount| amount.price)
    }),
    (Column::shown("amount", "amount").key(), |line| {
        decimal(line, |amount| amount.amount)
    }),
    (Column::shown("currency", "currency").key(), |line| {
        Value::text(line.amount().map(|amount| amount.currency.to_string()))
    }),
    (Column::hidden("price_line"), |line| {
        let at = line.amount().map(|amount| amount.price_line);
        // A line of a file fits 64 bits.
        at.map_or(Value::Nothing, |at| Value::Id(at as u64))
    }),
    (
        Column::shown("missing", "missing").key(),
        |line| match &line.charge {
            LineCharge::Priced(_) => Value::Nothing,
            LineCharge::NoPrice => Value::State("price", Tone::Bad),
            LineCharge::NoSize => Value::State("size", Tone::Bad),
        },
    ),
];

impl StatementLine {
    pub fn amount(&self) -> Option<&PricedAmount> {
        match &self.charge {
            LineCharge::Priced(amount) => Some(amount),
            LineCharge::NoPrice | LineCharge::NoSize => None,
        }
    }
}

fn decimal(line: &StatementLine, of: impl Fn(&PricedAmount) -> Decimal) -> Value {
    let number = line.amount().map(|amount| of(amount).to_string());
    number.map_or(Value::Nothing, Value::Decimal)
}

fn name(facts: &Option<Rc<ResourceFacts>>) -> Value {
    Value::text(facts.as_ref().map(|one| one.name.as_str()))
}

fn uuid(facts: &Option<Rc<ResourceFacts>>) -> Value {
    Value::text(facts.as_ref().map(|one| one.uuid.as_str()))
}

fn part(number: Option<NonZeroU32>) -> Value {
    number.map_or(Value::Nothing, |number| Value::Count(number.get().into()))
}
