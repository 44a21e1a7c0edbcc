//! The lines of one account: usage and corrections with the rows of the price file that count for them, added up and
//! priced.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use anyhow::Context;

use super::lines::{LineCharge, PricedAmount, Statement, StatementLine};
use crate::day::{Day, DayRange};
use crate::ledger::read::accounts::Account;
use crate::ledger::read::sku_lines::{PendingLine, SkuFacts, SkuLine};
use crate::ledger::read::totals::ResourceFacts;
use crate::month::Month;
use crate::prices::{PriceBook, PriceRow, Priced};
use crate::sku::{DerivedMetric, VmSize};
use crate::sum::CompensatedSum;
use crate::zones::Zones;

/// The days from the first of two ranges to the last.
fn hull(one: DayRange, other: DayRange) -> anyhow::Result<DayRange> {
    let first = one.first().min(other.first());
    Ok(DayRange::new(first, one.last().max(other.last()))?)
}

/// The lines of one account.
pub struct Drawing<'q, 'a> {
    book: &'q PriceBook<'a>,
    zones: &'q Zones,
    account: Rc<Account>,
    lines: BTreeMap<Key, (RunningSum, Option<&'a PriceRow>)>,
    /// The days that usage was read of, cut where prices begin, with the domain in each.
    parts: Vec<(DayRange, Option<i64>)>,
    /// Metrics without a price.
    unpriced: BTreeSet<String>,
}

/// What makes up one line, in the order of the statement. Names come first, so that people find things; uuids tell them
/// apart, and whatever was renamed has its newest name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    correction: Option<(Day, i64)>,
    metric: Rc<str>,
    zone: String,
    offering: String,
    size: VmSize,
    resource: (String, String),
    price_line: Option<usize>,
}

struct RunningSum {
    sku: Rc<SkuFacts>,
    resource: Option<Rc<ResourceFacts>>,
    unit: Rc<str>,
    /// `None`: not known.
    quantity: Option<CompensatedSum>,
    days: DayRange,
}

/// Days that have one price, the domain in them, and the correction that it is about.
type PricedDays = (DayRange, Option<i64>, Option<i64>);

/// A metric that the lines of a SKU count for, and its price, if there is one.
#[derive(Clone)]
struct Counted<'a> {
    metric: Rc<str>,
    unit: Rc<str>,
    /// `None`: the SKU's own metric.
    derived: Option<DerivedMetric>,
    row: Option<&'a PriceRow>,
}

impl<'q, 'a> Drawing<'q, 'a> {
    pub fn of(book: &'q PriceBook<'a>, zones: &'q Zones, account: &Account) -> Drawing<'q, 'a> {
        Drawing {
            book,
            zones,
            account: Rc::new(account.clone()),
            lines: BTreeMap::new(),
            parts: Vec::new(),
            unpriced: BTreeSet::new(),
        }
    }

    /// Adds what was used on days that no price begins within.
    pub fn add_usage(
        &mut self,
        lines: &[SkuLine],
        days: DayRange,
        domain: Option<i64>,
    ) -> anyhow::Result<Result<(), String>> {
        self.parts.push((days, domain));
        self.add(lines, (days, domain, None))
    }

    pub fn add_correction(
        &mut self,
        one: &PendingLine,
        domain: Option<i64>,
    ) -> anyhow::Result<Result<(), String>> {
        let days = DayRange::new(one.day, one.day)?;
        let lines = std::slice::from_ref(&one.line);
        self.add(lines, (days, domain, Some(one.correction_id)))
    }

    /// Adds lines, which come SKU by SKU.
    fn add(&mut self, lines: &[SkuLine], place: PricedDays) -> anyhow::Result<Result<(), String>> {
        let mut last: Option<(Rc<SkuFacts>, Vec<Counted>)> = None;
        for line in lines {
            let known = last.take().filter(|(sku, _)| Rc::ptr_eq(sku, &line.sku));
            let counted = match known {
                Some((_, counted)) => counted,
                None => match self.list_counted(&line.sku, place) {
                    Ok(counted) => counted,
                    Err(problem) => return Ok(Err(problem)),
                },
            };
            if counted.is_empty() {
                self.unpriced.insert(line.sku.metric.to_string());
            }
            for one in &counted {
                self.add_line(line, one, place)?;
            }
            last = Some((Rc::clone(&line.sku), counted));
        }
        Ok(Ok(()))
    }

    /// The metrics with a price that lines of a SKU count for.
    fn list_counted(
        &self,
        sku: &SkuFacts,
        (days, domain, _): PricedDays,
    ) -> Result<Vec<Counted<'a>>, String> {
        let own = (Rc::clone(&sku.metric), Rc::clone(&sku.unit), None);
        let derived = DerivedMetric::from_name(&sku.metric)
            .map(|one| (Rc::from(one.name()), Rc::from(one.unit()), Some(one)));
        let mut counted = Vec::new();
        for (metric, unit, derived) in [own].into_iter().chain(derived) {
            if self.book.list().has(&metric) {
                let row = self.find_row(&metric, sku, days.first(), domain)?;
                counted.push(Counted {
                    metric,
                    unit,
                    derived,
                    row,
                });
            }
        }
        Ok(counted)
    }

    fn find_row(
        &self,
        metric: &str,
        sku: &SkuFacts,
        day: Day,
        domain: Option<i64>,
    ) -> Result<Option<&'a PriceRow>, String> {
        self.book.find(&Priced {
            metric,
            zone: sku.zone.as_ref().map(|one| one.uuid.as_str()),
            offering: sku.offering.as_ref().map(|one| one.uuid.as_str()),
            account: &self.account.uuid,
            domain,
            day,
        })
    }

    fn add_line(
        &mut self,
        line: &SkuLine,
        counted: &Counted<'a>,
        (days, _, correction): PricedDays,
    ) -> anyhow::Result<()> {
        let quantity = match counted.derived {
            None => Some(line.quantity),
            Some(derived) => derived.quantity(line.quantity, line.sku.size),
        };
        let uuid = |facts: &Option<Rc<ResourceFacts>>| {
            facts.as_ref().map_or(String::new(), |one| one.uuid.clone())
        };
        let kind = line.resource.as_ref().map(|one| one.kind.clone());
        let key = Key {
            correction: correction.map(|id| (days.first(), id)),
            metric: Rc::clone(&counted.metric),
            zone: uuid(&line.sku.zone),
            offering: uuid(&line.sku.offering),
            size: line.sku.size,
            resource: (kind.unwrap_or_default(), uuid(&line.resource)),
            price_line: counted.row.map(|row| row.line),
        };
        let (sum, _) = self.lines.entry(key).or_insert_with(|| {
            let sum = RunningSum {
                sku: Rc::clone(&line.sku),
                resource: line.resource.clone(),
                unit: Rc::clone(&counted.unit),
                quantity: quantity.map(|_| CompensatedSum::default()),
                days,
            };
            (sum, counted.row)
        });
        sum.sku = Rc::clone(&line.sku);
        sum.resource.clone_from(&line.resource);
        sum.days = hull(sum.days, days)?;
        if let (Some(sum), Some(quantity)) = (&mut sum.quantity, quantity) {
            sum.add(quantity);
        }
        Ok(())
    }

    /// The days that a line's price counted on, whether there was usage on each or not.
    fn days_of(&self, key: &Key, sum: &RunningSum) -> anyhow::Result<DayRange> {
        let mut days = sum.days;
        if key.correction.is_none() && self.parts.len() > 1 {
            for (part, domain) in &self.parts {
                let row = self.find_row(&key.metric, &sum.sku, part.first(), *domain);
                if row.is_ok_and(|row| row.map(|row| row.line) == key.price_line) {
                    days = hull(days, *part)?;
                }
            }
        }
        Ok(days)
    }

    /// Adds the lines, with what they cost, to the statement.
    pub fn finish(mut self, statement: &mut Statement) -> anyhow::Result<()> {
        let sums = std::mem::take(&mut self.lines);
        let mut lines = Vec::with_capacity(sums.len());
        for (key, (sum, row)) in sums {
            let days = self.days_of(&key, &sum)?;
            let quantity = sum.quantity.map(|sum| sum.value());
            let charge = match (quantity, row) {
                (None, _) => LineCharge::NoSize,
                (Some(_), None) => LineCharge::NoPrice,
                (Some(quantity), Some(row)) => {
                    let month = Month::of(sum.days.first()).days();
                    let hours = self.zones.hours(month);
                    let amount = PricedAmount::of(row, quantity, hours);
                    let list = self.book.list();
                    let context = || {
                        format!(
                            "{}: {} of {}",
                            list.place(row),
                            key.metric,
                            self.account.uuid
                        )
                    };
                    LineCharge::Priced(amount.with_context(context)?)
                }
            };
            lines.push(StatementLine {
                account: Rc::clone(&self.account),
                correction_id: key.correction.map(|(_, id)| id),
                days,
                metric: key.metric,
                metric_unit: sum.unit,
                sku: sum.sku,
                resource: sum.resource,
                quantity,
                charge,
            });
        }
        lines.sort_by(|one, other| order(one).cmp(&order(other)));
        statement.lines.extend(lines);
        statement.unpriced_metrics.extend(self.unpriced);
        Ok(())
    }
}

/// As people look for things: by names.
fn order(line: &StatementLine) -> impl Ord {
    let name = |facts: &Option<Rc<ResourceFacts>>| {
        let facts = facts.as_ref();
        facts.map(|one| (one.name.clone(), one.uuid.clone()))
    };
    let correction = line.correction_id.map(|id| (line.days.first(), id));
    (
        correction,
        Rc::clone(&line.metric),
        name(&line.sku.zone),
        name(&line.sku.offering),
        line.sku.size,
        name(&line.resource),
        line.days.first(),
    )
}

impl PricedAmount {
    fn of(row: &PriceRow, quantity: f64, hours_of_month: f64) -> anyhow::Result<PricedAmount> {
        let units = row.unit.count(quantity, hours_of_month)?;
        let amount = row.amount(units);
        Ok(PricedAmount {
            units,
            unit: row.unit.name,
            price: row.price,
            currency: row.currency,
            amount: amount.context("the amount is too large a number")?,
            price_line: row.line,
        })
    }
}
