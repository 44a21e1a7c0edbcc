//! Folds the lines of sealed days: all that an account used under one SKU becomes one line. No figure changes, but which
//! VM or volume it was is forgotten.

use super::handle::Ledger;
use super::line_table::{self, LineWriter, LinesPer, StoredLine};
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

fn fold_day(connection: &Connection, day: Day) -> anyhow::Result<Folded> {
    let sql = "select x.account_id, l.sku_id, l.quantity from account_days x \
               cross join stored_lines l on l.id between x.first_line and x.first_line + x.lines - 1 \
               where x.day = :day order by x.account_id";
    let lines: Vec<(i64, StoredLine)> = connection.list(sql, params! {":day": day}, |row| {
        let line = StoredLine {
            sku_id: row.get(1)?,
            resource_id: 0,
            quantity: row.get(2)?,
        };
        Ok((row.get(0)?, line))
    })?;
    line_table::delete_day(connection, day)?;
    let mut writer = LineWriter::new(connection, day)?;
    let mut after = 0;
    for of_account in lines.chunk_by(|a, b| a.0 == b.0) {
        let mut folded: Vec<StoredLine> = of_account.iter().map(|(_, line)| *line).collect();
        line_table::merge(&mut folded);
        after += folded.len();
        writer.insert(of_account[0].0, &folded)?;
    }
    line_table::set_lines_per(connection, day, LinesPer::Sku)?;
    count_revision(connection)?;
    // Counts of lines fit 64 bits.
    Ok(Folded {
        before: lines.len() as u64,
        after: after as u64,
    })
}
