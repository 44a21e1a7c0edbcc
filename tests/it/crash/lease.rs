//! The right to write a ledger that is on a server: what becomes of it when its holder is killed, loses it, or is cut off.

use std::time::{Duration, Instant};

use super::{Background, DAY_SUMS, RANGE, blocked_import, furnish, whole};
use crate::cloudstack::{Cloud, NEWEST};
use crate::import::refuses;
use crate::mariadb;

fn cloud() -> Cloud {
    let cloud = Cloud::in_mariadb(NEWEST).with_server_ledger();
    furnish(&cloud, 2);
    cloud
}

/// All of them, with so many hours of each VM.
fn days(hours: u64) -> Vec<String> {
    (1..=10).map(|day| whole(day, 2, hours)).collect()
}

#[test]
fn the_right_of_one_who_was_killed_is_waited_for() {
    let cloud = cloud();
    let (gate, mut first) = blocked_import(&cloud, mariadb::shared());
    let pid = first.pid();
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    drop(gate);
    cloud.configure("GMT", "[import]\nlock_timeout = 1\n");
    let held = format!("{}: in use by process {pid} on ", cloud.ledger_name());
    refuses(cloud.run(&RANGE), &[&held, "; waited 1 second"]);
    // As if most of its time had passed.
    let soon = "update leases set expires_at = least(expires_at, unix_timestamp(now(6)) + 2)";
    assert_eq!(cloud.edit_ledger(soon), 1);
    cloud.configure("GMT", "[import]\nlock_timeout = 60\n");
    let started = Instant::now();
    cloud.run(&RANGE).exits(0);
    assert!(started.elapsed() > Duration::from_secs(1));
    assert_eq!(cloud.ledger(DAY_SUMS), days(24));
}

#[test]
fn who_has_lost_the_right_writes_nothing() {
    let cloud = cloud();
    let (gate, first) = blocked_import(&cloud, mariadb::shared());
    let other =
        "update leases set token = 7, holder = 'another one', expires_at = expires_at + 600";
    assert_eq!(cloud.edit_ledger(other), 1);
    drop(gate);
    let name = cloud.ledger_name();
    refuses(first.finish(), &[&name, "another process has taken over"]);
    assert_eq!(cloud.ledger(DAY_SUMS), [""; 0]);
    cloud.configure("GMT", "[import]\nlock_timeout = 0\n");
    refuses(cloud.run(&RANGE), &[&name, "in use by another one; "]);
    cloud.release_ledger();
    cloud.run(&RANGE).exits(0);
    assert_eq!(cloud.ledger(DAY_SUMS), days(24));
}

/// While it reads its source, and in the middle of a day that it writes.
#[test]
fn a_connection_that_is_cut_is_replaced() {
    let cloud = cloud();
    let database = cloud.ledger_database();
    let (gate, import) = blocked_import(&cloud, mariadb::shared());
    database.disconnect();
    drop(gate);
    import.finish().exits(0);
    assert_eq!(cloud.ledger(DAY_SUMS), days(24));

    cloud.usage("update cloud_usage set raw_usage = 20");
    cloud.configure("GMT", "[import]\nlock_timeout = 0\n");
    let gate = database.lock("stored_records");
    let import = Background::start(&cloud, &[&RANGE[..], &["-f"]].concat());
    for _ in 0..2 {
        database.wait_until_blocked();
        database.disconnect();
    }
    drop(gate);
    import.finish().exits(0);
    assert_eq!(cloud.ledger(DAY_SUMS), days(20));
}
