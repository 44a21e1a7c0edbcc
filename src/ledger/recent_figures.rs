//! What accounts used on the days around the one that is written, by metric, to compare it with. Held in memory during an
//! import, so that a run of days reads each of them once. Bounded: a number for each account, metric and day of the
//! window, whatever the length of the run.

use std::collections::BTreeSet;

use crate::aggregate::window::DayBounds;
use crate::day::{Day, DayRange};
use crate::db::{Connection, params};
use crate::id_map::IdMap;
use crate::unusual::DAYS_BEFORE;
use crate::zones::Zones;

/// A day and those before it.
const PLACES: usize = DAYS_BEFORE as usize + 1;

/// Of an account and a metric, by the ledger's ids.
pub(super) type FigureKey = (i64, i64);

#[derive(Default)]
pub(super) struct RecentFigures {
    /// The closed day that each place holds.
    days: [Option<Day>; PLACES],
    /// As if every day had 24 hours. Seven digits are plenty to see that a figure is far from others.
    figures: IdMap<FigureKey, [f32; PLACES]>,
}

/// Some of the days that are held.
pub(super) struct DaysCompared {
    /// Of the day itself.
    pub today: usize,
    /// Of the closed days before it, the newest last.
    pub before: Vec<usize>,
}

impl RecentFigures {
    /// A day is not what it was.
    pub fn forget(&mut self, day: Day) {
        let place = place(day);
        if self.days[place] == Some(day) {
            self.days[place] = None;
        }
    }

    /// Holds the figures of a closed day, which come by key; several of one key are added up.
    pub fn set(
        &mut self,
        day: Day,
        zones: &Zones,
        figures: impl Iterator<Item = (FigureKey, f64)>,
    ) {
        self.clear(day);
        let hours = day_hours(day, zones);
        let mut sums = FigureSums::new(&mut self.figures);
        for (key, quantity) in figures {
            sums.add(place(day), key, quantity / hours);
        }
        sums.keep();
    }

    /// Reads the closed days before a day that are not held, by their keys.
    pub fn read_before(
        &mut self,
        connection: &Connection,
        day: Day,
        zones: &Zones,
    ) -> anyhow::Result<()> {
        let window = DayRange::new(day.plus(-DAYS_BEFORE), day.previous())?;
        let sql =
            "select day from stored_days where day between :first and :last and state = 'closed'";
        let values = params! {":first": window.first(), ":last": window.last()};
        let closed: Vec<Day> = connection.list(sql, values, |row| row.get(0))?;
        let closed = BTreeSet::from_iter(closed);
        window
            .days()
            .filter(|day| !closed.contains(day))
            .for_each(|open| self.forget(open));
        let missing = closed
            .into_iter()
            .filter(|day| self.days[place(*day)] != Some(*day))
            .collect();
        self.read(connection, &missing, zones)
    }

    /// Reads a closed day.
    pub fn read_day(
        &mut self,
        connection: &Connection,
        day: Day,
        zones: &Zones,
    ) -> anyhow::Result<()> {
        self.read(connection, &BTreeSet::from([day]), zones)
    }

    fn read(
        &mut self,
        connection: &Connection,
        days: &BTreeSet<Day>,
        zones: &Zones,
    ) -> anyhow::Result<()> {
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Ok(());
        };
        for day in days {
            self.clear(*day);
        }
        let values = params! {":first": *first, ":last": *last};
        let mut of_day = String::new();
        let mut day = *first;
        let mut sums = FigureSums::new(&mut self.figures);
        let mut hours = day_hours(day, zones);
        connection.each(RECORDS, values, |row| {
            let text: &str = row.get(1)?;
            if text != of_day {
                of_day = text.to_owned();
                day = row.get(1)?;
                hours = day_hours(day, zones);
            }
            if days.contains(&day) {
                let quantity: f64 = row.get(3)?;
                sums.add(place(day), (row.get(0)?, row.get(2)?), quantity / hours);
            }
            Ok(())
        })?;
        sums.keep();
        Ok(())
    }

    /// The places of a day and of the closed days before it.
    pub fn window(&self, day: Day) -> DaysCompared {
        let before = (1..=DAYS_BEFORE).rev().map(|days| day.plus(-days));
        let before = before.filter(|day| self.days[place(*day)] == Some(*day));
        DaysCompared {
            today: place(day),
            before: before.map(place).collect(),
        }
    }

    pub fn figures(&self) -> impl Iterator<Item = (&FigureKey, &[f32; PLACES])> {
        self.figures.iter()
    }

    /// Makes a day's place one without figures, and lets go of those that are in no other place.
    fn clear(&mut self, day: Day) {
        let place = place(day);
        self.days[place] = Some(day);
        self.figures.retain(|_, figures| {
            figures[place] = 0.0;
            figures.iter().any(|figure| *figure != 0.0)
        });
    }
}

/// Adds up what comes side by side, before it loses digits.
struct FigureSums<'a> {
    figures: &'a mut IdMap<FigureKey, [f32; PLACES]>,
    sum: (usize, FigureKey, f64),
}

impl FigureSums<'_> {
    fn new(figures: &mut IdMap<FigureKey, [f32; PLACES]>) -> FigureSums<'_> {
        let sum = (0, (0, 0), 0.0);
        FigureSums { figures, sum }
    }

    fn add(&mut self, place: usize, key: FigureKey, per_hour: f64) {
        if (self.sum.0, self.sum.1) != (place, key) {
            self.keep();
            self.sum = (place, key, 0.0);
        }
        self.sum.2 += per_hour;
    }

    fn keep(&mut self) {
        let (place, key, per_hour) = self.sum;
        if per_hour != 0.0 {
            let figures = self.figures.entry(key).or_insert([0.0; PLACES]);
            figures[place] += (per_hour * 24.0) as f32;
        }
    }
}

/// 23, 24 or 25 as a rule.
fn day_hours(day: Day, zones: &Zones) -> f64 {
    DayBounds::of(day, zones).hours()
}

const RECORDS: &str = "select account_id, day, metric_id, quantity from stored_records \
     where day between :first and :last order by day, account_id, metric_id";

/// Days that follow one another have places of their own.
fn place(day: Day) -> usize {
    // A remainder, which is not negative.
    day.days_since_1970().rem_euclid(PLACES as i64) as usize
}
