//! Hand-computed days. The day is 2013-06-10 in GMT unless a test says otherwise.

mod any;
mod figures;
mod lines;
mod replays;
mod runs;

use super::*;
use crate::aggregate::runs::Runs;
use crate::row::{IdentityHasher, Particulars};
use crate::zone::Zone;

/// 2013-06-10 00:00:00 UTC.
const TENTH: i64 = 1_370_822_400;
const DAY: DayBounds = DayBounds {
    start: TENTH,
    end: TENTH + 86_400,
};

/// A row for the whole day; everything else is 0 or absent. Rows are alike when these fields are.
fn row(id: u64, usage_type: u32, raw_usage: f64) -> UsageRow {
    UsageRow {
        id,
        zone_id: 1,
        account_id: 7,
        domain_id: 1,
        usage_type: Some(usage_type),
        raw_usage,
        offering_id: 0,
        template_id: 0,
        usage_id: 0,
        particulars: Particulars::None,
        start: DAY.start,
        end: DAY.end,
        vm_id: 0,
        hidden: false,
        raw_is_hours: true,
        backwards: false,
        identity: IdentityHasher::default().finish(),
    }
}

/// Gives rows the identity that their fields make, as the source does.
fn identified(mut rows: Vec<UsageRow>) -> Vec<UsageRow> {
    let mut hasher = IdentityHasher::default();
    for row in &mut rows {
        let size = if row.usage_type == Some(28) {
            None
        } else {
            row.size()
        };
        for part in [row.usage_type.map(u64::from), size] {
            match part {
                Some(number) => hasher.number(number),
                None => hasher.missing(),
            }
        }
        for part in [
            u64::from(row.zone_id),
            row.account_id,
            row.vm_id,
            row.offering_id,
        ] {
            hasher.number(part);
        }
        hasher.number(row.template_id);
        hasher.number(row.usage_id);
        row.identity = hasher.finish();
    }
    rows
}

/// Whatever becomes of single rows.
fn aggregate(
    rows: &mut [UsageRow],
    rewinds: &Rewinds,
    day: DayBounds,
    zone: &Zones,
    removals: &Removals,
    guest_os: &dyn Fn(u64, u64) -> u64,
) -> anyhow::Result<DayUsage> {
    count(rows, rewinds, day, zone, removals, &mut |_| ())?.add_up(guest_os)
}

fn day_of(rows: Vec<UsageRow>) -> DayUsage {
    let mut rows = identified(rows);
    let rewinds = Rewinds::of(&Runs::default(), &mut rows);
    aggregate(
        &mut rows,
        &rewinds,
        DAY,
        &Zones::from(Zone::parse("GMT").unwrap()),
        &Removals::default(),
        &|vm, template| if vm == 404 { template } else { 50 },
    )
    .unwrap()
}

fn figures(usage: &DayUsage) -> Vec<(u64, String, u64, f64)> {
    let figure = |r: &Record| {
        (
            r.account_id,
            r.metric.name().into_owned(),
            r.source_id,
            r.quantity,
        )
    };
    usage.records.iter().map(figure).collect()
}

fn kinds(usage: &DayUsage) -> Vec<&'static str> {
    usage
        .findings
        .iter()
        .map(|finding| finding.kind.name())
        .collect()
}
