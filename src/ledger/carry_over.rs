//! Brings the records of a ledger from before lines were kept over into lines: each becomes one, without zone, size and
//! resource, so that every figure is the sum of its lines whenever it was imported.

use super::line_table::{LineWriter, StoredLine};
use super::step::Step;
use crate::day::Day;
use crate::db::{Connection, params};

/// Makes lines of all records, day by day, in the transaction that is open.
pub fn make_lines_of_records(
    connection: &Connection,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<()> {
    let sql = "select day from stored_days order by day";
    let days: Vec<Day> = connection.list(sql, params! {}, |row| row.get(0))?;
    // A count of days fits 64 bits.
    let of = Some(days.len() as u64);
    let mut writer = LineWriter::new(connection)?;
    for (done, day) in (0..).zip(days) {
        on_step(Step {
            doing: "making lines of records",
            done,
            of,
        });
        connection.execute(SKUS, params! {":day": day})?;
        let lines: Vec<(i64, StoredLine)> =
            connection.list(LINES, params! {":day": day}, |row| {
                let line = StoredLine {
                    sku_id: row.get(1)?,
                    resource_id: row.get(2)?,
                    quantity: row.get(3)?,
                };
                Ok((row.get(0)?, line))
            })?;
        for of_account in lines.chunk_by(|a, b| a.0 == b.0) {
            let lines: Vec<StoredLine> = of_account.iter().map(|(_, line)| *line).collect();
            writer.insert(day, of_account[0].0, &lines)?;
        }
    }
    writer.finish()
}

/// An address is what is used, and no part of the SKU.
const SKUS: &str = "insert or ignore into skus (metric_id, offering_id, zone_id, vcpus, mhz, memory_mib) \
     select distinct r.metric_id, iif(m.per = 'ip_address', 0, r.resource_id), 0, 0, 0, 0 \
     from stored_records r join metrics m on m.id = r.metric_id where r.day = :day";

const LINES: &str = "select r.account_id, k.id, iif(m.per = 'ip_address', r.resource_id, 0), r.quantity \
     from stored_records r \
     join stored_accounts a on a.id = r.account_id \
     join metrics m on m.id = r.metric_id \
     join skus k on k.metric_id = r.metric_id and k.offering_id = iif(m.per = 'ip_address', 0, r.resource_id) \
       and k.zone_id = 0 and k.vcpus = 0 and k.mhz = 0 and k.memory_mib = 0 \
     where r.day = :day \
     order by r.account_id, k.id, 3";
