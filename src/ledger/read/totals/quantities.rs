//! Where the figures of a question come from: records, which are what they always were; lines, where figures are told
//! apart by what only lines know; and the metrics that follow from the lines of others.

use super::calendar::Calendar;
use super::names::{MetricFacts, MetricKey, TotalsNames};
use super::question::{Granularity, TotalsQuery};
use crate::db::{Connection, params};
use crate::ledger::line_ids::StoredSku;
use crate::ledger::month_part::{ACCOUNTS_AT_ONCE, MonthPart, OfAccounts};
use crate::ledger::read::lines::{self, LineFilter, LineSum};
use crate::metric::{Breakdown, Metric};
use crate::sku::{DerivedMetric, VmSize, offering_of};

/// What an account used in one slot of time, by ids; 0: not told apart, or there is none.
pub struct Quantity {
    pub slot: usize,
    pub metric: MetricKey,
    pub zone_id: i64,
    pub offering_id: i64,
    pub size: VmSize,
    pub resource_id: i64,
    pub quantity: f64,
}

/// What has to be read for a question.
pub struct QuantityReader<'q, 'a> {
    question: &'q TotalsQuery<'a>,
    calendar: &'q Calendar,
    /// Stored metrics come from lines, not from records.
    by_line: bool,
    stored: bool,
    derived: bool,
    /// Lines are told apart by what was used.
    apart: bool,
}

impl<'q, 'a> QuantityReader<'q, 'a> {
    pub fn of(question: &'q TotalsQuery<'a>, calendar: &'q Calendar) -> QuantityReader<'q, 'a> {
        let (by, only) = (question.by, question.only);
        let by_line = by.zone
            || by.sku
            || by.disk_offering
            || by.resource
            || only.zones.is_some()
            || only.resources.is_some();
        let derived = |name: &&String| DerivedMetric::of_name(name).is_some();
        let asked = question.metrics;
        QuantityReader {
            question,
            calendar,
            by_line,
            stored: asked.is_empty() || !asked.iter().all(|name| derived(&name)),
            derived: asked.is_empty() || asked.iter().any(|name| derived(&name)),
            // An address is what a record is kept per, and a line's resource.
            apart: by.resource || by_line && by.offering,
        }
    }

    /// How many accounts are asked for at once: one, where there is a lot of each.
    pub fn accounts_at_once(&self) -> usize {
        match self.question.by.time == Granularity::Day || self.is_by_resource() {
            true => 1,
            false => ACCOUNTS_AT_ONCE,
        }
    }

    fn is_by_resource(&self) -> bool {
        self.apart || self.question.only.resources.is_some()
    }

    /// What each of these accounts used in a part of a month, whose number is its slot unless figures are grouped by
    /// day. `room` is for so many sums of an account.
    pub fn list(
        &self,
        connection: &Connection,
        names: &mut TotalsNames,
        account_ids: &[i64],
        month: (usize, &MonthPart),
        room: usize,
    ) -> anyhow::Result<Vec<Vec<Quantity>>> {
        let mut quantities: Vec<Vec<Quantity>> = account_ids.iter().map(|_| Vec::new()).collect();
        if self.stored && !self.by_line {
            let records = self.list_records(connection, account_ids, month)?;
            for (records, quantities) in records.into_iter().zip(&mut quantities) {
                quantities.reserve(records.len());
                for record in records {
                    let metric = names.metric(MetricKey::Stored(record.metric_id))?;
                    if self.is_asked_for(metric) {
                        quantities.push(self.of_record(&record));
                    }
                }
            }
        }
        if self.derived || self.stored && self.by_line {
            let lines = self.list_lines(connection, account_ids, month, room)?;
            let skus = lines.iter().flatten().map(|(_, sum)| sum.sku_id);
            names.skus.add(connection, skus)?;
            for (lines, quantities) in lines.into_iter().zip(&mut quantities) {
                for (slot, sum) in lines {
                    self.add_line(names, slot, sum, quantities)?;
                }
            }
        }
        Ok(quantities)
    }

    fn list_records(
        &self,
        connection: &Connection,
        account_ids: &[i64],
        (slot, part): (usize, &MonthPart),
    ) -> anyhow::Result<Vec<Vec<RecordSum>>> {
        if self.question.by.time == Granularity::Day {
            let list = |id: &i64| list_records(connection, *id, part, self.calendar);
            return account_ids.iter().map(list).collect();
        }
        let sums = part.list_sums(connection, account_ids)?;
        let record = |((metric_id, offering_id), quantity)| RecordSum {
            slot,
            metric_id,
            offering_id,
            quantity,
        };
        Ok(of_each(account_ids, sums, record))
    }

    fn list_lines(
        &self,
        connection: &Connection,
        account_ids: &[i64],
        month: (usize, &MonthPart),
        room: usize,
    ) -> anyhow::Result<Vec<Vec<(usize, LineSum)>>> {
        let (slot, part) = month;
        if self.question.by.time == Granularity::Day || self.is_by_resource() {
            let list = |id: &i64| self.list_lines_of(connection, *id, month, room);
            return account_ids.iter().map(list).collect();
        }
        let sums = part.list_sku_sums(connection, account_ids)?;
        let sum = |(sku_id, quantity)| {
            let sum = LineSum {
                sku_id,
                resource_id: 0,
                quantity,
            };
            (slot, sum)
        };
        Ok(of_each(account_ids, sums, sum))
    }

    /// By day or resource.
    fn list_lines_of(
        &self,
        connection: &Connection,
        account_id: i64,
        (slot, part): (usize, &MonthPart),
        room: usize,
    ) -> anyhow::Result<Vec<(usize, LineSum)>> {
        let filter = LineFilter {
            account_id,
            part,
            resources: self.question.only.resources,
            apart: self.apart,
            most: room,
        };
        let slot_of = |day: &str| self.calendar.slot_of(day.parse()?);
        match (
            self.question.by.time == Granularity::Day,
            self.is_by_resource(),
        ) {
            (true, true) => lines::list_by_day(connection, filter, slot_of),
            (true, false) => lines::list_sku_days(connection, filter, slot_of),
            (false, _) => {
                let sums = lines::add_up(connection, filter)?.into_iter();
                Ok(sums.map(|sum| (slot, sum)).collect())
            }
        }
    }

    fn is_asked_for(&self, metric: &MetricFacts) -> bool {
        let asked = self.question.metrics;
        asked.is_empty() || asked.contains(&metric.name)
    }

    fn of_record(&self, record: &RecordSum) -> Quantity {
        Quantity {
            slot: record.slot,
            metric: MetricKey::Stored(record.metric_id),
            zone_id: 0,
            offering_id: if self.question.by.offering {
                record.offering_id
            } else {
                0
            },
            size: VmSize::default(),
            resource_id: 0,
            quantity: record.quantity,
        }
    }

    /// Adds what a line counts as: its own metric, and those that follow from it if the size of its SKU is known.
    fn add_line(
        &self,
        names: &TotalsNames,
        slot: usize,
        sum: LineSum,
        quantities: &mut Vec<Quantity>,
    ) -> anyhow::Result<()> {
        let (by, only) = (self.question.by, self.question.only);
        let sku = names.skus.get(sum.sku_id)?;
        let stored = MetricKey::Stored(sku.metric_id);
        let metric = names.metric(stored)?;
        let is_left_out = only
            .zones
            .is_some_and(|zones| !zones.contains(&sku.zone_id))
            || by.disk_offering && !has_disk_offering(metric);
        if is_left_out {
            return Ok(());
        }
        let of_sku = |key, quantity| Quantity {
            slot,
            metric: key,
            zone_id: if by.zone || by.sku { sku.zone_id } else { 0 },
            offering_id: self.offering(metric, sku, sum.resource_id),
            size: if by.sku {
                sku.size()
            } else {
                VmSize::default()
            },
            resource_id: if by.resource { sum.resource_id } else { 0 },
            quantity,
        };
        if self.by_line && self.is_asked_for(metric) {
            quantities.push(of_sku(stored, sum.quantity));
        }
        for derived in names.derived_from(sku.metric_id) {
            let key = MetricKey::Derived(*derived);
            let quantity = derived.quantity(sum.quantity, sku.size());
            if let Some(quantity) = quantity
                && self.is_asked_for(names.metric(key)?)
            {
                quantities.push(of_sku(key, quantity));
            }
        }
        Ok(())
    }

    /// The offering that a line's figure is grouped by: of its SKU; or what records of its metric are kept per.
    fn offering(&self, metric: &MetricFacts, sku: &StoredSku, resource_id: i64) -> i64 {
        let by = self.question.by;
        if by.sku || by.disk_offering {
            return sku.offering_id;
        }
        match &metric.per {
            Some(per) if by.offering && *per == Breakdown::IpAddress.name() => resource_id,
            Some(_) if by.offering => sku.offering_id,
            Some(_) | None => 0,
        }
    }
}

fn has_disk_offering(metric: &MetricFacts) -> bool {
    let offering = Metric::of_name(&metric.name).and_then(offering_of);
    offering == Some(Breakdown::DiskOffering)
}

/// What an account has of one metric and offering in one slot of time.
struct RecordSum {
    slot: usize,
    metric_id: i64,
    offering_id: i64,
    quantity: f64,
}

/// In the order of the accounts.
fn of_each<S, T>(ids: &[i64], mut sums: OfAccounts<S>, make: impl Fn(S) -> T) -> Vec<Vec<T>> {
    let mut of = |id| sums.remove(id).unwrap_or_default().into_iter();
    ids.iter().map(|id| of(id).map(&make).collect()).collect()
}

/// What an account used on each day of a month.
fn list_records(
    connection: &Connection,
    account_id: i64,
    part: &MonthPart,
    calendar: &Calendar,
) -> anyhow::Result<Vec<RecordSum>> {
    let sql = "select r.day, r.metric_id, r.resource_id, r.quantity
         from stored_days d
         cross join stored_records r on r.day = d.day and r.account_id = :account
         where d.day between :first and :last
         order by d.day, r.metric_id, r.resource_id";
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
        Ok(RecordSum {
            slot,
            metric_id: row.get(1)?,
            offering_id: row.get(2)?,
            quantity: row.get(3)?,
        })
    })
}
