//! What SIGHUP does: the server reads its files again and takes over what needs no restart. If something is wrong with
//! them, nothing changes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::auth::Auth;
use super::prices;
use super::state::{State, scopes_of, written_timezone};
use super::tls::Tls;
use crate::config::{Config, KeyTexts, Server};

type TakeOver = fn(&State, &Config);

/// The keys that take effect at once, and how. So does `server.users` if the server has users; every other key needs a
/// restart.
const TAKEN: [(&str, TakeOver); 4] = [
    ("main.timezone", |state, config| {
        let mut timezone = state
            .timezone
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *timezone = written_timezone(config);
    }),
    ("server.max_age", |state, config| {
        let days = config.server.max_age_days.unwrap_or(0);
        state.max_age_days.store(days, Ordering::Relaxed);
    }),
    ("server.log_format", |state, config| {
        state.log.set_format(config.server.log_format);
    }),
    ("server.max_days", |state, config| {
        let days = config.server.limits.max_days;
        state.max_days.store(days, Ordering::Relaxed);
    }),
];

pub struct Reload {
    pub tls: Option<Arc<Tls>>,
    pub state: Arc<State>,
    /// The keys that the server works by.
    pub running: KeyTexts,
}

impl Reload {
    /// Reads everything again and logs the outcome.
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
                let auth = state.auth.as_ref();
                said.extend(auth.map(|auth| users(auth, &config.server, &state)));
                said.extend(reload_prices(&config, &state));
                said.extend(self.take_over(&config));
            }
            // The error has a line for each problem.
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

    /// Takes over the changed keys that may change at any time, and names the others.
    fn take_over(&mut self, new: &Config) -> Vec<String> {
        let mut said = Vec::new();
        let mut need_restart = Vec::new();
        for (key, text) in new.texts.changed_since(&self.running) {
            let is_read_with_users = key == "server.users" && self.state.auth.is_some();
            // Prices are read whenever the configuration is, whether the file has another name or not.
            if is_read_with_users || key == "prices.file" || is_for_commands(key) {
                continue;
            }
            let Some((_, take)) = TAKEN.iter().find(|(taken, _)| *taken == key) else {
                need_restart.push(key);
                continue;
            };
            take(&self.state, new);
            self.running.set(key, text);
            said.push(match text {
                "" => format!("{key} is not set any more"),
                text => format!("{key} is {text} now"),
            });
        }
        if !need_restart.is_empty() {
            let keys = need_restart.join(", ");
            said.push(format!("{keys} changed, which takes a restart"));
        }
        said
    }
}

/// Whether only commands use a key, so that no answer depends on it.
fn is_for_commands(key: &str) -> bool {
    let sections = ["import.", "focus."];
    sections.iter().any(|section| key.starts_with(section))
        || ["main.cloud_usage_uri", "main.cloud_uri"].contains(&key)
}

/// Reads the price file again, if there is one.
fn reload_prices(config: &Config, state: &State) -> Vec<String> {
    match prices::load(config.prices.as_deref()) {
        Ok(new) => {
            let said = match (&new, state.prices()) {
                (Some(_), _) => vec!["reloaded the prices".to_owned()],
                (None, Some(_)) => vec!["there are no prices any more".to_owned()],
                (None, None) => Vec::new(),
            };
            *state.prices.write().unwrap_or_else(PoisonError::into_inner) = new;
            said
        }
        Err(err) => {
            let stay = |problem: &str| format!("the old prices stay: {problem}");
            format!("{err:#}").lines().map(stay).collect()
        }
    }
}

fn users(auth: &Auth, new: &Server, state: &State) -> String {
    match auth.reload(new.users.as_deref(), || scopes_of(&state.load_config)) {
        Ok(()) => "reloaded users and scopes".to_owned(),
        Err(err) => format!("the old users and scopes stay: {err:#}"),
    }
}
