//! Lines: what each VM, volume and address used on a day, under its SKU; kept when CloudStack has forgotten all of it.

use crate::cloudstack::{Cloud, NEWEST, UsageRow};

mod asking;
mod check;
mod corrections;
mod explain;
mod former;
mod moved;
mod small;
mod upgrade;
mod verify;

const DAY: &str = "2013-06-01";

const LINES: &str = "select resource_kind, resource_uuid, resource_name, metric, quantity, zone_name, offering_name, \
                     vcpus, mhz, memory_mib from daily_lines where account_name = 'alice' order by 4, 3, 7, 8";

/// Two VMs of one offering, a disk of each, and traffic; with all names.
pub fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.main("update service_offering set cpu = 2, speed = 1500, ram_size = 1024 where id = 5");
    cloud.service_offering(6, "custom-uuid", "custom");
    cloud
        .main("update service_offering set cpu = null, speed = null, ram_size = null where id = 6");
    cloud.disk_offering(21, "fast-uuid", "fast");
    cloud.guest_os(1, "Debian 7");
    cloud.template(1, 1);
    cloud.main("update data_center set name = 'north', uuid = 'zone-uuid' where id = 1");
    for vm in [11, 12] {
        cloud.vm(vm, 1);
        cloud.main(&format!(
            "insert into volumes (id, uuid, name) values ({vm}1, 'volume-{vm}1', 'ROOT-{vm}')"
        ));
    }
    cloud.main("insert into networks (id, uuid, name) values (204, 'network-204', 'front')");
    cloud
}

/// What alice used on a day: 24 hours each, a GiB a volume, 5,000 bytes on the network.
pub fn use_things(cloud: &Cloud, day: &str) {
    let volume = |id, offering_id| UsageRow {
        size: Some(1 << 30),
        offering_id,
        ..UsageRow::of_day(day, 6, 2, id)
    };
    let traffic = UsageRow {
        raw_usage: 5000.0,
        network_id: Some(204),
        kind: Some("DomainRouter".to_owned()),
        ..UsageRow::of_day(day, 4, 2, 7)
    };
    cloud.add_usage(&[
        UsageRow::of_vm(day, 1, 2, 11, 5),
        UsageRow::of_vm(day, 1, 2, 12, 5),
        volume(111, None),
        volume(121, Some(21)),
        traffic,
    ]);
    cloud.finished_until(&format!("{day} 23:59:59"));
}

fn imported() -> Cloud {
    let cloud = cloud();
    use_things(&cloud, DAY);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    cloud
}

/// 24 GiB-hours are 25,769,803,776 byte-hours.
const OF_A_DAY: [&str; 7] = [
    "network | network-204 | front | network_bytes_sent | 5000 | north | null | null | null | null",
    "vm | vm-11 | vm11 | os_usage | 24 | north | Debian 7 | null | null | null",
    "vm | vm-12 | vm12 | os_usage | 24 | north | Debian 7 | null | null | null",
    "volume | volume-111 | ROOT-11 | primary_byte_hours | 25769803776 | north | null | null | null | null",
    "volume | volume-121 | ROOT-12 | primary_byte_hours | 25769803776 | north | fast | null | null | null",
    "vm | vm-11 | vm11 | vm_running | 24 | north | small | 2 | 1500 | 1024",
    "vm | vm-12 | vm12 | vm_running | 24 | north | small | 2 | 1500 | 1024",
];

#[test]
fn each_resource_has_a_line_under_its_sku() {
    let cloud = imported();
    assert_eq!(cloud.ledger(LINES), OF_A_DAY);
    assert_eq!(
        cloud.ledger("select lines_per, line_count from stored_days natural join account_days"),
        ["resource | 7"]
    );
    // What was kept per offering is the sum.
    let records = cloud.ledger("select metric, quantity from daily_usage order by 1");
    assert_eq!(
        records,
        [
            "network_bytes_sent | 5000",
            "os_usage | 48",
            "primary_byte_hours | 51539607552",
            "vm_running | 48",
        ]
    );
}

#[test]
fn a_vm_that_was_scaled_at_noon_has_two_lines() {
    let cloud = cloud();
    cloud.run(&["initdb"]).exits(0);
    let half = |cores, memory| UsageRow {
        raw_usage: 12.0,
        cpu_cores: Some(cores),
        cpu_speed: Some(2000),
        memory: Some(memory),
        ..UsageRow::of_vm(DAY, 2, 2, 11, 6)
    };
    cloud.add_usage(&[half(2, 2048), half(4, 8192)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "-s", DAY]).exits(0);
    assert_eq!(
        cloud.ledger(LINES),
        [
            "vm | vm-11 | vm11 | vm_allocated | 12 | north | custom | 2 | 2000 | 2048",
            "vm | vm-11 | vm11 | vm_allocated | 12 | north | custom | 4 | 2000 | 8192",
        ]
    );
}

#[test]
fn lines_outlive_what_cloudstack_forgets_and_names_stay_as_they_were() {
    let cloud = imported();
    cloud.main("update vm_instance set name = 'renamed' where id = 11");
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    assert_eq!(cloud.ledger(LINES), OF_A_DAY);
    use_things(&cloud, "2013-06-02");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    let names = "select day, resource_name from daily_lines \
                 where metric = 'vm_running' and resource_uuid = 'vm-11' order by 1";
    assert_eq!(
        cloud.ledger(names),
        ["2013-06-01 | vm11", "2013-06-02 | renamed"]
    );
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", DAY]).exits(0);
    cloud.usage("delete from cloud_usage where end_date < '2013-06-02'");
    cloud.main("delete from vm_instance");
    cloud.main("delete from volumes");
    cloud.run(&["import", "-s", DAY, "-e", "2013-06-02", "-f"]);
    let first = LINES.replace("where", "where day = '2013-06-01' and");
    assert_eq!(cloud.ledger(&first), OF_A_DAY);
    // A VM that cloud no longer has keeps its name on a day that is written again.
    let second = LINES.replace(
        "where",
        "where day = '2013-06-02' and metric = 'vm_running' and",
    );
    assert_eq!(
        cloud.ledger(&second),
        [
            "vm | vm-11 | renamed | vm_running | 24 | north | small | 2 | 1500 | 1024",
            "vm | vm-12 | vm12 | vm_running | 24 | north | small | 2 | 1500 | 1024",
        ]
    );
}

#[test]
fn what_cloud_does_not_know_has_a_stand_in() {
    let cloud = cloud();
    cloud.run(&["initdb"]).exits(0);
    cloud.add_usage(&[UsageRow {
        zone_id: 9,
        ..UsageRow::of_vm(DAY, 2, 2, 99, 5)
    }]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "-s", DAY]).exits(0);
    assert_eq!(
        cloud.ledger(LINES),
        ["vm | vm:99 | vm:99 | vm_allocated | 24 | zone:9 | small | 2 | 1500 | 1024"]
    );
}

#[test]
fn lines_follow_the_figures_of_their_day() {
    let cloud = imported();
    // A third VM appears, and one of the others had run for an hour less: the day keeps its 48 hours.
    cloud.vm(13, 1);
    cloud.usage("update cloud_usage set raw_usage = 23 where usage_type = 1 and usage_id = 11");
    cloud.add_usage(&[UsageRow::of_vm(DAY, 2, 2, 13, 5)]);
    cloud.run(&["import", "-s", DAY]).exits(1);
    let vms = "select resource_name, metric, quantity from daily_lines where resource_kind = 'vm' order by 2, 1";
    let kept = [
        "vm11 | os_usage | 24",
        "vm12 | os_usage | 24",
        "vm13 | vm_allocated | 24",
        "vm11 | vm_running | 24",
        "vm12 | vm_running | 24",
    ];
    assert_eq!(cloud.ledger(vms), kept);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    let corrected = [
        "vm11 | os_usage | 23",
        "vm12 | os_usage | 24",
        "vm13 | vm_allocated | 24",
        "vm11 | vm_running | 23",
        "vm12 | vm_running | 24",
    ];
    assert_eq!(cloud.ledger(vms), corrected);
    assert_eq!(
        cloud.ledger("select line_count, (select count(*) from stored_lines) from account_days"),
        ["8 | 8"]
    );
    // A sealed day keeps its lines, whatever the source says by then.
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", DAY]).exits(0);
    cloud.usage("update cloud_usage set raw_usage = 20 where usage_type = 1 and usage_id = 12");
    cloud.run(&["import", "-s", DAY, "-f"]);
    assert_eq!(cloud.ledger(vms), corrected);
}

#[test]
fn a_dry_run_keeps_no_line_and_a_repeated_import_the_same_ones() {
    let cloud = cloud();
    use_things(&cloud, DAY);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY, "--dry-run"]).exits(0);
    assert_eq!(cloud.ledger(LINES), [""; 0]);
    for words in [
        &["import", "-s", DAY][..],
        &["import", "-s", DAY],
        &["import", "-s", DAY, "-f"],
    ] {
        cloud.run(words).exits(0);
        assert_eq!(cloud.ledger(LINES), OF_A_DAY);
    }
    let names = "select count(*), count(distinct kind || uuid) from stored_resources";
    let [counts] = &cloud.ledger(names)[..] else {
        panic!("one row");
    };
    let (all, apart) = counts.split_once(" | ").unwrap();
    assert_eq!(all, apart, "nothing is stored twice");
}

#[test]
fn a_sealed_day_that_differs_from_its_source_keeps_its_lines() {
    let cloud = imported();
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", DAY]).exits(0);
    // As a ledger of an earlier version has it.
    cloud.edit_ledger("update stored_days set lines_per = 'record'");
    cloud.usage("update cloud_usage set raw_usage = 20 where usage_type = 1 and usage_id = 12");
    for _ in 0..2 {
        cloud.run(&["import", "-s", DAY, "-f"]);
        let running = "select resource_name, quantity from daily_lines where metric = 'vm_running' order by 1";
        assert_eq!(cloud.ledger(running), ["vm11 | 24", "vm12 | 24"]);
    }
}
