//! The table of open connections: how many there are, from which addresses, and which of them have been waiting for
//! their client, and for how long. When the table is full, a new connection evicts the one that has waited longest, so
//! that no client can block the server by doing nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

use super::client::rate_limit_key;

/// A connection that was answered more recently than this is not evicted.
const EVICTABLE_AFTER: Duration = Duration::from_millis(250);

/// The same for a connection that has sent something, is not answered yet, and was opened this recently.
const EVICTABLE_UNANSWERED: Duration = Duration::from_millis(50);

/// The same for a silent connection that was opened this recently. Clients that have a request send it at once; in a
/// flood of connections that send nothing, this is the time that each of them can cost.
const EVICTABLE_SILENT: Duration = Duration::from_millis(5);

/// At most one in this many connections is evicted at a time, if all of those are silent.
const EVICTED_TOGETHER: usize = 16;

/// How often a new connection looks for one that can be evicted.
const LOOK: Duration = Duration::from_millis(2);

/// How long a new connection waits for a slot. If it gets none, others are rejected at once for this long.
const PATIENCE: Duration = Duration::from_millis(500);

/// Values of `Peer::waiting` that are not times.
const ANSWERING: u64 = 0;
const EVICTED: u64 = 1;

pub struct Connections {
    began: Instant,
    most: usize,
    most_per_address: usize,
    draining: AtomicBool,
    slots: Mutex<Slots>,
    left: Condvar,
    evicted: AtomicUsize,
}

#[derive(Default)]
struct Slots {
    taken: HashMap<u64, Arc<Peer>>,
    per_address: HashMap<IpAddr, usize>,
    next: u64,
    /// Until then, new connections do not wait for a slot, because one has just waited in vain.
    full_until: Option<Instant>,
}

/// One connection in the table.
pub struct Peer {
    number: u64,
    /// The address as it is counted; `None` for connections that are not counted.
    key: Option<IpAddr>,
    pub socket: Arc<TcpStream>,
    /// When the wait for the client began, as `Connections::now` counts, or one of the two values above.
    waiting: AtomicU64,
    /// The client has sent something.
    begun: AtomicBool,
    answered: AtomicBool,
    /// An answer is on its way to the client.
    unread: AtomicBool,
}

/// Holds a place in the table until it is dropped, even by a panic.
pub struct Slot {
    connections: Arc<Connections>,
    peer: Arc<Peer>,
}

#[derive(Debug, PartialEq)]
pub enum Full {
    /// `most_per_address` connections come from this address already.
    Address,
    /// All places are taken by connections that cannot be evicted.
    Server,
    /// The server is stopping.
    Draining,
}

impl Connections {
    pub fn new(most: usize, most_per_address: usize) -> Connections {
        Connections {
            began: Instant::now(),
            most,
            most_per_address,
            draining: AtomicBool::new(false),
            slots: Mutex::default(),
            left: Condvar::new(),
            evicted: AtomicUsize::new(0),
        }
    }

    /// How many connections have been evicted since the last call.
    pub fn take_evicted(&self) -> usize {
        self.evicted.swap(0, Ordering::Relaxed)
    }

    /// Finds a slot for a connection. `counted` is false for proxies, which serve many clients from one address.
    pub fn admit(
        self: &Arc<Connections>,
        socket: &Arc<TcpStream>,
        peer: IpAddr,
        counted: bool,
    ) -> Result<Slot, Full> {
        let key = counted.then(|| rate_limit_key(peer));
        let mut slots = self.lock();
        let deadline = Instant::now() + PATIENCE;
        let mut evicted = None;
        loop {
            let near = key.and_then(|address| slots.per_address.get(&address));
            if near.is_some_and(|count| *count >= self.most_per_address) {
                return Err(Full::Address);
            }
            if self.is_draining() {
                return Err(Full::Draining);
            }
            if slots.taken.len() < self.most {
                break;
            }
            let now = Instant::now();
            let full = slots.full_until.is_some_and(|until| now < until);
            // Once: an evicted connection leaves within moments, unless the machine is very busy.
            if evicted.is_none_or(|sent: Instant| now > sent + EVICTABLE_AFTER) {
                evicted = self.evict_some(&slots).then_some(now);
            }
            if now >= deadline || (full && evicted.is_none()) {
                if !full {
                    slots.full_until = Some(now + PATIENCE);
                }
                return Err(Full::Server);
            }
            // A connection may end or become evictable.
            let wait = self.left.wait_timeout(slots, LOOK);
            slots = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        slots.full_until = None;
        if let Some(address) = key {
            *slots.per_address.entry(address).or_default() += 1;
        }
        let number = slots.next;
        slots.next += 1;
        let peer = Arc::new(Peer {
            number,
            key,
            socket: socket.clone(),
            waiting: AtomicU64::new(self.now()),
            begun: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            unread: AtomicBool::new(false),
        });
        slots.taken.insert(number, peer.clone());
        let connections = self.clone();
        Ok(Slot { connections, peer })
    }

    /// Evicts the connection that has waited longest for its client, if any can be evicted. If that one is silent, more
    /// silent ones go with it: a flood has so many that evicting them one by one would keep others waiting.
    fn evict_some(&self, slots: &Slots) -> bool {
        let now = self.now();
        let is_evictable =
            |since: u64, peer: &Peer| since > EVICTED && now >= since + peer.evictable_after();
        let slots = slots.taken.values();
        let waiting = slots.map(|peer| (peer.waiting.load(Ordering::SeqCst), peer));
        let mut evictable: Vec<_> = waiting
            .filter(|(since, peer)| is_evictable(*since, peer))
            .collect();
        evictable.sort_unstable_by_key(|(since, peer)| (*since, peer.number));
        let most = (self.most / EVICTED_TOGETHER).max(1);
        let mut sent = 0;
        for (since, peer) in evictable {
            if peer.is_silent() && has_sent(&peer.socket) {
                // Its thread has not read it yet, as happens on a busy machine.
                peer.begun.store(true, Ordering::Relaxed);
                if !is_evictable(since, peer) {
                    continue;
                }
            }
            if sent == most || (sent > 0 && !peer.is_silent()) {
                break;
            }
            sent += usize::from(peer.evict(since));
            if !peer.is_silent() {
                break;
            }
        }
        self.evicted.fetch_add(sent, Ordering::Relaxed);
        sent > 0
    }

    /// From now on, a connection ends after its next answer, or at once if no request has arrived on it.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        for peer in self.lock().taken.values() {
            // What has arrived can still be read; then the stream ends. This fails only if the client has gone.
            let _ = peer.socket.shutdown(Shutdown::Read);
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Waits until all connections have ended. At the deadline, the rest are cut off; returns how many of those were
    /// still owed an answer.
    pub fn wait_until_empty(&self, deadline: Instant) -> usize {
        let mut slots = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if slots.taken.is_empty() {
                return 0;
            }
            if left.is_zero() {
                let unfinished = slots.taken.values().filter(|peer| peer.is_unfinished());
                let count = unfinished.count();
                for peer in slots.taken.values() {
                    let _ = peer.socket.shutdown(Shutdown::Both);
                }
                return count;
            }
            let wait = self.left.wait_timeout(slots, left);
            slots = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Milliseconds since the table was made, never one of the special values.
    fn now(&self) -> u64 {
        whole_milliseconds(self.began.elapsed()) + EVICTED + 1
    }

    /// A panic of another thread leaves the table whole: nothing here panics halfway.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// How many milliseconds it has to wait before it can be evicted.
    fn evictable_after(&self) -> u64 {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        whole_milliseconds(match (is(&self.answered), is(&self.begun)) {
            (true, _) => EVICTABLE_AFTER,
            (false, true) => EVICTABLE_UNANSWERED,
            (false, false) => EVICTABLE_SILENT,
        })
    }

    fn is_silent(&self) -> bool {
        !self.begun.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }

    fn is_unfinished(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == ANSWERING || self.unread.load(Ordering::SeqCst)
    }

    /// Ends the connection if it has been waiting since the given time without a break.
    fn evict(&self, since: u64) -> bool {
        let swap = |from, to| {
            let (old, new) = (Ordering::SeqCst, Ordering::SeqCst);
            self.waiting.compare_exchange(from, to, old, new).is_ok()
        };
        let goes = swap(since, EVICTED);
        if goes {
            // This fails only if the client has gone first.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        goes
    }
}

impl Slot {
    /// The client has sent something.
    pub fn begin(&self) {
        self.peer.begun.store(true, Ordering::Relaxed);
    }

    /// A whole request has arrived, so the connection can no longer be evicted. False if it has been already.
    pub fn begin_answer(&self) -> bool {
        let waiting = &self.peer.waiting;
        let since = waiting.load(Ordering::SeqCst);
        since > EVICTED
            && waiting
                .compare_exchange(since, ANSWERING, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }

    /// An answer is on its way, and the client has to read it.
    pub fn wait_for_reader(&self) {
        // Set first, so that the connection never looks finished in between.
        self.peer.unread.store(true, Ordering::SeqCst);
        self.wait();
    }

    /// The client has its answer and may send the next request.
    pub fn wait_for_client(&self) {
        self.wait();
        self.peer.unread.store(false, Ordering::SeqCst);
    }

    fn wait(&self) {
        self.peer.answered.store(true, Ordering::Relaxed);
        self.peer
            .waiting
            .store(self.connections.now(), Ordering::SeqCst);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut slots = self.connections.lock();
        slots.taken.remove(&self.peer.number);
        if let Some(address) = self.peer.key
            && let Some(count) = slots.per_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                slots.per_address.remove(&address);
            }
        }
        drop(slots);
        self.connections.left.notify_all();
    }
}

/// Whether there is something to read.
fn has_sent(socket: &TcpStream) -> bool {
    let mut byte = [0];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    rustix::net::recv(socket, &mut byte, flags).is_ok_and(|(_, count)| count > 0)
}

fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
