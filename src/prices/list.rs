//! A price list: its rows, as they are read from the file.

use rust_decimal::Decimal;

use super::money::Currency;
use super::unit::PriceUnit;
use crate::day::{Day, DayRange};

/// The rows of a price file, checked as far as that goes without a ledger.
#[derive(Debug, Default)]
pub struct PriceList {
    /// The file, as messages name it.
    pub file: String,
    pub rows: Vec<PriceRow>,
}

/// One price, and what it is for. `None`: whatever there is.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRow {
    /// Where it is in the file.
    pub line: usize,
    /// The first day that it counts on; `None`: it always has.
    pub valid_from: Option<Day>,
    /// A published name.
    pub metric: String,
    pub zone: Option<String>,
    pub offering: Option<String>,
    /// With the domains below it.
    pub domain: Option<String>,
    pub account: Option<String>,
    pub unit: PriceUnit,
    /// Of one unit; not negative.
    pub price: Decimal,
    pub currency: Currency,
}

impl PriceList {
    /// A row as messages name it: the file and its line.
    pub fn place(&self, row: &PriceRow) -> String {
        format!("{}:{}", self.file, row.line)
    }

    /// Whether a metric has a price at all.
    pub fn has(&self, metric: &str) -> bool {
        self.rows.iter().any(|row| row.metric == metric)
    }

    /// Cuts days where a price begins.
    pub fn cut(&self, range: DayRange) -> anyhow::Result<Vec<DayRange>> {
        let mut begins: Vec<Day> = self.rows.iter().filter_map(|row| row.valid_from).collect();
        begins.retain(|day| range.contains(*day) && *day != range.first());
        begins.sort();
        begins.dedup();
        let mut parts = Vec::new();
        let mut first = range.first();
        for begin in begins {
            parts.push(DayRange::new(first, begin.previous())?);
            first = begin;
        }
        parts.push(DayRange::new(first, range.last())?);
        Ok(parts)
    }
}

impl PriceRow {
    /// What so many units cost, rounded to the smallest part of the currency, halves away from 0; `None`: more than a
    /// number can hold.
    pub fn amount(&self, units: Decimal) -> Option<Decimal> {
        Some(self.currency.round(units.checked_mul(self.price)?))
    }
}
