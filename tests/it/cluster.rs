//! A ledger that several servers may have: which of them is asked, what is done when one of them is gone, and that only one
//! process writes. Three servers that are one cluster are in `chaos`; here there is one, by several addresses.

use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use crate::cloudstack::{Cloud, NEWEST};
use crate::crash::{Background, RANGE, furnish};
use crate::mariadb::{Server as Mariadb, free_port};
use crate::server::Server;

const QUESTION: &str = "/v1/accounts/uuid-7/usage?start=2013-06-01&end=2013-06-10";

/// What a MariaDB server answers with when it is slow, at most.
const QUICK: Duration = Duration::from_secs(4);

const SUMS: &str = "select d.day, count(u.day), sum(u.quantity) from rbc_usage.days d \
                    join rbc_usage.daily_usage u on u.day = d.day group by d.day order by d.day";

/// A cloud in files, and an empty database on a server of its own; `hosts` gets the server's address.
pub fn cloud_with_ledger_on(server: &Mariadb, hosts: impl Fn(&str) -> String) -> Cloud {
    let mut root = server.connect();
    for sql in [
        "create database rbc_usage",
        "create user rbc_usage@'%' identified by 's3cret'",
        "grant all on rbc_usage.* to rbc_usage@'%'",
    ] {
        root.query_drop(sql).unwrap();
    }
    let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
    furnish(&cloud, 60);
    write_config(
        &cloud,
        "cluster.cfg",
        &hosts(&format!("127.0.0.1:{}", server.port)),
    );
    run(&cloud, &["initdb"]);
    let config = std::fs::read_to_string(cloud.sandbox.path("cluster.cfg")).unwrap();
    cloud
        .sandbox
        .write("short.cfg", &(config + "[import]\nlock_timeout = 1\n"));
    cloud
}

fn write_config(cloud: &Cloud, name: &str, hosts: &str) {
    let config = std::fs::read_to_string(cloud.sandbox.path("cloudusage.cfg")).unwrap();
    let uri = format!("mysql://rbc_usage:s3cret@{hosts}/rbc_usage");
    let config = config.replace("sqlite:///usage.db", &uri);
    cloud
        .sandbox
        .write(name, &(config + "[server]\nbind = 127.0.0.1:0\n"));
}

pub fn run(cloud: &Cloud, words: &[&str]) {
    cloud
        .run(&[&["--config", "cluster.cfg"], words].concat())
        .exits(0);
}

pub fn import(cloud: &Cloud) -> Background {
    Background::start(
        cloud,
        &[&["--config", "cluster.cfg"], &RANGE[..], &["-f"]].concat(),
    )
}

fn serve(cloud: &Cloud, config: &str) -> Server {
    Server::of(&mut cloud.sandbox.command(&["--config", config, "serve"]))
}

/// Until an import has the right to write.
fn wait_for_lease(root: &mut mysql::Conn, import: &Background) {
    let held = format!(
        "select count(*) from rbc_usage.leases \
         where holder like 'process {} %' and expires_at > unix_timestamp(now(6))",
        import.pid()
    );
    let begun = Instant::now();
    while root.query_first::<u32, _>(&held).unwrap() != Some(1) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no lease");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Each day's records and their sum, as the server has them.
pub fn sums(server: &Mariadb) -> Vec<(String, u64, f64)> {
    server.connect().query(SUMS).unwrap()
}

/// What `sums` says of ten whole days: five VMs an account for so many hours each.
pub fn whole(hours: u32) -> Vec<(String, u64, f64)> {
    let days = (1..=10).map(|day| format!("2013-06-{day:02}"));
    days.map(|day| (day, 60, f64::from(60 * 5 * hours)))
        .collect()
}

#[test]
fn two_programs_answer_with_the_same_bytes_and_tags() {
    let server = Mariadb::start();
    let cloud = cloud_with_ledger_on(&server, str::to_owned);
    run(&cloud, &RANGE);
    let [one, other] = [serve(&cloud, "cluster.cfg"), serve(&cloud, "cluster.cfg")];
    let both = || [&one, &other].map(|program| program.get(QUESTION));
    let [first, second] = both();
    assert_eq!((first.status, &first.body), (200, &second.body));
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(second.header("etag"), Some(&*tag));
    // One has it from what it kept.
    let kept = one.get(QUESTION);
    assert_eq!(
        (kept.header("etag"), &kept.body),
        (Some(&*tag), &first.body)
    );
    // What somebody else writes is seen by both at once.
    cloud.usage("update cloud_usage set raw_usage = 23");
    run(&cloud, &[&RANGE[..], &["-f"]].concat());
    let [changed, second] = both();
    assert_ne!(changed.body, first.body);
    assert_eq!(changed.body, second.body);
    assert_ne!(changed.header("etag"), Some(&*tag));
    assert_eq!(changed.header("etag"), second.header("etag"));
}

#[test]
fn a_server_that_is_not_there_is_left_for_the_next() {
    let server = Mariadb::start();
    let nobody = free_port();
    let cloud = cloud_with_ledger_on(&server, |address| format!("127.0.0.1:{nobody},{address}"));
    run(&cloud, &RANGE);
    assert_eq!(sums(&server), whole(24));
    let program = serve(&cloud, "cluster.cfg");
    assert_eq!(program.get(QUESTION).status, 200);
    write_config(
        &cloud,
        "nobody.cfg",
        &format!("127.0.0.1:{nobody},127.0.0.1:{}", free_port()),
    );
    let alone = cloud.run(&["--config", "nobody.cfg", "status"]).exits(2);
    // Both are named, and no password.
    assert_eq!(
        alone.stderr.matches("Connection refused").count(),
        2,
        "{alone}"
    );
    assert!(!alone.stderr.contains("s3cret"), "{alone}");
}

/// It takes connections, and says nothing: once somebody has found out, nobody else waits.
#[test]
fn a_server_that_says_nothing_is_left_for_the_next() {
    let (frozen, server) = (Mariadb::start(), Mariadb::start());
    frozen.signal("STOP");
    let cloud = cloud_with_ledger_on(&server, |address| {
        format!("127.0.0.1:{},{address}", frozen.port)
    });
    run(&cloud, &RANGE);
    assert_eq!(sums(&server), whole(24));
    let program = serve(&cloud, "cluster.cfg");
    let started = Instant::now();
    assert_eq!(program.get(QUESTION).status, 200);
    assert!(started.elapsed() < QUICK, "{:?}", started.elapsed());
    frozen.signal("CONT");
}

#[test]
fn an_import_outlives_a_restart_of_its_server() {
    let mut server = Mariadb::start_durable();
    let cloud = cloud_with_ledger_on(&server, str::to_owned);
    run(&cloud, &RANGE);
    for (round, hours) in [(1, 23), (2, 22), (3, 21)] {
        cloud.usage(&format!("update cloud_usage set raw_usage = {hours}"));
        let running = import(&cloud);
        std::thread::sleep(Duration::from_millis(100 * round));
        server = server.stop().restart();
        let ended = running.finish();
        assert_eq!(ended.code, Some(0), "{ended}");
        assert_eq!(sums(&server), whole(hours), "round {round}");
    }
}

/// A while without any server, longer than one is looked for at a time: the day in hand is begun again and again.
#[test]
fn an_import_waits_for_a_server_that_is_away() {
    let server = Mariadb::start_durable();
    let cloud = cloud_with_ledger_on(&server, str::to_owned);
    run(&cloud, &RANGE);
    cloud.usage("update cloud_usage set raw_usage = 23");
    let running = import(&cloud);
    std::thread::sleep(Duration::from_millis(150));
    let gone = server.stop();
    std::thread::sleep(Duration::from_secs(15));
    let server = gone.restart();
    let ended = running.finish();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(sums(&server), whole(23));
}

#[test]
fn answers_go_on_after_a_restart_of_their_server() {
    let mut server = Mariadb::start_durable();
    let cloud = cloud_with_ledger_on(&server, str::to_owned);
    run(&cloud, &RANGE);
    let program = serve(&cloud, "cluster.cfg");
    let before = program.get(QUESTION);
    let gone = server.stop();
    let refused = program.get(QUESTION);
    assert_eq!(refused.status, 503, "{refused:?}");
    server = gone.restart();
    for target in [QUESTION, "/v1/days?month=2013-06", "/readyz"] {
        let answer = program.get(target);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
    }
    assert_eq!(program.get(QUESTION).body, before.body);
    drop(server);
}

/// Whoever has lost the right to write, as one who has slept for too long, writes nothing any more.
#[test]
fn an_importer_that_was_overtaken_writes_nothing() {
    let server = Mariadb::start();
    let cloud = cloud_with_ledger_on(&server, str::to_owned);
    run(&cloud, &RANGE);
    let mut overtaken = 0;
    for round in 0..6_u64 {
        let before = sums(&server);
        cloud.usage(&format!(
            "update cloud_usage set raw_usage = {}",
            23 - round
        ));
        let running = import(&cloud);
        let mut root = server.connect();
        wait_for_lease(&mut root, &running);
        std::thread::sleep(Duration::from_millis(30 * round));
        root.query_drop(
            "update rbc_usage.leases set token = 7, holder = 'a test', \
             expires_at = unix_timestamp(now(6)) + 600",
        )
        .unwrap();
        let then = sums(&server);
        let ended = running.finish();
        let lost = "another process has taken over";
        assert!(
            ended.code == Some(0) || ended.stderr.contains(lost),
            "{ended}"
        );
        overtaken += u32::from(ended.code == Some(2));
        assert_eq!(sums(&server), then, "round {round}");
        assert!(ended.code == Some(2) || then != before);
        let other = cloud.run(&["--config", "short.cfg", "import"]).exits(2);
        assert!(
            other.stderr.contains("in use by a test; waited 1 second"),
            "{other}"
        );
        root.query_drop("update rbc_usage.leases set expires_at = 0")
            .unwrap();
        run(&cloud, &[&RANGE[..], &["-f"]].concat());
        assert_eq!(sums(&server), whole(23 - round as u32), "round {round}");
    }
    assert!(overtaken > 0, "nobody was overtaken");
}
