//! One usage row as CloudStack wrote it, cut down to what the program needs: 128 bytes, so that a day of
//! ten thousand accounts fits in memory. Texts are folded into the row's identity on reading. Hashes of rows
//! are stored in ledgers, so they are SipHash 1-3 with keys of zero forever.

use std::fmt;

use siphasher::sip128::SipHasher13;

use crate::resource::ResourceKind;
use crate::sku::VmSize;

/// A row of `cloud_usage.cloud_usage`. Ids are 0 where the column is NULL: CloudStack's begin at 1.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageRow {
    pub id: u64,
    pub zone_id: u32,
    pub account_id: u64,
    /// Of the account when the usage server wrote the row.
    pub domain_id: u32,
    /// The column allows NULL.
    pub usage_type: Option<u32>,
    /// Hours, bytes or requests, by usage type; finite and not negative.
    pub raw_usage: f64,
    pub offering_id: u64,
    pub template_id: u64,
    pub usage_id: u64,
    pub particulars: Particulars,
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

/// What a row says besides ids and amounts. It depends on the usage type, so that these share one place: of VMs and
/// traffic CloudStack writes no `size`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Particulars {
    None,
    /// Bytes, where the usage type has a size at all; for some types a flag.
    Size(u64),
    /// Of a VM (1, 2), as far as its offering leaves it open.
    VmSize(VmSize),
    /// Traffic (4, 5) of a VM on a shared network.
    VmTraffic,
    /// Traffic (4, 5) of this network.
    NetworkTraffic(u64),
    /// Traffic (4, 5) of a device whose network the row does not name.
    RouterTraffic,
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
    /// `size`; `None` for NULL, and where the usage type has none.
    pub fn size(&self) -> Option<u64> {
        match self.particulars {
            Particulars::Size(size) => Some(size),
            _ => None,
        }
    }

    /// How large the VM is, as far as the row says.
    pub fn vm_size(&self) -> VmSize {
        match self.particulars {
            Particulars::VmSize(size) => size,
            _ => VmSize::default(),
        }
    }

    /// What was used: its kind, and its id in CloudStack, which is 0 if the row names none.
    pub fn resource(&self) -> (ResourceKind, u64) {
        let kind = match self.usage_type {
            Some(1 | 2) if self.usage_id == 0 => return (ResourceKind::Vm, self.vm_id),
            // `usage_id` is a flag: the default NIC or not.
            Some(13) => return (ResourceKind::Vm, self.vm_id),
            Some(4 | 5) => match self.particulars {
                Particulars::VmTraffic => ResourceKind::Vm,
                Particulars::NetworkTraffic(id) => return (ResourceKind::Network, id),
                _ => ResourceKind::Router,
            },
            Some(1 | 2 | 28) => ResourceKind::Vm,
            Some(3) => ResourceKind::IpAddress,
            Some(6 | 21..=24 | 26) => ResourceKind::Volume,
            Some(7) => ResourceKind::Template,
            Some(8) => ResourceKind::Iso,
            Some(9) => ResourceKind::Snapshot,
            Some(10) => ResourceKind::SecurityGroup,
            Some(11) => ResourceKind::LoadBalancerRule,
            Some(12) => ResourceKind::PortForwardingRule,
            Some(14) => ResourceKind::VpnUser,
            Some(25 | 27) => ResourceKind::VmSnapshot,
            Some(29) => ResourceKind::Bucket,
            Some(30) => ResourceKind::Network,
            Some(31) => ResourceKind::Vpc,
            Some(_) | None => ResourceKind::Other,
        };
        (kind, self.usage_id)
    }

    /// 128 bits over all that decides what the row counts for. Its id is left out, and what the quota plugin writes.
    pub fn hash(&self) -> u128 {
        let flags = u64::from(self.hidden) | u64::from(self.raw_is_hours) << 1;
        let parts = [
            self.identity.0,
            self.identity.1,
            self.raw_usage.to_bits(),
            u64::from(self.size().is_some()) << 2 | flags,
            self.size().unwrap_or(0),
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
            domain_id: 1,
            usage_type: Some(6),
            raw_usage: 24.0,
            offering_id: 0,
            template_id: 0,
            usage_id: 3,
            particulars: Particulars::Size(0),
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
                particulars: Particulars::None,
                ..row()
            },
            UsageRow {
                particulars: Particulars::Size(1),
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

    /// Every usage type, with 5 in `usage_id` and 9 in `vm_instance_id`.
    #[test]
    fn a_row_names_what_was_used() {
        let table: Vec<String> = (1..=32)
            .map(|usage_type| {
                let (kind, id) = UsageRow {
                    usage_type: Some(usage_type),
                    usage_id: 5,
                    vm_id: 9,
                    particulars: Particulars::NetworkTraffic(7),
                    ..row()
                }
                .resource();
                format!("{usage_type} {}:{id}", kind.name())
            })
            .collect();
        let expected = "\
1 vm:5
2 vm:5
3 ip_address:5
4 network:7
5 network:7
6 volume:5
7 template:5
8 iso:5
9 snapshot:5
10 security_group:5
11 load_balancer_rule:5
12 port_forwarding_rule:5
13 vm:9
14 vpn_user:5
15 other:5
16 other:5
17 other:5
18 other:5
19 other:5
20 other:5
21 volume:5
22 volume:5
23 volume:5
24 volume:5
25 vm_snapshot:5
26 volume:5
27 vm_snapshot:5
28 vm:5
29 bucket:5
30 network:5
31 vpc:5
32 other:5";
        assert_eq!(table.join("\n"), expected);
        let traffic = |particulars| {
            let usage_type = Some(4);
            UsageRow {
                usage_type,
                particulars,
                ..row()
            }
            .resource()
        };
        assert_eq!(traffic(Particulars::VmTraffic), (ResourceKind::Vm, 3));
        assert_eq!(
            traffic(Particulars::RouterTraffic),
            (ResourceKind::Router, 3)
        );
        let nameless = UsageRow {
            usage_type: Some(2),
            usage_id: 0,
            vm_id: 9,
            ..row()
        };
        assert_eq!(nameless.resource(), (ResourceKind::Vm, 9));
    }

    #[test]
    fn a_row_stays_small() {
        assert!(size_of::<UsageRow>() <= 128, "{}", size_of::<UsageRow>());
    }
}
