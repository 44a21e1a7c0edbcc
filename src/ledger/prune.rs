//! Folds the lines of sealed days: all that an account used under one SKU becomes one line. No figure changes, but which
//! VM or volume it was is forgotten.

use super::handle::Ledger;
use super::line_table::{self, LineWriter, LinesPer, StoredLine};
use super::sku_sums;
use super::statements::count_revision;
use crate::day::Day;
use crate::db::{Connection, params};
use crate::month::Month;

/// A month that has days whose lines tell resources apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfolded {
    pub month: Month,
    /// So are all days of it that the ledger has.
    pub sealed: bool,
}

/// How many lines a day had and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub before: u64,
    pub after: u64,
}

impl Ledger {
    /// The months before this one that can be folded, or could if they were sealed; in order.
    pub fn list_unfolded(&self, before: Month) -> anyhow::Result<Vec<Unfolded>> {
        let sql = "select substr(day, 1, 7), min(sealed_at is not null) from stored_days \
                   where day < :first group by 1 having max(lines_per = 'resource') order by 1";
        let values = params! {":first": before.first_day()};
        self.connection().list(sql, values, |row| {
            Ok(Unfolded {
                month: row.get::<&str>(0)?.parse()?,
                sealed: row.get(1)?,
            })
        })
    }

    /// Folds a sealed month, day by day, each wholly or not at all: after an error the days before it are folded.
    pub fn fold_month(&mut self, month: Month) -> anyhow::Result<Folded> {
        let sql = "select day from stored_days where day between :first and :last \
                   and sealed_at is not null and lines_per = 'resource' order by day";
        let days = month.days();
        let values = params! {":first": days.first(), ":last": days.last()};
        let days: Vec<Day> = self.connection().list(sql, values, |row| row.get(0))?;
        let mut folded = Folded::default();
        for day in days {
            let of_day = self.transaction(|connection, _| fold_day(connection, day))?;
            folded.before += of_day.before;
            folded.after += of_day.after;
        }
        Ok(folded)
    }
}

/// The sums by SKU become the lines, so that no figure changes by a bit.
fn fold_day(connection: &Connection, day: Day) -> anyhow::Result<Folded> {
    let sql = "select account_id, line_count, sku_sums from account_days where day = :day order by account_id";
    let mut folded = Folded::default();
    let accounts: Vec<(i64, Vec<StoredLine>)> =
        connection.list(sql, params! {":day": day}, |row| {
            let mut lines = Vec::new();
            sku_sums::each(row.get(2)?, |sku_id, quantity| {
                lines.push(StoredLine {
                    sku_id,
                    resource_id: 0,
                    quantity,
                });
                Ok(())
            })?;
            folded.before += row.get::<u64>(1)?;
            // Counts of lines fit 64 bits.
            folded.after += lines.len() as u64;
            Ok((row.get(0)?, lines))
        })?;
    line_table::delete_day(connection, day)?;
    let mut writer = LineWriter::new(connection)?;
    for (account_id, lines) in accounts {
        writer.insert(day, account_id, &lines)?;
    }
    writer.finish()?;
    line_table::set_lines_per(connection, day, LinesPer::Sku)?;
    count_revision(connection)?;
    Ok(folded)
}
