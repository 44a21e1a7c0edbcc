//! What SIGHUP does: the files are read again, and what can be taken over without a restart is. What is wrong with
//! them changes nothing.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::auth::Auth;
use super::state::{State, scopes_of, written_timezone};
use super::tls::Tls;
use crate::config::{Config, Limits, Server};

pub struct Reload {
    pub tls: Option<Arc<Tls>>,
    pub state: Arc<State>,
    /// What the server works by.
    pub running: Server,
}

impl Reload {
    /// Reads everything again and logs what came of it.
    pub fn reload(&mut self) {
        let state = self.state.clone();
        let _reading = state.reading.lock();
        let mut said = Vec::new();
        let reloaded = self.tls.as_deref().map(|tls| {
            tls.reload()
                .map(|()| state.metrics.certificate_ends(Some(tls.ends_at())))
        });
        match reloaded {
            Some(Ok(())) => said.push("reloaded the certificate".to_owned()),
            Some(Err(err)) => said.push(format!("the old certificate stays: {err:#}")),
            None => {}
        }
        match (state.load_config)() {
            Ok(config) => {
                said.extend(self.take_over_timezone(written_timezone(&config)));
                let Config { server, ledger, .. } = config;
                let auth = state.auth.as_ref();
                said.extend(auth.map(|auth| users(auth, &server, &state)));
                said.extend(self.take_over(&server));
                if ledger != state.ledger {
                    let restart = "main.rbc_usage_uri changed, which takes a restart";
                    said.push(restart.to_owned());
                }
                said.extend(waiting_for_restart(&self.running, &server));
            }
            // A problem of it is a line.
            Err(err) => {
                let stays = |problem: &str| {
                    format!("the old configuration, users and scopes stay: {problem}")
                };
                said.extend(format!("{err:#}").lines().map(stays));
            }
        }
        if said.is_empty() {
            said.push("nothing to reload".to_owned());
        }
        for said in said {
            state.log.note(&format!("SIGHUP: {said}"));
        }
        state.warn_of_unused_scopes();
    }

    fn take_over_timezone(&self, timezone: Option<String>) -> Option<String> {
        let known = self.state.timezone.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if *known == timezone {
            return None;
        }
        *known = timezone;
        Some(match known.as_deref() {
            Some(timezone) => format!("main.timezone is {timezone} now"),
            None => "main.timezone is not written any more".to_owned(),
        })
    }

    /// Takes over the keys that may change at any time.
    fn take_over(&mut self, new: &Server) -> Vec<String> {
        let (running, state) = (&mut self.running, &self.state);
        let mut taken = Vec::new();
        if running.max_age_days != new.max_age_days {
            running.max_age_days = new.max_age_days;
            let days = new.max_age_days.unwrap_or(0);
            state.max_age_days.store(days, Ordering::Relaxed);
            taken.push(match new.max_age_days {
                Some(days) => format!("server.max_age is {days} now"),
                None => "server.max_age is not set any more".to_owned(),
            });
        }
        if running.limits.max_days != new.limits.max_days {
            running.limits.max_days = new.limits.max_days;
            let days = new.limits.max_days;
            state.max_days.store(days, Ordering::Relaxed);
            taken.push(format!("server.max_days is {days} now"));
        }
        if running.log_format != new.log_format {
            running.log_format = new.log_format;
            state.log.set_format(new.log_format);
            taken.push("server.log_format has changed".to_owned());
        }
        taken
    }
}

fn users(auth: &Auth, new: &Server, state: &State) -> String {
    match auth.reload(new.users.as_deref(), || scopes_of(&state.load_config)) {
        Ok(()) => "reloaded users and scopes".to_owned(),
        Err(err) => format!("the old users and scopes stay: {err:#}"),
    }
}

/// Keys that are not what the server works by, and cannot be until it starts again.
fn waiting_for_restart(running: &Server, new: &Server) -> Option<String> {
    // All of them but max_days, which was taken over.
    let Limits {
        max_connections,
        max_connections_per_address,
        max_header_bytes,
        max_requests_per_connection,
        max_days: _,
        handshake_timeout,
        header_timeout,
        idle_timeout,
        write_timeout,
        drain_timeout,
    } = &new.limits;
    let limits = &running.limits;
    let changed: Vec<&str> = [
        ("bind", running.bind != new.bind),
        ("workers", running.workers != new.workers),
        (
            "tls_certificate and tls_private_key",
            running.tls != new.tls,
        ),
        ("users", running.users.is_none() && new.users.is_some()),
        ("behind_proxy", running.behind_proxy != new.behind_proxy),
        (
            "trusted_proxies",
            running.trusted_proxies != new.trusted_proxies,
        ),
        ("metrics_bind", running.metrics_bind != new.metrics_bind),
        (
            "max_connections",
            limits.max_connections != *max_connections,
        ),
        (
            "max_connections_per_address",
            limits.max_connections_per_address != *max_connections_per_address,
        ),
        (
            "max_header_bytes",
            limits.max_header_bytes != *max_header_bytes,
        ),
        (
            "max_requests_per_connection",
            limits.max_requests_per_connection != *max_requests_per_connection,
        ),
        (
            "handshake_timeout",
            limits.handshake_timeout != *handshake_timeout,
        ),
        ("header_timeout", limits.header_timeout != *header_timeout),
        ("idle_timeout", limits.idle_timeout != *idle_timeout),
        ("write_timeout", limits.write_timeout != *write_timeout),
        ("drain_timeout", limits.drain_timeout != *drain_timeout),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect();
    (!changed.is_empty()).then(|| {
        format!(
            "in [server] {} changed, which takes a restart",
            changed.join(", ")
        )
    })
}
