//! Sums of whole months. An import makes them once every day of a month is closed, every write of a day takes its
//! month's back, and a question that has the whole month in it reads them in place of the days. They say nothing of
//! their own: the days of the month, added up, are the same to the last bit.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::Context;

use super::engine::{Engine, READERS_BUSY_TIMEOUT, ledger_at};
use super::handle::Ledger;
use super::schema::insist_on_current;
use super::statements::count_revision;
use super::step::Step;
use super::unfinished::list_months_to_sum;
use crate::day::{Day, DayRange};
use crate::db::{Connection, SqlValue, params};
use crate::month::{Month, months_of};
use crate::plural::plural;
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

    fn of_month(month: Month) -> MonthPart {
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

    fn read_sums(&self, connection: &Connection, account_id: i64) -> anyhow::Result<Vec<MonthSum>> {
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

    fn read_sku_sums(
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
    fn add_up_lines(
        &self,
        connection: &Connection,
        account_id: i64,
    ) -> anyhow::Result<Vec<SkuSum>> {
        let values = params! {
            ":account": account_id,
            ":first": &self.first,
            ":last": &self.last,
        };
        let mut sums: BTreeMap<i64, CompensatedSum> = BTreeMap::new();
        let mut place: (i64, i64) = (0, 0);
        let mut of_day = CompensatedSum::default();
        connection.each(LINES, values, |row| {
            let next = (row.get(0)?, row.get(1)?);
            if next != place {
                let (_, sku_id) = std::mem::replace(&mut place, next);
                let sum = std::mem::take(&mut of_day);
                sums.entry(sku_id).or_default().add(sum.value());
            }
            of_day.add(row.get(2)?);
            Ok(())
        })?;
        sums.entry(place.1).or_default().add(of_day.value());
        // Before the first line.
        sums.remove(&0);
        let sums = sums.into_iter().map(|(sku_id, sum)| (sku_id, sum.value()));
        Ok(sums.collect())
    }

    /// The records are added up here and not in SQL: one walk along the account's stretch of the table, without the
    /// sorting that `group by` would need, in about half the time.
    fn add_up(&self, connection: &Connection, account_id: i64) -> anyhow::Result<Vec<MonthSum>> {
        let values = params! {
            ":account": account_id,
            ":first": &self.first,
            ":last": &self.last,
        };
        let mut sums: Vec<((i64, i64), CompensatedSum)> = Vec::new();
        let mut next = 0;
        connection.each(RECORDS, values, |row| {
            let key = (row.get(0)?, row.get(1)?);
            // A day's records come in the order of the sums, and most days have what the day before them had.
            if sums.get(next).is_none_or(|(had, _)| *had != key) {
                next = sums
                    .binary_search_by_key(&key, |(had, _)| *had)
                    .unwrap_or_else(|place| {
                        sums.insert(place, (key, CompensatedSum::default()));
                        place
                    });
            }
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

const LINES: &str = "select x.first_line, l.sku_id, l.quantity
     from stored_days d
     cross join account_days x on x.day = d.day and x.account_id = :account
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.lines - 1
     where d.day between :first and :last
     order by d.day, l.id";

/// A month whose sums are not those of its days.
#[derive(Debug, PartialEq)]
pub struct WrongMonth {
    pub month: Month,
    /// How many have such sums.
    pub accounts: u64,
    /// They were rebuilt.
    pub mended: bool,
}

impl fmt::Display for WrongMonth {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (month, accounts) = (self.month, plural(self.accounts, "account"));
        match self.mended {
            true => write!(
                f,
                "the sums of {month} were not those of its days, for {accounts}, and were rebuilt"
            ),
            false => write!(
                f,
                "the sums of {month} are not those of its days, for {accounts}"
            ),
        }
    }
}

fn is_summed(connection: &Connection, month: &str) -> anyhow::Result<bool> {
    let sql = "select 1 from summed_months where month = :month";
    connection.exists(sql, params! {":month": month})
}

fn has_days(connection: &Connection, part: &MonthPart) -> anyhow::Result<bool> {
    let sql = "select 1 from stored_days where day between :first and :last";
    connection.exists(sql, params! {":first": &part.first, ":last": &part.last})
}

impl Ledger {
    /// Adds up every month whose days are all closed and that has no sums, each wholly or not at all. Nobody would read
    /// those of a dry run.
    pub fn sum_months(&mut self) -> anyhow::Result<()> {
        if self.is_as_a_whole() {
            return Ok(());
        }
        let months = list_months_to_sum(self.connection()).with_context(|| self.engine.name())?;
        for month in months {
            self.transaction(|connection, _| {
                sum_month(connection, month).with_context(|| format!("sums of {month}"))
            })?;
        }
        Ok(())
    }

    /// Compares the sums of a month with its days, and where they differ rebuilds them, if every day of the month is
    /// among those that equal their source: else it may be the days that are wrong.
    pub fn check_month_sums(
        &mut self,
        month: Month,
        equal: &BTreeSet<Day>,
    ) -> anyhow::Result<Option<WrongMonth>> {
        self.transaction(|connection, _| {
            check_sums(connection, month, equal).with_context(|| format!("sums of {month}"))
        })
    }
}

fn check_sums(
    connection: &Connection,
    month: Month,
    equal: &BTreeSet<Day>,
) -> anyhow::Result<Option<WrongMonth>> {
    let text = month.to_string();
    if !is_summed(connection, &text)? {
        return Ok(None);
    }
    let Some(mut wrong) = find_wrong(connection, month)? else {
        return Ok(None);
    };
    // Of a sealed day with pending corrections it is what these make of it that equals the source.
    wrong.mended =
        month.days().days().all(|day| equal.contains(&day)) && !has_pending(connection, &text)?;
    if wrong.mended {
        let sql = "delete from summed_months where month = :month";
        connection.execute(sql, params! {":month": &text})?;
        sum_month(connection, month)?;
        count_revision(connection)?;
    }
    Ok(Some(wrong))
}

fn has_pending(connection: &Connection, month: &str) -> anyhow::Result<bool> {
    let sql = "select 1 from stored_corrections \
               where kind = 'pending' and day between :month || '-01' and :month || '-31'";
    connection.exists(sql, params! {":month": month})
}

fn list_months(connection: &Connection, sql: &'static str) -> anyhow::Result<Vec<Month>> {
    connection.list(sql, params! {}, |row| Ok(row.get::<&str>(0)?.parse()?))
}

fn sum_month(connection: &Connection, month: Month) -> anyhow::Result<()> {
    let part = MonthPart::of_month(month);
    let delete = "delete from month_sums where account_id = :account_id and month = :month";
    let insert = "insert into month_sums (account_id, month, metric_id, resource_id, quantity) \
                  values (:account_id, :month, :metric_id, :resource_id, :quantity)";
    let delete_skus =
        "delete from month_sku_sums where account_id = :account_id and month = :month";
    let insert_sku = "insert into month_sku_sums (account_id, month, sku_id, quantity) \
                      values (:account_id, :month, :sku_id, :quantity)";
    for account_id in list_accounts(connection)? {
        connection.execute(
            delete,
            params! {":account_id": account_id, ":month": &part.month},
        )?;
        connection.execute(
            delete_skus,
            params! {":account_id": account_id, ":month": &part.month},
        )?;
        let sums = part.add_up(connection, account_id)?;
        let sku_sums = part.add_up_lines(connection, account_id)?;
        let mut quantities = sums
            .iter()
            .map(|sum| sum.1)
            .chain(sku_sums.iter().map(|sum| sum.1));
        if quantities.any(|quantity| !quantity.is_finite()) {
            // It has no sums then, and a question about it gets an error.
            return Ok(());
        }
        let rows = sums.iter().map(|((metric_id, resource_id), quantity)| {
            [
                SqlValue::from(account_id),
                SqlValue::from(&part.month),
                SqlValue::from(*metric_id),
                SqlValue::from(*resource_id),
                SqlValue::from(*quantity),
            ]
        });
        connection.insert_many(insert, rows)?;
        let rows = sku_sums.iter().map(|(sku_id, quantity)| {
            [
                SqlValue::from(account_id),
                SqlValue::from(&part.month),
                SqlValue::from(*sku_id),
                SqlValue::from(*quantity),
            ]
        });
        connection.insert_many(insert_sku, rows)?;
    }
    let sql = "insert into summed_months (month) values (:month)";
    connection.execute(sql, params! {":month": &part.month})?;
    Ok(())
}

fn list_accounts(connection: &Connection) -> anyhow::Result<Vec<i64>> {
    let sql = "select id from stored_accounts";
    connection.list(sql, params! {}, |row| row.get(0))
}

/// Months whose sums are not those of their days. Nothing that the program does makes one.
pub fn list_wrong(ledger: &Path, on_step: &mut dyn FnMut(Step)) -> anyhow::Result<Vec<WrongMonth>> {
    let mut look = || -> anyhow::Result<Vec<WrongMonth>> {
        let engine = Engine::open_to_read(ledger, READERS_BUSY_TIMEOUT)?;
        // Sums and days of one state, whatever an import writes meanwhile.
        let connection = engine.connection();
        connection.begin_snapshot()?;
        insist_on_current(connection)?;
        let mut wrong = Vec::new();
        let months = list_months(connection, "select month from summed_months")?;
        // Counts of months fit 64 bits.
        let of = Some(months.len() as u64);
        for (done, month) in (0..).zip(months) {
            on_step(Step {
                doing: "adding up months",
                done,
                of,
            });
            wrong.extend(find_wrong(connection, month)?);
        }
        Ok(wrong)
    };
    look().with_context(|| ledger_at(ledger))
}

fn find_wrong(connection: &Connection, month: Month) -> anyhow::Result<Option<WrongMonth>> {
    let part = MonthPart::of_month(month);
    let mut accounts: u64 = 0;
    for account_id in list_accounts(connection)? {
        let sums = part.read_sums(connection, account_id)?;
        let sku_sums = part.read_sku_sums(connection, account_id)?;
        accounts += u64::from(
            sums != part.add_up(connection, account_id)?
                || sku_sums != part.add_up_lines(connection, account_id)?,
        );
    }
    Ok((accounts > 0).then_some(WrongMonth {
        month,
        accounts,
        mended: false,
    }))
}

#[cfg(test)]
mod tests;
