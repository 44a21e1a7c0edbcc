//! The gate between the network and the workers. It owns the sockets, enforces every limit and every deadline, and takes
//! nothing but one clean request without a body. What `Shared::answer` can answer it sends itself, and passes all else
//! on: tiny_http, which has no limits of its own, listens on a private socket behind it and sees nothing that a client
//! wrote. One thread a connection, their number bounded.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use ipnet::IpNet;
use socket2::{Domain, SockRef, Socket, Type};

use super::client::Proxies;
use super::connection;
use super::connections::{Full, Table};
use super::refusal::Seldom;
use super::request::refusal;
use super::state;
use super::tls::Tls;
use super::upstream::Upstream;
use crate::config::Limits;
use crate::plural::plural;

/// Connections that wait to be accepted, if the system allows as many; a burst beyond it is turned away, and comes again
/// after a second.
const BACKLOG: i32 = 4096;

/// TLS needs most of it.
const STACK: usize = 256 << 10;

/// Connections beyond the limits that are told so at the same time; more than these are just closed.
pub const MOST_TURNED_AWAY: usize = 32;

/// How long accepting rests when the system is out of something.
const REST: Duration = Duration::from_millis(50);

/// What all connections share.
pub struct Shared {
    pub server: Arc<state::Shared>,
    pub limits: Limits,
    pub table: Arc<Table>,
    pub upstream: Upstream,
    pub proxies: Proxies,
    pub tls: Option<Arc<Tls>>,
    pub ids: Ids,
    turned_away: AtomicUsize,
    crowded: Seldom,
    sendings: Seldom,
    pub handshakes: Seldom,
    pub slow_readers: Seldom,
}

/// The gate, open until it is told to drain.
pub struct Gate {
    shared: Arc<Shared>,
    door: TcpListener,
}

/// Listens. Whether the address may be listened on is said by `may_listen`.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    bind(address).with_context(|| format!("listen on {address}"))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Connections inherit it. Without it, an answer may wait 40 ms for the client's acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Gate {
    /// Lets clients in to the workers who answer at the private socket.
    pub fn open(
        listener: TcpListener,
        limits: Limits,
        proxies: Vec<IpNet>,
        tls: Option<Arc<Tls>>,
        socket: PathBuf,
        upstreams: usize,
        server: Arc<state::Shared>,
    ) -> anyhow::Result<Gate> {
        let shared = Arc::new(Shared {
            server,
            table: Arc::new(Table::new(
                limits.max_connections,
                limits.max_connections_per_address,
            )),
            limits,
            upstream: Upstream::open(socket, upstreams)?,
            proxies: Proxies(proxies),
            tls,
            ids: Ids::new(),
            turned_away: AtomicUsize::new(0),
            crowded: Seldom::default(),
            sendings: Seldom::default(),
            handshakes: Seldom::default(),
            slow_readers: Seldom::default(),
        });
        let door = listener.try_clone()?;
        let accepting = shared.clone();
        thread::Builder::new()
            .name("gate".to_owned())
            .spawn(move || accept(&accepting, &listener))?;
        Ok(Gate { shared, door })
    }

    /// Takes no new connection, lets the answers in hand finish, and tells how many had to be cut off.
    pub fn drain(&self, deadline: Instant) -> usize {
        self.shared.table.drain();
        // Shutting the socket down, and not closing it, ends the wait of the thread that accepts. Where a
        // system refuses that, connections stay unanswered from here on instead of being turned away.
        let _ = SockRef::from(&self.door).shutdown(Shutdown::Both);
        self.shared.table.wait_until_empty(deadline)
    }
}

/// Accepts until the gate is drained. No error ends it: a server that cannot accept for a while must not
/// stay deaf for ever.
fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let errors = Seldom::default();
    loop {
        let accepted = listener.accept();
        if shared.table.is_draining() {
            return;
        }
        match accepted {
            Ok((socket, peer)) => receive(shared, Arc::new(socket), peer.ip().to_canonical()),
            Err(err) if err.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(err) => {
                errors.note(&shared.server.log, || format!("accept a connection: {err}"));
                thread::sleep(REST);
            }
        }
    }
}

/// Finds a place and a thread for a connection, or turns it away.
fn receive(shared: &Arc<Shared>, socket: Arc<TcpStream>, peer: IpAddr) {
    let counted = !shared.proxies.trusts(peer);
    let admitted = shared.table.admit(&socket, peer, counted);
    let sent_away = shared.table.count_sent_away();
    if sent_away > 0 {
        shared.server.metrics.sent_away(sent_away);
        shared.sendings.note(&shared.server.log, || {
            let some = plural(sent_away as u64, "connection");
            format!("server.max_connections is reached: {some} sent away for others")
        });
    }
    let place = match admitted {
        Ok(place) => place,
        Err(full) => return turn_away(shared, socket, peer, &full),
    };
    let own = shared.clone();
    let spawned = thread::Builder::new()
        .name("connection".to_owned())
        .stack_size(STACK)
        .spawn(move || connection::serve(&own, &place, socket, peer));
    if let Err(err) = spawned {
        shared.crowded.note(&shared.server.log, || {
            format!("{peer}: no thread for a connection: {err}")
        });
    }
}

/// Says to a connection beyond the limits that it is one.
fn turn_away(shared: &Arc<Shared>, socket: Arc<TcpStream>, peer: IpAddr, full: &Full) {
    let why = match full {
        Full::Address => refusal(429, "too many connections from this address"),
        Full::Table => refusal(503, "too many connections"),
        // As all that come a moment later.
        Full::Draining => return,
    };
    shared.crowded.note(&shared.server.log, || {
        format!("{peer}: {} {}", why.status, why.message)
    });
    if shared.turned_away.fetch_add(1, Ordering::SeqCst) >= MOST_TURNED_AWAY {
        shared.turned_away.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let own = shared.clone();
    let spawned = thread::Builder::new()
        .name("turned away".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            connection::turn_away(&own, socket, peer, &why);
            own.turned_away.fetch_sub(1, Ordering::SeqCst);
        });
    if spawned.is_err() {
        shared.turned_away.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Makes the ids by which a request is found in every log: unlike those of an earlier run.
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
