//! The accounts that the ledger knows, and which of them an id of CloudStack's means, from which day on. An account is its
//! uuid: an id that comes to mean another uuid is another account from then on, and a uuid that gets another id stays
//! the account it was. Held in memory during an import.

use std::collections::HashMap;

use anyhow::Context;

use super::since::Since;
use crate::cloud::{CloudAccount, Names};
use crate::day::Day;
use crate::db::{Connection, params};
use crate::id_map::{IdMap, IdSet};

#[derive(Default)]
pub(super) struct Accounts {
    stored: IdMap<i64, CloudAccount>,
    by_uuid: HashMap<String, i64>,
    /// By id in CloudStack.
    ids: IdMap<u64, Since<i64>>,
    /// The other way round, whenever it was.
    source_ids: HashMap<i64, Vec<u64>>,
    /// Ids that were looked up in this run: what they mean is stored.
    settled: IdSet<u64>,
    /// The ids that have a uuid in the source.
    named: HashMap<String, Vec<u64>>,
    /// Ids that have come to mean something else, as sentences that nobody has taken yet.
    changes: Vec<String>,
}

impl Accounts {
    /// Reads all of them.
    pub fn load(connection: &Connection) -> anyhow::Result<Accounts> {
        let mut accounts = Accounts::default();
        let sql = "select id, uuid, name, domain_uuid, domain_path, project_uuid, project_name from stored_accounts";
        connection.each(sql, params! {}, |row| {
            let uuid: String = row.get(1)?;
            let account = CloudAccount {
                uuid: Some(uuid.clone()),
                name: row.get(2)?,
                domain_uuid: row.get(3)?,
                domain_path: row.get(4)?,
                project_uuid: row.get(5)?,
                project_name: row.get(6)?,
            };
            let id: i64 = row.get(0)?;
            accounts.by_uuid.insert(uuid, id);
            accounts.stored.insert(id, account);
            Ok(())
        })?;
        let sql = "select source_id, since_day, account_id from account_ids order by source_id, since_day";
        connection.each(sql, params! {}, |row| {
            accounts.remember_id(row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(())
        })?;
        Ok(accounts)
    }

    /// Notes under which uuids the source has accounts.
    pub fn note_uuids(&mut self, named: &HashMap<u64, CloudAccount>) {
        for (id, account) in named {
            if let Some(uuid) = &account.uuid {
                self.named.entry(uuid.clone()).or_default().push(*id);
            }
        }
    }

    pub fn get(&self, account_id: i64) -> Option<&CloudAccount> {
        self.stored.get(&account_id)
    }

    /// The uuid an account is stored under.
    pub fn uuid(&self, account_id: i64) -> String {
        let stored = self.stored.get(&account_id);
        let uuid = stored.and_then(|account| account.uuid.clone());
        uuid.unwrap_or_default()
    }

    /// Whether an account is kept under the stand-in of an id.
    pub fn is_stand_in(&self, account_id: i64, source_id: u64) -> bool {
        let stored = self.stored.get(&account_id);
        let uuid = stored.and_then(|account| account.uuid.as_ref());
        // Asked of every account of a day: most uuids are none at a glance.
        uuid.is_some_and(|uuid| uuid.starts_with("account:") && *uuid == stand_in(source_id))
    }

    /// What an id in CloudStack means on a day; `None`: the ledger does not know it.
    pub fn find(&self, source_id: u64, day: Day) -> Option<i64> {
        self.ids.get(&source_id)?.find(day).copied()
    }

    /// What an id in CloudStack means by now.
    pub fn newest(&self, source_id: u64) -> Option<i64> {
        let (_, account_id) = self.ids.get(&source_id)?.newest()?;
        Some(*account_id)
    }

    /// The ids in CloudStack that mean an account, or have meant it, in order.
    pub fn source_ids(&self, account_id: i64) -> &[u64] {
        self.source_ids.get(&account_id).map_or(&[], Vec::as_slice)
    }

    /// What has changed, once.
    pub fn take_changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }

    /// The uuid that the source has for an id, if it is the id's own. An id that shares it with another account is kept
    /// under a stand-in.
    fn uuid_now(&self, cloud: &Names, source_id: u64) -> Option<String> {
        let uuid = cloud.accounts.get(&source_id)?.uuid.clone()?;
        match self.twin(cloud, source_id) {
            Some(_) => Some(stand_in(source_id)),
            None => Some(uuid),
        }
    }

    /// The id of the account that an id's uuid belongs to, if it is another. Of accounts that are there at the same time
    /// it belongs to the one that the ledger has under it, else to the first. One that was kept apart stays so.
    pub fn twin(&self, cloud: &Names, source_id: u64) -> Option<u64> {
        let uuid = cloud.accounts.get(&source_id)?.uuid.as_ref()?;
        let named = self.named.get(uuid).filter(|ids| ids.len() > 1)?;
        let has_it = |id: u64| self.newest(id).is_some_and(|id| self.uuid(id) == *uuid);
        let known = self.newest(source_id).map(|id| self.uuid(id));
        if known.is_some_and(|known| known == stand_in(source_id)) {
            return named.iter().copied().filter(|id| has_it(*id)).min();
        }
        let is_there = |id: &u64| !cloud.removed_accounts.contains_key(id);
        if has_it(source_id) || !is_there(&source_id) {
            return None;
        }
        let there = || named.iter().copied().filter(is_there);
        let owner = there().filter(|id| has_it(*id)).min().or(there().min());
        owner.filter(|owner| *owner != source_id)
    }

    /// Stores what an id means as the source has it now, once a run.
    pub fn settle(
        &mut self,
        connection: &Connection,
        cloud: &Names,
        source_id: u64,
    ) -> anyhow::Result<()> {
        if self.settled.contains(&source_id) {
            return Ok(());
        }
        let uuid = self.uuid_now(cloud, source_id);
        let known = self.account_now(cloud, source_id);
        let Some(account_id) = self.newest(source_id) else {
            let uuid = uuid.unwrap_or_else(|| stand_in(source_id));
            if let Some(account_id) = self.by_uuid.get(&uuid) {
                self.tell_new_id(source_id, *account_id);
            }
            let account_id = self.keep(connection, &uuid, known)?;
            self.set_id(connection, source_id, Day::FIRST, account_id)?;
            self.settled.insert(source_id);
            return Ok(());
        };
        let stored = self.uuid(account_id);
        let uuid = uuid.unwrap_or_else(|| stored.clone());
        let is_found = stored == stand_in(source_id) && !self.by_uuid.contains_key(&uuid);
        if uuid != stored && is_found {
            self.by_uuid.remove(&stored);
            self.by_uuid.insert(uuid.clone(), account_id);
        }
        let now = self.keep(connection, &uuid, known)?;
        if now != account_id {
            self.hand_over(connection, source_id, account_id, now)?;
        }
        self.settled.insert(source_id);
        Ok(())
    }

    /// What the source says of an id now. Of an account that was removed and is there under another id, nothing new.
    fn account_now<'a>(&self, cloud: &'a Names, source_id: u64) -> Option<&'a CloudAccount> {
        let known = cloud.accounts.get(&source_id)?;
        let is_removed = |id: &u64| cloud.removed_accounts.contains_key(id);
        let named = known.uuid.as_ref().and_then(|uuid| self.named.get(uuid));
        let elsewhere = named.is_some_and(|ids| !ids.iter().all(is_removed));
        let uuid = known.uuid.as_ref();
        let is_new = uuid.is_some_and(|uuid| !self.by_uuid.contains_key(uuid));
        (is_new || !is_removed(&source_id) || !elsewhere).then_some(known)
    }

    /// Stores the account with a uuid, with what is known of it now. Returns its id.
    fn keep(
        &mut self,
        connection: &Connection,
        uuid: &str,
        known: Option<&CloudAccount>,
    ) -> anyhow::Result<i64> {
        let id = self.by_uuid.get(uuid).copied();
        let stored = id.and_then(|id| self.stored.get(&id));
        let account = as_it_is_now(uuid, known, stored);
        if let Some(id) = id.filter(|_| stored == Some(&account)) {
            return Ok(id);
        }
        let stored = match id {
            Some(id) => update_account(connection, id, &account).map(|()| id),
            None => insert_account(connection, &account),
        };
        let id = stored.with_context(|| format!("account {uuid}"))?;
        self.stored.insert(id, account);
        self.by_uuid.insert(uuid.to_owned(), id);
        Ok(id)
    }

    /// From now on an id means another account. Closed days stay what they were: the first day that is the new account's
    /// is the one after the last of these with usage of the old one.
    fn hand_over(
        &mut self,
        connection: &Connection,
        source_id: u64,
        old: i64,
        new: i64,
    ) -> anyhow::Result<()> {
        let held_since = self.ids.get(&source_id).and_then(Since::newest);
        let held_since = held_since.map_or(Day::FIRST, |(since, _)| since);
        let last = last_closed_day(connection, old)?;
        let since = last.map_or(held_since, |last| held_since.max(last.next()));
        self.set_id(connection, source_id, since, new)?;
        let (old, new) = (self.in_words(old), self.in_words(new));
        self.changes.push(match last.filter(|last| since > *last && since > held_since) {
            Some(last) => format!(
                "account id {source_id} was {old} until {last} and is {new} since {since}"
            ),
            None => format!(
                "account id {source_id} was {old}, of whom no day under it is closed, and is {new} now"
            ),
        });
        Ok(())
    }

    fn tell_new_id(&mut self, source_id: u64, account_id: i64) {
        let before = self.source_ids(account_id);
        let before: Vec<String> = before.iter().map(u64::to_string).collect();
        if !before.is_empty() {
            let (account, before) = (self.in_words(account_id), before.join(", "));
            self.changes.push(format!(
                "account {account} has the account id {source_id} now, as well as {before} before: it stays one account"
            ));
        }
    }

    fn in_words(&self, account_id: i64) -> String {
        let name = self.stored.get(&account_id).map(|account| &account.name);
        let name = name.map_or("", String::as_str);
        format!("{name} ({})", self.uuid(account_id))
    }

    fn set_id(
        &mut self,
        connection: &Connection,
        source_id: u64,
        since: Day,
        account_id: i64,
    ) -> anyhow::Result<()> {
        let sql = "insert into account_ids (source_id, since_day, account_id) \
                   values (:source_id, :since_day, :account_id) \
                   on conflict (source_id, since_day) do update set account_id = excluded.account_id";
        let values = params! {
            ":source_id": source_id,
            ":since_day": since,
            ":account_id": account_id,
        };
        connection.execute(sql, values)?;
        self.remember_id(source_id, since, account_id);
        Ok(())
    }

    fn remember_id(&mut self, source_id: u64, since: Day, account_id: i64) {
        self.ids
            .entry(source_id)
            .or_default()
            .set(since, account_id);
        let ids = self.source_ids.entry(account_id).or_default();
        if let Err(place) = ids.binary_search(&source_id) {
            ids.insert(place, source_id);
        }
    }
}

/// The account with a uuid as it is to be stored.
fn as_it_is_now(
    uuid: &str,
    known: Option<&CloudAccount>,
    stored: Option<&CloudAccount>,
) -> CloudAccount {
    let nothing = CloudAccount {
        uuid: Some(uuid.to_owned()),
        name: uuid.to_owned(),
        domain_uuid: None,
        domain_path: None,
        project_uuid: None,
        project_name: None,
    };
    let before = stored.cloned().unwrap_or(nothing);
    let uuid = Some(uuid.to_owned());
    match known.cloned() {
        // Rows of domains and projects stay in cloud: without one, it is the right to read it that is gone.
        Some(known) => CloudAccount {
            uuid,
            name: known.name,
            domain_uuid: known.domain_uuid.or(before.domain_uuid),
            domain_path: known.domain_path.or(before.domain_path),
            project_uuid: known.project_uuid.or(before.project_uuid),
            project_name: known.project_name.or(before.project_name),
        },
        None => CloudAccount { uuid, ..before },
    }
}

fn insert_account(connection: &Connection, account: &CloudAccount) -> anyhow::Result<i64> {
    let sql = "insert into stored_accounts (uuid, name, domain_uuid, domain_path, project_uuid, project_name) \
               values (:uuid, :name, :domain_uuid, :domain_path, :project_uuid, :project_name)";
    let values = params! {
        ":uuid": account.uuid.as_ref(),
        ":name": &account.name,
        ":domain_uuid": account.domain_uuid.as_ref(),
        ":domain_path": account.domain_path.as_ref(),
        ":project_uuid": account.project_uuid.as_ref(),
        ":project_name": account.project_name.as_ref(),
    };
    connection.insert(sql, values)
}

fn update_account(connection: &Connection, id: i64, account: &CloudAccount) -> anyhow::Result<()> {
    let sql = "update stored_accounts set uuid = :uuid, name = :name, domain_uuid = :domain_uuid, \
                 domain_path = :domain_path, project_uuid = :project_uuid, project_name = :project_name \
               where id = :id";
    let values = params! {
        ":id": id,
        ":uuid": account.uuid.as_ref(),
        ":name": &account.name,
        ":domain_uuid": account.domain_uuid.as_ref(),
        ":domain_path": account.domain_path.as_ref(),
        ":project_uuid": account.project_uuid.as_ref(),
        ":project_name": account.project_name.as_ref(),
    };
    connection.execute(sql, values)?;
    Ok(())
}

/// The last closed day with usage of an account.
fn last_closed_day(connection: &Connection, account_id: i64) -> anyhow::Result<Option<Day>> {
    let sql = "select r.day from stored_days d \
               cross join stored_records r on r.day = d.day and r.account_id = :account_id \
               where d.state = 'closed' order by d.day desc limit 1";
    connection.find(sql, params! {":account_id": account_id}, |row| row.get(0))
}

/// The stable text an account is kept under while it has no uuid of its own.
pub(super) fn stand_in(source_id: u64) -> String {
    format!("account:{source_id}")
}
