//! The clouds of `make bench`, written by the server itself: 39 usage rows an account and day.

use std::process::Command;

use crate::cloudstack::{Cloud, NEWEST};
use crate::mariadb::Server;

/// 100 accounts × 3 days, 1,000 × 31, 10,000 × 31.
#[derive(Clone, Copy)]
pub enum Size {
    S,
    M,
    L,
}

impl Size {
    pub fn name(self) -> &'static str {
        match self {
            Size::S => "S",
            Size::M => "M",
            Size::L => "L",
        }
    }

    pub fn accounts(self) -> u32 {
        match self {
            Size::S => 100,
            Size::M => 1_000,
            Size::L => 10_000,
        }
    }

    pub fn days(self) -> u32 {
        match self {
            Size::S => 3,
            Size::M | Size::L => 31,
        }
    }
}

pub struct BenchCloud<'a> {
    pub cloud: Cloud,
    pub rows: u64,
    server: &'a Server,
}

pub fn account_uuid(id: u32) -> String {
    format!("a0000000-0000-4000-8000-{id:012}")
}

/// What each account has each day: 4 VMs on 2 offerings, 5 volumes, their I/O, 2 addresses, NICs, snapshots.
/// Columns: usage type, VM, offering, resource.
const KINDS: [&str; 7] = [
    "select 1, seq, 1 + seq % 2, seq from seq_1_to_4",
    "select 2, seq, 1 + seq % 2, seq from seq_1_to_4",
    "select 13, seq, 1, 1 from seq_1_to_4",
    "select 10, 1, null, 1 from seq_1_to_1",
    "select 6, null, if(seq % 2, null, 3), seq from seq_1_to_5",
    "select 21 + seq % 4, 1 + seq div 4, null, seq div 4 from seq_0_to_13",
    "values (3, null, null, 1), (3, null, null, 2), (4, null, null, 1), (5, null, null, 1), (7, null, null, 1), \
     (9, null, null, 1), (9, null, null, 2)",
];

const USAGE: &str = "insert into cloud_usage (id, zone_id, account_id, domain_id, description, usage_display, usage_type, \
       raw_usage, vm_instance_id, vm_name, offering_id, template_id, usage_id, type, size, start_date, end_date) \
     select ((d.seq - 1) * ACCOUNTS + a.seq - 1) * 39 + k.n, 1, a.seq, 1, \
       concat('vm-', a.seq, '-', k.resource, ' usage (ServiceOffering: ', ifnull(k.offering, 0), ') (Template: 5)'), \
       if(k.usage_type in (4, 5, 21, 22, 23, 24), '123456789 bytes', '24 Hrs'), k.usage_type, \
       if(k.usage_type in (4, 5, 21, 22, 23, 24), 1000000 + (a.seq * 7919 + d.seq * 31) % 999983, 24), \
       if(k.usage_type = 6, null, a.seq * 10 + k.vm), concat('vm-', a.seq), k.offering, 5, a.seq * 10 + k.resource, \
       if(k.usage_type in (1, 2), 'KVM', null), if(k.usage_type in (6, 7, 8, 9), 21474836480, null), \
       '2013-06-01' + interval d.seq - 1 day, '2013-06-01 23:59:59' + interval d.seq - 1 day \
     from seq_1_to_DAYS d straight_join seq_1_to_ACCOUNTS a straight_join kinds k";

impl<'a> BenchCloud<'a> {
    /// Fills two databases of the server and initialises a ledger.
    pub fn build(server: &'a Server, size: Size) -> BenchCloud<'a> {
        let cloud = Cloud::on(server, server, NEWEST);
        cloud.configure("GMT", "");
        cloud.usage(
            "create table kinds (n int, usage_type int, vm int, offering int, resource int)",
        );
        for kind in KINDS {
            cloud.usage(&format!(
                "insert into kinds (usage_type, vm, offering, resource) {kind}"
            ));
        }
        // Numbered here: an auto-increment leaves gaps.
        cloud.usage("set @n = 0");
        cloud.usage("update kinds set n = (@n := @n + 1)");
        let sized = |sql: &str| {
            sql.replace("DAYS", &size.days().to_string())
                .replace("ACCOUNTS", &size.accounts().to_string())
        };
        cloud.usage(&sized(USAGE));
        cloud.usage("analyze table cloud_usage");
        cloud.finished_until("2013-07-01 23:59:59");
        for sql in [
            "insert into account (id, account_name, uuid, type, domain_id) \
             select seq, concat('account ', seq), concat('a0000000-0000-4000-8000-', lpad(seq, 12, '0')), 0, 1 \
             from seq_1_to_ACCOUNTS",
            "insert into vm_instance (id, uuid, name, instance_name, vnc_password, guest_os_id) \
             select a.seq * 10 + v.seq, uuid(), 'vm', 'i-vm', 'secret', 1 + v.seq % 2 \
             from seq_1_to_ACCOUNTS a straight_join seq_1_to_4 v",
            "insert into user_ip_address (id, uuid, public_ip_address, data_center_id) \
             select a.seq * 10 + v.seq, uuid(), '203.0.113.7', 1 \
             from seq_1_to_ACCOUNTS a straight_join seq_1_to_2 v",
        ] {
            cloud.main(&sized(sql));
        }
        for id in 1..=2 {
            cloud.service_offering(id, &format!("offering-{id}"), "an offering");
            cloud.main(&format!(
                "insert into guest_os (id, uuid, category_id, display_name) values ({id}, 'os-{id}', 1, 'an OS')"
            ));
        }
        cloud.other_offering(
            "network_offerings",
            1,
            "network-offering-1",
            "a network offering",
        );
        let rows = u64::from(size.accounts() * size.days() * 39);
        let built = BenchCloud {
            cloud,
            rows,
            server,
        };
        built.forget_ledger();
        built
    }

    /// Starts over with an empty ledger.
    pub fn forget_ledger(&self) {
        for name in ["usage.db", "usage.db-wal", "usage.db-shm"] {
            let _ = std::fs::remove_file(self.cloud.sandbox.path(name));
        }
        self.cloud.run(&["initdb"]).exits(0);
    }

    /// The `mariadb` client, unbuffered, with one statement.
    pub fn client(&self, sql: &str) -> Command {
        let mut command = Command::new("mariadb");
        command.args([
            "--no-defaults",
            "--user=root",
            "--quick",
            "--skip-column-names",
        ]);
        command.arg(format!("--socket={}", self.server.path("socket").display()));
        command.args(["--execute", sql, &self.cloud.usage_name]);
        command
    }
}
