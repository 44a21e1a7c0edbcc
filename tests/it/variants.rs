//! CloudStack's schema in every release whose tables differ, as upgraded databases have it: the same cloud
//! gives the same figures, plus what the release can tell more.

use crate::cloudstack::{Cloud, NEWEST, UsageRow, VERSIONS, Version};

const DAY: &str = "2013-06-01";

/// Everything but the account, which is the same throughout.
const RECORDS: &str = "select metric, unit, resource_uuid, resource_name, quantity
                       from daily_usage where day = '2013-06-01' and account_uuid = 'alice-uuid' order by 1, 3";

/// What the rows below point at. VM 12 was purged, so its OS is that of its template.
fn furnish(cloud: &Cloud, version: Version) {
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.service_offering(6, "custom-uuid", "custom");
    cloud.guest_os(1, "CentOS 6");
    cloud.guest_os(2, "Debian 7");
    cloud.template(1, 2);
    cloud.vm(11, 1);
    cloud.ip_address(21, "ip-uuid", "192.0.2.21");
    cloud.other_offering("network_offerings", 8, "net-uuid", "isolated");
    if version >= Version::V4_15 {
        cloud.other_offering("backup_offering", 9, "backup-uuid", "gold");
    }
}

fn of_type(usage_type: u32, usage_id: u64) -> UsageRow {
    UsageRow::of_day(DAY, usage_type, 2, usage_id)
}

/// A day of one account, as the usage server of this release writes it.
fn usage_of_a_day(version: Version) -> Vec<UsageRow> {
    let custom_vm = |hours: f64, cores: u32| UsageRow {
        raw_usage: hours,
        cpu_cores: Some(cores),
        cpu_speed: Some(2000),
        memory: Some(4096),
        ..UsageRow::of_vm(DAY, 1, 2, 12, 6)
    };
    let mut rows = vec![
        UsageRow::of_vm(DAY, 1, 2, 11, 5),
        UsageRow::of_vm(DAY, 2, 2, 11, 5),
        custom_vm(6.5, 4),
        UsageRow {
            description: "IPAddress: 192.0.2.21".to_owned(),
            size: Some(1),
            ..of_type(3, 21)
        },
        UsageRow {
            raw_usage: 1e9,
            ..of_type(4, 31)
        },
        UsageRow {
            raw_usage: 2.5e9,
            ..of_type(5, 31)
        },
        UsageRow {
            size: Some(10_737_418_240),
            ..of_type(6, 41)
        },
        UsageRow {
            size: Some(1_073_741_824),
            virtual_size: Some(9_999_999_999),
            ..of_type(7, 1)
        },
        UsageRow {
            size: Some(500),
            ..of_type(8, 2)
        },
        UsageRow {
            raw_usage: 12.0,
            size: Some(1000),
            ..of_type(9, 51)
        },
        UsageRow {
            offering_id: Some(8),
            vm_instance_id: Some(11),
            ..of_type(13, 1)
        },
    ];
    if version >= Version::V4_2 {
        rows.push(UsageRow {
            raw_usage: 100.0,
            vm_instance_id: Some(11),
            ..of_type(21, 41)
        });
    }
    if version >= Version::V4_4 {
        // The same VM, scaled up: differs in nothing but what this release added.
        rows.push(custom_vm(3.5, 8));
    }
    if version >= Version::V4_15 {
        rows.push(UsageRow {
            is_hidden: true,
            description: "IPAddress: 192.0.2.22".to_owned(),
            size: Some(0),
            ..of_type(3, 22)
        });
        rows.push(UsageRow {
            size: Some(1000),
            offering_id: Some(9),
            vm_instance_id: Some(11),
            ..of_type(28, 11)
        });
    }
    if version >= Version::V4_19_1 {
        for (hours, state) in [(10.0, "Implemented"), (14.0, "Setup")] {
            rows.push(UsageRow {
                raw_usage: hours,
                state: Some(state.to_owned()),
                size: Some(0),
                offering_id: Some(8),
                ..of_type(30, 61)
            });
        }
    }
    if version >= Version::V4_22_1 {
        // For attribution only: the same volume again, by the VM it hangs on.
        rows.push(UsageRow {
            size: Some(10_737_418_240),
            vm_instance_id: Some(11),
            ..of_type(6, 41)
        });
    }
    rows
}

/// What `usage_of_a_day` amounts to.
fn records_of_a_day(version: Version) -> Vec<&'static str> {
    let mut records = vec![
        "ip_address_allocated | hours | ip-uuid | 192.0.2.21 | 24",
        "network_bytes_received | bytes | null | null | 2500000000",
        "network_bytes_sent | bytes | null | null | 1000000000",
        "network_offering | hours | net-uuid | isolated | 24",
        // 24 h × 10 GiB
        "primary_byte_hours | byte-hours | null | null | 257698037760",
        // 24 h × 1 GiB + 24 h × 500 + 12 h × 1000
        "secondary_byte_hours | byte-hours | null | null | 25769827776",
        "vm_allocated | hours | small-uuid | small | 24",
        "vm_running | hours | small-uuid | small | 24",
    ];
    if version < Version::V4_4 {
        records.push("vm_running | hours | custom-uuid | custom | 6.5");
        records.push("os_usage | hours | os-2 | Debian 7 | 6.5");
    } else {
        // 6.5 h with 4 cores + 3.5 h with 8
        records.push("vm_running | hours | custom-uuid | custom | 10");
        records.push("os_usage | hours | os-2 | Debian 7 | 10");
    }
    records.push("os_usage | hours | os-1 | CentOS 6 | 24");
    if version >= Version::V4_2 {
        records.push("disk_read_requests | requests | null | null | 100");
    }
    if version >= Version::V4_15 {
        // 24 h × 1000
        records.push("backup_byte_hours | byte-hours | backup-uuid | gold | 24000");
    }
    if version >= Version::V4_19_1 {
        // 10 h implemented + 14 h set up
        records.push("network | hours | null | null | 24");
    }
    records.sort_unstable();
    records
}

#[track_caller]
fn imports_its_day(cloud: &Cloud, version: Version) {
    furnish(cloud, version);
    cloud.add_usage(&usage_of_a_day(version));
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    assert_eq!(
        cloud.ledger(RECORDS),
        records_of_a_day(version),
        "{version:?}"
    );
    assert_eq!(
        cloud.ledger("select day, state from days"),
        ["2013-06-01 | closed"],
        "{version:?}"
    );
}

#[test]
fn every_release_is_read_from_mariadb() {
    for (version, _) in VERSIONS {
        imports_its_day(&Cloud::in_mariadb(version), version);
    }
}

#[test]
fn every_release_is_read_from_sqlite_files() {
    for (version, _) in VERSIONS {
        imports_its_day(&Cloud::in_sqlite(version), version);
    }
}

#[test]
fn the_order_of_columns_does_not_matter() {
    let cloud = Cloud::in_mariadb(NEWEST);
    for column in [
        "raw_usage double unsigned not null",
        "end_date datetime not null",
        "size bigint unsigned",
        "account_id bigint unsigned not null",
        "state varchar(100)",
    ] {
        cloud.usage(&format!(
            "alter table cloud_usage modify column {column} first"
        ));
    }
    cloud.main("alter table account modify column uuid varchar(40) first");
    cloud.main("alter table service_offering modify column name varchar(255) first");
    imports_its_day(&cloud, NEWEST);
}

#[test]
fn columns_of_a_later_release_are_ignored() {
    let cloud = Cloud::in_mariadb(NEWEST);
    cloud.usage("alter table cloud_usage add column gpu_count int unsigned not null default 7");
    cloud.main("alter table service_offering add column gpu_count int unsigned first");
    imports_its_day(&cloud, NEWEST);
}

#[test]
fn an_upgrade_of_cloudstack_goes_unnoticed() {
    let mut cloud = Cloud::in_mariadb(Version::V4_0);
    imports_its_day(&cloud, Version::V4_0);
    cloud.upgrade(Version::V4_22_1);

    // An offering made after the upgrade, beside a disk offering of the same id.
    cloud.service_offering(7, "large-uuid", "large");
    cloud.add_usage(&[
        UsageRow::of_vm("2013-06-02", 1, 2, 11, 5),
        UsageRow::of_vm("2013-06-02", 1, 2, 13, 7),
    ]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud
        .run(&["import", "-s", DAY, "-e", "2013-06-02"])
        .exits(0);
    assert_eq!(cloud.ledger(RECORDS), records_of_a_day(Version::V4_0));
    assert_eq!(
        cloud.ledger(
            "select resource_uuid, resource_name, quantity from daily_usage
             where day = '2013-06-02' and metric = 'vm_running' order by 1"
        ),
        ["large-uuid | large | 24", "small-uuid | small | 24"]
    );
}
