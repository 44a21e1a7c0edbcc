//! One request: parses a client's bytes into a head, or into the status that refuses them. It is stricter than most
//! servers, because attackers exploit requests that two programs read in different ways. No sockets and no clock.

use std::net::IpAddr;
use std::time::Instant;

use percent_encoding::percent_decode;
use tiny_http::{HTTPVersion, Method};

use super::unread::Hold;

/// Requests with more header lines are refused.
const MAX_HEADERS: usize = 64;

const HTTP_1_0: HTTPVersion = HTTPVersion(1, 0);
const HTTP_1_1: HTTPVersion = HTTPVersion(1, 1);

/// A request, and the client that sent it.
pub struct Request<'a> {
    pub head: Head,
    pub client: IpAddr,
    pub id: String,
    /// When its head was complete.
    pub arrived: Instant,
    /// The bytes of its answer, from the moment they are made until the client has read them.
    pub unread: Hold<'a>,
}

/// The head of a clean request without a body. Headers that were given several times are joined by commas.
#[derive(Debug, PartialEq)]
pub struct Head {
    /// `Get` or `Head`.
    pub method: Method,
    /// Path and query, checked and not decoded; begins with a slash.
    pub target: String,
    pub authorization: Option<String>,
    pub accept: Option<String>,
    pub accept_encoding: Option<String>,
    pub if_none_match: Option<String>,
    /// Empty if there is none.
    pub forwarded_for: String,
    pub version: HTTPVersion,
    /// Whether the client wants to use the connection again after the answer.
    pub keep_alive: bool,
}

/// Why a request or a connection is refused. The connection ends after that.
#[derive(Debug, PartialEq)]
pub struct BadRequest {
    pub status: u16,
    pub message: String,
}

impl BadRequest {
    pub fn new(status: u16, message: impl Into<String>) -> BadRequest {
        BadRequest {
            status,
            message: message.into(),
        }
    }
}

impl Head {
    /// The target without its query.
    pub fn path(&self) -> &str {
        let target = &self.target;
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// What follows the path, without the question mark.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// Where the head ends in what was received, if it is complete. The bytes before `seen` have been checked before.
/// A byte that no head may hold is refused as soon as it arrives, even if the head is incomplete.
pub fn find_end(bytes: &[u8], seen: usize) -> Result<Option<usize>, BadRequest> {
    for at in seen..bytes.len() {
        match bytes[at] {
            b'\n' if at == 0 || bytes[at - 1] != b'\r' => {
                return Err(BadRequest::new(400, "a line must end with CR and LF"));
            }
            b'\n' if bytes[..at].ends_with(b"\r\n\r") => return Ok(Some(at + 1)),
            b'\n' | b'\t' => {}
            _ if at > 0 && bytes[at - 1] == b'\r' => {
                return Err(BadRequest::new(400, "a CR without LF"));
            }
            b'\r' => {}
            0..0x20 | 0x7f => {
                return Err(BadRequest::new(400, "a control character in the request"));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Reads a whole head, as `find_end` delimits it.
pub fn parse(bytes: &[u8]) -> Result<Head, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(BadRequest::new(400, "not an HTTP request")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(BadRequest::new(
                431,
                format!("more than {MAX_HEADERS} header lines"),
            ));
        }
        Err(httparse::Error::Version) if names_a_version(bytes) => {
            return Err(BadRequest::new(
                505,
                "only HTTP/1.0 and HTTP/1.1 are spoken here",
            ));
        }
        Err(err) => {
            return Err(BadRequest::new(400, format!("not an HTTP request: {err}")));
        }
    }
    let version = match request.version {
        Some(0) => HTTP_1_0,
        _ => HTTP_1_1,
    };
    let lines = Lines(request.headers);
    let has_body = announces_body(&lines, &version)?;
    let method = match request.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return Err(BadRequest::new(405, "only GET and HEAD are answered")),
    };
    if has_body {
        return Err(BadRequest::new(413, "a request has no body here"));
    }
    if lines
        .list("Expect")?
        .is_some_and(|expected| !expected.eq_ignore_ascii_case("100-continue"))
    {
        return Err(BadRequest::new(
            417,
            "no expectation but 100-continue is understood",
        ));
    }
    check_host(&lines, &version)?;
    let connection = lines.list("Connection")?.unwrap_or_default();
    let asks = |word: &str| {
        connection
            .split(',')
            .any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    Ok(Head {
        method,
        target: target(request.path.unwrap_or_default())?,
        authorization: lines.single("Authorization")?.map(str::to_owned),
        accept: lines.list("Accept")?,
        accept_encoding: lines.list("Accept-Encoding")?,
        if_none_match: lines.list("If-None-Match")?,
        forwarded_for: lines.list("X-Forwarded-For")?.unwrap_or_default(),
        keep_alive: !asks("close") && (version == HTTP_1_1 || asks("keep-alive")),
        version,
    })
}

/// The header lines of a request.
struct Lines<'a>(&'a [httparse::Header<'a>]);

impl<'a> Lines<'a> {
    /// Values of one name, which must be plain ASCII.
    fn values(&self, name: &str) -> impl Iterator<Item = Result<&'a str, BadRequest>> {
        let lines = self
            .0
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(|line| match std::str::from_utf8(line.value) {
            Ok(value) if value.is_ascii() => Ok(value.trim()),
            _ => Err(BadRequest::new(
                400,
                format!("{} is not plain ASCII", line.name),
            )),
        })
    }

    /// A value that may be given once.
    fn single(&self, name: &str) -> Result<Option<&'a str>, BadRequest> {
        let mut values = self.values(name);
        let value = values.next().transpose()?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(BadRequest::new(
                400,
                format!("{name} is given more than once"),
            )),
        }
    }

    /// A value that may be spread over several lines.
    fn list(&self, name: &str) -> Result<Option<String>, BadRequest> {
        let values: Vec<&str> = self.values(name).collect::<Result<_, _>>()?;
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }
}

/// Whether it is a request line of another version of HTTP.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    matches!(words[..], [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Whether a body follows. A request whose length is ambiguous is refused.
fn announces_body(lines: &Lines, version: &HTTPVersion) -> Result<bool, BadRequest> {
    let length = lines.single("Content-Length")?;
    let encoding = lines.list("Transfer-Encoding")?;
    if encoding.is_some() && (length.is_some() || *version == HTTP_1_0) {
        return Err(BadRequest::new(
            400,
            "Transfer-Encoding beside Content-Length or in HTTP/1.0",
        ));
    }
    match (length, encoding.as_deref()) {
        (Some(digits), _) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
            Err(BadRequest::new(400, "Content-Length is not a number"))
        }
        (Some(digits), _) => Ok(digits.bytes().any(|digit| digit != b'0')),
        (None, Some(encoding)) if encoding.eq_ignore_ascii_case("chunked") => Ok(true),
        (None, Some(_)) => Err(BadRequest::new(
            501,
            "no Transfer-Encoding but chunked is understood",
        )),
        (None, None) => Ok(false),
    }
}

/// HTTP/1.1 requires exactly one Host. Its value does not matter here.
fn check_host(lines: &Lines, version: &HTTPVersion) -> Result<(), BadRequest> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte);
    match lines.single("Host")? {
        Some(host) if host.bytes().all(allowed) => Ok(()),
        Some(_) => Err(BadRequest::new(400, "Host is not a host's name")),
        None if *version == HTTP_1_0 => Ok(()),
        None => Err(BadRequest::new(400, "Host is missing")),
    }
}

/// Path and query of a target in origin form or absolute form. What it decodes to is checked here: text
/// in UTF-8, without NUL.
fn target(text: &str) -> Result<String, BadRequest> {
    let origin = match text.find("://") {
        Some(colon) if text[..colon].bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            let rest = &text[colon + 3..];
            let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
            format!("{}{path}", if path.starts_with('/') { "" } else { "/" })
        }
        _ => text.to_owned(),
    };
    let bytes = origin.as_bytes();
    let foreign = |byte: u8| !byte.is_ascii_graphic() || b"\"#<>\\^`{|}".contains(&byte);
    if !origin.starts_with('/') || bytes.iter().copied().any(foreign) {
        return Err(BadRequest::new(
            400,
            "the target is not a path with a query",
        ));
    }
    let hexadecimal = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut signs = (0..bytes.len()).filter(|at| bytes[*at] == b'%');
    if !signs.all(|at| hexadecimal(at + 1) && hexadecimal(at + 2)) {
        return Err(BadRequest::new(
            400,
            "a % in the target without two hexadecimal digits",
        ));
    }
    match percent_decode(bytes).decode_utf8() {
        Ok(decoded) if !decoded.contains('\0') => Ok(origin),
        Ok(_) => Err(BadRequest::new(400, "the target holds a NUL")),
        Err(_) => Err(BadRequest::new(400, "the target is not UTF-8")),
    }
}

#[cfg(test)]
mod tests;
