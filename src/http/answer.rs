//! What a worker does with a request: finds out who asks, answers, and logs it. A password that bcrypt has to tell of
//! is left to one thread for all, the checker, so that guesses hold up nobody who is known.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tiny_http::{Request, Response, Server};

use super::auth::{Claim, First, Refusal, User};
use super::frame;
use super::health;
use super::ledger_pool::{self, Ledger};
use super::response::{self, Reply};
use super::route::{Place, place};
use super::state::{Call, Shared};
use super::upstream::HELLO;
use super::v1;
use crate::ledger::read::Reader;
use crate::scope::Scope;

/// Requests whose passwords wait to be checked: room for a program that begins with 32 connections at once.
pub const MOST_WAITING: usize = 32;

/// How long one may wait for that.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What one worker answers from.
pub struct Desk {
    shared: Arc<Shared>,
    ledger: Ledger,
}

/// A request on its way through.
struct Task {
    request: Request,
    place: Place,
    peer: IpAddr,
    id: String,
    since: Instant,
}

/// A request that waits for the checker.
pub struct Waiting {
    task: Task,
    claim: Claim,
}

/// Requests whose passwords were right, for the next worker that is free.
#[derive(Default)]
pub struct Checked(Mutex<VecDeque<(Task, User)>>);

impl Checked {
    /// Puts it in the workers' queue: one of them is woken up for it when it is its turn.
    fn add(&self, task: Task, user: User, server: &Server) {
        self.lock().push_back((task, user));
        server.unblock();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Task, User)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    pub fn new(shared: Arc<Shared>) -> Desk {
        Desk {
            shared,
            ledger: Ledger::default(),
        }
    }

    /// Answers requests until the server is told to end or can accept no more.
    pub fn work(
        &mut self,
        server: &Server,
        checker: &SyncSender<Waiting>,
        checked: &Checked,
        stop: &Sender<io::Result<()>>,
    ) {
        loop {
            let request = match server.recv() {
                Ok(request) => request,
                Err(err) => {
                    // Woken up for one of these, or for the end.
                    let next = checked.lock().pop_front();
                    if let Some((task, user)) = next {
                        self.finish(task, &user);
                        continue;
                    }
                    // A server that cannot accept must not live on deaf: it ends, and its supervisor starts
                    // it again. When the end was asked for, the signal came first and this is not read.
                    let _ = stop.send(Err(err));
                    return;
                }
            };
            if request.url() == HELLO {
                // The gate has opened a connection. It never fails to read what it asked for.
                let _ = request.respond(Response::empty(200));
                continue;
            }
            let task = Task::of(request);
            match self.shared.who_asks(&task.call(), task.place) {
                First::Known(user) => self.finish(task, &user),
                First::Refused(refusal) => {
                    let reply = refused(&task, refusal);
                    self.send(task, None, &reply);
                }
                First::Unsure(claim) => match checker.try_send(Waiting { task, claim }) {
                    Ok(()) => {}
                    Err(TrySendError::Full(waiting) | TrySendError::Disconnected(waiting)) => {
                        let reply = too_busy(&waiting.task);
                        self.send(waiting.task, None, &reply);
                    }
                },
            }
        }
    }

    /// Checks passwords, until no worker is left to send any. Whoever has the right one is answered by a worker.
    pub fn check_passwords(&self, waiting: &Receiver<Waiting>, checked: &Checked, server: &Server) {
        while let Ok(Waiting { task, claim }) = waiting.recv() {
            if task.since.elapsed() > LONGEST_WAIT {
                let reply = too_busy(&task);
                self.send(task, None, &reply);
                continue;
            }
            let shared = self.shared.clone();
            let Some(auth) = &shared.auth else { continue };
            match auth.check(&claim, task.peer, Instant::now()) {
                Ok(user) => checked.add(task, user, server),
                Err(refusal) => {
                    if refusal == Refusal::Unauthorized {
                        self.shared.metrics.auth_failed();
                    }
                    let reply = refused(&task, refusal);
                    self.send(task, None, &reply);
                }
            }
        }
    }

    /// Answers who may ask.
    fn finish(&mut self, task: Task, user: &User) {
        let target = task.request.url();
        let (reply, failure) = ledger_pool::guarded(target, || self.answer(&task, user));
        if let Some(failure) = failure {
            self.ledger.close();
            self.shared.note_failure(&reply, target, &failure);
        }
        self.send(task, Some(user), &reply);
    }

    /// Fails only if the ledger cannot be read.
    fn answer(&mut self, task: &Task, user: &User) -> anyhow::Result<Reply> {
        let shared = self.shared.clone();
        match task.place {
            Place::Health => Ok(response::json(200, &serde_json::json!({"status": "alive"}))),
            Place::Ready => {
                let read = self.ledger.reader(&shared).and_then(Reader::state);
                match &read {
                    Ok(state) => shared.follow(&state.zones),
                    Err(err) => {
                        self.ledger.close();
                        shared.log.note(&format!("not ready: {err:#}"));
                    }
                }
                let today = shared.today()?;
                let max_age_days = shared.max_age_days.load(Ordering::Relaxed);
                let timezone = shared.timezone();
                Ok(health::readiness(
                    read,
                    timezone.as_deref(),
                    today,
                    max_age_days,
                ))
            }
            // Somebody who is limited to some accounts has no business with the sum of all.
            Place::Metrics if shared.metrics_here && *user.scope == Scope::All => {
                health::metrics(&shared, self.ledger.reader(&shared).ok())
            }
            Place::V1(_) => self.answer_v1(task, user),
            Place::Metrics | Place::Usage | Place::Other => {
                let terms = shared.terms()?;
                ledger_pool::answer(&shared, &mut self.ledger, &task.call(), user, terms)
            }
        }
    }

    fn answer_v1(&mut self, task: &Task, user: &User) -> anyhow::Result<Reply> {
        let shared = self.shared.clone();
        let request = v1::Request {
            method: task.request.method(),
            target: task.request.url(),
            accept: header(&task.request, "Accept"),
            accept_encoding: header(&task.request, "Accept-Encoding"),
            if_none_match: header(&task.request, "If-None-Match"),
        };
        let terms = v1::Terms {
            scope: &user.scope,
            max_days: shared.max_days.load(Ordering::Relaxed),
        };
        v1::answer(&request, &terms, self.ledger.reader(&shared)?)
    }

    /// Sends the reply, counts it and logs it. `user` is who has proved it.
    fn send(&self, task: Task, user: Option<&User>, reply: &Reply) {
        self.shared.note(&task.call(), task.place, user, reply);
        let mut bytes = frame::head(reply, &task.id).into_bytes();
        bytes.extend_from_slice(b"\r\n");
        if *task.request.method() != tiny_http::Method::Head {
            bytes.extend_from_slice(&reply.body);
        }
        // All at once: tiny_http's own way to respond takes two writes, and who waits wakes up for each.
        let mut writer = task.request.into_writer();
        // A client that has gone away needs no answer.
        let _ = writer.write_all(&bytes).and_then(|()| writer.flush());
    }
}

impl Task {
    /// Peer and id are in headers that only the gate can write.
    fn of(request: Request) -> Task {
        let peer = header(&request, "X-Rbc-Peer").and_then(|peer| peer.parse().ok());
        let id = header(&request, "X-Rbc-Request-Id")
            .unwrap_or("-")
            .to_owned();
        Task {
            place: place(request.url()),
            peer: peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            id,
            since: Instant::now(),
            request,
        }
    }

    fn call(&self) -> Call<'_> {
        Call {
            method: self.request.method().as_str(),
            target: self.request.url(),
            authorization: header(&self.request, "Authorization"),
            peer: self.peer,
            id: &self.id,
            since: self.since,
        }
    }
}

fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    let mut headers = request.headers().iter();
    let header = headers.find(|header| header.field.equiv(name))?;
    Some(header.value.as_str())
}

fn refused(task: &Task, refusal: Refusal) -> Reply {
    let target = task.request.url();
    match refusal {
        Refusal::Unauthorized => {
            let mut reply =
                response::refusal(target, 401, "give the name and the password of a user");
            let challenge = "Basic realm=\"rbc-usage\", charset=\"UTF-8\"".to_owned();
            reply.headers.push(("WWW-Authenticate", challenge));
            reply
        }
        Refusal::Wait(left) => {
            let why = "too many wrong passwords from this address: wait before the next";
            retry_after(response::refusal(target, 429, why), left.as_secs() + 1)
        }
    }
}

fn too_busy(task: &Task) -> Reply {
    let why = "too many passwords are being checked: try again";
    retry_after(response::refusal(task.request.url(), 503, why), 2)
}

fn retry_after(mut reply: Reply, seconds: u64) -> Reply {
    reply.headers.push(("Retry-After", seconds.to_string()));
    reply
}
