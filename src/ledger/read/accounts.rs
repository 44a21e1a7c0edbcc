//! The accounts that the ledger has usage of, and how people and programs name them.

use std::collections::BTreeSet;

use super::reader::{Page, Snapshot};
use crate::db::{Row, params};
use crate::suggestion::did_you_mean;

/// An account as of the last import, or as it was on some day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The ledger's own.
    pub id: i64,
    /// CloudStack's, or `account:<id>` while it cannot be resolved.
    pub uuid: String,
    pub name: String,
    pub domain_uuid: Option<String>,
    /// `/a/b/`
    pub domain_path: Option<String>,
    /// Set for the hidden account of a project.
    pub project_uuid: Option<String>,
    pub project_name: Option<String>,
}

/// Which accounts. All conditions hold together; the default is every account.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountFilter<'a> {
    /// A part of the name, the uuid, the project's name or uuid, or the domain's path. Upper and lower case of
    /// ASCII are the same.
    pub search: Option<&'a str>,
    /// None but these.
    pub only: Option<&'a BTreeSet<i64>>,
    /// In the order of a list, those after this name and uuid. Nothing to how many there are.
    pub after: Option<(&'a str, &'a str)>,
}

/// Accounts sorted by name, then uuid.
pub fn list_accounts(
    snapshot: &Snapshot,
    filter: AccountFilter,
    page: Page,
) -> anyhow::Result<Vec<Account>> {
    let sql = "select id, uuid, name, domain_uuid, domain_path, project_uuid, project_name
               from stored_accounts
               where (:search is null
                      or instr(lower(name), lower(:search)) > 0 or instr(lower(uuid), lower(:search)) > 0
                      or instr(lower(project_name), lower(:search)) > 0
                      or instr(lower(project_uuid), lower(:search)) > 0
                      or instr(lower(domain_path), lower(:search)) > 0)
                 and (:only is null or id in (select value from json_each(:only)))
                 and (:after_name is null or (name, uuid) > (:after_name, :after_uuid))
               order by name, uuid
               limit :limit offset :offset";
    let parameters = params! {
        ":search": filter.search,
        ":only": filter.only.map(id_list),
        ":after_name": filter.after.map(|(name, _)| name),
        ":after_uuid": filter.after.map(|(_, uuid)| uuid),
        ":limit": page.limit(),
        ":offset": page.offset,
    };
    snapshot.connection().list(sql, parameters, account)
}

/// How many accounts there are, whatever the page.
pub fn count_accounts(snapshot: &Snapshot, filter: AccountFilter) -> anyhow::Result<u64> {
    let sql = "select count(*)
               from stored_accounts
               where (:search is null
                      or instr(lower(name), lower(:search)) > 0 or instr(lower(uuid), lower(:search)) > 0
                      or instr(lower(project_name), lower(:search)) > 0
                      or instr(lower(project_uuid), lower(:search)) > 0
                      or instr(lower(domain_path), lower(:search)) > 0)
                 and (:only is null or id in (select value from json_each(:only)))";
    let parameters = params! {
        ":search": filter.search,
        ":only": filter.only.map(id_list),
    };
    snapshot.connection().one(sql, parameters, |row| row.get(0))
}

const BY_UUID: &str = "select id, uuid, name, domain_uuid, domain_path, project_uuid, project_name
     from stored_accounts
     where uuid = :key";

const BY_PROJECT: &str =
    "select id, uuid, name, domain_uuid, domain_path, project_uuid, project_name
     from stored_accounts
     where project_uuid = :key";

/// The account that has this uuid, or none.
pub(super) fn list_by_uuid(snapshot: &Snapshot, uuid: &str) -> anyhow::Result<Vec<Account>> {
    let values = params! {":key": uuid};
    snapshot.connection().list(BY_UUID, values, account)
}

/// The account whose project has this uuid, or none.
pub(super) fn list_by_project(snapshot: &Snapshot, uuid: &str) -> anyhow::Result<Vec<Account>> {
    let values = params! {":key": uuid};
    snapshot.connection().list(BY_PROJECT, values, account)
}

/// The account that has this uuid or whose project has it, else all that have this very name, or whose project
/// has it, else all that have had it on some day: names are unique within a domain only.
pub fn find_accounts(snapshot: &Snapshot, key: &str) -> anyhow::Result<Vec<Account>> {
    for sql in [
        BY_UUID,
        BY_PROJECT,
        "select id, uuid, name, domain_uuid, domain_path, project_uuid, project_name
         from stored_accounts
         where name = :key or project_name = :key
         order by name, uuid",
        "select id, uuid, name, domain_uuid, domain_path, project_uuid, project_name
         from stored_accounts
         where id in (select account_id from account_states where name = :key or project_name = :key)
         order by name, uuid",
    ] {
        let accounts = snapshot
            .connection()
            .list(sql, params! {":key": key}, account)?;
        if !accounts.is_empty() {
            return Ok(accounts);
        }
    }
    Ok(Vec::new())
}

/// The one account that `find_accounts` finds; else, in words, that there is none, or that there are several.
pub fn find_one(snapshot: &Snapshot, key: &str) -> anyhow::Result<Result<Account, String>> {
    let mut found = find_accounts(snapshot, key)?;
    Ok(match found.len() {
        0 => {
            let all = list_accounts(snapshot, AccountFilter::default(), Page::default())?;
            let names = all.iter().flat_map(|account| {
                let project = [&account.project_name, &account.project_uuid];
                let own = [account.name.as_str(), account.uuid.as_str()];
                own.into_iter()
                    .chain(project.into_iter().filter_map(|text| text.as_deref()))
            });
            let nearest = did_you_mean(key, names);
            Err(format!("no account or project is called {key:?}{nearest}"))
        }
        1 => Ok(found.remove(0)),
        count => {
            let places = found.iter().map(|one| match &one.domain_path {
                Some(path) => format!("{} ({path})", one.uuid),
                None => one.uuid.clone(),
            });
            let places: Vec<String> = places.collect();
            Err(format!(
                "{count} accounts are called {key:?}, give a uuid: {}",
                places.join(", ")
            ))
        }
    })
}

/// Ids as a statement takes them for `json_each`.
pub(super) fn id_list(ids: &BTreeSet<i64>) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}

fn account(row: &Row) -> anyhow::Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        uuid: row.get(1)?,
        name: row.get(2)?,
        domain_uuid: row.get(3)?,
        domain_path: row.get(4)?,
        project_uuid: row.get(5)?,
        project_name: row.get(6)?,
    })
}
