//! What is taken and what is refused, byte by byte.

use super::*;

/// Finds the end as a connection does and reads what is before it.
fn read(text: &str) -> Result<Head, BadRequest> {
    read_bytes(text.as_bytes())
}

fn read_bytes(bytes: &[u8]) -> Result<Head, BadRequest> {
    // However the bytes come in, the end is where it is.
    let mut found = None;
    for count in 0..=bytes.len() {
        found = find_end(&bytes[..count], count.saturating_sub(1))?;
        if found.is_some() {
            break;
        }
    }
    assert_eq!(found, find_end(bytes, 0)?);
    parse(&bytes[..found.expect("a whole head")])
}

#[track_caller]
fn refused(text: &str, status: u16, message: &str) {
    assert_eq!(
        read(text),
        Err(BadRequest::new(status, message)),
        "{text:?}"
    );
}

#[track_caller]
fn status(text: &str, status: u16) {
    assert_eq!(
        read(text).map_err(|why| why.status),
        Err(status),
        "{text:?}"
    );
}

/// A request with these lines beside the Host.
fn with(lines: &str) -> String {
    format!("GET /usage/u HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n")
}

/// A request for this target.
fn of(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[test]
fn headers_that_matter_are_read_and_no_others() {
    let head = read(
        "HEAD /usage/u?start=2013-04-01 HTTP/1.1\r\nhOST: usage.example.com:8443\r\nUser-Agent: curl\r\n\
         accept: text/csv\r\nAccept-Encoding: gzip \r\nAccept: */*;q=0.1\r\nIf-None-Match: \"a\"\r\n\
         Authorization: Basic eDp5\r\nCookie: \u{e9}\r\n\
         X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n",
    );
    let head = head.unwrap();
    assert_eq!(
        (head.path(), head.query()),
        ("/usage/u", "start=2013-04-01")
    );
    let expected = Head {
        method: Method::Head,
        target: "/usage/u?start=2013-04-01".to_owned(),
        authorization: Some("Basic eDp5".to_owned()),
        accept: Some("text/csv, */*;q=0.1".to_owned()),
        accept_encoding: Some("gzip".to_owned()),
        if_none_match: Some("\"a\"".to_owned()),
        forwarded_for: "192.0.2.1, 192.0.2.2".to_owned(),
        version: HTTP_1_1,
        keep_alive: true,
    };
    assert_eq!(head, expected);
}

#[test]
fn a_connection_lasts_as_its_client_wants() {
    for (lines, keep_alive) in [
        ("GET / HTTP/1.1\r\nHost: x", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close", false),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, close", false),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: TE\r\nConnection: close",
            false,
        ),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: closed", true),
        ("GET / HTTP/1.0", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close", false),
    ] {
        let head = read(&format!("{lines}\r\n\r\n")).unwrap();
        assert_eq!(head.keep_alive, keep_alive, "{lines}");
    }
}

#[test]
fn only_a_request_without_a_body_is_taken() {
    assert!(read(&with("Content-Length: 0")).is_ok());
    assert!(read(&with("Content-Length: 000")).is_ok());
    assert!(read(&with("Expect: 100-Continue")).is_ok());
    let body = "a request has no body here";
    refused(&with("Content-Length: 1"), 413, body);
    refused(&with("Content-Length: 99999999999999999999999"), 413, body);
    refused(
        &with("Content-Length: 5\r\nExpect: 100-continue"),
        413,
        body,
    );
    refused(&with("Transfer-Encoding: Chunked"), 413, body);
    status(&with("Expect: a miracle"), 417);
}

#[test]
fn a_length_open_to_opinion_is_refused() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 0\r\nTransfer-Encoding: identity",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0, 0",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length : 0",
        " Content-Length: 0",
        "X: y\r\n Content-Length: 0",
        "Content-Length: 0\u{b}",
        "Transfer\u{2d}Encoding : chunked",
    ] {
        status(&with(lines), 400);
    }
    for lines in [
        "xchunked",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "",
    ] {
        status(&with(&format!("Transfer-Encoding: {lines}")), 501);
    }
    status("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

#[test]
fn a_host_is_there_once() {
    refused("GET / HTTP/1.1\r\n\r\n", 400, "Host is missing");
    refused(&with("Host: x"), 400, "Host is given more than once");
    for host in ["a b", "a/b", "a@b", "a,b c", "a\u{e9}", "a\"b"] {
        status(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400);
    }
    for host in ["", "localhost:8888", "[::1]:8888", "usage.example.com"] {
        assert!(read(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).is_ok());
    }
    assert!(read("GET / HTTP/1.0\r\n\r\n").is_ok());
    status("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400);
}

#[test]
fn headers_that_mean_something_are_plain_and_once() {
    status(&with("Authorization: Basic \u{e9}"), 400);
    status(
        &with("Authorization: Basic eDp5\r\nAuthorization: Basic eDp5"),
        400,
    );
    status(&with("X: \u{0}"), 400);
    status(&with("X: \u{1b}[2J"), 400);
    status(&with("X y: z"), 400);
    status(&with("nonsense"), 400);
    let many = |count| with(&vec!["X: y"; count].join("\r\n"));
    assert!(read(&many(MAX_HEADERS - 1)).is_ok());
    status(&many(MAX_HEADERS), 431);
}

#[test]
fn a_line_ends_in_one_way() {
    status("GET / HTTP/1.1\nHost: x\n\n", 400);
    status("GET / HTTP/1.1\r\nHost: x\n\r\n", 400);
    status("GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n", 400);
    status("GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", 400);
    // It is not waited for the rest of what cannot become right.
    assert!(find_end(b"GET / HTTP/1.1\n", 0).is_err());
    assert!(find_end(b"GET /\0", 0).is_err());
    assert_eq!(find_end(b"GET / HTTP/1.1\r", 0), Ok(None));
    // What comes after the end is the next request's.
    assert_eq!(find_end(b"GET / HTTP/1.1\r\n\r\n\0\n", 0), Ok(Some(18)));
}

#[test]
fn a_request_line_has_three_words() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.",
        "GET / HTTP/11",
        "GET / HTTP/1.1.1",
        "GE(T / HTTP/1.1",
        "/ HTTP/1.1",
    ] {
        status(&format!("{line}\r\nHost: x\r\n\r\n"), 400);
    }
    for version in ["2.0", "1.2", "0.9", "9.9"] {
        status(&format!("GET / HTTP/{version}\r\nHost: x\r\n\r\n"), 505);
    }
    for method in ["POST", "get", "OPTIONS", "PRI", "X"] {
        let message = "only GET and HEAD are answered";
        refused(
            &format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n"),
            405,
            message,
        );
    }
}

#[test]
fn a_target_is_a_path_with_a_query() {
    for (target, taken) in [
        ("/", "/"),
        (
            "/usage/u?start=2013-04-01&end=2013-04-30",
            "/usage/u?start=2013-04-01&end=2013-04-30",
        ),
        (
            "/usage/account:45/%C3%A5?q=a+b%20c",
            "/usage/account:45/%C3%A5?q=a+b%20c",
        ),
        ("/a?b=http://c", "/a?b=http://c"),
        ("http://usage.example.com/usage/u?x=1", "/usage/u?x=1"),
        ("HTTPS://usage.example.com", "/"),
        ("http://usage.example.com?x=1", "/?x=1"),
    ] {
        assert_eq!(
            read(&of(target)).map(|head| head.target),
            Ok(taken.to_owned())
        );
    }
    for target in [
        "*", "usage", "?x", "1://a/", "/a#b", "/a\"b", "/a\\b", "/<a>", "/\u{e9}", "/a{b}",
    ] {
        status(&of(target), 400);
    }
}

#[test]
fn what_a_target_decodes_to_is_text() {
    let sign = "a % in the target without two hexadecimal digits";
    for target in ["/%", "/%4", "/%4g", "/%%41", "/a?b=%", "/%u0041"] {
        refused(&of(target), 400, sign);
    }
    for target in ["/%00", "/a?b=%00"] {
        refused(&of(target), 400, "the target holds a NUL");
    }
    // A slash in two bytes, one in three, half a surrogate pair, a byte of Latin-1, beyond Unicode.
    for target in [
        "/%c0%af",
        "/%e0%80%af",
        "/%ed%a0%80",
        "/%e5",
        "/%f4%90%80%80",
        "/a?b=%ff",
    ] {
        refused(&of(target), 400, "the target is not UTF-8");
    }
    // Decoded once: what comes of it is not looked at again.
    assert!(read(&of("/%2500")).is_ok());
    assert!(read(&of("/%25c0%25af")).is_ok());
}

#[test]
fn garbage_is_refused_and_nothing_panics() {
    let mut bytes = Vec::new();
    let mut state = 1u32;
    for _ in 0..20_000 {
        bytes.clear();
        for _ in 0..40 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let pieces: [&[u8]; 8] = [
                b"GET ",
                b"/",
                b" HTTP/1.1",
                b"\r\n",
                b"%",
                b"Host: x",
                b":",
                b"\xc3",
            ];
            bytes.extend_from_slice(pieces[(state >> 16) as usize % pieces.len()]);
        }
        if let Ok(Some(end)) = find_end(&bytes, 0) {
            // Either is fine, as long as it ends.
            let _ = parse(&bytes[..end]);
        }
    }
}
