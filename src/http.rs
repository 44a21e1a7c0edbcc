//! Starting, signals, and an orderly end. The workers answer behind the gate, each with a connection of its own to
//! the ledger. What a request asks is `route`'s business, what an answer looks like `reply`'s.

mod access_log;
mod answer;
mod auth;
mod cache;
mod client;
mod connection;
mod connections;
mod descriptors;
mod folder;
mod frame;
mod health;
mod ledger_pool;
mod listener;
mod metrics;
mod neighbourhood;
mod refusal;
mod reload;
mod request;
mod response;
mod route;
mod state;
mod stream;
mod tls;
mod unread;
mod upstream;
mod v1;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tiny_http::Server;

use crate::config;
use crate::plural::plural;
use crate::zones::Zones;
use access_log::Log;
use answer::{Checked, Desk, MOST_WAITING};
use auth::Auth;
use cache::Memory;
pub use health::may_tell;
use ledger_pool::Ledgers;
use listener::Gate;
use metrics::Metrics;
use reload::Reload;
pub use state::written_timezone;
use state::{Reread, Shared, anybody, scopes_of};
use tls::Tls;
pub use tls::look as look_at_tls;

/// Connections of the gate to each worker: while one is being answered, the next request is there already.
const UPSTREAMS: usize = 2;

/// What workers may take to end once there is nothing left to answer.
const GRACE: Duration = Duration::from_secs(1);

/// What makes it safe to answer others than this machine.
#[derive(Clone, Copy)]
pub struct Protection {
    pub tls: bool,
    pub users: bool,
    /// Somebody else sees to both.
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

/// Refuses scopes where nobody is asked who he is, so that everybody may see everything.
pub fn may_limit(settings: &config::Server) -> anyhow::Result<()> {
    match (&settings.users, settings.scopes.keys().next()) {
        (None, Some(user)) => bail!(
            "[scope.{user}] limits nobody: server.users names no file, so everybody may ask for everything"
        ),
        _ => Ok(()),
    }
}

/// Where answers come from, and how to read the configuration again.
pub struct Ground<'a> {
    pub ledger: &'a Path,
    /// The ledger's.
    pub zones: Zones,
    /// `main.timezone`, if it is written.
    pub timezone: Option<String>,
    pub reread: Reread,
}

/// Answers until SIGTERM or SIGINT, then finishes the requests in hand. `out` gets a line with the
/// address as soon as requests are taken.
pub fn serve(
    address: SocketAddr,
    settings: &config::Server,
    ground: Ground,
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
    let auth = users.map(|file| Auth::open(file, || scopes_of(&ground.reread)));
    let listener = listener::listen(address)?;
    let address = listener.local_addr()?;
    let limits = descriptors::within_descriptors(&settings.limits, settings.workers)?;
    let log = Arc::new(Log::start(settings.log_format)?);
    let shared = Arc::new(Shared {
        ledger: ground.ledger.to_owned(),
        zones: Mutex::new(ground.zones),
        timezone: Mutex::new(ground.timezone),
        max_days: AtomicI64::new(limits.max_days),
        max_age_days: AtomicI64::new(settings.max_age_days),
        auth: auth.transpose()?,
        anybody: anybody(),
        metrics_here: settings.metrics_bind.is_none(),
        metrics: Arc::new(Metrics::new()),
        log: log.clone(),
        memory: Memory::new(ground.ledger.to_owned()),
        ledgers: Ledgers::new(settings.workers),
        reread: ground.reread,
        reading: Mutex::default(),
    });
    shared
        .metrics
        .certificate_ends(tls.as_deref().and_then(Tls::ends_at));
    shared.warn_of_strangers();
    if let Some(address) = settings.metrics_bind {
        let listener = health::listen(address, settings.behind_proxy)?;
        let address = listener.local_addr()?;
        health::answer_metrics(listener, shared.clone())?;
        log.note(&format!("metrics at http://{address}/metrics"));
    }
    let folder = folder::private_folder()?;
    let socket = folder.path().join("workers");
    let server = Arc::new(Server::http_unix(&socket).map_err(|err| anyhow!(err))?);
    let (stop, stopped) = mpsc::channel();
    let reload = Reload {
        tls: tls.clone(),
        shared: shared.clone(),
        running: settings.clone(),
    };
    heed_signals(stop.clone(), reload)?;
    let all_ended = start_workers(settings.workers, &server, &shared, &stop)?;
    let drain_timeout = limits.drain_timeout;
    let proxies = match settings.behind_proxy {
        true => settings.trusted_proxies.clone(),
        false => Vec::new(),
    };
    let upstreams = settings.workers * UPSTREAMS + MOST_WAITING;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let gate = Gate::open(listener, limits, proxies, tls, socket, upstreams, shared)?;
    writeln!(out, "listening on {scheme}://{address}")?;
    out.flush()?;
    tell_systemd(&[NotifyState::Ready]);

    let reason = stopped.recv()?;
    tell_systemd(&[NotifyState::Stopping]);
    let deadline = Instant::now() + drain_timeout;
    let cut_off = gate.drain(deadline);
    (0..settings.workers).for_each(|_| server.unblock());
    let ended = all_ended.recv_timeout(deadline.saturating_duration_since(Instant::now()) + GRACE);
    log.end();
    reason.context("accept connections")?;
    ensure!(
        cut_off == 0 && ended == Err(RecvTimeoutError::Disconnected),
        "a request was not finished {} after the signal to stop",
        plural(drain_timeout.as_secs(), "second")
    );
    Ok(())
}

/// Starts the workers, and the one that checks passwords for them. The channel closes when all have ended.
fn start_workers(
    workers: usize,
    server: &Arc<Server>,
    shared: &Arc<Shared>,
    stop: &Sender<io::Result<()>>,
) -> anyhow::Result<Receiver<()>> {
    // Nothing is ever sent here.
    let (working, all_ended) = mpsc::channel::<()>();
    let (checker, waiting) = mpsc::sync_channel(MOST_WAITING);
    let checked = Arc::new(Checked::default());
    for number in 1..=workers {
        let (server, stop, checker) = (server.clone(), stop.clone(), checker.clone());
        let (working, checked) = (working.clone(), checked.clone());
        let mut desk = Desk::new(shared.clone());
        thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(move || {
                let _working = working;
                desk.work(&server, &checker, &checked, &stop);
            })?;
    }
    let (desk, server) = (Desk::new(shared.clone()), server.clone());
    thread::Builder::new()
        .name("passwords".to_owned())
        .spawn(move || {
            let _working = working;
            desk.check_passwords(&waiting, &checked, &server);
        })?;
    Ok(all_ended)
}

/// Does nothing where systemd does not wait for it.
fn tell_systemd(state: &[NotifyState]) {
    // Who asked to be told and does not listen gets nothing; the server works all the same.
    let _ = sd_notify::notify(state);
}

/// Says on the channel that it is time to end when SIGTERM or SIGINT comes, and reads files again at SIGHUP.
fn heed_signals(stop: Sender<io::Result<()>>, mut reload: Reload) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    if let Ok(now) = NotifyState::monotonic_usec_now() {
                        tell_systemd(&[NotifyState::Reloading, now]);
                    }
                    reload.reload();
                    tell_systemd(&[NotifyState::Ready]);
                } else {
                    // Only the first one is read; after that the end is under way.
                    let _ = stop.send(Ok(()));
                }
            }
        })?;
    Ok(())
}
