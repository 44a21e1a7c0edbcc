//! Which resource a row is booked on, under which SKU, and that a record is the sum of its lines.

use std::num::NonZeroU32;

use super::*;
use crate::sku::VmSize;

/// Each line as `metric resource SKU quantity`.
fn lines(usage: &DayUsage) -> Vec<String> {
    let text = |line: &UsageLine| {
        let sku = line.sku_of(&usage.skus);
        let offering = sku
            .offering
            .map_or("-".to_owned(), |(kind, id)| format!("{}:{id}", kind.name()));
        let number = |part: Option<NonZeroU32>| part.map_or("-".to_owned(), |n| n.to_string());
        let VmSize {
            vcpus,
            mhz,
            memory_mib,
        } = sku.size;
        format!(
            "{} {}:{} zone:{} {offering} {}x{}/{} {}",
            sku.metric.name(),
            line.resource.0.name(),
            line.resource.1,
            sku.zone_id,
            number(vcpus),
            number(mhz),
            number(memory_mib),
            line.quantity
        )
    };
    usage.lines.iter().map(text).collect()
}

fn vm(id: u64, usage_type: u32, vm: u64, hours: f64) -> UsageRow {
    UsageRow {
        usage_id: vm,
        vm_id: vm,
        offering_id: 3,
        ..row(id, usage_type, hours)
    }
}

fn sized(row: UsageRow, vcpus: u32, mhz: u32, memory_mib: u32) -> UsageRow {
    UsageRow {
        particulars: Particulars::VmSize(VmSize {
            vcpus: NonZeroU32::new(vcpus),
            mhz: NonZeroU32::new(mhz),
            memory_mib: NonZeroU32::new(memory_mib),
        }),
        ..row
    }
}

/// An hour for each, as these rows' identity does not have all by which the source tells them apart.
fn windows(mut rows: Vec<UsageRow>) -> Vec<UsageRow> {
    for (row, hour) in rows.iter_mut().zip(0..) {
        row.start = DAY.start + hour * 3600;
        row.end = row.start + 3600;
    }
    rows
}

#[test]
fn a_vm_that_was_scaled_at_noon_has_a_line_for_each_size() {
    let usage = day_of(windows(vec![
        sized(vm(1, 1, 100, 12.0), 2, 2000, 4096),
        sized(vm(2, 1, 100, 12.0), 4, 2000, 8192),
        sized(vm(3, 2, 100, 24.0), 4, 2000, 8192),
    ]));
    assert_eq!(
        lines(&usage),
        [
            "vm_running vm:100 zone:1 service_offering:3 2x2000/4096 12",
            "vm_running vm:100 zone:1 service_offering:3 4x2000/8192 12",
            // Nobody is billed for an OS by the size of the VM.
            "os_usage vm:100 zone:1 guest_os:50 -x-/- 24",
            "vm_allocated vm:100 zone:1 service_offering:3 4x2000/8192 24",
        ]
    );
    assert_eq!(
        figures(&usage),
        [
            (7, "vm_running".into(), 3, 24.0),
            (7, "os_usage".into(), 50, 24.0),
            (7, "vm_allocated".into(), 3, 24.0),
        ]
    );
}

#[test]
fn a_vm_that_moved_to_another_offering_or_zone_has_a_line_for_each() {
    let usage = day_of(windows(vec![
        vm(1, 2, 100, 12.0),
        UsageRow {
            offering_id: 2,
            ..vm(2, 2, 100, 5.0)
        },
        UsageRow {
            zone_id: 2,
            ..vm(3, 2, 100, 7.0)
        },
    ]));
    assert_eq!(
        lines(&usage),
        [
            "vm_allocated vm:100 zone:1 service_offering:2 -x-/- 5",
            "vm_allocated vm:100 zone:1 service_offering:3 -x-/- 12",
            "vm_allocated vm:100 zone:2 service_offering:3 -x-/- 7",
        ]
    );
}

#[test]
fn two_vms_of_one_offering_are_two_lines_and_one_record() {
    // CloudStack's hours of 86,398 s, of 40 minutes, and of a whole day.
    let (most, part) = (23.999_444_961_547_85, 0.666_666_686_534_881_6);
    let usage = day_of(vec![
        vm(1, 2, 101, most),
        vm(2, 2, 100, 24.0),
        vm(3, 2, 102, part),
    ]);
    assert_eq!(
        lines(&usage),
        [
            "vm_allocated vm:100 zone:1 service_offering:3 -x-/- 24".to_owned(),
            format!("vm_allocated vm:101 zone:1 service_offering:3 -x-/- {most}"),
            format!("vm_allocated vm:102 zone:1 service_offering:3 -x-/- {part}"),
        ]
    );
    assert_eq!(
        figures(&usage),
        [(7, "vm_allocated".into(), 3, part + most + 24.0)]
    );
}

/// Added one after the other they would be 1.9000000000000001, or 1.9, by their order.
#[test]
fn what_rounding_cuts_off_is_in_the_sums_of_lines_and_records() {
    let hours = [0.3, 0.1, 0.7, 0.2, 0.6];
    let rows = hours
        .iter()
        .zip(1..)
        .map(|(hours, id)| vm(id, 2, 100, *hours));
    let usage = day_of(windows(rows.collect()));
    assert_ne!(0.1 + 0.2 + 0.3 + 0.6 + 0.7, 1.9);
    assert_eq!(
        (usage.lines[0].quantity, usage.records[0].quantity),
        (1.9, 1.9)
    );
}

/// `usage_id` says whether it is the default NIC.
#[test]
fn hours_of_a_nic_belong_to_its_vm() {
    let nic = |id, vm_id, default| UsageRow {
        usage_id: default,
        vm_id,
        offering_id: 8,
        ..row(id, 13, 24.0)
    };
    let usage = day_of(vec![nic(1, 100, 1), nic(2, 101, 1), nic(3, 101, 0)]);
    assert_eq!(
        lines(&usage),
        [
            "network_offering vm:100 zone:1 network_offering:8 -x-/- 24",
            "network_offering vm:101 zone:1 network_offering:8 -x-/- 48",
        ]
    );
    assert_eq!(figures(&usage), [(7, "network_offering".into(), 8, 72.0)]);
}

#[test]
fn traffic_belongs_to_a_vm_a_network_or_a_router() {
    let traffic = |id, particulars| UsageRow {
        usage_id: 30,
        particulars,
        ..row(id, 4, 1000.0)
    };
    let usage = day_of(windows(vec![
        traffic(1, Particulars::VmTraffic),
        traffic(2, Particulars::NetworkTraffic(204)),
        traffic(3, Particulars::RouterTraffic),
    ]));
    assert_eq!(
        lines(&usage),
        [
            "network_bytes_sent vm:30 zone:1 - -x-/- 1000",
            "network_bytes_sent network:204 zone:1 - -x-/- 1000",
            "network_bytes_sent router:30 zone:1 - -x-/- 1000",
        ]
    );
}

#[test]
fn a_root_disk_has_no_disk_offering_and_a_data_disk_has_one() {
    let disk = |id, usage_id, offering_id| UsageRow {
        usage_id,
        offering_id,
        particulars: Particulars::Size(10),
        ..row(id, 6, 24.0)
    };
    let snapshot = UsageRow {
        usage_type: Some(25),
        ..disk(3, 9, 2)
    };
    let usage = day_of(vec![disk(1, 41, 0), disk(2, 42, 2), snapshot]);
    assert_eq!(
        lines(&usage),
        [
            "primary_byte_hours volume:41 zone:1 - -x-/- 240",
            "primary_byte_hours volume:42 zone:1 disk_offering:2 -x-/- 240",
            "vm_snapshot_byte_hours vm_snapshot:9 zone:1 disk_offering:2 -x-/- 240",
        ]
    );
    assert_eq!(
        figures(&usage)[0],
        (7, "primary_byte_hours".into(), 0, 480.0)
    );
}

#[test]
fn an_address_is_a_resource_and_templates_and_isos_are_two_kinds() {
    let of = |id, usage_type, usage_id| UsageRow {
        usage_id,
        particulars: Particulars::Size(2),
        ..row(id, usage_type, 24.0)
    };
    let usage = day_of(vec![of(1, 3, 12), of(2, 7, 60), of(3, 8, 60)]);
    assert_eq!(
        lines(&usage),
        [
            "ip_address_allocated ip_address:12 zone:1 - -x-/- 24",
            "secondary_byte_hours template:60 zone:1 - -x-/- 48",
            "secondary_byte_hours iso:60 zone:1 - -x-/- 48",
        ]
    );
    assert_eq!(
        figures(&usage),
        [
            (7, "ip_address_allocated".into(), 12, 24.0),
            (7, "secondary_byte_hours".into(), 0, 96.0),
        ]
    );
}

#[test]
fn an_account_is_in_the_domain_of_its_newest_row() {
    let in_domain = |id, account_id, vm_id, domain_id| UsageRow {
        account_id,
        domain_id,
        ..vm(id, 2, vm_id, 24.0)
    };
    let usage = day_of(vec![
        in_domain(5, 7, 100, 4),
        in_domain(9, 7, 101, 2),
        in_domain(8, 7, 102, 6),
        in_domain(1, 8, 103, 3),
    ]);
    let domains: Vec<(u64, u32)> = usage
        .lines
        .iter()
        .map(|line| (line.resource.1, line.domain_id))
        .collect();
    assert_eq!(domains, [(100, 2), (101, 2), (102, 2), (103, 3)]);
}

/// What is not counted leaves no line.
#[test]
fn hidden_rows_and_volume_rows_per_vm_have_no_line() {
    let volume = UsageRow {
        usage_id: 2,
        particulars: Particulars::Size(10),
        ..row(2, 6, 24.0)
    };
    let usage = day_of(vec![
        UsageRow {
            usage_id: 1,
            hidden: true,
            ..row(1, 3, 24.0)
        },
        volume.clone(),
        UsageRow {
            id: 3,
            vm_id: 9,
            ..volume
        },
    ]);
    assert_eq!(
        lines(&usage),
        ["primary_byte_hours volume:2 zone:1 - -x-/- 240"]
    );
}
