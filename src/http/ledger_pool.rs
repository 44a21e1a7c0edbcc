//! Answers to `/usage`: by whoever holds a connection to the ledger, a worker or the gate. What is wrong with the ledger
//! is an answer too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::auth::User;
use super::cache::Terms;
use super::response::{self, Reply};
use super::route::route;
use super::state::{Call, Shared};
use crate::ledger::read::Reader;

/// A connection to the ledger that is kept from one request to the next; none before the first and after a failure.
#[derive(Default)]
pub struct Ledger(Option<Reader>);

impl Ledger {
    /// A deleted file can still be read by who has it open, so it is looked for each time.
    pub fn reader(&mut self, shared: &Shared) -> anyhow::Result<&mut Reader> {
        let reader = match self.0.take().and_then(Reader::if_current) {
            Some(reader) => reader,
            None => Reader::open(&shared.ledger)?,
        };
        Ok(self.0.insert(reader))
    }

    pub fn close(&mut self) {
        self.0 = None;
    }
}

/// How long a request waits for a connection before it is left to a worker.
const QUEUE: Duration = Duration::from_secs(2);

/// Connections to the ledger for whoever needs one for a moment.
pub struct Ledgers {
    idle: Mutex<Vec<Ledger>>,
    freed: Condvar,
}

impl Ledgers {
    pub fn new(number: usize) -> Ledgers {
        Ledgers {
            idle: Mutex::new((0..number).map(|_| Ledger::default()).collect()),
            freed: Condvar::new(),
        }
    }

    /// Lends a connection; `None`: all were in use for too long. `act` does not panic.
    pub fn lend<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> Option<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let none = |idle: &mut Vec<Ledger>| idle.is_empty();
        let waited = self.freed.wait_timeout_while(idle, QUEUE, none);
        let mut ledger = waited.unwrap_or_else(PoisonError::into_inner).0.pop()?;
        let done = act(&mut ledger);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(ledger);
        drop(idle);
        self.freed.notify_one();
        Some(done)
    }
}

/// Fails only if the ledger cannot be read.
pub fn answer(
    shared: &Shared,
    ledger: &mut Ledger,
    call: &Call,
    user: &User,
    terms: Terms,
) -> anyhow::Result<Reply> {
    let Terms {
        yesterday,
        max_days,
    } = terms;
    let question = match route(call.method, call.target, yesterday, max_days) {
        Ok(question) => question,
        Err(reply) => return Ok(reply),
    };
    let reader = ledger.reader(shared)?;
    let usage = reader.account_usage(&question.uuid, question.range, &user.scope)?;
    Ok(match usage {
        Some(usage) => {
            shared.follow(&usage.zones);
            response::usage(question.range, &usage)
        }
        None => {
            let uuid = question.uuid;
            response::error(404, &format!("no account or project has the uuid {uuid}"))
        }
    })
}

/// Turns an error and even a panic into a reply, and tells what happened.
pub fn guarded(
    target: &str,
    answer: impl FnOnce() -> anyhow::Result<Reply>,
) -> (Reply, Option<String>) {
    match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(Ok(reply)) => (reply, None),
        Ok(Err(err)) => {
            let reply = response::refusal(target, 503, "the ledger cannot be read");
            (reply, Some(format!("{err:#}")))
        }
        Err(_) => {
            let reply = response::refusal(target, 500, "the server made an error");
            (reply, Some("panicked".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_answered_with_500() {
        let (reply, failure) = guarded("/usage/u", || panic!("a panic on purpose"));
        assert_eq!(reply, response::error(500, "the server made an error"));
        assert_eq!(failure.as_deref(), Some("panicked"));
    }

    #[test]
    fn an_error_is_answered_with_503_and_told_in_full() {
        let (reply, failure) = guarded("/usage/u", || {
            Err(anyhow::anyhow!("disk I/O error").context("ledger x"))
        });
        assert_eq!(reply, response::error(503, "the ledger cannot be read"));
        assert_eq!(failure.as_deref(), Some("ledger x: disk I/O error"));
    }
}
