//! Clients who mean harm, all at once, and two who just ask: these get every answer, soon, and when it is over the
//! server is as small as before. Prints how long the answers took; a busy machine is no reason to fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::version::TLS13;

use super::{connect, connect_from, sandbox, target, tls};
use crate::sandbox::{Run, Sandbox};
use crate::server::Server;

/// How long it goes on: as many seconds as `ATTACK` says, or 1.
fn attack_time() -> Duration {
    let seconds = std::env::var("ATTACK").map_or(1, |text| text.parse().expect("a number"));
    Duration::from_secs(seconds)
}

/// Whether it goes on for so long that times can be insisted on.
fn is_long() -> bool {
    attack_time() >= Duration::from_secs(60)
}

/// An answer later than this fails the test.
const PATIENCE: Duration = Duration::from_secs(2);

/// Made by Apache's `htpasswd -nbB -C 5 apache secret`.
const HTPASSWD: &str = "apache:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n";
const APACHE: &str = "apache:secret";

const LINES: &str = "max_connections = 256\nheader_timeout = 1\nhandshake_timeout = 1\nidle_timeout = 2\n\
                     max_requests_per_connection = 100000";

/// The attackers' addresses: as many as they like.
fn address(number: usize) -> String {
    format!(
        "127.{}.{}.{}",
        1 + number / 62_500,
        number / 250 % 250,
        1 + number % 250
    )
}

/// A question with a name and a password, which a server without users does not look at.
fn request(user: &str) -> String {
    let target = target();
    let user = STANDARD.encode(user);
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {user}\r\n\r\n")
}

/// Attacks again and again until it is over.
fn again(over: &AtomicBool, mut attack: impl FnMut(usize)) {
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        attack(number);
        number += 1;
    }
}

/// Sends and takes whatever comes, refusals and resets among it.
fn shout(mut stream: TcpStream, bytes: &[u8]) {
    // The server may have heard enough before all is said.
    let _ = stream.write_all(bytes);
    let mut waste = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut waste);
}

/// Every 50 ms a question, until it is over; how long each answer took. On a busy machine a new connection may be
/// sent away for others before it has said a word: then it is asked on another, as clients do, and its time runs on.
fn ask_on<S: Read + Write>(
    over: &AtomicBool,
    mut connection: impl FnMut() -> S,
    keep: bool,
) -> Vec<Duration> {
    let request = request(APACHE);
    let mut kept: Option<BufReader<S>> = None;
    let mut times = Vec::new();
    let mut again = 0;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let mut asked = false;
        while !asked {
            let fresh = kept.is_none();
            let stream = kept.get_or_insert_with(|| BufReader::new(connection()));
            let sent = stream.get_mut().write_all(request.as_bytes());
            asked = sent.is_ok() && stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
            if !asked {
                assert!(fresh, "a connection that was answered is cut off");
                assert!(began.elapsed() < PATIENCE, "nobody answers");
                kept = None;
                again += 1;
            }
        }
        let (status, _, _) = super::read_answer(kept.as_mut().unwrap());
        assert_eq!(status, 200);
        times.push(began.elapsed());
        if !keep {
            kept = None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("{again} connections were sent away and tried again");
    times.sort();
    times
}

fn tell(whose: &str, times: &[Duration]) {
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    let (count, p50, p99, longest) = (times.len(), at(50), at(99), at(100));
    println!("{whose}: {count} answers, p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms");
    assert!(
        times[times.len() - 1] < PATIENCE,
        "{whose}: an answer took {longest} ms"
    );
    let least = if is_long() { 100 } else { 1 };
    assert!(count >= least, "{whose}: {count} answers");
}

/// Starts every attack, lets `good` ask meanwhile, and ends it all.
fn under_attack(server: &Server, good: impl Fn(&AtomicBool) + Sync) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A byte now and then, on 200 connections.
        scope.spawn(|| {
            let mut drips: Vec<_> = (0..200)
                .map(|n| connect_from(&address(n), server))
                .collect();
            again(&over, |number| {
                for (place, drip) in drips.iter_mut().enumerate() {
                    if drip.write_all(b"G").is_err() {
                        *drip = connect_from(&address(place + number), server);
                    }
                }
                std::thread::sleep(Duration::from_millis(100));
            });
        });
        // Nothing at all, on 2,000 connections: 1,000 of one address, the others of one each.
        scope.spawn(|| {
            let from = |number: usize| {
                if number.is_multiple_of(2) {
                    7
                } else {
                    1000 + number
                }
            };
            let idle: Vec<_> = (0..2000)
                .map_while(|number| {
                    let open = !over.load(Ordering::Relaxed);
                    open.then(|| connect_from(&address(from(number)), server))
                })
                .collect();
            again(&over, |_| std::thread::sleep(Duration::from_millis(50)));
            drop(idle);
        });
        let shouts: [(&str, Vec<u8>); 6] = [
            (
                "garbage",
                (0..4000u32)
                    .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
                    .collect(),
            ),
            (
                "a header of 1 MB",
                [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'y'; 1 << 20]].concat(),
            ),
            (
                "a target of 1 MB",
                [b"GET /".as_slice(), &vec![b'y'; 1 << 20]].concat(),
            ),
            (
                "a body without end",
                [
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000000\r\n\r\n"
                        .as_slice(),
                    &vec![b'z'; 1 << 18],
                ]
                .concat(),
            ),
            (
                "the start of a TLS handshake",
                [
                    &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
                    vec![7; 505].as_slice(),
                ]
                .concat(),
            ),
            (
                "many requests",
                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200),
            ),
        ];
        for (place, (_, bytes)) in shouts.into_iter().enumerate() {
            let over = &over;
            scope.spawn(move || {
                again(over, |number| {
                    let from = address(10_000 + 1000 * place + number % 1000);
                    shout(connect_from(&from, server), &bytes);
                    std::thread::sleep(Duration::from_millis(5));
                });
            });
        }
        scope.spawn(|| good(&over));
        std::thread::sleep(attack_time());
        over.store(true, Ordering::Relaxed);
    });
}

/// Asks with wrong passwords, one after the other, until it is over; what came of them. A connection is kept for as
/// long as it lasts, and then it is another address's turn.
fn guess(over: &AtomicBool, server: &Server, guesser: usize) -> BTreeMap<u16, u32> {
    let mut statuses = BTreeMap::new();
    again(over, |number| {
        let from = address(20_000 + 100 * guesser + number % 100);
        let mut stream = BufReader::new(connect_from(&from, server));
        for number in 0..200 {
            let user = ["apache", "dear", "nobody"][number % 3];
            let request = request(&format!("{user}:guess {number}"));
            let sent = stream.get_mut().write_all(request.as_bytes());
            // A crowded server sends one connection away for another.
            if sent.is_err() || !stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty()) {
                return;
            }
            let (status, _, _) = super::read_answer(&mut stream);
            *statuses.entry(status).or_default() += 1;
            if over.load(Ordering::Relaxed) {
                return;
            }
        }
    });
    statuses
}

/// Waits until the server is as it was.
fn recovers(server: &Server, threads: u64, kilobytes: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.status("Threads") > threads {
        let count = server.status("Threads");
        assert!(
            Instant::now() < deadline,
            "{count} threads instead of {threads}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let now = server.status("VmRSS");
    println!("memory: {kilobytes} kB before, {now} kB after");
    assert!(
        now < kilobytes + 32_768,
        "{now} kB instead of {kilobytes} kB"
    );
    assert_eq!(server.status("Threads"), threads);
}

#[test]
fn who_just_asks_is_answered_while_others_attack() {
    more_files();
    let sandbox = sandbox(LINES);
    let server = Server::start(&sandbox);
    let (threads, memory) = (server.status("Threads"), server.status("VmRSS"));
    under_attack(&server, |over| {
        std::thread::scope(|scope| {
            let kept = scope.spawn(|| ask_on(over, || connect(&server), true));
            let new = scope.spawn(|| ask_on(over, || connect_from("127.0.0.2", &server), false));
            tell("one connection", &kept.join().unwrap());
            tell("a connection each", &new.join().unwrap());
        });
    });
    recovers(&server, threads, memory);
}

#[test]
fn who_just_asks_is_answered_encrypted_while_others_attack() {
    more_files();
    let (sandbox, server) = tls::start_encrypted_with(tls::EC, LINES);
    let (threads, memory) = (server.status("Threads"), server.status("VmRSS"));
    under_attack(&server, |over| {
        let connection = || tls::client(&sandbox, &server, &TLS13);
        std::thread::scope(|scope| {
            let kept = scope.spawn(|| ask_on(over, connection, true));
            let new = scope.spawn(|| ask_on(over, connection, false));
            tell("one connection", &kept.join().unwrap());
            tell("a connection each", &new.join().unwrap());
        });
    });
    recovers(&server, threads, memory);
}

#[test]
fn who_has_a_password_is_answered_while_others_guess_and_attack() {
    more_files();
    let sandbox = sandbox(&format!("{LINES}\nusers = users"));
    sandbox.write("users", HTPASSWD);
    // What most servers have: each guess takes a tenth of a second or two, whoever's it is.
    sandbox.write("secret", "secret\n");
    let mut passwd = sandbox.command(&["passwd", "--stdin", "--cost", "10", "users", "dear"]);
    Run::of(passwd.stdin(File::open(sandbox.path("secret")).unwrap())).exits(0);
    let server = Server::start(&sandbox);
    let (threads, memory) = (server.status("Threads"), server.status("VmRSS"));
    // Known from here on.
    let mut client = server.connect();
    client.send_bytes(&request(APACHE));
    assert_eq!(client.receive("GET").status, 200);
    drop(client);
    let statuses = Mutex::new(BTreeMap::new());
    under_attack(&server, |over| {
        std::thread::scope(|scope| {
            for guesser in 0..8 {
                let (statuses, server) = (&statuses, &server);
                scope.spawn(move || {
                    for (status, count) in guess(over, server, guesser) {
                        *statuses.lock().unwrap().entry(status).or_insert(0) += count;
                    }
                });
            }
            let kept = scope.spawn(|| ask_on(over, || connect(&server), true));
            let new = scope.spawn(|| ask_on(over, || connect_from("127.0.0.2", &server), false));
            tell("one connection", &kept.join().unwrap());
            tell("a connection each", &new.join().unwrap());
        });
    });
    let statuses = statuses.into_inner().unwrap();
    println!("guesses by status: {statuses:?}");
    assert!(statuses.contains_key(&401), "{statuses:?}");
    let known = |status: &u16| matches!(status, 401 | 429 | 503);
    assert!(statuses.keys().all(known), "{statuses:?}");
    recovers(&server, threads, memory);
}

/// 1,000 accounts with 20 resources each on a day: 7 MB for who asks for all of them.
fn add_crowd_of_accounts(sandbox: &Sandbox) {
    let ledger = rusqlite::Connection::open(sandbox.path("usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
               values ('2013-04-01', 'closed', 1, 0, '2013-05-01T00:00:00Z');
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 20)
               insert into stored_resources select i, 'service_offering', i, 'offering-uuid-' || i, 'offering ' || i from n;
             with recursive n (i) as (select 1000 union all select i + 1 from n where i < 1999)
               insert into stored_accounts (id, uuid, name, domain_path) select i, 'account-uuid-' || i, 'n' || i, '/' from n;
             insert into stored_records select a.id, '2013-04-01', 5, r.id, 24.0 + r.id from stored_accounts a, stored_resources r where r.id > 0 and a.id >= 1000;",
        )
        .unwrap();
}

/// What costs nothing, and what costs little, waits for nobody's long answers.
#[test]
fn hostile_readers_of_long_answers_hold_up_neither_health_checks_nor_other_addresses() {
    more_files();
    let lines = "max_requests_per_connection = 100000\nmax_connections = 1024";
    let sandbox = sandbox(lines);
    add_crowd_of_accounts(&sandbox);
    let server = Server::start(&sandbox);
    let over = AtomicBool::new(false);
    let statuses = Mutex::new(BTreeMap::<u16, u32>::new());
    let long = "GET /v1/usage?start=2013-04-01 HTTP/1.1\r\nHost: a\r\n\r\n";
    let read_long = |address: usize| {
        let from = format!("127.0.2.{}", address + 1);
        again(&over, |_| {
            let mut stream = BufReader::new(connect_from(&from, &server));
            let patience = Duration::from_secs(if is_long() { 60 } else { 1 });
            stream.get_ref().set_read_timeout(Some(patience)).unwrap();
            while !over.load(Ordering::Relaxed) {
                let sent = stream.get_mut().write_all(long.as_bytes());
                if sent.is_err() || !stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty()) {
                    return;
                }
                let (status, _, _) = super::read_answer(&mut stream);
                *statuses.lock().unwrap().entry(status).or_default() += 1;
            }
        });
    };
    let ask = |from: &'static str, target: String| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut times = Vec::new();
        again(&over, |_| {
            let began = Instant::now();
            let mut stream = BufReader::new(connect_from(from, &server));
            stream.get_mut().write_all(request.as_bytes()).unwrap();
            assert_eq!(super::read_answer(&mut stream).0, 200);
            times.push(began.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        });
        times.sort();
        times
    };
    std::thread::scope(|scope| {
        for reader in 0..480 {
            let read_long = &read_long;
            scope.spawn(move || read_long(reader % 8));
        }
        let ask = &ask;
        let checks = scope.spawn(move || ask("127.0.3.1", "/healthz".to_owned()));
        let versions = scope.spawn(move || ask("127.0.3.2", "/v1/version".to_owned()));
        let metrics = scope.spawn(move || ask("127.0.3.3", "/metrics".to_owned()));
        let usage = scope.spawn(move || ask("127.0.3.4", target()));
        std::thread::sleep(attack_time());
        over.store(true, Ordering::Relaxed);
        let p99 = |times: &[Duration]| times[(times.len() - 1) * 99 / 100];
        for (whose, times, most) in [
            ("/healthz", checks.join().unwrap(), 50),
            ("/v1/version", versions.join().unwrap(), 250),
            ("/metrics", metrics.join().unwrap(), 250),
            ("/usage", usage.join().unwrap(), 250),
        ] {
            println!("{whose}: {} answers, p99 {:?}", times.len(), p99(&times));
            let most = Duration::from_millis(most);
            assert!(
                !is_long() || p99(&times) < most,
                "{whose}: {:?}",
                p99(&times)
            );
        }
    });
    println!("long answers by status: {:?}", statuses.lock().unwrap());
}

/// The crowd needs more open files than a process usually may have.
fn more_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, wanted).unwrap();
}
