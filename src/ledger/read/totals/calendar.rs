//! The days or months that figures are of, each with a slot.

use anyhow::ensure;

use super::question::Granularity;
use crate::day::{Day, DayRange};
use crate::month::{Month, months_of};

/// The slots of time that sums are made of: days if figures are grouped by day, else months.
pub struct Calendar {
    first: Day,
    pub slots: Vec<TimeSlot>,
}

pub struct TimeSlot {
    pub month: Month,
    first_day: Day,
}

impl Calendar {
    pub fn of(range: DayRange, time: Granularity) -> Calendar {
        let slot = |month, first_day| TimeSlot { month, first_day };
        let months = months_of(range);
        let slots = match time {
            Granularity::Total | Granularity::Month => months
                .map(|(month, days)| slot(month, days.first()))
                .collect(),
            Granularity::Day => months
                .flat_map(|(month, days)| days.days().map(move |day| slot(month, day)))
                .collect(),
        };
        Calendar {
            first: range.first(),
            slots,
        }
    }

    /// If figures are grouped by day, each day has the slot of its number.
    pub fn slot_of(&self, day: Day) -> anyhow::Result<usize> {
        let slot = usize::try_from(day.days_since(self.first))?;
        ensure!(slot < self.slots.len(), "a day outside the range");
        Ok(slot)
    }

    pub fn label(&self, slot: usize, time: Granularity) -> (Option<Month>, Option<Day>) {
        let TimeSlot { month, first_day } = self.slots[slot];
        match time {
            Granularity::Total => (None, None),
            Granularity::Month => (Some(month), None),
            Granularity::Day => (Some(month), Some(first_day)),
        }
    }
}
