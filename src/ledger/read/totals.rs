//! Totals of many accounts by any of their dimensions. Records are walked in the order the table lies in, account
//! by account, and added up here: SQL would sort them first, which costs more than all the rest.
//!
//! Figures add up: what one account used of one resource in one month is the sum of its days, and every figure of
//! more than that is the sum of such months. So the months of a report are, added the same way, its total.

mod names;
mod whose;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use anyhow::ensure;

use super::accounts::Account;
use super::reader::Snapshot;
use super::stretches::Stretches;
use crate::day::{Day, DayRange};
use crate::db::{Connection, params};
use crate::ledger::months::{MonthPart, list_parts};
use crate::metric::GIB;
use crate::month::{Month, months_of};
use crate::sum::CompensatedSum;
use crate::zones::Zones;
use names::TotalsNames;
pub use names::{MetricFacts, ResourceFacts};
pub use whose::Who;
use whose::{Everybody, Whose};

/// What is asked for.
pub struct TotalsQuery<'a> {
    /// Whose usage.
    pub accounts: &'a [Account],
    /// The days of theirs that are asked for, and the domain on each; none: all days, under the accounts' own domains.
    pub stretches: Option<&'a Stretches>,
    pub range: DayRange,
    /// Published names; none: all.
    pub metrics: &'a [String],
    pub by: Dimensions,
    /// The ledger's, for the hours of its months.
    pub zones: &'a Zones,
    /// Sums that may be held at once: one of each month, or day if figures are grouped by day, for everything that figures
    /// are grouped by. Beyond it the error is `TooManySums`.
    pub most_sums: usize,
}

/// A question whose sums are more than there may be.
#[derive(Debug, PartialEq, Eq)]
pub struct TooManySums;

impl std::error::Error for TooManySums {}

impl fmt::Display for TooManySums {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("more sums than may be held at once")
    }
}

/// What figures are grouped by, besides their metric: hours and bytes cannot be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimensions {
    pub account: bool,
    pub domain: bool,
    pub project: bool,
    /// Offering, guest OS or address, where the metric is kept per such.
    pub resource: bool,
    pub time: Granularity,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    #[default]
    Total,
    Month,
    Day,
}

/// One total. What it is not grouped by is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<'a> {
    pub who: Who<'a>,
    pub metric: Rc<MetricFacts>,
    /// Also `None` where the metric is kept per account only.
    pub resource: Option<Rc<ResourceFacts>>,
    /// Set with `day` as well.
    pub month: Option<Month>,
    pub day: Option<Day>,
    /// In the metric's unit; finite.
    pub quantity: f64,
    /// Of byte-hours: over 2^30 and the real hours of their months, added up. Of one whole month that is the GiB
    /// held on average.
    pub gib_months: Option<f64>,
}

/// Where a sum belongs: who, slot of time, metric id, resource by its place among `Names`.
type Place = (usize, usize, i64, usize);

/// Totals sorted by account name, domain and project, then metric, resource and time.
pub fn list_totals<'a>(
    snapshot: &Snapshot,
    question: &TotalsQuery<'a>,
) -> anyhow::Result<Vec<Figure<'a>>> {
    let connection = snapshot.connection();
    let mut names = TotalsNames::load(connection, question.by.resource)?;
    let calendar = Calendar::of(question.range, question.by.time);
    let everybody = Everybody {
        accounts: question.accounts,
        stretches: question.stretches,
        range: question.range,
        by_account: question.by.account,
        by_domain: question.by.domain,
        by_project: question.by.project,
    };
    let mut whose = Whose::of(everybody);
    let asked = question.metrics;
    let parts = list_parts(connection, question.range)?;
    let mut sums: BTreeMap<Place, CompensatedSum> = BTreeMap::new();
    for (account, share) in everybody.list_shares()? {
        let who = whose.place(account, share.domain);
        for (slot, part) in (0..).zip(&parts) {
            let Some(part) = &part.within(share.days)? else {
                continue;
            };
            // A month at a time, so that no more is held than sums may be.
            let quantities = match question.by.time {
                Granularity::Day => list_records(connection, account.id, part, &calendar)?,
                Granularity::Total | Granularity::Month => {
                    list_sums(connection, account.id, part, slot)?
                }
            };
            names.add(connection, quantities.iter().map(|one| one.resource_id))?;
            for one in quantities {
                if !asked.is_empty() && !asked.contains(&names.metric(one.metric_id)?.name) {
                    continue;
                }
                let resource = names.place_of(one.resource_id)?;
                let place = (who, one.slot, one.metric_id, resource);
                sums.entry(place).or_default().add(one.quantity);
                ensure!(sums.len() <= question.most_sums, TooManySums);
            }
        }
    }
    let mut totals: BTreeMap<Place, (CompensatedSum, CompensatedSum)> = BTreeMap::new();
    for ((who, slot, metric_id, resource), sum) in sums {
        let time = match question.by.time {
            Granularity::Total => 0,
            Granularity::Month | Granularity::Day => slot,
        };
        let place = (who, time, metric_id, resource);
        let (total, gib_months) = totals.entry(place).or_default();
        total.add(sum.value());
        gib_months.add(sum.value() / GIB / question.zones.hours(calendar.slots[slot].month.days()));
    }
    let mut figures = Vec::with_capacity(totals.len());
    for ((who, slot, metric_id, resource), (total, gib_months)) in totals {
        let metric = names.metric(metric_id)?;
        let quantity = total.value();
        ensure!(
            quantity.is_finite(),
            "the sum of {} is not a number",
            metric.name
        );
        let (month, day) = calendar.label(slot, question.by.time);
        figures.push(Figure {
            who: whose.list[who],
            resource: names.resources[resource]
                .clone()
                .filter(|_| metric.per_resource),
            gib_months: (metric.unit == "byte-hours").then(|| gib_months.value()),
            metric,
            month,
            day,
            quantity,
        });
    }
    figures.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(figures)
}

/// What an account used in one slot of time, by ids.
struct Quantity {
    slot: usize,
    metric_id: i64,
    resource_id: i64,
    quantity: f64,
}

/// What an account used in a month, whose number is its slot, of each metric and resource.
fn list_sums(
    connection: &Connection,
    account_id: i64,
    part: &MonthPart,
    slot: usize,
) -> anyhow::Result<Vec<Quantity>> {
    let sums = part.list_sums(connection, account_id)?;
    let quantity = |((metric_id, resource_id), quantity)| Quantity {
        slot,
        metric_id,
        resource_id,
        quantity,
    };
    Ok(sums.into_iter().map(quantity).collect())
}

/// What an account used on each day of a month.
fn list_records(
    connection: &Connection,
    account_id: i64,
    part: &MonthPart,
    calendar: &Calendar,
) -> anyhow::Result<Vec<Quantity>> {
    let sql = "select day, metric_id, resource_id, quantity
         from stored_records
         where account_id = :account and day between :first and :last
         order by day, metric_id, resource_id";
    let values = params! {
        ":account": account_id,
        ":first": part.first(),
        ":last": part.last(),
    };
    let (mut day, mut slot) = (String::new(), 0);
    connection.list(sql, values, |row| {
        let text: &str = row.get(0)?;
        if text != day {
            slot = calendar.slot_of(text.parse()?)?;
            day.clear();
            day.push_str(text);
        }
        Ok(Quantity {
            slot,
            metric_id: row.get(1)?,
            resource_id: row.get(2)?,
            quantity: row.get(3)?,
        })
    })
}

/// The order of the answer.
type Order<'a> = (
    [Option<&'a str>; 5],
    &'a str,
    Option<(&'a str, &'a str)>,
    Option<Month>,
    Option<Day>,
);

fn order<'a>(figure: &'a Figure) -> Order<'a> {
    let who = &figure.who;
    let account = who
        .account
        .map(|account| (account.name.as_str(), account.uuid.as_str()));
    (
        [
            account.map(|one| one.0),
            account.map(|one| one.1),
            who.domain_path,
            who.domain_uuid,
            who.project_uuid,
        ],
        &figure.metric.name,
        figure
            .resource
            .as_ref()
            .map(|one| (one.name.as_str(), one.uuid.as_str())),
        figure.month,
        figure.day,
    )
}

/// The slots of time that sums are made of: days if figures are grouped by day, else months.
struct Calendar {
    first: Day,
    slots: Vec<TimeSlot>,
}

struct TimeSlot {
    month: Month,
    first_day: Day,
}

impl Calendar {
    fn of(range: DayRange, time: Granularity) -> Calendar {
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
    fn slot_of(&self, day: Day) -> anyhow::Result<usize> {
        let slot = usize::try_from(day.days_since(self.first))?;
        ensure!(slot < self.slots.len(), "a day outside the range");
        Ok(slot)
    }

    fn label(&self, slot: usize, time: Granularity) -> (Option<Month>, Option<Day>) {
        let TimeSlot { month, first_day } = self.slots[slot];
        match time {
            Granularity::Total => (None, None),
            Granularity::Month => (Some(month), None),
            Granularity::Day => (Some(month), Some(first_day)),
        }
    }
}

#[cfg(test)]
mod tests;
