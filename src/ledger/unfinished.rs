//! Which days are final, and which are not: a day is final once it is closed, and a range, a month or the whole ledger
//! is complete if every day of it is. A day that is not final is open or missing; gaps between days show what is missing.

use std::collections::HashSet;

use crate::day::{Day, DayRange};
use crate::db::{Connection, SqlValue, params};
use crate::month::Month;

/// Days of a range whose figures are not final.
#[derive(Debug, Default, PartialEq)]
pub struct Unfinished {
    /// Imported before the source had finished them, in order.
    pub open_days: Vec<Day>,
    /// Not in the ledger, in order.
    pub missing_days: Vec<Day>,
}

impl Unfinished {
    /// Every day is there, and the source has finished it.
    pub fn is_complete(&self) -> bool {
        self.open_days.is_empty() && self.missing_days.is_empty()
    }
}

/// The days of a range that are open or missing.
pub fn list_unfinished(connection: &Connection, range: DayRange) -> anyhow::Result<Unfinished> {
    // Mostly there are none, and one row shows it.
    if count_closed(connection, range)? == range.count_days() {
        return Ok(Unfinished::default());
    }
    Ok(unfinished(&list_states(connection, range)?, range))
}

/// The days of the range that the ledger has, in order, and whether each is open.
fn list_states(connection: &Connection, range: DayRange) -> anyhow::Result<Vec<(Day, bool)>> {
    let sql = "select day, state = 'open'
         from stored_days
         where day between :first and :last
         order by day";
    connection.list(sql, &within(range), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Open days and missing days of a range, given the days the ledger has of it.
fn unfinished(stored: &[(Day, bool)], range: DayRange) -> Unfinished {
    let open = stored.iter().filter(|(_, open)| *open);
    let mut had = stored.iter().map(|(day, _)| *day).peekable();
    let missing = range.days().filter(|day| had.next_if_eq(day).is_none());
    Unfinished {
        open_days: open.map(|(day, _)| *day).collect(),
        missing_days: missing.collect(),
    }
}

/// The bounds of a range for a statement that asks for `day between :first and :last`.
pub fn within(range: DayRange) -> [(&'static str, SqlValue<'static>); 2] {
    [
        (":first", SqlValue::from(range.first())),
        (":last", SqlValue::from(range.last())),
    ]
}

/// Every open day, in order.
pub fn list_open_days(connection: &Connection) -> anyhow::Result<Vec<Day>> {
    let sql = "select day from stored_days where state = 'open' order by day";
    connection.list(sql, params! {}, |row| row.get(0))
}

/// How many days are open.
pub fn count_open_days(connection: &Connection) -> anyhow::Result<u64> {
    let sql = "select count(*) from stored_days where state = 'open'";
    connection.one(sql, params! {}, |row| row.get(0))
}

/// Every day between the first and the last that the ledger does not have, in order.
pub fn list_missing_days(connection: &Connection) -> anyhow::Result<Vec<Day>> {
    let sql = "select day, gap_before from stored_days where gap_before > 0 order by day";
    let gaps = connection.list(sql, params! {}, |row| {
        let after: Day = row.get(0)?;
        Ok(DayRange::new(after.plus(-row.get(1)?), after.previous())?)
    })?;
    Ok(gaps.iter().flat_map(|gap| gap.days()).collect())
}

/// How many days are missing between the first and the newest closed one.
pub fn count_missing_days(connection: &Connection) -> anyhow::Result<u64> {
    let sql = "select coalesce(sum(gap_before), 0) from stored_days \
               where gap_before > 0 and day <= (select max(day) from stored_days where state = 'closed')";
    connection.one(sql, params! {}, |row| row.get(0))
}

/// The months whose days are all closed and that have no sums yet, in order.
pub fn list_months_to_sum(connection: &Connection) -> anyhow::Result<Vec<Month>> {
    let sql = "select (select min(day) from stored_days), (select max(day) from stored_days)";
    let ends = connection.one(sql, params! {}, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)): (Option<Day>, Option<Day>) = ends else {
        return Ok(Vec::new());
    };
    let sql = "select month from summed_months";
    let summed: HashSet<Month> = connection
        .list(sql, params! {}, |row| Ok(row.get::<&str>(0)?.parse()?))?
        .into_iter()
        .collect();
    let mut months = Vec::new();
    let mut month = Month::of(first);
    while month <= Month::of(last) {
        if !summed.contains(&month)
            && count_closed(connection, month.days())? == month.days().count_days()
        {
            months.push(month);
        }
        month = month.next();
    }
    Ok(months)
}

fn count_closed(connection: &Connection, range: DayRange) -> anyhow::Result<i64> {
    let sql =
        "select count(*) from stored_days where day between :first and :last and state = 'closed'";
    connection.one(sql, &within(range), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_the_ledger_lacks_are_missing() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let range = DayRange::new(day("2013-02-26"), day("2013-03-02")).unwrap();
        let stored = [
            (day("2013-02-27"), false),
            (day("2013-02-28"), true),
            (day("2013-03-01"), false),
        ];
        let unfinished = unfinished(&stored, range);
        assert_eq!(unfinished.open_days, [day("2013-02-28")]);
        assert_eq!(
            unfinished.missing_days,
            [day("2013-02-26"), day("2013-03-02")]
        );
    }
}
