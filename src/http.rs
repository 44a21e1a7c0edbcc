//! Start, signals and orderly end of the server. Requests and answers are left to the modules below.

pub mod access_log;
pub mod answer;
pub mod auth;
pub mod cache;
pub mod client;
mod clients;
mod connection;
mod connections;
mod descriptors;
mod health;
pub mod ledger_pool;
mod listener;
pub mod metrics;
pub mod pages;
mod prices;
mod question;
mod refusal;
mod reload;
pub mod request;
pub mod response;
pub mod route;
pub mod state;
mod stream;
mod tls;
pub mod unread;
mod usage;
pub mod v1;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config;
use crate::config::LedgerUri;
use crate::plural::plural;
use crate::zones::Zones;
use access_log::AccessLog;
use auth::Auth;
use cache::Cache;
use client::Proxies;
use clients::Clients;
pub use health::may_tell;
use ledger_pool::LedgerPool;
use listener::Listener;
use metrics::Metrics;
use reload::Reload;
use route::Endpoints;
pub use state::written_timezone;
use state::{LoadConfig, State, anybody, scopes_of};
use tls::Tls;
pub use tls::look as look_at_tls;
use unread::UnreadBytes;

/// How long a client of the metrics listener has to send its request.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);

/// What makes it safe to answer other machines.
#[derive(Clone, Copy)]
pub struct Protection {
    pub tls: bool,
    pub users: bool,
    /// A proxy in front does both.
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

/// Refuses scopes if the server has no users: they would limit nobody.
pub fn may_limit(settings: &config::Server) -> anyhow::Result<()> {
    match (&settings.users, settings.scopes.keys().next()) {
        (None, Some(user)) => bail!(
            "[scope.{user}] limits nobody: server.users names no file, so everybody may ask for everything"
        ),
        _ => Ok(()),
    }
}

/// Where answers come from, and how to read the configuration again.
pub struct ServeOptions<'a> {
    pub ledger: &'a LedgerUri,
    /// The ledger's.
    pub zones: Zones,
    /// `main.timezone`, if it is written.
    pub timezone: Option<String>,
    /// The price file, if there is one.
    pub prices: Option<&'a Path>,
    /// The texts of the keys at the start, to see what has changed when they are read again.
    pub texts: config::KeyTexts,
    pub load_config: LoadConfig,
}

/// Serves until SIGTERM or SIGINT, then finishes the requests in progress. Writes a line with the address to `out` as
/// soon as it accepts requests.
pub fn serve(
    address: SocketAddr,
    settings: &config::Server,
    options: ServeOptions,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let protection = Protection {
        tls: settings.tls.is_some(),
        users: settings.users.is_some(),
        behind_proxy: settings.behind_proxy,
    };
    may_listen(address, protection)?;
    may_limit(settings)?;
    let tls = settings.tls.clone().map(Tls::load).transpose()?;
    let tls = tls.map(Arc::new);
    let users = settings.users.as_ref();
    let auth = users.map(|file| Auth::open(file, || scopes_of(&options.load_config)));
    let socket = listener::bind(address)?;
    let address = socket.local_addr()?;
    let limits = descriptors::within_descriptors(&settings.limits, settings.workers)?;
    let ledger = options.ledger;
    let state = Arc::new(State {
        ledger: ledger.to_owned(),
        timezone: Mutex::new(options.timezone),
        max_days: AtomicI64::new(limits.max_days),
        max_age_days: AtomicI64::new(settings.max_age_days.unwrap_or(0)),
        auth: auth.transpose()?,
        anybody: anybody(),
        metrics: Metrics::register(),
        log: AccessLog::start(settings.log_format)?,
        cache: Cache::new(ledger.to_owned(), options.zones),
        ledgers: LedgerPool::new(ledger.to_owned(), settings.workers),
        unread: UnreadBytes::default(),
        prices: RwLock::new(prices::load(options.prices)?),
        pages: settings.pages,
        load_config: options.load_config,
        reading: Mutex::default(),
    });
    let ends_at = tls.as_deref().map(Tls::ends_at);
    state.metrics.certificate_ends(ends_at);
    state.warn_of_unused_scopes();
    let metrics = settings.metrics_bind;
    let metrics = metrics.map(|address| open_metrics(address, settings, &state));
    let metrics = metrics.transpose()?;
    let (stop, stopped) = mpsc::channel();
    let reload = Reload {
        tls: tls.clone(),
        state: state.clone(),
        running: options.texts,
    };
    heed_signals(stop, reload)?;
    let drain_timeout = limits.drain_timeout;
    let proxies = match settings.behind_proxy {
        true => settings.trusted_proxies.clone(),
        false => Vec::new(),
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoints = match metrics {
        Some(_) => Endpoints::AllButMetrics,
        None => Endpoints::All,
    };
    let mut clients = Clients::new(state.clone(), endpoints, limits);
    (clients.proxies, clients.tls) = (Proxies(proxies), tls);
    let listener = Listener::open(socket, clients)?;
    writeln!(out, "listening on {scheme}://{address}")?;
    out.flush()?;
    notify_systemd(&[NotifyState::Ready]);

    stopped.recv()?;
    notify_systemd(&[NotifyState::Stopping]);
    let deadline = Instant::now() + drain_timeout;
    let mut cut_off = listener.drain(deadline);
    cut_off += metrics.map_or(0, |metrics| metrics.drain(deadline));
    state.log.end();
    ensure!(
        cut_off == 0,
        "a request was not finished {} after the signal to stop",
        plural(drain_timeout.as_secs(), "second")
    );
    Ok(())
}

/// Opens the listener of metrics.
fn open_metrics(
    address: SocketAddr,
    settings: &config::Server,
    state: &Arc<State>,
) -> anyhow::Result<Listener> {
    may_tell(address, settings.behind_proxy)?;
    let socket = listener::bind(address)?;
    let address = socket.local_addr()?;
    let limits = config::ServerLimits {
        max_connections: descriptors::OF_METRICS,
        max_connections_per_address: descriptors::OF_METRICS,
        header_timeout: METRICS_TIMEOUT,
        ..settings.limits.clone()
    };
    let clients = Clients::new(state.clone(), Endpoints::Metrics, limits);
    let listener = Listener::open(socket, clients)?;
    let note = format!("metrics at http://{address}/metrics");
    state.log.note(&note);
    Ok(listener)
}

/// Does nothing where systemd does not wait for it.
fn notify_systemd(state: &[NotifyState]) {
    // The server works even if systemd does not receive the message.
    let _ = sd_notify::notify(state);
}

/// Sends on the channel at SIGTERM and SIGINT, and reads the files again at SIGHUP.
fn heed_signals(stop: Sender<()>, mut reload: Reload) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    if let Ok(now) = NotifyState::monotonic_usec_now() {
                        notify_systemd(&[NotifyState::Reloading, now]);
                    }
                    reload.reload();
                    notify_systemd(&[NotifyState::Ready]);
                } else {
                    // Only the first signal counts; after that the server is stopping.
                    let _ = stop.send(());
                }
            }
        })?;
    Ok(())
}
