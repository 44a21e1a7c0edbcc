//! What a range of days has of one month, and what an account used in it: from the sums of the month where the part is
//! the whole month and these hold, else from its days. Either is the same to the last bit.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::running_sums::RunningSums;
use super::sku_sums;
use crate::day::DayRange;
use crate::db::{Connection, SqlValue, params};
use crate::month::{Month, months_of};

/// What an account used of one metric and one resource, by their ids; in the metric's unit.
pub type MonthSum = ((i64, i64), f64);

/// What an account used under one SKU, by its id; in the unit of the SKU's metric.
pub type SkuSum = (i64, f64);

/// Sums of accounts, by the accounts' ids. Whoever used nothing is not among them.
pub type OfAccounts<S> = BTreeMap<i64, Vec<S>>;

/// So many accounts are asked for at once: a server is not asked for each, and what is held of them stays small.
pub const ACCOUNTS_AT_ONCE: usize = 100;

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

    /// What accounts used in these days, each sorted by metric, then resource.
    pub fn list_sums(
        &self,
        connection: &Connection,
        account_ids: &[i64],
    ) -> anyhow::Result<OfAccounts<MonthSum>> {
        match self.availability {
            Availability::Nowhere => Ok(OfAccounts::new()),
            Availability::InDays => self.add_up(connection, account_ids),
            Availability::InSums => self.read_sums(connection, account_ids),
        }
    }

    pub(super) fn read_sums(
        &self,
        connection: &Connection,
        account_ids: &[i64],
    ) -> anyhow::Result<OfAccounts<MonthSum>> {
        let values = params! {":ids": account_ids, ":month": &self.month};
        let mut sums: ByAccount<Vec<MonthSum>> = ByAccount::default();
        connection.each(SUMS, values, |row| {
            let of_account = sums.of(row.get(0)?);
            of_account.push(((row.get(1)?, row.get(2)?), row.get(3)?));
            Ok(())
        })?;
        Ok(sums.finish(|sums| sums))
    }

    /// The same by SKU: of each, the sum of its lines.
    pub fn list_sku_sums(
        &self,
        connection: &Connection,
        account_ids: &[i64],
    ) -> anyhow::Result<OfAccounts<SkuSum>> {
        match self.availability {
            Availability::Nowhere => Ok(OfAccounts::new()),
            Availability::InDays => self.add_up_lines(connection, account_ids),
            Availability::InSums => self.read_sku_sums(connection, account_ids),
        }
    }

    pub(super) fn read_sku_sums(
        &self,
        connection: &Connection,
        account_ids: &[i64],
    ) -> anyhow::Result<OfAccounts<SkuSum>> {
        let values = params! {":ids": account_ids, ":month": &self.month};
        let mut sums: ByAccount<Vec<SkuSum>> = ByAccount::default();
        connection.each(SKU_SUMS, values, |row| {
            sums.of(row.get(0)?).push((row.get(1)?, row.get(2)?));
            Ok(())
        })?;
        Ok(sums.finish(|sums| sums))
    }

    /// Each day's lines of a SKU first, then the days: so that nothing changes where the lines of a day are folded.
    pub(super) fn add_up_lines(
        &self,
        connection: &Connection,
        account_ids: &[i64],
    ) -> anyhow::Result<OfAccounts<SkuSum>> {
        let mut sums: ByAccount<RunningSums<i64>> = ByAccount::default();
        self.each_day_of_skus(connection, account_ids, |account_id, _, of_day| {
            let sums = sums.of(account_id);
            sums.begin_day();
            sku_sums::each(of_day, |sku_id, quantity| {
                sums.add(sku_id, quantity);
                Ok(())
            })
        })?;
        Ok(sums.finish(RunningSums::finish))
    }

    /// Hands over each of these days on which an account used anything, with the text of its sums by SKU; account by
    /// account.
    pub fn each_day_of_skus(
        &self,
        connection: &Connection,
        account_ids: &[i64],
        mut on_day: impl FnMut(i64, &str, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        connection.each(SKU_DAYS, &self.days_of(account_ids), |row| {
            on_day(row.get(0)?, row.get(1)?, row.get(2)?)
        })
    }

    /// The records are added up here and not in SQL, whose `group by` would sort them: in about half the time.
    pub(super) fn add_up(
        &self,
        connection: &Connection,
        account_ids: &[i64],
    ) -> anyhow::Result<OfAccounts<MonthSum>> {
        let mut sums: ByAccount<RunningSums<(i64, i64)>> = ByAccount::default();
        connection.each(RECORDS, &self.days_of(account_ids), |row| {
            let sums = sums.of(row.get(0)?);
            sums.add((row.get(1)?, row.get(2)?), row.get(3)?);
            Ok(())
        })?;
        Ok(sums.finish(RunningSums::finish))
    }

    fn days_of<'a>(&'a self, account_ids: &'a [i64]) -> [(&'static str, SqlValue<'a>); 3] {
        [
            (":ids", account_ids.into()),
            (":first", (&self.first).into()),
            (":last", (&self.last).into()),
        ]
    }
}

pub(super) const RECORDS: &str = "select a.id, r.metric_id, r.resource_id, r.quantity
     from stored_accounts a
     cross join stored_days d
     cross join stored_records r on r.day = d.day and r.account_id = a.id
     where a.id in rarray(:ids) and d.day between :first and :last
     order by a.id, d.day, r.metric_id, r.resource_id";

const SKU_DAYS: &str = "select a.id, d.day, x.sku_sums
     from stored_accounts a
     cross join stored_days d
     cross join account_days x on x.day = d.day and x.account_id = a.id
     where a.id in rarray(:ids) and d.day between :first and :last
     order by a.id, d.day";

const SUMS: &str = "select account_id, metric_id, resource_id, quantity
     from month_sums
     where account_id in rarray(:ids) and month = :month
     order by account_id, metric_id, resource_id";

const SKU_SUMS: &str = "select account_id, sku_id, quantity
     from month_sku_sums
     where account_id in rarray(:ids) and month = :month
     order by account_id, sku_id";

/// What is made of rows that come account by account.
struct ByAccount<T>(Vec<(i64, T)>);

impl<T> Default for ByAccount<T> {
    fn default() -> ByAccount<T> {
        ByAccount(Vec::new())
    }
}

impl<T: Default> ByAccount<T> {
    fn of(&mut self, account_id: i64) -> &mut T {
        let accounts = &mut self.0;
        if accounts.last().is_none_or(|(last, _)| *last != account_id) {
            accounts.push((account_id, T::default()));
        }
        let last = accounts.len() - 1;
        &mut accounts[last].1
    }

    fn finish<S>(self, finish: impl Fn(T) -> Vec<S>) -> OfAccounts<S> {
        let accounts = self.0.into_iter();
        accounts
            .map(|(id, of_account)| (id, finish(of_account)))
            .collect()
    }
}

pub(super) fn is_summed(connection: &Connection, month: &str) -> anyhow::Result<bool> {
    let sql = "select 1 from summed_months where month = :month";
    connection.exists(sql, params! {":month": month})
}

fn has_days(connection: &Connection, part: &MonthPart) -> anyhow::Result<bool> {
    let sql = "select 1 from stored_days where day between :first and :last";
    connection.exists(sql, params! {":first": &part.first, ":last": &part.last})
}
