//! What a range of days has of one month, and what an account used in it: from the sums of the month where the part is
//! the whole month and these hold, else from its days. Either is the same to the last bit.

use std::borrow::Cow;

use super::sku_sums;
use crate::day::DayRange;
use crate::db::{Connection, params};
use crate::month::{Month, months_of};
use crate::sum::CompensatedSum;

/// What an account used of one metric and one resource, by their ids; in the metric's unit.
pub type MonthSum = ((i64, i64), f64);

/// What an account used under one SKU, by its id; in the unit of the SKU's metric.
pub type SkuSum = (i64, f64);

/// What a range of days has of one month. Days are as the ledger writes them.
#[derive(Clone)]
pub struct MonthPart {
    month: String,
    days: DayRange,
    first: String,
    last: String,
    availability: Availability,
}

/// Where the ledger has what was used in these days.
#[derive(Clone, Copy)]
enum Availability {
    /// It has none of them.
    Nowhere,
    InDays,
    /// They are the whole month, and its sums hold.
    InSums,
}

/// Cuts a range at the ends of its months.
pub fn list_parts(connection: &Connection, range: DayRange) -> anyhow::Result<Vec<MonthPart>> {
    months_of(range)
        .map(|(month, days)| {
            let mut part = MonthPart::of_days(month, days);
            let whole = days == month.days();
            if whole && is_summed(connection, &part.month)? {
                part.availability = Availability::InSums;
            } else if !has_days(connection, &part)? {
                part.availability = Availability::Nowhere;
            }
            Ok(part)
        })
        .collect()
}

impl MonthPart {
    /// Days of one month that have not been added up.
    fn of_days(month: Month, days: DayRange) -> MonthPart {
        MonthPart {
            month: month.to_string(),
            days,
            first: days.first().to_string(),
            last: days.last().to_string(),
            availability: Availability::InDays,
        }
    }

    /// What these days have of it; none: nothing.
    pub fn within(&self, days: DayRange) -> anyhow::Result<Option<Cow<'_, MonthPart>>> {
        let first = days.first().max(self.days.first());
        let last = days.last().min(self.days.last());
        if last < first {
            return Ok(None);
        }
        let within = DayRange::new(first, last)?;
        if within == self.days {
            return Ok(Some(Cow::Borrowed(self)));
        }
        let part = MonthPart {
            availability: match self.availability {
                Availability::Nowhere => Availability::Nowhere,
                // The sums are those of all days.
                Availability::InDays | Availability::InSums => Availability::InDays,
            },
            ..MonthPart::of_days(Month::of(first), within)
        };
        Ok(Some(Cow::Owned(part)))
    }

    pub(super) fn of_month(month: Month) -> MonthPart {
        MonthPart::of_days(month, month.days())
    }

    /// Its first day, as the ledger writes it.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Its last day, as the ledger writes it.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// What an account used in these days, sorted by metric, then resource.
    pub fn list_sums(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<MonthSum>> {
        match self.availability {
            Availability::Nowhere => Ok(Vec::new()),
            Availability::InDays => self.add_up(connection, account_id),
            Availability::InSums => self.read_sums(connection, account_id),
        }
    }

    pub(super) fn read_sums(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<MonthSum>> {
        let sql = "select metric_id, resource_id, quantity
             from month_sums
             where account_id = :account and month = :month
             order by metric_id, resource_id";
        let values = params! {":account": account_id, ":month": &self.month};
        connection.list(sql, values, |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })
    }

    /// The same by SKU: of each, the sum of its lines.
    pub fn list_sku_sums(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<SkuSum>> {
        match self.availability {
            Availability::Nowhere => Ok(Vec::new()),
            Availability::InDays => self.add_up_lines(connection, account_id),
            Availability::InSums => self.read_sku_sums(connection, account_id),
        }
    }

    pub(super) fn read_sku_sums(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<SkuSum>> {
        let sql = "select sku_id, quantity
             from month_sku_sums
             where account_id = :account and month = :month
             order by sku_id";
        let values = params! {":account": account_id, ":month": &self.month};
        connection.list(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Each day's lines of a SKU first, then the days: so that nothing changes where the lines of a day are folded.
    pub(super) fn add_up_lines(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<SkuSum>> {
        let mut sums: Vec<(i64, CompensatedSum)> = Vec::new();
        let mut next = 0;
        self.each_day_of_skus(connection, account_id, |_, of_day| {
            sku_sums::each(of_day, |sku_id, quantity| {
                next = place_among(&mut sums, next, sku_id);
                sums[next].1.add(quantity);
                next += 1;
                Ok(())
            })
        })?;
        let sums = sums.into_iter().map(|(sku_id, sum)| (sku_id, sum.value()));
        Ok(sums.collect())
    }

    /// Hands over each of these days on which an account used anything, with the text of its sums by SKU.
    pub fn each_day_of_skus(
        &self,
        connection: &Connection,
        account_id: i64,
        mut on_day: impl FnMut(&str, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let values = params! {
            ":account": account_id,
            ":first": &self.first,
            ":last": &self.last,
        };
        connection.each(SKU_DAYS, values, |row| on_day(row.get(0)?, row.get(1)?))
    }

    /// The records are added up here and not in SQL: one walk along the account's stretch of the table, without the
    /// sorting that `group by` would need, in about half the time.
    pub(super) fn add_up(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<MonthSum>> {
        let values = params! {
            ":account": account_id,
            ":first": &self.first,
            ":last": &self.last,
        };
        let mut sums: Vec<((i64, i64), CompensatedSum)> = Vec::new();
        let mut next = 0;
        connection.each(RECORDS, values, |row| {
            next = place_among(&mut sums, next, (row.get(0)?, row.get(1)?));
            sums[next].1.add(row.get(2)?);
            next += 1;
            Ok(())
        })?;
        let sums = sums.into_iter().map(|(key, sum)| (key, sum.value()));
        Ok(sums.collect())
    }
}

pub(super) const RECORDS: &str = "select metric_id, resource_id, quantity
     from stored_records
     where account_id = :account and day between :first and :last
     order by day, metric_id, resource_id";

const SKU_DAYS: &str = "select day, sku_sums
     from account_days
     where account_id = :account and day between :first and :last
     order by day";

/// Where the sum of a key is among sums in order; a new one if there is none. What a day has comes in the order of the
/// sums, and most days have what the day before them had: `next` is looked at first.
fn place_among<K: Copy + Ord>(sums: &mut Vec<(K, CompensatedSum)>, next: usize, key: K) -> usize {
    if sums.get(next).is_some_and(|(had, _)| *had == key) {
        return next;
    }
    let found = sums.binary_search_by_key(&key, |(had, _)| *had);
    found.unwrap_or_else(|place| {
        sums.insert(place, (key, CompensatedSum::default()));
        place
    })
}

pub(super) fn is_summed(connection: &Connection, month: &str) -> anyhow::Result<bool> {
    let sql = "select 1 from summed_months where month = :month";
    connection.exists(sql, params! {":month": month})
}

fn has_days(connection: &Connection, part: &MonthPart) -> anyhow::Result<bool> {
    let sql = "select 1 from stored_days where day between :first and :last";
    connection.exists(sql, params! {":first": &part.first, ":last": &part.last})
}
