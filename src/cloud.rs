//! What CloudStack's rows and ids stand for: accounts and the names of what they use, and the mark by which a day's rows
//! are known again. Values that the source reads and the ledger keeps; neither has to know the other.

use std::collections::HashMap;

use crate::id_map::IdMap;
use crate::metric::Breakdown;
use crate::resource::ResourceKind;
use crate::sku::VmSize;

/// An account as `cloud` knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudAccount {
    /// NULL in databases upgraded from long ago.
    pub uuid: Option<String>,
    pub name: String,
    pub domain_uuid: Option<String>,
    pub domain_path: Option<String>,
    /// Set for the hidden account of a project.
    pub project_uuid: Option<String>,
    pub project_name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vm {
    pub guest_os_id: u64,
    /// Seconds since 1970 UTC.
    pub removed: Option<i64>,
}

/// Uuid and name of something, each where `cloud` has it and it may be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloudName {
    pub uuid: Option<String>,
    pub name: Option<String>,
}

/// Uuid and path of a domain, such as `/a/b/`, and the uuids from the root domain down to its own: `/u1/u2/u3/`.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudDomain {
    pub uuid: Option<String>,
    pub path: Option<String>,
    pub lineage: Option<String>,
}

/// By what one CloudStack is told from another.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudIdentity {
    /// The uuid of its root domain, which each installation has made for itself; `None` where it cannot be read.
    pub root: Option<String>,
    /// Of all accounts that have one, by `account.id`.
    pub account_uuids: HashMap<u64, String>,
}

/// What ids of one day stand for. An id that `cloud` does not know is absent.
#[derive(Debug, Default)]
pub struct Names {
    pub accounts: HashMap<u64, CloudAccount>,
    /// When accounts were removed, in seconds since 1970 UTC.
    pub removed_accounts: IdMap<u64, i64>,
    /// Uuid and name by kind and id.
    pub resources: HashMap<(Breakdown, u64), (String, String)>,
    pub vms: IdMap<u64, Vm>,
    /// Guest OS id by template id.
    pub templates: HashMap<u64, u64>,
    /// Address by `user_ip_address.id`, as usage rows spell it: all that is left of a deleted range.
    pub addresses: HashMap<u64, String>,
    /// What lines are about, by kind and id. Addresses are among `resources`.
    pub used: IdMap<(ResourceKind, u64), CloudName>,
    pub zones: HashMap<u64, CloudName>,
    pub domains: HashMap<u64, CloudDomain>,
    /// By id of a service offering; nothing is known of what each VM has its own of.
    pub offering_sizes: HashMap<u64, VmSize>,
}

/// When VMs and accounts were removed, by their ids, in seconds since 1970 UTC.
#[derive(Clone, Debug, Default)]
pub struct Removals {
    pub vms: IdMap<u64, i64>,
    pub accounts: IdMap<u64, i64>,
}

impl Removals {
    /// Adds what is known of more ids.
    pub fn add(&mut self, names: &Names) {
        let vms = names.vms.iter();
        self.vms
            .extend(vms.filter_map(|(id, vm)| Some((*id, vm.removed?))));
        self.accounts.extend(&names.removed_accounts);
    }
}

/// The rows that end on a day, by count and ids: found by a walk along the index on dates alone. No row is
/// added or deleted without a change in it. And the runs that wrote parts of the day again, as one may void rows
/// without having any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub rows: u64,
    pub first: u64,
    pub last: u64,
    /// A sum of ids may pass 64 bits, and nobody adds to it.
    pub sum: String,
    /// The first second and the first row of each.
    pub again: Vec<(i64, u64)>,
}

impl Fingerprint {
    /// The range of the ids if they lie close together, as they do when one run of the usage server wrote the
    /// rows. Read in the order of ids, such rows cost a third of what the index on dates makes of them.
    pub fn close_ids(&self) -> Option<(u64, u64)> {
        let close = self.rows > 0 && self.last - self.first < 2 * self.rows;
        close.then_some((self.first, self.last))
    }
}

/// The lowest id of the rows that a fingerprint was made of, as the ledger keeps it; `None`: there were none.
pub fn first_id(fingerprint: &str) -> Option<u64> {
    let (_, ids) = fingerprint.split_once(" rows, ids ")?;
    let first = ids.split(' ').next()?.parse().ok()?;
    (first > 0).then_some(first)
}

/// What a fingerprint, as the ledger keeps it, says about runs that wrote the day again.
pub fn runs_told(fingerprint: &str) -> &str {
    fingerprint
        .find(", again since ")
        .map_or("", |start| &fingerprint[start..])
}

/// As the ledger keeps it.
impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Fingerprint {
            rows,
            first,
            last,
            sum,
            again,
        } = self;
        write!(f, "{rows} rows, ids {first} to {last}, sum {sum}")?;
        again
            .iter()
            .try_for_each(|(since, first)| write!(f, ", again since {since} from {first}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_is_read_as_it_was_written() {
        let mut fingerprint = Fingerprint {
            rows: 3,
            first: 12,
            last: 20,
            sum: "47".to_owned(),
            again: vec![(5, 18)],
        };
        assert_eq!(first_id(&fingerprint.to_string()), Some(12));
        assert_eq!(
            runs_told(&fingerprint.to_string()),
            ", again since 5 from 18"
        );
        (fingerprint.rows, fingerprint.first) = (0, 0);
        assert_eq!(first_id(&fingerprint.to_string()), None);
        assert_eq!(first_id(""), None);
    }
}
