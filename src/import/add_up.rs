//! What a day's rows come to. `import`, `verify` and `explain` add up here, so that they agree by construction.

use crate::aggregate::runs::Rewinds;
use crate::aggregate::step::Step;
use crate::aggregate::window::DayBounds;
use crate::aggregate::{DayUsage, VmFacts, aggregate};
use crate::day::Day;
use crate::ledger::Ledger;
use crate::ledger::day::Policy;
use crate::row::UsageRow;
use crate::zones::Zones;

/// The rows of one day and how to count them.
pub struct DayRows<'a> {
    pub day: Day,
    pub zones: &'a Zones,
    /// What is going to be done to the day: how much the guest OS that a VM was counted under before weighs.
    pub policy: Policy,
    /// They are sorted in place.
    pub rows: &'a mut [UsageRow],
    pub rewinds: &'a Rewinds,
}

/// Asks the ledger for what has to be known of the rows' VMs, and adds up.
pub fn add_up(of_day: DayRows, ledger: &mut Ledger) -> anyhow::Result<DayUsage> {
    add_up_and_tell(of_day, ledger, &mut |_| ())
}

/// The same; `on_row` gets each row that touches the day, and what became of it.
pub fn add_up_and_tell(
    of_day: DayRows,
    ledger: &mut Ledger,
    on_row: &mut dyn FnMut(&Step),
) -> anyhow::Result<DayUsage> {
    let DayRows {
        day,
        zones,
        policy,
        rows,
        rewinds,
    } = of_day;
    let running = rows.iter().filter(|row| row.usage_type == Some(1));
    let vms = running.map(|row| (row.usage_id, row.template_id));
    let known = ledger.known_vms(day, policy, vms)?;
    let facts = VmFacts {
        guest_os: &|vm, template| known.guest_os(vm, template),
        removed: &|vm| known.vm_removed(vm),
        account_removed: &|account| known.account_removed(account),
    };
    let bounds = DayBounds::of(day, zones);
    aggregate(rows, rewinds, bounds, zones, &facts, on_row)
}
