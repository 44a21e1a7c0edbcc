//! What accounts and their projects were called and which domains they belonged to, day by day: part of every invoice, so that a day that
//! is closed keeps them whatever happens to account and domain later on. Held in memory during an import.

use std::collections::HashMap;

use super::since::Since;
use crate::cloud::{CloudAccount, Names};
use crate::day::Day;
use crate::db::{Connection, params};
use crate::id_map::IdMap;

#[derive(Default)]
pub(super) struct AccountStates {
    /// By account.
    states: IdMap<i64, Since<AccountState>>,
    domains: HashMap<DomainName, i64>,
    /// The newest domain of a uuid and path whose lineage is known.
    with_lineage: HashMap<(String, String), i64>,
}

#[derive(Clone, Debug, PartialEq)]
struct AccountState {
    name: String,
    domain_id: Option<i64>,
    project_name: Option<String>,
}

/// A domain as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct DomainName {
    uuid: String,
    path: String,
    /// Empty: not known.
    lineage: String,
}

/// What becomes of an account's state on a day that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The state of now replaces what the day has; `later_days`: the ledger has any.
    Now { later_days: bool },
    /// What the day has stays.
    Former,
}

impl AccountStates {
    /// Reads all of them: as many as there are accounts, and changes of accounts.
    pub fn load(connection: &Connection) -> anyhow::Result<AccountStates> {
        let mut states = AccountStates::default();
        let sql = "select account_id, since_day, name, domain_id, project_name from account_states \
                   order by account_id, since_day";
        connection.each(sql, params! {}, |row| {
            let state = AccountState {
                name: row.get(2)?,
                domain_id: row.get(3)?,
                project_name: row.get(4)?,
            };
            let of_account = states.states.entry(row.get(0)?).or_default();
            of_account.set(row.get(1)?, state);
            Ok(())
        })?;
        let sql = "select id, uuid, path, lineage from stored_domains order by id";
        connection.each(sql, params! {}, |row| {
            let domain = DomainName {
                uuid: row.get(1)?,
                path: row.get(2)?,
                lineage: row.get(3)?,
            };
            states.remember(domain, row.get(0)?);
            Ok(())
        })?;
        Ok(states)
    }

    /// Keeps what an account is on a day on which it has usage; `source_domain` is the `domain.id` of its rows.
    pub fn keep(
        &mut self,
        connection: &Connection,
        cloud: &Names,
        day: Day,
        (account_id, account): (i64, &CloudAccount),
        source_domain: u32,
        keep: Keep,
    ) -> anyhow::Result<()> {
        let of_account = self.states.get(&account_id);
        let before = of_account.and_then(|states| states.find(day));
        let later_days = match keep {
            Keep::Former if before.is_some() => return Ok(()),
            Keep::Former => false,
            Keep::Now { later_days } => later_days,
        };
        let domain = domain_now(cloud, account, source_domain);
        let domain_id = domain.map(|domain| self.domain_id(connection, domain));
        let state = AccountState {
            name: account.name.clone(),
            domain_id: domain_id.transpose()?,
            project_name: account.project_name.clone(),
        };
        let sql = "insert into account_states (account_id, since_day, name, domain_id, project_name) \
                   values (:account_id, :since_day, :name, :domain_id, :project_name) \
                   on conflict (account_id, since_day) do update set name = excluded.name, \
                     domain_id = excluded.domain_id, project_name = excluded.project_name";
        let of_account = self.states.entry(account_id).or_default();
        for (since, state) in of_account.freeze(day, state, later_days) {
            let values = params! {
                ":account_id": account_id,
                ":since_day": since,
                ":name": &state.name,
                ":domain_id": state.domain_id,
                ":project_name": state.project_name.as_ref(),
            };
            connection.execute(sql, values)?;
        }
        Ok(())
    }

    fn domain_id(&mut self, connection: &Connection, domain: DomainName) -> anyhow::Result<i64> {
        if let Some(id) = self.domains.get(&domain) {
            return Ok(*id);
        }
        let DomainName {
            uuid,
            path,
            lineage,
        } = &domain;
        if lineage.is_empty() {
            let known = self.with_lineage.get(&(uuid.clone(), path.clone()));
            if let Some(id) = known {
                return Ok(*id);
            }
        }
        let unknown = DomainName {
            lineage: String::new(),
            ..domain.clone()
        };
        // What was not known of the domain is known now.
        if let Some(id) = self.domains.remove(&unknown) {
            let sql = "update stored_domains set lineage = :lineage where id = :id";
            connection.execute(sql, params! {":lineage": lineage, ":id": id})?;
            self.remember(domain, id);
            return Ok(id);
        }
        let sql =
            "insert into stored_domains (uuid, path, lineage) values (:uuid, :path, :lineage)";
        let values = params! {":uuid": uuid, ":path": path, ":lineage": lineage};
        let id = connection.insert(sql, values)?;
        self.remember(domain, id);
        Ok(id)
    }

    fn remember(&mut self, domain: DomainName, id: i64) {
        if !domain.lineage.is_empty() {
            let key = (domain.uuid.clone(), domain.path.clone());
            self.with_lineage.insert(key, id);
        }
        self.domains.insert(domain, id);
    }
}

/// The domain that an account's rows of a day name; where the source does not know it, the account's own; else a
/// stand-in. `None`: nothing names any.
fn domain_now(cloud: &Names, account: &CloudAccount, source_domain: u32) -> Option<DomainName> {
    let of_rows = cloud.domains.get(&u64::from(source_domain));
    if let Some(domain) = of_rows
        && let Some(uuid) = &domain.uuid
    {
        return Some(DomainName {
            uuid: uuid.clone(),
            path: domain.path.clone().unwrap_or_default(),
            lineage: domain.lineage.clone().unwrap_or_default(),
        });
    }
    if let Some(uuid) = &account.domain_uuid {
        let mut domains = cloud.domains.values();
        let own = domains.find(|domain| domain.uuid.as_ref() == Some(uuid));
        return Some(DomainName {
            uuid: uuid.clone(),
            path: account.domain_path.clone().unwrap_or_default(),
            lineage: own.and_then(|own| own.lineage.clone()).unwrap_or_default(),
        });
    }
    (source_domain != 0).then(|| DomainName {
        uuid: format!("domain:{source_domain}"),
        path: String::new(),
        lineage: String::new(),
    })
}
