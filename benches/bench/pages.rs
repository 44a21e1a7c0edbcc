//! `BENCH=pages make bench`: how long each page for a browser takes that nobody has asked for before, and how long it
//! is, over the ledger of size M. `KEEP=FILE` leaves a copy of the ledger behind.

use std::time::{Duration, Instant};

use fixtures::large_cloud::{BenchCloud, account_uuid};
use fixtures::server::{Answer, Server};

/// Questions for each page.
const ROUNDS: u32 = 40;

/// What a browser is shown of June 2013, the month that the ledger has whole; `ACCOUNT` is one of the accounts.
const PAGES: [(&str, &str); 6] = [
    ("month", "/?month=2013-06"),
    ("account", "/accounts/ACCOUNT?month=2013-06"),
    ("accounts", "/accounts"),
    ("search", "/accounts?search=vm-7"),
    ("domain", "/domains/%2F?month=2013-06"),
    ("day", "/days/2013-06-14"),
];

pub fn run(cloud: &BenchCloud) {
    if let Ok(copy) = std::env::var("KEEP") {
        let backup = cloud.cloud.run(&["backup", &copy]);
        backup.exits(0);
    }
    let mut command = cloud
        .cloud
        .sandbox
        .command(&["serve", "--bind", "127.0.0.1:0"]);
    let server = Server::of(&mut command);
    for (name, pattern) in PAGES {
        let mut times = Vec::new();
        let mut longest = 0;
        for round in 0..ROUNDS {
            let account = account_uuid(1 + round * 7919 % 1_000);
            let (time, page) = ask(&server, &pattern.replace("ACCOUNT", &account), round);
            assert_eq!(page.status, 200, "{}", page.body);
            longest = longest.max(page.body.len());
            times.push(time);
        }
        times.sort();
        let [half, most] = [50, 95].map(|percent| {
            let place = times.len() * percent / 100;
            times[place].as_secs_f64() * 1e3
        });
        println!(
            "      page {name:<8}: p50 {half:>6.2} ms, p95 {most:>6.2} ms, {:.1} kB",
            longest as f64 / 1e3
        );
    }
}

/// What is accepted is another thing in each round, so that no answer is remembered.
fn ask(server: &Server, target: &str, round: u32) -> (Duration, Answer) {
    let mut client = server.connect();
    let began = Instant::now();
    client.send_bytes(&format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html, x/{round}\r\n\r\n"
    ));
    let answer = client.receive("GET");
    (began.elapsed(), answer)
}
