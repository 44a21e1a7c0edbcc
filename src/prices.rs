//! The operator's price file: which price a quantity has, in which unit and currency, and what that makes. Prices are
//! stored nowhere else. Whom rows mean by the names in them is looked up by others, because ledgers are not known here.

mod file;
mod matching;
mod money;
mod table;
mod unit;

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, anyhow};
use rust_decimal::Decimal;

use crate::day::{Day, DayRange};
pub use matching::{Meaning, PriceBook, Priced};
pub use money::Currency;
pub use unit::PriceUnit;

/// The rows of a price file, checked as far as that goes without a ledger.
#[derive(Debug, Default)]
pub struct PriceList {
    /// The file, as messages name it.
    file: String,
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
    /// Reads a file. An error has a line for each problem.
    pub fn read(path: &Path) -> anyhow::Result<PriceList> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|err| match err.kind() {
            io::ErrorKind::NotFound => {
                anyhow!("price file {name}: there is none: write it, or change file in [prices]")
            }
            _ => anyhow!("price file {name}: {err}"),
        })?;
        let text = String::from_utf8(bytes)
            .ok()
            .with_context(|| format!("price file {name} is not UTF-8: save it as such"))?;
        file::parse(&name, &text)
    }

    /// A row as messages name it: the file and its line.
    pub fn place(&self, row: &PriceRow) -> String {
        format!("{}:{}", self.file, row.line)
    }

    pub fn file(&self) -> &str {
        &self.file
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
