//! Sealed days, which no import may change.

use anyhow::{Context, ensure};
use rusqlite::named_params;

use super::context::ledger_at;
use super::handle::Ledger;
use super::refusals;
use super::statements::count_revision;
use crate::day::Day;

/// When only the last step fails.
const DONE: &str = "it is done, but a part of it is still in the file -wal beside the ledger";

impl Ledger {
    /// Seals closed days, all or none. Those that are sealed stay as they are.
    pub fn seal_days(&mut self, days: &[Day], now: &str) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.transaction(|connection, _| {
            let sql = "update stored_days set sealed_at = coalesce(sealed_at, :now) \
                       where day = :day and state = 'closed'";
            let mut statement = connection.prepare_cached(sql)?;
            for day in days {
                let sealed =
                    statement.execute(named_params! {":day": day.to_string(), ":now": now})?;
                ensure!(sealed == 1, "{day} is not closed");
                refusals::settle_purge(connection, *day)?;
            }
            count_revision(connection)
        })
        .and_then(|()| self.checkpoint().context(DONE))
        .context(named)
    }

    /// Gives days back to the imports, all or none. Days with pending corrections hold what their source does
    /// not say any more, so that it is looked at again.
    pub fn unseal_days(&mut self, days: &[Day]) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.transaction(|connection, _| {
            let pending = "select 1 from stored_corrections where day = :day and kind = 'pending'";
            let forget = "delete from stored_digests where day = :day";
            let look_again =
                "update stored_days set fingerprint = null, verified_at = null where day = :day";
            let unseal = "update stored_days set sealed_at = null where day = :day";
            for day in days {
                let day = day.to_string();
                if connection
                    .prepare_cached(pending)?
                    .exists(named_params! {":day": day})?
                {
                    connection
                        .prepare_cached(forget)?
                        .execute(named_params! {":day": day})?;
                    connection
                        .prepare_cached(look_again)?
                        .execute(named_params! {":day": day})?;
                }
                connection
                    .prepare_cached(unseal)?
                    .execute(named_params! {":day": day})?;
            }
            count_revision(connection)
        })
        .and_then(|()| self.checkpoint().context(DONE))
        .context(named)
    }
}
