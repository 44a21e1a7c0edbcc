//! A statement as a document: facts, sums, and what people should know about it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use rust_decimal::Decimal;

use super::columns::CELLS;
use super::lines::{LineCharge, Statement, StatementLine};
use crate::day::{Day, in_ranges};
use crate::ledger::read::Snapshot;
use crate::ledger::read::days::{DayState, list_days};
use crate::month::Month;
use crate::output::{Column, Document, Objects, Value};
use crate::plural::plural;
use crate::prices::Currency;
use crate::view;

/// So many kinds of lines without a price are named below a table.
const MOST_NAMED: usize = 10;

/// Whether imports may still change days of the month.
#[derive(Debug)]
pub struct Standing {
    pub unsealed_days: Vec<Day>,
}

pub fn find_standing(snapshot: &Snapshot, month: Month) -> anyhow::Result<Standing> {
    let days = list_days(snapshot, month.days())?;
    let unsealed = days.iter().filter(|day| day.state != DayState::Sealed);
    Ok(Standing {
        unsealed_days: unsealed.map(|day| day.day).collect(),
    })
}

impl Standing {
    /// Whether figures may still change.
    pub fn in_words(&self, complete: bool) -> &'static str {
        match (complete, self.unsealed_days.is_empty()) {
            (true, true) => "complete and sealed",
            (true, false) => "complete, not sealed",
            (false, _) => "not complete",
        }
    }
}

/// Amounts of one account, or of all.
struct CurrencySum<'a> {
    /// The first of its lines; `None`: of all accounts.
    of: Option<&'a StatementLine>,
    currency: Currency,
    amount: Decimal,
}

impl Statement {
    /// All but the rows; `title` and `facts` say of which days it is.
    pub fn document(
        &self,
        title: String,
        mut facts: Vec<(&'static str, Value)>,
        standing: &Standing,
        price_file: &str,
    ) -> anyhow::Result<Document> {
        let sums = self.list_sums(false)?;
        let by_account = self.list_sums(true)?;
        facts.push(("sealed", Value::Truth(standing.unsealed_days.is_empty())));
        facts.push(("totals", objects(&sums)));
        facts.push(("account_totals", objects(&by_account)));
        facts.push(("lines_without_price", count(self.count_incomplete())));
        let metrics = self.unpriced_metrics.iter().cloned().collect();
        facts.push(("unpriced_metrics", Value::List(metrics)));
        facts.push(("unknown_names", Value::List(self.unknown_names.clone())));
        facts.push(("own_corrections", count(self.own_corrections)));
        let mut notes = Vec::new();
        let several = by_account.len() > sums.len();
        for sum in by_account.iter().filter(|_| several).chain(&sums) {
            let of = sum.of.map_or(String::new(), |line| {
                let account = &line.account;
                let name = account.project_name.as_ref().unwrap_or(&account.name);
                format!(" of {name}")
            });
            notes.push(format!("total{of}: {} {}", sum.amount, sum.currency));
        }
        notes.extend(self.sentences(standing, price_file));
        Ok(Document {
            title,
            facts,
            rows_name: "lines",
            columns: self.columns(),
            notes,
            ..Document::default()
        })
    }

    /// People need no account where there is one, and no days where all lines are of the same.
    fn columns(&self) -> Vec<Column> {
        let same = |value: &dyn Fn(&StatementLine) -> String| {
            let values: BTreeSet<String> = self.lines.iter().map(value).collect();
            values.len() <= 1
        };
        let one_account = same(&|line| line.account.uuid.clone());
        let one_period = same(&|line| format!("{} {}", line.days.first(), line.days.last()));
        let mut columns = view::columns(CELLS);
        for column in &mut columns {
            let is_plain = match column.name {
                "account_name" => one_account,
                "start" | "end" => one_period,
                _ => false,
            };
            if is_plain {
                *column = Column::hidden(column.name);
            }
        }
        columns
    }

    /// Some of its rows.
    pub fn rows(lines: &[StatementLine]) -> Vec<Vec<Value>> {
        view::rows(CELLS, lines)
    }

    /// Lines that have no amount.
    pub fn count_incomplete(&self) -> usize {
        let lines = self.lines.iter();
        lines.filter(|line| line.amount().is_none()).count()
    }

    /// Sums of each currency, of each account in the order of the lines or of all.
    fn list_sums(&self, by_account: bool) -> anyhow::Result<Vec<CurrencySum<'_>>> {
        let mut sums: BTreeMap<(usize, Currency), CurrencySum> = BTreeMap::new();
        let mut place = 0;
        let mut last: Option<&StatementLine> = None;
        for line in &self.lines {
            let is_next = last.is_some_and(|last| last.account.uuid != line.account.uuid);
            place += usize::from(by_account && is_next);
            last = Some(line);
            let LineCharge::Priced(amount) = &line.charge else {
                continue;
            };
            let currency = amount.currency;
            let sum = sums.entry((place, currency)).or_insert(CurrencySum {
                of: by_account.then_some(line),
                currency,
                amount: currency.round(Decimal::ZERO),
            });
            let total = sum.amount.checked_add(amount.amount);
            sum.amount = total.context("the total is too large a number")?;
        }
        Ok(sums.into_values().collect())
    }

    /// What people should know about prices, where lines stand elsewhere.
    pub fn shortcomings(&self, month: Month, price_file: &str) -> Vec<String> {
        let standing = Standing {
            unsealed_days: Vec::new(),
        };
        let sentences = self.sentences(&standing, price_file).into_iter();
        sentences
            .map(|sentence| format!("{month}: {sentence}"))
            .collect()
    }

    /// What those should know who do not keep the price file.
    pub fn sentences_for_customers(&self, standing: &Standing) -> Vec<String> {
        let mut sentences = Vec::new();
        if !standing.unsealed_days.is_empty() {
            sentences.push(unsealed(&standing.unsealed_days));
        }
        let incomplete = self.count_incomplete();
        if incomplete > 0 {
            sentences.push(format!("without a price: {}", plural(incomplete, "line")));
        }
        sentences
    }

    /// What people should know about lines and prices.
    pub fn sentences(&self, standing: &Standing, price_file: &str) -> Vec<String> {
        let mut sentences = Vec::new();
        if !standing.unsealed_days.is_empty() {
            sentences.push(unsealed(&standing.unsealed_days));
        }
        let mut missing: BTreeMap<String, usize> = BTreeMap::new();
        for line in &self.lines {
            if let Some(words) = missing_words(line, price_file) {
                *missing.entry(words).or_default() += 1;
            }
        }
        let kinds = missing.len();
        for (words, lines) in missing.iter().take(MOST_NAMED) {
            sentences.push(format!("{words} ({})", plural(*lines, "line")));
        }
        if kinds > MOST_NAMED {
            sentences.push(format!("and {} more without a price", kinds - MOST_NAMED));
        }
        if !self.unpriced_metrics.is_empty() {
            let metrics: Vec<&str> = self.unpriced_metrics.iter().map(String::as_str).collect();
            sentences.push(format!(
                "not priced, because no row of {price_file} names them: {}; a row with the price 0 lists one for nothing",
                metrics.join(", ")
            ));
        }
        sentences.extend(self.unknown_names.iter().cloned());
        if self.own_corrections > 0 {
            sentences.push(format!(
                "left to the next statement: {} of pending corrections of this month",
                plural(self.own_corrections, "line")
            ));
        }
        sentences
    }
}

fn unsealed(days: &[Day]) -> String {
    format!(
        "not sealed, so that imports may change them: {}",
        in_ranges(days)
    )
}

/// Why a line has no amount, and what to do.
fn missing_words(line: &StatementLine, price_file: &str) -> Option<String> {
    let called = |facts: Option<&str>, before: &str| {
        facts.map_or(String::new(), |name| format!("{before}{name}"))
    };
    let offering = line.sku.offering.as_ref().map(|one| one.name.as_str());
    let zone = line.sku.zone.as_ref().map(|one| one.name.as_str());
    let what = format!(
        "{}{}{}",
        line.metric,
        called(offering, " of "),
        called(zone, " in ")
    );
    match line.charge {
        LineCharge::Priced(_) => None,
        LineCharge::NoPrice => Some(format!(
            "no price for {what} from {} on: add a row to {price_file}",
            line.days.first()
        )),
        LineCharge::NoSize => Some(format!(
            "no amount for {what}: the size of the VM is not known; price vm_running or vm_allocated of the offering \
             instead"
        )),
    }
}

fn count(number: usize) -> Value {
    // A count of what is in memory fits 64 bits.
    Value::Count(number as u64)
}

fn objects(sums: &[CurrencySum]) -> Value {
    let keys = |sum: &CurrencySum| {
        let mut keys = Vec::new();
        if let Some(line) = sum.of {
            let account = &line.account;
            keys.push(("account_name", Value::Text(account.name.clone())));
            keys.push(("account_uuid", Value::Text(account.uuid.clone())));
        }
        keys.push(("currency", Value::Text(sum.currency.to_string())));
        keys.push(("amount", Value::Decimal(sum.amount.to_string())));
        keys
    };
    Value::Objects(Objects {
        objects: sums.iter().map(keys).collect(),
        ..Objects::default()
    })
}
