//! `rbc-usage sample`: what it writes, and what it says to do with it.

use std::fs;
use std::process::Command;

use rusqlite::Connection;

use crate::sandbox::{Run, Sandbox, program};

/// A sandbox with a sample in `demo`.
fn sampled() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&["sample", "demo"]).exits(0).complains("");
    sandbox
}

/// Both databases of the sample, `cloud` attached under its name.
fn open(sandbox: &Sandbox) -> Connection {
    let db = Connection::open(sandbox.path("demo/cloud_usage.db")).unwrap();
    let cloud = sandbox.path("demo/cloud.db");
    db.execute("attach ?1 as cloud", [cloud.to_str().unwrap()])
        .unwrap();
    db
}

/// The rows of a query, each as its columns joined by blanks.
fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut query = db.prepare(sql).unwrap();
    let columns = query.column_count();
    let text = |value: rusqlite::types::Value| match value {
        rusqlite::types::Value::Null => "null".to_owned(),
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Real(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Blob(_) => "blob".to_owned(),
    };
    query
        .query_map([], |row| {
            let values: Result<Vec<String>, _> =
                (0..columns).map(|i| row.get(i).map(text)).collect();
            values.map(|values| values.join(" "))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn says_what_it_wrote_and_what_to_type_next() {
    let run = Sandbox::new().run(&["sample", "demo"]).exits(0);
    assert_eq!(
        run.stdout,
        "\
demo/cloudusage.cfg
demo/cloud.db: 20 accounts, 218 virtual machines
demo/cloud_usage.db: 48567 usage rows, 2026-09-25 to 2026-11-03

What to type next:
  rbc-usage initdb --config demo/cloudusage.cfg
  rbc-usage import --config demo/cloudusage.cfg -s 2026-09-25 -e 2026-11-03
  rbc-usage serve --config demo/cloudusage.cfg
  curl 'http://127.0.0.1:8888/usage/5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61?start=2026-10-01&end=2026-10-31'
"
    );
}

#[test]
fn a_sample_is_the_same_every_time() {
    let (one, other) = (sampled(), sampled());
    let mut names: Vec<_> = fs::read_dir(one.path("demo"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["cloud.db", "cloud_usage.db", "cloudusage.cfg"]);
    for name in names {
        let bytes = |sandbox: &Sandbox| fs::read(sandbox.path("demo").join(&name)).unwrap();
        assert!(bytes(&one) == bytes(&other), "{name} differs");
    }
}

#[test]
fn refuses_a_folder_that_has_one_of_its_files() {
    for name in ["cloudusage.cfg", "cloud.db", "cloud_usage.db"] {
        let sandbox = Sandbox::new();
        sandbox.write(name, "mine");
        let complaint = format!("rbc-usage: ./{name}: exists already, and is not overwritten\n");
        let run = sandbox.run(&["sample", "."]).exits(2).complains(&complaint);
        assert_eq!(run.stdout, "");
        assert_eq!(fs::read_to_string(sandbox.path(name)).unwrap(), "mine");
        assert_eq!(fs::read_dir(sandbox.folder()).unwrap().count(), 1);
    }
}

#[test]
fn leaves_nothing_behind_when_it_fails() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "");
    sandbox
        .run(&["sample", "file/demo"])
        .exits(2)
        .complains("rbc-usage: file/demo: Not a directory (os error 20)\n");

    // No file may grow beyond a megabyte or so, as on a full disk: the second database does not fit.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 2048; exec {} sample demo",
        program()
    );
    let run = Run::of(
        Command::new("sh")
            .args(["-c", &limited])
            .current_dir(sandbox.folder()),
    )
    .exits(2);
    let beginning = "rbc-usage: demo/cloud_usage.db.unfinished: ";
    assert!(run.stderr.starts_with(beginning), "{run}");
    assert!(!sandbox.path("demo").exists(), "{run}");
}

/// Of aurora's machines (numbers 0 to 15 by creation) 5, 6, 13 and 14 are gone by Sunday 2026-10-25. Of the twelve
/// left 0, 9, 12 and 15 are small; 1, 3 (since it grew on the 10th), 4, 7 and 10 medium; 2 and 11 large; 8 has the
/// deleted offering. 7 and 15 rest on Sundays. The day has 25 hours.
#[test]
fn one_account_and_day_adds_up_as_worked_out_by_hand() {
    let sandbox = sampled();
    let db = open(&sandbox);
    let of_that_day =
        "account_id = (select id from account where uuid = '5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61')
        and start_date >= '2026-10-24 22:00:00' and end_date <= '2026-10-25 22:59:59'";
    let hours = |usage_type: i64| {
        rows(
            &db,
            &format!(
                "select o.name, sum(raw_usage) from cloud_usage join service_offering o on o.id = offering_id
                 where usage_type = {usage_type} and {of_that_day} group by o.id order by o.id"
            ),
        )
    };
    assert_eq!(
        hours(2),
        ["Small 100", "Medium 125", "Large 50", "Classic Small 25"]
    );
    assert_eq!(
        hours(1),
        ["Small 75", "Medium 100", "Large 50", "Classic Small 25"]
    );
    // Root disks: eight of 20 GiB, three of 60, one of 40. Data disks: two that had grown to 150 GiB, three of 100.
    let byte_hours = rows(
        &db,
        &format!(
            "select sum(raw_usage * size) from cloud_usage where usage_type = 6 and {of_that_day}"
        ),
    );
    assert_eq!(byte_hours, [(980_i64 * 25 * (1 << 30)).to_string()]);
}

#[test]
fn holds_what_it_promises() {
    let sandbox = sampled();
    let db = open(&sandbox);
    let how_often = "select start_date, end_date, count(*) as times from cloud_usage
        group by zone_id, account_id, domain_id, description, usage_display, usage_type, raw_usage, vm_instance_id,
            vm_name, offering_id, template_id, usage_id, type, size, network_id, start_date, end_date, virtual_size,
            cpu_speed, cpu_cores, memory, is_hidden";
    let of_replayed_day =
        "start_date >= '2026-10-13 22:00:00' and end_date <= '2026-10-14 21:59:59'";
    for (what, sql, expected) in [
        (
            "every hour of 40 days for machines that stay, one more on 2026-10-25, and 24 hours replayed",
            "select group_concat(distinct total) from (
               select sum(raw_usage) as total from cloud_usage join vm_instance v on v.id = vm_instance_id
               where usage_type = 2 and v.created < '2026-09-24 22:00:00' and v.removed is null group by v.id)",
            "985.0",
        ),
        (
            "one window that is not 24 hours long",
            "select start_date, end_date, raw_usage from cloud_usage
             where usage_type = 2 and usage_id = 3001 and raw_usage <> 24",
            "2026-10-24 22:00:00 2026-10-24 22:59:59 1",
        ),
        (
            "no row of another day twice",
            &format!("select min(start_date), max(end_date) from ({how_often}) where times > 1"),
            "2026-10-13 22:00:00 2026-10-14 21:59:59",
        ),
        (
            "every row of the replayed day twice",
            &format!("select distinct times from ({how_often}) where {of_replayed_day}"),
            "2",
        ),
        (
            "two jobs that began with the replayed day",
            "select count(*), min(success) from usage_job where start_date = '2026-10-13 22:00:00'",
            "2 1",
        ),
        (
            "usage types",
            "select group_concat(distinct usage_type) from (select usage_type from cloud_usage order by usage_type)",
            "1,2,3,4,5,6,7,8,9,11,12,13,14,21,22,23,24,25,27,28",
        ),
        (
            "a disk of unknown size",
            "select account_id, description, raw_usage, size, start_date from cloud_usage
             where usage_type = 6 and size is null",
            "4 Volume Id: 49999 usage time (DiskOffering: 1) 8 null 2026-10-04 22:00:00",
        ),
        (
            "a deleted offering in use after its removal",
            "select distinct o.name, o.removed from cloud_usage join service_offering o on o.id = offering_id
             where usage_type = 1 and o.removed is not null",
            "Classic Small 2026-09-14 09:00:00",
        ),
        (
            "a machine purged from vm_instance",
            "select distinct usage_id, t.name, os.display_name from cloud_usage
             join vm_template t on t.id = template_id join guest_os os on os.id = t.guest_os_id
             where usage_type = 1 and usage_id not in (select id from vm_instance)",
            "5006 Ubuntu 24.04 Ubuntu 24.04 LTS",
        ),
        (
            "a removed account, silent from then on",
            "select account_name, removed, max(end_date) from account a join cloud_usage on account_id = a.id
             where removed is not null",
            "kiosk-online 2026-10-10 12:00:00 2026-10-10 21:59:59",
        ),
        (
            "projects behind hidden accounts",
            "select group_concat(account_name || '=' || p.name, ' ') from projects p
             join account a on a.id = project_account_id and a.type = 5 and a.domain_id = p.domain_id",
            "PrjAcct-webshop-3=webshop PrjAcct-research-4=research",
        ),
        (
            "a hidden address",
            "select distinct description, is_hidden, size from cloud_usage where is_hidden <> 0",
            "IPAddress: 203.0.113.250 1 1",
        ),
        (
            "a disk that grows",
            "select group_concat(distinct size / 1073741824) from cloud_usage where usage_type = 6 and usage_id = 30011",
            "100,150",
        ),
        (
            "the last day finished",
            "select max(end_millis) from usage_job where success = 1",
            "1793746799999",
        ),
    ] {
        assert_eq!(rows(&db, sql), [expected], "{what}");
    }
}

/// What `make demo` shows, in a sandbox; and what it says to try next works as it is printed.
#[test]
fn the_demo_ends_with_commands_that_work() {
    let sandbox = Sandbox::new();
    for folder in ["tests", "target", "target/release"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    sandbox.write("tests/demo.sh", include_str!("../demo.sh"));
    std::os::unix::fs::symlink(program(), sandbox.path("target/release/rbc-usage")).unwrap();
    let shell = |words: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.args(words).current_dir(sandbox.folder());
        command.env_clear().env("PATH", "/usr/bin:/bin");
        Run::of(&mut command).exits(0)
    };
    let run = shell(&["tests/demo.sh", "target/release/rbc-usage"]);
    let (_, hints) = run.stdout.split_once("What to try next:\n").expect("hints");
    let hints: Vec<&str> = hints.lines().collect();
    assert_eq!(hints.len(), 3, "{run}");
    for hint in hints {
        assert!(!shell(&["-c", hint]).stdout.is_empty(), "{hint}");
    }
}
