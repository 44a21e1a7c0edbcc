//! Connections to the ledger, lent for one answer each. Two are reserved for questions of bounded cost, which therefore
//! never wait behind costly ones; among addresses that wait, the one that holds the fewest connections is served first.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::client::rate_limit_key;
use crate::config::LedgerUri;
use crate::ledger::read::Reader;

/// How long a question waits for a connection.
const QUEUE: Duration = Duration::from_secs(10);

/// How often a question of bounded cost lets others run before it queues.
const YIELDS: usize = 4;

/// Connections that are kept for questions of bounded cost.
pub const RESERVED: usize = 2;

/// How much work an answer may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost {
    /// It does not touch the ledger.
    Nothing,
    /// It reads as many rows of the ledger as one account or one page has.
    Bounded,
    /// It may read rows of every account.
    High,
}

pub struct LedgerPool {
    ledger: LedgerUri,
    /// How many connections costly answers may hold.
    most_high: usize,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    idle: Vec<KeptReader>,
    /// How many are lent for costly answers.
    high: usize,
    lent: HashMap<IpAddr, usize>,
    waiting: VecDeque<PoolWaiter>,
    next: u64,
}

/// A connection that stays open between answers; `None` before the first one and after a failure.
#[derive(Default)]
struct KeptReader(Option<Reader>);

/// A question that waits for a connection.
struct PoolWaiter {
    number: u64,
    key: IpAddr,
    cost: Cost,
    hand: SyncSender<KeptReader>,
}

/// The right to one connection, which is taken when it is first needed and given back when this is dropped.
pub struct Lease<'a> {
    pool: &'a LedgerPool,
    key: IpAddr,
    cost: Cost,
    connection: Option<KeptReader>,
}

/// All connections have been in use for as long as a question may wait.
#[derive(Debug)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "no connection to the ledger was free")
    }
}

impl std::error::Error for Busy {}

impl LedgerPool {
    /// For `workers` costly answers at a time, and `RESERVED` more of bounded cost.
    pub fn new(ledger: LedgerUri, workers: usize) -> LedgerPool {
        let idle = (0..workers + RESERVED).map(|_| KeptReader::default());
        LedgerPool {
            ledger,
            most_high: workers,
            places: Mutex::new(Places {
                idle: idle.collect(),
                ..Places::default()
            }),
        }
    }

    pub fn lease(&self, client: IpAddr, cost: Cost) -> Lease<'_> {
        Lease {
            pool: self,
            key: rate_limit_key(client),
            cost,
            connection: None,
        }
    }

    fn take(&self, key: IpAddr, cost: Cost) -> Result<KeptReader, Busy> {
        let mut places = self.lock();
        if let Some(connection) = places.lend(key, cost, self.most_high) {
            return Ok(connection);
        }
        // Short answers end sooner than a thread can go to sleep and wake up again.
        let tries = if cost == Cost::Bounded { YIELDS } else { 0 };
        for _ in 0..tries {
            drop(places);
            thread::yield_now();
            places = self.lock();
            if let Some(connection) = places.lend(key, cost, self.most_high) {
                return Ok(connection);
            }
        }
        let (hand, handed) = mpsc::sync_channel(1);
        let number = places.next;
        places.next += 1;
        places.waiting.push_back(PoolWaiter {
            number,
            key,
            cost,
            hand,
        });
        drop(places);
        if let Ok(connection) = handed.recv_timeout(QUEUE) {
            return Ok(connection);
        }
        // Connections are handed over under the lock: either one has arrived by now, or none will.
        let mut places = self.lock();
        places.waiting.retain(|waiting| waiting.number != number);
        handed.try_recv().map_err(|_| Busy)
    }

    fn give_back(&self, key: IpAddr, cost: Cost, connection: KeptReader) {
        let mut places = self.lock();
        places.high -= usize::from(cost == Cost::High);
        if let Some(count) = places.lent.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                places.lent.remove(&key);
            }
        }
        places.idle.push(connection);
        while let Some(next) = places.next_waiting(self.most_high) {
            let Some(waiting) = places.waiting.remove(next) else {
                return;
            };
            if let Some(connection) = places.lend(waiting.key, waiting.cost, self.most_high) {
                // This cannot fail: the channel is empty, and its receiver lives until it has left the queue.
                let _ = waiting.hand.try_send(connection);
            }
        }
    }

    /// A panic of another thread leaves the places whole: nothing here panics halfway.
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn has_room(&self, cost: Cost, most_high: usize) -> bool {
        !self.idle.is_empty() && (cost != Cost::High || self.high < most_high)
    }

    /// An idle connection, if one may be lent for such a question.
    fn lend(&mut self, key: IpAddr, cost: Cost, most_high: usize) -> Option<KeptReader> {
        if !self.has_room(cost, most_high) {
            return None;
        }
        let connection = self.idle.pop()?;
        self.high += usize::from(cost == Cost::High);
        *self.lent.entry(key).or_default() += 1;
        Some(connection)
    }

    /// The place of the next one to be served, among those that there is room for: of the address that holds the
    /// fewest connections, the one that has waited longest.
    fn next_waiting(&self, most_high: usize) -> Option<usize> {
        let waiting = self.waiting.iter().enumerate();
        let could = waiting.filter(|(_, one)| self.has_room(one.cost, most_high));
        let held = |one: &PoolWaiter| self.lent.get(&one.key).copied().unwrap_or(0);
        could
            .min_by_key(|(_, one)| held(one))
            .map(|(place, _)| place)
    }
}

impl Lease<'_> {
    /// Waits for a connection, unless it has one. An open file stays readable after it is deleted, so its path is checked
    /// each time.
    pub fn reader(&mut self) -> anyhow::Result<&mut Reader> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.pool.take(self.key, self.cost)?,
        };
        let connection = self.connection.insert(connection);
        let reader = match connection.0.take().and_then(Reader::if_current) {
            Some(reader) => reader,
            None => Reader::open(&self.pool.ledger)?,
        };
        Ok(connection.0.insert(reader))
    }

    /// Closes the connection after a failure, whose cause may lie in it.
    pub fn close(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.0 = None;
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.close();
        }
        if let Some(connection) = self.connection.take() {
            self.pool.give_back(self.key, self.cost, connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::Sender;

    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn pool(workers: usize) -> LedgerPool {
        LedgerPool::new(Path::new("none").into(), workers)
    }

    #[test]
    fn two_places_are_kept_for_questions_of_bounded_cost() {
        let pool = pool(1);
        let take = |cost| pool.lock().lend(address(1), cost, pool.most_high).is_some();
        assert!(take(Cost::High));
        assert!(!take(Cost::High));
        assert!(take(Cost::Bounded) && take(Cost::Bounded));
        assert!(!take(Cost::Bounded));
    }

    #[test]
    fn the_address_that_holds_the_fewest_is_served_next() {
        let pool = pool(2);
        let held: Vec<KeptReader> = [1, 1]
            .map(|last| pool.take(address(last), Cost::High).unwrap())
            .into();
        let (served, order) = mpsc::channel();
        let wait = |last: u8, served: Sender<u8>| {
            let connection = pool.take(address(last), Cost::High).unwrap();
            served.send(last).unwrap();
            connection
        };
        thread::scope(|scope| {
            for (count, last) in [(1, 1), (2, 1), (3, 2)] {
                let (wait, served) = (&wait, served.clone());
                scope.spawn(move || wait(last, served));
                while pool.lock().waiting.len() < count {
                    thread::yield_now();
                }
            }
            // Address 1 waits for longer, and holds another one.
            for connection in held {
                pool.give_back(address(1), Cost::High, connection);
            }
            assert_eq!(
                [order.recv().unwrap(), order.recv().unwrap()]
                    .into_iter()
                    .max(),
                Some(2)
            );
            pool.give_back(address(2), Cost::High, KeptReader::default());
            assert_eq!(order.recv().unwrap(), 1);
        });
        assert!(pool.lock().waiting.is_empty());
    }

    #[test]
    fn what_was_lent_comes_back_after_a_panic() {
        let pool = pool(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut lease = pool.lease(address(1), Cost::High);
            lease.connection = pool.take(lease.key, lease.cost).ok();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let places = pool.lock();
        assert_eq!((places.idle.len(), places.high), (1 + RESERVED, 0));
        assert!(places.lent.is_empty());
    }
}
