//! A connection to the server that is lost, or falls silent, at any byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{DAY_SUMS, RANGE, furnish, whole};
use crate::cloudstack::{Cloud, NEWEST};
use crate::import::refuses;
use crate::mariadb;
use crate::sandbox::Run;

const ACCOUNTS: u64 = 30;

#[derive(Clone, Copy)]
enum Fate {
    HangUp,
    FallSilent,
}

/// Stands between the program and the test run's server; meets its fate after so many bytes from the server.
struct Proxy {
    port: u16,
    /// Bytes passed on from the server, all connections together.
    passed: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(limit: usize, fate: Fate) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind to loopback");
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&passed);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || pass_on(client, limit, fate, &count));
            }
        });
        Proxy { port, passed }
    }

    /// Makes the program read the usage database through here.
    fn configure(&self, cloud: &mut Cloud, direct: &str) {
        let server = format!(":{}/", mariadb::shared().port);
        cloud.usage_uri = direct.replace(&server, &format!(":{}/", self.port));
        cloud.configure("GMT", "[import]\nread_timeout = 1\n");
    }
}

fn pass_on(
    mut client: TcpStream,
    limit: usize,
    fate: Fate,
    passed: &AtomicUsize,
) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", mariadb::shared().port))?;
    let (mut requests, mut upstream) = (client.try_clone()?, server.try_clone()?);
    let forward = std::thread::spawn(move || io::copy(&mut requests, &mut upstream));
    let mut buffer = [0; 512];
    while passed.load(Ordering::Relaxed) < limit {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        client.write_all(&buffer[..count])?;
        passed.fetch_add(count, Ordering::Relaxed);
    }
    if let Fate::FallSilent = fate {
        // Until the program gives up and closes its end.
        let _ = forward.join();
    }
    server.shutdown(Shutdown::Both)?;
    client.shutdown(Shutdown::Both)
}

/// Insists that the days in the ledger are whole; how many there are.
#[track_caller]
fn whole_days(cloud: &Cloud, run: &Run) -> usize {
    let found = cloud.ledger(DAY_SUMS);
    for line in &found {
        let day: u32 = line[8..10].parse().unwrap();
        assert_eq!(*line, whole(day, ACCOUNTS, 24), "{run}");
    }
    found.len()
}

#[test]
fn lost_at_any_byte_it_leaves_days_whole() {
    let mut cloud = Cloud::in_mariadb(NEWEST);
    furnish(&cloud, ACCOUNTS);
    let direct = cloud.usage_uri.clone();
    let mut days = Vec::new();
    let mut limit = 50;
    while days.last() != Some(&10) {
        Proxy::start(limit, Fate::HangUp).configure(&mut cloud, &direct);
        let run = cloud.run(&RANGE);
        days.push(whole_days(&cloud, &run));
        if run.code != Some(0) {
            refuses(run, &["cloud_usage"]);
        }
        limit *= 3;
    }
    assert_eq!(days.first(), Some(&0), "{days:?}");
    assert!(days.iter().any(|n| (1..10).contains(n)), "{days:?}");
}

#[test]
fn silent_in_the_middle_it_is_given_up_in_time() {
    let mut cloud = Cloud::in_mariadb(NEWEST);
    furnish(&cloud, ACCOUNTS);
    let direct = cloud.usage_uri.clone();
    let proxy = Proxy::start(usize::MAX, Fate::HangUp);
    proxy.configure(&mut cloud, &direct);
    cloud
        .run(&[
            "import",
            "-s",
            "2013-06-01",
            "-e",
            "2013-06-10",
            "--dry-run",
        ])
        .exits(0);
    let half = proxy.passed.load(Ordering::Relaxed) / 2;

    Proxy::start(half, Fate::FallSilent).configure(&mut cloud, &direct);
    let started = Instant::now();
    let run = cloud.run(&RANGE);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!((1..10).contains(&whole_days(&cloud, &run)), "{run}");
    refuses(run, &["import 2013-06-", "cloud_usage", "within 1 second"]);
}
