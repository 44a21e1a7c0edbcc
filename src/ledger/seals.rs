//! Sealed days, which no import may change.

use anyhow::{Context, ensure};

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
            let sql = "update stored_days set sealed_at = coalesce(sealed_at, ?2) \
                       where day = ?1 and state = 'closed'";
            let mut statement = connection.prepare_cached(sql)?;
            for day in days {
                let sealed = statement.execute((day.to_string(), now))?;
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
            let pending = "select 1 from stored_corrections where day = ?1 and kind = 'pending'";
            let forget = "delete from stored_digests where day = ?1";
            let look_again =
                "update stored_days set fingerprint = null, verified_at = null where day = ?1";
            let unseal = "update stored_days set sealed_at = null where day = ?1";
            for day in days {
                let day = day.to_string();
                if connection.prepare_cached(pending)?.exists([&day])? {
                    connection.prepare_cached(forget)?.execute([&day])?;
                    connection.prepare_cached(look_again)?.execute([&day])?;
                }
                connection.prepare_cached(unseal)?.execute([&day])?;
            }
            count_revision(connection)
        })
        .and_then(|()| self.checkpoint().context(DONE))
        .context(named)
    }
}
