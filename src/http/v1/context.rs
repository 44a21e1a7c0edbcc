//! The input and output of every endpoint under `/v1`.

use crate::day::Day;
use crate::http::refusal::{Problem, Rejection};
use crate::http::unread::Hold;
use crate::ledger::read::Snapshot;
use crate::ledger::read::domains::{Domains, FoundDomain, domain_path};
use crate::ledger::read::selection::{
    KnownScope, SeenAccount, Selection, find_account, select, select_one,
};
use crate::ledger::read::state::LedgerState;
use crate::output::Format;
use crate::prices::PriceList;
use crate::scope::Scope;

use super::query::Query;

/// One question, with everything that is needed to answer it.
pub struct Context<'a> {
    pub snapshot: &'a Snapshot<'a>,
    pub state: &'a LedgerState,
    pub scope: &'a Scope,
    /// Days that one question may span.
    pub max_days: i64,
    pub yesterday: Day,
    /// `None`: there are none.
    pub prices: Option<&'a PriceList>,
    /// The value of the path's parameter; empty if there is none.
    pub argument: &'a str,
    /// The value of its second one; empty if there is none.
    pub second: &'a str,
    pub query: &'a Query,
    pub format: Format,
    /// Counts the answer's bytes while they are made.
    pub unread: &'a Hold<'a>,
}

/// A body, and headers beside those that every answer has; a `Content-Type` among them replaces that of the format.
pub struct Body {
    pub headers: Vec<(&'static str, String)>,
    pub bytes: Vec<u8>,
}

impl Context<'_> {
    /// What the user may see; `None`: everything.
    pub fn visible(&self) -> anyhow::Result<Option<Selection>> {
        let known = KnownScope::load(self.snapshot, self.scope)?;
        match known.is_unlimited() {
            true => Ok(None),
            false => Ok(Some(select(self.snapshot, &known, None)?)),
        }
    }

    /// The account that has this uuid or whose project has it, if the user may see it.
    pub fn find_account(&self, uuid: &str) -> Result<SeenAccount, Rejection> {
        // Not by name: several accounts may share one.
        find_account(self.snapshot, uuid, self.scope)?.ok_or_else(|| {
            Problem::new(404, format!("no account or project has the uuid {uuid}")).into()
        })
    }

    /// The domain with this uuid or path, with what the user may see of its accounts. A domain of which that is nothing
    /// is answered as one that does not exist: a typing error must not look like no usage.
    pub fn find_domain(&self, text: &str) -> Result<(FoundDomain, Selection), Rejection> {
        let known = KnownScope::load(self.snapshot, self.scope)?;
        let found = Domains::load(self.snapshot)?.find(self.snapshot, text)?;
        // For one that is not there as well, so that the time it takes does not reveal which it is.
        let selection = select(self.snapshot, &known, found.as_ref())?;
        match found {
            Some(found) if !selection.accounts.is_empty() => Ok((found, selection)),
            Some(_) | None => Err(no_domain(text).into()),
        }
    }

    /// What a list is about: `account`, if that is given, else all that the user may see; `None`: everything.
    pub fn listed(&self) -> Result<Option<Selection>, Rejection> {
        match self.query.get("account") {
            Some(uuid) => {
                let seen = self.find_account(uuid)?;
                Ok(Some(select_one(self.snapshot, seen)?))
            }
            None => Ok(self.visible()?),
        }
    }

    /// Fails if there is no room for so many bytes of an answer.
    pub fn make_room(&self, bytes: usize) -> anyhow::Result<()> {
        Ok(self.unread.resize(bytes)?)
    }
}

fn no_domain(text: &str) -> Problem {
    let detail = match text.contains('/') {
        true => format!("no domain has the path {}", domain_path(text)),
        false => format!(
            "no domain has the uuid {text} or the path {}",
            domain_path(text)
        ),
    };
    Problem::new(404, detail)
}
