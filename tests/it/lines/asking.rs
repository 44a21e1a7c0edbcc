//! Reports of what lines know: each VM and volume, zone and size; and the metrics that follow from hours and sizes.

use super::cloud;
use crate::cloudstack::{Cloud, UsageRow};
use crate::server::Server;

/// On each of two days: two VMs of one custom offering run all day in two zones, with 2 vCPUs and 2,048 MiB and with 4
/// vCPUs and 8,192 MiB; a third one, of which only an offering without a size is known, is allocated for 6 hours; a disk
/// of a GiB with a disk offering, and one without.
fn imported() -> Cloud {
    let cloud = cloud();
    cloud.main("insert into data_center (id, uuid, name) values (2, 'south-uuid', 'south')");
    cloud.vm(13, 1);
    for day in ["2013-06-01", "2013-06-02"] {
        let running = |vm, zone_id, cores, memory| UsageRow {
            zone_id,
            cpu_cores: Some(cores),
            cpu_speed: Some(2000),
            memory: Some(memory),
            ..UsageRow::of_vm(day, 1, 2, vm, 6)
        };
        let volume = |id, offering_id| UsageRow {
            size: Some(1 << 30),
            offering_id,
            ..UsageRow::of_day(day, 6, 2, id)
        };
        cloud.add_usage(&[
            running(11, 1, 2, 2048),
            running(12, 2, 4, 8192),
            UsageRow {
                raw_usage: 6.0,
                ..UsageRow::of_vm(day, 2, 2, 13, 6)
            },
            volume(111, None),
            volume(121, Some(21)),
        ]);
    }
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"])
        .exits(0);
    cloud
}

/// The columns of these names, row by row.
fn report(cloud: &Cloud, words: &[&str], columns: &[&str]) -> Vec<String> {
    let days = ["report", "2013-06-01..2013-06-02", "--format", "csv"];
    let csv = cloud.run(&[&days[..], words].concat()).exits(0).stdout;
    let mut rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = rows.next().unwrap();
    let place = |name: &&str| {
        let place = names.iter().position(|one| one == name);
        place.unwrap_or_else(|| panic!("{name} is none of {names:?}"))
    };
    let places: Vec<usize> = columns.iter().map(place).collect();
    rows.map(|row| {
        let cells: Vec<&str> = places.iter().map(|place| row[*place]).collect();
        cells.join(" ")
    })
    .collect()
}

/// A day: 24 × 2 + 24 × 4 vCPU-hours are 144. Of memory 24 × 2 GiB + 24 × 8 GiB are 240 GiB-hours, 257,698,037,760
/// byte-hours. The VM whose size nobody knows adds nothing, so there is nothing that follows from `vm_allocated`.
#[test]
fn derived_metrics_are_hours_times_sizes() {
    let cloud = imported();
    let figures = |words: &[&str]| report(&cloud, words, &["metric", "quantity", "unit"]);
    let vms = "vm_running,vm_running_vcpu_hours,vm_running_memory_byte_hours,vm_allocated,\
               vm_allocated_vcpu_hours,vm_allocated_memory_byte_hours";
    assert_eq!(
        figures(&["--metric", vms]),
        [
            "vm_allocated 12.0 hours",
            "vm_running 96.0 hours",
            "vm_running_memory_byte_hours 515396075520.0 byte-hours",
            "vm_running_vcpu_hours 288.0 vcpu-hours",
        ]
    );
    let all: Vec<String> = figures(&[]);
    for metric in [
        "vm_running_vcpu_hours 288.0",
        "vm_running_memory_byte_hours 515396075520.0",
    ] {
        assert!(all.iter().any(|row| row.starts_with(metric)), "{all:?}");
    }
    // 480 GiB-hours of a month of 720 hours.
    let of_memory = ["--metric", "vm_running_memory_byte_hours"];
    assert_eq!(
        report(&cloud, &of_memory, &["gib_months"]),
        [(480.0_f64 / 720.0).to_string()]
    );
    let by_day = ["--by", "day", "--metric", "vm_running_vcpu_hours"];
    assert_eq!(
        report(&cloud, &by_day, &["day", "quantity"]),
        ["2013-06-01 144.0", "2013-06-02 144.0"]
    );
    let of_offering = ["--by", "offering", "--metric", "vm_running_vcpu_hours"];
    assert_eq!(
        report(&cloud, &of_offering, &["resource_name", "quantity"]),
        ["custom 288.0"]
    );
}

#[test]
fn totals_by_zone_size_and_resource() {
    let cloud = imported();
    let running = ["--metric", "vm_running,vm_running_vcpu_hours"];
    let by = |by: &str, columns: &[&str]| {
        report(&cloud, &[&["--by", by], &running[..]].concat(), columns)
    };
    assert_eq!(
        by("zone", &["zone_name", "zone_uuid", "metric", "quantity"]),
        [
            "north zone-uuid vm_running 48.0",
            "north zone-uuid vm_running_vcpu_hours 96.0",
            "south south-uuid vm_running 48.0",
            "south south-uuid vm_running_vcpu_hours 192.0",
        ]
    );
    let sku = [
        "offering_uuid",
        "zone_name",
        "vcpus",
        "mhz",
        "memory_mib",
        "metric",
        "quantity",
    ];
    let skus = [
        "custom-uuid north 2 2000 2048 vm_running 48.0",
        "custom-uuid north 2 2000 2048 vm_running_vcpu_hours 96.0",
        "custom-uuid south 4 2000 8192 vm_running 48.0",
        "custom-uuid south 4 2000 8192 vm_running_vcpu_hours 192.0",
    ];
    assert_eq!(by("sku", &sku), skus);
    let resource = [
        "resource_kind",
        "resource_name",
        "resource_uuid",
        "cloudstack_id",
        "metric",
        "quantity",
    ];
    let vms = [
        "vm vm11 vm-11 11 vm_running 48.0",
        "vm vm11 vm-11 11 vm_running_vcpu_hours 96.0",
        "vm vm12 vm-12 12 vm_running 48.0",
        "vm vm12 vm-12 12 vm_running_vcpu_hours 192.0",
    ];
    assert_eq!(by("resource", &resource), vms);
    assert_eq!(by("vm", &resource), vms);
    assert_eq!(by("volume", &resource), [""; 0]);
    // Beside resources an offering gets a name of its own.
    assert_eq!(
        by(
            "vm,offering",
            &["resource_name", "offering_name", "quantity"]
        ),
        [
            "vm11 custom 48.0",
            "vm11 custom 96.0",
            "vm12 custom 48.0",
            "vm12 custom 192.0"
        ]
    );
    // 2 × 24 GiB-hours each.
    let disks = ["--by", "disk_offering"];
    assert_eq!(
        report(&cloud, &disks, &["offering_uuid", "metric", "quantity"]),
        [
            " primary_byte_hours 51539607552.0",
            "fast-uuid primary_byte_hours 51539607552.0"
        ]
    );
}

#[test]
fn one_zone_and_one_resource() {
    let cloud = imported();
    let columns = ["metric", "quantity"];
    for key in ["south", "south-uuid"] {
        assert_eq!(
            report(&cloud, &["--zone", key], &columns),
            [
                "os_usage 48.0",
                "vm_running 48.0",
                "vm_running_memory_byte_hours 412316860416.0",
                "vm_running_vcpu_hours 192.0",
            ]
        );
    }
    for key in ["ROOT-12", "volume-121", "volume:121"] {
        assert_eq!(
            report(&cloud, &["--resource", key], &columns),
            ["primary_byte_hours 51539607552.0"],
            "{key}"
        );
    }
    // A zone's name, an offering's: nothing that anybody used.
    for key in ["south", "custom", "vm:99", "vm:x"] {
        cloud
            .run(&["report", "2013-06-01", "--resource", key])
            .exits(2)
            .complains(&format!(
                "rbc-usage: nothing that was used is called {key:?}: give a name, a uuid, or kind and id such as vm:12\n"
            ));
    }
}

/// A month that was sealed is reported VM by VM when CloudStack has forgotten all of it.
#[test]
fn a_sealed_day_is_reported_by_resource_when_its_rows_are_gone() {
    let cloud = imported();
    let words = ["--by", "resource,sku"];
    let columns = ["resource_name", "zone_name", "vcpus", "metric", "quantity"];
    let before = report(&cloud, &words, &columns);
    assert_eq!(before.len(), 11);
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", "2013-06-01..2013-06-02"]).exits(0);
    cloud.usage("delete from cloud_usage");
    cloud.main("delete from vm_instance");
    cloud.main("delete from volumes");
    cloud.main("delete from data_center");
    cloud.run(&["import", "-s", "2013-06-01", "-e", "2013-06-02", "-f"]);
    assert_eq!(report(&cloud, &words, &columns), before);
    assert_eq!(
        report(
            &cloud,
            &["--by", "vm", "--resource", "vm:12"],
            &columns[3..]
        ),
        [
            "os_usage 48.0",
            "vm_running 48.0",
            "vm_running_memory_byte_hours 412316860416.0",
            "vm_running_vcpu_hours 192.0",
        ]
    );
}

/// The same over HTTP.
#[test]
fn the_server_tells_skus_and_resources_apart() {
    let cloud = imported();
    let server = Server::start(&cloud.sandbox);
    let days = "start=2013-06-01&end=2013-06-02&metric=vm_running_vcpu_hours";
    let csv = |more: &str| {
        let target = format!("/v1/accounts/alice-uuid/usage?{days}&format=csv&{more}");
        server.get(&target).body
    };
    assert_eq!(
        csv("group=sku"),
        "metric,unit,offering_uuid,offering_name,zone_uuid,zone_name,vcpus,mhz,memory_mib,quantity,gib_months\n\
         vm_running_vcpu_hours,vcpu-hours,custom-uuid,custom,zone-uuid,north,2,2000,2048,96.0,\n\
         vm_running_vcpu_hours,vcpu-hours,custom-uuid,custom,south-uuid,south,4,2000,8192,192.0,\n"
    );
    assert_eq!(
        csv("group=resource"),
        "metric,unit,resource_kind,resource_uuid,resource_name,cloudstack_id,quantity,gib_months\n\
         vm_running_vcpu_hours,vcpu-hours,vm,vm-11,vm11,11,96.0,\n\
         vm_running_vcpu_hours,vcpu-hours,vm,vm-12,vm12,12,192.0,\n"
    );
    let both = csv("group=sku,resource");
    assert!(
        both.contains("vm,vm-12,vm12,12,custom-uuid,custom,south-uuid,south,4,2000,8192,192.0,"),
        "{both}"
    );
    assert_eq!(csv("group=resource,sku"), both);
    // A page, and the one that its cursor leads to.
    let listed = |more: &str| {
        let target = format!("/v1/accounts/alice-uuid/resources?{days}&metric=vm_running&{more}");
        let body = server.get(&target).body;
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        (
            answer["resources"].to_string(),
            answer["next_cursor"].clone(),
            answer["total"].clone(),
        )
    };
    let (first, cursor, total) = listed("limit=1");
    assert_eq!(total, 2);
    assert_eq!(
        first,
        r#"[{"cloudstack_id":11,"resource_kind":"vm","resource_name":"vm11","resource_uuid":"vm-11","totals":[{"gib_months":null,"metric":"vm_running","quantity":48.0,"unit":"hours"},{"gib_months":null,"metric":"vm_running_vcpu_hours","quantity":96.0,"unit":"vcpu-hours"}]}]"#
    );
    let (second, end, total) = listed(&format!("limit=1&cursor={}", cursor.as_str().unwrap()));
    assert!(
        second.contains("\"vm12\"") && second.contains("192.0"),
        "{second}"
    );
    assert_eq!((end, total), (serde_json::Value::Null, 2.into()));
    // The old endpoint has derived metrics among those that are not kept per offering.
    let usage = server
        .get("/usage/alice-uuid?start=2013-06-01&end=2013-06-02")
        .body;
    assert!(
        usage.contains(
            r#"["vm_running_memory_byte_hours",515396075520.0],["vm_running_vcpu_hours",288.0]"#
        ),
        "{usage}"
    );
    assert!(!usage.contains("vm_allocated_vcpu_hours"), "{usage}");
}

/// On each day 6 hours of one VM, of which only an offering without a size is known.
#[test]
fn hours_of_a_size_that_nobody_knows_are_a_finding() {
    let cloud = imported();
    let findings = "select day, account_name, metric, resource, detail from findings where kind = 'size_unknown'";
    let detail = "the size is not known: 6 hours of 1 VM of 1 account count as 0 in vm_allocated_vcpu_hours and \
                  vm_allocated_memory_byte_hours";
    let of = |day: &str| format!("{day} | null | vm_allocated | service_offering:6 | {detail}");
    assert_eq!(cloud.ledger(findings), [of("2013-06-01"), of("2013-06-02")]);
    // Once the offering says it, a day that is written again has it.
    cloud.main("update service_offering set cpu = 2, speed = 1000, ram_size = 1024 where id = 6");
    cloud.run(&["import", "-s", "2013-06-01", "-f"]).exits(0);
    assert_eq!(cloud.ledger(findings), [of("2013-06-02")]);
}
