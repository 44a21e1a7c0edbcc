//! Lines of one account in a range of days, added up by SKU and, where asked, by what was used. One statement reads
//! them, along the days and then along the lines of each, which lie side by side.

use std::fmt;

use anyhow::ensure;

use crate::db::{Connection, params};
use crate::ledger::month_part::MonthPart;
use crate::ledger::running_sums::RunningSums;
use crate::ledger::sku_sums;
use crate::sum::CompensatedSum;

/// A question whose sums are more than there may be.
#[derive(Debug, PartialEq, Eq)]
pub struct TooManySums;

impl std::error::Error for TooManySums {}

impl fmt::Display for TooManySums {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("more sums than may be held at once")
    }
}

/// Which lines.
#[derive(Clone, Copy)]
pub struct LineFilter<'a> {
    pub account_id: i64,
    pub part: &'a MonthPart,
    /// Only those about these, by their ids in the ledger.
    pub resources: Option<&'a [i64]>,
    /// Whether lines of one SKU are told apart by what was used.
    pub apart: bool,
    /// Sums that there may be; beyond it the error is `TooManySums`.
    pub most: usize,
}

/// What was used under one SKU, by ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineSum {
    pub sku_id: i64,
    /// 0: not told apart.
    pub resource_id: i64,
    /// In the metric's unit.
    pub quantity: f64,
}

/// The sums of all the days, sorted by SKU, then resource.
pub fn add_up(connection: &Connection, filter: LineFilter) -> anyhow::Result<Vec<LineSum>> {
    let mut sums = RunningSums::default();
    each(connection, filter, |_, key, quantity| {
        sums.add(key, quantity);
        ensure!(sums.len() <= filter.most, TooManySums);
        Ok(())
    })?;
    let sum = |((sku_id, resource_id), quantity): ((i64, i64), f64)| LineSum {
        sku_id,
        resource_id,
        quantity,
    };
    Ok(sums.finish().into_iter().map(sum).collect())
}

/// The sums of each day, with the day's slot, day by day.
pub fn list_by_day(
    connection: &Connection,
    filter: LineFilter,
    slot_of: impl Fn(&str) -> anyhow::Result<usize>,
) -> anyhow::Result<Vec<(usize, LineSum)>> {
    let mut sums: Vec<(usize, (i64, i64), CompensatedSum)> = Vec::new();
    let (mut day, mut slot) = (String::new(), 0);
    each(connection, filter, |text, key, quantity| {
        if text != day {
            slot = slot_of(text)?;
            day.clear();
            day.push_str(text);
        }
        match sums.last_mut() {
            Some((last, had, sum)) if (*last, *had) == (slot, key) => sum.add(quantity),
            Some(_) | None => {
                let mut sum = CompensatedSum::default();
                sum.add(quantity);
                sums.push((slot, key, sum));
                ensure!(sums.len() <= filter.most, TooManySums);
            }
        }
        Ok(())
    })?;
    let sum = |(slot, (sku_id, resource_id), sum): (usize, (i64, i64), CompensatedSum)| {
        let sum = LineSum {
            sku_id,
            resource_id,
            quantity: sum.value(),
        };
        (slot, sum)
    };
    Ok(sums.into_iter().map(sum).collect())
}

/// The same of lines that are told apart by SKU alone, of which the ledger has the sums.
pub fn list_sku_days(
    connection: &Connection,
    filter: LineFilter,
    slot_of: impl Fn(&str) -> anyhow::Result<usize>,
) -> anyhow::Result<Vec<(usize, LineSum)>> {
    let mut sums = Vec::new();
    let (part, account_id) = (filter.part, filter.account_id);
    part.each_day_of_skus(connection, &[account_id], |_, day, of_day| {
        let slot = slot_of(day)?;
        sku_sums::each(of_day, |sku_id, quantity| {
            let sum = LineSum {
                sku_id,
                resource_id: 0,
                quantity,
            };
            sums.push((slot, sum));
            ensure!(sums.len() <= filter.most, TooManySums);
            Ok(())
        })
    })?;
    Ok(sums)
}

/// Day, SKU, resource and quantity of each line, in the order in which they lie.
fn each(
    connection: &Connection,
    filter: LineFilter,
    mut line: impl FnMut(&str, (i64, i64), f64) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let values = params! {
        ":account": filter.account_id,
        ":first": filter.part.first(),
        ":last": filter.part.last(),
    };
    connection.each(LINES, values, |row| {
        let resource_id = row.get(2)?;
        // Quicker here than among the conditions of the statement.
        let is_wanted = filter
            .resources
            .is_none_or(|ids| ids.contains(&resource_id));
        if !is_wanted {
            return Ok(());
        }
        let resource_id = if filter.apart { resource_id } else { 0 };
        line(row.get(0)?, (row.get(1)?, resource_id), row.get(3)?)
    })
}

const LINES: &str = "select d.day, l.sku_id, l.resource_id, l.quantity \
     from stored_days d \
     cross join account_days x on x.day = d.day and x.account_id = :account \
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1 \
     where d.day between :first and :last \
     order by d.day, l.id";
