//! Writes `cloud_usage.db`: cuts lifetimes into windows the way CloudStack's usage server does in daily mode,
//! with its 32-bit hours, its inclusive ends, its traffic counted at the end of a day, and one replayed day.

use rusqlite::{Connection, Statement, named_params, params};

use super::chance;
use super::period::{self, Span, gmt, midnight};
use super::world::{Amount, Lifetime, World};
use crate::day::Day;

/// Fills an empty database; returns the number of usage rows.
pub fn write(db: &mut Connection, world: &World) -> anyhow::Result<usize> {
    let tx = db.transaction()?;
    tx.execute_batch(include_str!("cloud_usage.sql"))?;
    let mut rows = 0;
    let mut job_id = 0;
    let mut insert = tx.prepare(INSERT_USAGE)?;
    for day in period::days().days() {
        // A usage event of the replayed day's first second came late and moved the start of the next job back.
        let is_replaying = day.previous() == period::replayed_day();
        let first = if is_replaying { day.previous() } else { day };
        if is_replaying {
            rows += write_day(&mut insert, world, first)?;
        }
        rows += write_day(&mut insert, world, day)?;
        job_id += 1;
        insert_job(&tx, job_id, first, day)?;
    }
    insert_next_job(&tx, job_id + 1)?;
    drop(insert);
    tx.commit()?;
    Ok(rows)
}

/// One set of rows for each window of the day.
fn write_day(insert: &mut Statement, world: &World, day: Day) -> anyhow::Result<usize> {
    let windows = period::windows(day);
    let mut rows = 0;
    for (place, window) in windows.iter().enumerate() {
        let is_last = place + 1 == windows.len();
        for lifetime in &world.lifetimes {
            let quantity = match lifetime.amount {
                Amount::Hours => hours(lifetime, *window),
                // Counters are read when the job runs: all of the day's count falls into its last window.
                Amount::Counter { per_day, .. } if is_last => counted(lifetime, day, per_day),
                Amount::Counter { .. } => None,
            };
            if let Some(quantity) = quantity {
                insert_usage(insert, lifetime, *window, quantity)?;
                rows += 1;
            }
        }
    }
    Ok(rows)
}

/// Hours of the window that the thing was there; `None` if it was not.
fn hours(lifetime: &Lifetime, window: Span) -> Option<f64> {
    let milliseconds: i64 = lifetime
        .spans
        .iter()
        .filter_map(|span| span.overlap(window))
        // A window's last millisecond is .999, and CloudStack adds one; it adds it to an end within the window too.
        .map(|part| part.seconds() * 1000 + i64::from(part.to < window.to))
        .sum();
    // The loss is the point: CloudStack computes hours in 32 bits and stores them in 64.
    let hours = milliseconds as f32 / 1000.0 / 60.0 / 60.0;
    (milliseconds > 0).then_some(f64::from(hours))
}

/// What was counted on a day: between half and one and a half times the usual, less if it was not there all day.
fn counted(lifetime: &Lifetime, day: Day, per_day: i64) -> Option<f64> {
    let whole_day = Span {
        from: midnight(day),
        to: midnight(day.next()),
    };
    let overlaps = lifetime.spans.iter().filter_map(|s| s.overlap(whole_day));
    let seconds: i64 = overlaps.map(Span::seconds).sum();
    let about = format!("count {} {}", lifetime.usage_type, lifetime.usage_id);
    let busy = chance::between(per_day / 2, per_day * 3 / 2, &about, day.days_since_1970());
    // Exact: a day's bytes stay far below 2^53.
    let quantity = (busy * seconds / 86_400) as f64;
    (quantity > 0.0).then_some(quantity)
}

/// Its parameters go by number: looking up names takes most of the time of so many rows in a debug build.
const INSERT_USAGE: &str = "
    insert into cloud_usage (zone_id, account_id, domain_id, description, usage_display, usage_type, raw_usage,
        vm_instance_id, vm_name, offering_id, template_id, usage_id, type, size, network_id, start_date, end_date,
        virtual_size, cpu_speed, cpu_cores, memory, is_hidden)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

fn insert_usage(
    insert: &mut Statement,
    lifetime: &Lifetime,
    window: Span,
    quantity: f64,
) -> anyhow::Result<()> {
    let (start_date, end_date) = dates(lifetime, window)?;
    insert.execute(params![
        lifetime.zone_id,
        lifetime.account.id,
        lifetime.account.domain_id,
        lifetime.description,
        display(lifetime.amount, quantity),
        lifetime.usage_type,
        quantity,
        lifetime.vm_id,
        lifetime.vm_name,
        lifetime.offering_id,
        lifetime.template_id,
        lifetime.usage_id,
        lifetime.kind,
        lifetime.size,
        lifetime.network_id,
        start_date,
        end_date,
        lifetime.virtual_bytes,
        lifetime.compute.map(|size| size.mhz),
        lifetime.compute.map(|size| size.cores),
        lifetime.compute.map(|size| size.memory_mb),
        lifetime.is_hidden,
    ])?;
    Ok(())
}

/// A row's first and last second are the window's, but for VM snapshots (25) those of the snapshot in it.
fn dates(lifetime: &Lifetime, window: Span) -> anyhow::Result<(String, String)> {
    let own = lifetime.spans.iter().find_map(|span| span.overlap(window));
    match own {
        Some(own) if lifetime.usage_type == 25 && own.to < window.to => {
            Ok((gmt(own.from)?, gmt(own.to)?))
        }
        Some(own) if lifetime.usage_type == 25 => Ok((gmt(own.from)?, gmt(window.to - 1)?)),
        _ => Ok((gmt(window.from)?, gmt(window.to - 1)?)),
    }
}

/// The quantity as CloudStack shows it: at most six decimals, none at the end that are zero.
fn display(amount: Amount, quantity: f64) -> String {
    match amount {
        Amount::Counter { unit, .. } => format!("{quantity} {unit}"),
        Amount::Hours => {
            let decimals = format!("{quantity:.6}");
            format!(
                "{} Hrs",
                decimals.trim_end_matches('0').trim_end_matches('.')
            )
        }
    }
}

/// The successful job that wrote the days from `first` to `last`, at a quarter past the midnight after them.
fn insert_job(tx: &Connection, id: i64, first: Day, last: Day) -> anyhow::Result<()> {
    let start = midnight(first);
    let end = midnight(last.next());
    tx.execute(
        "insert into usage_job (id, host, pid, job_type, scheduled, start_millis, end_millis, exec_time,
            start_date, end_date, success, heartbeat)
         values (:id, 'usage1.example.net/192.0.2.10', 4711, 0, 0, :start_millis, :end_millis, :exec_time,
            :start_date, :end_date, 1, :heartbeat)",
        named_params! {
            ":id": id,
            ":start_millis": start * 1000,
            ":end_millis": end * 1000 - 1,
            ":exec_time": chance::between(2000, 9000, "usage_job", id),
            ":start_date": gmt(start)?,
            ":end_date": gmt(end - 1)?,
            ":heartbeat": gmt(end + 15 * 60)?,
        },
    )?;
    Ok(())
}

/// The job that waits for the following night.
fn insert_next_job(tx: &Connection, id: i64) -> anyhow::Result<()> {
    tx.execute(
        "insert into usage_job (id, host, pid, job_type, scheduled, heartbeat)
         values (:id, 'usage1.example.net/192.0.2.10', 4711, 0, 0, :heartbeat)",
        named_params! { ":id": id, ":heartbeat": gmt(period::whole().to + 16 * 60)? },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_shown_with_six_decimals_at_most() {
        for (quantity, text) in [
            (24.0, "24 Hrs"),
            (0.5, "0.5 Hrs"),
            (f64::from(1.0_f32 / 3.0), "0.333333 Hrs"),
        ] {
            assert_eq!(display(Amount::Hours, quantity), text);
        }
        let counter = Amount::Counter {
            per_day: 1,
            unit: "bytes sent",
        };
        assert_eq!(display(counter, 6_000_000_000.0), "6000000000 bytes sent");
    }
}
