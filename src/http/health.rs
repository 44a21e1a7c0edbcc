//! What monitoring asks: is the ledger ready to be billed from, and the figures of `/metrics`. `/metrics` may have a
//! listener of its own, for a few clients at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::frame::reason;
use super::ledger_pool::Ledger;
use super::metrics::{CONTENT_TYPE, LastImport, LedgerGauges};
use super::response::{self, Reply};
use super::state::Shared;
use crate::day::Day;
use crate::instant::Utc;
use crate::ledger::read::state::{ImportRun, LedgerState};
use crate::ledger::read::{OtherSchema, Reader};
use crate::ledger::timezones::disagreement;
use crate::plural::plural;

/// What a client of the listener has for its request, and again for taking the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Clients of the listener at a time: some may be slow.
const CLIENTS: usize = 4;

/// Of a request to the listener.
const LONGEST_HEAD: usize = 8192;

/// How long accepting rests after an error.
const REST: Duration = Duration::from_millis(100);

/// 200 if the ledger can be read, its days are of the configured zone, and its newest closed day is not too old, else
/// 503; the reason holds no path.
pub fn readiness(
    state: anyhow::Result<LedgerState>,
    timezone: Option<&str>,
    today: Day,
    max_age_days: i64,
) -> Reply {
    let newest = state.as_ref().map(|state| state.newest_closed_day);
    let zone = state.as_ref().ok().map(|state| state.zones.name());
    let why = match newest {
        Err(err) => Some(match err.downcast_ref::<OtherSchema>() {
            Some(why) => format!("the ledger cannot be read: {why}"),
            None => "the ledger cannot be read".to_owned(),
        }),
        Ok(_) if timezone.is_some() && zone != timezone => {
            let both = zone.zip(timezone);
            both.map(|(zone, timezone)| {
                format!("the ledger: {}; then reload", disagreement(zone, timezone))
            })
        }
        Ok(None) => Some("the ledger has no closed day".to_owned()),
        Ok(Some(day)) => {
            let age = today.days_since(day);
            (age > max_age_days).then(|| {
                let age = plural(age, "day");
                format!(
                    "the newest closed day is {day}, {age} ago: server.max_age allows {max_age_days}"
                )
            })
        }
    };
    match why {
        Some(why) => response::error(503, &why),
        None => {
            let newest = newest.ok().flatten().map(|day| day.to_string());
            response::json(
                200,
                &json!({"status": "ready", "newest_closed_day": newest}),
            )
        }
    }
}

/// All figures; those of the ledger only if it can be read.
pub fn metrics(shared: &Shared, reader: Option<&mut Reader>) -> anyhow::Result<Reply> {
    let read = reader.map(|reader| gauges(shared, reader)).transpose();
    if let Err(err) = &read {
        shared.log.note(&format!("metrics: {err:#}"));
    }
    let ledger = read.ok().flatten().unwrap_or_default();
    let text = shared.metrics.text(&ledger)?;
    Ok(Reply {
        status: 200,
        headers: vec![("Content-Type", CONTENT_TYPE.to_owned())],
        body: text.into_bytes(),
    })
}

fn gauges(shared: &Shared, reader: &mut Reader) -> anyhow::Result<LedgerGauges> {
    let (state, counts) = (reader.state()?, reader.counts()?);
    Ok(LedgerGauges {
        bytes: Some(std::fs::metadata(&shared.ledger)?.len()),
        newest_closed_day: state.newest_closed_day.map(|day| state.zones.midnight(day)),
        open_days: Some(counts.open_days),
        missing_days: Some(counts.missing_days),
        findings: Some(counts.findings),
        pending_corrections: Some(counts.pending_corrections),
        last_import: counts.last_finished_import.and_then(last_import),
    })
}

fn last_import(run: ImportRun) -> Option<LastImport> {
    Some(LastImport {
        finished_at: run.finished_at?.parse::<Utc>().ok()?.unix(),
        seconds: run.seconds?,
        exit_code: match run.outcome?.as_str() {
            "done" => 0,
            "needs_a_look" => 1,
            _ => 2,
        },
    })
}

/// Refuses an address that others can reach: nobody is asked for a password there.
pub fn may_tell(address: SocketAddr, behind_proxy: bool) -> anyhow::Result<()> {
    ensure!(
        address.ip().to_canonical().is_loopback() || behind_proxy,
        "listen on {address}: server.metrics_bind asks for no password, so it must be a loopback address unless \
         server.behind_proxy is yes"
    );
    Ok(())
}

/// Listens for whoever gathers the metrics.
pub fn listen(address: SocketAddr, behind_proxy: bool) -> anyhow::Result<TcpListener> {
    may_tell(address, behind_proxy)?;
    TcpListener::bind(address).with_context(|| format!("listen on {address}"))
}

/// Answers `GET /metrics` on a listener of its own, until the process ends.
pub fn answer_metrics(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    for _ in 0..CLIENTS {
        let (listener, shared) = (listener.try_clone()?, shared.clone());
        let answering = move || {
            loop {
                match listener.accept() {
                    // A client that goes away or says nothing sensible has no answer.
                    Ok((stream, _)) => drop(converse(stream, &shared)),
                    Err(_) => thread::sleep(REST),
                }
            }
        };
        let thread = thread::Builder::new().name("metrics".to_owned());
        thread.spawn(answering)?;
    }
    Ok(())
}

fn converse(mut stream: TcpStream, shared: &Shared) -> anyhow::Result<()> {
    let head = read_head(&mut stream)?;
    let target = head.split(' ').nth(1).unwrap_or("");
    let path = target.split('?').next();
    let reply = match (head.split(' ').next(), path) {
        (Some("GET" | "HEAD"), Some("/metrics")) => {
            metrics(shared, Ledger::default().reader(shared).ok())?
        }
        (Some("GET" | "HEAD"), _) => response::error(404, "no such path: ask for /metrics"),
        _ => response::error(405, "only GET and HEAD are answered"),
    };
    let mut answer = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        answer.extend([name, ": ", value, "\r\n"]);
    }
    let length = reply.body.len();
    answer.push_str(&format!(
        "Content-Length: {length}\r\nConnection: close\r\n\r\n"
    ));
    let mut bytes = answer.into_bytes();
    if !head.starts_with("HEAD ") {
        bytes.extend_from_slice(&reply.body);
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream.write_all(&bytes)?)
}

/// Reads up to the empty line, within a time that a byte now and then does not prolong.
fn read_head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero() && head.len() < LONGEST_HEAD, "no request");
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => anyhow::bail!("no request"),
            Ok(count) => head.extend_from_slice(&chunk[..count]),
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(err) => return Err(err.into()),
        }
    }
    Ok(String::from_utf8(head)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;
    use crate::zones::Zones;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn ready(newest: Option<&str>, today: &str) -> Reply {
        let state = LedgerState {
            zones: Zones::from(Zone::parse("GMT").unwrap()),
            revision: 1,
            days: None,
            newest_closed_day: newest.map(day),
            last_import: None,
        };
        readiness(Ok(state), Some("GMT"), day(today), 3)
    }

    #[test]
    fn ready_is_a_ledger_whose_newest_closed_day_is_not_old() {
        let reply = ready(Some("2013-06-01"), "2013-06-04");
        let body = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(
            body,
            "{\"newest_closed_day\":\"2013-06-01\",\"status\":\"ready\"}\n"
        );
        let old = "the newest closed day is 2013-06-01, 4 days ago: server.max_age allows 3";
        assert_eq!(
            ready(Some("2013-06-01"), "2013-06-05"),
            response::error(503, old)
        );
        let none = "the ledger has no closed day";
        assert_eq!(ready(None, "2013-06-05"), response::error(503, none));
        let lost = response::error(503, "the ledger cannot be read");
        let failed = Err(anyhow::anyhow!("disk I/O error"));
        assert_eq!(readiness(failed, None, day("2013-06-05"), 3), lost);
    }
}
