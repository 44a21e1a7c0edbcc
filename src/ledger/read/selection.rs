//! The accounts that a question is about, and the days of each: those that a user may see, those in a domain. An
//! account counts for a domain on the days that it was in it, and is as it was on the last of them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::accounts::{Account, AccountFilter, list_accounts, list_by_project, list_by_uuid};
use super::domains::{DomainState, Domains, FoundDomain};
use super::reader::{Page, Snapshot};
use super::stretches::{Stretch, Stretches, all_days, list_stretches, shares};
use crate::day::{Day, DayRange};
use crate::scope::Scope;

/// Accounts, and the days of them that are asked for.
#[derive(Clone, Debug)]
pub struct Selection {
    /// None of them without a day; as they were on the last of their days, sorted by name, then uuid.
    pub accounts: Vec<Account>,
    pub stretches: Stretches,
}

/// A user's scope, with its domains as the ledger knows them.
pub struct KnownScope<'a> {
    scope: &'a Scope,
    domain_ids: BTreeSet<i64>,
}

impl KnownScope<'_> {
    pub fn load<'a>(snapshot: &Snapshot, scope: &'a Scope) -> anyhow::Result<KnownScope<'a>> {
        let mut domain_ids = BTreeSet::new();
        if let Scope::Only(limits) = scope
            && !limits.domains.is_empty()
        {
            let domains = Domains::load(snapshot)?;
            for text in &limits.domains {
                let found = domains.find(snapshot, text)?;
                domain_ids.extend(found.into_iter().flat_map(|found| found.ids));
            }
        }
        Ok(KnownScope { scope, domain_ids })
    }

    /// Whether all days of every account may be seen.
    pub fn is_unlimited(&self) -> bool {
        *self.scope == Scope::All
    }

    fn allows(&self, account: &Account, stretch: &Stretch) -> bool {
        let names = |scope: &Scope| scope.names(&account.uuid, account.project_uuid.as_deref());
        names(self.scope) || is_in(stretch, &self.domain_ids)
    }
}

fn is_in(stretch: &Stretch, domain_ids: &BTreeSet<i64>) -> bool {
    let domain = stretch.domain.as_ref();
    domain.is_some_and(|domain| domain_ids.contains(&domain.id))
}

/// One account, and the days of it that may be seen.
#[derive(Debug)]
pub struct SeenAccount {
    /// As it is now, or as it was on the last of the days.
    pub account: Account,
    /// None: all days.
    pub stretches: Option<Vec<Stretch>>,
}

/// The account that has this uuid or whose project has it. One that is not in the scope takes the same steps as one
/// that is not there, so that the time they take does not reveal which it is.
pub fn find_account(
    snapshot: &Snapshot,
    uuid: &str,
    scope: &Scope,
) -> anyhow::Result<Option<SeenAccount>> {
    if *scope == Scope::All {
        let mut account = list_by_uuid(snapshot, uuid)?.pop();
        if account.is_none() {
            account = list_by_project(snapshot, uuid)?.pop();
        }
        return Ok(account.map(|account| SeenAccount {
            account,
            stretches: None,
        }));
    }
    let known = KnownScope::load(snapshot, scope)?;
    let mut seen = None;
    // An account's own uuid comes first.
    for accounts in [
        list_by_uuid(snapshot, uuid)?,
        list_by_project(snapshot, uuid)?,
    ] {
        let mut selection = select_from(snapshot, accounts, &known, None)?;
        let Some(account) = selection.accounts.pop() else {
            continue;
        };
        let stretches = selection.stretches.remove(&account.id);
        seen = seen.or(Some(SeenAccount { account, stretches }));
    }
    Ok(seen)
}

/// An account that has been found, with the days of it that may be seen.
pub fn select_one(snapshot: &Snapshot, seen: SeenAccount) -> anyhow::Result<Selection> {
    let SeenAccount { account, stretches } = seen;
    let accounts = vec![account];
    match stretches {
        Some(stretches) => Ok(Selection {
            stretches: Stretches::from([(accounts[0].id, stretches)]),
            accounts,
        }),
        None => Selection::whole(snapshot, accounts),
    }
}

/// Every account, with the days that may be seen and, if a domain is given, that it was in the domain.
pub fn select(
    snapshot: &Snapshot,
    known: &KnownScope,
    domain: Option<&FoundDomain>,
) -> anyhow::Result<Selection> {
    let accounts = list_accounts(snapshot, AccountFilter::default(), Page::default())?;
    select_from(snapshot, accounts, known, domain)
}

/// The same, of these accounts.
pub fn select_from(
    snapshot: &Snapshot,
    accounts: Vec<Account>,
    known: &KnownScope,
    domain: Option<&FoundDomain>,
) -> anyhow::Result<Selection> {
    let mut selection = Selection::whole(snapshot, accounts)?;
    selection.retain(|account, stretch| {
        known.allows(account, stretch) && domain.is_none_or(|domain| is_in(stretch, &domain.ids))
    });
    Ok(selection)
}

impl Selection {
    /// All days of these accounts.
    pub fn whole(snapshot: &Snapshot, accounts: Vec<Account>) -> anyhow::Result<Selection> {
        let stretches = list_stretches(snapshot, &accounts)?;
        Ok(Selection {
            accounts,
            stretches,
        })
    }

    /// Some accounts of these, with their days.
    pub fn only(mut self, accounts: Vec<Account>) -> Selection {
        let days = |account: &Account| Some((account.id, self.stretches.remove(&account.id)?));
        let stretches = accounts.iter().filter_map(days).collect();
        Selection {
            accounts,
            stretches,
        }
    }

    /// The domains of these days, from the one that an account came to last.
    pub fn domains_newest_first(&self) -> impl Iterator<Item = &DomainState> {
        let stretches = self.stretches.values().flatten();
        let mut domains: Vec<(Day, &DomainState)> = stretches
            .filter_map(|stretch| Some((stretch.days.first(), stretch.domain.as_deref()?)))
            .collect();
        domains.sort_by_key(|(since, domain)| Reverse((*since, domain.id)));
        domains.into_iter().map(|(_, domain)| domain)
    }

    /// Keeps the days that lie in a range, so that accounts are as they were on the last of these.
    pub fn cut(&mut self, range: DayRange) {
        self.retain(|_, stretch| {
            stretch.days.first() <= range.last() && range.first() <= stretch.days.last()
        });
    }

    /// Keeps the days on which the accounts were in a domain.
    pub fn keep_in(&mut self, domain: &FoundDomain) {
        self.retain(|_, stretch| is_in(stretch, &domain.ids));
    }

    /// Keeps the accounts that were in a domain on the last of their days.
    pub fn keep_those_now_in(&mut self, domain: &FoundDomain) {
        let stretches = &mut self.stretches;
        self.accounts.retain(|account| {
            let last = stretches.get(&account.id).and_then(|list| list.last());
            last.is_some_and(|last| is_in(last, &domain.ids))
        });
        let kept: BTreeSet<i64> = self.accounts.iter().map(|account| account.id).collect();
        stretches.retain(|id, _| kept.contains(id));
    }

    fn retain(&mut self, keep: impl Fn(&Account, &Stretch) -> bool) {
        let mut accounts = std::mem::take(&mut self.accounts);
        accounts.retain_mut(|account| {
            let Some(list) = self.stretches.get_mut(&account.id) else {
                return false;
            };
            list.retain(|stretch| keep(account, stretch));
            let Some(last) = list.last() else {
                self.stretches.remove(&account.id);
                return false;
            };
            account.become_as_on(last);
            true
        });
        accounts.sort_by(|one, other| (&one.name, &one.uuid).cmp(&(&other.name, &other.uuid)));
        self.accounts = accounts;
    }

    /// Those that have a text in their name or uuid, in those of their project, or in the path of their domain, upper
    /// and lower case of ASCII being the same.
    pub fn search(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        let has = |one: &str| one.to_ascii_lowercase().contains(&text);
        self.accounts.retain(|account| {
            let Account {
                id: _,
                uuid,
                name,
                domain_uuid: _,
                domain_path,
                project_uuid,
                project_name,
            } = account;
            let others = [domain_path, project_uuid, project_name];
            let others = others.into_iter().filter_map(|one| one.as_deref());
            [name.as_str(), uuid].into_iter().chain(others).any(has)
        });
    }

    /// A part of the accounts, after this name and uuid.
    pub fn page(&self, after: Option<(&str, &str)>, limit: Option<u32>) -> Vec<Account> {
        let rest = self.accounts.iter().filter(|account| {
            after.is_none_or(|after| (account.name.as_str(), account.uuid.as_str()) > after)
        });
        let limit = limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        rest.take(limit).cloned().collect()
    }

    pub fn ids(&self) -> BTreeSet<i64> {
        self.stretches.keys().copied().collect()
    }

    /// The days of these accounts that are not asked for, as statements take them: `[[account, first, last], …]`;
    /// none: all are.
    pub fn hidden_days(&self) -> anyhow::Result<Option<String>> {
        let mut hidden = Vec::new();
        for (account_id, stretches) in &self.stretches {
            let all = all_days()?;
            let mut next = all.first();
            let ends = shares(stretches, false)?.into_iter();
            let ends = ends.map(|share| (share.days.first(), share.days.last()));
            for (first, last) in ends.chain([(all.last().next(), all.last())]) {
                if next < first {
                    let last = first.previous();
                    hidden.push(format!("[{account_id},\"{next}\",\"{last}\"]"));
                }
                next = last.next();
            }
        }
        Ok((!hidden.is_empty()).then(|| format!("[{}]", hidden.join(","))))
    }

    /// Whether a day of an account is among these.
    pub fn has_day(&self, account_id: i64, day: Day) -> bool {
        let mut stretches = self.stretches.get(&account_id).into_iter().flatten();
        stretches.any(|stretch| stretch.days.contains(day))
    }

    /// The domain that an account was in on one of these days.
    pub fn domain_on(&self, account_id: i64, day: Day) -> Option<&DomainState> {
        let mut stretches = self.stretches.get(&account_id)?.iter();
        stretches
            .find(|stretch| stretch.days.contains(day))?
            .domain
            .as_deref()
    }
}

impl Account {
    /// Takes the names and the domain of some days.
    fn become_as_on(&mut self, stretch: &Stretch) {
        self.name.clone_from(&stretch.name);
        self.domain_uuid = stretch.domain.as_ref().map(|domain| domain.uuid.clone());
        let path = stretch.domain.as_ref();
        self.domain_path = path.and_then(|domain| domain.path.clone());
        if stretch.project_name.is_some() {
            self.project_name.clone_from(&stretch.project_name);
        }
    }
}

#[cfg(test)]
mod tests;
