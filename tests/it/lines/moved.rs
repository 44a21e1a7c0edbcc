//! What lines say can change while no record does: another size, zone or VM. Money hangs on these too, so such a change
//! is told, corrected and kept like any other.

use super::{cloud, use_things};
use crate::cloudstack::{Cloud, UsageRow};

const DAY: &str = "2013-06-01";

/// Hours of each size: what a price by vCPU depends on.
const SIZES: &str = "select vcpus, zone_name, quantity from daily_lines where metric = 'vm_allocated' order by 1, 2";

const CORRECTIONS: &str =
    "select kind, metric, old_quantity, new_quantity from corrections order by id";

const CORRECTED: &str = "select resource_name, vcpus, zone_name, old_quantity, new_quantity from corrected_lines order by 1, 2, 3";

/// A VM of a custom offering with 2 vCPUs is allocated all day.
fn imported(more: &str) -> Cloud {
    let cloud = cloud();
    cloud.configure("GMT", more);
    use_things(&cloud, DAY);
    cloud.add_usage(&[sized(2)]);
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", DAY]).exits(0);
    cloud.run(&["verify"]).exits(0);
    assert_eq!(cloud.ledger(SIZES), ["2 | north | 24"]);
    cloud
}

fn sized(vcpus: u32) -> UsageRow {
    UsageRow {
        cpu_cores: Some(vcpus),
        cpu_speed: Some(2000),
        memory: Some(2048),
        ..UsageRow::of_vm(DAY, 2, 2, 11, 6)
    }
}

/// The usage server writes the row again, with 8 vCPUs.
fn written_again(cloud: &Cloud) {
    cloud.usage("delete from cloud_usage where usage_type = 2");
    cloud.add_usage(&[sized(8)]);
}

#[test]
fn an_import_tells_it_and_the_day_cannot_be_sealed() {
    for more in ["", "[import]\nlines = no\n"] {
        let cloud = imported(more);
        written_again(&cloud);
        for words in [&["import"][..], &["import", "-s", DAY]] {
            cloud.run(words).exits(1);
            assert_eq!(cloud.ledger(SIZES), ["2 | north | 24"]);
        }
        let details = cloud.ledger("select kind, detail from findings");
        let says = "stored 24 as the source says, but of other VMs, sizes or zones";
        assert_eq!(details, [format!("differs_from_source | {says}")]);
        let run = cloud.run(&["verify"]).exits(1);
        let vm = if more.is_empty() { "vm-11" } else { "-" };
        let says = format!(
            "{vm} (north, 8 vCPUs, 2048 MiB) nothing -> 24, {vm} (north, 2 vCPUs, 2048 MiB) 24 -> nothing"
        );
        assert!(run.stdout.contains(&says), "{run}");
        cloud.run(&["seal", DAY]).exits(1);
        // A correction says what became of it: the same hours, of another size.
        cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
        assert_eq!(cloud.ledger(SIZES), ["8 | north | 24"]);
        assert_eq!(
            cloud.ledger(CORRECTIONS),
            ["overwritten | vm_allocated | 24 | 24"]
        );
        let vm = if more.is_empty() { "vm11" } else { "null" };
        assert_eq!(
            cloud.ledger(CORRECTED),
            [
                format!("{vm} | 2 | north | 24 | null"),
                format!("{vm} | 8 | north | null | 24")
            ]
        );
        assert_eq!(cloud.ledger("select * from findings"), [""; 0]);
        cloud.run(&["verify"]).exits(0);
        cloud.run(&["seal", DAY]).exits(0);
        cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
        assert_eq!(cloud.ledger(CORRECTIONS).len(), 1);
    }
}

#[test]
fn a_sealed_day_gets_a_pending_correction_and_unsealed_the_new_lines() {
    for prune in [false, true] {
        let cloud = imported("");
        cloud.run(&["seal", DAY]).exits(0);
        if prune {
            cloud.run(&["prune", "--before", "2013-07"]).exits(0);
        }
        written_again(&cloud);
        for _ in 0..2 {
            cloud.run(&["import", "-s", DAY, "-f"]);
            assert_eq!(cloud.ledger(SIZES), ["2 | north | 24"]);
            assert_eq!(
                cloud.ledger(CORRECTIONS),
                ["pending | vm_allocated | 24 | 24"]
            );
        }
        let vm = if prune { "null" } else { "vm11" };
        assert_eq!(
            cloud.ledger(CORRECTED),
            [
                format!("{vm} | 2 | north | 24 | null"),
                format!("{vm} | 8 | north | null | 24")
            ]
        );
        cloud.run(&["verify"]).exits(0);
        cloud.run(&["unseal", DAY]).exits(0);
        cloud.run(&["import", "-s", DAY, "-f"]).exits(0);
        assert_eq!(cloud.ledger(SIZES), ["8 | north | 24"]);
        assert_eq!(
            cloud.ledger(CORRECTIONS),
            ["applied | vm_allocated | 24 | 24"]
        );
        cloud.run(&["verify"]).exits(0);
    }
}
