//! One row of `cloud_usage`: which columns it is read from in any schema, and how.

use std::collections::HashMap;
use std::num::NonZeroU32;

use anyhow::{Context, ensure};

use super::identity::identity;
use super::probe::Columns;
use crate::db::{Connection, Field, Row};
use crate::row::{BadRow, IdentityHasher, Particulars, UsageRow};
use crate::sku::VmSize;

/// The columns of a usage row, in the order `UsageRow` is read from. Those that differ between schemas are
/// replaced by null where they are missing; `usage_display` is only asked for where it decides something.
const REQUIRED: [&str; 17] = [
    "id",
    "zone_id",
    "account_id",
    "usage_type",
    "raw_usage",
    "vm_instance_id",
    "offering_id",
    "template_id",
    "usage_id",
    "type",
    "size",
    "network_id",
    "description",
    "start_date",
    "end_date",
    "usage_display",
    "domain_id",
];
const SELECTED: [&str; 22] = [
    "id",
    "zone_id",
    "account_id",
    "usage_type",
    "raw_usage",
    "vm_instance_id",
    "offering_id",
    "template_id",
    "usage_id",
    "type",
    "size",
    "network_id",
    "description",
    "start_date",
    "end_date",
    "cpu_speed",
    "cpu_cores",
    "memory",
    "state",
    "is_hidden",
    "vm_name",
    "domain_id",
];
const DISPLAY: usize = SELECTED.len();

/// Texts are asked for only where they decide something: they are most of a row's bytes.
const TEXTS: [(&str, &str); 2] = [
    (
        "description",
        "case when usage_type in (3, 25) then description end",
    ),
    ("vm_name", "case when usage_type = 27 then vm_name end"),
];

/// The text of an address by its `user_ip_address.id`, from the rows' descriptions.
pub type Addresses = HashMap<u64, String>;

/// The columns of the usage table; fails if there are too few, or if one that figures depend on may not be read.
pub fn columns(usage: &Connection) -> anyhow::Result<Columns> {
    let columns = Columns::of(usage, "cloud_usage")?;
    columns.require(&REQUIRED)?;
    columns.insist(usage, &SELECTED)?;
    Ok(columns)
}

/// What rows are selected by, in the order `usage_row` reads.
pub fn select_list(columns: &Columns) -> String {
    let mut selected = columns.select_list(&SELECTED);
    for (text, where_it_decides) in TEXTS {
        selected = selected.replace(text, where_it_decides);
    }
    format!("{selected}, case when usage_type = 28 then usage_display end")
}

/// The instants of a row's window, from its first to its last second. Milliseconds are cut off, so the last second is
/// the window's own where it ends a minute, and else the first one of the window that follows. A row that amounts to
/// nothing may end before it starts (seen of 4.20 to 4.22.1): it is taken for one second.
fn window(first: i64, last: i64, raw_usage: f64) -> anyhow::Result<(i64, i64)> {
    ensure!(
        first <= last || raw_usage == 0.0,
        "the window ends before it starts"
    );
    let end = if last.rem_euclid(60) == 59 {
        last + 1
    } else {
        last
    };
    Ok((first, end.max(first + 1)))
}

/// Reads one row; errors name its id.
pub fn usage_row(
    row: &Row,
    addresses: &mut Addresses,
    hasher: &mut IdentityHasher,
) -> anyhow::Result<UsageRow> {
    let id = row.field(0)?.id().context("cloud_usage column id")?;
    read_fields(row, id, addresses, hasher)
        .map_err(|err| BadRow(format!("cloud_usage row {id}: {err:#}")).into())
}

fn read_fields(
    row: &Row,
    id: u64,
    addresses: &mut Addresses,
    hasher: &mut IdentityHasher,
) -> anyhow::Result<UsageRow> {
    let at = |column: usize| row.field(column);
    let named = |column: usize| move || format!("column {}", SELECTED[column]);
    let number =
        |column: usize| -> anyhow::Result<u64> { at(column)?.id().with_context(named(column)) };
    // A whole number of the ledger ends at 2^63 - 1, an unsigned one of MySQL at twice that.
    let stored_id = |column: usize| -> anyhow::Result<u64> {
        let id = number(column)?;
        let name = SELECTED[column];
        ensure!(
            i64::try_from(id).is_ok(),
            "column {name}: {id} is too large for an id"
        );
        Ok(id)
    };
    let moment = |column: usize| -> anyhow::Result<i64> {
        at(column)?
            .moment()
            .with_context(named(column))?
            .with_context(|| format!("{} is NULL", SELECTED[column]))
    };
    let small = |column: usize| -> anyhow::Result<Option<u32>> {
        let value = at(column)?.unsigned().with_context(named(column))?;
        value
            .map(u32::try_from)
            .transpose()
            .with_context(named(column))
    };
    let usage_type = small(3)?;
    let particulars = match usage_type {
        Some(1 | 2) => Particulars::VmSize(VmSize {
            vcpus: small(16)?.and_then(NonZeroU32::new),
            mhz: small(15)?.and_then(NonZeroU32::new),
            memory_mib: small(17)?.and_then(NonZeroU32::new),
        }),
        Some(4 | 5) if at(9)? == Field::Text(b"UserVm") => Particulars::VmTraffic,
        Some(4 | 5) => match stored_id(11)? {
            0 => Particulars::RouterTraffic,
            network => Particulars::NetworkTraffic(network),
        },
        _ => match at(10)?.unsigned().with_context(named(10))? {
            Some(size) => Particulars::Size(size),
            None => Particulars::None,
        },
    };
    let raw_usage = at(4)?.real().with_context(named(4))?;
    let (first, last) = (moment(13)?, moment(14)?);
    let (start, end) = window(first, last, raw_usage)?;
    let usage_id = stored_id(8)?;
    if usage_type == Some(3) && !addresses.contains_key(&usage_id) {
        let description = at(12)?.text()?.unwrap_or_default();
        if let Some(address) = description.strip_prefix("IPAddress: ") {
            addresses.insert(usage_id, address.trim().to_owned());
        }
    }
    let raw_is_hours = match at(DISPLAY)? {
        Field::Text(display) => display.ends_with(b"Hrs"),
        _ => true,
    };
    Ok(UsageRow {
        id,
        zone_id: small(1)?.unwrap_or(0),
        account_id: stored_id(2)?,
        domain_id: small(21)?.unwrap_or(0),
        usage_type,
        raw_usage,
        offering_id: stored_id(6)?,
        template_id: number(7)?,
        usage_id,
        particulars,
        start,
        end,
        vm_id: stored_id(5)?,
        hidden: number(19)? != 0,
        raw_is_hours,
        backwards: last < first,
        identity: identity(row, usage_type, hasher)?,
    })
}
