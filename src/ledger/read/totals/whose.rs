//! Whose totals are: everybody that figures are grouped by, and the days of each account that count for them.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use crate::day::{Day, DayRange};
use crate::ledger::read::accounts::Account;
use crate::ledger::read::domains::DomainState;
use crate::ledger::read::stretches::{Share, Stretches, shares};

/// Whose a figure is. An account brings its project with it, and the domain that it has in the question unless figures
/// are grouped by the domain of each day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Who<'a> {
    pub account: Option<&'a Account>,
    pub domain_uuid: Option<&'a str>,
    /// Of a domain that moved, the newest within the range.
    pub domain_path: Option<&'a str>,
    pub project_uuid: Option<&'a str>,
    pub project_name: Option<&'a str>,
}

/// The accounts of a question, and what of them figures are grouped by.
#[derive(Clone, Copy)]
pub struct Everybody<'a> {
    pub accounts: &'a [Account],
    /// None: all days in the range.
    pub stretches: Option<&'a Stretches>,
    pub range: DayRange,
    pub by_account: bool,
    pub by_domain: bool,
    pub by_project: bool,
}

impl<'a> Everybody<'a> {
    /// The days of each account that are asked for, cut where its domain changes if figures are grouped by domain.
    pub fn list_shares(&self) -> anyhow::Result<Vec<(&'a Account, Share<'a>)>> {
        let Some(stretches) = self.stretches else {
            ensure!(
                !self.by_domain,
                "totals by domain need the domains of the accounts"
            );
            let whole = Share {
                days: self.range,
                domain: None,
            };
            let accounts = self.accounts.iter();
            return Ok(accounts.map(|account| (account, whole)).collect());
        };
        let mut list = Vec::new();
        for account in self.accounts {
            let stretches = stretches.get(&account.id);
            let stretches = stretches.context("an account without a stretch of days")?;
            let shares = shares(stretches, self.by_domain)?.into_iter();
            list.extend(shares.map(|share| (account, share)));
        }
        Ok(list)
    }

    /// What each domain was called last within the range.
    fn newest_paths(&self) -> BTreeMap<&'a str, Option<&'a str>> {
        let mut newest: BTreeMap<&str, ((Day, i64), Option<&str>)> = BTreeMap::new();
        for account in self.accounts {
            let stretches = self.stretches.and_then(|all| all.get(&account.id));
            for stretch in stretches.into_iter().flatten() {
                let since = stretch.days.first();
                if since > self.range.last() || stretch.days.last() < self.range.first() {
                    continue;
                }
                let Some(domain) = stretch.domain.as_deref() else {
                    continue;
                };
                let this = ((since, domain.id), domain.path.as_deref());
                let known = newest.entry(&domain.uuid).or_insert(this);
                *known = this.max(*known);
            }
        }
        let paths = newest.into_iter();
        paths.map(|(uuid, (_, path))| (uuid, path)).collect()
    }
}

/// Everybody that figures are grouped by, each with a place.
pub struct Whose<'a> {
    pub list: Vec<Who<'a>>,
    pub everybody: Everybody<'a>,
    places: BTreeMap<[Option<&'a str>; 3], usize>,
    /// By the uuids of domains.
    paths: BTreeMap<&'a str, Option<&'a str>>,
}

impl<'a> Whose<'a> {
    pub fn of(everybody: Everybody<'a>) -> Whose<'a> {
        Whose {
            list: Vec::new(),
            places: BTreeMap::new(),
            paths: match everybody.by_domain {
                true => everybody.newest_paths(),
                false => BTreeMap::new(),
            },
            everybody,
        }
    }

    pub fn place(&mut self, account: &'a Account, domain: Option<&'a DomainState>) -> usize {
        let by = self.everybody;
        let project = by.by_account || by.by_project;
        let (domain_uuid, domain_path) = match (by.by_domain, by.by_account) {
            (true, _) => {
                let uuid = domain.map(|domain| domain.uuid.as_str());
                (
                    uuid,
                    uuid.and_then(|uuid| self.paths.get(uuid).copied().flatten()),
                )
            }
            (false, true) => (
                account.domain_uuid.as_deref(),
                account.domain_path.as_deref(),
            ),
            (false, false) => (None, None),
        };
        let who = Who {
            account: by.by_account.then_some(account),
            domain_uuid,
            domain_path,
            project_uuid: account.project_uuid.as_deref().filter(|_| project),
            project_name: account.project_name.as_deref().filter(|_| project),
        };
        let key = [
            who.account.map(|account| account.uuid.as_str()),
            who.domain_uuid,
            who.project_uuid,
        ];
        let list = &mut self.list;
        *self.places.entry(key).or_insert_with(|| {
            list.push(who);
            list.len() - 1
        })
    }
}
