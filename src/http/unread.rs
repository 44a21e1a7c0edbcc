//! The bytes of answers that their clients have not read yet: bounded, and for each address, so that who does not read
//! leaves room for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::http::neighbourhood::neighbourhood;

/// All together.
const MOST: usize = 128 << 20;

/// Of one address.
const MOST_OF_ADDRESS: usize = MOST / 2;

/// Answers up to this length are not counted and never refused: there are no more of them than connections.
const SHORT: usize = 64 << 10;

#[derive(Default)]
pub struct Held {
    bytes: Mutex<Bytes>,
}

#[derive(Default)]
struct Bytes {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// Bytes that are counted until it is dropped.
pub struct Hold<'a> {
    held: &'a Held,
    address: IpAddr,
    length: usize,
}

impl Held {
    /// Counts the bytes of an answer; none: there is no room for them. Who has none there may have one that is longer
    /// than his share, and if nobody has any, it may be longer than all.
    pub fn hold(&self, address: IpAddr, length: usize) -> Option<Hold<'_>> {
        let mut hold = Hold {
            held: self,
            address: neighbourhood(address),
            length: 0,
        };
        if length > SHORT {
            let mut bytes = self.lock();
            let own = bytes.of_address.get(&hold.address).copied().unwrap_or(0);
            let fits = |before: usize, most| before == 0 || before.saturating_add(length) <= most;
            if !fits(own, MOST_OF_ADDRESS) || !fits(bytes.all, MOST) {
                return None;
            }
            bytes.all += length;
            bytes.of_address.insert(hold.address, own + length);
            hold.length = length;
        }
        Some(hold)
    }

    /// What a panic of another thread leaves behind is whole: nothing here panics half-way.
    fn lock(&self) -> MutexGuard<'_, Bytes> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.length == 0 {
            return;
        }
        let mut bytes = self.held.lock();
        bytes.all -= self.length;
        if let Some(own) = bytes.of_address.get_mut(&self.address) {
            *own -= self.length;
            if *own == 0 {
                bytes.of_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn an_address_has_a_share_and_leaves_the_rest_to_others() {
        let held = Held::default();
        let mut kept: Vec<Hold> = (0..16)
            .map(|_| held.hold(address(1), 4 * MIB).unwrap())
            .collect();
        assert!(held.hold(address(1), 4 * MIB).is_none());
        assert!(held.hold(address(1), SHORT + 1).is_none());
        kept.extend((0..16).map(|_| held.hold(address(2), 4 * MIB).unwrap()));
        // Twice 64 MiB is all there is.
        assert!(held.hold(address(5), 4 * MIB).is_none());
        kept.pop();
        assert!(held.hold(address(5), 4 * MIB).is_some());
        drop(kept);
        assert_eq!(held.lock().all, 0);
        assert!(held.lock().of_address.is_empty());
    }

    #[test]
    fn short_answers_always_have_room() {
        let held = Held::default();
        let long = held.hold(address(1), 200 * MIB);
        assert!(long.is_some());
        for from in [1, 2] {
            assert!(held.hold(address(from), 0).is_some());
            assert!(held.hold(address(from), SHORT).is_some());
            assert!(held.hold(address(from), SHORT + 1).is_none());
        }
    }

    #[test]
    fn one_long_answer_has_room_where_its_address_has_no_other() {
        let held = Held::default();
        let _first = held.hold(address(1), 64 * MIB).unwrap();
        let second = held.hold(address(2), 64 * MIB);
        assert!(second.is_some());
        assert!(held.hold(address(3), 64 * MIB).is_none());
        drop(second);
        assert!(held.hold(address(1), MIB).is_none());
        assert!(held.hold(address(3), 64 * MIB).is_some());
    }
}
