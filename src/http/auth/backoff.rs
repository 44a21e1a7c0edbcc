//! Who has guessed wrong lately, and how long he has to wait: each further failure of an address doubles it. The
//! table is bounded, and so is the wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::neighbourhood::neighbourhood;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 3;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// An address that does not fail for this long is forgiven.
const FORGET: Duration = Duration::from_secs(900);

/// Addresses that are remembered; beyond it, the one that failed longest ago is forgotten.
const MOST: usize = 4096;

#[derive(Default)]
pub struct Delays {
    failed: HashMap<IpAddr, Failed>,
}

struct Failed {
    count: u32,
    last: Instant,
}

impl Delays {
    /// How long this address has to wait before another password of its is looked at.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let failed = self.failed.get(&neighbourhood(address))?;
        let doublings = failed.count.checked_sub(FREE)?;
        let wait = FIRST_WAIT
            .saturating_mul(1 << doublings.min(20))
            .min(LONGEST_WAIT);
        let left = wait.checked_sub(now.saturating_duration_since(failed.last))?;
        Some(left).filter(|left| !left.is_zero())
    }

    /// Notes a wrong password.
    pub fn note(&mut self, address: IpAddr, now: Instant) {
        let address = neighbourhood(address);
        if self.failed.len() >= MOST && !self.failed.contains_key(&address) {
            let oldest = self.failed.iter().min_by_key(|(_, failed)| failed.last);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.failed.remove(&oldest);
            }
        }
        let failed = self.failed.entry(address).or_insert(Failed {
            count: 0,
            last: now,
        });
        if now.saturating_duration_since(failed.last) > FORGET {
            failed.count = 0;
        }
        failed.count = failed.count.saturating_add(1);
        failed.last = now;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn each_failure_after_the_third_doubles_the_wait() {
        let mut delays = Delays::default();
        let now = Instant::now();
        let guesser: IpAddr = "192.0.2.1".parse().unwrap();
        let mut waits = Vec::new();
        for _ in 0..14 {
            delays.note(guesser, now);
            waits.push(delays.wait(guesser, now).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(
            waits,
            [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        );
        assert_eq!(delays.wait("192.0.2.2".parse().unwrap(), now), None);
        let later = now + LONGEST_WAIT - Duration::from_secs(10);
        assert_eq!(delays.wait(guesser, later), Some(Duration::from_secs(10)));
        assert_eq!(delays.wait(guesser, now + LONGEST_WAIT), None);
        // Forgiven after a quarter of an hour: the next one is a first again.
        let forgiven = now + FORGET + Duration::from_secs(1);
        delays.note(guesser, forgiven);
        assert_eq!(delays.wait(guesser, forgiven), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_guesser() {
        let mut delays = Delays::default();
        let now = Instant::now();
        for last in 1..=3u16 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last);
            delays.note(address.into(), now);
        }
        assert!(
            delays
                .wait("2001:db8:0:1::99".parse().unwrap(), now)
                .is_some()
        );
        assert!(
            delays
                .wait("2001:db8:0:2::99".parse().unwrap(), now)
                .is_none()
        );
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let mut delays = Delays::default();
        let now = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..=MOST as u32 {
            for _ in 0..=FREE {
                delays.note(address(number), now + Duration::from_millis(number.into()));
            }
        }
        assert_eq!(delays.failed.len(), MOST);
        assert_eq!(delays.wait(address(0), now), None);
        assert!(delays.wait(address(1), now).is_some());
        assert!(delays.wait(address(MOST as u32), now).is_some());
    }
}
