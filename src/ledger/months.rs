//! Sums of whole months. An import makes them once every day of a month is closed, every write of a day takes its
//! month's back, and a question that has the whole month in it reads them in place of the days. They say nothing of
//! their own: the days of the month, added up, are the same to the last bit.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context;

use super::engine::{Engine, READERS_BUSY_TIMEOUT, ledger_at};
use super::handle::Ledger;
use super::month_part::{ACCOUNTS_AT_ONCE, MonthPart, OfAccounts, is_summed};
use super::schema::insist_on_current;
use super::statements::count_revision;
use super::step::Step;
use super::unfinished::list_months_to_sum;
use crate::config::LedgerUri;
use crate::day::Day;
use crate::db::{Connection, SqlValue, params};
use crate::month::Month;
use crate::plural::plural;

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
    let (text, part) = (month.to_string(), MonthPart::of_month(month));
    for accounts in list_accounts(connection)?.chunks(ACCOUNTS_AT_ONCE) {
        for delete in [
            "delete from month_sums where account_id in rarray(:ids) and month = :month",
            "delete from month_sku_sums where account_id in rarray(:ids) and month = :month",
        ] {
            connection.execute(delete, params! {":ids": accounts, ":month": &text})?;
        }
        let sums = part.add_up(connection, accounts)?;
        let sku_sums = part.add_up_lines(connection, accounts)?;
        let mut quantities = (sums.values().flatten().map(|sum| sum.1))
            .chain(sku_sums.values().flatten().map(|sum| sum.1));
        if quantities.any(|quantity| !quantity.is_finite()) {
            // It has no sums then, and a question about it gets an error.
            return Ok(());
        }
        let rows = all_of(&sums).map(|(account_id, ((metric_id, resource_id), quantity))| {
            [
                SqlValue::from(account_id),
                SqlValue::from(&text),
                SqlValue::from(*metric_id),
                SqlValue::from(*resource_id),
                SqlValue::from(*quantity),
            ]
        });
        let insert = "insert into month_sums (account_id, month, metric_id, resource_id, quantity) \
                      values (:account_id, :month, :metric_id, :resource_id, :quantity)";
        connection.insert_many(insert, rows)?;
        let rows = all_of(&sku_sums).map(|(account_id, (sku_id, quantity))| {
            [
                SqlValue::from(account_id),
                SqlValue::from(&text),
                SqlValue::from(*sku_id),
                SqlValue::from(*quantity),
            ]
        });
        let insert = "insert into month_sku_sums (account_id, month, sku_id, quantity) \
                      values (:account_id, :month, :sku_id, :quantity)";
        connection.insert_many(insert, rows)?;
    }
    let sql = "insert into summed_months (month) values (:month)";
    connection.execute(sql, params! {":month": &text})?;
    Ok(())
}

/// With the account of each.
fn all_of<S>(sums: &OfAccounts<S>) -> impl Iterator<Item = (i64, &S)> {
    sums.iter()
        .flat_map(|(id, sums)| sums.iter().map(|sum| (*id, sum)))
}

fn list_accounts(connection: &Connection) -> anyhow::Result<Vec<i64>> {
    let sql = "select id from stored_accounts order by id";
    connection.list(sql, params! {}, |row| row.get(0))
}

/// Months whose sums are not those of their days. Nothing that the program does makes one.
pub fn list_wrong(
    ledger: &LedgerUri,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Vec<WrongMonth>> {
    let mut look = || -> anyhow::Result<Vec<WrongMonth>> {
        let engine = Engine::open_to_read(ledger, READERS_BUSY_TIMEOUT)?;
        // Sums and days of one state, whatever an import writes meanwhile.
        let connection = engine.connection();
        connection.begin_snapshot()?;
        insist_on_current(&engine)?;
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
    for ids in list_accounts(connection)?.chunks(ACCOUNTS_AT_ONCE) {
        let sums = part.read_sums(connection, ids)?;
        let sku_sums = part.read_sku_sums(connection, ids)?;
        let of_days = part.add_up(connection, ids)?;
        let sku_sums_of_days = part.add_up_lines(connection, ids)?;
        let differs = |id: &&i64| {
            sums.get(id) != of_days.get(id) || sku_sums.get(id) != sku_sums_of_days.get(id)
        };
        accounts += ids.iter().filter(differs).count() as u64;
    }
    Ok((accounts > 0).then_some(WrongMonth {
        month,
        accounts,
        mended: false,
    }))
}

#[cfg(test)]
mod tests;
