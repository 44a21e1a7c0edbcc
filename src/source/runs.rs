//! Which runs of the usage server wrote a day again, from `usage_job`. A job's row has the range it covered, not its
//! rows. But no run ends where an earlier one did, so the first row that ends with a job's range is the job's; and the
//! rows of a job that goes back begin with the first behind those of the run before it that starts with its range. A few
//! look-ups by index, for each job that went back and only then.

use std::collections::HashMap;

use anyhow::Context;

use super::usage::first_start;
use crate::aggregate::runs::{Rewind, Runs, SameWindow};
use crate::aggregate::window::DayBounds;
use crate::db::{Connection, Params, SqlValue, params};

/// How many jobs without rows are passed over in search of the run before: a year of idle hours.
const JOBS_PASSED_OVER: u32 = 9_000;

/// VM snapshots have dates of their own, and say nothing about windows.
const OF_A_WINDOW: &str = "coalesce(usage_type, 0) not in (25, 27)";

/// A successful job.
#[derive(Clone, Copy, Debug)]
struct Job {
    id: u64,
    start_millis: u64,
    /// The last millisecond of its range.
    end_millis: u64,
}

impl Job {
    /// The second its first window starts with, as rows have it: milliseconds are cut off.
    fn start(self) -> anyhow::Result<i64> {
        Ok(i64::try_from(self.start_millis / 1000)?)
    }

    /// `end_date` of its last rows.
    fn last_second(self) -> anyhow::Result<i64> {
        Ok(i64::try_from(self.end_millis / 1000)?)
    }
}

/// What one job does to the rows before it.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// It has no rows.
    None,
    /// The lowest id of its rows.
    Rewind(u64),
    /// Its first window is the last one of the run before, whose first row is `from_id`; the first row that is surely its
    /// own is `before_id`.
    SameWindow {
        from_id: u64,
        before_id: u64,
    },
    Disordered,
}

/// Remembers what jobs do, as one that went back is asked for with every day it covers.
#[derive(Default)]
pub struct RunReader {
    effects: HashMap<u64, Effect>,
}

impl RunReader {
    /// The runs that wrote parts of a day again. Runs that start up to `longest_window` seconds after it can cut a row
    /// that spans its end.
    pub fn read(
        &mut self,
        usage: &Connection,
        day: DayBounds,
        longest_window: i64,
    ) -> anyhow::Result<Runs> {
        let jobs = list_jobs(usage, day.start, day.end + longest_window)?;
        let mut runs = Runs {
            known: follow_on(usage, &jobs)?,
            ..Runs::default()
        };
        if !runs.known {
            return Ok(runs);
        }
        let mut later: Vec<i64> = Vec::new();
        // From the newest on: of those that start at one instant the first makes a difference, the second as it ends the
        // rows of the first, and the last; of those that start no later than the day the last alone.
        for (place, job) in jobs.iter().enumerate().rev() {
            let covered = jobs[..place].iter().map(|earlier| earlier.end_millis).max();
            let Some(covered) = covered.filter(|covered| job.start_millis <= *covered) else {
                continue;
            };
            let since = job.start()?;
            let earlier = jobs[1..place].iter();
            let earlier = earlier.filter(|earlier| earlier.start_millis == job.start_millis);
            let whole_day_again = later.iter().any(|later| *later <= day.start.min(since));
            let between = later.contains(&since) && earlier.count() > 1;
            if whole_day_again || between {
                continue;
            }
            let covered_until = i64::try_from(covered / 1000)? + 1;
            match self.effect(usage, *job)? {
                Effect::None => continue,
                Effect::Rewind(first_id) => runs.rewinds.push(Rewind {
                    first_id,
                    since,
                    covered_until,
                    job: Some(job.id),
                }),
                Effect::SameWindow { from_id, before_id } => runs.same_windows.push(SameWindow {
                    from_id,
                    before_id,
                    since,
                    covered_until,
                    job: job.id,
                }),
                Effect::Disordered => {
                    runs.disordered.push(job.id);
                    continue;
                }
            }
            later.push(since);
        }
        runs.rewinds.reverse();
        runs.same_windows.reverse();
        Ok(runs)
    }

    fn effect(&mut self, usage: &Connection, job: Job) -> anyhow::Result<Effect> {
        if let Some(effect) = self.effects.get(&job.id) {
            return Ok(*effect);
        }
        let effect = find_effect(usage, job).with_context(|| format!("usage_job {}", job.id))?;
        self.effects.insert(job.id, effect);
        Ok(effect)
    }
}

/// Whether the first of the jobs goes on where another one ended, or before, or is the first there was. If not, jobs are
/// missing, and so may be those that wrote the day first.
fn follow_on(usage: &Connection, jobs: &[Job]) -> anyhow::Result<bool> {
    let Some(first) = jobs.first() else {
        return Ok(false);
    };
    match jobs_before(usage, *first, 1)?.first() {
        Some(before) => Ok(first.start_millis <= before.end_millis + 1),
        None => {
            let begins = first_start(usage)?;
            let start = first.start()?;
            Ok(begins.is_none_or(|begins| begins >= start))
        }
    }
}

fn find_effect(usage: &Connection, job: Job) -> anyhow::Result<Effect> {
    let last = first_row_that_ends(usage, job.last_second()?)?;
    let Some((before, before_first)) = run_before(usage, job)? else {
        return Ok(Effect::None);
    };
    if last.is_some_and(|last| last < before_first) {
        return Ok(Effect::Disordered);
    }
    let Some((window_start, window_end)) = window_of(usage, before_first)? else {
        return Ok(Effect::None);
    };
    let since = job.start()?;
    // A job that ends where another one did has no row of its own that shows its end.
    let up_to = last
        .filter(|last| *last > before_first)
        .unwrap_or(i64::MAX.unsigned_abs());
    // The rows of this job and later ones that can show where it begins.
    let behind = format!("id > :first and id <= :up_to and {OF_A_WINDOW}");
    let ids = [
        (":first", SqlValue::from(before_first)),
        (":up_to", SqlValue::from(up_to)),
    ];
    let [first, up_to] = ids;
    let window = [
        (":start", SqlValue::Moment(window_start)),
        (":end", SqlValue::Moment(window_end)),
    ];
    let [start, end] = window;
    let since_start = (":since", SqlValue::Moment(since));
    let sql = format!(
        "select id from cloud_usage where start_date = :since and not (start_date = :start and end_date = :end) \
         and {behind} order by id limit 1"
    );
    let params = [
        first.clone(),
        up_to.clone(),
        start.clone(),
        end.clone(),
        since_start.clone(),
    ];
    if let Some(first_id) = one_id(usage, &sql, &params)? {
        return Ok(Effect::Rewind(first_id));
    }
    if since == window_start {
        let sql = format!(
            "select id from cloud_usage where {behind} and (start_date <> :start or end_date <> :end) \
             order by id limit 1"
        );
        let before_id = one_id(usage, &sql, &[first, up_to, start, end])?;
        return Ok(Effect::SameWindow {
            from_id: before_first,
            before_id: before_id.unwrap_or(u64::MAX),
        });
    }
    // Its first windows have no rows, or these are purged: then it begins with the first that goes back.
    let sql = format!(
        "select id from cloud_usage where {behind} and start_date > :since and start_date < :last \
         and (start_date <> :start or end_date <> :end) order by id limit 1"
    );
    let last = (":last", SqlValue::Moment(before.last_second()?));
    let found = one_id(usage, &sql, &[first, up_to, start, end, since_start, last])?;
    Ok(found.map_or(Effect::None, Effect::Rewind))
}

/// Successful jobs whose ranges have a part between two instants, in the order they ran.
fn list_jobs(usage: &Connection, start: i64, end: i64) -> anyhow::Result<Vec<Job>> {
    let (start, end) = (start.saturating_mul(1000), end.saturating_mul(1000));
    let sql = "select id, start_millis, end_millis from usage_job \
               where success = 1 and end_millis >= :start and start_millis < :end order by id";
    jobs(usage, sql, params! {":start": start, ":end": end})
}

/// So many of the newest successful jobs before one, the newest first.
fn jobs_before(usage: &Connection, job: Job, most: u32) -> anyhow::Result<Vec<Job>> {
    let sql = "select id, start_millis, end_millis from usage_job \
               where success = 1 and end_millis > 0 and id < :id order by id desc limit :most";
    jobs(usage, sql, params! {":id": job.id, ":most": most})
}

fn jobs(usage: &Connection, sql: &str, params: Params) -> anyhow::Result<Vec<Job>> {
    usage.list(sql, params, |row| {
        Ok(Job {
            id: row.field(0)?.id()?,
            start_millis: row.field(1)?.id()?,
            end_millis: row.field(2)?.id()?,
        })
    })
}

/// The newest job before one that has rows which end with its range, and the first of these.
fn run_before(usage: &Connection, job: Job) -> anyhow::Result<Option<(Job, u64)>> {
    for before in jobs_before(usage, job, JOBS_PASSED_OVER)? {
        if let Some(first) = first_row_that_ends(usage, before.last_second()?)? {
            return Ok(Some((before, first)));
        }
    }
    Ok(None)
}

fn first_row_that_ends(usage: &Connection, second: i64) -> anyhow::Result<Option<u64>> {
    let sql = format!(
        "select id from cloud_usage where end_date = :second and {OF_A_WINDOW} order by id limit 1"
    );
    one_id(usage, &sql, params! {":second": SqlValue::Moment(second)})
}

/// Its first and last second.
fn window_of(usage: &Connection, id: u64) -> anyhow::Result<Option<(i64, i64)>> {
    let sql = "select start_date, end_date from cloud_usage where id = :id";
    let window = usage.find(sql, params! {":id": id}, |row| {
        Ok(row.field(0)?.moment()?.zip(row.field(1)?.moment()?))
    });
    Ok(window?.flatten())
}

fn one_id(usage: &Connection, sql: &str, params: Params) -> anyhow::Result<Option<u64>> {
    let id = usage.find(sql, params, |row| row.field(0)?.unsigned());
    Ok(id?.flatten())
}
