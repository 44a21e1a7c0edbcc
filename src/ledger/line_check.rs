//! Whether the lines of every day are all there and add up to its records: what `check` looks at. Nothing that the
//! program does makes them differ.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;

use super::engine::{Engine, READERS_BUSY_TIMEOUT, ledger_at};
use super::line_comparison::is_equal;
use super::schema::insist_on_current;
use super::sku_sums;
use super::step::Step;
use crate::config::LedgerUri;
use crate::day::Day;
use crate::db::{Connection, params};
use crate::plural::plural;

/// Both are added in another order, and differ in their last bits.
const TOLERANCE: f64 = 1e-9;

/// By account, and by metric or SKU, by their ids.
type AccountSums = BTreeMap<(i64, i64), f64>;

/// What is wrong with lines, in sentences.
pub fn list_faults(
    ledger: &LedgerUri,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Vec<String>> {
    let mut look = || -> anyhow::Result<Vec<String>> {
        let engine = Engine::open_to_read(ledger, READERS_BUSY_TIMEOUT)?;
        let connection = engine.connection();
        connection.begin_snapshot()?;
        insist_on_current(&engine)?;
        let mut faults = list_misplaced(connection)?;
        let sql = "select day from stored_days order by day";
        let days: Vec<Day> = connection.list(sql, params! {}, |row| row.get(0))?;
        // Counts of days fit 64 bits.
        let of = Some(days.len() as u64);
        for (done, day) in (0..).zip(days) {
            on_step(Step {
                doing: "adding up lines",
                done,
                of,
            });
            faults.extend(check_day(connection, day)?);
            faults.extend(check_sku_sums(connection, day)?);
        }
        Ok(faults)
    };
    look().with_context(|| ledger_at(ledger))
}

/// Each line belongs to one account's day.
fn list_misplaced(connection: &Connection) -> anyhow::Result<Vec<String>> {
    let sql = "select day, first_line, line_count from account_days order by first_line";
    let mut faults = Vec::new();
    let (mut end, mut belong) = (i64::MIN, 0);
    connection.each(sql, params! {}, |row| {
        let (day, first, lines): (Day, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if first < end {
            faults.push(format!(
                "lines of {day} are those of another account's day as well"
            ));
        }
        end = end.max(first + lines);
        belong += lines;
        Ok(())
    })?;
    let sql = "select count(*) from stored_lines";
    let stored: i64 = connection.one(sql, params! {}, |row| row.get(0))?;
    if stored != belong {
        let days_have = plural(belong.unsigned_abs(), "line");
        faults.push(format!(
            "there are {stored} lines, and its days have {days_have}"
        ));
    }
    Ok(faults)
}

fn check_day(connection: &Connection, day: Day) -> anyhow::Result<Option<String>> {
    let lines = list_sums(connection, OF_LINES, day)?;
    let records = list_sums(connection, OF_RECORDS, day)?;
    let accounts = count_unequal(&lines, &records);
    Ok((accounts > 0).then(|| {
        format!(
            "the lines of {day} do not add up to its records, for {}: rbc-usage verify {day}",
            plural(accounts, "account")
        )
    }))
}

/// Looks at what `account_days` has beside the lines.
fn check_sku_sums(connection: &Connection, day: Day) -> anyhow::Result<Option<String>> {
    let lines = list_sums(connection, OF_SKUS, day)?;
    let mut kept = AccountSums::new();
    connection.each(SKU_SUMS, params! {":day": day}, |row| {
        let account_id = row.get(0)?;
        sku_sums::each(row.get(1)?, |sku_id, quantity| {
            kept.insert((account_id, sku_id), quantity);
            Ok(())
        })
    })?;
    let accounts = count_unequal(&lines, &kept);
    Ok((accounts > 0).then(|| {
        format!(
            "the lines of {day} do not add up to its sums by SKU, for {}: \
             rbc-usage import -f -s {day} -e {day}",
            plural(accounts, "account")
        )
    }))
}

/// How many accounts have other sums.
fn count_unequal(ones: &AccountSums, others: &AccountSums) -> usize {
    let same = |(one, other): (&f64, &f64)| is_equal(*one, *other, TOLERANCE);
    if ones.keys().eq(others.keys()) && ones.values().zip(others.values()).all(same) {
        return 0;
    }
    let keys = ones.keys().chain(others.keys());
    let unequal = keys.filter(|key| match (ones.get(key), others.get(key)) {
        (Some(one), Some(other)) => !is_equal(*one, *other, TOLERANCE),
        _ => true,
    });
    let accounts: BTreeSet<i64> = unequal.map(|(account_id, _)| *account_id).collect();
    accounts.len()
}

fn list_sums(connection: &Connection, sql: &'static str, day: Day) -> anyhow::Result<AccountSums> {
    let sums = connection.list(sql, params! {":day": day}, |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
    })?;
    Ok(sums.into_iter().collect())
}

const OF_LINES: &str = "select x.account_id, k.metric_id, sum(l.quantity)
     from account_days x
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
     cross join skus k on k.id = l.sku_id
     where x.day = :day
     group by x.account_id, k.metric_id";

const OF_SKUS: &str = "select x.account_id, l.sku_id, sum(l.quantity)
     from account_days x
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
     where x.day = :day
     group by x.account_id, l.sku_id";

const SKU_SUMS: &str = "select account_id, sku_sums from account_days where day = :day";

const OF_RECORDS: &str = "select account_id, metric_id, sum(quantity)
     from stored_records
     where day = :day
     group by account_id, metric_id";
