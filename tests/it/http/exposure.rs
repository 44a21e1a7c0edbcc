//! Who can reach the server, and how it ends: addresses it refuses to listen on, what it takes to listen on
//! them, and clients that are in the middle of something when SIGTERM comes.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{connect, connect_from, read_answer, sandbox, target};
use crate::sandbox::Run;
use crate::server::Server;

#[test]
fn what_others_can_reach_is_listened_on_only_with_protection() {
    for (lines, missing) in [
        ("", "server.tls_certificate and server.users are missing"),
        (
            "trusted_proxies = 0.0.0.0/0",
            "server.tls_certificate and server.users are missing",
        ),
    ] {
        let sandbox = sandbox(lines);
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let run: Run = sandbox.run(&["serve", "--bind", address]).exits(2);
            let stderr = format!(
                "rbc-usage: listen on {address}: beyond loopback only with TLS and users, or behind a proxy that \
                 has both: {missing}, and server.behind_proxy is no\n"
            );
            run.complains(&stderr);
        }
    }
    let sandbox = sandbox("behind_proxy = yes");
    let server = Server::of(&mut sandbox.command(&["serve", "--bind", "0.0.0.0:0"]));
    assert!(server.address.starts_with("0.0.0.0:"));
    assert_eq!(server.get(&target()).status, 200);
}

#[test]
fn a_trusted_proxy_brings_as_many_connections_as_it_likes() {
    let lines =
        "max_connections_per_address = 2\nbehind_proxy = yes\ntrusted_proxies = 127.0.0.0/30";
    let sandbox = sandbox(lines);
    let server = Server::start(&sandbox);
    let kept: Vec<_> = (0..10).map(|_| connect(&server)).collect();
    assert_eq!(server.get(&target()).status, 200);
    drop(kept);
}

/// Threads and descriptors come with clients, however many answers there may be at a time.
#[test]
fn a_server_without_clients_is_small() {
    let sandbox = sandbox("users = users\nmetrics_bind = 127.0.0.1:0");
    sandbox.write("users", "");
    let config = std::fs::read_to_string(sandbox.path("cloudusage.cfg")).unwrap();
    sandbox.write(
        "cloudusage.cfg",
        &config.replace("workers = 2", "workers = 64"),
    );
    let server = Server::start(&sandbox);
    assert!(
        server.status("Threads") <= 8,
        "{}",
        server.status("Threads")
    );
    assert!(server.descriptors() <= 40, "{}", server.descriptors());
}

/// The log shows whom the server takes for the client.
#[test]
fn a_client_is_whom_a_trusted_proxy_names() {
    let lines = "behind_proxy = yes\ntrusted_proxies = 127.0.0.1";
    for (lines, from, forwarded_for, client) in [
        (lines, "127.0.0.1", "203.0.113.1, 192.0.2.7", "192.0.2.7"),
        (lines, "127.0.0.9", "192.0.2.7", "127.0.0.9"),
        (
            "trusted_proxies = 127.0.0.1",
            "127.0.0.1",
            "192.0.2.7",
            "127.0.0.1",
        ),
    ] {
        let sandbox = sandbox(lines);
        let mut command = sandbox.command(&["serve", "--log-format", "combined"]);
        let server = Server::of(&mut command);
        let mut stream = BufReader::new(connect_from(from, &server));
        let forged = format!("X-Forwarded-For: {forwarded_for}");
        let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n{forged}\r\n\r\n", target());
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream).0, 200);
        server.says(&format!("{client} - - ["));
        server.signal("TERM");
        server.end().exits(0);
    }
}

#[test]
fn the_signal_to_stop_lets_answers_finish_and_sends_the_idle_away() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target());
    let silent: Vec<_> = (0..20).map(|_| connect(&server)).collect();
    let mut half = connect(&server);
    half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut idle = BufReader::new(connect(&server));
    idle.get_mut().write_all(request.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut idle).0, 200);
    let began = Instant::now();
    server.signal("TERM");
    for mut stream in silent.into_iter().chain([half, idle.into_inner()]) {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    let address = server.address.clone();
    server.end().exits(0).complains("");
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    assert!(TcpStream::connect(address).is_err());
}

/// With no time to finish anything, there is still nothing to finish where nothing is asked.
#[test]
fn the_idle_are_no_request_that_was_not_finished() {
    let sandbox = sandbox("drain_timeout = 0");
    let server = Server::start(&sandbox);
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target());
    let idle: Vec<_> = (0..20)
        .map(|_| {
            let mut idle = BufReader::new(connect(&server));
            idle.get_mut().write_all(request.as_bytes()).unwrap();
            assert_eq!(read_answer(&mut idle).0, 200);
            idle
        })
        .collect();
    // Who has sent an answer needs a moment to wait for the next request.
    server.wait_until_asleep("connection");
    server.signal("TERM");
    server.end().exits(0).complains("");
    drop(idle);
}

#[test]
fn a_server_that_is_stopped_for_a_moment_goes_on_with_what_it_has_in_hand() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    // Without WAL an exclusive transaction keeps a reader waiting, which holds the answer up.
    let writer = rusqlite::Connection::open(sandbox.path("usage.db")).unwrap();
    writer
        .pragma_update(None, "journal_mode", "delete")
        .unwrap();
    writer.execute_batch("begin exclusive").unwrap();
    let mut client = server.connect();
    let sleeps = server.sleeps_of("connection");
    client.send("GET", "/v1/version");
    while server.sleeps_of("connection") < sleeps + 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    server.signal("STOP");
    server.signal("CONT");
    writer.execute_batch("commit").unwrap();
    assert_eq!(client.receive("GET").status, 200);
    server.signal("TERM");
    server.end().exits(0).complains("");
}

#[test]
fn an_answer_that_takes_too_long_is_cut_off_at_the_end_of_the_drain() {
    let sandbox = sandbox("drain_timeout = 1");
    let server = Server::start(&sandbox);
    // Without WAL an exclusive transaction keeps a reader waiting, which holds the answer up for five seconds.
    let writer = rusqlite::Connection::open(sandbox.path("usage.db")).unwrap();
    writer
        .pragma_update(None, "journal_mode", "delete")
        .unwrap();
    writer.execute_batch("begin exclusive").unwrap();
    let mut client = connect(&server);
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target());
    let sleeps = server.sleeps_of("connection");
    client.write_all(request.as_bytes()).unwrap();
    while server.sleeps_of("connection") < sleeps + 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    server.signal("TERM");
    let mut answer = Vec::new();
    // What it sees of its answer is the end.
    let _ = client.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    let stderr = "rbc-usage: a request was not finished 1 second after the signal to stop\n";
    server.end().exits(2).complains(stderr);
}
