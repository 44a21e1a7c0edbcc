//! What rows are worth, by usage type, and what is reported of them.

use super::*;
use crate::finding::FindingKind;

#[test]
fn vm_hours_are_summed_per_offering_and_guest_os() {
    // Two VMs on offering 3, one of them scaled to offering 4 at noon; the third VM is gone from `cloud`,
    // so its OS is its template's, 60.
    let vm = |id, usage_id, offering_id, hours| UsageRow {
        usage_id,
        offering_id,
        template_id: 60,
        ..row(id, 1, hours)
    };
    let usage = day_of(vec![
        vm(1, 100, 3, 24.0),
        vm(2, 101, 3, 12.0),
        vm(3, 101, 4, 12.0),
        vm(4, 404, 4, 6.5),
    ]);
    assert_eq!(
        figures(&usage),
        [
            (7, "vm_running".into(), 3, 36.0),
            (7, "vm_running".into(), 4, 18.5),
            (7, "os_usage".into(), 50, 48.0),
            (7, "os_usage".into(), 60, 6.5),
        ]
    );
    assert_eq!(kinds(&usage), Vec::<&str>::new());
    assert_eq!(usage.source_rows, 4);
}

#[test]
fn stored_bytes_are_hours_times_size() {
    let sized = |id, usage_type, usage_id, size| UsageRow {
        usage_id,
        particulars: Particulars::Size(size),
        ..row(id, usage_type, 24.0)
    };
    // 24 h of 20 GiB and 10 GiB; 24 h of 3 × 1,000 bytes; 24 h of 7 bytes each kind.
    let usage = day_of(vec![
        sized(1, 6, 1, 20 << 30),
        sized(2, 6, 2, 10 << 30),
        sized(3, 7, 3, 1000),
        sized(4, 8, 4, 1000),
        sized(5, 9, 5, 1000),
        sized(6, 25, 6, 7),
        sized(7, 26, 7, 7),
        sized(8, 27, 8, 7),
    ]);
    assert_eq!(
        figures(&usage),
        [
            (
                7,
                "primary_byte_hours".into(),
                0,
                24.0 * 30.0 * 1_073_741_824.0
            ),
            (7, "secondary_byte_hours".into(), 0, 72_000.0),
            (7, "vm_snapshot_byte_hours".into(), 0, 168.0),
            (7, "volume_secondary_byte_hours".into(), 0, 168.0),
            (7, "vm_snapshot_on_primary_byte_hours".into(), 0, 168.0),
        ]
    );
}

#[test]
fn a_bucket_is_a_gauge_and_sizes_that_are_flags_are_ignored() {
    let usage = day_of(vec![
        UsageRow {
            usage_id: 1,
            ..row(1, 29, 1000.0)
        },
        UsageRow {
            usage_id: 2,
            particulars: Particulars::Size(1),
            ..row(2, 3, 24.0)
        },
        UsageRow {
            usage_id: 3,
            particulars: Particulars::Size(0),
            ..row(3, 30, 24.0)
        },
    ]);
    assert_eq!(
        figures(&usage),
        [
            (7, "ip_address_allocated".into(), 2, 24.0),
            (7, "bucket_byte_hours".into(), 0, 24_000.0),
            (7, "network".into(), 0, 24.0)
        ]
    );
}

#[test]
fn a_null_size_counts_as_nothing_and_is_reported() {
    let usage = day_of(vec![UsageRow {
        usage_id: 12,
        ..row(1, 6, 24.0)
    }]);
    assert_eq!(figures(&usage), [(7, "primary_byte_hours".into(), 0, 0.0)]);
    let finding = &usage.findings[0];
    assert_eq!(finding.kind, FindingKind::SizeUnknown);
    assert_eq!(finding.resource.as_deref(), Some("volume:12"));
    assert_eq!(finding.detail, "row 1: the size is NULL and counts as 0");
}

#[test]
fn hidden_rows_and_volume_rows_per_vm_are_not_counted() {
    let usage = day_of(vec![
        UsageRow {
            usage_id: 1,
            hidden: true,
            ..row(1, 3, 24.0)
        },
        UsageRow {
            usage_id: 2,
            particulars: Particulars::Size(10),
            ..row(2, 6, 24.0)
        },
        UsageRow {
            usage_id: 2,
            particulars: Particulars::Size(10),
            vm_id: 9,
            ..row(3, 6, 24.0)
        },
    ]);
    assert_eq!(
        figures(&usage),
        [(7, "primary_byte_hours".into(), 0, 240.0)]
    );
    assert_eq!(
        (
            usage.source_rows,
            usage.hidden_rows,
            usage.per_vm_volume_rows
        ),
        (3, 1, 1)
    );
}

#[test]
fn more_hours_than_the_day_has_are_reported_and_counted() {
    let vm = |id, offering_id| UsageRow {
        usage_id: 9,
        offering_id,
        ..row(id, 2, 24.0)
    };
    let usage = day_of(vec![vm(1, 3), vm(2, 4)]);
    assert_eq!(
        figures(&usage),
        [
            (7, "vm_allocated".into(), 3, 24.0),
            (7, "vm_allocated".into(), 4, 24.0)
        ]
    );
    assert_eq!(kinds(&usage), ["hours_exceed_day"]);
    assert_eq!(usage.findings[0].resource.as_deref(), Some("vm:9"));
    assert_eq!(usage.findings[0].detail, "48.00 hours on a day of 24");
}

#[test]
fn every_type_that_measures_hours_has_a_second_line_of_defence() {
    for (usage_type, detail) in [
        (1, "48.00 hours on a day of 24"),
        (10, "48.00 hours on a day of 24"),
        // CloudStack adds up the NICs of one offering.
        (
            13,
            "48.00 hours on a day of 24; right if the VM has as many NICs of this offering",
        ),
        (25, "48.00 hours on a day of 24"),
        (27, "48.00 hours on a day of 24"),
        (28, "48.00 hours on a day of 24"),
        (31, "48.00 hours on a day of 24"),
    ] {
        let usage = day_of(vec![UsageRow {
            usage_id: 1,
            particulars: Particulars::Size(1),
            ..row(1, usage_type, 48.0)
        }]);
        assert_eq!(kinds(&usage), ["hours_exceed_day"], "{usage_type}");
        assert_eq!(usage.findings[0].detail, detail);
    }
    for counter in [4, 21, 24, 29] {
        let usage = day_of(vec![row(1, counter, 48.0)]);
        assert_eq!(kinds(&usage), Vec::<&str>::new(), "{counter}");
    }
}

#[test]
fn a_size_that_can_hardly_be_is_reported() {
    let sized = |id, usage_type, size| UsageRow {
        usage_id: id,
        particulars: Particulars::Size(size),
        ..row(id, usage_type, 24.0)
    };
    let usage = day_of(vec![
        sized(1, 6, 0),
        sized(2, 9, 1 << 62),
        sized(3, 26, (1 << 62) - 1),
        // A flag.
        sized(4, 3, 0),
    ]);
    let details: Vec<&str> = usage.findings.iter().map(|f| f.detail.as_str()).collect();
    assert_eq!(kinds(&usage), ["size_doubtful", "size_doubtful"]);
    assert_eq!(
        details,
        [
            "row 1: the size is 0",
            "row 2: the size is 4611686018427387904 bytes"
        ]
    );
    // Nothing was used.
    let unused = UsageRow {
        raw_usage: 0.0,
        ..sized(1, 6, 0)
    };
    assert_eq!(kinds(&day_of(vec![unused])), Vec::<&str>::new());
}

#[test]
fn a_running_vm_without_an_id_counts_for_the_os_of_its_template() {
    let unnamed = UsageRow {
        vm_id: 11,
        template_id: 5,
        ..row(1, 1, 24.0)
    };
    let mut rows = identified(vec![unnamed]);
    let zone = Zones::from(Zone::parse("GMT").unwrap());
    let (rewinds, removals) = (Rewinds::default(), Removals::default());
    let counted = count(&mut rows, &rewinds, DAY, &zone, &removals, &mut |_| ()).unwrap();
    assert_eq!(Vec::from_iter(counted.running_vms()), [(0, 5)]);
    let guest_os = |vm, template| if vm == 0 { template } else { 50 };
    let usage = counted.add_up(&guest_os).unwrap();
    let oses = usage
        .records
        .iter()
        .filter(|record| record.metric == Metric::OsUsage);
    assert_eq!(Vec::from_iter(oses.map(|record| record.source_id)), [5]);
    assert!(usage.lines.iter().all(|line| line.resource.1 == 11));
}

#[test]
fn use_of_a_removed_account_is_reported_once_for_each_usage_type() {
    let removals = Removals {
        accounts: [(7, TENTH - 1)].into_iter().collect(),
        ..Removals::default()
    };
    let volume = |id, usage_id| UsageRow {
        usage_id,
        particulars: Particulars::Size(1),
        ..row(id, 6, 24.0)
    };
    let mut rows = identified(vec![volume(1, 1), volume(2, 2), row(3, 14, 24.0)]);
    let zone = Zones::from(Zone::parse("GMT").unwrap());
    let usage = aggregate(
        &mut rows,
        &Rewinds::default(),
        DAY,
        &zone,
        &removals,
        &|_, _| 50,
    )
    .unwrap();
    assert_eq!(kinds(&usage), ["used_after_removal", "used_after_removal"]);
    assert_eq!(
        usage.findings[0].detail,
        "2 rows of usage type 6 after the account was removed"
    );
}

#[test]
fn unknown_types_and_backups_without_hours_are_kept_as_they_are() {
    let untyped = UsageRow {
        usage_type: None,
        ..row(3, 0, 4.0)
    };
    let sized = UsageRow {
        usage_id: 5,
        particulars: Particulars::Size(9),
        raw_is_hours: false,
        ..row(4, 28, 123_456.0)
    };
    let usage = day_of(vec![
        row(1, 99, 1.5),
        UsageRow {
            usage_id: 2,
            ..row(2, 99, 2.0)
        },
        untyped,
        sized,
    ]);
    assert_eq!(
        figures(&usage),
        [
            (7, "usage_type_28".into(), 0, 123_456.0),
            (7, "usage_type_99".into(), 0, 3.5),
            (7, "usage_type_null".into(), 0, 4.0)
        ]
    );
    assert_eq!(
        kinds(&usage),
        ["unknown_usage_type", "unknown_usage_type", "not_hours"]
    );
}

#[test]
fn use_after_removal_is_reported() {
    let removals = Removals {
        vms: [(3, TENTH - 1)].into_iter().collect(),
        ..Removals::default()
    };
    let mut rows = vec![UsageRow {
        usage_id: 3,
        ..row(1, 1, 24.0)
    }];
    let usage = aggregate(
        &mut rows,
        &Rewinds::default(),
        DAY,
        &Zones::from(Zone::parse("GMT").unwrap()),
        &removals,
        &|_, _| 50,
    )
    .unwrap();
    assert_eq!(kinds(&usage), ["used_after_removal"]);
    assert_eq!(usage.records.len(), 2);
}

#[test]
fn a_value_that_is_no_amount_fails_the_day_by_name() {
    let mut rows = vec![row(17, 1, f64::NAN)];
    let err = aggregate(
        &mut rows,
        &Rewinds::default(),
        DAY,
        &Zones::from(Zone::parse("GMT").unwrap()),
        &Removals::default(),
        &|_, _| 0,
    )
    .unwrap_err();
    assert_eq!(err.to_string(), "cloud_usage row 17: raw_usage is NaN");
}
