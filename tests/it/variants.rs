//! CloudStack's schema in every release whose tables differ, as upgraded databases have it.

use crate::cloudstack::{Cloud, UsageRow, VERSIONS};

#[test]
fn smoke() {
    for (version, _) in VERSIONS {
        let cloud = Cloud::in_mariadb(version);
        cloud.account(2, "u2", "two");
        cloud.service_offering(3, "so3", "three");
        cloud.add_usage(&[UsageRow::of_vm("2013-06-01", 1, 2, 5, 3)]);
        cloud.finished_until("2013-06-01 23:59:59");
    }
}
