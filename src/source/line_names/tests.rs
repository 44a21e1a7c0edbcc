//! A file of a CloudStack that has what lines refer to, and one that lacks it.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::cloud::CloudName;
use crate::config::SourceUri;
use crate::db;
use crate::metric::Breakdown;
use crate::row::{IdentityHasher, Particulars};
use crate::source::names::NameReader;
use crate::source::usage_row::Addresses;

const WHOLE: &str = "
create table account (id, uuid, account_name, domain_id);
create table domain (id, uuid, path);
create table data_center (id, uuid, name);
insert into data_center values (1, 'z1', 'one'), (2, 'z2', 'two');
create table service_offering (id, uuid, name, cpu, speed, ram_size);
insert into service_offering values (3, 'so3', 'small', 2, 2000, 4096), (5, 'so5', 'custom', null, null, null);
create table disk_offering (id, uuid, name);
insert into disk_offering values (2, 'do2', 'gold');
create table vm_instance (id, uuid, name, guest_os_id, removed);
insert into vm_instance values (100, 'v100', 'web', 1, null), (30, 'v30', 'r-30-VM', 1, null);
create table volumes (id, uuid, name);
insert into volumes values (41, 'vol41', 'ROOT-100'), (42, null, 'DATA-100'), (43, 'vol43', 'unused');
create table networks (id, uuid, name);
insert into networks values (204, 'n204', 'front');
create table firewall_rules (id, uuid, xid);
insert into firewall_rules values (11, 'f11', 'x11'), (12, 'f12', 'x12');
create table load_balancing_rules (id, name);
insert into load_balancing_rules values (11, 'http');
create table vpn_users (id, uuid, username);
create table snapshots (id, uuid, name);
create table security_group (id, uuid, name);
create table vpc (id, uuid, name);
create table vm_template (id, uuid, name, guest_os_id);
insert into vm_template values (60, 't60', 'debian', 1);
create table projects (uuid, name, project_account_id);
create table guest_os (id, uuid, display_name);
create table user_ip_address (id, uuid, public_ip_address);
create table network_offerings (id, uuid, name);
";

/// Such a file, which lives as long as the folder.
fn open(sql: &str) -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloud.db");
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    let uri = SourceUri::Sqlite(file);
    let wait = Duration::from_secs(5);
    (folder, db::connect(&uri, wait, wait).unwrap())
}

/// As the source reads them, one after the other.
fn read(
    cloud: &Connection,
    names: &mut NameReader,
    lines: &mut LineNameReader,
    rows: &[UsageRow],
) -> Names {
    let mut read = names.read_names(cloud, rows, Addresses::new()).unwrap();
    lines.read_names(cloud, rows, &mut read).unwrap();
    read
}

fn row(usage_type: u32, usage_id: u64) -> UsageRow {
    UsageRow {
        id: 1,
        zone_id: 1,
        account_id: 7,
        domain_id: 4,
        usage_type: Some(usage_type),
        raw_usage: 24.0,
        offering_id: 0,
        template_id: 0,
        usage_id,
        particulars: Particulars::None,
        start: 0,
        end: 86_400,
        vm_id: 0,
        hidden: false,
        raw_is_hours: true,
        backwards: false,
        identity: IdentityHasher::default().finish(),
    }
}

fn traffic(particulars: Particulars) -> UsageRow {
    UsageRow {
        particulars,
        ..row(4, 30)
    }
}

fn vm(id: u64, offering_id: u64) -> UsageRow {
    UsageRow {
        offering_id,
        ..row(2, id)
    }
}

fn named(uuid: &str, name: &str) -> CloudName {
    CloudName {
        uuid: Some(uuid.to_owned()),
        name: Some(name.to_owned()),
    }
}

#[test]
fn what_lines_refer_to_is_read_once_a_run_and_nothing_else() {
    let (_folder, cloud) = open(WHOLE);
    let mut names = NameReader::probe(&cloud).unwrap();
    let mut lines = LineNameReader::probe(&cloud).unwrap();
    let disk = UsageRow {
        offering_id: 2,
        zone_id: 2,
        ..row(6, 42)
    };
    let rows = [
        vm(100, 3),
        vm(101, 5),
        row(6, 41),
        disk,
        row(7, 60),
        row(11, 11),
        row(12, 12),
        traffic(Particulars::NetworkTraffic(204)),
        traffic(Particulars::RouterTraffic),
        row(99, 1),
    ];
    let mut read = || read(&cloud, &mut names, &mut lines, &rows);
    let names = read();
    let mut used: Vec<_> = names.used.into_iter().collect();
    used.sort_by_key(|(key, _)| *key);
    let data = CloudName {
        uuid: None,
        ..named("", "DATA-100")
    };
    assert_eq!(
        used,
        [
            ((ResourceKind::Vm, 100), named("v100", "web")),
            ((ResourceKind::Network, 204), named("n204", "front")),
            ((ResourceKind::Router, 30), named("v30", "r-30-VM")),
            ((ResourceKind::Volume, 41), named("vol41", "ROOT-100")),
            ((ResourceKind::Volume, 42), data),
            ((ResourceKind::Template, 60), named("t60", "debian")),
            ((ResourceKind::LoadBalancerRule, 11), named("f11", "http")),
            ((ResourceKind::PortForwardingRule, 12), named("f12", "x12")),
        ]
    );
    let mut zones: Vec<_> = names.zones.into_iter().collect();
    zones.sort_by_key(|(id, _)| *id);
    assert_eq!(zones, [(1, named("z1", "one")), (2, named("z2", "two"))]);
    let small = VmSize {
        vcpus: NonZeroU32::new(2),
        mhz: NonZeroU32::new(2000),
        memory_mib: NonZeroU32::new(4096),
    };
    assert_eq!(names.offering_sizes[&3], small);
    assert_eq!(names.offering_sizes[&5], VmSize::default());
    assert_eq!(
        names.resources[&(Breakdown::DiskOffering, 2)],
        ("do2".to_owned(), "gold".to_owned())
    );

    let again = read();
    assert!(again.used.is_empty() && again.zones.is_empty());
    assert!(again.offering_sizes.is_empty() && again.resources.is_empty());
}

#[test]
fn tables_that_cannot_be_read_are_said_and_spoil_nothing() {
    let lacking = WHOLE
        .replace("cpu, speed, ram_size", "a, b, c")
        .replace("create table volumes", "create table elsewhere")
        .replace("insert into volumes", "insert into elsewhere")
        .replace("create table vpn_users", "create table elsewhere_too")
        .replace(
            "vm_instance (id, uuid, name,",
            "vm_instance (id, uuid, instance,",
        );
    let (_folder, cloud) = open(&lacking);
    let mut names = NameReader::probe(&cloud).unwrap();
    let mut lines = LineNameReader::probe(&cloud).unwrap();
    let young_enough = |kind| !matches!(kind, ResourceKind::Bucket | ResourceKind::VmSnapshot);
    let sentences = [
        "cloud: volumes, vpn_users cannot be read: what they name is known by its id alone",
        "cloud: cpu, speed and ram_size of service_offering cannot be read: sizes of VMs are known of custom offerings \
         alone",
    ];
    assert_eq!(
        names.limitations(false),
        ["cloud: vm_instance.name cannot be read: VMs are known by their uuids alone"]
    );
    assert_eq!(lines.limitations(&young_enough), sentences);
    let said = lines.limitations(&|_| true);
    assert!(
        said[0].starts_with("cloud: volumes, vpn_users, vm_snapshots, bucket cannot be read"),
        "{said:?}"
    );
    let rows = [vm(100, 3), row(6, 41), row(14, 1)];
    let names = read(&cloud, &mut names, &mut lines, &rows);
    let vm = CloudName {
        name: None,
        ..named("v100", "")
    };
    assert_eq!(names.used.len(), 1);
    assert_eq!(names.used[&(ResourceKind::Vm, 100)], vm);
    assert!(names.offering_sizes.is_empty());
}
