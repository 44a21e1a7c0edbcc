//! What a worker does with a request: finds out who asks, answers, and logs it. A password that bcrypt has to tell of
//! is left to one thread for all, the checker, so that guesses hold up nobody who is known.

use std::io::{self, Cursor};
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tiny_http::{Header, Request, Response, Server};

use super::auth::{Auth, Claim, First, Refusal, User};
use super::gate;
use super::health;
use super::log::{Entry, Log};
use super::memory::{Memory, Moment};
use super::metrics::Metrics;
use super::reply::{self, Reply};
use super::route::{Place, place, route};
use super::v1;
use crate::day::Day;
use crate::ledger::read::Reader;
use crate::scope::Scope;
use crate::zone::Zone;

/// Requests whose passwords wait to be checked.
pub const MOST_WAITING: usize = 16;

/// How long one may wait for that.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What all workers share.
pub struct Shared {
    pub ledger: PathBuf,
    pub zone: Zone,
    /// May change, as the next one, when the configuration is read again.
    pub max_days: AtomicI64,
    pub max_age_days: AtomicI64,
    /// None: everybody may ask.
    pub auth: Option<Auth>,
    /// Whether `/metrics` is answered here, and not by a listener of its own.
    pub metrics_here: bool,
    pub metrics: Arc<Metrics>,
    pub log: Arc<Log>,
}

/// What one worker answers from.
pub struct Desk {
    shared: Arc<Shared>,
    /// Kept from one request to the next; none before the first and after a failure.
    reader: Option<Reader>,
    /// What was read by that reader.
    memory: Memory,
}

/// A request on its way through.
struct Call {
    request: Request,
    place: Place,
    peer: IpAddr,
    id: String,
    since: Instant,
}

/// A request that waits for the checker.
pub struct Waiting {
    call: Call,
    claim: Claim,
}

impl Desk {
    pub fn new(shared: Arc<Shared>) -> Desk {
        Desk {
            shared,
            reader: None,
            memory: Memory::default(),
        }
    }

    /// Answers requests until the server is told to end or can accept no more.
    pub fn work(
        &mut self,
        server: &Server,
        checker: &SyncSender<Waiting>,
        stop: &Sender<io::Result<()>>,
    ) {
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
            let call = Call::of(request);
            match self.who_asks(&call) {
                First::Known(user) => self.finish(call, &user),
                First::Refused(refusal) => {
                    let reply = refused(&call, refusal);
                    self.send(call, None, reply);
                }
                First::Unsure(claim) => match checker.try_send(Waiting { call, claim }) {
                    Ok(()) => {}
                    Err(TrySendError::Full(waiting) | TrySendError::Disconnected(waiting)) => {
                        let reply = too_busy(&waiting.call);
                        self.send(waiting.call, None, reply);
                    }
                },
            }
        }
    }

    /// Checks passwords and answers those who have the right one, until no worker is left to send any.
    pub fn check_passwords(&mut self, waiting: &Receiver<Waiting>) {
        while let Ok(Waiting { call, claim }) = waiting.recv() {
            if call.since.elapsed() > LONGEST_WAIT {
                let reply = too_busy(&call);
                self.send(call, None, reply);
                continue;
            }
            let shared = self.shared.clone();
            let Some(auth) = &shared.auth else { continue };
            match auth.check(&claim, call.peer, Instant::now()) {
                Ok(user) => self.finish(call, &user),
                Err(refusal) => {
                    if refusal == Refusal::Unauthorized {
                        self.shared.metrics.auth_failed();
                    }
                    let reply = refused(&call, refusal);
                    self.send(call, None, reply);
                }
            }
        }
    }

    fn who_asks(&self, call: &Call) -> First {
        let anybody = || {
            First::Known(User {
                name: "".into(),
                scope: Arc::new(Scope::All),
            })
        };
        let Some(auth) = self.shared.auth.as_ref().filter(|_| !call.place.is_open()) else {
            return anybody();
        };
        let (now, log) = (Instant::now(), &self.shared.log);
        match auth.refresh(now) {
            Some(Ok(())) => log.note("the users have changed and were read again"),
            Some(Err(err)) => log.note(&format!("the old users stay: {err:#}")),
            None => {}
        }
        auth.first(header(&call.request, "Authorization"), call.peer, now)
    }

    /// Answers who may ask.
    fn finish(&mut self, call: Call, user: &User) {
        let target = call.request.url();
        let (reply, failure) = guarded(target, || self.answer(&call, user));
        if let Some(failure) = failure {
            self.reader = None;
            let (status, target) = (reply.status, call.request.url());
            self.shared
                .log
                .note(&format!("{status} {target:?}: {failure}"));
        }
        self.send(call, Some(user), reply);
    }

    /// Fails only if the ledger cannot be read.
    fn answer(&mut self, call: &Call, user: &User) -> anyhow::Result<Reply> {
        let shared = self.shared.clone();
        match call.place {
            Place::Health => Ok(reply::json(200, &serde_json::json!({"status": "alive"}))),
            Place::Ready => {
                let today = self.today()?;
                let read = self.current_reader().and_then(Reader::state);
                if let Err(err) = &read {
                    self.reader = None;
                    shared.log.note(&format!("not ready: {err:#}"));
                }
                Ok(health::readiness(
                    read.ok(),
                    today,
                    shared.max_age_days.load(Ordering::Relaxed),
                ))
            }
            // Somebody who is limited to some accounts has no business with the sum of all.
            Place::Metrics if shared.metrics_here && *user.scope == Scope::All => {
                health::metrics(&shared, self.current_reader().ok())
            }
            Place::V1(_) => self.answer_v1(call, user),
            Place::Metrics | Place::Usage | Place::Other => self.answer_usage(call, user),
        }
    }

    fn answer_usage(&mut self, call: &Call, user: &User) -> anyhow::Result<Reply> {
        let yesterday = self.today()?.previous();
        let (method, target) = (call.request.method(), call.request.url());
        let max_days = self.shared.max_days.load(Ordering::Relaxed);
        let question = match route(method, target, yesterday, max_days) {
            Ok(question) => question,
            Err(reply) => return Ok(reply),
        };
        let changes = self.current_reader()?.changes()?;
        let moment = Moment { changes, yesterday };
        if let Some(reply) = self.memory.recall(moment, target, &user.scope) {
            return Ok(reply);
        }
        let usage =
            self.current_reader()?
                .account_usage(&question.uuid, question.range, &user.scope)?;
        let reply = match usage {
            Some(usage) => reply::usage(question.range, &usage),
            None => {
                let uuid = question.uuid;
                reply::error(404, &format!("no account or project has the uuid {uuid}"))
            }
        };
        self.memory.keep(target, &user.scope, &reply);
        Ok(reply)
    }

    fn answer_v1(&mut self, call: &Call, user: &User) -> anyhow::Result<Reply> {
        let shared = self.shared.clone();
        let request = v1::Request {
            method: call.request.method(),
            target: call.request.url(),
            accept: header(&call.request, "Accept"),
            accept_encoding: header(&call.request, "Accept-Encoding"),
            if_none_match: header(&call.request, "If-None-Match"),
        };
        let terms = v1::Terms {
            scope: &user.scope,
            zone: &shared.zone,
            max_days: shared.max_days.load(Ordering::Relaxed),
        };
        v1::answer(&request, &terms, self.current_reader()?)
    }

    fn today(&self) -> anyhow::Result<Day> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        self.shared.zone.day_at(i64::try_from(now)?)
    }

    /// A deleted file can still be read by who has it open, so it is looked for each time.
    fn current_reader(&mut self) -> anyhow::Result<&mut Reader> {
        let reader = match self.reader.take().filter(Reader::is_current) {
            Some(reader) => reader,
            None => {
                self.memory = Memory::default();
                Reader::open(&self.shared.ledger)?
            }
        };
        Ok(self.reader.insert(reader))
    }

    /// Sends the reply, counts it and logs it. `user` is who has proved it.
    fn send(&self, call: Call, user: Option<&User>, mut reply: Reply) {
        reply.headers.push(("X-Request-Id", call.id.clone()));
        let status = reply.status;
        let bytes = match call.request.method() {
            tiny_http::Method::Head => 0,
            _ => reply.body.len(),
        };
        let seconds = call.since.elapsed().as_secs_f64();
        self.shared
            .metrics
            .answered(call.place.name(), status, seconds);
        self.shared.log.request(&Entry {
            peer: call.peer,
            user: user.map(|user| &*user.name).filter(|name| !name.is_empty()),
            method: call.request.method().as_str(),
            target: call.request.url(),
            status,
            bytes,
            seconds,
            id: &call.id,
        });
        // A client that has gone away needs no answer.
        let _ = call.request.respond(response(reply));
    }
}

impl Call {
    /// Peer and id are in headers that only the gate can write.
    fn of(request: Request) -> Call {
        let peer = header(&request, "X-Rbc-Peer").and_then(|peer| peer.parse().ok());
        let id = header(&request, "X-Rbc-Request-Id")
            .unwrap_or("-")
            .to_owned();
        Call {
            place: place(request.url()),
            peer: peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            id,
            since: Instant::now(),
            request,
        }
    }
}

fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    let mut headers = request.headers().iter();
    let header = headers.find(|header| header.field.equiv(name))?;
    Some(header.value.as_str())
}

fn refused(call: &Call, refusal: Refusal) -> Reply {
    let target = call.request.url();
    match refusal {
        Refusal::Unauthorized => {
            let mut reply = reply::refusal(target, 401, "give the name and the password of a user");
            let challenge = "Basic realm=\"rbc-usage\", charset=\"UTF-8\"".to_owned();
            reply.headers.push(("WWW-Authenticate", challenge));
            reply
        }
        Refusal::Wait(left) => {
            let why = "too many wrong passwords from this address: wait before the next";
            retry_after(reply::refusal(target, 429, why), left.as_secs() + 1)
        }
    }
}

fn too_busy(call: &Call) -> Reply {
    let why = "too many passwords are being checked: try again";
    retry_after(reply::refusal(call.request.url(), 503, why), 2)
}

fn retry_after(mut reply: Reply, seconds: u64) -> Reply {
    reply.headers.push(("Retry-After", seconds.to_string()));
    reply
}

/// Turns an error and even a panic into a reply, and tells what happened.
fn guarded(
    target: &str,
    answer: impl FnOnce() -> anyhow::Result<Reply>,
) -> (Reply, Option<String>) {
    match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(Ok(reply)) => (reply, None),
        Ok(Err(err)) => {
            let reply = reply::refusal(target, 503, "the ledger cannot be read");
            (reply, Some(format!("{err:#}")))
        }
        Err(_) => {
            let reply = reply::refusal(target, 500, "the server made an error");
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
        let (reply, failure) = guarded("/usage/u", || panic!("a panic on purpose"));
        assert_eq!(reply, reply::error(500, "the server made an error"));
        assert_eq!(failure.as_deref(), Some("panicked"));
    }

    #[test]
    fn an_error_is_answered_with_503_and_told_in_full() {
        let (reply, failure) = guarded("/usage/u", || {
            Err(anyhow::anyhow!("disk I/O error").context("ledger x"))
        });
        assert_eq!(reply, reply::error(503, "the ledger cannot be read"));
        assert_eq!(failure.as_deref(), Some("ledger x: disk I/O error"));
    }
}
