//! A ledger of version 1.0.0 becomes one with lines: no figure changes, and the source fills the lines in.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{LINES, OF_A_DAY, cloud, use_things};
use crate::cloudstack::Cloud;
use crate::sandbox::{Run, program};

/// What version 1.0.0 made of two days of this very cloud, the first of them sealed.
const OF_1_0_0: &str = include_str!("ledger-1.0.0.sql");

const FIGURES: &str = "select day, account_name, metric, resource_name, quantity from daily_usage order by 1, 2, 3, 4";

#[test]
fn lines_are_filled_from_the_source_and_no_figure_changes() {
    let cloud = cloud().with_file_ledger();
    use_things(&cloud, "2013-06-01");
    use_things(&cloud, "2013-06-02");
    cloud.edit_ledger(OF_1_0_0);
    // Somebody's own.
    cloud.edit_ledger("create view everything as select sum(quantity) from stored_records");
    let before = cloud.ledger(FIGURES);
    let everything = cloud.ledger("select * from everything");
    assert_eq!(before.len(), 8);
    let run = cloud.run(&["initdb"]).exits(0);
    let says = "upgraded from schema 2\n2013-06-01 to 2013-06-02: lines without resource, zone and size; rbc-usage import ";
    assert!(run.stdout.contains(says), "{run}");
    assert_eq!(cloud.ledger(FIGURES), before);
    assert_eq!(cloud.ledger("select * from everything"), everything);
    let sums = "select day, account_name, metric, offering_name, quantity from daily_lines order by 1, 2, 3, 4";
    assert_eq!(cloud.ledger(sums), before);
    // Until then a day shows its records, of no resource.
    let first = LINES.replace("where", "where day = '2013-06-01' and");
    assert_eq!(
        cloud.ledger(&first),
        [
            "null | null | null | network_bytes_sent | 5000 | null | null | null | null | null",
            "null | null | null | os_usage | 48 | null | Debian 7 | null | null | null",
            "null | null | null | primary_byte_hours | 51539607552 | null | null | null | null | null",
            "null | null | null | vm_running | 48 | null | small | null | null | null",
        ]
    );
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-02", "-f"])
        .exits(0);
    assert_eq!(cloud.ledger(FIGURES), before);
    assert_eq!(cloud.ledger("select * from corrections"), [""; 0]);
    assert_eq!(cloud.ledger(&first), OF_A_DAY);
    let pieces = "select lines_per, line_count from stored_days natural join account_days";
    assert_eq!(cloud.ledger(pieces), ["resource | 7"; 2]);
}

/// More records of 1.0.0, so that the upgrade takes its time: of 40 accounts on 100 days.
const MANY: &str = "
    with recursive n (i) as (select 1 union all select i + 1 from n where i < 100)
    insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
      select date('2014-01-01', i || ' days'), 'closed', 0, 0, '2014-06-01T00:20:00Z' from n;
    with recursive n (i) as (select 1000 union all select i + 1 from n where i < 1039)
    insert into stored_accounts (id, uuid, name) select i, 'uuid-' || i, 'name-' || i from n;
    insert into stored_records select a.id, d.day, m.id, 0, 24
      from stored_accounts a, stored_days d, metrics m where a.id >= 1000 and d.day >= '2014';";

const RECORDS: &str = "select count(*), sum(quantity) from stored_records";
const VERSION: &str = "select user_version from pragma_user_version";

/// A large ledger of 1.0.0, as its file.
fn of_1_0_0() -> (Cloud, Vec<u8>) {
    let cloud = cloud().with_file_ledger();
    cloud.edit_ledger(OF_1_0_0);
    cloud.edit_ledger(MANY);
    let file = cloud.ledger_bytes();
    (cloud, file)
}

fn put(cloud: &Cloud, file: &[u8]) {
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(cloud.sandbox.path(&format!("usage.db{end}")));
    }
    std::fs::write(cloud.sandbox.path("usage.db"), file).unwrap();
}

#[test]
fn a_disk_that_is_full_leaves_the_older_ledger() {
    let (cloud, file) = of_1_0_0();
    let records = cloud.ledger(RECORDS);
    // Blocks of 512 bytes; with the signal ignored a write beyond them fails as on a full disk.
    for blocks in [100, 400] {
        put(&cloud, &file);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "limited", program(), "initdb"]);
        let run = Run::of(command.current_dir(cloud.sandbox.folder()).env_clear());
        assert!(run.exits(2).stderr.contains("usage.db"));
        assert_eq!(cloud.ledger(VERSION), ["2"]);
        assert_eq!(cloud.ledger_damage(), [""; 0]);
        assert_eq!(cloud.ledger(RECORDS), records);
    }
    cloud.run(&["initdb"]).exits(0);
    assert_eq!(cloud.ledger(RECORDS), records);
    assert_eq!(
        cloud.ledger("select count(*) from stored_lines"),
        cloud.ledger("select count(*) from stored_records")
    );
}

#[test]
fn an_upgrade_that_is_killed_is_done_by_the_next() {
    let (cloud, file) = of_1_0_0();
    let records = cloud.ledger(RECORDS);
    let started = Instant::now();
    cloud.run(&["initdb"]).exits(0);
    let took = started.elapsed();
    let lines = cloud.ledger("select count(*) from stored_lines");
    let mut interrupted = 0;
    for round in 1..6_u32 {
        put(&cloud, &file);
        let mut command = cloud.sandbox.command(&["initdb"]);
        let mut upgrade = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(5).max(took * round / 6));
        upgrade.kill().unwrap();
        upgrade.wait().unwrap();
        let version = cloud.ledger(VERSION);
        interrupted += u32::from(version == ["2"]);
        assert_eq!(cloud.ledger_damage(), [""; 0]);
        cloud.run(&["initdb"]).exits(0);
        assert_eq!(cloud.ledger(RECORDS), records, "killed in round {round}");
        assert_eq!(cloud.ledger("select count(*) from stored_lines"), lines);
    }
    assert!(interrupted > 0, "no kill came before the end");
}

#[test]
fn a_record_of_no_account_is_not_lost_by_an_upgrade() {
    let cloud = cloud().with_file_ledger();
    cloud.edit_ledger(OF_1_0_0);
    cloud.edit_ledger(
        "pragma foreign_keys = off; insert into stored_records values (99, '2013-06-01', 1, 1, 7.0)",
    );
    let records = cloud.ledger(RECORDS);
    cloud.run(&["initdb"]).exits(0);
    assert_eq!(cloud.ledger(RECORDS), records);
    let run = cloud.run(&["check"]);
    let told = "1 row of stored_records whose account_id is not in stored_accounts";
    assert!(run.stdout.contains(told), "{run}");
}
