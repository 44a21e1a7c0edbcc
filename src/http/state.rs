//! What the threads of the server share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::access_log::AccessLog;
use super::auth::{Auth, User};
use super::cache::Cache;
use super::ledger_pool::LedgerPool;
use super::metrics::Metrics;
use super::prices::ServedPrices;
use super::unread::UnreadBytes;
use crate::config::{Config, LedgerUri};
use crate::day::Day;
use crate::scope::Scope;
use crate::zones::Zones;

/// Reads the configuration again.
pub type LoadConfig = Box<dyn Fn() -> anyhow::Result<Config> + Send + Sync>;

pub struct State {
    pub ledger: LedgerUri,
    /// `main.timezone`, if it is written. Like the next two, it may change when the configuration is read again.
    pub timezone: Mutex<Option<String>>,
    pub max_days: AtomicI64,
    /// 0: the server is ready however old the newest day is.
    pub max_age_days: AtomicI64,
    /// `None`: everybody may ask.
    pub auth: Option<Auth>,
    /// The user of every request if the server has no users.
    pub anybody: User,
    pub metrics: Metrics,
    pub log: AccessLog,
    pub cache: Cache,
    pub ledgers: LedgerPool,
    pub unread: UnreadBytes,
    /// `None`: there are none. Replaced when the configuration is read again.
    pub prices: RwLock<Option<Arc<ServedPrices>>>,
    /// Whether browsers get pages.
    pub pages: bool,
    pub load_config: LoadConfig,
    /// Held while the configuration is read again, so that an older reading never replaces a newer one.
    pub reading: Mutex<()>,
}

/// `main.timezone`, if it is written.
pub fn written_timezone(config: &Config) -> Option<String> {
    config
        .zone_is_written
        .then(|| config.zone.name().to_owned())
}

/// The scopes of users as the configuration has them now.
pub fn scopes_of(load_config: &LoadConfig) -> anyhow::Result<BTreeMap<String, Scope>> {
    Ok(load_config()?.server.scopes)
}

/// Today, by these zones.
pub fn today(zones: &Zones) -> anyhow::Result<Day> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    zones.day_at(i64::try_from(now)?)
}

impl State {
    /// `main.timezone`, if it was written when the configuration was last read.
    pub fn timezone(&self) -> Option<String> {
        let timezone = self.timezone.lock().unwrap_or_else(PoisonError::into_inner);
        timezone.clone()
    }

    /// The prices as they were last read.
    pub fn prices(&self) -> Option<Arc<ServedPrices>> {
        let prices = self.prices.read().unwrap_or_else(PoisonError::into_inner);
        prices.clone()
    }

    /// Reads the changed file of users, and the scopes with it: a new user must not see more than intended.
    pub fn read_users(&self, auth: &Auth) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let read = (self.load_config)().and_then(|Config { server, .. }| {
            auth.reload(server.users.as_deref(), || scopes_of(&self.load_config))
        });
        let fault = read.err().map(|err| format!("{err:#}"));
        let is_new = auth.is_new_fault(fault.as_deref());
        match fault {
            None => self.log.note("the users have changed and were read again"),
            // The error has a line for each problem.
            Some(fault) if is_new => fault
                .lines()
                .for_each(|problem| self.log.note(&format!("the old users stay: {problem}"))),
            Some(_) => return,
        }
        self.warn_of_unused_scopes();
    }

    /// Warns of scopes without a user, which may be due to a misspelt name.
    pub fn warn_of_unused_scopes(&self) {
        for user in self.auth.iter().flat_map(Auth::scopes_without_user) {
            self.log
                .note(&format!("[scope.{user}]: there is no such user"));
        }
    }
}

/// The user of every request to a server without users.
pub fn anybody() -> User {
    User {
        name: "".into(),
        scope: Arc::new(Scope::All),
    }
}
