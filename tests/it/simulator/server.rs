//! The simulated usage server: each run picks its range, cuts it into windows, and writes for every window
//! one set of rows, as the real one does, late events, replays and all.

use std::collections::BTreeMap;

use super::cloud::{Cloud, Counter, Gauge, Identity, Life};
use super::windows::{Window, cut, hours};

/// One row of `cloud_usage`. The dates are stored to the second (see `zones::stored`).
#[derive(Clone, Debug)]
pub struct Row {
    pub identity: Identity,
    pub raw_usage: f64,
    pub usage_display: String,
    pub window: Window,
}

/// One finished run: a row of `usage_job`, and what the oracle has to know of it.
#[derive(Debug)]
pub struct Run {
    /// What the run covered, moved back by late and stuck events.
    pub range: Window,
    /// The part of the range that no run before had covered.
    pub fresh: Window,
    pub windows: Vec<Window>,
}

pub struct Server<'a> {
    cloud: &'a Cloud,
    /// Length of a window in milliseconds: the aggregation range.
    piece: i64,
    /// Where the next run starts if no event moves it back.
    next: i64,
    /// From 4.22.1 on, an attached volume has a second row with its VM.
    per_vm_volumes: bool,
    /// What each counter had counted, by the instant its reading was stamped with.
    readings: Vec<(i64, Vec<Vec<u64>>)>,
    pub rows: Vec<Row>,
    pub runs: Vec<Run>,
}

impl<'a> Server<'a> {
    pub fn new(cloud: &'a Cloud, piece: i64, start: i64, per_vm_volumes: bool) -> Server<'a> {
        Server {
            cloud,
            piece,
            next: start,
            per_vm_volumes,
            readings: Vec::new(),
            rows: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// One run of the usage server, up to and including the millisecond `end`.
    pub fn run(&mut self, end: i64) {
        let fresh = Window {
            start: self.next,
            end,
        };
        let range = Window {
            start: fresh.start.min(self.oldest_unprocessed(fresh)),
            end,
        };
        let windows = cut(range, self.piece);
        self.read_counters(fresh);
        for window in &windows {
            self.write(*window, end);
        }
        self.next = end + 1;
        self.runs.push(Run {
            range,
            fresh,
            windows,
        });
    }

    /// The oldest event that this run finds unprocessed, without limit into the past.
    fn oldest_unprocessed(&self, fresh: Window) -> i64 {
        let seen = |reported| (fresh.start..=fresh.end).contains(&reported);
        let starts = self.cloud.lives.iter().filter(|life| seen(life.reported));
        let ends = self
            .cloud
            .lives
            .iter()
            .filter(|life| seen(life.end_reported));
        let late = starts
            .map(|life| life.start)
            .chain(ends.map(|life| life.end));
        // The run that finds it repaired goes back to it as well.
        let stuck = self.cloud.stuck.iter();
        let stuck =
            stuck.filter(|stuck| stuck.oldest <= fresh.end && fresh.start <= stuck.repaired);
        late.chain(stuck.map(|stuck| stuck.oldest))
            .min()
            .unwrap_or(fresh.start)
    }

    /// Bytes and requests are one delta, stamped at the end of the whole range.
    fn read_counters(&mut self, fresh: Window) {
        let deltas = self.cloud.counters.iter().map(|c| c.counted(fresh));
        self.readings.push((fresh.end, deltas.collect()));
    }

    /// The rows of one window, written by the run that ends at `now`.
    /// One account after the other, and of each what one parser writes after what another does.
    fn write(&mut self, window: Window, now: i64) {
        let first = self.rows.len();
        self.write_hours(window, now);
        self.write_counters(window);
        for gauge in &self.cloud.gauges {
            self.rows.push(gauge_row(gauge, window, now));
        }
        self.rows[first..].sort_by_key(|row| {
            let parser = match row.identity.usage_type {
                5 => 4,
                22..=24 => 21,
                8 | 9 | 26 => 7,
                other => other,
            };
            (row.identity.account_id, parser)
        });
    }

    fn write_hours(&mut self, window: Window, now: i64) {
        let mut merged: BTreeMap<Identity, i64> = BTreeMap::new();
        for life in &self.cloud.lives {
            // Who does not know of the end takes it for one that goes on.
            let known = match life.end_reported > now {
                true => i64::MAX,
                false => life.end,
            };
            let life = &Life {
                end: known,
                ..life.clone()
            };
            let Some(lived) = life.within(window) else {
                continue;
            };
            if life.reported > now {
                continue;
            }
            match life.identity.usage_type {
                // VM snapshots have a row each, with their own times.
                25 | 27 => self
                    .rows
                    .push(hours_row(&life.identity, lived.length(), lived)),
                // Networks and VPCs have a row for each period of a state, with the window's times.
                30 | 31 => self
                    .rows
                    .push(hours_row(&life.identity, lived.length(), window)),
                _ => *merged.entry(life.identity.clone()).or_default() += lived.length(),
            }
            if let (true, Some(vm)) = (self.per_vm_volumes, life.attached_to) {
                let mut identity = life.identity.clone();
                identity.vm_instance_id = Some(vm);
                *merged.entry(identity).or_default() += lived.length();
            }
        }
        for (identity, lived) in merged {
            self.rows.push(hours_row(&identity, lived, window));
        }
    }

    /// A counter's readings that are stamped inside the window. All of its directions get a row, unless
    /// every one of them is 0.
    fn write_counters(&mut self, window: Window) {
        for (n, counter) in self.cloud.counters.iter().enumerate() {
            let mut sums = vec![0; counter.identities.len()];
            for (stamp, deltas) in &self.readings {
                if (window.start..=window.end).contains(stamp) {
                    sums.iter_mut().zip(&deltas[n]).for_each(|(s, d)| *s += d);
                }
            }
            if sums.iter().any(|sum| *sum > 0) {
                for (identity, sum) in counter.identities.iter().zip(sums) {
                    self.rows.push(Row {
                        identity: identity.clone(),
                        raw_usage: exact(sum),
                        usage_display: format!("{sum} bytes"),
                        window,
                    });
                }
            }
        }
    }
}

fn hours_row(identity: &Identity, lived: i64, window: Window) -> Row {
    let raw_usage = hours(lived);
    Row {
        identity: identity.clone(),
        raw_usage,
        usage_display: format!("{raw_usage:.6} Hrs"),
        window,
    }
}

/// Backups are hours with the newest known size; buckets are the newest known size itself. Both are what
/// holds when the run is made, in whatever window, however old.
fn gauge_row(gauge: &Gauge, window: Window, now: i64) -> Row {
    let bytes = gauge.at(now);
    let mut row = hours_row(&gauge.identity, window.length(), window);
    if gauge.identity.usage_type == 29 {
        row.raw_usage = exact(bytes);
        row.usage_display = format!("{bytes} bytes");
    } else {
        row.identity.size = Some(bytes);
    }
    row
}

impl Life {
    /// The part of the life that falls into a window. Both ends count, so a life lasts until the
    /// millisecond after its end.
    pub fn within(&self, window: Window) -> Option<Window> {
        let start = self.start.max(window.start);
        let end = self.end.min(window.end);
        (start <= end).then_some(Window { start, end })
    }
}

impl Counter {
    /// What each direction counted inside a window.
    pub fn counted(&self, window: Window) -> Vec<u64> {
        let mut sums = vec![0; self.identities.len()];
        for (at, amounts) in &self.flows {
            if (window.start..=window.end).contains(at) {
                sums.iter_mut().zip(amounts).for_each(|(s, a)| *s += a);
            }
        }
        sums
    }
}

impl Gauge {
    /// The newest reading at an instant.
    pub fn at(&self, instant: i64) -> u64 {
        let reading = self.readings.iter().rev().find(|(at, _)| *at <= instant);
        reading.expect("a gauge has a reading from the start").1
    }
}

/// Whole numbers below 2^53 are the same as floats.
#[expect(
    clippy::cast_precision_loss,
    reason = "the figures are made below 2^53"
)]
pub fn exact(number: u64) -> f64 {
    number as f64
}
