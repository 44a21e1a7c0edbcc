//! What usage rows point at: stand-ins for what cannot be resolved, and names that stay what they were.

use super::{Cloud, EVERYTHING, RUNNING, UsageRow, cloud, two_closed_days, vm};

const FINDINGS: &str =
    "select kind, account_name, metric, resource from findings order by 1, 2, 3, 4";

fn imports_one_day(cloud: &Cloud, rows: &[UsageRow]) {
    cloud.add_usage(rows);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
}

/// Not of a VM: counted per account.
fn other(usage_type: u32, raw_usage: f64, size: Option<u64>) -> UsageRow {
    UsageRow {
        raw_usage,
        size,
        ..UsageRow::of_day("2013-06-01", usage_type, 2, 70)
    }
}

#[test]
fn an_unknown_offering_gets_a_stand_in() {
    let cloud = cloud();
    imports_one_day(&cloud, &[vm("2013-06-01", 2, 123, 24.0)]);
    assert_eq!(
        cloud.ledger("select resource_uuid, quantity from daily_usage where metric = 'vm_running'"),
        ["service_offering:123 | 24"]
    );
    let resources = cloud.ledger("select distinct resource from findings");
    assert!(
        resources.contains(&"service_offering:123".to_owned()),
        "{resources:?}"
    );
}

#[test]
fn a_removal_at_no_date_stops_nothing() {
    let cloud = cloud();
    cloud.main("update vm_instance set removed = '0000-00-00 00:00:00'");
    imports_one_day(&cloud, &[vm("2013-06-01", 2, 5, 24.0)]);
    assert_eq!(cloud.ledger(RUNNING), ["2013-06-01 | alice | small | 24"]);
}

#[test]
fn an_unknown_account_gets_a_stand_in() {
    let cloud = cloud();
    imports_one_day(&cloud, &[vm("2013-06-01", 45, 5, 24.0)]);
    assert_eq!(
        cloud.ledger("select account_uuid, quantity from daily_usage where metric = 'vm_running'"),
        ["account:45 | 24"]
    );
    assert_ne!(cloud.ledger(FINDINGS), [""; 0]);
}

#[test]
fn an_account_without_a_uuid_gets_a_stand_in_until_it_has_one() {
    let cloud = cloud();
    cloud.main("insert into account (id, account_name, type, domain_id) values (46, 'old', 0, 1)");
    imports_one_day(&cloud, &[vm("2013-06-01", 46, 5, 24.0)]);
    let accounts = "select account_uuid, account_name, sum(quantity) from daily_usage
                    where metric = 'vm_running' group by 1, 2";
    assert_eq!(cloud.ledger(accounts), ["account:46 | old | 24"]);

    cloud.main("update account set uuid = 'now-uuid' where id = 46");
    cloud.add_usage(&[vm("2013-06-02", 46, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    assert_eq!(cloud.ledger(accounts), ["now-uuid | old | 48"]);
}

#[test]
fn an_unknown_size_counts_as_nothing_and_is_reported() {
    let cloud = cloud();
    imports_one_day(&cloud, &[other(6, 24.0, None), other(7, 24.0, Some(10))]);
    assert_eq!(
        cloud.ledger("select metric, quantity from daily_usage order by 1"),
        ["primary_byte_hours | 0", "secondary_byte_hours | 240"]
    );
    assert_eq!(
        cloud.ledger("select kind, account_name, metric from findings"),
        ["size_unknown | alice | primary_byte_hours"]
    );
}

#[test]
fn an_unknown_usage_type_is_stored_as_it_is() {
    let cloud = cloud();
    imports_one_day(&cloud, &[other(99, 1.5, Some(1000))]);
    assert_eq!(
        cloud.ledger("select metric, unit, resource_uuid, quantity from daily_usage"),
        ["usage_type_99 | as stored | null | 1.5"]
    );
    cloud.usage("update cloud_usage set usage_type = null");
    cloud.run(&["import", "-s", "2013-06-01", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger("select metric, unit, resource_uuid, quantity from daily_usage"),
        ["usage_type_null | as stored | null | 1.5"]
    );
}

#[test]
fn a_project_is_known_by_its_own_uuid_too() {
    let cloud = cloud();
    cloud.project(4, "hidden-uuid", "project-uuid", "website");
    imports_one_day(&cloud, &[vm("2013-06-01", 4, 5, 24.0)]);
    assert_eq!(
        cloud.ledger(
            "select account_uuid, account_name, domain_path, project_uuid, quantity
             from daily_usage where metric = 'vm_running'"
        ),
        ["hidden-uuid | PrjAcct-website-1 | / | project-uuid | 24"]
    );
    assert_eq!(
        cloud
            .ledger("select uuid, name, project_name from accounts where project_uuid is not null"),
        ["hidden-uuid | PrjAcct-website-1 | website"]
    );
}

#[test]
fn a_removed_account_keeps_its_usage() {
    let cloud = cloud();
    cloud
        .main("update account set removed = '2013-06-01 12:00:00', state = 'removed' where id = 2");
    imports_one_day(&cloud, &[vm("2013-06-01", 2, 5, 12.0)]);
    assert_eq!(cloud.ledger(RUNNING), ["2013-06-01 | alice | small | 12"]);
}

#[test]
fn names_of_past_days_are_frozen() {
    let cloud = two_closed_days();
    let before = cloud.ledger(EVERYTHING);
    cloud.main("update service_offering set name = 'tiny', uuid = 'tiny-uuid' where id = 5");
    cloud.main("update guest_os set display_name = 'CentOS Linux 6' where id = 1");
    for force in [&[][..], &["-f"]] {
        let words = [&["import", "-s", "2013-06-01"], force].concat();
        cloud.run(&words).exits(0);
        assert_eq!(cloud.ledger(EVERYTHING), before, "{words:?}");
    }

    cloud.add_usage(&[vm("2013-06-03", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-03 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-02 | alice | small | 24",
            "2013-06-03 | alice | tiny | 24"
        ]
    );
}

#[test]
fn another_os_of_a_machine_does_not_change_past_days() {
    let cloud = two_closed_days();
    cloud.guest_os(2, "Debian 7");
    cloud.main("update vm_instance set guest_os_id = 2 where id = 11");
    cloud.add_usage(&[vm("2013-06-03", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-03 23:59:59");
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-03", "-f"])
        .exits(0);
    assert_eq!(
        cloud.ledger(
            "select day, resource_name from daily_usage where metric = 'os_usage' order by 1"
        ),
        [
            "2013-06-01 | CentOS 6",
            "2013-06-02 | CentOS 6",
            "2013-06-03 | Debian 7"
        ]
    );
}

#[test]
fn a_purge_upstream_adds_no_stand_in_beside_what_is_there() {
    let cloud = two_closed_days();
    let before = cloud.ledger(EVERYTHING);
    cloud.main("delete from service_offering where id = 5");
    cloud.main("delete from account where id = 2");
    cloud.main("delete from vm_instance");
    cloud.main("delete from guest_os");
    cloud.main("delete from vm_template");
    let run = cloud.run(&["import", "-s", "2013-06-01", "-e", "2013-06-02"]);
    assert_eq!(cloud.ledger(EVERYTHING), before, "{run}");
    run.exits(0);
    let run = cloud.run(&["import", "-s", "2013-06-01", "-f"]);
    assert_eq!(cloud.ledger(EVERYTHING), before, "{run}");
    run.exits(0);
}

#[test]
fn an_os_that_becomes_known_later_is_not_counted_beside_the_unknown_one() {
    let cloud = cloud();
    cloud.main("delete from vm_instance");
    cloud.main("delete from vm_template");
    imports_one_day(&cloud, &[vm("2013-06-01", 2, 5, 24.0)]);
    let oses = "select resource_uuid, quantity from daily_usage where metric = 'os_usage'";
    assert_eq!(cloud.ledger(oses), ["guest_os:0 | 24"]);

    cloud.vm(11, 1);
    cloud.run(&["import", "-s", "2013-06-01"]).exits(0);
    assert_eq!(cloud.ledger(oses), ["guest_os:0 | 24"]);
    let os =
        cloud.ledger("select uuid from stored_resources where kind = 'guest_os' and source_id = 1");
    assert_eq!(os, [""; 0]);

    cloud.run(&["import", "-s", "2013-06-01", "-f"]).exits(0);
    assert_eq!(
        cloud.ledger("select resource_name, quantity from daily_usage where metric = 'os_usage'"),
        ["CentOS 6 | 24"]
    );
    cloud.add_usage(&[vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger(
            "select day, resource_name, quantity from daily_usage where metric = 'os_usage' order by 1"
        ),
        ["2013-06-01 | CentOS 6 | 24", "2013-06-02 | CentOS 6 | 24"]
    );
}

#[test]
fn an_os_taken_from_the_template_gives_way_to_the_vms_own() {
    let cloud = cloud();
    cloud.guest_os(2, "Debian 7");
    cloud.guest_os(3, "Windows");
    cloud.main("delete from vm_instance");
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0), vm("2013-06-02", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import"]).exits(0);
    let counted = |expected: [&str; 2]| {
        let sql = "select day, resource_name from daily_usage where metric = 'os_usage' order by 1";
        assert_eq!(cloud.ledger(sql), expected);
    };
    counted(["2013-06-01 | CentOS 6", "2013-06-02 | CentOS 6"]);

    cloud.vm(11, 2);
    cloud.run(&["import", "2013-06-01..2013-06-02"]).exits(0);
    counted(["2013-06-01 | CentOS 6", "2013-06-02 | CentOS 6"]);
    cloud.run(&["import", "2013-06-01", "-f"]).exits(0);
    counted(["2013-06-01 | Debian 7", "2013-06-02 | CentOS 6"]);
    let corrections =
        "select day, resource_name, old_quantity, new_quantity from corrections order by 2";
    assert_eq!(
        cloud.ledger(corrections),
        [
            "2013-06-01 | CentOS 6 | 24 | null",
            "2013-06-01 | Debian 7 | null | 24"
        ]
    );
    cloud.run(&["verify"]).exits(0);

    // Installed anew, it had another OS on the day that is known.
    cloud.main("update vm_instance set guest_os_id = 3");
    cloud
        .run(&["import", "2013-06-01..2013-06-02", "-f"])
        .exits(0);
    counted(["2013-06-01 | Debian 7", "2013-06-02 | Windows"]);
    cloud.main("delete from vm_instance");
    cloud
        .run(&["import", "2013-06-01..2013-06-02", "-f"])
        .exits(0);
    counted(["2013-06-01 | Debian 7", "2013-06-02 | Windows"]);
}

#[test]
fn without_projects_to_read_a_project_keeps_its_uuid() {
    let cloud = cloud();
    cloud.project(4, "hidden-uuid", "project-uuid", "website");
    imports_one_day(&cloud, &[vm("2013-06-01", 4, 5, 24.0)]);
    cloud.main("drop table projects");
    cloud.main("drop table domain");
    cloud.add_usage(&[vm("2013-06-02", 4, 5, 24.0)]);
    cloud.finished_until("2013-06-02 23:59:59");
    let run = cloud.run(&["import"]).exits(0);
    assert_eq!(
        cloud.ledger("select distinct domain_path, project_uuid from daily_usage"),
        ["/ | project-uuid"]
    );
    for table in ["projects", "domain"] {
        assert!(
            run.stderr
                .contains(&format!("cloud: {table} cannot be read")),
            "{run}"
        );
    }
}

#[test]
fn an_account_is_called_what_it_was_on_each_day() {
    let cloud = two_closed_days();
    cloud.main("update account set account_name = 'alicia' where id = 2");
    cloud.run(&["import", "-s", "2013-06-02"]).exits(0);
    assert_eq!(
        cloud.ledger(RUNNING),
        [
            "2013-06-01 | alice | small | 24",
            "2013-06-02 | alice | small | 24"
        ]
    );
    // In the list of accounts it is the current one.
    assert_eq!(
        cloud.ledger("select name from accounts where uuid = 'alice-uuid'"),
        ["alicia"]
    );
}

#[test]
fn names_keep_every_character() {
    let cloud = cloud();
    let name = "Ünï 'quoted' \"x\" \\ 中文; -- % |";
    cloud.account(9, "odd-uuid", name);
    imports_one_day(&cloud, &[vm("2013-06-01", 9, 5, 1.0)]);
    assert_eq!(
        cloud.ledger("select name from accounts where uuid = 'odd-uuid'"),
        [name]
    );
}
