//! What a statement consists of.

use std::collections::BTreeSet;
use std::rc::Rc;

use rust_decimal::Decimal;

use crate::day::DayRange;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::sku_lines::SkuFacts;
use crate::ledger::read::totals::ResourceFacts;
use crate::prices::Currency;

#[derive(Debug)]
pub struct Statement {
    /// Account by account, those of usage before those of corrections.
    pub lines: Vec<StatementLine>,
    /// Metrics that were used and that the price file has no row for.
    pub unpriced_metrics: BTreeSet<String>,
    /// What rows of the price file name, and the ledger has never heard of, in words.
    pub unknown_names: Vec<String>,
    /// Lines of pending corrections of the month itself, which are left to the next statement.
    pub own_corrections: usize,
}

/// What was used of one thing at one price, or a part of a correction.
#[derive(Clone, Debug)]
pub struct StatementLine {
    pub account: Rc<Account>,
    /// `None`: usage.
    pub correction_id: Option<i64>,
    /// The days that were asked for and had this price, from the first to the last; of a correction, its day.
    pub days: DayRange,
    pub metric: Rc<str>,
    /// Of `quantity`.
    pub metric_unit: Rc<str>,
    pub sku: Rc<SkuFacts>,
    /// `None`: the ledger does not tell apart what was used.
    pub resource: Option<Rc<ResourceFacts>>,
    /// In the metric's unit. `None`: it follows from a size that is not known.
    pub quantity: Option<f64>,
    pub charge: LineCharge,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LineCharge {
    Priced(PricedAmount),
    /// No row of the price file fits.
    NoPrice,
    /// The metric has a price, and the size of the VM is not known.
    NoSize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PricedAmount {
    /// How many units.
    pub units: Decimal,
    pub unit: &'static str,
    /// Of one unit, as the file has it.
    pub price: Decimal,
    pub currency: Currency,
    pub amount: Decimal,
    /// The row's line in the file.
    pub price_line: usize,
}
