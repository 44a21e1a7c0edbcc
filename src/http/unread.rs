//! The bytes of answers from the moment they are made until their clients have read them: bounded in all and for each
//! address, so that clients that do not read leave room for others.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client::rate_limit_key;

/// Of all answers together.
const MOST: usize = 128 << 20;

/// Of the answers to one address.
const MOST_OF_ADDRESS: usize = MOST / 2;

/// Answers up to this length are neither counted nor refused: there are no more of them than connections.
const SHORT: usize = 64 << 10;

#[derive(Default)]
pub struct UnreadBytes {
    counts: Mutex<UnreadCounts>,
}

#[derive(Default)]
struct UnreadCounts {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// The bytes of one answer, counted until this is dropped.
pub struct Hold<'a> {
    unread: &'a UnreadBytes,
    address: IpAddr,
    length: Cell<usize>,
}

/// Too many bytes wait to be read.
#[derive(Debug)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "too many answers wait to be read")
    }
}

impl std::error::Error for NoRoom {}

impl UnreadBytes {
    /// Begins to count an answer for an address, at zero bytes.
    pub fn hold(&self, address: IpAddr) -> Hold<'_> {
        Hold {
            unread: self,
            address: rate_limit_key(address),
            length: Cell::new(0),
        }
    }

    /// A panic of another thread leaves the counts whole: nothing here panics halfway.
    fn lock(&self) -> MutexGuard<'_, UnreadCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold<'_> {
    /// Counts this many bytes instead of the previous number, if there is room for them. An address may exceed its
    /// share by a single answer, and a single answer may exceed the total.
    pub fn resize(&self, length: usize) -> Result<(), NoRoom> {
        let length = if length > SHORT { length } else { 0 };
        let before = self.length.get();
        if length == before {
            return Ok(());
        }
        let mut counts = self.unread.lock();
        let others = counts.all - before;
        let of_address = counts.of_address.get(&self.address).copied();
        let other_own = of_address.unwrap_or(0) - before;
        let fits = |others: usize, most| others == 0 || others.saturating_add(length) <= most;
        if length > before && !(fits(other_own, MOST_OF_ADDRESS) && fits(others, MOST)) {
            return Err(NoRoom);
        }
        counts.all = others + length;
        match other_own + length {
            0 => counts.of_address.remove(&self.address),
            own => counts.of_address.insert(self.address, own),
        };
        self.length.set(length);
        Ok(())
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // Fewer bytes always fit.
        let _ = self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn hold(unread: &UnreadBytes, last: u8, length: usize) -> Option<Hold<'_>> {
        let hold = unread.hold([192, 0, 2, last].into());
        hold.resize(length).is_ok().then_some(hold)
    }

    #[test]
    fn an_address_has_a_share_and_leaves_the_rest_to_others() {
        let unread = UnreadBytes::default();
        let mut kept: Vec<Hold> = (0..16)
            .map(|_| hold(&unread, 1, 4 * MIB).unwrap())
            .collect();
        assert!(hold(&unread, 1, 4 * MIB).is_none());
        assert!(hold(&unread, 1, SHORT + 1).is_none());
        kept.extend((0..16).map(|_| hold(&unread, 2, 4 * MIB).unwrap()));
        // Twice 64 MiB is all there is.
        assert!(hold(&unread, 5, 4 * MIB).is_none());
        kept.pop();
        assert!(hold(&unread, 5, 4 * MIB).is_some());
        drop(kept);
        assert_eq!(unread.lock().all, 0);
        assert!(unread.lock().of_address.is_empty());
    }

    #[test]
    fn an_answer_that_grows_is_counted_once() {
        let unread = UnreadBytes::default();
        let growing = hold(&unread, 1, MIB).unwrap();
        let other = hold(&unread, 1, 60 * MIB).unwrap();
        assert!(growing.resize(4 * MIB).is_ok());
        assert!(growing.resize(5 * MIB).is_err());
        // What did not fit is not counted.
        assert_eq!(unread.lock().all, 64 * MIB);
        drop(other);
        assert!(growing.resize(200 * MIB).is_ok());
        assert!(growing.resize(SHORT).is_ok());
        assert_eq!(unread.lock().all, 0);
    }

    #[test]
    fn short_answers_always_have_room() {
        let unread = UnreadBytes::default();
        let long = hold(&unread, 1, 200 * MIB);
        assert!(long.is_some());
        for from in [1, 2] {
            assert!(hold(&unread, from, 0).is_some());
            assert!(hold(&unread, from, SHORT).is_some());
            assert!(hold(&unread, from, SHORT + 1).is_none());
        }
    }

    #[test]
    fn one_long_answer_has_room_where_its_address_has_no_other() {
        let unread = UnreadBytes::default();
        let _first = hold(&unread, 1, 64 * MIB).unwrap();
        let second = hold(&unread, 2, 64 * MIB);
        assert!(second.is_some());
        assert!(hold(&unread, 3, 64 * MIB).is_none());
        drop(second);
        assert!(hold(&unread, 1, MIB).is_none());
        assert!(hold(&unread, 3, 64 * MIB).is_some());
    }
}
