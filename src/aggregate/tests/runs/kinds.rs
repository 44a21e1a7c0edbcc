//! What of a later run counts where a kind of resource has its own rules: states, counters, buckets, backups, VM
//! snapshots, scaled VMs and volumes.

use super::*;

#[test]
fn the_periods_of_a_state_are_taken_together() {
    // A network was allocated for 10 and 4 hours, and in another state for 10; the second run starts half an hour later.
    let network = |id, hours| UsageRow {
        usage_id: 1,
        ..row(id, 30, hours)
    };
    let usage = day_with(
        &run_since(6),
        vec![
            network(1, 10.0),
            network(2, 4.0),
            again(100, 6, network(100, 4.0)),
            again(101, 6, network(101, 4.0)),
        ],
    );
    assert_eq!(quantities(&usage), [14.0]);
    // Equal periods of one run are two.
    let usage = day_with(&run_since(24), vec![network(1, 6.0), network(2, 6.0)]);
    assert_eq!(quantities(&usage), [12.0]);
}

#[test]
fn counters_are_never_void_and_count_once() {
    let counter = |id, bytes| UsageRow {
        usage_id: 1,
        ..row(id, 4, bytes)
    };
    let usage = day_with(
        &run_since(6),
        vec![counter(1, 100.0), again(100, 6, counter(100, 100.0))],
    );
    assert_eq!(quantities(&usage), [100.0]);
    assert_eq!(
        quantities(&day_with(&run_since(6), vec![counter(1, 100.0)])),
        [100.0]
    );
    // A window glued to the minute before holds what the day before had counted: 100 of 110.
    let glued = UsageRow {
        start: TENTH - 2,
        ..counter(100, 110.0)
    };
    let before = UsageRow {
        start: TENTH - 24 * HOUR,
        end: TENTH,
        ..counter(1, 100.0)
    };
    let usage = day_with(&run_since(0), vec![before, glued]);
    assert_eq!(quantities(&usage), [10.0]);
}

#[test]
fn buckets_are_as_the_first_run_saw_them() {
    let bucket = |id, usage_id, bytes| UsageRow {
        usage_id,
        ..row(id, 29, bytes)
    };
    // Bucket 1 has grown since, 2 was removed and 3 made.
    let usage = day_with(
        &run_since(0),
        vec![
            bucket(1, 1, 100.0),
            bucket(2, 2, 10.0),
            bucket(100, 1, 500.0),
            bucket(101, 3, 7.0),
        ],
    );
    assert_eq!(quantities(&usage), [24.0 * 110.0]);
}

#[test]
fn backups_have_the_hours_of_the_newest_run_and_the_size_of_the_first() {
    let backup = |id, hours, size| UsageRow {
        usage_id: 1,
        offering_id: 8,
        particulars: Particulars::Size(size),
        ..row(id, 28, hours)
    };
    let usage = day_with(
        &run_since(0),
        vec![backup(1, 24.0, 100), backup(100, 12.0, 500)],
    );
    assert_eq!(quantities(&usage), [1200.0]);
    // Removed, as the later run knows.
    assert_eq!(
        quantities(&day_with(&run_since(0), vec![backup(1, 24.0, 100)])),
        Vec::<f64>::new()
    );
}

#[test]
fn vm_snapshots_stay_up_to_where_a_later_run_writes_them() {
    let snapshot = |id, usage_type, hours| UsageRow {
        usage_id: 1,
        particulars: Particulars::Size(10),
        ..row(id, usage_type, hours)
    };
    for usage_type in [25, 27] {
        // A later run without it takes nothing away.
        let usage = day_with(&run_since(6), vec![snapshot(1, usage_type, 24.0)]);
        assert_eq!(quantities(&usage), [240.0]);
        let usage = day_with(
            &run_since(6),
            vec![
                snapshot(1, usage_type, 24.0),
                again(100, 6, snapshot(100, usage_type, 18.0)),
            ],
        );
        assert_eq!(quantities(&usage), [240.0]);
    }
}

#[test]
fn a_scaled_vm_keeps_the_hours_that_no_later_run_writes() {
    let vm = |id, usage_type, offering_id, hours| UsageRow {
        usage_id: 1,
        offering_id,
        ..row(id, usage_type, hours)
    };
    // Scaled from offering 3 to 4 at noon. The second run has running hours of both, and allocated ones of 4 alone.
    let usage = day_with(
        &run_since(0),
        vec![
            vm(1, 1, 3, 24.0),
            vm(2, 2, 3, 24.0),
            vm(100, 1, 3, 12.0),
            vm(101, 1, 4, 12.0),
            vm(102, 2, 4, 12.0),
        ],
    );
    let allocated: Vec<(u64, f64)> = usage
        .records
        .iter()
        .filter(|record| record.metric == Metric::VmAllocated)
        .map(|record| (record.source_id, record.quantity))
        .collect();
    assert_eq!(allocated, [(3, 12.0), (4, 12.0)]);
}

#[test]
fn rows_per_vm_are_left_out_only_beside_the_volumes_own() {
    let volume = |id, usage_id, vm_id| UsageRow {
        usage_id,
        vm_id,
        particulars: Particulars::Size(1000),
        ..row(id, 6, 24.0)
    };
    let usage = day_with(
        &run_since(24),
        vec![volume(1, 41, 11), volume(2, 42, 11), volume(3, 42, 0)],
    );
    assert_eq!(quantities(&usage), [48_000.0]);
    assert_eq!(usage.per_vm_volume_rows, 1);
}
