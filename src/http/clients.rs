//! What the connections of one listener share, and the ids of their requests.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::access_log::LogThrottle;
use super::client::Proxies;
use super::connections::Connections;
use super::route::Endpoints;
use super::state::State;
use super::tls::Tls;
use crate::config::ServerLimits;

/// What the connections of a listener share.
pub struct Clients {
    pub state: Arc<State>,
    pub endpoints: Endpoints,
    pub limits: ServerLimits,
    pub connections: Arc<Connections>,
    pub proxies: Proxies,
    pub tls: Option<Arc<Tls>>,
    pub ids: Ids,
    pub rejected: AtomicUsize,
    pub rejections: LogThrottle,
    pub evictions: LogThrottle,
    pub failed_handshakes: LogThrottle,
    pub slow_readers: LogThrottle,
}

impl Clients {
    pub fn new(state: Arc<State>, endpoints: Endpoints, limits: ServerLimits) -> Clients {
        Clients {
            state,
            endpoints,
            connections: Arc::new(Connections::new(
                limits.max_connections,
                limits.max_connections_per_address,
            )),
            limits,
            proxies: Proxies(Vec::new()),
            tls: None,
            ids: Ids::new(),
            rejected: AtomicUsize::new(0),
            rejections: LogThrottle::default(),
            evictions: LogThrottle::default(),
            failed_handshakes: LogThrottle::default(),
            slow_readers: LogThrottle::default(),
        }
    }
}

/// Makes the ids by which a request is found in every log. They differ from those of earlier runs.
pub struct Ids {
    run: u32,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Ids {
        // Half of a random number is random.
        let run = (RandomState::new().hash_one(0) >> 32) as u32;
        let next = AtomicU64::new(1);
        Ids { run, next }
    }

    pub fn next(&self) -> String {
        format!(
            "{:08x}-{:x}",
            self.run,
            self.next.fetch_add(1, Ordering::Relaxed)
        )
    }
}
