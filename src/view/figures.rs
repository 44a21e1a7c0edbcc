//! How figures are listed: reports and the server's answers put the same columns in orders of their own.

use std::num::NonZeroU32;

use super::accounts;
use crate::ledger::read::totals::{Figure, Granularity};
use crate::metric::{GIB, Metric};
use crate::output::{Column, Unit, Value, Weight};

/// Like `Cell`, of a figure that borrows its account for any time.
pub type FigureCell = (Column, fn(&Figure) -> Value);

pub const ACCOUNT_NAME: FigureCell = (Column::shown("account_name", "account").key(), |figure| {
    Value::text(figure.who.account.map(|account| account.name.as_str()))
});
pub const ACCOUNT_UUID: FigureCell = (Column::hidden("account_uuid"), |figure| {
    Value::text(figure.who.account.map(|account| account.uuid.as_str()))
});
pub const DOMAIN_PATH: FigureCell = (Column::shown("domain_path", "domain").key(), |figure| {
    Value::text(figure.who.domain_path)
});
pub const DOMAIN_UUID: FigureCell = (Column::hidden("domain_uuid"), |figure| {
    Value::text(figure.who.domain_uuid)
});
pub const PROJECT_NAME: FigureCell = (Column::shown("project_name", "project").key(), |figure| {
    Value::text(figure.who.project_name)
});
pub const PROJECT_UUID: FigureCell = (Column::hidden("project_uuid"), |figure| {
    Value::text(figure.who.project_uuid)
});
/// What records are kept per, under the names that it had before lines were kept.
pub const RECORD_NAME: FigureCell = (Column::shown("resource_name", "offering").key(), |figure| {
    Value::text(figure.offering.as_ref().map(|one| one.name.as_str()))
});
pub const RECORD_UUID: FigureCell = (Column::hidden("resource_uuid"), |figure| {
    Value::text(figure.offering.as_ref().map(|one| one.uuid.as_str()))
});
pub const RECORD_KIND: FigureCell = (Column::hidden("resource_kind"), |figure| {
    Value::text(figure.offering.as_ref().map(|one| one.kind.as_str()))
});
pub const OFFERING_NAME: FigureCell = (
    Column::shown("offering_name", "offering").key(),
    RECORD_NAME.1,
);
pub const OFFERING_UUID: FigureCell = (Column::hidden("offering_uuid"), RECORD_UUID.1);
pub const OFFERING_KIND: FigureCell = (Column::hidden("offering_kind"), RECORD_KIND.1);
pub const ZONE_NAME: FigureCell = (Column::shown("zone_name", "zone"), |figure| {
    Value::text(figure.zone.as_ref().map(|one| one.name.as_str()))
});
pub const ZONE_UUID: FigureCell = (Column::hidden("zone_uuid"), |figure| {
    Value::text(figure.zone.as_ref().map(|one| one.uuid.as_str()))
});
pub const VCPUS: FigureCell = (Column::shown("vcpus", "vCPUs"), |figure| {
    part_of_size(figure.size.vcpus)
});
pub const MHZ: FigureCell = (Column::shown("mhz", "MHz"), |figure| {
    part_of_size(figure.size.mhz)
});
pub const MEMORY_MIB: FigureCell = (Column::shown("memory_mib", "MiB"), |figure| {
    part_of_size(figure.size.memory_mib)
});
/// What was used: the VM, the volume, the address.
pub const RESOURCE_NAME: FigureCell =
    (Column::shown("resource_name", "resource").key(), |figure| {
        Value::text(figure.resource.as_ref().map(|one| one.name.as_str()))
    });
pub const RESOURCE_UUID: FigureCell = (Column::hidden("resource_uuid"), |figure| {
    Value::text(figure.resource.as_ref().map(|one| one.uuid.as_str()))
});
pub const RESOURCE_KIND: FigureCell = (Column::shown("resource_kind", "kind"), |figure| {
    Value::text(figure.resource.as_ref().map(|one| one.kind.as_str()))
});
pub const CLOUDSTACK_ID: FigureCell = (Column::hidden("cloudstack_id"), |figure| {
    let id = figure.resource.as_ref().map(|one| one.cloudstack_id);
    id.map_or(Value::Nothing, Value::Id)
});
pub const METRIC: FigureCell = (Column::shown("metric", "metric").key().kept(), |figure| {
    Value::Text(figure.metric.name.clone())
});
pub const MONTH: FigureCell = (Column::shown("month", "month").key(), |figure| {
    Value::time(figure.month)
});
pub const DAY: FigureCell = (Column::shown("day", "day").key(), |figure| {
    Value::time(figure.day)
});
pub const QUANTITY: FigureCell = (Column::shown("quantity", "quantity").key(), |figure| {
    Value::Quantity(figure.quantity, Unit::of_name(&figure.metric.unit))
});
pub const UNIT: FigureCell = (Column::hidden("unit"), |figure| {
    Value::Text(figure.metric.unit.clone())
});
pub const GIB_MONTHS: FigureCell = (Column::shown("gib_months", "GiB-months"), |figure| {
    let gib = figure.gib_months;
    gib.map_or(Value::Nothing, |gib| Value::Quantity(gib, Unit::GibMonths))
});

/// Of rows of one day.
pub const GIB_HELD: FigureCell = (Column::shown("gib_held", "GiB on the day"), |figure| {
    let gib = figure.gib_held;
    gib.map_or(Value::Nothing, |gib| Value::Quantity(gib, Unit::Gib))
});

/// Byte-hours as people read them, beside all their digits.
pub fn gib_hours(metric: Metric, byte_hours: Option<f64>) -> Value {
    match byte_hours {
        Some(byte_hours) if metric.unit() == "byte-hours" => {
            Value::Quantity(byte_hours / GIB, Unit::None)
        }
        Some(_) | None => Value::Nothing,
    }
}

fn part_of_size(part: Option<NonZeroU32>) -> Value {
    part.map_or(Value::Nothing, |part| Value::Count(part.get().into()))
}

/// The same column, not for people.
pub fn hidden((column, value): FigureCell) -> FigureCell {
    (Column::hidden(column.name), value)
}

/// The same column where others say as much.
pub fn plain((column, value): FigureCell) -> FigureCell {
    let weight = Weight::Plain;
    (Column { weight, ..column }, value)
}

/// What the server groups figures by, beside metric and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureGroup {
    /// What records are kept per.
    Offering,
    Sku,
    Resource,
    SkuAndResource,
}

/// How the server lists figures.
pub struct ServerRows {
    by_account: bool,
    cells: Vec<FigureCell>,
}

impl ServerRows {
    pub fn of(by_account: bool, granularity: Granularity, group: FigureGroup) -> ServerRows {
        let time: &[FigureCell] = match granularity {
            Granularity::Total => &[],
            Granularity::Month => &[MONTH],
            Granularity::Day => &[DAY],
        };
        let record = [RECORD_KIND, RECORD_UUID, RECORD_NAME];
        let resource = [RESOURCE_KIND, RESOURCE_UUID, RESOURCE_NAME, CLOUDSTACK_ID];
        let sku = [
            OFFERING_UUID,
            OFFERING_NAME,
            ZONE_UUID,
            ZONE_NAME,
            VCPUS,
            MHZ,
            MEMORY_MIB,
        ];
        let what: Vec<FigureCell> = match group {
            FigureGroup::Offering => record.to_vec(),
            FigureGroup::Sku => sku.to_vec(),
            FigureGroup::Resource => resource.to_vec(),
            FigureGroup::SkuAndResource => [&resource[..], &sku].concat(),
        };
        let (before, after) = ([METRIC, UNIT], [QUANTITY, GIB_MONTHS]);
        let held: &[FigureCell] = match granularity {
            Granularity::Day => &[GIB_HELD],
            Granularity::Total | Granularity::Month => &[],
        };
        ServerRows {
            by_account,
            cells: [time, &before, &what, &after, held].concat(),
        }
    }

    pub fn columns(&self) -> Vec<Column> {
        let account = accounts::CELLS.iter().filter(|_| self.by_account);
        let account = account.map(|(column, _)| *column);
        account.chain(columns(&self.cells)).collect()
    }

    pub fn row(&self, figure: &Figure) -> Vec<Value> {
        let account = figure.who.account.filter(|_| self.by_account);
        let account = account.map(|account| super::row(accounts::CELLS, account));
        let figure = self.cells.iter().map(|(_, value)| value(figure));
        account.into_iter().flatten().chain(figure).collect()
    }
}

pub fn columns(cells: &[FigureCell]) -> Vec<Column> {
    cells.iter().map(|(column, _)| *column).collect()
}

pub fn row(cells: &[FigureCell], figure: &Figure) -> Vec<Value> {
    cells.iter().map(|(_, value)| value(figure)).collect()
}
