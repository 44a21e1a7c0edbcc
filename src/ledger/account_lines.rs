//! The lines of one account on one day, under their names: what the ledger has to show of a resource.

use super::day::StoredDay;
use super::day_reader::DayReader;
use super::differing_lines::{list_sku_names, list_used_names};
use super::line_comparison::LineKey;
use super::line_reader::{LinesOf, list_corrected_lines, list_held_lines};
use super::line_table::LinesPer;
use super::read::corrected_lines::ChangedLine;
use crate::day::Day;

/// A line and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLine {
    pub key: LineKey,
    /// Without quantities.
    pub names: ChangedLine,
    /// In the metric's unit.
    pub quantity: f64,
}

impl DayReader<'_> {
    /// The lines of an account on a day that the ledger has; where they tell resources apart, those of a sealed day with
    /// its pending corrections.
    pub fn account_lines(
        &self,
        day: Day,
        stored: StoredDay,
        account_id: i64,
    ) -> anyhow::Result<Vec<NamedLine>> {
        let (connection, names) = (self.connection(), self.names());
        let accounts = [account_id];
        let whose = LinesOf::Accounts(&accounts);
        let held = match stored.sealed && stored.lines_per == LinesPer::Resource {
            true => list_corrected_lines(connection, names, day, whose)?,
            false => list_held_lines(connection, names, day, whose)?,
        };
        let ids = held.iter().map(|line| line.stored);
        let (skus, used) = ids.map(|line| (line.sku_id, line.resource_id)).unzip();
        let skus = list_sku_names(connection, skus)?;
        let used = list_used_names(connection, used)?;
        let named = held.into_iter().map(|line| {
            let of_sku = skus.get(&line.stored.sku_id).cloned();
            let of_used = used.get(&line.stored.resource_id).cloned();
            let (resource_kind, resource_uuid, resource_name) = of_used.unwrap_or_default();
            NamedLine {
                key: line.key,
                names: ChangedLine {
                    resource_kind,
                    resource_uuid,
                    resource_name,
                    ..of_sku.unwrap_or_default()
                },
                quantity: line.stored.quantity,
            }
        });
        Ok(named.collect())
    }
}
