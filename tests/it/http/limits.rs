//! Each limit, reached: the right status, a line in the log, and a server that goes on.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{connect, connect_from, exchange, read_answer, sandbox, target};
use crate::sandbox::Sandbox;
use crate::server::Server;

fn request() -> String {
    format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target())
}

/// The rest of what the server says, as text; that it cuts the connection off is an end too.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(err) if err.kind() != ErrorKind::ConnectionReset => panic!("{err}"),
        _ => String::from_utf8(bytes).unwrap(),
    }
}

#[test]
fn a_request_that_never_ends_is_cut_at_its_deadline() {
    let sandbox = sandbox("header_timeout = 1\nidle_timeout = 2");
    let server = Server::start(&sandbox);
    let began = Instant::now();
    let silent = connect(&server);
    // A byte now and then changes nothing.
    let mut drip = connect(&server);
    drip.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    for byte in b"X: slow as can be" {
        if drip.write_all(&[*byte]).is_err() || began.elapsed() > Duration::from_millis(1300) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let said = rest(drip);
    assert!(
        said.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{said}"
    );
    assert!(
        said.contains("no whole request came within 1 second"),
        "{said}"
    );
    // Nothing was asked, so nothing is answered.
    assert_eq!(rest(silent), "");
    assert!(began.elapsed() < Duration::from_secs(20));
    let id = said
        .lines()
        .find_map(|line| line.strip_prefix("X-Request-Id: "));
    let id = id.expect("an id");
    server.says(&format!(
        "127.0.0.1: 408 \"GET / HTTP/1.1\": no whole request came within 1 second ({id})\n"
    ));

    let mut idle = BufReader::new(connect(&server));
    idle.get_mut().write_all(request().as_bytes()).unwrap();
    assert_eq!(read_answer(&mut idle).0, 200);
    let began = Instant::now();
    assert_eq!(rest(idle.into_inner()), "");
    assert!(began.elapsed() > Duration::from_millis(1900));
}

#[test]
fn long_targets_and_headers_have_a_status_of_their_own() {
    let sandbox = sandbox("max_header_bytes = 2048");
    let server = Server::start(&sandbox);
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length));
    let header = |length: usize| {
        format!(
            "GET /x HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "y".repeat(length)
        )
    };
    for (request, status) in [
        (line(2048 - 27), 404),
        (line(2048 - 26), 431),
        (line(2048), 414),
        (line(1_000_000), 414),
        (header(2048 - 33), 404),
        (header(2048 - 32), 431),
        (header(1_000_000), 431),
        (
            header(1).replace("X: y", &vec!["X: y"; 64].join("\r\n")),
            431,
        ),
    ] {
        let mut stream = BufReader::new(connect(&server));
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (read, head, _) = read_answer(&mut stream);
        assert_eq!(read, status, "{} bytes: {head}", request.len());
    }
}

#[test]
fn a_connection_has_so_many_answers() {
    let sandbox = sandbox("max_requests_per_connection = 3");
    let server = Server::start(&sandbox);
    let answers = exchange(&server, request().repeat(5).as_bytes());
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        3,
        "{answers}"
    );
    assert_eq!(
        answers.matches("Connection: close\r\n").count(),
        1,
        "{answers}"
    );
}

#[test]
fn a_question_has_so_many_days() {
    let sandbox = sandbox("max_days = 31");
    let server = Server::start(&sandbox);
    let range = |end: &str| server.get(&format!("{}&end={end}", target()));
    assert_eq!(range("2013-05-01").status, 200);
    let refused = range("2013-05-02");
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .body
            .contains("is 32 days: ask for at most 31 at a time"),
        "{refused:?}"
    );
}

#[test]
fn an_address_has_so_many_connections() {
    let sandbox = sandbox("max_connections_per_address = 3");
    let server = Server::start(&sandbox);
    let mut kept: Vec<_> = (0..3).map(|_| BufReader::new(connect(&server))).collect();
    let said = rest(connect(&server));
    assert!(
        said.starts_with("HTTP/1.1 429 Too Many Requests\r\n"),
        "{said}"
    );
    assert!(said.contains("\r\nRetry-After: 1\r\n"), "{said}");
    server.says("127.0.0.1: 429 too many connections from this address");
    // Others have their own, and so has this one when one is given up.
    let mut other = BufReader::new(connect_from("127.0.0.2", &server));
    other.get_mut().write_all(request().as_bytes()).unwrap();
    assert_eq!(read_answer(&mut other).0, 200);
    kept.pop();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let mut again = BufReader::new(connect(&server));
        // Refused already, the server may not listen any more.
        let _ = again.get_mut().write_all(request().as_bytes());
        if read_answer(&mut again).0 == 200 {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    kept[0].get_mut().write_all(request().as_bytes()).unwrap();
    assert_eq!(read_answer(&mut kept[0]).0, 200);
}

#[test]
fn the_one_that_waited_longest_goes_for_a_new_one() {
    let sandbox = sandbox("max_connections = 4");
    let server = Server::start(&sandbox);
    let mut kept: Vec<_> = (0..4).map(|_| BufReader::new(connect(&server))).collect();
    // The first is used, so the second has waited longest.
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..2 {
        kept[0].get_mut().write_all(request().as_bytes()).unwrap();
        assert_eq!(read_answer(&mut kept[0]).0, 200);
    }
    let mut new = BufReader::new(connect(&server));
    new.get_mut().write_all(request().as_bytes()).unwrap();
    assert_eq!(read_answer(&mut new).0, 200);
    assert_eq!(kept[1].read(&mut [0]).unwrap(), 0);
    server
        .says("rbc-usage: server.max_connections is reached: 1 connection sent away for others\n");
    for place in [0, 2, 3] {
        kept[place]
            .get_mut()
            .write_all(request().as_bytes())
            .unwrap();
        assert_eq!(read_answer(&mut kept[place]).0, 200, "{place}");
    }
}

/// One who asks for much and reads nothing keeps no worker busy.
#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let sandbox = sandbox("write_timeout = 1\nmax_requests_per_connection = 100000000");
    let server = Server::start(&sandbox);
    let deaf: Vec<_> = (0..8).map(|_| connect(&server)).collect();
    let senders: Vec<_> = deaf
        .iter()
        .map(|stream| {
            let mut stream = stream.try_clone().unwrap();
            // Ten years of missing days are 47 kB.
            let ten_years = format!("{}&end=2023-04-01", target());
            let requests = request().replace(&target(), &ten_years).repeat(100);
            // Until the server has enough of it.
            std::thread::spawn(move || while stream.write_all(requests.as_bytes()).is_ok() {})
        })
        .collect();
    server.says("127.0.0.1: an answer was not read within 1 second");
    let mut client = server.connect();
    client.send("GET", &target());
    assert_eq!(client.receive("GET").status, 200);
    for sender in senders {
        sender.join().unwrap();
    }
}

/// tiny_http leaves some of a burst's connections unserved for ever; here each is answered.
#[test]
fn a_burst_is_answered_to_the_last() {
    for count in [100, 900] {
        let sandbox = sandbox("max_connections = 1000\nmax_connections_per_address = 1000");
        let server = Server::start(&sandbox);
        let mut burst: Vec<_> = (0..count)
            .map(|_| BufReader::new(connect(&server)))
            .collect();
        for round in 0..2 {
            for client in &mut burst {
                client.get_mut().write_all(request().as_bytes()).unwrap();
            }
            for (number, client) in burst.iter_mut().enumerate() {
                assert_eq!(
                    read_answer(client).0,
                    200,
                    "round {round}, connection {number}"
                );
            }
        }
        // And the one that asks.
        assert_eq!(server.metric("open_connections"), count + 1);
        drop(burst);
        let deadline = Instant::now() + Duration::from_secs(30);
        while server.metric("open_connections") != 1 {
            assert!(Instant::now() < deadline, "connections stay behind");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A server that may have so many files open.
fn start_with_descriptors(sandbox: &Sandbox, most: u32) -> Server {
    let command = sandbox.command(&["serve"]);
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(sandbox.folder())
        .env("TMPDIR", sandbox.folder());
    Server::of(&mut limited)
}

#[test]
fn few_descriptors_make_few_connections() {
    let sandbox = sandbox("");
    let server = start_with_descriptors(&sandbox, 140);
    server.says("server.max_connections: 48 instead of 512, as 140 open files are allowed\n");
    let kept: Vec<_> = (1..=150)
        .map(|n| connect_from(&format!("127.0.1.{n}"), &server))
        .collect();
    assert_eq!(server.get(&target()).status, 200);
    drop(kept);
}

/// All at once: as many connections as there may be, as many that are turned away, and passwords that wait.
#[test]
fn few_descriptors_are_enough_for_all_that_is_promised() {
    let sandbox = sandbox("users = users\nmax_connections_per_address = 3");
    // Passwords whose check takes a while, and one that is quick.
    let slow = "slow:$2y$14$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n";
    let quick = "apache:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi\n";
    sandbox.write("users", &format!("{slow}{quick}"));
    let server = start_with_descriptors(&sandbox, 140);
    let ask = |client: &mut BufReader<TcpStream>, user: &str, target: &str| {
        let user = STANDARD.encode(user);
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {user}\r\n\r\n");
        client.get_mut().write_all(head.as_bytes()).unwrap();
    };
    let known = |target: &str| {
        let mut client = BufReader::new(connect(&server));
        ask(&mut client, "apache:secret", target);
        let (status, head, body) = read_answer(&mut client);
        assert_eq!(status, 200, "{target}: {head}{body}");
    };
    known(&target());
    let guessers: Vec<_> = (1..=40)
        .map(|n| {
            let mut client = BufReader::new(connect_from(&format!("127.0.1.{n}"), &server));
            ask(&mut client, "slow:guess", &target());
            client
        })
        .collect();
    let silent: Vec<_> = (1..=100)
        .map(|n| connect_from(&format!("127.0.2.{n}"), &server))
        .collect();
    let turned_away: Vec<_> = (1..=32)
        .map(|_| connect_from("127.0.1.1", &server))
        .collect();
    // What opens the ledger: where it arrives, and by each worker.
    let list = "/v1/accounts";
    for target in [&target(), list, list, "/metrics"] {
        known(target);
    }
    drop((guessers, silent, turned_away));
}
