//! The lines that a day holds, read back with what identifies them in CloudStack, so that they can stand beside lines
//! that the source comes to now. Those of a sealed day are read with its pending corrections.

use std::collections::HashMap;

use anyhow::Context;

use super::line_comparison::{HeldLine, LineKey};
use super::line_table::StoredLine;
use super::names::LedgerNames;
use crate::day::Day;
use crate::db::{Connection, Row, params};
use crate::resource::ResourceKind;
use crate::sku::SizeNumbers;

/// Whose lines: of these accounts of the ledger, or of all.
#[derive(Clone, Copy)]
pub enum LinesOf<'a> {
    All,
    Accounts(&'a [i64]),
}

/// The lines that a day has, sorted by account.
pub fn list_held_lines(
    connection: &Connection,
    names: &LedgerNames,
    day: Day,
    whose: LinesOf,
) -> anyhow::Result<Vec<HeldLine>> {
    list_lines(connection, day, whose, &list_skus(connection, names)?)
}

/// The same with what the day's pending corrections make of them.
pub fn list_corrected_lines(
    connection: &Connection,
    names: &LedgerNames,
    day: Day,
    whose: LinesOf,
) -> anyhow::Result<Vec<HeldLine>> {
    let skus = list_skus(connection, names)?;
    let mut held = list_lines(connection, day, whose, &skus)?;
    apply_pending(connection, day, whose, &mut held, &skus)?;
    Ok(held)
}

fn list_lines(
    connection: &Connection,
    day: Day,
    whose: LinesOf,
    skus: &Skus,
) -> anyhow::Result<Vec<HeldLine>> {
    let read = |row: &Row| {
        let stored = StoredLine {
            sku_id: row.get(1)?,
            resource_id: row.get(2)?,
            quantity: row.get(3)?,
        };
        held_line(row.get(0)?, stored, row.get(4)?, row.get(5)?, skus)
    };
    let values = params! {":day": day};
    match whose {
        LinesOf::All => connection.list(OF_ALL, values, read),
        LinesOf::Accounts(ids) => {
            let values = params! {":day": day, ":accounts": ids};
            connection.list(OF_SOME, values, read)
        }
    }
}

fn held_line(
    account_id: i64,
    stored: StoredLine,
    kind: &str,
    id: u64,
    skus: &Skus,
) -> anyhow::Result<HeldLine> {
    let sku = skus.get(&stored.sku_id);
    let (key, size) = *sku.context("a line of a SKU that is not there")?;
    let resource = used(kind, id);
    Ok(HeldLine {
        account_id,
        key: LineKey { resource, ..key },
        size,
        stored,
    })
}

const OF_ALL: &str = "select x.account_id, l.sku_id, l.resource_id, l.quantity, u.kind, u.source_id
     from account_days x
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
     cross join stored_resources u on u.id = l.resource_id
     where x.day = :day
     order by x.account_id, l.id";

const OF_SOME: &str =
    "select x.account_id, l.sku_id, l.resource_id, l.quantity, u.kind, u.source_id
     from account_days x
     cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
     cross join stored_resources u on u.id = l.resource_id
     where x.day = :day and x.account_id in rarray(:accounts)
     order by x.account_id, l.id";

/// Each pending correction says what has become of its lines; the newest goes last.
const PENDING: &str =
    "select c.account_id, p.sku_id, p.resource_id, p.new_quantity, u.kind, u.source_id
     from stored_corrections c
     cross join correction_lines p on p.correction_id = c.id
     cross join stored_resources u on u.id = p.resource_id
     where c.day = :day and c.kind = 'pending'
     order by c.id";

type Skus = HashMap<i64, (LineKey, SizeNumbers)>;

fn apply_pending(
    connection: &Connection,
    day: Day,
    whose: LinesOf,
    held: &mut Vec<HeldLine>,
    skus: &Skus,
) -> anyhow::Result<()> {
    let mut pending: Vec<(HeldLine, Option<f64>)> = Vec::new();
    connection.each(PENDING, params! {":day": day}, |row| {
        let account_id = row.get(0)?;
        if matches!(whose, LinesOf::Accounts(ids) if !ids.contains(&account_id)) {
            return Ok(());
        }
        let new: Option<f64> = row.get(3)?;
        let stored = StoredLine {
            sku_id: row.get(1)?,
            resource_id: row.get(2)?,
            quantity: new.unwrap_or_default(),
        };
        let line = held_line(account_id, stored, row.get(4)?, row.get(5)?, skus)?;
        pending.push((line, new));
        Ok(())
    })?;
    if pending.is_empty() {
        return Ok(());
    }
    let place_of = |line: &HeldLine| (line.account_id, line.stored.sku_id, line.stored.resource_id);
    let mut by_place: HashMap<(i64, i64, i64), HeldLine> =
        held.drain(..).map(|line| (place_of(&line), line)).collect();
    for (line, new) in pending {
        match new {
            Some(_) => by_place.insert(place_of(&line), line),
            None => by_place.remove(&place_of(&line)),
        };
    }
    held.extend(by_place.into_values());
    held.sort_by_key(place_of);
    Ok(())
}

/// What identifies the SKUs that the ledger has; there are few.
fn list_skus(connection: &Connection, names: &LedgerNames) -> anyhow::Result<Skus> {
    let sql = "select k.id, k.metric_id, o.source_id, z.source_id, k.vcpus, k.mhz, k.memory_mib \
         from skus k \
         cross join stored_resources o on o.id = k.offering_id \
         cross join stored_resources z on z.id = k.zone_id";
    let skus = connection.list(sql, params! {}, |row| {
        let metric = names.find_metric(row.get(1)?);
        let key = LineKey {
            metric: metric.context("a SKU of an unknown metric")?,
            offering_id: row.get(2)?,
            zone_id: row.get(3)?,
            resource: used("", 0),
        };
        Ok((row.get(0)?, (key, [row.get(4)?, row.get(5)?, row.get(6)?])))
    })?;
    Ok(skus.into_iter().collect())
}

fn used(kind: &str, id: u64) -> (ResourceKind, u64) {
    let kind = ResourceKind::of_name(kind);
    (kind.unwrap_or(ResourceKind::Other), id)
}
