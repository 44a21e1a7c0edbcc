//! A correction names the VM: which lines of its record changed, and from what to what.

use super::{DAY, cloud, imported, use_things};
use crate::cloudstack::{Cloud, UsageRow};

const CORRECTED: &str = "select correction_id, kind, metric, resource_uuid, offering_name, vcpus, old_quantity, \
                         new_quantity from corrected_lines order by 1, 4";

/// VM 12 ran so many hours instead.
fn ran(cloud: &Cloud, hours: u8) {
    cloud.usage(&format!(
        "update cloud_usage set raw_usage = {hours} where usage_type = 1 and usage_id = 12"
    ));
}

fn sealed() -> Cloud {
    let cloud = imported();
    cloud.run(&["verify"]).exits(0);
    cloud.run(&["seal", DAY]).exits(0);
    cloud
}

#[test]
fn an_overwritten_figure_names_the_vm() {
    let cloud = imported();
    ran(&cloud, 23);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    // 48 hours have become 47, once for the offering and once for the guest OS; VM 11 has its 24 as before.
    let corrections = "select id, metric, old_quantity, new_quantity from corrections order by 1";
    assert_eq!(
        cloud.ledger(corrections),
        ["1 | vm_running | 48 | 47", "2 | os_usage | 48 | 47"]
    );
    assert_eq!(
        cloud.ledger(CORRECTED),
        [
            "1 | overwritten | vm_running | vm-12 | small | 2 | 24 | 23",
            "2 | overwritten | os_usage | vm-12 | Debian 7 | null | 24 | 23",
        ]
    );
    let run = cloud.run(&["corrections", DAY]).exits(0);
    assert!(
        run.stdout.contains("vm12 24.00 hours -> 23.00 hours\n"),
        "{run}"
    );
    let run = cloud.run(&["corrections", DAY, "--format", "csv"]).exits(0);
    assert!(run.stdout.contains(",vm-12 24.0 -> 23.0,0\n"), "{run}");
    let run = cloud
        .run(&["corrections", DAY, "--format", "json"])
        .exits(0);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let line = serde_json::json!([{
        "resource_kind": "vm", "resource_uuid": "vm-12", "resource_name": "vm12", "zone_uuid": "zone-uuid",
        "zone_name": "north", "offering_uuid": "small-uuid", "offering_name": "small", "vcpus": 2, "mhz": 1500,
        "memory_mib": 1024, "old_quantity": 24.0, "new_quantity": 23.0
    }]);
    assert_eq!(answer["corrections"][0]["lines"], line);
    assert_eq!(answer["corrections"][0]["more_lines"], 0);
}

#[test]
fn what_has_come_and_what_has_gone_is_said_of_each_vm() {
    let cloud = imported();
    cloud.usage("delete from cloud_usage where usage_type = 1 and usage_id = 11");
    cloud.vm(13, 1);
    cloud.add_usage(&[UsageRow {
        raw_usage: 10.0,
        ..UsageRow::of_vm(DAY, 1, 2, 13, 5)
    }]);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    let running = CORRECTED.replace("order", "where metric = 'vm_running' order");
    assert_eq!(
        cloud.ledger(&running),
        [
            "1 | overwritten | vm_running | vm-11 | small | 2 | 24 | null",
            "1 | overwritten | vm_running | vm-13 | small | 2 | null | 10",
        ]
    );
}

#[test]
fn pending_corrections_of_a_day_go_on_from_each_other_and_stay_once_it_is_unsealed() {
    let cloud = sealed();
    ran(&cloud, 23);
    cloud.run(&["import", "-s", DAY]).exits(1);
    ran(&cloud, 20);
    cloud.run(&["import", "-s", DAY]).exits(1);
    // A third look finds nothing new.
    cloud.run(&["import", "-s", DAY]).exits(0);
    let running = CORRECTED.replace("order", "where metric = 'vm_running' order");
    let pending = [
        "1 | pending | vm_running | vm-12 | small | 2 | 24 | 23",
        "3 | pending | vm_running | vm-12 | small | 2 | 23 | 20",
    ];
    assert_eq!(cloud.ledger(&running), pending);
    let held =
        "select resource_name, quantity from daily_lines where metric = 'vm_running' order by 1";
    assert_eq!(cloud.ledger(held), ["vm11 | 24", "vm12 | 24"]);
    cloud.run(&["unseal", DAY]).exits(0);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    assert_eq!(cloud.ledger(held), ["vm11 | 24", "vm12 | 20"]);
    let applied = pending.map(|line| line.replace("pending", "applied"));
    assert_eq!(cloud.ledger(&running), applied);
    // Sealed lines and all that corrections say of them come to what the day holds now.
    ran(&cloud, 19);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    let newest = CORRECTED.replace("order", "where correction_id = 5 order");
    assert_eq!(
        cloud.ledger(&newest),
        ["5 | overwritten | vm_running | vm-12 | small | 2 | 20 | 19"]
    );
}

#[test]
fn where_lines_tell_nothing_apart_no_line_is_named() {
    let cloud = imported();
    // As a day of an older ledger is.
    cloud.edit_ledger("update stored_days set lines_per = 'record'");
    ran(&cloud, 23);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    assert_eq!(cloud.ledger("select count(*) from corrections"), ["2"]);
    assert_eq!(cloud.ledger(CORRECTED), [""; 0]);
    let run = cloud
        .run(&["corrections", DAY, "--format", "json"])
        .exits(0);
    assert!(
        run.stdout.contains("\"lines\": [], \"more_lines\": 0}"),
        "{run}"
    );
}

#[test]
fn what_was_only_renamed_is_no_other_line() {
    let cloud = imported();
    cloud.main("update service_offering set name = 'tiny' where id = 5");
    cloud.main("update vm_instance set name = 'renamed', uuid = 'other-uuid' where id = 11");
    ran(&cloud, 23);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    let running = CORRECTED.replace("order", "where metric = 'vm_running' order");
    assert_eq!(
        cloud.ledger(&running),
        ["1 | overwritten | vm_running | vm-12 | small | 2 | 24 | 23"]
    );
}

#[test]
fn a_day_without_corrections_has_no_lines_of_any() {
    let cloud = cloud();
    use_things(&cloud, DAY);
    cloud.run(&["initdb"]).exits(0);
    for _ in 0..2 {
        cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    }
    assert_eq!(cloud.ledger("select count(*) from correction_lines"), ["0"]);
}
