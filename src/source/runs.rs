//! Which runs of the usage server wrote a day again, from `usage_job`. A job's row tells the range it covered, not
//! its rows; but no run ends where an earlier one did, so the first row that ends with a job's range is the job's, and
//! a later job's rows begin with the first one behind it of another window. Four look-ups by index and a walk along the
//! rows of one window, for each job that went back and only then.

use std::collections::HashMap;

use anyhow::Context;

use super::Connection;
use crate::aggregate::runs::{Rewind, Runs, SameWindow};
use crate::aggregate::window::DayBounds;

/// How many jobs without rows are passed over in search of the run before.
const JOBS_PASSED_OVER: usize = 20;

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
    Rewind(Rewind),
    SameWindow(SameWindow),
    Disordered,
}

/// Remembers what jobs do, as one that went back is asked for with every day it covers.
#[derive(Default)]
pub struct RunReader {
    effects: HashMap<u64, Effect>,
}

impl RunReader {
    /// The runs that wrote parts of a day again.
    pub fn read(&mut self, usage: &mut dyn Connection, day: DayBounds) -> anyhow::Result<Runs> {
        let jobs = list_jobs(usage, day)?;
        let mut runs = Runs {
            known: !jobs.is_empty(),
            ..Runs::default()
        };
        // From the newest on: one that starts no earlier than a later one makes no difference.
        let mut since = u64::MAX;
        for (place, job) in jobs.iter().enumerate().rev() {
            let covered = jobs[..place].iter().map(|earlier| earlier.end_millis).max();
            let goes_back = covered.is_some_and(|covered| job.start_millis <= covered);
            if !goes_back || job.start_millis >= since {
                continue;
            }
            let earlier = &jobs[1.min(place)..place];
            let repeated = earlier
                .iter()
                .any(|earlier| earlier.start_millis == job.start_millis);
            match self.effect(usage, *job)? {
                Effect::None => continue,
                Effect::Rewind(rewind) => runs.rewinds.push(Rewind { repeated, ..rewind }),
                Effect::SameWindow(same) => runs.same_windows.push(SameWindow { repeated, ..same }),
                Effect::Disordered => {
                    runs.disordered.push(job.id);
                    continue;
                }
            }
            since = job.start_millis;
        }
        runs.rewinds.reverse();
        runs.same_windows.reverse();
        Ok(runs)
    }

    fn effect(&mut self, usage: &mut dyn Connection, job: Job) -> anyhow::Result<Effect> {
        if let Some(effect) = self.effects.get(&job.id) {
            return Ok(*effect);
        }
        let effect = find_effect(usage, job).with_context(|| format!("usage_job {}", job.id))?;
        self.effects.insert(job.id, effect);
        Ok(effect)
    }
}

fn find_effect(usage: &mut dyn Connection, job: Job) -> anyhow::Result<Effect> {
    let last = first_row_that_ends(usage, job.last_second()?)?;
    let Some((before, before_first)) = run_before(usage, job)? else {
        return Ok(Effect::None);
    };
    let since = job.start()?;
    // Where the end of what earlier runs had covered is the end of a second.
    let covered_until = before.last_second()? + 1;
    if last.is_some_and(|last| last < before_first) {
        return Ok(Effect::Disordered);
    }
    let Some((window_start, window_end)) = window_of(usage, before_first)? else {
        return Ok(Effect::None);
    };
    // A job whose last windows have no rows is found by its first one.
    let reaches = match last {
        Some(last) if last > before_first => Some(last),
        Some(_) => None,
        None => first_row_that_starts(usage, since, before_first)?,
    };
    let first = match reaches {
        Some(reaches) => {
            let window = [window_start, window_end];
            first_row_of_another_window(usage, before_first, reaches, window)?
        }
        None => None,
    };
    Ok(match (first, since == window_start) {
        (before_id, true) => Effect::SameWindow(SameWindow {
            from_id: before_first,
            before_id: before_id.unwrap_or(u64::MAX),
            since,
            covered_until,
            job: job.id,
            repeated: false,
        }),
        // Rows of the previous job are purged or moved: which of the others are this one's is not known.
        (Some(first_id), false)
            if window_of(usage, first_id)?.is_none_or(|window| window.0 != since) =>
        {
            Effect::Disordered
        }
        (Some(first_id), false) => Effect::Rewind(Rewind {
            first_id,
            since,
            covered_until,
            job: Some(job.id),
            repeated: false,
        }),
        (None, false) => Effect::None,
    })
}

/// Successful jobs whose ranges have a part in the day, in the order they ran.
fn list_jobs(usage: &mut dyn Connection, day: DayBounds) -> anyhow::Result<Vec<Job>> {
    let (start, end) = (day.start.saturating_mul(1000), day.end.saturating_mul(1000));
    let sql = format!(
        "select id, start_millis, end_millis from usage_job \
         where success = 1 and end_millis >= {start} and start_millis < {end} order by id"
    );
    jobs(usage, &sql)
}

fn jobs(usage: &mut dyn Connection, sql: &str) -> anyhow::Result<Vec<Job>> {
    let mut jobs = Vec::new();
    usage.query(sql, &[], &mut |row| {
        jobs.push(Job {
            id: row.field(0)?.id()?,
            start_millis: row.field(1)?.id()?,
            end_millis: row.field(2)?.id()?,
        });
        Ok(())
    })?;
    Ok(jobs)
}

/// The newest job before one that has rows which end with its range, and the first of these.
fn run_before(usage: &mut dyn Connection, job: Job) -> anyhow::Result<Option<(Job, u64)>> {
    let sql = format!(
        "select id, start_millis, end_millis from usage_job \
         where success = 1 and end_millis > 0 and id < {} order by id desc limit {JOBS_PASSED_OVER}",
        job.id
    );
    for before in jobs(usage, &sql)? {
        if let Some(first) = first_row_that_ends(usage, before.last_second()?)? {
            return Ok(Some((before, first)));
        }
    }
    Ok(None)
}

fn first_row_that_ends(usage: &mut dyn Connection, second: i64) -> anyhow::Result<Option<u64>> {
    let sql = "select min(id) from cloud_usage where end_date = ?";
    one_id(usage, sql, &[second])
}

fn first_row_that_starts(
    usage: &mut dyn Connection,
    second: i64,
    after: u64,
) -> anyhow::Result<Option<u64>> {
    let sql = format!("select min(id) from cloud_usage where start_date = ? and id > {after}");
    one_id(usage, &sql, &[second])
}

/// Its first and last second.
fn window_of(usage: &mut dyn Connection, id: u64) -> anyhow::Result<Option<(i64, i64)>> {
    let sql = format!("select start_date, end_date from cloud_usage where id = {id}");
    let mut window = None;
    usage.query(&sql, &[], &mut |row| {
        window = row.field(0)?.moment()?.zip(row.field(1)?.moment()?);
        Ok(())
    })?;
    Ok(window)
}

/// VM snapshots (25, 27) have dates of their own and tell nothing of windows.
fn first_row_of_another_window(
    usage: &mut dyn Connection,
    after: u64,
    up_to: u64,
    window: [i64; 2],
) -> anyhow::Result<Option<u64>> {
    let sql = format!(
        "select id from cloud_usage where id > {after} and id <= {up_to} \
         and (start_date <> ? or end_date <> ?) and coalesce(usage_type, 0) not in (25, 27) \
         order by id limit 1"
    );
    one_id(usage, &sql, &window)
}

fn one_id(usage: &mut dyn Connection, sql: &str, moments: &[i64]) -> anyhow::Result<Option<u64>> {
    let mut id = None;
    usage.query(sql, moments, &mut |row| {
        id = row.field(0)?.unsigned()?;
        Ok(())
    })?;
    Ok(id)
}
