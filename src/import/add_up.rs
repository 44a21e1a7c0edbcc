//! What a day's rows come to. `import`, `verify`, `explain` and `rezone` add up here, so that they agree by
//! construction. Pure: what the ledger knows of the rows' VMs is looked up before.

use crate::aggregate::row_trace::RowTrace;
use crate::aggregate::runs::Rewinds;
use crate::aggregate::window::DayBounds;
use crate::aggregate::{DayUsage, VmFacts, aggregate};
use crate::ledger::known_vms::KnownVms;
use crate::row::UsageRow;
use crate::zones::Zones;

/// The VMs that the ledger is to be asked for before the rows are added up, each with its template.
pub fn running_vms(rows: &[UsageRow]) -> impl Iterator<Item = (u64, u64)> {
    let running = rows.iter().filter(|row| row.usage_type == Some(1));
    running.map(|row| (row.usage_id, row.template_id))
}

/// Adds up the rows of a day, which are sorted in place; `on_row` gets each that touches the day, and what became of it.
pub fn add_up(
    rows: &mut [UsageRow],
    rewinds: &Rewinds,
    day: DayBounds,
    zones: &Zones,
    known: &KnownVms,
    on_row: &mut dyn FnMut(&RowTrace),
) -> anyhow::Result<DayUsage> {
    let facts = VmFacts {
        guest_os: &|vm, template| known.guest_os(vm, template),
        removed: &|vm| known.vm_removed(vm),
        account_removed: &|account| known.account_removed(account),
    };
    aggregate(rows, rewinds, day, zones, &facts, on_row)
}
