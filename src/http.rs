//! Workers, signals, and an orderly end. The workers answer behind the gate, each with a connection of its own to
//! the ledger. What a request asks is `route`'s business, what an answer looks like `reply`'s.

mod gate;
mod reply;
mod route;

use std::io::{self, Cursor, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tiny_http::{Header, Method, Response, Server};

use crate::config;
use crate::day::Day;
use crate::ledger::read::Reader;
use crate::zone::Zone;
use gate::{Gate, Tls};
use reply::Reply;
use route::route;

/// Connections of the gate to each worker: while one is being answered, the next request is there already.
const UPSTREAMS: usize = 2;

/// What workers may take to end once there is nothing left to answer.
const GRACE: Duration = Duration::from_secs(1);

/// What makes it safe to answer others than this machine.
#[derive(Clone, Copy)]
pub struct Protection {
    pub tls: bool,
    pub users: bool,
    /// Somebody else sees to both.
    pub behind_proxy: bool,
}

/// Refuses an address that others can reach unless answers are encrypted and protected by a password.
pub fn may_listen(address: SocketAddr, protection: Protection) -> anyhow::Result<()> {
    let Protection {
        tls,
        users,
        behind_proxy,
    } = protection;
    let missing = match (tls, users) {
        (true, true) => return Ok(()),
        (true, false) => "server.users is",
        (false, true) => "server.tls_certificate is",
        (false, false) => "server.tls_certificate and server.users are",
    };
    ensure!(
        address.ip().to_canonical().is_loopback() || behind_proxy,
        "listen on {address}: beyond loopback only with TLS and users, or behind a proxy that has both: \
         {missing} missing, and server.behind_proxy is no"
    );
    Ok(())
}

/// Answers until SIGTERM or SIGINT, then finishes the requests in hand. `out` gets a line with the
/// address as soon as requests are taken.
pub fn serve(
    address: SocketAddr,
    settings: &config::Server,
    ledger: &Path,
    zone: &Zone,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let protection = Protection {
        tls: settings.tls.is_some(),
        // Nobody is asked for a password yet.
        users: false,
        behind_proxy: settings.behind_proxy,
    };
    may_listen(address, protection)?;
    let tls = settings
        .tls
        .clone()
        .map(Tls::load)
        .transpose()?
        .map(Arc::new);
    let listener = gate::listen(address)?;
    let address = listener.local_addr()?;
    let limits = gate::within_descriptors(&settings.limits, settings.workers)?;
    let folder = gate::private_folder()?;
    let socket = folder.path().join("workers");
    let server = Server::http_unix(&socket).map_err(|err| anyhow!(err))?;
    let server = Arc::new(server);
    let (stop, stopped) = mpsc::channel();
    heed_signals(stop.clone(), tls.clone())?;
    // Nothing is sent here: the channel closes when the last worker has ended.
    let (working, all_ended) = mpsc::channel::<()>();
    for number in 1..=settings.workers {
        let (server, stop, working) = (server.clone(), stop.clone(), working.clone());
        let mut desk = Desk {
            ledger: ledger.to_owned(),
            zone: zone.clone(),
            max_days: limits.max_days,
            reader: None,
        };
        thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(move || {
                let _working = working;
                desk.work(&server, &stop);
            })?;
    }
    drop(working);
    let drain_timeout = limits.drain_timeout;
    let proxies = if settings.behind_proxy {
        settings.trusted_proxies.clone()
    } else {
        Vec::new()
    };
    let upstreams = settings.workers * UPSTREAMS;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let gate = Gate::open(listener, limits, proxies, tls, socket, upstreams)?;
    writeln!(out, "listening on {scheme}://{address}")?;
    out.flush()?;

    let reason = stopped.recv()?;
    let deadline = Instant::now() + drain_timeout;
    let cut_off = gate.drain(deadline);
    (0..settings.workers).for_each(|_| server.unblock());
    let ended = all_ended.recv_timeout(deadline.saturating_duration_since(Instant::now()) + GRACE);
    reason.context("accept connections")?;
    ensure!(
        cut_off == 0 && ended == Err(RecvTimeoutError::Disconnected),
        "a request was not finished {} seconds after the signal to stop",
        drain_timeout.as_secs()
    );
    Ok(())
}

/// Says on the channel that it is time to end when SIGTERM or SIGINT comes, and reads files again at SIGHUP.
fn heed_signals(stop: Sender<io::Result<()>>, tls: Option<Arc<Tls>>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    reload(tls.as_deref());
                } else {
                    // Only the first one is read; after that the end is under way.
                    let _ = stop.send(Ok(()));
                }
            }
        })?;
    Ok(())
}

/// Says what was read again, and what is wrong with it; then the old remains.
fn reload(tls: Option<&Tls>) {
    let said = match tls.map(Tls::reload) {
        Some(Ok(())) => "reloaded the certificate".to_owned(),
        Some(Err(err)) => format!("the old certificate stays: {err:#}"),
        None => "nothing to reload".to_owned(),
    };
    // A reader of stderr that has gone away is no reason to stop answering.
    let _ = writeln!(io::stderr(), "rbc-usage: SIGHUP: {said}");
}

/// What one worker answers from.
struct Desk {
    ledger: PathBuf,
    zone: Zone,
    max_days: i64,
    /// Kept from one request to the next; none before the first and after a failure.
    reader: Option<Reader>,
}

impl Desk {
    /// Answers requests until the server is told to end or can accept no more.
    fn work(&mut self, server: &Server, stop: &Sender<io::Result<()>>) {
        loop {
            let request = match server.recv() {
                Ok(request) => request,
                Err(err) => {
                    // A server that cannot accept must not live on deaf: it ends, and its supervisor starts
                    // it again. When the end was asked for, the signal came first and this is not read.
                    let _ = stop.send(Err(err));
                    return;
                }
            };
            if request.url() == gate::HELLO {
                // The gate has opened a connection. It never fails to read what it asked for.
                let _ = request.respond(Response::empty(200));
                continue;
            }
            let (reply, failure) = guarded(|| self.answer(request.method(), request.url()));
            if let Some(failure) = failure {
                self.reader = None;
                let (status, target) = (reply.status, request.url());
                // A reader of stderr that has gone away is no reason to stop answering.
                let _ = writeln!(io::stderr(), "rbc-usage: {status} {target:?}: {failure}");
            }
            // A client that has gone away needs no answer.
            let _ = request.respond(response(reply));
        }
    }

    /// Fails only if the ledger cannot be read.
    fn answer(&mut self, method: &Method, target: &str) -> anyhow::Result<Reply> {
        let question = match route(method, target, self.yesterday()?, self.max_days) {
            Ok(question) => question,
            Err(reply) => return Ok(reply),
        };
        let usage = self
            .current_reader()?
            .account_usage(&question.uuid, question.range)?;
        Ok(match usage {
            Some(usage) => reply::usage(question.range, &usage),
            None => {
                let uuid = question.uuid;
                reply::error(404, &format!("no account or project has the uuid {uuid}"))
            }
        })
    }

    fn yesterday(&self) -> anyhow::Result<Day> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(self.zone.day_at(i64::try_from(now)?)?.previous())
    }

    /// A deleted file can still be read by who has it open, so it is looked for each time.
    fn current_reader(&mut self) -> anyhow::Result<&mut Reader> {
        let reader = match self.reader.take().filter(Reader::is_current) {
            Some(reader) => reader,
            None => Reader::open(&self.ledger)?,
        };
        Ok(self.reader.insert(reader))
    }
}

/// Turns an error and even a panic into a reply, and tells what happened.
fn guarded(answer: impl FnOnce() -> anyhow::Result<Reply>) -> (Reply, Option<String>) {
    match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(Ok(reply)) => (reply, None),
        Ok(Err(err)) => {
            let reply = reply::error(503, "the ledger cannot be read");
            (reply, Some(format!("{err:#}")))
        }
        Err(_) => {
            let reply = reply::error(500, "the server made an error");
            (reply, Some("panicked".to_owned()))
        }
    }
}

/// Always with a Content-Length.
fn response(reply: Reply) -> Response<Cursor<Vec<u8>>> {
    let headers = reply.headers.into_iter().map(|(name, value)| {
        Header::from_bytes(name, value).expect("a reply's headers are plain ASCII")
    });
    let length = reply.body.len();
    Response::new(
        reply.status.into(),
        headers.collect(),
        Cursor::new(reply.body),
        Some(length),
        None,
    )
    .with_chunked_threshold(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_answered_with_500() {
        let (reply, failure) = guarded(|| panic!("a panic on purpose"));
        assert_eq!(reply, reply::error(500, "the server made an error"));
        assert_eq!(failure.as_deref(), Some("panicked"));
    }

    #[test]
    fn an_error_is_answered_with_503_and_told_in_full() {
        let (reply, failure) = guarded(|| Err(anyhow!("disk I/O error").context("ledger x")));
        assert_eq!(reply, reply::error(503, "the ledger cannot be read"));
        assert_eq!(failure.as_deref(), Some("ledger x: disk I/O error"));
    }
}
