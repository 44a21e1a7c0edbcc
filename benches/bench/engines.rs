//! `BENCH=engines make bench`: a month of size M with its ledger in a file, on one MariaDB server, and on three that are a
//! cluster: importing, verifying, one account's month after the other over HTTP, and the month's page. Nothing here waits
//! for a disk.

use std::time::Instant;

use fixtures::galera::Cluster;
use fixtures::large_cloud::{BenchCloud, Size, account_uuid};
use fixtures::mariadb;
use fixtures::server::Server;
use mysql::prelude::Queryable;

use crate::{Cost, run_with, shown};

/// Account-months asked for.
const QUESTIONS: u32 = 1_000;

/// Pages asked for.
const PAGES: u32 = 40;

pub fn run(cloud: &BenchCloud) {
    println!(
        "ledger         import   verify  peak MB  account's month p50, p99     month's page p50, p99"
    );
    let file = measure("file", cloud, "cloudusage.cfg", 1.0);
    let server = mariadb::Server::start_with(&["--innodb-buffer-pool-size=2G"]);
    prepare(&mut server.connect());
    let config = write_config(cloud, "server.cfg", &format!("127.0.0.1:{}", server.port));
    measure("one server", cloud, config, file);
    drop(server);
    let cluster = Cluster::start();
    prepare(&mut cluster.connect(0));
    let config = write_config(cloud, "cluster.cfg", &cluster.hosts());
    measure("three nodes", cloud, config, file);
}

fn prepare(root: &mut mysql::Conn) {
    for sql in [
        "create database rbc_usage",
        "create user rbc_usage@'%' identified by 's3cret'",
        "grant all on rbc_usage.* to rbc_usage@'%'",
    ] {
        root.query_drop(sql).expect("make a ledger's database");
    }
}

fn write_config<'a>(cloud: &BenchCloud, name: &'a str, hosts: &str) -> &'a str {
    let sandbox = &cloud.cloud.sandbox;
    let config = std::fs::read_to_string(sandbox.path("cloudusage.cfg")).expect("a configuration");
    let uri = format!("mysql://rbc_usage:s3cret@{hosts}/rbc_usage");
    sandbox.write(name, &config.replace("sqlite:///usage.db", &uri));
    let words = ["initdb", "--config", name];
    sandbox.run(&words).exits(0);
    name
}

/// Returns the seconds that the import takes; `first` are those of the file.
fn measure(what: &str, cloud: &BenchCloud, config: &str, first: f64) -> f64 {
    let more = ["--config", config];
    let [import, verify]: [Cost; 2] =
        ["import", "verify"].map(|command| run_with(command, cloud, Size::M, &more));
    let bind = ["serve", "--bind", "127.0.0.1:0", "--config", config];
    let server = Server::of(&mut cloud.cloud.sandbox.command(&bind));
    let months = ask(&server, QUESTIONS, |number| {
        let account = account_uuid(1 + number);
        format!("GET /usage/{account}?start=2013-06-01&end=2013-06-30 HTTP/1.1\r\nHost: x\r\n\r\n")
    });
    // What is accepted is another thing each time, so that no page is remembered.
    let pages = ask(&server, PAGES, |number| {
        format!("GET /?month=2013-06 HTTP/1.1\r\nHost: x\r\nAccept: text/html, x/{number}\r\n\r\n")
    });
    let seconds = import.time.as_secs_f64();
    println!(
        "{what:<12} {seconds:>6.2} s {:>6.2} s {:>8.0}   {months}   {pages}   import / file {:.2}",
        verify.time.as_secs_f64(),
        import.peak.max(verify.peak),
        if what == "file" { 1.0 } else { seconds / first },
    );
    seconds
}

/// Asks so often over one connection; p50 and p99 in words.
fn ask(server: &Server, times: u32, question: impl Fn(u32) -> String) -> String {
    let mut client = server.connect();
    let mut taken = Vec::new();
    for number in 0..times {
        let began = Instant::now();
        client.send_bytes(&question(number));
        let answer = client.receive("GET");
        taken.push(began.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    shown(taken)
}
