//! HTTP/1.1 to the letter, over raw sockets: what is answered, what is refused and how, and what becomes of the
//! connection.

use std::io::{BufReader, Read, Write};
use std::net::Shutdown;

use super::{connect, exchange, read_answer, sandbox, target};
use crate::server::Server;

/// Requests that are refused: the bytes, the status, and what the message says.
const REFUSED: [(&[u8], u16, &str); 32] = [
    (b"GET /\r\n\r\n", 400, "not an HTTP request"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "Host is missing"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host is given more than once"),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400, "a line must end with CR and LF"),
    (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "a CR without LF"),
    (b"GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 400, "a control character in the request"),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not an HTTP request"),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "not an HTTP request"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n", 400, "not an HTTP request"),
    (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target holds a NUL"),
    (b"GET /%c0%af HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is not UTF-8"),
    (b"GET /?%e0%80%af HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is not UTF-8"),
    (b"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "a % in the target"),
    (b"GET /\xc3\xa5 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is not a path"),
    (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is not a path"),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the target is not a path"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde", 400, "Content-Length is not a number"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400, "Content-Length is given more"),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "Transfer-Encoding beside Content-Length",
    ),
    (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Transfer-Encoding beside"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "no Transfer-Encoding but"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, "a request has no body"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 413, "a request has no body"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000000\r\n\r\n", 413, "a request has no body"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999\r\n\r\n", 413, "a request has"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 413, "a request has"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, "no expectation"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 405, "only GET and HEAD"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "only HTTP/1.0 and HTTP/1.1"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "only HTTP/1.0 and HTTP/1.1"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "this port speaks no TLS"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400, "not an HTTP request"),
];

#[test]
fn what_is_not_one_clean_request_is_refused_with_its_status() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    for (request, status, message) in REFUSED {
        // What follows must not be taken for a request, or somebody else could have smuggled it in.
        let smuggled = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target());
        let bytes = [request, smuggled.as_bytes()].concat();
        let answer = exchange(&server, &bytes);
        let request = String::from_utf8_lossy(request);
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{request:?} {answer}");
        assert_eq!(answer.matches("Content-Length: ").count(), 1, "{answer}");
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
        assert!(answer.contains("\r\nX-Request-Id: "), "{answer}");
        let body = format!("\r\n\r\n{{\"message\":\"{message}");
        assert!(answer.contains(&body), "{request:?} {answer}");
        assert_eq!(
            answer.contains("Allow: GET, HEAD\r\n"),
            status == 405,
            "{answer}"
        );
        server.says(&format!(": {status} "));
    }
}

#[test]
fn odd_and_right_requests_are_answered() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let target = target();
    for request in [
        format!("GET {target} HTTP/1.1\r\nhost:a\r\n\r\n"),
        format!("\r\n\r\nGET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET http://usage.example.com{target} HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nCookie: \u{e9}\r\nUpgrade: h2c\r\n\r\n"),
        format!("GET {target}&x=%25c0%25af HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let mut stream = BufReader::new(connect(&server));
        // In two packets, cut anywhere.
        for (at, _) in request.char_indices().skip(1).step_by(7) {
            let (before, after) = request.split_at(at);
            stream.get_mut().write_all(before.as_bytes()).unwrap();
            stream.get_mut().write_all(after.as_bytes()).unwrap();
            let (status, head, body) = read_answer(&mut stream);
            assert_eq!(status, 200, "{request:?} {head}");
            assert!(!head.contains("Connection:"), "{head}");
            assert!(body.contains("\"timezone\":\"GMT\""), "{body}");
        }
    }
}

#[test]
fn the_connection_lasts_as_long_as_the_client_wants() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let target = target();
    for (request, says) in [
        (format!("GET {target} HTTP/1.0\r\n\r\n"), "close"),
        (
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            "close",
        ),
        (
            format!("GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "keep-alive",
        ),
    ] {
        let mut stream = BufReader::new(connect(&server));
        for number in 1..=3 {
            stream.get_mut().write_all(request.as_bytes()).unwrap();
            let (status, head, _) = read_answer(&mut stream);
            assert_eq!(status, 200);
            assert!(head.contains(&format!("Connection: {says}\r\n")), "{head}");
            if says == "close" {
                assert_eq!(
                    stream.read(&mut [0]).unwrap(),
                    0,
                    "the end after answer {number}"
                );
                break;
            }
        }
    }
}

#[test]
fn a_client_that_has_sent_its_last_word_gets_its_answers() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target());
    let mut stream = connect(&server);
    stream.write_all(request.repeat(3).as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(
        answers.matches("HTTP/1.1 200 OK\r\n").count(),
        3,
        "{answers}"
    );
}

#[test]
fn requests_in_one_packet_are_answered_in_their_order() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let ask = |method: &str, target: &str| format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut stream = BufReader::new(connect(&server));
    let mut wanted = Vec::new();
    let mut requests = String::new();
    for number in 0..300 {
        let name = format!("/usage/nobody-{number}");
        requests += &ask("GET", &name);
        wanted.push(name);
    }
    // A refusal in the middle is the last answer.
    requests += &ask("GET", "/%00");
    requests += &ask("GET", &target());
    let writer = stream.get_ref().try_clone().unwrap();
    let sending = std::thread::spawn(move || (&writer).write_all(requests.as_bytes()).unwrap());
    for name in wanted {
        let (status, _, body) = read_answer(&mut stream);
        assert_eq!(status, 404);
        assert!(body.contains(&name[7..]), "{body}");
    }
    assert_eq!(read_answer(&mut stream).0, 400);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    sending.join().unwrap();
}

#[test]
fn head_has_no_body_even_when_refused() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let answer = exchange(&server, b"HEAD /%00 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let request = format!(
        "HEAD {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        target()
    );
    let answer = exchange(&server, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\n") && answer.contains("\r\nContent-Length: "),
        "{answer}"
    );
}
