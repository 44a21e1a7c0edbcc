//! How an answer is written, whoever answers: a worker, the memory, or the gate that refuses. The one thing left open is
//! whether the connection goes on, which only the gate knows: it ends the head.

use std::time::SystemTime;

use super::response::Reply;

/// Status line and headers, without the empty line at their end. `id` is the request's.
pub fn head(reply: &Reply, id: &str) -> String {
    let Reply { status, body, .. } = reply;
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut head = format!("HTTP/1.1 {status} {}\r\nDate: {date}\r\n", reason(*status));
    for (name, value) in &reply.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.extend(["X-Request-Id: ", id, "\r\n"]);
    // On a 304 it would be the length of the answer that is not sent, which is not 0.
    if *status != 304 {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head
}

/// A whole answer, after which the connection ends; who asked by HEAD gets no body.
pub fn last(reply: &Reply, id: &str, with_body: bool) -> Vec<u8> {
    let head = head(reply, id);
    let mut bytes = format!("{head}Connection: close\r\n\r\n").into_bytes();
    if with_body {
        bytes.extend_from_slice(&reply.body);
    }
    bytes
}

/// What a status is called.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(status: u16) -> Vec<String> {
        let reply = Reply {
            status,
            headers: vec![("ETag", "\"7\"".to_owned())],
            body: b"1234\n".to_vec(),
        };
        let head = head(&reply, "5f3a-7");
        assert!(
            head.ends_with("\r\n") && !head.contains("\r\n\r\n"),
            "{head:?}"
        );
        let lines = head.lines().filter(|line| !line.starts_with("Date: "));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn a_head_has_all_but_its_end() {
        assert_eq!(
            lines(200),
            [
                "HTTP/1.1 200 OK",
                "ETag: \"7\"",
                "X-Request-Id: 5f3a-7",
                "Content-Length: 5"
            ]
        );
        assert_eq!(
            lines(304),
            [
                "HTTP/1.1 304 Not Modified",
                "ETag: \"7\"",
                "X-Request-Id: 5f3a-7"
            ]
        );
    }
}
