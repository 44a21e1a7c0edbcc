//! One request head: from a client's bytes to what the workers are asked, or to the status that refuses it.
//! Stricter than most servers, for what two programs may read in two ways is how one of them gets deceived. No
//! sockets and no clock.

use std::net::IpAddr;

use percent_encoding::percent_decode;

/// More header lines than this are refused.
const MAX_HEADERS: usize = 64;

/// Headers that are passed on as they came; several of one name become one, joined by commas.
const PASSED_ON: [&str; 3] = ["Accept", "Accept-Encoding", "If-None-Match"];

/// A clean request without a body.
#[derive(Debug, PartialEq)]
pub struct Head {
    pub method: Method,
    /// Path and query, checked and not decoded; begins with a slash.
    pub target: String,
    host: String,
    pub authorization: Option<String>,
    /// In the order of `PASSED_ON`.
    passed_on: [Option<String>; 3],
    /// All of `X-Forwarded-For`, joined by commas; empty if there is none.
    pub forwarded_for: String,
    pub version: Version,
    /// What the client wants to happen to the connection after the answer.
    pub keep_alive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Http10,
    Http11,
}

/// Why a request is not answered. The connection ends with it.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
}

pub fn refusal(status: u16, message: &str) -> Refusal {
    Refusal {
        status,
        message: message.to_owned(),
    }
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
        }
    }
}

/// Where the head ends in what was received, if it is whole. The bytes before `seen` were looked at before.
/// A byte that no head may hold is refused as soon as it is there, and not when the client deigns to finish.
pub fn find_end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Refusal> {
    for at in seen..bytes.len() {
        match bytes[at] {
            b'\n' if at == 0 || bytes[at - 1] != b'\r' => {
                return Err(refusal(400, "a line must end with CR and LF"));
            }
            b'\n' if bytes[..at].ends_with(b"\r\n\r") => return Ok(Some(at + 1)),
            b'\n' | b'\t' => {}
            _ if at > 0 && bytes[at - 1] == b'\r' => {
                return Err(refusal(400, "a CR without LF"));
            }
            b'\r' => {}
            0..0x20 | 0x7f => return Err(refusal(400, "a control character in the request")),
            _ => {}
        }
    }
    Ok(None)
}

/// Reads a whole head, as `find_end` delimits it.
pub fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(refusal(400, "not an HTTP request")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal {
                status: 431,
                message: format!("more than {MAX_HEADERS} header lines"),
            });
        }
        Err(httparse::Error::Version) if names_a_version(bytes) => {
            return Err(refusal(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"));
        }
        Err(err) => {
            return Err(Refusal {
                status: 400,
                message: format!("not an HTTP request: {err}"),
            });
        }
    }
    let version = match request.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let lines = Lines(request.headers);
    let has_body = announces_body(&lines, version)?;
    let method = match request.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return Err(refusal(405, "only GET and HEAD are answered")),
    };
    if has_body {
        return Err(refusal(413, "a request has no body here"));
    }
    if lines
        .list("Expect")?
        .is_some_and(|expected| !expected.eq_ignore_ascii_case("100-continue"))
    {
        return Err(refusal(
            417,
            "no expectation but 100-continue is understood",
        ));
    }
    let connection = lines.list("Connection")?.unwrap_or_default();
    let asks = |word: &str| {
        connection
            .split(',')
            .any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    let [accept, accept_encoding, if_none_match] = PASSED_ON;
    Ok(Head {
        method,
        target: target(request.path.unwrap_or_default())?,
        host: host(&lines, version)?,
        authorization: lines.single("Authorization")?.map(str::to_owned),
        passed_on: [
            lines.list(accept)?,
            lines.list(accept_encoding)?,
            lines.list(if_none_match)?,
        ],
        forwarded_for: lines.list("X-Forwarded-For")?.unwrap_or_default(),
        version,
        keep_alive: !asks("close") && (version == Version::Http11 || asks("keep-alive")),
    })
}

impl Head {
    /// What the workers get: this and nothing else a client sent.
    pub fn for_workers(&self, peer: IpAddr, id: &str) -> String {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nX-Rbc-Peer: {peer}\r\nX-Rbc-Request-Id: {id}\r\n",
            self.method.name(),
            self.target,
            self.host
        );
        let passed_on = PASSED_ON.iter().zip(&self.passed_on);
        let authorization = [(&"Authorization", &self.authorization)];
        for (name, value) in authorization.into_iter().chain(passed_on) {
            if let Some(value) = value {
                text.extend([name, ": ", value, "\r\n"]);
            }
        }
        text.push_str("\r\n");
        text
    }
}

/// The header lines of a request.
struct Lines<'a>(&'a [httparse::Header<'a>]);

impl<'a> Lines<'a> {
    /// Values of one name, which must be plain ASCII.
    fn values(&self, name: &str) -> impl Iterator<Item = Result<&'a str, Refusal>> {
        let lines = self
            .0
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(|line| match std::str::from_utf8(line.value) {
            Ok(value) if value.is_ascii() => Ok(value.trim()),
            _ => Err(Refusal {
                status: 400,
                message: format!("{} is not plain ASCII", line.name),
            }),
        })
    }

    /// A value that may be given once.
    fn single(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.values(name);
        let value = values.next().transpose()?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Refusal {
                status: 400,
                message: format!("{name} is given more than once"),
            }),
        }
    }

    /// A value that may be spread over several lines.
    fn list(&self, name: &str) -> Result<Option<String>, Refusal> {
        let values: Vec<&str> = self.values(name).collect::<Result<_, _>>()?;
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }
}

/// Whether it is a request line but for its version, which is none of ours.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    matches!(words[..], [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Whether a body follows. What leaves its length open to opinion is refused.
fn announces_body(lines: &Lines, version: Version) -> Result<bool, Refusal> {
    let length = lines.single("Content-Length")?;
    let encoding = lines.list("Transfer-Encoding")?;
    if encoding.is_some() && (length.is_some() || version == Version::Http10) {
        return Err(refusal(
            400,
            "Transfer-Encoding beside Content-Length or in HTTP/1.0",
        ));
    }
    match (length, encoding.as_deref()) {
        (Some(digits), _) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
            Err(refusal(400, "Content-Length is not a number"))
        }
        (Some(digits), _) => Ok(digits.bytes().any(|digit| digit != b'0')),
        (None, Some(encoding)) if encoding.eq_ignore_ascii_case("chunked") => Ok(true),
        (None, Some(_)) => Err(refusal(
            501,
            "no Transfer-Encoding but chunked is understood",
        )),
        (None, None) => Ok(false),
    }
}

/// HTTP/1.1 wants exactly one Host.
fn host(lines: &Lines, version: Version) -> Result<String, Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte);
    match lines.single("Host")? {
        Some(host) if host.bytes().all(allowed) => Ok(host.to_owned()),
        Some(_) => Err(refusal(400, "Host is not a host's name")),
        None if version == Version::Http10 => Ok(String::new()),
        None => Err(refusal(400, "Host is missing")),
    }
}

/// Path and query of a target in origin form or absolute form. What it decodes to is checked here: text
/// in UTF-8, without NUL.
fn target(text: &str) -> Result<String, Refusal> {
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
        return Err(refusal(400, "the target is not a path with a query"));
    }
    let hexadecimal = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut signs = (0..bytes.len()).filter(|at| bytes[*at] == b'%');
    if !signs.all(|at| hexadecimal(at + 1) && hexadecimal(at + 2)) {
        return Err(refusal(
            400,
            "a % in the target without two hexadecimal digits",
        ));
    }
    match percent_decode(bytes).decode_utf8() {
        Ok(decoded) if !decoded.contains('\0') => Ok(origin),
        Ok(_) => Err(refusal(400, "the target holds a NUL")),
        Err(_) => Err(refusal(400, "the target is not UTF-8")),
    }
}

#[cfg(test)]
mod tests;
