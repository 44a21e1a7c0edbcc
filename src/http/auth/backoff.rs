//! Wrong passwords, and the wait that they cause: each further failure for one user from one address doubles the wait
//! for that pair, so that other users at the address are not affected. The table is bounded, and so is the wait.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::client::rate_limit_key;

/// The failure that the first wait follows: people mistype once or twice.
const FIRST_WITH_WAIT: u32 = 3;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Failures are forgotten after this long without another.
const FORGET: Duration = Duration::from_secs(900);

/// Pairs of an address and a user that are remembered; beyond that, the pair that failed longest ago is forgotten. It
/// takes hours of guesses to push a pair out.
const MOST: usize = 65_536;

#[derive(Default)]
pub struct Backoff {
    failed: HashMap<Guesser, Failed>,
    names: RandomState,
}

/// An address, and a hash of the user's name, which can be as long as a client likes.
type Guesser = (IpAddr, u64);

struct Failed {
    count: u32,
    last: Instant,
}

impl Backoff {
    /// How long until the next password for this user from this address is checked.
    pub fn wait(&self, address: IpAddr, user: &str, now: Instant) -> Option<Duration> {
        let failed = self.failed.get(&self.guesser(address, user))?;
        let doublings = failed.count.checked_sub(FIRST_WITH_WAIT)?;
        let wait = FIRST_WAIT
            .saturating_mul(1 << doublings.min(20))
            .min(LONGEST_WAIT);
        let left = wait.checked_sub(now.saturating_duration_since(failed.last))?;
        Some(left).filter(|left| !left.is_zero())
    }

    /// Notes a wrong password.
    pub fn note(&mut self, address: IpAddr, user: &str, now: Instant) {
        let guesser = self.guesser(address, user);
        if self.failed.len() >= MOST && !self.failed.contains_key(&guesser) {
            let oldest = self.failed.iter().min_by_key(|(_, failed)| failed.last);
            if let Some(oldest) = oldest.map(|(guesser, _)| *guesser) {
                self.failed.remove(&oldest);
            }
        }
        let failed = self.failed.entry(guesser).or_insert(Failed {
            count: 0,
            last: now,
        });
        if now.saturating_duration_since(failed.last) > FORGET {
            failed.count = 0;
        }
        failed.count = failed.count.saturating_add(1);
        failed.last = now;
    }

    fn guesser(&self, address: IpAddr, user: &str) -> Guesser {
        (rate_limit_key(address), self.names.hash_one(user))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn each_failure_after_the_third_doubles_the_wait() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let guesser: IpAddr = "192.0.2.1".parse().unwrap();
        let mut waits = Vec::new();
        for _ in 0..14 {
            backoff.note(guesser, "jane", now);
            waits.push(
                backoff
                    .wait(guesser, "jane", now)
                    .map_or(0, |wait| wait.as_secs()),
            );
        }
        assert_eq!(
            waits,
            [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        );
        assert_eq!(
            backoff.wait("192.0.2.2".parse().unwrap(), "jane", now),
            None
        );
        let later = now + LONGEST_WAIT - Duration::from_secs(10);
        assert_eq!(
            backoff.wait(guesser, "jane", later),
            Some(Duration::from_secs(10))
        );
        assert_eq!(backoff.wait(guesser, "jane", now + LONGEST_WAIT), None);
        // Forgiven after a quarter of an hour: the next one is a first again.
        let forgiven = now + FORGET + Duration::from_secs(1);
        backoff.note(guesser, "jane", forgiven);
        assert_eq!(backoff.wait(guesser, "jane", forgiven), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_guesser() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        for last in 1..=3u16 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last);
            backoff.note(address.into(), "jane", now);
        }
        assert!(
            backoff
                .wait("2001:db8:0:1::99".parse().unwrap(), "jane", now)
                .is_some()
        );
        assert!(
            backoff
                .wait("2001:db8:0:2::99".parse().unwrap(), "jane", now)
                .is_none()
        );
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..=MOST as u32 {
            for _ in 0..=FIRST_WITH_WAIT {
                backoff.note(
                    address(number),
                    "jane",
                    now + Duration::from_millis(number.into()),
                );
            }
        }
        assert_eq!(backoff.failed.len(), MOST);
        assert_eq!(backoff.wait(address(0), "jane", now), None);
        assert!(backoff.wait(address(1), "jane", now).is_some());
        assert!(backoff.wait(address(MOST as u32), "jane", now).is_some());
    }
}
