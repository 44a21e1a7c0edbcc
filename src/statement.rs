//! A statement: what accounts used in a month, line by line, with the prices of the operator's file and what that makes,
//! and the pending corrections of earlier months. It is drawn up account by account from one state of the ledger, and
//! holds no more than its own lines.

mod columns;
mod daily;
mod document;
mod drawing;
mod lines;
mod meaning;
mod page;

use std::collections::{BTreeMap, BTreeSet};

use crate::day::DayRange;
use crate::ledger::read::Snapshot;
use crate::ledger::read::accounts::Account;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::sku_lines::{PendingLine, SkuLineReader};
use crate::month::Month;
use crate::prices::{PriceBook, PriceList};
use crate::zones::Zones;
pub use daily::{Costing, DayCost, DayPrice};
pub use document::{Standing, find_standing};
use drawing::Drawing;
pub use lines::{Statement, StatementLine};
pub use page::StatementFrame;

pub struct StatementQuery<'a> {
    pub prices: &'a PriceList,
    pub month: Month,
    /// Whose; with all days of theirs that may be asked for, because corrections are of earlier months.
    pub selection: &'a Selection,
    /// The ledger's, for the hours of its months.
    pub zones: &'a Zones,
    /// Lines that may be read at once; beyond it the error is `TooManySums`.
    pub most_lines: usize,
    pub corrections: Corrections<'a>,
}

/// Which pending corrections are lines of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrections<'a> {
    /// Those of earlier months that nobody has acknowledged.
    Due,
    /// These, of whatever days.
    These(&'a [i64]),
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
    let mut reader = SkuLineReader::of_month(snapshot, question.month, question.most_lines)?;
    let after = question.month.next().first_day();
    let mut pending: BTreeMap<i64, Vec<PendingLine>> = BTreeMap::new();
    let lines = match question.corrections {
        Corrections::Due => reader.list_pending(&ids, after)?,
        Corrections::These(these) => reader.list_corrections(&ids, these)?,
    };
    for line in lines {
        pending.entry(line.account_id).or_default().push(line);
    }
    let mut statement = Statement {
        lines: Vec::new(),
        unpriced_metrics: BTreeSet::new(),
        unknown_names,
        own_corrections: 0,
    };
    for account in accounts(question.selection, &in_month) {
        let mut drawing = Drawing::of(&book, question.zones, account);
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
            if question.corrections == Corrections::Due && range.contains(one.day) {
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

/// What rows of a price file name, and the ledger has never heard of; or, in words, what is wrong with the file.
pub fn find_unknown_names(
    snapshot: &Snapshot,
    prices: &PriceList,
) -> anyhow::Result<Result<Vec<String>, String>> {
    Ok(meaning::find_meanings(snapshot, prices)?.map(|(_, unknown)| unknown))
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
