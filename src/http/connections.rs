//! The connections there are: how many in all and from where, which of them wait for their client and since
//! when. Full, it lets the one that has waited longest go for a new one, so that nobody can hold the
//! server by doing nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

use crate::http::neighbourhood::neighbourhood;

/// A connection that was answered this recently is not sent away for another.
const RIPE: Duration = Duration::from_millis(250);

/// Nor is one that has sent something, has not been answered yet, and came this recently.
const RIPE_UNANSWERED: Duration = Duration::from_millis(50);

/// Nor is one that came this recently and has not said a word. Who has something to ask says it at once; in a flood of
/// connections that ask nothing, this is what each of them can cost.
const RIPE_SILENT: Duration = Duration::from_millis(5);

/// Silent ones that are sent away together are this part of all at most.
const SENT_AWAY_TOGETHER: usize = 16;

/// How often it is looked for somebody ripe.
const LOOK: Duration = Duration::from_millis(2);

/// How long a new connection waits for a place, and for how long then no other has to wait in vain.
const PATIENCE: Duration = Duration::from_millis(500);

/// Values of `Seat::waiting` that are not a time.
const ANSWERING: u64 = 0;
const SENT_AWAY: u64 = 1;

pub struct Table {
    began: Instant,
    most: usize,
    most_per_address: usize,
    draining: AtomicBool,
    seats: Mutex<Seats>,
    left: Condvar,
    sent_away: AtomicUsize,
}

#[derive(Default)]
struct Seats {
    taken: HashMap<u64, Arc<Seat>>,
    per_address: HashMap<IpAddr, usize>,
    next: u64,
    /// No place was found lately: until then, nobody waits for one.
    hopeless_until: Option<Instant>,
}

/// One connection's place in the table.
pub struct Seat {
    number: u64,
    /// The address as it is counted; none for those that are not counted.
    neighbourhood: Option<IpAddr>,
    pub socket: Arc<TcpStream>,
    /// Since when the client is waited for, as `Table::now` counts; or one of the two values above.
    waiting: AtomicU64,
    /// The client has sent something.
    begun: AtomicBool,
    answered: AtomicBool,
    /// An answer is on its way to the client.
    unread: AtomicBool,
}

/// Keeps a place until it is dropped, by a panic even.
pub struct Place {
    table: Arc<Table>,
    seat: Arc<Seat>,
}

#[derive(Debug, PartialEq)]
pub enum Full {
    /// That many come from this address already.
    Address,
    /// That many are being answered.
    Table,
    /// The server is ending.
    Draining,
}

impl Table {
    pub fn new(most: usize, most_per_address: usize) -> Table {
        Table {
            began: Instant::now(),
            most,
            most_per_address,
            draining: AtomicBool::new(false),
            seats: Mutex::default(),
            left: Condvar::new(),
            sent_away: AtomicUsize::new(0),
        }
    }

    /// How many have been sent away for others since this was last asked.
    pub fn count_sent_away(&self) -> usize {
        self.sent_away.swap(0, Ordering::Relaxed)
    }

    /// Finds a place for a connection. `counted` is false for proxies, who bring many clients.
    pub fn admit(
        self: &Arc<Table>,
        socket: &Arc<TcpStream>,
        peer: IpAddr,
        counted: bool,
    ) -> Result<Place, Full> {
        let neighbourhood = counted.then(|| neighbourhood(peer));
        let mut seats = self.lock();
        let deadline = Instant::now() + PATIENCE;
        let mut sent_away = None;
        loop {
            let near = neighbourhood.and_then(|address| seats.per_address.get(&address));
            if near.is_some_and(|count| *count >= self.most_per_address) {
                return Err(Full::Address);
            }
            if self.is_draining() {
                return Err(Full::Draining);
            }
            if seats.taken.len() < self.most {
                break;
            }
            let now = Instant::now();
            let hopeless = seats.hopeless_until.is_some_and(|until| now < until);
            // Once: who is sent away leaves within moments, unless the machine is very busy.
            if sent_away.is_none_or(|sent: Instant| now > sent + RIPE) {
                sent_away = self.send_some_away(&seats).then_some(now);
            }
            if now >= deadline || (hopeless && sent_away.is_none()) {
                if !hopeless {
                    seats.hopeless_until = Some(now + PATIENCE);
                }
                return Err(Full::Table);
            }
            // Somebody may leave, or become ripe.
            let wait = self.left.wait_timeout(seats, LOOK);
            seats = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        seats.hopeless_until = None;
        if let Some(address) = neighbourhood {
            *seats.per_address.entry(address).or_default() += 1;
        }
        let number = seats.next;
        seats.next += 1;
        let seat = Arc::new(Seat {
            number,
            neighbourhood,
            socket: socket.clone(),
            waiting: AtomicU64::new(self.now()),
            begun: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            unread: AtomicBool::new(false),
        });
        seats.taken.insert(number, seat.clone());
        let table = self.clone();
        Ok(Place { table, seat })
    }

    /// Sends the one away that has waited longest for its client, if there is one to be sent. Where that is one that has
    /// said nothing, some more of its kind go with it: so many come in a flood that waiting for each to leave would
    /// keep others waiting, too.
    fn send_some_away(&self, seats: &Seats) -> bool {
        let now = self.now();
        let is_ripe =
            |since: u64, seat: &Seat| since > SENT_AWAY && now >= since + seat.ripens_in();
        let seats = seats.taken.values();
        let waiting = seats.map(|seat| (seat.waiting.load(Ordering::SeqCst), seat));
        let mut ripe: Vec<_> = waiting
            .filter(|(since, seat)| is_ripe(*since, seat))
            .collect();
        ripe.sort_unstable_by_key(|(since, seat)| (*since, seat.number));
        let most = (self.most / SENT_AWAY_TOGETHER).max(1);
        let mut sent = 0;
        for (since, seat) in ripe {
            if seat.is_silent() && has_sent(&seat.socket) {
                // On a busy machine its thread has not come to read it.
                seat.begun.store(true, Ordering::Relaxed);
                if !is_ripe(since, seat) {
                    continue;
                }
            }
            if sent == most || (sent > 0 && !seat.is_silent()) {
                break;
            }
            sent += usize::from(seat.send_away(since));
            if !seat.is_silent() {
                break;
            }
        }
        self.sent_away.fetch_add(sent, Ordering::Relaxed);
        sent > 0
    }

    /// From here on a connection ends with its next answer, or at once if its client has asked nothing.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        for seat in self.lock().taken.values() {
            // What has arrived can still be read, after that there is an end. It fails only for a client
            // who has gone.
            let _ = seat.socket.shutdown(Shutdown::Read);
        }
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Waits until all have left. At the deadline the others are cut off; how many of them wait for an answer is told.
    pub fn wait_until_empty(&self, deadline: Instant) -> usize {
        let mut seats = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if seats.taken.is_empty() {
                return 0;
            }
            if left.is_zero() {
                let unfinished = seats.taken.values().filter(|seat| seat.is_unfinished());
                let count = unfinished.count();
                for seat in seats.taken.values() {
                    let _ = seat.socket.shutdown(Shutdown::Both);
                }
                return count;
            }
            let wait = self.left.wait_timeout(seats, left);
            seats = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Milliseconds since the table was made, never one of the special values.
    fn now(&self) -> u64 {
        whole_milliseconds(self.began.elapsed()) + SENT_AWAY + 1
    }

    /// What a panic of another thread leaves behind is whole: nothing here panics half-way.
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Milliseconds.
    fn ripens_in(&self) -> u64 {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        whole_milliseconds(match (is(&self.answered), is(&self.begun)) {
            (true, _) => RIPE,
            (false, true) => RIPE_UNANSWERED,
            (false, false) => RIPE_SILENT,
        })
    }

    fn is_silent(&self) -> bool {
        !self.begun.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }

    fn is_unfinished(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == ANSWERING || self.unread.load(Ordering::SeqCst)
    }

    /// Ends the connection if it still waits as it did when it was looked at.
    fn send_away(&self, since: u64) -> bool {
        let swap = |from, to| {
            let (old, new) = (Ordering::SeqCst, Ordering::SeqCst);
            self.waiting.compare_exchange(from, to, old, new).is_ok()
        };
        let goes = swap(since, SENT_AWAY);
        if goes {
            // It fails only if the client has gone first.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        goes
    }
}

impl Place {
    /// The client has sent something.
    pub fn begin(&self) {
        self.seat.begun.store(true, Ordering::Relaxed);
    }

    /// A whole request is there: from here on the connection is not sent away. False if it was already.
    pub fn begin_answer(&self) -> bool {
        let waiting = &self.seat.waiting;
        let since = waiting.load(Ordering::SeqCst);
        since > SENT_AWAY
            && waiting
                .compare_exchange(since, ANSWERING, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }

    /// An answer is on its way: it is the client's turn to read it.
    pub fn wait_for_reader(&self) {
        // First: at no time does it look as if nothing was to be finished.
        self.seat.unread.store(true, Ordering::SeqCst);
        self.wait();
    }

    /// It is the client's turn to ask again.
    pub fn wait_for_client(&self) {
        self.wait();
        self.seat.unread.store(false, Ordering::SeqCst);
    }

    fn wait(&self) {
        self.seat.answered.store(true, Ordering::Relaxed);
        self.seat.waiting.store(self.table.now(), Ordering::SeqCst);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut seats = self.table.lock();
        seats.taken.remove(&self.seat.number);
        if let Some(address) = self.seat.neighbourhood
            && let Some(count) = seats.per_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                seats.per_address.remove(&address);
            }
        }
        drop(seats);
        self.table.left.notify_all();
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
