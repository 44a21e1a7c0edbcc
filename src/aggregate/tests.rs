//! Hand-computed days. The day is 2013-06-10 in GMT unless a test says otherwise.

use proptest::prelude::*;

use super::*;
use crate::row::IdentityHasher;

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
        usage_type: Some(usage_type),
        raw_usage,
        offering_id: 0,
        template_id: 0,
        usage_id: 0,
        size: None,
        start: DAY.start,
        end: DAY.end,
        of_vm: false,
        hidden: false,
        raw_is_hours: true,
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
            row.size
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
            u64::from(row.of_vm),
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

fn day_of(rows: Vec<UsageRow>) -> DayUsage {
    let vms = VmFacts {
        guest_os: &|vm, template| if vm == 404 { template } else { 50 },
        removed: &|_| None,
    };
    aggregate(
        &mut identified(rows),
        DAY,
        &Zone::parse("GMT").unwrap(),
        &vms,
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
        size: Some(size),
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
            size: Some(1),
            ..row(2, 3, 24.0)
        },
        UsageRow {
            usage_id: 3,
            size: Some(0),
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
            size: Some(10),
            ..row(2, 6, 24.0)
        },
        UsageRow {
            usage_id: 2,
            size: Some(10),
            of_vm: true,
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
fn of_a_replayed_window_the_newest_row_counts() {
    // A late event made the second run see 20 hours instead of 24.
    let vm = |id, hours| UsageRow {
        usage_id: 1,
        offering_id: 3,
        ..row(id, 2, hours)
    };
    let usage = day_of(vec![vm(5, 20.0), vm(1, 24.0)]);
    assert_eq!(figures(&usage), [(7, "vm_allocated".into(), 3, 20.0)]);
    assert_eq!(usage.replayed_rows, 1);
    assert_eq!(kinds(&usage), ["replayed_rows"]);
    assert_eq!(
        usage.findings[0].detail,
        "1 row of usage type 2 not counted: same window as another row"
    );
}

#[test]
fn of_a_replayed_bucket_or_backup_the_oldest_row_counts() {
    let bucket = |id, bytes| UsageRow {
        usage_id: 1,
        ..row(id, 29, bytes)
    };
    assert_eq!(
        figures(&day_of(vec![bucket(9, 500.0), bucket(2, 100.0)])),
        [(7, "bucket_byte_hours".into(), 0, 2400.0)]
    );
    let backup = |id, size| UsageRow {
        usage_id: 1,
        offering_id: 8,
        size: Some(size),
        ..row(id, 28, 24.0)
    };
    assert_eq!(
        figures(&day_of(vec![backup(9, 500), backup(2, 100)])),
        [(7, "backup_byte_hours".into(), 8, 2400.0)]
    );
}

#[test]
fn rows_that_may_repeat_are_collapsed_only_when_their_raw_values_are_equal() {
    // A network in two states for 10 and 14 hours of one window, and all of it replayed.
    let network = |id, hours| UsageRow {
        usage_id: 1,
        ..row(id, 30, hours)
    };
    let usage = day_of(vec![
        network(1, 10.0),
        network(2, 14.0),
        network(3, 10.0),
        network(4, 14.0),
    ]);
    assert_eq!(figures(&usage), [(7, "network".into(), 0, 24.0)]);
    assert_eq!(usage.replayed_rows, 2);
}

#[test]
fn a_short_window_inside_another_is_dropped_and_one_on_its_own_is_not() {
    // A late event ten minutes before midnight: an extra row for every resource. Volume 2 has only that.
    let late = |id, usage_id| UsageRow {
        usage_id,
        size: Some(1),
        start: DAY.end - 600,
        ..row(id, 6, 600.0 / 3600.0)
    };
    let usage = day_of(vec![
        UsageRow {
            usage_id: 1,
            size: Some(1),
            ..row(1, 6, 24.0)
        },
        late(2, 1),
        late(3, 2),
    ]);
    assert_eq!(
        figures(&usage),
        [(7, "primary_byte_hours".into(), 0, 24.0 + 600.0 / 3600.0)]
    );
    assert_eq!(
        usage.findings[0].detail,
        "1 row of usage type 6 not counted: inside another row's window"
    );
}

#[test]
fn windows_across_each_other_are_counted_once() {
    // A replay across a clock change is cut an hour off: 1 to 1 o'clock instead of midnight to midnight.
    let shifted = |id, from: i64| UsageRow {
        start: TENTH + from * 3600,
        end: TENTH + (from + 24) * 3600,
        ..row(id, 10, 24.0)
    };
    let usage = day_of(vec![row(1, 10, 20.0), shifted(2, -23), shifted(3, 1)]);
    assert_eq!(figures(&usage), [(7, "security_group".into(), 0, 20.0)]);
    assert_eq!((usage.source_rows, usage.replayed_rows), (3, 2));
    assert_eq!(
        usage.findings[0].detail,
        "2 rows of usage type 10 counted only beside other rows, whose windows overlap"
    );
    // Without a row of the day itself the two share it.
    let usage = day_of(vec![shifted(2, -23), shifted(3, 1)]);
    assert_eq!(figures(&usage)[0].3, 24.0);
    let ten_hours = |id, from: i64| UsageRow {
        raw_usage: 10.0,
        end: TENTH + (from + 10) * 3600,
        ..shifted(id, from)
    };
    // 0 to 10, 10 to 20, and again 5 to 15 and 15 to 25 by a later run: 24 hours are 24 hours.
    let usage = day_of(vec![
        ten_hours(1, 0),
        ten_hours(2, 10),
        ten_hours(3, 5),
        ten_hours(4, 15),
    ]);
    assert_eq!(figures(&usage)[0].3, 24.0);
}

#[test]
fn a_replay_over_the_change_to_summer_time_counts_once() {
    // Stockholm, 2025. An event of the 28th at 12:00 could not be processed, so the run of the 30th cut its
    // pieces of 24 hours from there on, shifted by one hour against the rows of the 28th and 29th.
    let stockholm = Zone::parse("Europe/Stockholm").unwrap();
    let midnight = |day: &str| stockholm.midnight(day.parse().unwrap());
    let hour = 3600;
    let end = midnight("2025-03-31");
    let vm = |id, from, until, hours| UsageRow {
        usage_id: 1,
        offering_id: 3,
        start: from,
        end: until,
        ..row(id, 2, hours)
    };
    let rows = identified(vec![
        vm(1, midnight("2025-03-28"), midnight("2025-03-29"), 24.0),
        vm(2, midnight("2025-03-29"), midnight("2025-03-30"), 24.0),
        vm(3, midnight("2025-03-28") + 12 * hour, end - 48 * hour, 11.0),
        vm(4, end - 48 * hour, end - 24 * hour, 24.0),
        vm(5, end - 24 * hour, end, 24.0),
    ]);
    let vms = VmFacts {
        guest_os: &|_, _| 0,
        removed: &|_| None,
    };
    let hours_of = |day: &str| {
        let bounds = DayBounds {
            start: midnight(day),
            end: midnight(&day.parse::<crate::day::Day>().unwrap().next().to_string()),
        };
        // As the source gives them: the rows whose windows touch the day.
        let touches = |row: &&UsageRow| row.start < bounds.end && row.end > bounds.start;
        let mut touching: Vec<UsageRow> = rows.iter().filter(touches).cloned().collect();
        aggregate(&mut touching, bounds, &stockholm, &vms).unwrap()
    };
    let days = ["2025-03-28", "2025-03-29", "2025-03-30"].map(hours_of);
    assert_eq!(
        days.each_ref().map(|day| day.records[0].quantity),
        [24.0, 24.0, 23.0]
    );
    assert_eq!(days.each_ref().map(|day| day.replayed_rows), [2, 2, 0]);
    assert_eq!(
        days[1].findings[0].detail,
        "2 rows of usage type 2 counted only beside other rows, whose windows overlap"
    );
}

#[test]
fn windows_over_midnight_are_shared_and_reported() {
    // 18:00 of the 9th to 06:00 of the 10th: half of 12 hours and half of 1,000 bytes.
    let half = |id, usage_type, raw| UsageRow {
        start: TENTH - 21_600,
        end: TENTH + 21_600,
        ..row(id, usage_type, raw)
    };
    let usage = day_of(vec![half(1, 10, 12.0), half(2, 4, 1000.0)]);
    assert_eq!(
        figures(&usage),
        [
            (7, "network_bytes_sent".into(), 0, 500.0),
            (7, "security_group".into(), 0, 6.0)
        ]
    );
    assert_eq!(
        usage.findings[0].detail,
        "2 rows across midnight, shared by elapsed time"
    );
}

#[test]
fn a_window_that_starts_seconds_early_is_wholly_the_days() {
    let glued = UsageRow {
        usage_id: 1,
        offering_id: 3,
        start: TENTH - 2,
        ..row(1, 2, 24.000555)
    };
    let usage = day_of(vec![glued]);
    assert_eq!(figures(&usage), [(7, "vm_allocated".into(), 3, 24.000555)]);
    assert_eq!(kinds(&usage), Vec::<&str>::new());
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
    // Two NICs on one network offering are merged by CloudStack: 48 hours are right.
    assert_eq!(
        kinds(&day_of(vec![UsageRow {
            usage_id: 1,
            ..row(1, 13, 48.0)
        }])),
        Vec::<&str>::new()
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
        size: Some(9),
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
    let vms = VmFacts {
        guest_os: &|_, _| 50,
        removed: &|_| Some(TENTH - 1),
    };
    let mut rows = vec![UsageRow {
        usage_id: 3,
        ..row(1, 1, 24.0)
    }];
    let usage = aggregate(&mut rows, DAY, &Zone::parse("GMT").unwrap(), &vms).unwrap();
    assert_eq!(kinds(&usage), ["used_after_removal"]);
    assert_eq!(usage.records.len(), 2);
}

#[test]
fn a_value_that_is_no_amount_fails_the_day_by_name() {
    let vms = VmFacts {
        guest_os: &|_, _| 0,
        removed: &|_| None,
    };
    let mut rows = vec![row(17, 1, f64::NAN)];
    let err = aggregate(&mut rows, DAY, &Zone::parse("GMT").unwrap(), &vms).unwrap_err();
    assert_eq!(err.to_string(), "cloud_usage row 17: raw_usage is NaN");
}

fn any_row() -> impl Strategy<Value = UsageRow> {
    let windows = prop_oneof![
        Just((DAY.start, DAY.end)),
        Just((DAY.start - 2, DAY.end)),
        Just((DAY.end - 600, DAY.end)),
        (-30i64..24, 1i64..40)
            .prop_map(|(from, hours)| (TENTH + from * 3600, TENTH + (from + hours) * 3600)),
    ];
    let usage_type = prop_oneof![
        Just(1u32),
        Just(6),
        Just(4),
        Just(25),
        Just(28),
        Just(29),
        Just(30),
        Just(99)
    ];
    (
        usage_type,
        1u64..4,
        1u64..3,
        0.1f64..48.0,
        proptest::option::of(1u64..1 << 40),
        windows,
    )
        .prop_map(
            |(usage_type, usage_id, account_id, raw, size, (start, end))| UsageRow {
                usage_id,
                account_id,
                size,
                start,
                end,
                ..row(0, usage_type, raw)
            },
        )
}

proptest! {
    /// To the last bit, and whatever the ids of equal facts are.
    #[test]
    fn the_order_of_rows_changes_nothing(
        (rows, shuffled) in proptest::collection::vec(any_row(), 1..40)
            .prop_map(|mut rows| {
                for (id, row) in (1..).zip(&mut rows) {
                    row.id = id;
                }
                identified(rows)
            })
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        prop_assert_eq!(day_of(rows), day_of(shuffled));
    }

    /// Over all days, what a window was worth is what its days get.
    #[test]
    fn nothing_is_lost_or_gained_at_midnight(from in -100_000i64..100_000, seconds in 1i64..300_000) {
        let gmt = Zone::parse("GMT").unwrap();
        let share = |day: i64| {
            let bounds = DayBounds { start: TENTH + day * 86_400, end: TENTH + (day + 1) * 86_400 };
            let part = part_of_day(TENTH + from, TENTH + from + seconds, bounds, &gmt).unwrap();
            part.map_or(0.0, |part| part.share(part.to - part.from))
        };
        let whole: f64 = (-4..8).map(share).sum();
        prop_assert!((whole - 1.0).abs() < 1e-12, "{}", whole);
    }
}
