//! A socket that clients connect to: bind, accept, find a place and a thread for each connection, and an end that lets
//! the answers in hand finish. One thread a connection, their number bounded. The server has a second listener where
//! `/metrics` has an address of its own.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use socket2::{Domain, SockRef, Socket, Type};

use super::access_log::LogThrottle;
use super::clients::Clients;
use super::connection;
use super::connections::Full;
use super::request::BadRequest;
use crate::plural::plural;

/// Connections that wait to be accepted, if the system allows that many. Clients beyond that try again after a second.
const BACKLOG: i32 = 4096;

/// The stack of a connection's thread. Only the part in use takes memory. Measured without optimisation, over TLS and
/// with bcrypt: 320 KiB suffice to compress an answer of 58 MiB and to add up a year of 1,000 accounts, 304 do not.
const STACK: usize = 2 << 20;

/// Connections beyond the limits that get an answer at the same time; any more are closed without one.
pub const MOST_REJECTED: usize = 32;

/// How long to pause when the system cannot accept for lack of a resource.
const REST: Duration = Duration::from_millis(50);

/// Accepts clients until it is drained.
pub struct Listener {
    clients: Arc<Clients>,
    socket: TcpListener,
}

/// Binds an address. Whether the server may listen on it is checked by `may_listen`.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("listen on {address}"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Connections inherit it. Without it, an answer may wait 40 ms for the client's acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Listener {
    /// Starts to accept clients.
    pub fn open(socket: TcpListener, clients: Clients) -> anyhow::Result<Listener> {
        let clients = Arc::new(clients);
        let accepting = (clients.clone(), socket.try_clone()?);
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || accept(&accepting.0, &accepting.1))?;
        Ok(Listener { clients, socket })
    }

    /// Stops accepting, lets answers in progress finish, and returns how many had to be cut off.
    pub fn drain(&self, deadline: Instant) -> usize {
        self.clients.connections.drain();
        // Shutting the socket down wakes the thread that accepts; closing it would not. If a system refuses that, new
        // connections are not rejected but stay unanswered.
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Both);
        self.clients.connections.wait_until_empty(deadline)
    }
}

/// Accepts until the listener is drained. No error ends it: a server that cannot accept for a while must not
/// stay deaf forever.
fn accept(clients: &Arc<Clients>, socket: &TcpListener) {
    let errors = LogThrottle::default();
    loop {
        let accepted = socket.accept();
        if clients.connections.is_draining() {
            return;
        }
        match accepted {
            Ok((socket, peer)) => receive(clients, Arc::new(socket), peer.ip().to_canonical()),
            Err(err) if err.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(err) => {
                errors.note(&clients.state.log, || format!("accept a connection: {err}"));
                thread::sleep(REST);
            }
        }
    }
}

/// Finds a slot and a thread for a connection, or rejects it.
fn receive(clients: &Arc<Clients>, socket: Arc<TcpStream>, peer: IpAddr) {
    let counted_in = !clients.proxies.trusts(peer);
    let admitted = clients.connections.admit(&socket, peer, counted_in);
    let evicted = clients.connections.take_evicted();
    if evicted > 0 {
        clients.state.metrics.evicted(evicted);
        clients.evictions.note(&clients.state.log, || {
            let some = plural(evicted as u64, "connection");
            format!("server.max_connections is reached: {some} sent away for others")
        });
    }
    let slot = match admitted {
        Ok(slot) => slot,
        Err(full) => return reject(clients, socket, peer, &full),
    };
    let own = clients.clone();
    let spawned = thread::Builder::new()
        .name("connection".to_owned())
        .stack_size(STACK)
        .spawn(move || connection::serve(&own, &slot, socket, peer));
    if let Err(err) = spawned {
        clients.rejections.note(&clients.state.log, || {
            format!("{peer}: no thread for a connection: {err}")
        });
    }
}

/// Rejects a connection beyond the limits.
fn reject(clients: &Arc<Clients>, socket: Arc<TcpStream>, peer: IpAddr, full: &Full) {
    let why = match full {
        Full::Address => BadRequest::new(429, "too many connections from this address"),
        Full::Server => BadRequest::new(503, "too many connections"),
        // Closed without an answer, as all later ones are.
        Full::Draining => return,
    };
    clients.rejections.note(&clients.state.log, || {
        format!("{peer}: {} {}", why.status, why.message)
    });
    let rejected = Rejected::count(clients);
    if clients.rejected.load(Ordering::SeqCst) > MOST_REJECTED {
        return;
    }
    // If no thread can be started, the connection is closed without an answer.
    let _ = thread::Builder::new()
        .name("rejection".to_owned())
        .stack_size(STACK)
        .spawn(move || connection::reject(&rejected.0, socket, peer, &why));
}

/// Counts a connection as being rejected until it is dropped.
struct Rejected(Arc<Clients>);

impl Rejected {
    fn count(clients: &Arc<Clients>) -> Rejected {
        clients.rejected.fetch_add(1, Ordering::SeqCst);
        Rejected(clients.clone())
    }
}

impl Drop for Rejected {
    fn drop(&mut self) {
        self.0.rejected.fetch_sub(1, Ordering::SeqCst);
    }
}
