//! The one place where a request becomes a response: it finds the endpoint, authenticates the user, consults the cache
//! and the ledger, and counts and logs the answer. It knows no socket.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tiny_http::Method;

use super::access_log::Entry;
use super::auth::{AuthError, QuickCheck, User};
use super::cache::CacheVersion;
use super::ledger_pool::{Busy, Cost};
use super::pages;
use super::question::Question;
use super::refusal::{error, no_such_path, refuse};
use super::request::Request;
use super::response::Response;
use super::route::{self, Audience, Endpoints, Reuse, Route};
use super::state::{State, today};
use super::unread::NoRoom;
use super::v1;
use crate::db::Transient;

/// Answers a request, whatever happens, and counts and logs the answer. The caller only has to send it.
pub fn answer(state: &State, request: &Request, endpoints: Endpoints) -> Arc<Response> {
    let _in_flight = state.metrics.request_begins();
    let path = request.head.path();
    let found = route::find(path, endpoints).filter(|(route, _)| state.pages || !route.is_page());
    let name = found
        .as_ref()
        .map_or_else(|| route::name_of_nothing(path), |(route, _)| route.name);
    let audience = match (&found, endpoints) {
        (_, Endpoints::Metrics) => Audience::Anyone,
        (Some((route, _)), _) => route.audience,
        // Only users may learn which paths exist.
        (None, _) => Audience::Users,
    };
    let mut user = None;
    let answered = guarded(state, &request.head.target, || {
        match who_asks(state, request, audience) {
            Ok(known) => {
                let user = user.insert(known);
                match found {
                    Some(found) => of_endpoint(state, request, user, found),
                    None => Ok(Arc::new(match endpoints {
                        Endpoints::Metrics => error(404, "no such path: ask for /metrics"),
                        Endpoints::All | Endpoints::AllButMetrics => no_such_path(path),
                    })),
                }
            }
            Err(err) => Ok(Arc::new(unauthorized(&request.head.target, err))),
        }
    });
    let answered = match state.pages && pages::refused::is_wanted(request.head.accept.as_deref()) {
        true => pages::refused::as_page(path, &answered).map_or(answered, Arc::new),
        false => answered,
    };
    let is_head = request.head.method == Method::Head;
    let length = |response: &Response| if is_head { 0 } else { response.body.len() };
    let response = match request.unread.resize(length(&answered)) {
        Ok(()) => answered,
        Err(NoRoom) => Arc::new(no_room(&request.head.target)),
    };
    let bytes = length(&response);
    record(state, request, name, user.as_ref(), (&response, bytes));
    response
}

/// Turns an error and even a panic into an answer, and logs what happened.
fn guarded(
    state: &State,
    target: &str,
    answer: impl FnOnce() -> anyhow::Result<Arc<Response>>,
) -> Arc<Response> {
    let (response, failure) = match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(Ok(response)) => return response,
        Ok(Err(err)) if err.is::<NoRoom>() => return Arc::new(no_room(target)),
        Ok(Err(err)) if err.is::<Busy>() => {
            return Arc::new(try_again(target, "too much is being asked: try again", 1));
        }
        Ok(Err(err)) => (
            refuse(target, 503, "the ledger cannot be read"),
            format!("{err:#}"),
        ),
        Err(_) => (
            refuse(target, 500, "the server made an error"),
            "panicked".to_owned(),
        ),
    };
    let status = response.status;
    state.log.note(&format!("{status} {target:?}: {failure}"));
    Arc::new(response)
}

fn who_asks(state: &State, request: &Request, audience: Audience) -> Result<User, AuthError> {
    let Some(auth) = state.auth.as_ref().filter(|_| audience == Audience::Users) else {
        return Ok(state.anybody.clone());
    };
    if auth.has_changed(request.arrived) {
        state.read_users(auth);
    }
    let authorization = request.head.authorization.as_deref();
    match auth.quick_check(authorization, request.client, request.arrived) {
        QuickCheck::Known(user) => Ok(user),
        QuickCheck::Rejected(err) => Err(err),
        QuickCheck::NeedsBcrypt(credentials) => {
            let checked = auth.check(&credentials, request.client);
            if matches!(checked, Err(AuthError::Unauthorized)) {
                state.metrics.auth_failed();
            }
            checked
        }
    }
}

/// The kept answer to the same question if nothing has changed since, else a new one from the ledger.
fn of_endpoint(
    state: &State,
    request: &Request,
    user: &User,
    (route, arguments): (&'static Route, Vec<String>),
) -> anyhow::Result<Arc<Response>> {
    let ledger = match route.cost {
        Cost::Nothing => None,
        Cost::Bounded | Cost::High => state.cache.look(),
    };
    let yesterday = today(&state.cache.zones())?.previous();
    let max_days = state.max_days.load(Ordering::Relaxed);
    let prices = state.prices();
    let version = ledger.map(|ledger| CacheVersion {
        ledger,
        yesterday,
        max_days,
        prices: prices.as_ref().map_or(0, |prices| prices.digest),
    });
    let key = version.zip(reuse_key(route.reuse, request));
    if let Some((version, key)) = &key
        && let Some(kept) = state.cache.get(*version, key, &user.scope)
    {
        return Ok(v1::unless_known(request, kept));
    }
    let question = Question {
        state,
        request,
        user,
        parameters: route.parameters,
        formats: route.formats,
        arguments,
        yesterday,
        max_days,
        prices,
    };
    let mut ledger = state.ledgers.lease(request.client, route.cost);
    let mut answered = (route.answer)(&question, &mut ledger);
    if let Err(err) = &answered {
        ledger.close();
        if Transient::of(err).is_some() {
            // Nothing has been sent yet, and another server may have the ledger.
            answered = (route.answer)(&question, &mut ledger);
        }
    }
    if answered.is_err() {
        ledger.close();
    }
    let response = Arc::new(answered?);
    // Before the connection is given back: the next one to get it may have the same question.
    if let Some((version, key)) = &key {
        state.cache.put(*version, key, &user.scope, &response);
    }
    Ok(response)
}

/// What two requests must have in common to share an answer; `None`: they never do.
fn reuse_key<'a>(reuse: Reuse, request: &'a Request) -> Option<Cow<'a, str>> {
    let head = &request.head;
    match reuse {
        Reuse::Never => None,
        Reuse::SameTarget => Some(Cow::Borrowed(&head.target)),
        Reuse::SameForm => {
            let [accept, encoding] = [&head.accept, &head.accept_encoding]
                .map(|header| header.as_deref().unwrap_or_default());
            Some(Cow::Owned(format!("{}\n{accept}\n{encoding}", head.target)))
        }
    }
}

fn unauthorized(target: &str, err: AuthError) -> Response {
    match err {
        AuthError::Unauthorized => {
            let challenge = "Basic realm=\"rbc-usage\", charset=\"UTF-8\"";
            refuse(target, 401, "give the name and the password of a user")
                .with("WWW-Authenticate", challenge)
        }
        AuthError::Wait(left) => {
            let why =
                "too many wrong passwords for this user from this address: wait before the next";
            refuse(target, 429, why).with("Retry-After", (left.as_secs() + 1).to_string())
        }
        AuthError::Busy => try_again(target, "too many passwords are being checked: try again", 2),
    }
}

fn no_room(target: &str) -> Response {
    try_again(target, "too many answers wait to be read: try again", 1)
}

fn try_again(target: &str, why: &str, seconds: u32) -> Response {
    refuse(target, 503, why).with("Retry-After", seconds.to_string())
}

/// Counts an answer and logs it. `user` is authenticated.
fn record(
    state: &State,
    request: &Request,
    name: &'static str,
    user: Option<&User>,
    (response, bytes): (&Response, usize),
) {
    let status = response.status;
    let seconds = request.arrived.elapsed().as_secs_f64();
    state.metrics.answered(name, status, seconds);
    state.log.request(&Entry {
        peer: request.client,
        user: user.map(|user| &*user.name).filter(|name| !name.is_empty()),
        method: request.head.method.as_str(),
        target: &request.head.target,
        status,
        bytes,
        seconds,
        id: &request.id,
    });
}
