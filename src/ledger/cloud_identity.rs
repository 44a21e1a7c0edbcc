//! Which CloudStack a ledger is of: that of the root domain whose uuid it keeps. Usage of another one never gets in.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, bail};

use super::handle::Ledger;
use super::read::Snapshot;
use crate::cloud::CloudIdentity;
use crate::day::Day;
use crate::db::{Connection, params};

/// Accounts of the same ids, at least, that have to be others all of them before a cloud is taken for another one.
const SEVERAL: usize = 2;

impl Ledger {
    /// Fails if the source is another CloudStack than the one that the ledger is of, which is the first it meets.
    pub fn agree_on_cloud(&mut self, identity: &CloudIdentity) -> anyhow::Result<()> {
        self.insist_on_cloud(identity)?;
        let Some(root) = &identity.root else {
            return Ok(());
        };
        let is_known = find_root(self.connection()).with_context(|| self.engine.name())?;
        if is_known.is_some() {
            return Ok(());
        }
        self.transaction(|connection, _| {
            let sql = "update ledgers set cloud_uuid = :uuid";
            connection.execute(sql, params! {":uuid": root})?;
            Ok(())
        })
    }

    /// The same for those who keep nothing.
    pub fn insist_on_cloud(&self, identity: &CloudIdentity) -> anyhow::Result<()> {
        let found = disagreement(self.connection(), identity);
        match found.with_context(|| self.engine.name())? {
            Some(disagreement) => bail!("{disagreement}"),
            None => Ok(()),
        }
    }
}

/// Why the source is not the CloudStack that the ledger is of, if it is not.
pub fn find_disagreement(
    snapshot: &Snapshot,
    identity: &CloudIdentity,
) -> anyhow::Result<Option<String>> {
    disagreement(snapshot.connection(), identity)
}

fn disagreement(
    connection: &Connection,
    identity: &CloudIdentity,
) -> anyhow::Result<Option<String>> {
    const CURE: &str =
        "let the configuration name the databases of the ledger's own, or use a ledger for each";
    match (find_root(connection)?, &identity.root) {
        (Some(known), Some(root)) if known == *root => Ok(None),
        (Some(known), Some(root)) => Ok(Some(format!(
            "this is another CloudStack: the uuid of its root domain is {root}, and {known} in the ledger: {CURE}"
        ))),
        (None, _) | (_, None) => {
            let known = list_accounts(connection)?;
            let theirs = |id: &u64| identity.account_uuids.get(id);
            let mut both: Vec<(u64, &String, &String)> = known
                .iter()
                .filter_map(|(id, uuid)| Some((*id, uuid, theirs(id)?)))
                .collect();
            both.sort_unstable();
            let ours: HashSet<&String> = known.values().collect();
            let mut uuids = identity.account_uuids.values();
            let same = uuids.any(|uuid| ours.contains(uuid));
            let Some((id, ours, theirs)) = both.first().filter(|_| !same && both.len() >= SEVERAL)
            else {
                return Ok(None);
            };
            Ok(Some(format!(
                "this is another CloudStack: none of the {} accounts whose ids the ledger knows has the same uuid; account \
                 {id} is {theirs}, and {ours} in the ledger: {CURE}",
                both.len()
            )))
        }
    }
}

/// A ledger without days is of none yet.
fn find_root(connection: &Connection) -> anyhow::Result<Option<String>> {
    let sql = "select cloud_uuid from ledgers where exists (select 1 from stored_days where day >= :first)";
    let root = connection.find(sql, params! {":first": Day::FIRST}, |row| row.get(0))?;
    Ok(root.flatten())
}

/// The uuids of what ids in CloudStack mean by now, without stand-ins.
fn list_accounts(connection: &Connection) -> anyhow::Result<HashMap<u64, String>> {
    let sql = "select i.source_id, a.uuid from account_ids i join stored_accounts a on a.id = i.account_id \
               where a.uuid not like 'account:%' order by i.source_id, i.since_day";
    let accounts = connection.list(sql, params! {}, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(accounts.into_iter().collect())
}
