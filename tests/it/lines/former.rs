//! What was renamed, found by each of its names: the figure is that of all its days.

use super::{cloud, use_things};
use crate::cloudstack::{Cloud, UsageRow};

/// The quantities of VMs that ran on the first two days of June.
fn running(cloud: &Cloud, words: &[&str]) -> Vec<String> {
    let report = ["report", "2013-06-01..2013-06-02", "--format", "csv"];
    let metric = ["--metric", "vm_running", "--by", "metric"];
    let csv = cloud.run(&[&report[..], &metric, words].concat()).exits(0);
    let rows = csv.stdout.lines().skip(1);
    rows.map(str::to_owned).collect()
}

/// A VM, another one that CloudStack did not know on the first day, and the zone: all have other names on the second.
fn renamed() -> Cloud {
    let cloud = cloud();
    cloud.run(&["initdb"]).exits(0);
    use_things(&cloud, "2013-06-01");
    cloud.add_usage(&[UsageRow::of_vm("2013-06-01", 1, 2, 99, 5)]);
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    cloud.main("update vm_instance set name = 'web' where id = 11");
    cloud.main("update data_center set name = 'nord' where id = 1");
    cloud.vm(99, 1);
    use_things(&cloud, "2013-06-02");
    cloud.add_usage(&[UsageRow::of_vm("2013-06-02", 1, 2, 99, 5)]);
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    cloud
}

/// 24 hours on each of two days; three VMs in the zone.
#[test]
fn each_name_of_a_resource_or_zone_gives_the_whole_figure() {
    let cloud = renamed();
    for key in ["vm11", "web", "vm-11", "vm:11", "vm99", "vm-99", "vm:99"] {
        assert_eq!(
            running(&cloud, &["--resource", key]),
            ["vm_running,48.0,hours,"],
            "{key}"
        );
    }
    for key in ["north", "nord", "zone-uuid"] {
        assert_eq!(
            running(&cloud, &["--zone", key]),
            ["vm_running,144.0,hours,"],
            "{key}"
        );
    }
}
