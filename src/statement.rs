//! A statement: what accounts used in a month, line by line, with the prices of the operator's file and what that makes,
//! and the pending corrections of earlier months. It is drawn up account by account from one state of the ledger, and
//! holds no more than its own lines.

mod columns;
mod document;
mod drawing;
mod meaning;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rust_decimal::Decimal;

use crate::day::DayRange;
use crate::ledger::read::Snapshot;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::sku_lines::{PendingLine, SkuFacts, SkuLineReader};
use crate::ledger::read::totals::ResourceFacts;
use crate::month::Month;
use crate::prices::{Currency, PriceBook, PriceList};
use crate::zones::Zones;
pub use document::{Standing, find_standing};
use drawing::Drawing;

pub struct StatementQuery<'a> {
    pub prices: &'a PriceList,
    pub month: Month,
    /// Whose; with all days of theirs that may be asked for, because corrections are of earlier months.
    pub selection: &'a Selection,
    /// The ledger's, for the hours of its months.
    pub zones: &'a Zones,
}

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
    pub charge: Charge,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Charge {
    Priced(Amount),
    /// No row of the price file fits.
    NoPrice,
    /// The metric has a price, and the size of the VM is not known.
    NoSize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Amount {
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

/// Draws up a statement. What is wrong with the price file comes in words, a line each.
pub fn draw_up(
    snapshot: &Snapshot,
    question: &StatementQuery,
) -> anyhow::Result<Result<Statement, String>> {
    let (meanings, unknown_names) = match meaning::find_meanings(snapshot, question.prices)? {
        Ok(found) => found,
        Err(problems) => return Ok(Err(problems)),
    };
    let book = PriceBook::new(question.prices, meanings);
    let range = question.month.days();
    let mut in_month = question.selection.clone();
    in_month.cut(range);
    let ids = question.selection.ids();
    let mut reader = SkuLineReader::of_month(snapshot, question.month)?;
    let after = question.month.next().first_day();
    let mut pending: BTreeMap<i64, Vec<PendingLine>> = BTreeMap::new();
    for line in reader.list_pending(&ids, after)? {
        pending.entry(line.account_id).or_default().push(line);
    }
    let mut statement = Statement {
        lines: Vec::new(),
        unpriced_metrics: BTreeSet::new(),
        unknown_names,
        own_corrections: 0,
    };
    for account in accounts(question.selection, &in_month) {
        let mut drawing = Drawing::of(&book, question, account);
        let stretches = question.selection.stretches.get(&account.id);
        for stretch in stretches.into_iter().flatten() {
            let Some(days) = both(stretch.days, range)? else {
                continue;
            };
            let domain = stretch.domain.as_ref().map(|domain| domain.id);
            for days in question.prices.cut(days)? {
                let lines = reader.list(account.id, days)?;
                if let Err(problem) = drawing.add_usage(&lines, days, domain)? {
                    return Ok(Err(problem));
                }
            }
        }
        for one in pending.remove(&account.id).unwrap_or_default() {
            let mut stretches = stretches.into_iter().flatten();
            let Some(stretch) = stretches.find(|stretch| stretch.days.contains(one.day)) else {
                continue;
            };
            if range.contains(one.day) {
                statement.own_corrections += 1;
                continue;
            }
            let domain = stretch.domain.as_ref().map(|domain| domain.id);
            if let Err(problem) = drawing.add_correction(&one, domain)? {
                return Ok(Err(problem));
            }
        }
        drawing.finish(&mut statement)?;
    }
    Ok(Ok(statement))
}

/// Each account as it was on the last of its days in the month, or else of its days.
fn accounts<'a>(all: &'a Selection, in_month: &'a Selection) -> Vec<&'a Account> {
    let mut accounts: BTreeMap<i64, &Account> = BTreeMap::new();
    for account in all.accounts.iter().chain(&in_month.accounts) {
        accounts.insert(account.id, account);
    }
    let mut accounts: Vec<&Account> = accounts.into_values().collect();
    accounts.sort_by(|one, other| (&one.name, &one.uuid).cmp(&(&other.name, &other.uuid)));
    accounts
}

/// The days that are in both.
fn both(one: DayRange, other: DayRange) -> anyhow::Result<Option<DayRange>> {
    let first = one.first().max(other.first());
    let last = one.last().min(other.last());
    Ok(match first <= last {
        true => Some(DayRange::new(first, last)?),
        false => None,
    })
}
