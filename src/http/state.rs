//! What the threads of the server share, gate and workers alike, and what each of them does in the same way: find out
//! who asks, answer what takes no worker, count and log an answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::access_log::{Entry, Log};
use super::auth::{Auth, First, User};
use super::cache::{Memory, Moment, Terms};
use super::ledger_pool::{self, Ledgers};
use super::metrics::Metrics;
use super::response::Reply;
use super::route::{Place, place};
use crate::config::Config;
use crate::day::Day;
use crate::scope::Scope;
use crate::zones::Zones;

/// Reads the configuration again.
pub type Reread = Box<dyn Fn() -> anyhow::Result<Config> + Send + Sync>;

/// `main.timezone`, if it is written.
pub fn written_timezone(config: &Config) -> Option<String> {
    config
        .zone_is_written
        .then(|| config.zone.name().to_owned())
}

/// What the configuration limits users to by now.
pub fn scopes_of(reread: &Reread) -> anyhow::Result<BTreeMap<String, Scope>> {
    Ok(reread()?.server.scopes)
}

pub struct Shared {
    pub ledger: PathBuf,
    /// The ledger's, when it was last looked at.
    pub zones: Mutex<Zones>,
    /// `main.timezone`, if it is written; may change, as the next ones, when the configuration is read again.
    pub timezone: Mutex<Option<String>>,
    pub max_days: AtomicI64,
    pub max_age_days: AtomicI64,
    /// None: everybody may ask.
    pub auth: Option<Auth>,
    /// Who asks where everybody may.
    pub anybody: User,
    /// Whether `/metrics` is answered here, and not by a listener of its own.
    pub metrics_here: bool,
    pub metrics: Arc<Metrics>,
    pub log: Arc<Log>,
    pub memory: Memory,
    /// For the gate.
    pub ledgers: Ledgers,
    pub reread: Reread,
    /// Held by whoever reads the configuration again, so that nobody puts in place what is older.
    pub reading: Mutex<()>,
}

/// A request, as far as everybody has to know it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub method: &'a str,
    pub target: &'a str,
    /// The header's value.
    pub authorization: Option<&'a str>,
    pub peer: IpAddr,
    pub id: &'a str,
    /// When it was there.
    pub since: Instant,
}

impl Shared {
    /// The answer to a question of `/usage` by somebody who is known: one that was given before, if nothing has changed
    /// since, or else a new one, unless all connections to the ledger are in use for long. It is counted and logged: all that is left is to
    /// send it.
    pub fn answer(&self, call: &Call) -> Option<Arc<Reply>> {
        let place = place(call.target);
        if place != Place::Usage {
            return None;
        }
        let First::Known(user) = self.who_asks(call, place) else {
            return None;
        };
        let terms = self.terms().ok()?;
        let reply = match self.memory.recall(terms, call.target, &user.scope) {
            Ok(remembered) => remembered,
            Err(moment) => self.ask_the_ledger(call, &user, terms, moment)?,
        };
        self.note(call, place, Some(&user), &reply);
        Some(reply)
    }

    /// None: all connections to it were in use for too long.
    fn ask_the_ledger(
        &self,
        call: &Call,
        user: &User,
        terms: Terms,
        moment: Option<Moment>,
    ) -> Option<Arc<Reply>> {
        self.ledgers.lend(|ledger| {
            let answer = || ledger_pool::answer(self, ledger, call, user, terms);
            let (reply, failure) = ledger_pool::guarded(call.target, answer);
            if let Some(failure) = failure {
                ledger.close();
                self.note_failure(&reply, call.target, &failure);
            }
            let reply = Arc::new(reply);
            // Before the next one gets the connection: who has waited longest is not made to wait for others.
            if let Some(moment) = moment {
                self.memory.keep(moment, call.target, &user.scope, &reply);
            }
            reply
        })
    }

    /// Logs why a question was not answered as it should.
    pub fn note_failure(&self, reply: &Reply, target: &str, failure: &str) {
        let status = reply.status;
        self.log.note(&format!("{status} {target:?}: {failure}"));
    }

    pub fn who_asks(&self, call: &Call, place: Place) -> First {
        let Some(auth) = self.auth.as_ref().filter(|_| !place.is_open()) else {
            return First::Known(self.anybody.clone());
        };
        let now = Instant::now();
        if auth.has_changed(now) {
            self.read_users(auth);
        }
        auth.first(call.authorization, call.peer, now)
    }

    /// Reads users that have changed, and their scopes with them: a new user must not see more than he is meant to.
    fn read_users(&self, auth: &Auth) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let read = (self.reread)().and_then(|Config { server, .. }| {
            auth.reload(server.users.as_deref(), || scopes_of(&self.reread))
        });
        let fault = read.err().map(|err| format!("{err:#}"));
        let is_new = auth.is_new_fault(fault.as_deref());
        match fault {
            None => self.log.note("the users have changed and were read again"),
            // A problem of the configuration is a line.
            Some(fault) if is_new => fault
                .lines()
                .for_each(|problem| self.log.note(&format!("the old users stay: {problem}"))),
            Some(_) => return,
        }
        self.warn_of_strangers();
    }

    /// A limit that limits nobody may be a limit that was meant for somebody.
    pub fn warn_of_strangers(&self) {
        for user in self.auth.iter().flat_map(Auth::strangers) {
            self.log
                .note(&format!("[scope.{user}]: there is no such user"));
        }
    }

    /// What an answer depends on beside the question and the ledger.
    pub fn terms(&self) -> anyhow::Result<Terms> {
        Ok(Terms {
            yesterday: self.today()?.previous(),
            max_days: self.max_days.load(Ordering::Relaxed),
        })
    }

    pub fn today(&self) -> anyhow::Result<Day> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.day_at(i64::try_from(now)?)
    }

    /// The ledger may have been moved to another zone since.
    pub fn follow(&self, zones: &Zones) {
        let mut known = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != *zones {
            *known = zones.clone();
        }
    }

    /// `main.timezone`, if it was written when the configuration was last read.
    pub fn timezone(&self) -> Option<String> {
        let timezone = self.timezone.lock().unwrap_or_else(PoisonError::into_inner);
        timezone.clone()
    }

    /// Counts an answer and logs it. `user` is who has proved it.
    pub fn note(&self, call: &Call, place: Place, user: Option<&User>, reply: &Reply) {
        let status = reply.status;
        let seconds = call.since.elapsed().as_secs_f64();
        self.metrics.answered(place.name(), status, seconds);
        self.log.request(&Entry {
            peer: call.peer,
            user: user.map(|user| &*user.name).filter(|name| !name.is_empty()),
            method: call.method,
            target: call.target,
            status,
            bytes: if call.method == "HEAD" {
                0
            } else {
                reply.body.len()
            },
            seconds,
            id: call.id,
        });
    }
}

/// Who asks a server without users.
pub fn anybody() -> User {
    User {
        name: "".into(),
        scope: Arc::new(Scope::All),
    }
}
