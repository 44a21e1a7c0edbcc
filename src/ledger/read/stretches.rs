//! What accounts were called and which domains they were in, stretch of days by stretch.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::accounts::Account;
use super::domains::DomainState;
use super::reader::Snapshot;
use crate::day::{Day, DayRange};
use crate::db::params;

/// Days on which an account had one name and one domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    pub days: DayRange,
    pub name: String,
    /// None: not known.
    pub domain: Option<Rc<DomainState>>,
    /// None: it is no project's, or it is not known what it was called.
    pub project_name: Option<String>,
}

/// By the accounts' ids, oldest first. Days that are in no stretch are not asked for.
pub type Stretches = BTreeMap<i64, Vec<Stretch>>;

/// Every stretch of these accounts, so that each day of theirs is in one.
pub fn list_stretches(snapshot: &Snapshot, accounts: &[Account]) -> anyhow::Result<Stretches> {
    let ids: Vec<i64> = accounts.iter().map(|account| account.id).collect();
    let mut domains: BTreeMap<i64, Rc<DomainState>> = BTreeMap::new();
    let mut stretches: Stretches = BTreeMap::new();
    let days = all_days()?;
    let connection = snapshot.connection();
    connection.each(STATES, params! {":ids": ids.as_slice()}, |row| {
        let domain = match row.get::<Option<i64>>(3)? {
            Some(id) => {
                let new = Rc::new(DomainState {
                    id,
                    uuid: row.get(4)?,
                    path: row.get(5)?,
                    lineage: row.get(6)?,
                });
                Some(domains.entry(id).or_insert(new).clone())
            }
            None => None,
        };
        let list = stretches.entry(row.get(0)?).or_default();
        // What is known first holds for the days before as well: nothing else is known of them.
        let since = match list.last_mut() {
            Some(before) => {
                let since: Day = row.get(1)?;
                before.days = DayRange::new(before.days.first(), since.previous())?;
                since
            }
            None => days.first(),
        };
        list.push(Stretch {
            days: DayRange::new(since, days.last())?,
            name: row.get(2)?,
            domain,
            project_name: row.get(7)?,
        });
        Ok(())
    })?;
    let unused: Vec<&Account> = accounts
        .iter()
        .filter(|account| !stretches.contains_key(&account.id))
        .collect();
    let own = match unused.is_empty() {
        true => BTreeMap::new(),
        false => list_own_domains(snapshot, &unused)?,
    };
    for account in unused {
        let stretch = Stretch {
            days,
            name: account.name.clone(),
            domain: own.get(&account.id).cloned(),
            project_name: account.project_name.clone(),
        };
        stretches.insert(account.id, vec![stretch]);
    }
    Ok(stretches)
}

/// The domains of accounts that have used nothing, so that no day says which domain they were in.
fn list_own_domains(
    snapshot: &Snapshot,
    accounts: &[&Account],
) -> anyhow::Result<BTreeMap<i64, Rc<DomainState>>> {
    let ids: Vec<i64> = accounts.iter().map(|account| account.id).collect();
    let connection = snapshot.connection();
    let domains = connection.list(OWN_DOMAINS, params! {":ids": ids.as_slice()}, |row| {
        let domain = DomainState {
            id: row.get(1)?,
            uuid: row.get(2)?,
            path: row.get(3)?,
            lineage: row.get(4)?,
        };
        Ok((row.get(0)?, Rc::new(domain)))
    })?;
    Ok(domains.into_iter().collect())
}

const OWN_DOMAINS: &str = "select a.id, d.id, d.uuid, nullif(d.path, ''), d.lineage
     from stored_accounts a
     join stored_domains d on d.uuid = a.domain_uuid and d.path = coalesce(a.domain_path, '')
     where a.id in rarray(:ids)
     order by a.id, d.id";

const STATES: &str =
    "select s.account_id, s.since_day, s.name, d.id, d.uuid, nullif(d.path, ''), d.lineage, s.project_name
     from account_states s
     left join stored_domains d on d.id = s.domain_id
     where s.account_id in rarray(:ids)
     order by s.account_id, s.since_day";

/// Every day there can be.
pub fn all_days() -> anyhow::Result<DayRange> {
    let (first, last) = (
        Day::from_calendar(1970, 1, 1)?,
        Day::from_calendar(9999, 12, 30)?,
    );
    Ok(DayRange::new(first, last)?)
}

/// Days of an account with what they are counted under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share<'a> {
    pub days: DayRange,
    /// The domain on the last of them.
    pub domain: Option<&'a DomainState>,
}

/// The fewest runs of days that these stretches are made of; a new one begins where the domain's uuid changes, if they
/// are told apart by domain.
pub fn shares(stretches: &[Stretch], by_domain: bool) -> anyhow::Result<Vec<Share<'_>>> {
    let mut shares: Vec<Share> = Vec::new();
    for stretch in stretches {
        let domain = stretch.domain.as_deref();
        let uuid = |domain: Option<&DomainState>| domain.map(|domain| domain.uuid.clone());
        match shares.last_mut() {
            Some(last)
                if last.days.last().next() == stretch.days.first()
                    && (!by_domain || uuid(last.domain) == uuid(domain)) =>
            {
                last.days = DayRange::new(last.days.first(), stretch.days.last())?;
                last.domain = domain;
            }
            Some(_) | None => shares.push(Share {
                days: stretch.days,
                domain,
            }),
        }
    }
    Ok(shares)
}
