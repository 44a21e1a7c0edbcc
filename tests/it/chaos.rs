//! A ledger on three servers of a Galera cluster, while somebody imports and somebody else reads: servers are killed and
//! cut off, importers are killed, two of them meet. Each day must be wholly old or wholly new, whoever reads must get right
//! answers in time, and in the end the ledger is that of a file, to the last bit.
//!
//! It takes its time and needs more than other tests: `make chaos`. `TIMES` says how often each thing happens.

mod commit;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use serde_json::Value;

use crate::cloudstack::{Cloud, NEWEST};
use crate::crash::{Background, RANGE, furnish};
use crate::server::Server;
use fixtures::galera::Cluster;

const ACCOUNTS: u64 = 60;

/// VMs of each account, all day.
const VMS: u64 = 5;

/// Any day may be old or new: one line each.
const DAYS: &str = "select d.day, count(u.day), sum(u.quantity), count(distinct u.quantity) from days d \
                    left join daily_usage u on u.day = d.day group by d.day order by d.day";

/// What a reader asks all the time: the days of one account.
const QUESTION: &str =
    "/v1/accounts/uuid-7/usage?start=2013-06-01&end=2013-06-10&granularity=day&metric=vm_allocated";

/// What is told of the ledger, in each format that has every digit.
const REPORTS: [&[&str]; 4] = [
    &[
        "report",
        "-s",
        "2013-06-01",
        "-e",
        "2013-06-10",
        "--by",
        "account,day,resource,sku",
        "--format",
        "csv",
    ],
    &[
        "report",
        "-s",
        "2013-06-01",
        "-e",
        "2013-06-10",
        "--by",
        "account",
        "--format",
        "json",
    ],
    &["findings", "--format", "csv"],
    &["status", "--month", "2013-06", "--format", "csv"],
];

struct Theatre {
    cluster: Cluster,
    cloud: Cloud,
    /// Of each VM on each day, as the source has it now.
    hours: u64,
    /// How many imports were disturbed between their first day and their last one.
    halfway: u32,
}

fn times() -> u32 {
    let times = std::env::var("TIMES");
    times.map_or(20, |times| times.parse().expect("TIMES is a number"))
}

impl Theatre {
    fn open() -> Theatre {
        let cluster = Cluster::start();
        let mut connection = cluster.connect(0);
        for sql in [
            "create database rbc_usage",
            "create user rbc_usage@'%' identified by 's3cret'",
            "grant all on rbc_usage.* to rbc_usage@'%'",
        ] {
            connection.query_drop(sql).expect("make a database");
        }
        let cloud = Cloud::in_sqlite(NEWEST).with_file_ledger();
        furnish(&cloud, ACCOUNTS);
        let file = std::fs::read_to_string(cloud.sandbox.path("cloudusage.cfg")).unwrap();
        let uri = format!("mysql://rbc_usage:s3cret@{}/rbc_usage", cluster.hosts());
        let of_cluster =
            file.replace("sqlite:///usage.db", &uri) + "[server]\nbind = 127.0.0.1:0\n";
        cloud.sandbox.write("cluster.cfg", &of_cluster);
        // The same ledger, asked of another server first.
        let hosts = cluster.hosts();
        let (first, others) = hosts.split_once(',').unwrap();
        let other = of_cluster.replace(&hosts, &format!("{others},{first}"));
        cloud.sandbox.write("other.cfg", &other);
        let theatre = Theatre {
            cluster,
            cloud,
            hours: 24,
            halfway: 0,
        };
        theatre.run(&["initdb"]).exits(0);
        theatre
    }

    fn run(&self, words: &[&str]) -> crate::sandbox::Run {
        self.cloud
            .run(&[&["--config", "cluster.cfg"], words].concat())
    }

    fn import(&self, config: &str) -> Background {
        Background::start(
            &self.cloud,
            &[&["--config", config], &RANGE[..], &["-f"]].concat(),
        )
    }

    /// As if its holder had not been heard of for long.
    fn expire_lease(&self) {
        let mut connection = self.cluster.connect(2);
        let sql = "update rbc_usage.leases set expires_at = 0";
        connection.query_drop(sql).expect("expire the lease");
    }

    /// What `DAYS` says of a day: each account's hours.
    fn whole(day: u32, hours: u64) -> String {
        let all = ACCOUNTS * VMS * hours;
        format!("2013-06-{day:02} | {ACCOUNTS} | {all} | 1")
    }

    /// The days as one of the servers has them.
    fn days(&self, node: usize) -> Vec<String> {
        let mut connection = self.cluster.connect(node);
        for sql in ["use rbc_usage", "set session wsrep_sync_wait = 1"] {
            connection.query_drop(sql).unwrap();
        }
        let rows: Vec<(String, u64, f64, u64)> = connection.query(DAYS).unwrap();
        let line = |(day, accounts, sum, sums): (String, u64, f64, u64)| {
            format!("{day} | {accounts} | {sum} | {sums}")
        };
        rows.into_iter().map(line).collect()
    }

    /// The source says something else from now on.
    fn change_source(&mut self) -> u64 {
        let old = self.hours;
        self.hours = if old == 24 { 23 } else { 24 };
        self.cloud.usage(&format!(
            "update cloud_usage set raw_usage = {}",
            self.hours
        ));
        old
    }

    /// Each day is one of the two, whichever server is asked.
    fn insist_on_whole_days(&mut self, old: u64, node: usize, round: u32) {
        let found = self.days(node);
        assert_eq!(found.len(), 10, "round {round}");
        let mut new_days = 0;
        for (day, found) in (1..).zip(&found) {
            let (before, after) = (Theatre::whole(day, old), Theatre::whole(day, self.hours));
            assert!(
                *found == before || *found == after,
                "round {round}: {found}"
            );
            new_days += u32::from(*found == after);
        }
        self.halfway += u32::from((1..10).contains(&new_days));
    }

    /// The imports were met between their first day and their last one, and not only before or after.
    fn insist_on_interruptions(&self) {
        assert!(self.halfway > 0, "nothing happened between two days");
    }

    /// The ledger is that of the file.
    fn insist_on_the_truth(&self, round: u32) {
        let new: Vec<String> = (1..=10)
            .map(|day| Theatre::whole(day, self.hours))
            .collect();
        assert_eq!(self.days(1), new, "round {round}");
        self.cloud.run(&[&RANGE[..], &["-f"]].concat()).exits(0);
        for words in REPORTS {
            let (file, cluster) = (self.cloud.run(words), self.run(words));
            assert_eq!(
                without_times(&file.stdout),
                without_times(&cluster.stdout),
                "{words:?}"
            );
            assert_eq!((file.code, &*file.stderr), (cluster.code, &*cluster.stderr));
        }
    }

    /// Somebody imports a changed source, and at some moment this happens to it; `after` undoes it.
    fn disturb(
        &mut self,
        mut happen: impl FnMut(&mut Theatre, &mut Background),
        mut after: impl FnMut(&mut Theatre),
    ) {
        let started = Instant::now();
        self.run(&[&RANGE[..], &["-f"]].concat()).exits(0);
        let took = started.elapsed();
        let times = times();
        for round in 0..times {
            let old = self.change_source();
            let mut import = self.import("cluster.cfg");
            std::thread::sleep(took * (round + 1) / (times + 1));
            happen(self, &mut import);
            self.insist_on_whole_days(old, 2, round);
            let run = import.finish();
            // A server that is lost is no reason to stop; only one who is killed does.
            assert!(
                run.code.is_none() || run.code == Some(0),
                "round {round}: {run}"
            );
            self.insist_on_whole_days(old, 2, round);
            after(self);
            self.run(&[&RANGE[..], &["-f"]].concat()).exits(0);
            self.insist_on_the_truth(round);
        }
    }
}

/// Without the moments of imports, which are each ledger's own.
fn without_times(text: &str) -> Vec<&str> {
    let is_time = |cell: &&str| cell.len() == 20 && cell.ends_with('Z');
    text.split([',', '\n'])
        .filter(|cell| !is_time(cell))
        .collect()
}

/// What a reader who never stops has seen.
#[derive(Default)]
struct Seen {
    seconds: Vec<f64>,
}

impl Seen {
    fn percentile(&mut self, part: f64) -> f64 {
        self.seconds.sort_by(f64::total_cmp);
        let place = (self.seconds.len() as f64 * part) as usize;
        self.seconds[place.min(self.seconds.len() - 1)]
    }
}

/// Asks until told to stop: each answer is 200, and each of its days is one that the source has had.
fn read_on(server: &Server, stop: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let answer = server.get(QUESTION);
        seen.seconds.push(started.elapsed().as_secs_f64());
        assert_eq!(answer.status, 200, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let days = body["usage"].as_array().unwrap();
        assert_eq!(days.len(), 10, "{body}");
        for day in days {
            let hours = day["quantity"].as_f64().unwrap();
            assert!([115.0, 120.0].contains(&hours), "{body}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen
}

/// Runs a scene with readers of a server beside it, and tells how long they waited.
fn while_read(name: &str, scene: impl FnOnce(&mut Theatre)) {
    let mut theatre = Theatre::open();
    theatre.run(&RANGE).exits(0);
    let mut serve = theatre
        .cloud
        .sandbox
        .command(&["--config", "other.cfg", "serve"]);
    let server = Server::of(&mut serve);
    let stop = AtomicBool::new(false);
    let mut seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_on(&server, &stop));
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene(&mut theatre)));
        stop.store(true, Ordering::Relaxed);
        let seen = reader.join().unwrap();
        if let Err(panic) = played {
            std::panic::resume_unwind(panic);
        }
        seen
    });
    let (p50, p99, most) = (
        seen.percentile(0.5),
        seen.percentile(0.99),
        seen.percentile(1.0),
    );
    let count = seen.seconds.len();
    println!(
        "{name}: {} times, {} between two days; {count} answers: p50 {p50:.4} s, p99 {p99:.4} s, longest {most:.2} s",
        times(),
        theatre.halfway
    );
    assert!(p99 < 2.0, "p99 {p99}");
    let mut connection = theatre.cluster.connect(1);
    let held: Option<u64> = connection
        .query_first("select token from rbc_usage.leases")
        .unwrap();
    assert_eq!(held, Some(0), "a lease is left");
}

#[test]
#[ignore = "make chaos"]
fn the_server_that_is_written_to_dies() {
    while_read("the server that is written to dies", |theatre| {
        theatre.disturb(
            |theatre, _| theatre.cluster.kill(0),
            |theatre| theatre.cluster.restart(0),
        );
        theatre.insist_on_interruptions();
    });
}

#[test]
#[ignore = "make chaos"]
fn the_server_that_is_written_to_is_cut_off() {
    while_read("the server that is written to is cut off", |theatre| {
        theatre.disturb(
            |theatre, _| theatre.cluster.isolate(0),
            |theatre| theatre.cluster.reunite(0),
        );
        theatre.insist_on_interruptions();
    });
}

#[test]
#[ignore = "make chaos"]
fn an_importer_is_killed() {
    while_read("an importer is killed", |theatre| {
        theatre.disturb(|_, import| import.kill(), |_| ());
        theatre.insist_on_interruptions();
    });
}

#[test]
#[ignore = "make chaos"]
fn the_server_that_is_read_from_dies() {
    while_read("the server that is read from dies", |theatre| {
        theatre.disturb(
            |theatre, _| theatre.cluster.kill(1),
            |theatre| theatre.cluster.restart(1),
        );
        theatre.insist_on_interruptions();
    });
}

#[test]
#[ignore = "make chaos"]
fn two_import_at_once() {
    while_read("two import at once", |theatre| {
        theatre.disturb(
            |theatre, _| {
                let run = theatre.import("other.cfg").finish();
                assert_eq!(run.code, Some(0), "{run}");
            },
            |_| (),
        );
    });
}

/// Whoever has slept for longer than his right lasts has lost it: what he was about to write is not written.
#[test]
#[ignore = "make chaos"]
fn an_importer_that_sleeps_is_overtaken() {
    while_read("an importer that sleeps is overtaken", |theatre| {
        theatre.run(&[&RANGE[..], &["-f"]].concat()).exits(0);
        for round in 0..times() {
            theatre.change_source();
            let sleeper = theatre.import("cluster.cfg");
            std::thread::sleep(Duration::from_millis(50 + 10 * u64::from(round)));
            sleeper.signal("STOP");
            theatre.expire_lease();
            let other = theatre.import("other.cfg").finish();
            assert_eq!(other.code, Some(0), "round {round}: {other}");
            sleeper.signal("CONT");
            let run = sleeper.finish();
            // One who was done, or had not yet begun, has lost nothing.
            let overtaken =
                run.code == Some(2) && run.stderr.contains("another process has taken over");
            assert!(overtaken || run.code == Some(0), "round {round}: {run}");
            theatre.halfway += u32::from(overtaken);
            theatre.insist_on_the_truth(round);
        }
        assert!(theatre.halfway > 0, "nobody was overtaken");
    });
}
