//! Totals of many accounts by any of their dimensions. Records are walked in the order the table lies in, account
//! by account, and added up here: SQL would sort them first, which costs more than all the rest.
//!
//! Figures add up: what one account used of one resource in one month is the sum of its days, and every figure of
//! more than that is the sum of such months. So the months of a report are, added the same way, its total.

mod calendar;
mod names;
mod quantities;
mod question;
mod whose;

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::ensure;

use self::calendar::Calendar;
use self::names::{MetricKey, TotalsNames};
use self::quantities::QuantityReader;
use self::whose::{Everybody, Whose};
use super::reader::Snapshot;
use crate::day::Day;
use crate::ledger::month_part::list_parts;
use crate::metric::GIB;
use crate::month::Month;
use crate::sku::VmSize;
use crate::sum::CompensatedSum;

pub use super::lines::TooManySums;
pub(super) use names::RESOURCES;
pub use names::{MetricFacts, ResourceFacts};
pub use question::{Dimensions, Granularity, LineChoice, TotalsQuery};
pub use whose::Who;

/// One total. What it is not grouped by is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<'a> {
    pub who: Who<'a>,
    pub metric: Rc<MetricFacts>,
    pub zone: Option<Rc<ResourceFacts>>,
    /// Also guest OS, or address if figures are not grouped by SKU. `None` where the metric has none as well.
    pub offering: Option<Rc<ResourceFacts>>,
    /// Of VMs, if figures are grouped by SKU.
    pub size: VmSize,
    /// The VM, the volume … Also `None` where the ledger does not tell them apart.
    pub resource: Option<Rc<ResourceFacts>>,
    /// Set with `day` as well.
    pub month: Option<Month>,
    pub day: Option<Day>,
    /// In the metric's unit; finite.
    pub quantity: f64,
    /// Of byte-hours: over 2^30 and the real hours of their months, added up. Of one whole month that is the GiB
    /// held on average.
    pub gib_months: Option<f64>,
    /// Of byte-hours of one day: over 2^30 and the real hours of the day, the GiB held on that day on average.
    pub gib_held: Option<f64>,
}

/// Where a sum belongs. Zone, offering and resource by their places among the names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    who: usize,
    slot: usize,
    metric: MetricKey,
    zone: usize,
    offering: usize,
    size: VmSize,
    resource: usize,
}

/// Totals sorted by account name, domain and project, then metric, zone, offering, size, resource and time.
pub fn list_totals<'a>(
    snapshot: &Snapshot,
    question: &TotalsQuery<'a>,
) -> anyhow::Result<Vec<Figure<'a>>> {
    let connection = snapshot.connection();
    let mut names = TotalsNames::load(connection)?;
    let calendar = Calendar::of(question.range, question.by.time);
    let mut whose = Whose::of(Everybody {
        accounts: question.accounts,
        stretches: question.stretches,
        range: question.range,
        by_account: question.by.account,
        by_domain: question.by.domain,
        by_project: question.by.project,
    });
    let sums = add_up(snapshot, question, &calendar, &mut names, &mut whose)?;
    let mut totals: BTreeMap<Place, (CompensatedSum, CompensatedSum)> = BTreeMap::new();
    for (place, sum) in sums {
        let slot = match question.by.time {
            Granularity::Total => 0,
            Granularity::Month | Granularity::Day => place.slot,
        };
        let hours = question
            .zones
            .hours(calendar.slots[place.slot].month.days());
        let (total, gib_months) = totals.entry(Place { slot, ..place }).or_default();
        total.add(sum.value());
        gib_months.add(sum.value() / GIB / hours);
    }
    let mut figures = Vec::with_capacity(totals.len());
    for (place, (total, gib_months)) in totals {
        let metric = Rc::clone(names.metric(place.metric)?);
        let quantity = total.value();
        ensure!(
            quantity.is_finite(),
            "the sum of {} is not a number",
            metric.name
        );
        let (month, day) = calendar.label(place.slot, question.by.time);
        let is_storage = metric.unit == "byte-hours";
        let held = |day: Day| quantity / GIB / question.zones.hours(day.into());
        figures.push(Figure {
            who: whose.list[place.who],
            zone: names.resources[place.zone].clone(),
            offering: names.resources[place.offering].clone(),
            size: place.size,
            resource: names.resources[place.resource].clone(),
            gib_months: is_storage.then(|| gib_months.value()),
            gib_held: day.filter(|_| is_storage).map(held),
            metric,
            month,
            day,
            quantity,
        });
    }
    figures.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(figures)
}

/// The sums of all accounts, each of one slot.
fn add_up<'a>(
    snapshot: &Snapshot,
    question: &TotalsQuery<'a>,
    calendar: &Calendar,
    names: &mut TotalsNames,
    whose: &mut Whose<'a>,
) -> anyhow::Result<BTreeMap<Place, CompensatedSum>> {
    let connection = snapshot.connection();
    let reading = QuantityReader::of(question, calendar);
    let parts = list_parts(connection, question.range)?;
    let mut sums: BTreeMap<Place, CompensatedSum> = BTreeMap::new();
    let shares = whose.everybody.list_shares()?;
    let same_days = shares.chunk_by(|(_, one), (_, other)| one.days == other.days);
    for together in same_days.flat_map(|shares| shares.chunks(reading.accounts_at_once())) {
        let account_ids: Vec<i64> = together.iter().map(|(account, _)| account.id).collect();
        for (slot, part) in (0..).zip(&parts) {
            let Some(part) = &part.within(together[0].1.days)? else {
                continue;
            };
            // A month at a time, and of one account where there is a lot of each, so that not much is held beside the sums.
            let month = (slot, part.as_ref());
            let most = question.most_sums;
            let quantities = reading.list(connection, names, &account_ids, month, most)?;
            let ids = quantities
                .iter()
                .flatten()
                .flat_map(|one| [one.zone_id, one.offering_id, one.resource_id]);
            names.add(connection, ids)?;
            for ((account, share), quantities) in together.iter().zip(quantities) {
                let who = whose.place(account, share.domain);
                for one in quantities {
                    let resource = names.place_of(one.resource_id)?;
                    let is_of_kind = question
                        .only
                        .kind
                        .is_none_or(|kind| names.is_of_kind(resource, kind.name()));
                    if !is_of_kind {
                        continue;
                    }
                    let place = Place {
                        who,
                        slot: one.slot,
                        metric: one.metric,
                        zone: names.place_of(one.zone_id)?,
                        offering: names.place_of(one.offering_id)?,
                        size: one.size,
                        resource,
                    };
                    sums.entry(place).or_default().add(one.quantity);
                    ensure!(sums.len() <= question.most_sums, TooManySums);
                }
            }
        }
    }
    Ok(sums)
}

/// The order of the answer.
type Order<'a> = (
    [Option<&'a str>; 5],
    &'a str,
    [Option<(&'a str, &'a str)>; 2],
    VmSize,
    Option<(&'a str, &'a str)>,
    Option<Month>,
    Option<Day>,
);

fn order<'a>(figure: &'a Figure) -> Order<'a> {
    let name = |facts: &'a Option<Rc<ResourceFacts>>| {
        let facts = facts.as_ref();
        facts.map(|one| (one.name.as_str(), one.uuid.as_str()))
    };
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
        [name(&figure.zone), name(&figure.offering)],
        figure.size,
        name(&figure.resource),
        figure.month,
        figure.day,
    )
}

#[cfg(test)]
mod tests;
