//! One password at a time: bcrypt takes a tenth of a second of a processor, and attackers send as many guesses as they
//! can. The queue is short, and so is the wait. When it is full, passwords that were turned away before go first, since
//! programs repeat their password while attackers try the next one; then names that few others in the queue have.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Passwords that may wait: enough for a program that starts with 32 connections at once.
const MOST_WAITING: usize = 32;

/// How long one may wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Passwords that were turned away and are remembered.
const MOST_REMEMBERED: usize = 65_536;

#[derive(Default)]
pub struct Turnstile {
    queue: Mutex<Queue>,
    moved: Condvar,
    hasher: RandomState,
}

#[derive(Default)]
struct Queue {
    is_taken: bool,
    waiting: Vec<Waiting>,
    next: u64,
    turned_away: Remembered,
}

#[derive(Clone, Copy)]
struct Waiting {
    number: u64,
    /// A hash of the user's name.
    name: u64,
    /// It was turned away before.
    again: bool,
}

/// The last hashes of passwords that were turned away.
#[derive(Default)]
struct Remembered {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

/// The right to use bcrypt, until it is dropped.
pub struct Turn<'a>(&'a Turnstile);

impl Turnstile {
    /// Waits for a turn. `Err(Some(…))` is the answer of `known`, if it has one by then; `Err(None)` means that there
    /// is no room. `tag` identifies the user and the password.
    pub fn pass<T>(
        &self,
        name: &str,
        tag: &[u8],
        known: impl Fn() -> Option<T>,
    ) -> Result<Turn<'_>, Option<T>> {
        let deadline = Instant::now() + LONGEST_WAIT;
        let tag = self.hasher.hash_one(tag);
        let mut queue = self.lock();
        let number = queue.enter(self.hasher.hash_one(name), tag);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let outcome = match known() {
                Some(known) => Err(Some(known)),
                None if left.is_zero() || !queue.has(number) => {
                    queue.turned_away.add(tag);
                    Err(None)
                }
                None if !queue.is_taken && queue.first() == Some(number) => {
                    queue.is_taken = true;
                    queue.turned_away.known.remove(&tag);
                    Ok(Turn(self))
                }
                None => {
                    let wait = self.moved.wait_timeout(queue, left);
                    queue = wait.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            queue.waiting.retain(|waiting| waiting.number != number);
            drop(queue);
            // Another one may be first now.
            self.moved.notify_all();
            return outcome;
        }
    }

    /// A panic of another thread leaves the queue whole: nothing here panics halfway.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().is_taken = false;
        self.0.moved.notify_all();
    }
}

impl Queue {
    /// Adds one to the queue. If that is one too many, the last in order is removed.
    fn enter(&mut self, name: u64, tag: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push(Waiting {
            number,
            name,
            again: self.turned_away.known.contains(&tag),
        });
        if self.waiting.len() > MOST_WAITING
            && let Some(last) = self.in_order().last()
        {
            self.waiting.retain(|waiting| waiting.number != *last);
        }
        number
    }

    fn has(&self, number: u64) -> bool {
        self.waiting.iter().any(|waiting| waiting.number == number)
    }

    fn first(&self) -> Option<u64> {
        self.in_order().first().copied()
    }

    /// The numbers of those that wait, in the order of their turns.
    fn in_order(&self) -> Vec<u64> {
        let namesakes = |one: &Waiting| {
            let same = self.waiting.iter().filter(|other| other.name == one.name);
            same.count()
        };
        let mut order = self.waiting.clone();
        order.sort_by_cached_key(|one| (!one.again, namesakes(one), one.number));
        order.iter().map(|waiting| waiting.number).collect()
    }
}

impl Remembered {
    fn add(&mut self, tag: u64) {
        if !self.known.insert(tag) {
            return;
        }
        self.order.push_back(tag);
        if self.order.len() > MOST_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten guesses for one name, and then more names than there is room for.
    fn crowd(queue: &mut Queue) {
        (0..10).for_each(|tag| _ = queue.enter(0, tag));
        (1..=22).for_each(|name| _ = queue.enter(name, 100 + name));
        assert_eq!(queue.waiting.len(), MOST_WAITING);
    }

    #[test]
    fn a_name_that_few_give_goes_before_one_that_many_do() {
        let mut queue = Queue::default();
        crowd(&mut queue);
        assert_eq!(queue.first(), Some(10));
        let number = queue.enter(99, 999);
        assert!(
            queue.has(number) && !queue.has(9),
            "the last of the ten goes"
        );
        let number = queue.enter(0, 1000);
        assert!(!queue.has(number), "an eleventh has no room");
    }

    #[test]
    fn a_password_that_was_turned_away_and_comes_again_is_next() {
        let mut queue = Queue::default();
        crowd(&mut queue);
        let turned_away = queue.enter(0, 1000);
        assert!(!queue.has(turned_away));
        queue.turned_away.add(1000);
        let again = queue.enter(0, 1000);
        assert_eq!(queue.first(), Some(again));
        for tag in 0..=MOST_REMEMBERED as u64 {
            queue.turned_away.add(tag);
        }
        assert_eq!(queue.turned_away.known.len(), MOST_REMEMBERED);
    }

    #[test]
    fn one_passes_at_a_time_and_whoever_is_known_by_then_does_not_wait() {
        let turnstile = Turnstile::default();
        let nobody = || None::<()>;
        let turn = turnstile.pass("jane", b"1", nobody).unwrap();
        let known = turnstile.pass("jane", b"2", || Some("jane"));
        assert_eq!(known.err(), Some(Some("jane")));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| turnstile.pass("jane", b"3", nobody).is_ok());
            while turnstile.lock().waiting.is_empty() {
                std::thread::yield_now();
            }
            assert!(!second.is_finished());
            drop(turn);
            assert!(second.join().unwrap());
        });
        assert!(turnstile.pass("jane", b"4", nobody).is_ok());
    }
}
