//! What the gate itself says: the answer that refuses a request, its line in the log, and the lines that are written
//! once a second at most, so that an attack fills no disk.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::request::Refusal;
use crate::http::access_log::Log;
use crate::http::frame;
use crate::http::response;

/// At most one line of a kind in this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Of a refused request line, this much is logged.
const LOGGED: usize = 200;

/// A request that is not answered.
pub struct Refused<'a> {
    pub peer: IpAddr,
    /// What was received of it.
    pub request: &'a [u8],
    pub why: &'a Refusal,
    pub id: &'a str,
}

impl Refused<'_> {
    /// A whole answer, after which the connection ends.
    pub fn reply(&self) -> Vec<u8> {
        let Refusal { status, message } = self.why;
        let mut reply = response::refusal(self.target(), *status, message);
        if matches!(status, 429 | 503) {
            reply.headers.push(("Retry-After", "1".to_owned()));
        }
        frame::last(&reply, self.id, !self.request.starts_with(b"HEAD "))
    }

    /// What was asked for, as far as it can be told: it decides on the shape of the answer alone.
    fn target(&self) -> &str {
        let mut words = self.request.split(|byte| byte.is_ascii_whitespace());
        let target = words.nth(1).unwrap_or_default();
        std::str::from_utf8(target).unwrap_or_default()
    }

    /// One line in the log.
    pub fn log(&self, log: &Log) {
        let line = self
            .request
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .next();
        let line = line.unwrap_or_default();
        let line = String::from_utf8_lossy(&line[..line.len().min(LOGGED)]);
        let Refusal { status, message } = self.why;
        log.refusal(self.peer, *status, &line, message, self.id);
    }
}

/// A kind of line that may come too often.
#[derive(Default)]
pub struct Seldom {
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    written: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// Writes the line, or counts it for the next one.
    pub fn note(&self, log: &Log, line: impl FnOnce() -> String) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last
            .written
            .is_some_and(|written| written.elapsed() < INTERVAL)
        {
            last.left_out += 1;
            return;
        }
        let more = match last.left_out {
            0 => String::new(),
            count => format!(" (and {count} like it before)"),
        };
        *last = Last {
            written: Some(Instant::now()),
            left_out: 0,
        };
        drop(last);
        log.note(&format!("{}{more}", line()));
    }
}
