//! What goes back to a client: status, headers and body, and the bytes of its head on the wire.

use std::time::SystemTime;

use serde_json::Value;
use tiny_http::StatusCode;

/// For answers that clients may keep but have to revalidate before each use. Answers without `Cache-Control` must not
/// be kept.
pub const REVALIDATE: (&str, &str) = ("Cache-Control", "private, no-cache");

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    /// All but those that `head` adds. They are written verbatim, so they must be plain ASCII and hold no text that a
    /// client sent.
    pub headers: Vec<(&'static str, String)>,
    /// Ends with a line feed, for people at a shell.
    pub body: Vec<u8>,
}

impl Response {
    /// JSON, followed by a line feed.
    pub fn json(status: u16, body: &Value) -> Response {
        Response::of("application/json", status, format!("{body}\n").into_bytes())
    }

    pub fn of(content_type: &str, status: u16, body: Vec<u8>) -> Response {
        Response {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body,
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(had, _)| *had == name)?;
        Some(value)
    }

    /// Status line and headers, without the empty line at their end, because the caller adds `Connection`. `id` is the
    /// request's.
    pub fn head(&self, id: &str) -> String {
        let status = self.status;
        let date = httpdate::fmt_http_date(SystemTime::now());
        let mut head = format!("HTTP/1.1 {status} {}\r\nDate: {date}\r\n", reason(status));
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if self.header(REVALIDATE.0).is_none() {
            head.push_str("Cache-Control: no-store\r\n");
        }
        head.extend(["X-Request-Id: ", id, "\r\n"]);
        // A 304 would have to name the length of the answer that is not sent, which is not 0.
        if status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head
    }
}

/// The reason phrase of a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        // Its name since RFC 9110.
        413 => "Content Too Large",
        status => StatusCode(status).default_reason_phrase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(status: u16, headers: Vec<(&'static str, String)>) -> Vec<String> {
        let response = Response {
            status,
            headers,
            body: b"1234\n".to_vec(),
        };
        let head = response.head("5f3a-7");
        assert!(
            head.ends_with("\r\n") && !head.contains("\r\n\r\n"),
            "{head:?}"
        );
        let lines = head.lines().filter(|line| !line.starts_with("Date: "));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn a_head_has_all_but_its_end() {
        let (name, value) = REVALIDATE;
        assert_eq!(
            lines(200, vec![("ETag", "\"7\"".to_owned())]),
            [
                "HTTP/1.1 200 OK",
                "ETag: \"7\"",
                "Cache-Control: no-store",
                "X-Request-Id: 5f3a-7",
                "Content-Length: 5"
            ]
        );
        assert_eq!(
            lines(304, vec![(name, value.to_owned())]),
            [
                "HTTP/1.1 304 Not Modified",
                "Cache-Control: private, no-cache",
                "X-Request-Id: 5f3a-7"
            ]
        );
    }

    #[test]
    fn every_status_in_use_has_a_name() {
        for status in [
            200, 304, 400, 401, 404, 405, 406, 408, 409, 413, 414, 417, 429, 431, 500, 501, 503,
            505,
        ] {
            assert_ne!(reason(status), "Unknown", "{status}");
        }
    }
}
