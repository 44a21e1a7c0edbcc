//! The input and output of every endpoint under `/v1`.

use std::collections::BTreeSet;

use crate::http::refusal::{Problem, Rejection};
use crate::http::unread::Hold;
use crate::ledger::read::Snapshot;
use crate::ledger::read::accounts::{Account, find_account, list_visible};
use crate::ledger::read::state::LedgerState;
use crate::output::Format;
use crate::scope::Scope;

use super::query::Query;

/// One question, with everything that is needed to answer it.
pub struct Context<'a> {
    pub snapshot: &'a Snapshot<'a>,
    pub state: &'a LedgerState,
    pub scope: &'a Scope,
    /// Days that one question may span.
    pub max_days: i64,
    /// The value of the path's parameter; empty if there is none.
    pub argument: &'a str,
    pub query: &'a Query,
    pub format: Format,
    /// Counts the answer's bytes while they are made.
    pub unread: &'a Hold<'a>,
}

/// A body, and headers beside those that every answer has.
pub struct Body {
    pub headers: Vec<(&'static str, String)>,
    pub bytes: Vec<u8>,
}

impl Context<'_> {
    /// The accounts that the user may see; `None`: all.
    pub fn visible_ids(&self) -> anyhow::Result<Option<BTreeSet<i64>>> {
        list_visible(self.snapshot, self.scope)
    }

    /// The account that has this uuid or whose project has it, if the user may see it.
    pub fn find_account(&self, uuid: &str) -> Result<Account, Rejection> {
        // Not by name: several accounts may share one.
        find_account(self.snapshot, uuid, self.scope)?.ok_or_else(|| {
            Problem::new(404, format!("no account or project has the uuid {uuid}")).into()
        })
    }

    /// The accounts that a list is about: of `account`, if that is given, else those the user may see.
    pub fn listed_ids(&self) -> Result<Option<BTreeSet<i64>>, Rejection> {
        match self.query.get("account") {
            Some(uuid) => Ok(Some(BTreeSet::from([self.find_account(uuid)?.id]))),
            None => Ok(self.visible_ids()?),
        }
    }

    /// Fails if there is no room for so many bytes of an answer.
    pub fn make_room(&self, bytes: usize) -> anyhow::Result<()> {
        Ok(self.unread.resize(bytes)?)
    }
}
