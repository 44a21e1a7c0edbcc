//! The server's log on stderr: a line for each request, in the combined format or as JSON, and notes for people. A
//! separate thread writes it, so that answers do not wait for a reader of stderr: lines that do not fit into the queue
//! are left out and counted.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::config::LogFormat;
use crate::instant::Utc;
use crate::plural::plural;
use crate::printable::printable;

/// Lines that wait to be written.
const MOST_WAITING: usize = 4096;

/// Bytes that are written at once.
const BATCH: usize = 64 << 10;

/// How long to gather lines after each write: waking the writing thread for every line would cost more than the rest of
/// the work for it.
const GATHER: Duration = Duration::from_millis(2);

/// How long to wait for the last lines at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Notes that an attack can cause appear at most this often, each kind by itself.
const INTERVAL: Duration = Duration::from_secs(1);

pub struct AccessLog {
    /// May change when the configuration is read again.
    format: RwLock<LogFormat>,
    lines: SyncSender<Line>,
    left_out: AtomicU64,
}

enum Line {
    Text(String),
    /// Answered once everything before it is written.
    End(Sender<()>),
}

/// A request and its outcome.
pub struct Entry<'a> {
    pub peer: IpAddr,
    /// Only if the password was right: people type passwords where names belong.
    pub user: Option<&'a str>,
    pub method: &'a str,
    pub target: &'a str,
    pub status: u16,
    /// Of the body.
    pub bytes: usize,
    pub seconds: f64,
    pub id: &'a str,
}

/// Limits how often one kind of note is logged, so that an attack cannot fill the disk.
#[derive(Default)]
pub struct LogThrottle {
    last: Mutex<LastLine>,
}

#[derive(Default)]
struct LastLine {
    written: Option<Instant>,
    left_out: u64,
}

impl AccessLog {
    pub fn start(format: LogFormat) -> io::Result<AccessLog> {
        let (lines, waiting) = mpsc::sync_channel(MOST_WAITING);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&waiting))?;
        Ok(AccessLog {
            format: RwLock::new(format),
            lines,
            left_out: AtomicU64::new(0),
        })
    }

    pub fn set_format(&self, format: LogFormat) {
        *self.format.write().unwrap_or_else(PoisonError::into_inner) = format;
    }

    fn format(&self) -> LogFormat {
        *self.format.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a request.
    pub fn request(&self, entry: &Entry) {
        match self.format() {
            LogFormat::Combined => self.send(combined(entry, now())),
            LogFormat::Json => self.send(as_json(entry, now())),
            LogFormat::Off => {}
        }
    }

    /// Logs a note for people, whatever the format.
    pub fn note(&self, text: &str) {
        self.send(self.noted(text));
    }

    /// Logs a request that is malformed or beyond a limit, whatever the format. `request` is its first line, or as much
    /// of it as has arrived.
    pub fn refusal(&self, peer: IpAddr, status: u16, request: &str, message: &str, id: &str) {
        match self.format() {
            LogFormat::Json => self.send(
                json!({
                    "time": utc(now()),
                    "peer": peer.to_string(),
                    "request": request,
                    "status": status,
                    "id": id,
                    "message": message,
                })
                .to_string(),
            ),
            LogFormat::Combined | LogFormat::Off => {
                self.note(&format!("{peer}: {status} {request:?}: {message} ({id})"));
            }
        }
    }

    fn noted(&self, text: &str) -> String {
        match self.format() {
            LogFormat::Json => json!({"time": utc(now()), "message": text}).to_string(),
            LogFormat::Combined | LogFormat::Off => format!("rbc-usage: {text}"),
        }
    }

    fn send(&self, line: String) {
        let mut line = match printable(&line) {
            Cow::Borrowed(_) => line,
            Cow::Owned(escaped) => escaped,
        };
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let text = format!(
                "{} of the log left out before this one",
                plural(left_out, "line")
            );
            line = format!("{}\n{line}", self.noted(&text));
        }
        if self.lines.try_send(Line::Text(line)).is_err() {
            self.left_out.fetch_add(left_out + 1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, but no longer than `LAST_LINES`.
    pub fn end(&self) {
        let (done, is_done) = mpsc::channel();
        if self.lines.try_send(Line::End(done)).is_ok() {
            let _ = is_done.recv_timeout(LAST_LINES);
        }
    }
}

impl LogThrottle {
    /// Writes the line, or counts it for the next one.
    pub fn note(&self, log: &AccessLog, line: impl FnOnce() -> String) {
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
        *last = LastLine {
            written: Some(Instant::now()),
            left_out: 0,
        };
        drop(last);
        log.note(&format!("{}{more}", line()));
    }
}

/// Since 1970 UTC.
fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

fn write_all(waiting: &Receiver<Line>) {
    let mut batch = String::new();
    while let Ok(line) = waiting.recv() {
        let mut next = Some(line);
        let mut ended = None;
        while let Some(line) = next {
            match line {
                Line::Text(text) => batch.extend([text.as_str(), "\n"]),
                Line::End(done) => ended = Some(done),
            }
            next = (batch.len() < BATCH)
                .then(|| waiting.try_recv().ok())
                .flatten();
        }
        // The server goes on even if nobody reads stderr any more.
        let _ = io::stderr().write_all(batch.as_bytes());
        batch.clear();
        match ended {
            Some(done) => _ = done.send(()),
            None => thread::sleep(GATHER),
        }
    }
}

/// The combined log format with empty referrer and user agent, then the request's id and its duration in seconds.
fn combined(entry: &Entry, now: Duration) -> String {
    let Entry {
        peer,
        method,
        status,
        bytes,
        seconds,
        id,
        ..
    } = entry;
    let user = entry.user.map_or("-".to_owned(), |user| {
        let user = escaped(user);
        // A blank would move all that follows into the next column.
        if user.is_empty() {
            "-".to_owned()
        } else {
            user.replace(' ', "\\x20")
        }
    });
    let target = escaped(entry.target);
    let date = Utc::since_1970(now).map_or("-".to_owned(), Utc::common_log);
    format!(
        "{peer} - {user} [{date}] \"{method} {target} HTTP/1.1\" {status} \
         {bytes} \"-\" \"-\" {id} {seconds:.6}"
    )
}

fn as_json(entry: &Entry, now: Duration) -> String {
    json!({
        "time": utc(now),
        "peer": entry.peer.to_string(),
        "user": entry.user,
        "method": entry.method,
        "target": entry.target,
        "status": entry.status,
        "bytes": entry.bytes,
        "seconds": (entry.seconds * 1e6).round() / 1e6,
        "id": entry.id,
    })
    .to_string()
}

/// As JSON wants it, to the millisecond.
fn utc(now: Duration) -> String {
    Utc::since_1970(now).map_or("-".to_owned(), Utc::json_log)
}

/// Escapes whatever could end the line or the quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(escaped, "\\x{:02x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-06-01 23:59:59.25 UTC.
    const NOW: Duration = Duration::from_millis(1_370_131_199_250);

    fn entry<'a>() -> Entry<'a> {
        Entry {
            peer: "192.0.2.1".parse().unwrap(),
            user: Some("jane doe"),
            method: "GET",
            target: "/usage/\"x\\\n?start=2013-06-01",
            status: 200,
            bytes: 321,
            seconds: 0.001_234_567,
            id: "5f3a-7",
        }
    }

    #[test]
    fn the_combined_format_is_what_log_readers_expect() {
        assert_eq!(
            combined(&entry(), NOW),
            "192.0.2.1 - jane\\x20doe [01/Jun/2013:23:59:59 +0000] \"GET /usage/\\\"x\\\\\\x0a?start=2013-06-01 \
             HTTP/1.1\" 200 321 \"-\" \"-\" 5f3a-7 0.001235"
        );
        let nobody = Entry {
            user: None,
            ..entry()
        };
        assert!(combined(&nobody, NOW).starts_with("192.0.2.1 - - [01/Jun"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        assert_eq!(
            as_json(&entry(), NOW),
            "{\"bytes\":321,\"id\":\"5f3a-7\",\"method\":\"GET\",\"peer\":\"192.0.2.1\",\"seconds\":0.001235,\
             \"status\":200,\"target\":\"/usage/\\\"x\\\\\\n?start=2013-06-01\",\"time\":\"2013-06-01T23:59:59.250Z\",\
             \"user\":\"jane doe\"}"
        );
    }
}
