//! Reads `cloud_usage`: the rows of a day.

use std::collections::HashMap;

use anyhow::{Context, ensure};

use super::fingerprint::Fingerprint;
use super::probe::Columns;
use super::{Connection, Field, Row};
use crate::aggregate::window::DayBounds;
use crate::row::{BadRow, Identity, IdentityHasher, UsageRow};
use crate::words::counted;

/// CloudStack's daily aggregation range, in minutes.
const DAILY_RANGE: i64 = 1440;

/// How much longer than the aggregation range a window may be: a DST change, and the minute that is glued on.
const RANGE_SLACK_MINUTES: i64 = 61;

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
const SELECTED: [&str; 21] = [
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
    "virtual_size",
    "cpu_speed",
    "cpu_cores",
    "memory",
    "state",
    "is_hidden",
];
const DISPLAY: usize = SELECTED.len();

pub struct UsageReader {
    rows_sql: String,
    spill_sql: String,
    /// Whether `usage_job` can be read.
    pub(super) jobs: bool,
    backups: bool,
    undated_rows: u64,
    /// CloudStack's aggregation range, a day at least, in seconds.
    range_seconds: i64,
    /// No window is longer than this, in seconds.
    longest_window: i64,
}

/// The text of an address by its `user_ip_address.id`, from the rows' descriptions.
pub type Addresses = HashMap<u64, String>;

impl UsageReader {
    /// Looks at the schema. `range` is CloudStack's aggregation range in minutes where it is known.
    pub fn probe(usage: &mut dyn Connection, range: Option<i64>) -> anyhow::Result<UsageReader> {
        let columns = columns(usage)?;
        let selected = columns.select_list(&SELECTED);
        let rows_sql = format!(
            "select {selected}, case when usage_type = 28 then usage_display end \
             from cloud_usage where end_date >= ? and end_date < ?"
        );
        let spill_sql = format!("{rows_sql} and start_date < ?");
        let jobs =
            Columns::of(usage, "usage_job")?.have(&["start_millis", "end_millis", "success"]);
        let range_seconds = range.unwrap_or(DAILY_RANGE).max(DAILY_RANGE) * 60;
        let longest_window =
            range_seconds.max(longest_recent_window(usage)?) + RANGE_SLACK_MINUTES * 60;
        Ok(UsageReader {
            rows_sql,
            spill_sql,
            jobs,
            // The column came with CloudStack 4.15, backups with 4.14.
            backups: columns.has("is_hidden"),
            undated_rows: count_undated(usage)?,
            range_seconds,
            longest_window,
        })
    }

    /// CloudStack's aggregation range, a day at least.
    pub fn range_seconds(&self) -> i64 {
        self.range_seconds
    }

    /// No window is longer than this, in seconds.
    pub fn longest_window(&self) -> i64 {
        self.longest_window
    }

    /// Leaves out the rows of all other accounts.
    pub fn narrow_to(&mut self, account_id: u64) {
        for sql in [&mut self.rows_sql, &mut self.spill_sql] {
            sql.push_str(&format!(" and account_id = {account_id}"));
        }
    }

    /// What is done without.
    pub fn limitations(&self) -> Vec<String> {
        let sentence = "cloud_usage: usage_job cannot be read: a day counts as closed once a usage row ends on its \
                        last second, and a stuck usage server goes unnoticed";
        let mut sentences = Vec::new();
        if !self.jobs {
            sentences.push(sentence.to_owned());
        }
        if self.undated_rows > 0 {
            sentences.push(format!(
                "cloud_usage: {} on no day, for want of an end_date that can be",
                counted(self.undated_rows, "row")
            ));
        }
        sentences
    }

    /// Whether this CloudStack is new enough to have backup offerings.
    pub fn may_have_backups(&self) -> bool {
        self.backups
    }

    /// The rows whose windows touch the day: those that end on it, and those that start before its end and
    /// end after. The second kind is rare, and looking for it costs a read of the next day, so three index
    /// look-ups first tell whether there can be any. Windows longer than today's settings make them, as
    /// former settings did, are found where no other starts before they end.
    pub fn read_rows(
        &self,
        usage: &mut dyn Connection,
        day: DayBounds,
        fingerprint: &Fingerprint,
    ) -> anyhow::Result<(Vec<UsageRow>, Addresses)> {
        let mut rows = Vec::new();
        // Grown as it fills, it would take up to twice of what a large day needs.
        rows.reserve_exact(usize::try_from(fingerprint.rows)?);
        let mut addresses = Addresses::new();
        let mut hasher = IdentityHasher::default();
        let mut keep = |row: &dyn Row| -> anyhow::Result<()> {
            let row = usage_row(row, &mut addresses, &mut hasher)?;
            rows.push(row);
            Ok(())
        };
        let DayBounds { start, end } = day;
        match fingerprint.close_ids() {
            Some((first, last)) => {
                let sql = format!("{} and id between {first} and {last}", self.rows_sql);
                usage.query(&sql, &[start, end], &mut keep)?;
            }
            None => usage.query(&self.rows_sql, &[start, end], &mut keep)?,
        }
        let last_start = one_moment(
            usage,
            "select max(start_date) from cloud_usage where start_date < ? and start_date >= '1970-01-02'",
            &[end],
        )?;
        let next_end = one_moment(
            usage,
            "select min(end_date) from cloud_usage where end_date >= ?",
            &[end],
        )?;
        let next_start = one_moment(
            usage,
            "select min(start_date) from cloud_usage where start_date >= ?",
            &[end],
        )?;
        if let (Some(last_start), Some(next_end)) = (last_start, next_end) {
            let started_before = next_start.is_none_or(|next_start| next_start > next_end);
            if started_before || next_end - last_start < self.longest_window {
                let read_ahead = (end + self.longest_window).max(next_end + 1);
                usage.query(&self.spill_sql, &[end, read_ahead, end], &mut keep)?;
            }
        }
        Ok((rows, addresses))
    }
}

/// The columns of the usage table; fails if there are too few, or if one that figures depend on may not be read.
pub(super) fn columns(usage: &mut dyn Connection) -> anyhow::Result<Columns> {
    let columns = Columns::of(usage, "cloud_usage")?;
    columns.require(&REQUIRED)?;
    columns.insist(usage, &SELECTED)?;
    Ok(columns)
}

/// The first instant any row tells of.
pub fn first_start(usage: &mut dyn Connection) -> anyhow::Result<Option<i64>> {
    let sql = "select min(start_date) from cloud_usage where start_date >= '1970-01-02'";
    one_moment(usage, sql, &[])
}

/// The oldest `end_date`: what ended before has been purged, or never was.
pub fn oldest_end(usage: &mut dyn Connection) -> anyhow::Result<Option<i64>> {
    let sql = "select min(end_date) from cloud_usage where end_date >= '1970-01-02'";
    one_moment(usage, sql, &[])
}

/// The longest window among the newest rows, in seconds, for a CloudStack whose settings cannot be read.
fn longest_recent_window(usage: &mut dyn Connection) -> anyhow::Result<i64> {
    let mut longest = 0;
    usage.query(
        "select start_date, end_date from cloud_usage order by id desc limit 1000",
        &[],
        &mut |row| {
            // A date that is none says nothing of lengths; it is reported when its day is read.
            let moment = |column| row.field(column).and_then(Field::moment).ok().flatten();
            if let (Some(start), Some(end)) = (moment(0), moment(1)) {
                longest = longest.max(end + 1 - start);
            }
            Ok(())
        },
    )?;
    Ok(longest)
}

/// How many rows end on no day that there is: CloudStack writes none, but MySQL holds `0000-00-00`.
fn count_undated(usage: &mut dyn Connection) -> anyhow::Result<u64> {
    let sql = "select count(*) from cloud_usage where end_date < '1970-01-02'";
    let mut rows = 0;
    usage.query(sql, &[], &mut |row| {
        rows = row.field(0)?.id()?;
        Ok(())
    })?;
    Ok(rows)
}

pub(super) fn one_moment(
    usage: &mut dyn Connection,
    sql: &str,
    moments: &[i64],
) -> anyhow::Result<Option<i64>> {
    let mut moment = None;
    usage.query(sql, moments, &mut |row| {
        moment = row.field(0)?.moment()?;
        Ok(())
    })?;
    Ok(moment)
}

/// Reads one row; errors name its id.
fn usage_row(
    row: &dyn Row,
    addresses: &mut Addresses,
    hasher: &mut IdentityHasher,
) -> anyhow::Result<UsageRow> {
    let id = row.field(0)?.id().context("cloud_usage column id")?;
    read_fields(row, id, addresses, hasher)
        .map_err(|err| BadRow(format!("cloud_usage row {id}: {err:#}")).into())
}

fn read_fields(
    row: &dyn Row,
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
            .with_context(named(column))
    };
    let usage_type = at(3)?
        .unsigned()?
        .map(u32::try_from)
        .transpose()
        .with_context(named(3))?;
    let (start, end) = (moment(13)?, moment(14)? + 1);
    ensure!(start < end, "the window ends before it starts");
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
        zone_id: u32::try_from(number(1)?).with_context(named(1))?,
        account_id: stored_id(2)?,
        usage_type,
        raw_usage: at(4)?.real().with_context(named(4))?,
        offering_id: stored_id(6)?,
        template_id: number(7)?,
        usage_id,
        size: at(10)?.unsigned().with_context(named(10))?,
        start,
        end,
        of_vm: number(5)? != 0,
        hidden: number(20)? != 0,
        raw_is_hours,
        identity: identity(row, usage_type, hasher)?,
    })
}

const USAGE_TYPE: [usize; 1] = [3];
/// Columns that make up a row's identity besides its usage type; see `Identity`.
const IDENTITY: [usize; 13] = [1, 2, 5, 6, 7, 8, 9, 11, 12, 16, 17, 18, 19];
/// Size and virtual size, which a backup's replay writes anew and so do not tell backups apart.
const SIZES: [usize; 2] = [10, 15];

fn identity(
    row: &dyn Row,
    usage_type: Option<u32>,
    hasher: &mut IdentityHasher,
) -> anyhow::Result<Identity> {
    let sizes: &[usize] = if usage_type == Some(28) { &[] } else { &SIZES };
    for column in USAGE_TYPE.iter().chain(&IDENTITY).chain(sizes) {
        match row.field(*column)? {
            Field::Null => hasher.missing(),
            Field::Integer(number) => hasher.number(number.cast_unsigned()),
            Field::Unsigned(number) => hasher.number(number),
            Field::Text(text) => hasher.text(text),
            Field::Real(number) => hasher.number(number.to_bits()),
            Field::Moment(seconds) => hasher.number(seconds.cast_unsigned()),
        }
    }
    Ok(hasher.finish())
}
