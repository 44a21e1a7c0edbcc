//! One usage row as CloudStack wrote it, cut down to what the program needs: 120 bytes, so that a day of
//! ten thousand accounts fits in memory. Texts are folded into the row's identity on reading.

use std::hash::{DefaultHasher, Hasher};

/// A row of `cloud_usage.cloud_usage`. Ids are 0 where the column is NULL: CloudStack's begin at 1.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageRow {
    pub id: u64,
    pub zone_id: u64,
    pub account_id: u64,
    /// The column allows NULL.
    pub usage_type: Option<u32>,
    /// Hours, bytes or requests, by usage type; finite and not negative.
    pub raw_usage: f64,
    pub vm_instance_id: u64,
    pub offering_id: u64,
    pub template_id: u64,
    pub usage_id: u64,
    /// Bytes, where the usage type has a size at all.
    pub size: Option<u64>,
    /// First second of the window, since 1970 UTC.
    pub start: i64,
    /// First second after the window: one more than the inclusive `end_date`. Never before `start`.
    pub end: i64,
    pub hidden: bool,
    /// False for a backup row whose `usage_display` does not end in `Hrs`: before CloudStack 4.15.2 such
    /// a row could hold a size where the hours belong.
    pub raw_is_hours: bool,
    pub identity: Identity,
}

/// What makes two rows of one window the same fact: a 128-bit hash over usage type, zone, account, VM,
/// offering, template, usage id, type, size, virtual size, network, CPU, memory, state and description.
/// Left out on purpose: id, raw value, dates, display text, whether it is hidden or was seen by quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(u64, u64);

/// Takes the parts of an identity in a fixed order; a missing part differs from an empty or zero one. Used
/// for row after row, so that its buffer is made once.
#[derive(Default)]
pub struct IdentityHasher {
    parts: Vec<u8>,
}

impl IdentityHasher {
    pub fn missing(&mut self) {
        self.parts.push(0);
    }

    pub fn number(&mut self, number: u64) {
        self.parts.push(1);
        self.parts.extend(number.to_le_bytes());
    }

    pub fn text(&mut self, text: &[u8]) {
        self.parts.push(2);
        self.parts.extend(text.len().to_le_bytes());
        self.parts.extend(text);
    }

    /// The identity of the parts so far; begins anew.
    pub fn finish(&mut self) -> Identity {
        let hash = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(&self.parts);
            hasher.finish()
        };
        let identity = Identity(hash(0), hash(1));
        self.parts.clear();
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(parts: &[Option<&str>]) -> Identity {
        let mut hasher = IdentityHasher::default();
        for part in parts {
            match part {
                Some(text) => hasher.text(text.as_bytes()),
                None => hasher.missing(),
            }
        }
        hasher.finish()
    }

    #[test]
    fn identities_tell_parts_apart() {
        assert_eq!(identity(&[Some("ab"), None]), identity(&[Some("ab"), None]));
        assert_ne!(identity(&[Some("ab"), None]), identity(&[None, Some("ab")]));
        assert_ne!(
            identity(&[Some("ab"), Some("c")]),
            identity(&[Some("a"), Some("bc")])
        );
        assert_ne!(identity(&[Some("")]), identity(&[None]));
        let mut hasher = IdentityHasher::default();
        hasher.number(0);
        assert_ne!(hasher.finish(), identity(&[None]));
        assert_eq!(hasher.finish(), identity(&[]));
    }

    #[test]
    fn a_row_stays_small() {
        assert!(size_of::<UsageRow>() <= 144, "{}", size_of::<UsageRow>());
    }
}
