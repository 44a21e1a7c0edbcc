//! Rights on single columns: one that may not be read must not pass for one that an older CloudStack does not have.

use super::*;
use crate::cloudstack::Version;

/// What a user needs of `cloud_usage` who is not granted the table: first what every CloudStack has.
const NEEDED: [&str; 24] = [
    "id",
    "zone_id",
    "account_id",
    "domain_id",
    "description",
    "usage_display",
    "usage_type",
    "raw_usage",
    "vm_instance_id",
    "offering_id",
    "template_id",
    "usage_id",
    "type",
    "size",
    "network_id",
    "start_date",
    "end_date",
    "virtual_size",
    "cpu_speed",
    "cpu_cores",
    "memory",
    "state",
    "is_hidden",
    "vm_name",
];

const ADDRESS_HOURS: &str =
    "select sum(quantity) from daily_usage where metric = 'ip_address_allocated'";

/// Two addresses for 24 hours each; where CloudStack knows such a thing, one of them is hidden. The importer may not
/// read `cloud_usage`.
fn addresses(version: Version) -> Cloud {
    let cloud = furnished(Cloud::in_mariadb(version));
    for (id, is_hidden) in [(21, false), (22, true)] {
        cloud.add_usage(&[UsageRow {
            is_hidden,
            ..UsageRow::of_day("2013-06-01", 3, 2, id)
        }]);
    }
    let user = user(&cloud);
    cloud.usage(&format!("revoke select on cloud_usage from {user}"));
    cloud
}

fn user(cloud: &Cloud) -> String {
    format!("{}@'%'", cloud.user)
}

fn grant(cloud: &Cloud, columns: &[&str], to: &str) {
    let columns = columns.join(", ");
    cloud.usage(&format!("grant select ({columns}) on cloud_usage to {to}"));
}

/// A role that the user has from the login on.
fn role(cloud: &Cloud) -> String {
    let (role, user) = (format!("{}_role", cloud.user), user(cloud));
    cloud.usage(&format!("create role {role}"));
    cloud.usage(&format!("grant {role} to {user}"));
    cloud.usage(&format!("set default role {role} for {user}"));
    role
}

/// What an import says that leaves the hidden address out, and has nothing to say of rights.
const HIDDEN: &str = "rbc-usage: not counted: 1 hidden row\n";

/// Imports, saying so much, and counts so many hours of addresses.
#[track_caller]
fn counts(cloud: &Cloud, hours: &str, said: &str) {
    let run = import(cloud).exits(0);
    assert_eq!(run.stderr, said, "{run}");
    assert_eq!(cloud.ledger(ADDRESS_HOURS), [hours]);
    let run = cloud.run(&["check"]);
    assert!(!run.stdout.contains("error"), "{run}");
}

#[test]
fn without_the_right_to_a_column_that_figures_depend_on_nothing_is_counted() {
    // Where it is missing, nothing depends on the virtual size.
    for missing in NEEDED[18..].iter() {
        let cloud = addresses(NEWEST);
        let rest: Vec<&str> = NEEDED.into_iter().filter(|name| name != missing).collect();
        grant(&cloud, &rest, &user(&cloud));
        let said = format!(
            "read cloud_usage: of table cloud_usage only single columns may be read, and not {missing}, which figures \
             depend on: grant SELECT on the whole table\n"
        );
        refuses(import(&cloud), &[&said]);
        assert_eq!(cloud.ledger("select count(*) from days"), ["0"]);
    }
}

#[test]
fn columns_that_may_not_be_read_are_named_by_all_commands_that_read_them() {
    let cloud = addresses(NEWEST);
    grant(&cloud, &NEEDED[..20], &user(&cloud));
    let said = "of table cloud_usage only single columns may be read, and not memory, state, is_hidden, vm_name, which";
    refuses(import(&cloud), &[said]);
    refuses(cloud.run(&["verify", "-s", "2013-06-01"]), &[said]);
    let run = cloud.run(&["status"]).exits(1);
    assert!(run.stdout.contains(said), "{run}");
    let run = cloud.run(&["check"]).exits(2);
    let told = |line: &str| line.starts_with("error  cloud_usage") && line.contains(said);
    assert_eq!(run.stdout.lines().filter(|line| told(line)).count(), 1);

    let user = user(&cloud);
    cloud.usage(&format!("grant select on cloud_usage to {user}"));
    counts(&cloud, "24", HIDDEN);
}

#[test]
fn a_role_that_lacks_a_column_is_found_out_as_well() {
    let cloud = addresses(NEWEST);
    let role = role(&cloud);
    grant(&cloud, &NEEDED[..21], &role);
    refuses(
        import(&cloud),
        &["and not state, is_hidden, vm_name, which"],
    );
}

#[test]
fn whoever_may_read_all_that_is_needed_hears_nothing_of_it() {
    type Grant = fn(&Cloud);
    let ways: [Grant; 5] = [
        |cloud| grant(cloud, &NEEDED, &user(cloud)),
        |cloud| {
            let (database, user) = (&cloud.usage_name, user(cloud));
            cloud.usage(&format!("grant select on {database}.* to {user}"));
        },
        |cloud| cloud.usage(&format!("grant select on *.* to {}", user(cloud))),
        |cloud| {
            let role = role(cloud);
            cloud.usage(&format!("grant select on cloud_usage to {role}"));
        },
        |cloud| grant(cloud, &NEEDED, &role(cloud)),
    ];
    for way in ways {
        let cloud = addresses(NEWEST);
        way(&cloud);
        counts(&cloud, "24", HIDDEN);
    }
}

/// CloudStack 4.0 hides no address, so both count.
#[test]
fn columns_that_an_older_cloudstack_does_not_have_are_not_missed() {
    let cloud = addresses(Version::V4_0);
    cloud.usage(&format!("grant select on cloud_usage to {}", user(&cloud)));
    counts(&cloud, "48", "");

    // Whoever may read every column there is may as well be granted them one by one.
    let cloud = addresses(Version::V4_0);
    let all = [&NEEDED[..17], &["vm_name"]].concat();
    grant(&cloud, &all, &user(&cloud));
    counts(&cloud, "48", "");
}

/// Since CloudStack 4.17 the disk offering of a service offering's id is another one.
#[test]
fn an_offering_whose_uuid_may_not_be_read_is_not_taken_for_a_disk_offering() {
    let cloud = cloud();
    let user = user(&cloud);
    cloud.main(&format!("revoke select on service_offering from {user}"));
    cloud.main(&format!(
        "grant select (id, name) on service_offering to {user}"
    ));
    let run = import(&cloud).exits(0);
    let said = "rbc-usage: cloud: the table of service_offering names cannot be read: they are kept as service_offering:<id>\n\
                rbc-usage: cloud: cpu, speed and ram_size of service_offering cannot be read: sizes of VMs are known of \
                custom offerings alone\n";
    assert_eq!(run.stderr, said, "{run}");
    assert_eq!(
        cloud.ledger("select resource_uuid, quantity from daily_usage where metric = 'vm_running'"),
        ["service_offering:5 | 24"]
    );
}

#[test]
fn without_the_dates_of_removals_the_import_goes_on_and_says_what_is_lost() {
    let cloud = cloud();
    let user = user(&cloud);
    cloud.main(&format!(
        "revoke select (removed) on vm_instance from {user}"
    ));
    let run = import(&cloud).exits(0);
    let said = "rbc-usage: cloud: vm_instance.removed cannot be read: use after a VM's removal goes unnoticed\n";
    assert_eq!(run.stderr, said, "{run}");
    assert_eq!(
        cloud.ledger("select resource_name, quantity from daily_usage where metric = 'os_usage'"),
        ["CentOS 6 | 24"]
    );
}
