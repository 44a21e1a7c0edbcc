//! `verify` compares lines as well: it names the VMs of a figure that differs, and finds hours that are another VM's now
//! although every figure is the same.

use super::{DAY, cloud, use_things};
use crate::cloudstack::Cloud;

/// Two VMs of one offering that ran for 12 hours each.
fn imported() -> Cloud {
    let cloud = cloud();
    use_things(&cloud, DAY);
    ran(&cloud, 11, 12);
    ran(&cloud, 12, 12);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    cloud.run(&["verify"]).exits(0);
    cloud
}

fn ran(cloud: &Cloud, vm: u64, hours: u8) {
    cloud.usage(&format!(
        "update cloud_usage set raw_usage = {hours} where usage_type = 1 and usage_id = {vm}"
    ));
}

/// Kind, metric, figures and lines of each difference.
#[track_caller]
fn differences(cloud: &Cloud, code: i32) -> Vec<String> {
    let run = cloud.run(&["verify", DAY, "--format", "json"]).exits(code);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let difference = |one: &serde_json::Value| {
        let lines = one["lines"].as_array().expect("lines").iter();
        let lines = lines.map(|line| {
            let name = line["resource_name"].as_str().expect("a name");
            let offering = line["offering_name"].as_str().expect("a name");
            let (old, new) = (&line["old_quantity"], &line["new_quantity"]);
            format!("{name} {offering} {old} {new}")
        });
        let lines: Vec<String> = lines.collect();
        let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
        let (kind, metric) = (text("kind"), text("metric"));
        let (stored, source) = (&one["stored"], &one["source"]);
        format!("{kind} {metric} {stored} {source}: {}", lines.join(", "))
    };
    let differences = answer["differences"].as_array().expect("differences");
    differences.iter().map(difference).collect()
}

#[test]
fn a_figure_that_differs_names_its_vms() {
    let cloud = imported();
    ran(&cloud, 12, 11);
    assert_eq!(
        differences(&cloud, 1),
        [
            "row_changed vm_running 24.0 23.0: vm12 small 12.0 11.0",
            "row_changed os_usage 24.0 23.0: vm12 Debian 7 12.0 11.0",
        ]
    );
    let run = cloud.run(&["verify", DAY]).exits(1);
    assert!(run.stdout.contains("  vm12 12 -> 11\n"), "{run}");
    // What is acknowledged is the figure: the words of the finding are those of before.
    cloud.run(&["import", "-s", DAY]).exits(1);
    let found = "select detail from findings where kind = 'differs_from_source' order by 1";
    assert_eq!(cloud.ledger(found), ["stored 24, the source says 23"; 2]);
    let ack = ["findings", "ack", "--kind", "differs_from_source"];
    cloud
        .run(&[&ack[..], &["--reason", "late"]].concat())
        .exits(0);
    assert_eq!(differences(&cloud, 0).len(), 2);
}

/// One hour of VM 11 is VM 12's now: 12 + 12 and 11 + 13 are both 24.
#[test]
fn hours_that_moved_between_two_vms_differ_and_are_mended() {
    let cloud = imported();
    ran(&cloud, 11, 11);
    ran(&cloud, 12, 13);
    let moved = |vm: &str| format!("lines_differ {vm} null null: ");
    let both = |sku: &str| format!("vm11 {sku} 12.0 11.0, vm12 {sku} 12.0 13.0");
    assert_eq!(
        differences(&cloud, 1),
        [
            moved("vm_running") + &both("small"),
            moved("os_usage") + &both("Debian 7")
        ]
    );
    assert_eq!(cloud.ledger("select verified_at from days"), ["null"]);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
    let held =
        "select resource_name, quantity from daily_lines where metric = 'vm_running' order by 1";
    assert_eq!(cloud.ledger(held), ["vm11 | 11", "vm12 | 13"]);
    // Of the same figure: what differs are its lines.
    assert_eq!(
        cloud.ledger("select kind, metric, delta from corrections order by 2"),
        ["overwritten | os_usage | 0", "overwritten | vm_running | 0"]
    );
    assert_eq!(differences(&cloud, 0), [""; 0]);
}

#[test]
fn lines_of_a_sealed_day_stay_and_what_differs_can_be_acknowledged() {
    let cloud = imported();
    cloud.run(&["seal", DAY]).exits(0);
    ran(&cloud, 11, 11);
    ran(&cloud, 12, 13);
    assert_eq!(differences(&cloud, 1).len(), 2);
    let found =
        "select metric, resource, detail from findings where kind = 'lines_differ' order by 1";
    assert_eq!(
        cloud.ledger(found),
        [
            "os_usage | os-1 | no figure differs: vm-11 12 -> 11, vm-12 12 -> 13",
            "vm_running | small-uuid | no figure differs: vm-11 12 -> 11, vm-12 12 -> 13",
        ]
    );
    let ack = ["findings", "ack", "--kind", "lines_differ"];
    cloud
        .run(&[&ack[..], &["--reason", "known"]].concat())
        .exits(0);
    assert_eq!(differences(&cloud, 0).len(), 2);
    cloud.run(&["import", "-s", DAY, "-f"]).exits(1);
    let held =
        "select resource_name, quantity from daily_lines where metric = 'vm_running' order by 1";
    assert_eq!(cloud.ledger(held), ["vm11 | 12", "vm12 | 12"]);
    assert_eq!(differences(&cloud, 0), [""; 0]);
    // A later correction goes on from the pending ones: VM 11 has lost an hour already, and loses one more.
    ran(&cloud, 11, 10);
    cloud.run(&["import", "-s", DAY]).exits(1);
    let corrected = "select c.delta, l.resource_uuid, l.old_quantity, l.new_quantity from corrected_lines l \
                     join corrections c on c.id = l.correction_id where l.metric = 'vm_running' order by c.id, 2";
    assert_eq!(
        cloud.ledger(corrected),
        [
            "0 | vm-11 | 12 | 11",
            "0 | vm-12 | 12 | 13",
            "-1 | vm-11 | 11 | 10"
        ]
    );
    assert_eq!(differences(&cloud, 0), [""; 0]);
}

#[test]
fn a_line_that_somebody_changed_is_found() {
    let cloud = imported();
    let line = "update stored_lines set quantity = 11 where id = (select min(l.id) from stored_lines l \
                join skus k on k.id = l.sku_id join metrics m on m.id = k.metric_id where m.name = 'vm_running')";
    assert_eq!(cloud.edit_ledger(line), 1);
    assert_eq!(
        differences(&cloud, 1),
        ["lines_differ vm_running null null: vm11 small 11.0 12.0"]
    );
}

#[test]
fn what_was_renamed_or_resized_upstream_is_no_other_line() {
    let cloud = imported();
    cloud.main("update vm_instance set name = 'renamed' where id = 11");
    cloud.main("update service_offering set cpu = 4 where id = 5");
    cloud.main("delete from vm_instance where id = 12");
    assert_eq!(differences(&cloud, 0), [""; 0]);
}
