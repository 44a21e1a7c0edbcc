//! Rows that operators have met, each with the figure that is right by hand: descriptions that a release spells anew, windows
//! that share a second, names that tell what ids do not, sizes and removals that can hardly be.

use super::{UsageRow, cloud};
use crate::cloudstack::Cloud;

const DAY: &str = "2013-06-01";
const GIB: u64 = 1 << 30;

/// 24 hours of something of alice's.
fn of_alice(usage_type: u32, usage_id: u64) -> UsageRow {
    UsageRow::of_day(DAY, usage_type, 2, usage_id)
}

fn imported(rows: &[UsageRow]) -> Cloud {
    let cloud = cloud();
    cloud.add_usage(rows);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "-s", DAY]).exits(0);
    cloud
}

fn quantities(cloud: &Cloud) -> Vec<String> {
    cloud.ledger("select metric, quantity from daily_usage order by metric")
}

fn findings(cloud: &Cloud) -> Vec<String> {
    cloud.ledger(
        "select kind || ': ' || coalesce(resource || ': ', '') || detail from findings order by id",
    )
}

/// 24 hours of 8 GiB are 192 GiB-hours, however a release or the JVM's locale spells sizes. Both with `usage_job` telling
/// of the second run, and without.
#[test]
fn a_day_written_again_after_an_upgrade_counts_once() {
    let row = |usage_type, id, text: &str| UsageRow {
        size: Some(8 * GIB),
        description: text.to_owned(),
        ..of_alice(usage_type, id)
    };
    let snapshot = |usage_type, text: &str| UsageRow {
        vm_instance_id: Some(11),
        offering_id: (usage_type == 25).then_some(7),
        vm_name: (usage_type == 27).then(|| "i-2-11-VM_VS_1".to_owned()),
        ..row(usage_type, 61, text)
    };
    let written = |size: &str| {
        [
            row(7, 1, &format!("Template Id:1 Size:{size}8589934592")),
            row(9, 51, &format!("Snapshot Id:51 Size:{size}8589934592")),
            snapshot(
                25,
                &format!(
                    "VMSnapshot Id: 61 Usage: VM Id: 11 Volume Id: 41  DiskOffering: 7 Size: {size}8589934592"
                ),
            ),
            snapshot(
                27,
                &format!("VMSnapshot Id: 61 On Primary Usage: VM Id: 11 Size: {size}"),
            ),
        ]
    };
    let once = [
        "secondary_byte_hours | 412316860416",
        "vm_snapshot_byte_hours | 206158430208",
        "vm_snapshot_on_primary_byte_hours | 206158430208",
    ];
    for jobs_readable in [true, false] {
        let cloud = cloud();
        for size in ["", "(8.00 GB) ", "(8,00 GB) "] {
            cloud.add_usage(&written(size));
            cloud.usage(
                "insert into usage_job (job_type, start_millis, end_millis, success, heartbeat, id) \
                 select 0, 1370044800000, 1370131199999, 1, '2013-06-02', coalesce(max(id), 0) + 1 from usage_job",
            );
        }
        if !jobs_readable {
            cloud.usage("drop table usage_job");
        }
        cloud.run(&["import", "-s", DAY]).exits(0);
        assert_eq!(quantities(&cloud), once, "{jobs_readable}");
        cloud.run(&["verify", DAY]).exits(0);
        cloud.run(&["explain", "alice", DAY]).exits(0);
    }
}

/// The usage server kept two VM snapshots of one VM apart by name alone: 10 GiB all day, and 10 more from noon on.
#[test]
fn vm_snapshots_on_primary_are_told_apart_by_their_names() {
    let snapshot = |name: &str, start: &str, hours| UsageRow {
        usage_id: None,
        vm_instance_id: Some(11),
        vm_name: Some(name.to_owned()),
        size: Some(10 * GIB),
        start: format!("{DAY} {start}"),
        raw_usage: hours,
        ..of_alice(27, 0)
    };
    let cloud = imported(&[
        snapshot("snap1", "00:00:00", 24.0),
        snapshot("snap2", "12:00:00", 12.0),
    ]);
    let gib_hours = 360 * GIB;
    assert_eq!(
        quantities(&cloud),
        [format!("vm_snapshot_on_primary_byte_hours | {gib_hours}")]
    );
    assert_eq!(findings(&cloud), Vec::<String>::new());
}

/// A VM snapshot was deleted on the 1st at noon, in an event that was stuck until the 4th: the run after that writes it up
/// to noon, and nothing of the days since.
#[test]
fn a_vm_snapshot_on_primary_ends_where_a_later_run_says() {
    let snapshot = |day: &str, end: &str, hours| UsageRow {
        usage_id: None,
        vm_instance_id: Some(11),
        vm_name: Some("snap1".to_owned()),
        size: Some(1000),
        end: format!("{day} {end}"),
        raw_usage: hours,
        ..UsageRow::of_day(day, 27, 2, 0)
    };
    let days = ["2013-06-01", "2013-06-02", "2013-06-03"];
    let vm = |day| UsageRow::of_vm(day, 2, 2, 11, 5);
    let cloud = cloud();
    for day in days {
        cloud.add_usage(&[vm(day), snapshot(day, "23:59:59", 24.0)]);
        cloud.finished_until(&format!("{day} 23:59:59"));
    }
    cloud.run(&["import"]).exits(0);
    cloud.add_usage(&[vm(days[0]), snapshot(days[0], "12:00:00", 12.0)]);
    cloud.add_usage(&[vm(days[1]), vm(days[2]), vm("2013-06-04")]);
    cloud.usage(
        "insert into usage_job (id, job_type, start_millis, end_millis, success, heartbeat) \
         values (9, 0, 1370044800000, 1370390399999, 1, '2013-06-05')",
    );
    cloud.configure("GMT", "[import]\nreread = update\n");
    cloud.run(&["import"]).exits(0);
    let of_snapshots = "select day, metric, quantity from daily_usage \
                        where metric = 'vm_snapshot_on_primary_byte_hours' or day = '2013-06-03' order by 1, 2";
    let right = [
        "2013-06-01 | vm_snapshot_on_primary_byte_hours | 12000",
        "2013-06-03 | vm_allocated | 24",
    ];
    assert_eq!(cloud.ledger(of_snapshots), right);
    cloud.run(&["verify", "2013-06"]).exits(1);
    assert_eq!(
        cloud.ledger("select day, verified_at is null from days"),
        [
            "2013-06-01 | 0",
            "2013-06-02 | 0",
            "2013-06-03 | 0",
            "2013-06-04 | 0"
        ]
    );
    assert_eq!(
        cloud.ledger("select day, detail from findings where kind = 'rewritten' order by day"),
        [
            "2013-06-01 | usage_job 9 wrote the time since 2013-06-01T00:00:00Z again: vm_snapshot_on_primary_byte_hours -12000 byte-hours",
            "2013-06-02 | usage_job 9 wrote the time since 2013-06-01T00:00:00Z again: vm_snapshot_on_primary_byte_hours -24000 byte-hours",
            "2013-06-03 | usage_job 9 wrote the time since 2013-06-01T00:00:00Z again: vm_snapshot_on_primary_byte_hours -24000 byte-hours",
        ]
    );
}

/// With an aggregation range of five minutes windows end when the job runs: twelve of them are an hour.
#[test]
fn windows_that_share_a_second_are_neighbours() {
    let minutes = |n: u64| {
        format!(
            "{DAY} {:02}:{:02}:34",
            10 + (1 + 5 * n) / 60,
            (1 + 5 * n) % 60
        )
    };
    let mut rows = Vec::new();
    for n in 0..12 {
        let window = |row: UsageRow| UsageRow {
            start: minutes(n),
            end: minutes(n + 1),
            ..row
        };
        rows.push(window(UsageRow {
            raw_usage: 1.0 / 12.0,
            ..UsageRow::of_vm(DAY, 2, 2, 11, 5)
        }));
        rows.push(window(UsageRow {
            raw_usage: 1_000_000.0,
            network_id: Some(201),
            kind: Some("DomainRouter".to_owned()),
            ..of_alice(4, 900)
        }));
    }
    let cloud = imported(&rows);
    assert_eq!(
        cloud.ledger("select metric, round(quantity, 9) from daily_usage order by metric"),
        ["network_bytes_sent | 12000000", "vm_allocated | 1"]
    );
    assert_eq!(
        findings(&cloud),
        [
            "source_begins: the source's first row begins 10.03 hours into the day: what was before is not known"
        ]
    );
    cloud.run(&["verify", DAY]).exits(0);
}

/// A VM snapshot changed its size at 10 o'clock: 10 and 14 hours.
#[test]
fn segments_of_a_vm_snapshot_that_share_a_second_count_whole() {
    let segment = |start: &str, end: &str, hours| UsageRow {
        size: Some(1000),
        vm_instance_id: Some(11),
        offering_id: Some(7),
        start: format!("{DAY} {start}"),
        end: format!("{DAY} {end}"),
        raw_usage: hours,
        ..of_alice(25, 61)
    };
    let cloud = imported(&[
        segment("00:00:00", "10:00:00", 10.0),
        segment("10:00:00", "23:59:59", 14.0),
    ]);
    assert_eq!(quantities(&cloud), ["vm_snapshot_byte_hours | 24000"]);
    assert_eq!(findings(&cloud), Vec::<String>::new());
}

/// Volume 41 has a row for its VM alone, 42 one of its own beside it: both count once.
#[test]
fn a_volume_that_has_rows_for_vms_alone_counts() {
    let volume = |id, vm| UsageRow {
        size: Some(1000),
        offering_id: Some(7),
        vm_instance_id: vm,
        ..of_alice(6, id)
    };
    let cloud = imported(&[volume(41, Some(11)), volume(42, Some(11)), volume(42, None)]);
    assert_eq!(quantities(&cloud), ["primary_byte_hours | 48000"]);
}

#[test]
fn a_row_that_amounts_to_nothing_refuses_no_day() {
    let cloud = imported(&[
        UsageRow::of_vm(DAY, 2, 2, 11, 5),
        UsageRow {
            size: Some(1000),
            raw_usage: 0.0,
            start: format!("{DAY} 10:00:05"),
            end: format!("{DAY} 10:00:03"),
            ..of_alice(25, 41)
        },
    ]);
    assert_eq!(
        quantities(&cloud),
        ["vm_allocated | 24", "vm_snapshot_byte_hours | 0"]
    );
    assert_eq!(
        findings(&cloud),
        [
            "ends_before_start: vm_snapshot:41: row 2: it ends before it starts, and amounts to nothing"
        ]
    );
}

#[test]
fn sizes_that_can_hardly_be_are_findings() {
    let sized = |usage_type, id, size: u64| UsageRow {
        size: Some(size),
        ..of_alice(usage_type, id)
    };
    let cloud = imported(&[
        sized(9, 51, 0),
        UsageRow {
            raw_usage: 0.0,
            usage_display: "0 bytes".to_owned(),
            ..of_alice(29, 1)
        },
        sized(6, 41, 0),
        UsageRow {
            vm_instance_id: Some(11),
            offering_id: Some(9),
            ..sized(28, 11, 0)
        },
        // As far as SQLite's numbers go.
        sized(7, 1, i64::MAX.unsigned_abs()),
        sized(6, 42, 1_000_000_000_000_000),
    ]);
    let doubtful: Vec<String> = findings(&cloud)
        .into_iter()
        .filter(|finding| finding.starts_with("size_"))
        .collect();
    assert_eq!(
        doubtful,
        [
            "size_doubtful: volume:41: row 3: the size is 0",
            "size_doubtful: snapshot:51: row 1: the size is 0",
            "size_doubtful: template:1: row 5: the size is 9223372036854775807 bytes",
            "size_doubtful: vm:11: row 4: the size is 0",
        ]
    );
}

/// Of every kind of resource, from the first whole day after the removal on.
#[test]
fn use_after_the_removal_of_an_account_or_a_vm_is_a_finding() {
    let cloud = cloud();
    cloud.main("update account set removed = '2013-06-01 12:00:00' where id = 2");
    cloud.main("update vm_instance set removed = '2013-06-01 12:00:00' where id = 11");
    let written = |day: &str| {
        let of_day = |usage_type, id| UsageRow {
            size: Some(1_000_000_000),
            ..UsageRow::of_day(day, usage_type, 2, id)
        };
        [
            of_day(6, 41),
            of_day(3, 21),
            of_day(11, 77),
            of_day(9, 51),
            UsageRow {
                vm_instance_id: Some(11),
                ..UsageRow::of_day(day, 10, 3, 5)
            },
        ]
    };
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&written(day));
        cloud.finished_until(&format!("{day} 23:59:59"));
    }
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(
            "select day, account_name, metric, detail from findings \
             where kind = 'used_after_removal' order by account_name, metric"
        ),
        [
            "2013-06-02 | alice | ip_address_allocated | 1 row of usage type 3 after the account was removed",
            "2013-06-02 | alice | load_balancer_policy | 1 row of usage type 11 after the account was removed",
            "2013-06-02 | alice | primary_byte_hours | 1 row of usage type 6 after the account was removed",
            "2013-06-02 | alice | secondary_byte_hours | 1 row of usage type 9 after the account was removed",
            "2013-06-02 | bob | security_group | row 10: its VM, vm:11, was removed before",
        ]
    );
}

/// CloudStack counted a router's traffic once for each tier of its VPC. Nothing is taken off; who bills can see it.
#[test]
fn the_same_traffic_on_several_networks_is_a_finding() {
    let traffic = |usage_type, network, bytes| UsageRow {
        raw_usage: bytes,
        network_id: Some(network),
        kind: Some("DomainRouter".to_owned()),
        ..of_alice(usage_type, 900)
    };
    let cloud = imported(&[
        traffic(4, 201, 5000.0),
        traffic(4, 202, 5000.0),
        traffic(4, 203, 5000.0),
        traffic(5, 201, 0.0),
        traffic(5, 202, 0.0),
        traffic(5, 203, 7.0),
    ]);
    assert_eq!(
        quantities(&cloud),
        ["network_bytes_received | 7", "network_bytes_sent | 15000"]
    );
    let told = findings(&cloud);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("same_traffic: usage_id:900: row "),
        "{told:?}"
    );
}

/// What is left of an account that was deleted from `cloud` by hand.
#[test]
fn an_account_that_only_the_usage_database_knows_has_its_name() {
    let cloud = cloud();
    cloud.usage("insert into account (id, account_name, type, domain_id) values (77, 'carol', 0, 1), (2, 'not alice', 0, 1)");
    for day in ["2013-06-01", "2013-06-02"] {
        cloud.add_usage(&[
            UsageRow::of_vm(day, 2, 77, 11, 5),
            UsageRow::of_vm(day, 2, 2, 12, 5),
        ]);
        cloud.finished_until(&format!("{day} 23:59:59"));
    }
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger("select day, account_uuid, account_name from daily_usage order by 1, 2"),
        [
            "2013-06-01 | account:77 | carol",
            "2013-06-01 | alice-uuid | alice",
            "2013-06-02 | account:77 | carol",
            "2013-06-02 | alice-uuid | alice",
        ]
    );
}
