//! One usage row as CloudStack wrote it, cut down to what the program needs: 120 bytes, so that a day of
//! ten thousand accounts fits in memory. Texts are folded into the row's identity on reading. Hashes of rows
//! are stored in ledgers, so they are SipHash 1-3 with keys of zero forever.

use std::fmt;

use siphasher::sip128::SipHasher13;

/// A row of `cloud_usage.cloud_usage`. Ids are 0 where the column is NULL: CloudStack's begin at 1.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageRow {
    pub id: u64,
    pub zone_id: u32,
    pub account_id: u64,
    /// The column allows NULL.
    pub usage_type: Option<u32>,
    /// Hours, bytes or requests, by usage type; finite and not negative.
    pub raw_usage: f64,
    pub offering_id: u64,
    pub template_id: u64,
    pub usage_id: u64,
    /// Bytes, where the usage type has a size at all.
    pub size: Option<u64>,
    /// First second of the window, since 1970 UTC.
    pub start: i64,
    /// First second after the window. CloudStack cuts milliseconds off: an `end_date` of …:59 ends with its minute, any
    /// other is the first second of the window that follows. After `start`.
    pub end: i64,
    /// `vm_instance_id`; 0 if the row names no VM.
    pub vm_id: u64,
    pub hidden: bool,
    /// False for a backup row whose `usage_display` does not end in `Hrs`: before CloudStack 4.15.2 such
    /// a row could hold a size where the hours belong.
    pub raw_is_hours: bool,
    /// Whether `end_date` lies before `start_date`. Such a row amounts to nothing, and stands at its start.
    pub backwards: bool,
    pub identity: Identity,
}

/// Rows that cannot be counted, because of a value that cannot be. The text names the row and what is wrong. It
/// spoils its day and no other.
#[derive(Debug)]
pub struct BadRow(pub String);

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadRow {}

/// What makes two rows of one window the same fact: a 128-bit hash over the columns by which the usage server tells
/// resources apart, which differ by usage type (`source/identity.rs` has the table). Never id, amount or dates, nor
/// what a release formats for people.
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
        // A text's length fits 64 bits on any machine.
        self.parts.extend((text.len() as u64).to_le_bytes());
        self.parts.extend(text);
    }

    /// The identity of the parts so far; starts over.
    pub fn finish(&mut self) -> Identity {
        let hash = SipHasher13::new().hash(&self.parts);
        let identity = Identity(hash.h1, hash.h2);
        self.parts.clear();
        identity
    }
}

/// What any number of rows come to, whatever their order: how many, and the sum of their hashes. A row that is
/// added, deleted or changed in anything that decides a figure changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub rows: u64,
    pub sum: u128,
}

impl Digest {
    pub fn add(&mut self, row: &UsageRow) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(row.hash());
    }
}

impl UsageRow {
    /// 128 bits over all that decides what the row counts for. Its id is left out, and what the quota plugin writes.
    pub fn hash(&self) -> u128 {
        let flags = u64::from(self.hidden) | u64::from(self.raw_is_hours) << 1;
        let parts = [
            self.identity.0,
            self.identity.1,
            self.raw_usage.to_bits(),
            u64::from(self.size.is_some()) << 2 | flags,
            self.size.unwrap_or(0),
            self.start.cast_unsigned(),
            self.end.cast_unsigned(),
        ];
        let mut bytes = [0; 56];
        for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        SipHasher13::new().hash(&bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> UsageRow {
        UsageRow {
            id: 1,
            zone_id: 1,
            account_id: 2,
            usage_type: Some(6),
            raw_usage: 24.0,
            offering_id: 0,
            template_id: 0,
            usage_id: 3,
            size: Some(0),
            start: 1_370_044_800,
            end: 1_370_131_200,
            vm_id: 0,
            hidden: false,
            raw_is_hours: true,
            backwards: false,
            identity: identity(&[Some("volume 3"), None]),
        }
    }

    fn digest(rows: &[UsageRow]) -> Digest {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest
    }

    /// Ledgers hold digests: a change here makes every stored day look changed.
    #[test]
    fn hashes_are_the_same_for_ever() {
        let Identity(first, second) = identity(&[Some("volume 3"), None]);
        assert_eq!(
            format!("{first:016x} {second:016x}"),
            "a68d30b70690ae0f aaeb314de1545746"
        );
        assert_eq!(
            format!("{:032x}", row().hash()),
            "ec773014ecf4d153eeb29b17c4af4653"
        );
    }

    #[test]
    fn a_digest_tells_rows_apart_and_not_their_order_or_ids() {
        let other = UsageRow {
            id: 9,
            raw_usage: 23.0,
            ..row()
        };
        assert_eq!(
            digest(&[row(), other.clone()]),
            digest(&[other.clone(), row()])
        );
        assert_eq!(digest(&[UsageRow { id: 7, ..row() }]), digest(&[row()]));
        let changed = [
            UsageRow {
                raw_usage: 24.000_001,
                ..row()
            },
            UsageRow {
                size: None,
                ..row()
            },
            UsageRow {
                size: Some(1),
                ..row()
            },
            UsageRow {
                start: row().start + 1,
                ..row()
            },
            UsageRow {
                end: row().end + 1,
                ..row()
            },
            UsageRow {
                hidden: true,
                ..row()
            },
            UsageRow {
                raw_is_hours: false,
                ..row()
            },
            UsageRow {
                identity: identity(&[Some("volume 4"), None]),
                ..row()
            },
        ];
        for changed in &changed {
            assert_ne!(
                digest(std::slice::from_ref(changed)),
                digest(&[row()]),
                "{changed:?}"
            );
        }
        assert_ne!(digest(&[row(), row()]), digest(&[row()]));
    }

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
        assert!(size_of::<UsageRow>() <= 120, "{}", size_of::<UsageRow>());
    }
}
