//! Where lines lie: each account's day in one piece, behind all that was written before, and `account_days` says where.

use anyhow::ensure;

use super::sku_sums;
use crate::day::Day;
use crate::db::{Connection, SqlValue, params};
use crate::sum::CompensatedSum;

/// A line by ids in the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredLine {
    pub sku_id: i64,
    /// 0: not told apart.
    pub resource_id: i64,
    /// In the metric's unit.
    pub quantity: f64,
}

/// What a day's lines tell apart; see the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesPer {
    Resource,
    Sku,
    Record,
}

impl LinesPer {
    /// As the ledger writes it.
    pub fn name(self) -> &'static str {
        match self {
            LinesPer::Resource => "resource",
            LinesPer::Sku => "sku",
            LinesPer::Record => "record",
        }
    }

    /// The other way round; what is unknown tells the least apart.
    pub fn of_name(name: &str) -> LinesPer {
        match name {
            "resource" => LinesPer::Resource,
            "sku" => LinesPer::Sku,
            _ => LinesPer::Record,
        }
    }
}

/// Sorts lines by SKU and resource, and makes one of those that are alike in both.
pub fn merge(lines: &mut Vec<StoredLine>) {
    let key = |line: &StoredLine| (line.sku_id, line.resource_id);
    lines.sort_unstable_by(|a, b| {
        let by_key = key(a).cmp(&key(b));
        by_key.then_with(|| a.quantity.total_cmp(&b.quantity))
    });
    let (mut merged, mut first) = (0, 0);
    while first < lines.len() {
        let of = key(&lines[first]);
        let alike = lines[first..].iter().take_while(|line| key(line) == of);
        let (mut sum, mut count) = (CompensatedSum::default(), 0);
        for line in alike {
            sum.add(line.quantity);
            count += 1;
        }
        let quantity = sum.value();
        lines[merged] = StoredLine {
            quantity,
            ..lines[first]
        };
        merged += 1;
        first += count;
    }
    lines.truncate(merged);
}

/// Keeps what the day's lines tell apart.
pub fn set_lines_per(connection: &Connection, day: Day, per: LinesPer) -> anyhow::Result<()> {
    let sql = "update stored_days set lines_per = :lines_per where day = :day";
    connection.execute(sql, params! {":lines_per": per.name(), ":day": day})?;
    Ok(())
}

/// Lines that are held back until there are so many: a server of its own is asked as seldom as that is worth.
const HELD: usize = 4_000;

/// Appends lines, an account's day at a time. What it holds back at last, `finish` writes.
#[must_use = "what is held back is written by finish"]
pub struct LineWriter<'a> {
    connection: &'a Connection,
    next: i64,
    lines: Vec<[SqlValue<'static>; 4]>,
    pieces: Vec<[SqlValue<'static>; 5]>,
}

impl<'a> LineWriter<'a> {
    pub fn new(connection: &'a Connection) -> anyhow::Result<LineWriter<'a>> {
        let sql = "select coalesce(max(id), 0) + 1 from stored_lines";
        let next = connection.one(sql, params! {}, |row| row.get(0))?;
        Ok(LineWriter {
            connection,
            next,
            lines: Vec::new(),
            pieces: Vec::new(),
        })
    }

    /// All lines, sorted by SKU and resource, that an account gets on a day on which it has none.
    pub fn insert(
        &mut self,
        day: Day,
        account_id: i64,
        lines: &[StoredLine],
    ) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let rows = (self.next..).zip(lines).map(|(id, line)| {
            [
                SqlValue::from(id),
                SqlValue::from(line.sku_id),
                SqlValue::from(line.resource_id),
                SqlValue::from(line.quantity),
            ]
        });
        self.lines.extend(rows);
        let count = i64::try_from(lines.len())?;
        let sums = sku_sums::add_up(lines.iter().map(|line| (line.sku_id, line.quantity)));
        self.pieces.push([
            SqlValue::from(account_id),
            SqlValue::from(day),
            SqlValue::from(self.next),
            SqlValue::from(count),
            SqlValue::from(sums),
        ]);
        self.next += count;
        match self.lines.len() < HELD {
            true => Ok(()),
            false => self.write(),
        }
    }

    /// Writes what is left.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.write()
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let sql = "insert into stored_lines (id, sku_id, resource_id, quantity) \
                   values (:id, :sku_id, :resource_id, :quantity)";
        self.connection.insert_many(sql, self.lines.drain(..))?;
        let sql = "insert into account_days (account_id, day, first_line, line_count, sku_sums) \
                   values (:account_id, :day, :first_line, :line_count, :sku_sums)";
        self.connection.insert_many(sql, self.pieces.drain(..))
    }
}

/// The lines of an account's day, by SKU and resource; taken out of the ledger.
pub fn take(connection: &Connection, day: Day, account_id: i64) -> anyhow::Result<Vec<StoredLine>> {
    let sql = "select l.sku_id, l.resource_id, l.quantity from account_days x \
               cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1 \
               where x.day = :day and x.account_id = :account_id order by l.id";
    let values = params! {":day": day, ":account_id": account_id};
    let lines = connection.list(sql, values, |row| {
        Ok(StoredLine {
            sku_id: row.get(0)?,
            resource_id: row.get(1)?,
            quantity: row.get(2)?,
        })
    })?;
    let sql = "select first_line, line_count from account_days where day = :day and account_id = :account_id";
    let values = params! {":day": day, ":account_id": account_id};
    let piece = connection.find(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some((first, count)) = piece {
        delete_lines(connection, first, count)?;
        let sql = "delete from account_days where day = :day and account_id = :account_id";
        connection.execute(sql, params! {":day": day, ":account_id": account_id})?;
    }
    Ok(lines)
}

/// Deletes all lines of a day. An import wrote them in one piece.
pub fn delete_day(connection: &Connection, day: Day) -> anyhow::Result<()> {
    let sql =
        "select first_line, line_count from account_days where day = :day order by first_line";
    let mut pieces: Vec<(i64, i64)> = Vec::new();
    connection.each(sql, params! {":day": day}, |row| {
        let (first, count): (i64, i64) = (row.get(0)?, row.get(1)?);
        match pieces.last_mut() {
            Some((start, length)) if *start + *length == first => *length += count,
            Some(_) | None => pieces.push((first, count)),
        }
        Ok(())
    })?;
    for (first, count) in pieces {
        delete_lines(connection, first, count)?;
    }
    let sql = "delete from account_days where day = :day";
    connection.execute(sql, params! {":day": day})?;
    Ok(())
}

fn delete_lines(connection: &Connection, first: i64, count: i64) -> anyhow::Result<()> {
    let sql = "delete from stored_lines where id between :first and :last";
    let last = first + count - 1;
    let deleted = connection.execute(sql, params! {":first": first, ":last": last})?;
    ensure!(
        i64::try_from(deleted)? == count,
        "the lines {first} to {last} are not all there"
    );
    Ok(())
}
