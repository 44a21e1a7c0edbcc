//! Listening, workers, and an orderly end. Each worker has a connection of its own to the ledger. What
//! a request asks is `route`'s business, what an answer looks like `reply`'s.

mod reply;
mod route;

use std::io::{self, Cursor, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{Domain, SockRef, Socket, Type};
use tiny_http::{Header, Method, Response, Server};

use crate::day::Day;
use crate::ledger::read::Reader;
use crate::zone::Zone;
use reply::Reply;
use route::route;

/// Connections that wait to be accepted; a burst beyond it is turned away.
const BACKLOG: i32 = 1024;

/// How long a request in hand may take to finish once the end was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Listens on an address of this machine only: what is answered is neither encrypted nor protected.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    ensure!(
        address.ip().is_loopback(),
        "listen on {address}: only loopback addresses are served, such as 127.0.0.1:{}",
        address.port()
    );
    bind(address).with_context(|| format!("listen on {address}"))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Connections inherit it. Without it, an answer waits 40 ms for the client's acknowledgement of its head.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Answers until SIGTERM or SIGINT, then finishes the requests in hand. `out` gets a line with the
/// address as soon as requests are taken.
pub fn serve(
    listener: TcpListener,
    workers: usize,
    ledger: &Path,
    zone: &Zone,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let door = listener.try_clone()?;
    let server = Arc::new(Server::from_listener(listener, None).map_err(|err| anyhow!(err))?);
    let (stop, stopped) = mpsc::channel();
    stop_on_signals(stop.clone())?;
    // Nothing is sent here: the channel closes when the last worker has ended.
    let (working, all_ended) = mpsc::channel::<()>();
    for number in 1..=workers {
        let (server, stop, working) = (server.clone(), stop.clone(), working.clone());
        let mut desk = Desk {
            ledger: ledger.to_owned(),
            zone: zone.clone(),
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
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;

    let reason = stopped.recv()?;
    // Shutting the socket down, and not closing it, ends the wait of the thread that accepts. Where a
    // system refuses that, connections stay unanswered from here on instead of being turned away.
    let _ = SockRef::from(&door).shutdown(Shutdown::Both);
    (0..workers).for_each(|_| server.unblock());
    let ended = all_ended.recv_timeout(GRACE);
    reason.context("accept connections")?;
    ensure!(
        ended == Err(RecvTimeoutError::Disconnected),
        "a request was not finished {} seconds after the signal to stop",
        GRACE.as_secs()
    );
    Ok(())
}

/// Says on the channel that it is time to end when SIGTERM or SIGINT comes.
fn stop_on_signals(stop: Sender<io::Result<()>>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            // Only the first one is read; after that the end is under way.
            let _ = stop.send(Ok(()));
        }
    });
    Ok(())
}

/// What one worker answers from.
struct Desk {
    ledger: PathBuf,
    zone: Zone,
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
        let question = match route(method, target, self.yesterday()?) {
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

/// Always with a Content-Length. The 405 names what is allowed.
fn response(reply: Reply) -> Response<Cursor<Vec<u8>>> {
    let header = |name: &str, value: &str| {
        Header::from_bytes(name, value).expect("the names and values below are plain ASCII")
    };
    let response = Response::from_string(reply.body)
        .with_status_code(reply.status)
        .with_header(header("Content-Type", "application/json"))
        .with_chunked_threshold(usize::MAX);
    match reply.status {
        405 => response.with_header(header("Allow", "GET, HEAD")),
        _ => response,
    }
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

    #[test]
    fn only_loopback_is_listened_on() {
        for address in ["0.0.0.0:8888", "192.0.2.1:8888", "[::]:8888"] {
            assert_eq!(
                listen(address.parse().unwrap()).unwrap_err().to_string(),
                format!(
                    "listen on {address}: only loopback addresses are served, such as 127.0.0.1:8888"
                )
            );
        }
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(listener.local_addr().unwrap().port(), 0);
    }
}
