//! Reads `cloud_usage`: the rows of a day.

use std::collections::HashMap;

use super::probe::Columns;
use super::usage_row::{Addresses, columns, select_list, usage_row};
use crate::aggregate::runs::{Rewind, Rewinds, Runs};
use crate::aggregate::window::{DayBounds, GLUED_SECONDS};
use crate::cloud::Fingerprint;
use crate::db::{Connection, Field, Params, Row, SqlValue, params};
use crate::plural::plural;
use crate::resource::ResourceKind;
use crate::row::{Identity, IdentityHasher, UsageRow};

/// CloudStack's daily aggregation range, in minutes.
const DAILY_RANGE: i64 = 1440;

/// How much longer than the aggregation range a window may be: a DST change, and the minute that is glued on.
const RANGE_SLACK_MINUTES: i64 = 61;

/// 9999-12-31 00:00:00 UTC: no `end_date` is later.
const LAST_MOMENT: i64 = 253_402_214_400;

pub struct UsageReader {
    rows_sql: String,
    overhang_sql: String,
    /// Whether `usage_job` can be read.
    pub(super) jobs: bool,
    backups: bool,
    vm_snapshots: bool,
    buckets: bool,
    undated_rows: u64,
    /// CloudStack's aggregation range, a day at least, in seconds.
    range_seconds: i64,
    /// No window is longer than this, in seconds.
    longest_window: i64,
    /// The only accounts whose rows are asked for.
    account_ids: Option<Vec<u64>>,
    /// What `last_ends` has answered, with the first row of the run.
    snapshot_ends: Option<(u64, HashMap<Identity, i64>)>,
}

/// What was read of a day.
pub struct DayRows {
    pub rows: Vec<UsageRow>,
    pub rewinds: Rewinds,
    pub addresses: Addresses,
}

impl UsageReader {
    /// Looks at the schema. `range` is CloudStack's aggregation range in minutes where it is known.
    pub fn probe(usage: &Connection, range: Option<i64>) -> anyhow::Result<UsageReader> {
        let columns = columns(usage)?;
        let selected = select_list(&columns);
        let rows_sql = format!(
            "select {selected} from cloud_usage where end_date >= :from and end_date < :to"
        );
        let overhang_sql = format!("{rows_sql} and start_date < :before");
        let jobs =
            Columns::of(usage, "usage_job")?.have(&["start_millis", "end_millis", "success"]);
        let range_seconds = range.unwrap_or(DAILY_RANGE).max(DAILY_RANGE) * 60;
        let longest_window =
            range_seconds.max(longest_recent_window(usage)?) + RANGE_SLACK_MINUTES * 60;
        Ok(UsageReader {
            rows_sql,
            overhang_sql,
            jobs,
            // The column came with CloudStack 4.15, backups with 4.14.
            backups: columns.has("is_hidden"),
            // Both came with CloudStack 4.2.
            vm_snapshots: columns.has("virtual_size"),
            // The column came with CloudStack 4.19.1, buckets with 4.19.
            buckets: columns.has("state"),
            undated_rows: count_undated(usage)?,
            range_seconds,
            longest_window,
            account_ids: None,
            snapshot_ends: None,
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
    pub fn narrow_to(&mut self, account_ids: Vec<u64>) {
        self.account_ids = Some(account_ids);
    }

    /// What is done without.
    pub fn limitations(&self) -> Vec<String> {
        let sentence = "cloud_usage: usage_job cannot be read: a day counts as closed once a usage row ends on its \
                        last second, a stuck usage server goes unnoticed, and runs that write days again are told from \
                        rows alone";
        let mut sentences = Vec::new();
        if !self.jobs {
            sentences.push(sentence.to_owned());
        }
        if self.undated_rows > 0 {
            sentences.push(format!(
                "cloud_usage: {} on no day, for want of an end_date that can be",
                plural(self.undated_rows, "row")
            ));
        }
        sentences
    }

    /// Whether this CloudStack is new enough to have backup offerings.
    pub fn may_have_backups(&self) -> bool {
        self.backups
    }

    /// Whether this CloudStack is new enough to have a kind of resource.
    pub fn may_have(&self, kind: ResourceKind) -> bool {
        match kind {
            ResourceKind::VmSnapshot => self.vm_snapshots,
            ResourceKind::Bucket => self.buckets,
            _ => true,
        }
    }

    /// The rows whose windows touch the day: those that end on it, and those that start before its end and
    /// end after. The second kind is rare, and looking for it costs a read of the next day, so three index
    /// look-ups first show whether there can be any. Windows longer than today's settings make them, as
    /// former settings did, are found where no other starts before they end.
    pub fn read_rows(
        &mut self,
        usage: &Connection,
        day: DayBounds,
        runs: &Runs,
        fingerprint: &Fingerprint,
    ) -> anyhow::Result<DayRows> {
        let mut rows = Vec::new();
        // Grown as it fills, it would take up to twice of what a large day needs.
        rows.reserve_exact(usize::try_from(fingerprint.rows)?);
        let mut addresses = Addresses::new();
        let mut hasher = IdentityHasher::default();
        let mut keep = |row: &Row| -> anyhow::Result<()> {
            let row = usage_row(row, &mut addresses, &mut hasher)?;
            rows.push(row);
            Ok(())
        };
        let DayBounds { start, end } = day;
        // Runs that only rows show are inferred from the rows of all accounts.
        let only = self.account_ids.as_ref();
        let narrowed = match only.filter(|_| !runs.need_all_rows()) {
            Some(ids) => {
                let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
                format!(" and account_id in ({})", ids.join(", "))
            }
            None => String::new(),
        };
        let rows_sql = format!("{}{narrowed}", self.rows_sql);
        let overhang_sql = format!("{}{narrowed}", self.overhang_sql);
        match fingerprint.close_ids() {
            Some((first, last)) => {
                let sql = format!("{rows_sql} and id between {first} and {last}");
                usage.each(&sql, &within(start, end), &mut keep)?;
            }
            None => usage.each(&rows_sql, &within(start, end), &mut keep)?,
        }
        let last_start = one_moment(
            usage,
            "select max(start_date) from cloud_usage where start_date < :end and start_date >= '1970-01-02'",
            params! {":end": SqlValue::Moment(end)},
        )?;
        let next_end = one_moment(
            usage,
            "select min(end_date) from cloud_usage where end_date >= :end",
            params! {":end": SqlValue::Moment(end)},
        )?;
        let next_start = one_moment(
            usage,
            "select min(start_date) from cloud_usage where start_date >= :end",
            params! {":end": SqlValue::Moment(end)},
        )?;
        if let (Some(last_start), Some(next_end)) = (last_start, next_end) {
            let started_before = next_start.is_none_or(|next_start| next_start > next_end);
            if started_before || next_end - last_start < self.longest_window {
                let read_ahead = (end + self.longest_window).max(next_end + 1);
                usage.each(&overhang_sql, &overhanging(end, read_ahead, end), &mut keep)?;
            }
        }
        // What counts of windows that reach out of the day depends on the rows of other runs there.
        let (mut from, mut to) = (start, end);
        for row in &rows {
            from = from.min(row.start);
            to = to.max(row.end);
        }
        let mut keep = |row: &Row| -> anyhow::Result<()> {
            let row = usage_row(row, &mut addresses, &mut hasher)?;
            // The others are here already.
            if row.end <= start || row.start >= end {
                rows.push(row);
            }
            Ok(())
        };
        // A counter's amount of the day before may be in a window that is glued to its last seconds.
        let glued = (1..=GLUED_SECONDS).contains(&(start - from));
        if runs.wrote_again() || glued {
            if from < start {
                usage.each(&rows_sql, &within(from, start), &mut keep)?;
            }
            if to > end {
                usage.each(&overhang_sql, &overhanging(end, to + 1, to), &mut keep)?;
            }
        }
        let mut rewinds = Rewinds::of(runs, &mut rows);
        if let Some(run) = rewinds.to_ask_for_snapshots(&rows) {
            rewinds.last_ends = self.last_ends(usage, run)?;
        }
        if let Some(ids) = &self.account_ids {
            rows.retain(|row| ids.contains(&row.account_id));
        }
        Ok(DayRows {
            rows,
            rewinds,
            addresses,
        })
    }
}

impl UsageReader {
    /// Where a run's last row ends of each VM snapshot on primary storage. Reads along all that it and later ones have written,
    /// once.
    fn last_ends(
        &mut self,
        usage: &Connection,
        run: &Rewind,
    ) -> anyhow::Result<HashMap<Identity, i64>> {
        if let Some((first_id, ends)) = &self.snapshot_ends
            && *first_id == run.first_id
        {
            return Ok(ends.clone());
        }
        let mut ends: HashMap<Identity, i64> = HashMap::new();
        let (mut addresses, mut hasher) = (Addresses::new(), IdentityHasher::default());
        let sql = format!(
            "{} and usage_type = 27 and id >= {}",
            self.rows_sql, run.first_id
        );
        usage.each(&sql, &within(run.since, LAST_MOMENT), |row| {
            let row = usage_row(row, &mut addresses, &mut hasher)?;
            let end = ends.entry(row.identity).or_insert(row.end);
            *end = row.end.max(*end);
            Ok(())
        })?;
        self.snapshot_ends = Some((run.first_id, ends.clone()));
        Ok(ends)
    }
}

/// The first instant that any row covers.
pub fn first_start(usage: &Connection) -> anyhow::Result<Option<i64>> {
    let sql = "select min(start_date) from cloud_usage where start_date >= '1970-01-02'";
    one_moment(usage, sql, &[])
}

/// The oldest `end_date`: what ended before has been purged, or never was.
pub fn oldest_end(usage: &Connection) -> anyhow::Result<Option<i64>> {
    let sql = "select min(end_date) from cloud_usage where end_date >= '1970-01-02'";
    one_moment(usage, sql, &[])
}

/// The longest window among the newest rows, in seconds, for a CloudStack whose settings cannot be read.
fn longest_recent_window(usage: &Connection) -> anyhow::Result<i64> {
    let mut longest = 0;
    usage.each(
        "select start_date, end_date from cloud_usage order by id desc limit 1000",
        &[],
        |row| {
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
fn count_undated(usage: &Connection) -> anyhow::Result<u64> {
    let sql = "select count(*) from cloud_usage where end_date < '1970-01-02' or end_date is null";
    let mut rows = 0;
    usage.each(sql, &[], |row| {
        rows = row.field(0)?.id()?;
        Ok(())
    })?;
    Ok(rows)
}

/// Rows that end in `from..to`.
fn within(from: i64, to: i64) -> [(&'static str, SqlValue<'static>); 2] {
    [
        (":from", SqlValue::Moment(from)),
        (":to", SqlValue::Moment(to)),
    ]
}

/// The same of those that start before an instant.
fn overhanging(from: i64, to: i64, before: i64) -> [(&'static str, SqlValue<'static>); 3] {
    let [from, to] = within(from, to);
    [from, to, (":before", SqlValue::Moment(before))]
}

pub(super) fn one_moment(
    usage: &Connection,
    sql: &str,
    params: Params,
) -> anyhow::Result<Option<i64>> {
    let moment = usage.find(sql, params, |row| row.field(0)?.moment());
    Ok(moment?.flatten())
}
