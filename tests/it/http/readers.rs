//! Clients who ask for much and do not read it, and what is left to others meanwhile.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::version::TLS13;
use socket2::{Domain, Socket, Type};

use super::{connect_by, connect_from, read_answer, sandbox, tls};
use crate::sandbox::Sandbox;
use crate::serve;
use crate::server::Server;

/// 12 MB long after `add_much`.
fn long_target() -> String {
    format!("/v1/accounts/{}/usage?start=2013-04-01", serve::ACCOUNT)
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A thousand graphics cards with names and uuids of 6,000 letters.
fn add_much(sandbox: &Sandbox) {
    let ledger = rusqlite::Connection::open(sandbox.path("usage.db")).unwrap();
    ledger
        .execute_batch(
            "insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
               values ('2013-04-01', 'closed', 1, 0, '2013-05-01T00:00:00Z');
             with recursive number(n) as (select 1 union all select n + 1 from number where n < 1000)
             insert into stored_resources
               select n, 'graphics card', n, printf('%.5990c%d', 'u', n), printf('%.5990c%d', 'n', n) from number;
             insert into stored_records select 1, '2013-04-01', 7, id, 24.0 from stored_resources where id > 0;",
        )
        .unwrap();
}

/// 6 MB long after `add_much`.
fn usage_target() -> String {
    format!("/usage/{}?start=2013-04-01", serve::ACCOUNT)
}

/// Asks for a long answer and reads no more than its beginning: what it does not read, the system does not take for it.
fn begin_to_read(from: &str, server: &Server, target: &str) -> BufReader<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = BufReader::with_capacity(64, connect_by(socket, from, server));
    let request = request(target);
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    assert!(stream.fill_buf().unwrap().starts_with(b"HTTP/1.1 200 "));
    stream
}

/// Status, head and body of an answer on a connection of its own.
fn ask(from: &str, server: &Server, target: &str) -> (u16, String, String) {
    let mut stream = BufReader::new(connect_from(from, server));
    let request = request(target);
    stream.get_mut().write_all(request.as_bytes()).unwrap();
    read_answer(&mut stream)
}

#[test]
fn who_does_not_read_leaves_room_for_others() {
    let sandbox = sandbox("");
    add_much(&sandbox);
    let server = Server::of(&mut sandbox.command(&["serve", "--log-format", "combined"]));
    let long = long_target();
    assert_eq!(ask("127.0.0.2", &server, &long).0, 200);
    // 64 MiB are one address's share.
    let mut kept: Vec<_> = (0..5)
        .map(|_| begin_to_read("127.0.0.1", &server, &long))
        .collect();
    for _ in 0..3 {
        let (status, head, body) = ask("127.0.0.1", &server, &long);
        assert_eq!(status, 503, "{head}");
        assert!(head.contains("\r\nRetry-After: 1\r\n"), "{head}");
        assert!(
            body.contains("too many answers wait to be read: try again"),
            "{body}"
        );
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("X-Request-Id: "));
        let id = id.expect("an id");
        let length = body.len();
        server.says(&format!(" 503 {length} \"-\" \"-\" {id} "));
    }
    // 128 MiB are all there is.
    kept.extend((0..5).map(|_| begin_to_read("127.0.0.2", &server, &long)));
    kept.push(begin_to_read("127.0.0.6", &server, &long));
    assert_eq!(ask("127.0.0.7", &server, &long).0, 503);
    // Short answers have room all the while, whoever asks.
    for from in ["127.0.0.1", "127.0.0.7"] {
        for short in ["/healthz", "/metrics", "/v1/version"] {
            assert_eq!(ask(from, &server, short).0, 200, "{short}");
        }
    }
    drop(kept);
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask("127.0.0.1", &server, &long).0 != 200 {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn answers_of_the_old_form_are_held_to_the_same() {
    let sandbox = sandbox("");
    add_much(&sandbox);
    let server = Server::start(&sandbox);
    let kept: Vec<_> = (0..11)
        .map(|_| begin_to_read("127.0.0.1", &server, &usage_target()))
        .collect();
    assert_eq!(ask("127.0.0.1", &server, &usage_target()).0, 503);
    let (status, _, body) = ask("127.0.0.2", &server, &usage_target());
    assert_eq!(status, 200);
    assert!(body.len() > 6_000_000 && body.ends_with("}\n"));
    drop(kept);
}

#[test]
fn a_server_that_is_stopped_again_and_again_goes_on_with_a_long_answer() {
    let (sandbox, server) = tls::start_encrypted_with(tls::EC, "");
    add_much(&sandbox);
    let mut client = BufReader::new(tls::client(&sandbox, &server, &TLS13));
    let request = request(&long_target());
    client.get_mut().write_all(request.as_bytes()).unwrap();
    assert!(client.fill_buf().unwrap().starts_with(b"HTTP/1.1 200 "));
    for _ in 0..20 {
        // It has written all that the system takes, and waits.
        let mut sleeps = 0;
        while sleeps != server.sleeps_of("connection") {
            sleeps = server.sleeps_of("connection");
            std::thread::sleep(Duration::from_millis(10));
        }
        server.signal("STOP");
        server.signal("CONT");
    }
    let (status, _, body) = read_answer(&mut client);
    assert_eq!(status, 200);
    assert!(body.len() > 12_000_000 && body.ends_with("}\n"));
}

#[test]
fn an_answer_on_its_way_is_a_request_that_was_not_finished() {
    let sandbox = sandbox("drain_timeout = 0");
    add_much(&sandbox);
    let server = Server::start(&sandbox);
    let reader = begin_to_read("127.0.0.1", &server, &long_target());
    server.signal("TERM");
    let stderr = "rbc-usage: a request was not finished 0 seconds after the signal to stop\n";
    server.end().exits(2).complains(stderr);
    drop(reader);
}
