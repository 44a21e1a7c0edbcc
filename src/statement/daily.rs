//! What each day of a statement's lines costs. A line is rounded once, for all of its days; a day has its share of that,
//! so that the days make exactly what the line does.

use std::collections::BTreeMap;

use anyhow::Context;
use rust_decimal::{Decimal, RoundingStrategy};

use super::lines::{LineCharge, Statement, StatementLine};
use super::meaning;
use crate::day::Day;
use crate::ledger::read::Snapshot;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::totals::Figure;
use crate::month::Month;
use crate::prices::{Currency, PriceBook, PriceList, PriceRow, Priced};
use crate::sku::VmSize;
use crate::zones::Zones;

/// A share has so many digits more than amounts of its currency.
const MORE_DIGITS: u32 = 6;

/// What a charge costs, in decimal digits.
#[derive(Clone, Debug, PartialEq)]
pub struct DayCost {
    /// Its share of the rounded amount.
    pub billed: String,
    pub currency: String,
    /// `None`: there is no price.
    pub priced: Option<DayPrice>,
}

/// A price, times the quantity, not rounded.
#[derive(Clone, Debug, PartialEq)]
pub struct DayPrice {
    pub quantity: String,
    pub unit: &'static str,
    pub contracted_price: String,
    pub contracted_cost: String,
    /// The price that counts where no row names an account or a domain.
    pub list_price: String,
    pub list_cost: String,
}

pub struct Costing<'a> {
    book: PriceBook<'a>,
    zones: &'a Zones,
    selection: &'a Selection,
    /// Of what has no price.
    currency: Currency,
}

/// What tells a statement's lines apart.
type ChargeKey<'k> = (&'k str, &'k str, [&'k str; 4], VmSize, Option<usize>);

impl<'a> Costing<'a> {
    /// What is wrong with the prices comes in words.
    pub fn of(
        snapshot: &Snapshot,
        prices: &'a PriceList,
        zones: &'a Zones,
        selection: &'a Selection,
    ) -> anyhow::Result<Result<Costing<'a>, String>> {
        let Some(first) = prices.rows.first() else {
            return Ok(Err(format!("{} has no prices", prices.file)));
        };
        let found = meaning::find_meanings(snapshot, prices)?;
        Ok(found.map(|(meanings, _)| Costing {
            book: PriceBook::new(prices, meanings),
            zones,
            selection,
            currency: first.currency,
        }))
    }

    /// What each of the figures of days costs, which are all figures of the statements' lines.
    pub fn of_figures(
        &self,
        statements: &BTreeMap<Month, Statement>,
        figures: &[Figure],
    ) -> anyhow::Result<Result<Vec<DayCost>, String>> {
        let mut lines: BTreeMap<(Month, ChargeKey), &StatementLine> = BTreeMap::new();
        for (month, statement) in statements {
            let usage = statement.lines.iter();
            for line in usage.filter(|line| line.correction_id.is_none()) {
                lines.insert((*month, key_of_line(line)), line);
            }
        }
        let mut costs = vec![self.nothing(); figures.len()];
        let mut days: BTreeMap<(Month, ChargeKey), Vec<(Day, usize)>> = BTreeMap::new();
        for (place, figure) in figures.iter().enumerate() {
            let (Some(account), Some(day)) = (figure.who.account, figure.day) else {
                continue;
            };
            let domain = self.selection.domain_on(account.id, day);
            let used = Priced {
                metric: &figure.metric.name,
                zone: figure.zone.as_ref().map(|one| one.uuid.as_str()),
                offering: figure.offering.as_ref().map(|one| one.uuid.as_str()),
                account: &account.uuid,
                domain: domain.map(|domain| domain.id),
                day,
            };
            let row = match self.book.find(&used) {
                Ok(row) => row,
                Err(wrong) => return Ok(Err(wrong)),
            };
            let Some(row) = row else { continue };
            let units = row.unit.count(figure.quantity, self.hours(day));
            let units = units.with_context(|| self.book.list().place(row))?;
            costs[place].priced = Some(self.price(row, units, &used)?);
            let month = Month::of(day);
            let key = (month, key_of_figure(figure, &account.uuid, row.line));
            days.entry(key).or_default().push((day, place));
        }
        for (key, mut days) in days {
            days.sort_unstable();
            let line = lines.get(&key).and_then(|line| line.amount());
            let amount = line.with_context(|| format!("no line of {:?} has an amount", key.1))?;
            let units = |place: usize| -> anyhow::Result<Decimal> {
                let priced = costs[place].priced.as_ref();
                Ok(priced.map_or("0", |one| one.quantity.as_str()).parse()?)
            };
            let units: Vec<Decimal> = days
                .iter()
                .map(|(_, place)| units(*place))
                .collect::<anyhow::Result<_>>()?;
            let digits = amount.currency.digits() + MORE_DIGITS;
            let shares = shares(amount.amount, &units, digits)?;
            for ((_, place), share) in days.into_iter().zip(shares) {
                costs[place].billed = share.normalize().to_string();
                costs[place].currency = amount.currency.to_string();
            }
        }
        Ok(Ok(costs))
    }

    /// What a correction's line costs.
    pub fn of_correction(&self, line: &StatementLine) -> anyhow::Result<DayCost> {
        let LineCharge::Priced(amount) = &line.charge else {
            return Ok(self.nothing());
        };
        let rows = &self.book.list().rows;
        let row = rows.iter().find(|row| row.line == amount.price_line);
        let row = row.context("an amount without a price")?;
        let used = Priced {
            metric: &line.metric,
            zone: line.sku.zone.as_ref().map(|one| one.uuid.as_str()),
            offering: line.sku.offering.as_ref().map(|one| one.uuid.as_str()),
            account: &line.account.uuid,
            domain: None,
            day: line.days.first(),
        };
        Ok(DayCost {
            billed: amount.amount.normalize().to_string(),
            currency: amount.currency.to_string(),
            priced: Some(self.price(row, amount.units, &used)?),
        })
    }

    /// Of what has no price.
    pub fn nothing(&self) -> DayCost {
        DayCost {
            billed: "0".to_owned(),
            currency: self.currency.to_string(),
            priced: None,
        }
    }

    fn hours(&self, day: Day) -> f64 {
        self.zones.hours(Month::of(day).days())
    }

    fn price(&self, row: &PriceRow, units: Decimal, used: &Priced) -> anyhow::Result<DayPrice> {
        // No account is called so.
        let anybody = Priced {
            account: "",
            domain: None,
            ..*used
        };
        // A list price in another unit or currency does not compare.
        let list = self.book.find(&anybody).ok().flatten();
        let same = |list: &&PriceRow| list.unit == row.unit && list.currency == row.currency;
        let list = list.filter(same).unwrap_or(row);
        let cost = |price: Decimal| -> anyhow::Result<String> {
            let cost = price.checked_mul(units).context("too large an amount")?;
            Ok(cost.normalize().to_string())
        };
        Ok(DayPrice {
            quantity: units.to_string(),
            unit: row.unit.name,
            contracted_price: row.price.normalize().to_string(),
            contracted_cost: cost(row.price)?,
            list_price: list.price.normalize().to_string(),
            list_cost: cost(list.price)?,
        })
    }
}

fn key_of_line(line: &StatementLine) -> ChargeKey<'_> {
    let sku = &line.sku;
    let resource = line.resource.as_ref();
    let uuids = [
        sku.zone.as_ref().map_or("", |one| one.uuid.as_str()),
        sku.offering.as_ref().map_or("", |one| one.uuid.as_str()),
        resource.map_or("", |one| one.kind.as_str()),
        resource.map_or("", |one| one.uuid.as_str()),
    ];
    let price_line = line.amount().map(|amount| amount.price_line);
    (
        &line.account.uuid,
        &line.metric,
        uuids,
        sku.size,
        price_line,
    )
}

fn key_of_figure<'k>(figure: &'k Figure, account: &'k str, price_line: usize) -> ChargeKey<'k> {
    let resource = figure.resource.as_ref();
    let uuids = [
        figure.zone.as_ref().map_or("", |one| one.uuid.as_str()),
        figure.offering.as_ref().map_or("", |one| one.uuid.as_str()),
        resource.map_or("", |one| one.kind.as_str()),
        resource.map_or("", |one| one.uuid.as_str()),
    ];
    (
        account,
        &figure.metric.name,
        uuids,
        figure.size,
        Some(price_line),
    )
}

/// An amount in parts as large as the units, which make exactly the amount.
fn shares(amount: Decimal, units: &[Decimal], digits: u32) -> anyhow::Result<Vec<Decimal>> {
    let sum: Decimal = units.iter().sum();
    let mut shares = Vec::with_capacity(units.len());
    let (mut so_far, mut given) = (Decimal::ZERO, Decimal::ZERO);
    for (place, units_of_day) in units.iter().enumerate() {
        so_far += units_of_day;
        let until = match place + 1 == units.len() {
            true => amount,
            false if sum.is_zero() => Decimal::ZERO,
            false => {
                let part = amount
                    .checked_mul(so_far)
                    .and_then(|part| part.checked_div(sum));
                let part = part.context("too large an amount")?;
                part.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
            }
        };
        shares.push(until - given);
        given = until;
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.05 × 24 / 72 = 0.01666666…; the last day takes what is left.
    #[test]
    fn shares_make_the_amount() {
        let of = |amount: &str, units: &[&str]| {
            let units: Vec<Decimal> = units.iter().map(|text| text.parse().unwrap()).collect();
            let shares = shares(amount.parse().unwrap(), &units, 8).unwrap();
            let shares = shares.iter().map(|share| share.normalize().to_string());
            shares.collect::<Vec<String>>()
        };
        let thirds = ["0.01666667", "0.01666666", "0.01666667"];
        assert_eq!(of("0.05", &["24", "24", "24"]), thirds);
        assert_eq!(of("-0.50", &["-10", "-30"]), ["-0.125", "-0.375"]);
        assert_eq!(of("8.18", &["24", "385"]), ["0.48", "7.7"]);
        assert_eq!(of("0.01", &["0", "0"]), ["0", "0.01"]);
        assert!(of("0", &[]).is_empty());
    }
}
