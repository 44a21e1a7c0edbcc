//! Sealed days, which no import may change.

use anyhow::{Context, ensure};

use super::handle::Ledger;
use super::refusals;
use super::statements::count_revision;
use crate::day::Day;
use crate::db::params;

/// When only the last step fails.
const DONE: &str = "it is done, but a part of it is still in the file -wal beside the ledger";

impl Ledger {
    /// Seals closed days, all or none. Those that are sealed stay as they are.
    pub fn seal_days(&mut self, days: &[Day], now: &str) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            let sql = "update stored_days set sealed_at = coalesce(sealed_at, :now) \
                       where day = :day and state = 'closed'";
            for day in days {
                let sealed = connection.execute(sql, params! {":day": *day, ":now": now})?;
                ensure!(sealed == 1, "{day} is not closed");
                refusals::settle_purge(connection, *day)?;
            }
            count_revision(connection)
        })?;
        self.checkpoint_what_is_done()
    }

    /// Gives days back to the imports, all or none. Days with pending corrections hold what their source does
    /// not say any more, so that it is looked at again.
    pub fn unseal_days(&mut self, days: &[Day]) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            let pending = "select 1 from stored_corrections where day = :day and kind = 'pending'";
            let forget = "delete from stored_digests where day = :day";
            let look_again =
                "update stored_days set fingerprint = null, verified_at = null where day = :day";
            let unseal = "update stored_days set sealed_at = null where day = :day";
            for day in days {
                let day = params! {":day": *day};
                if connection.exists(pending, day)? {
                    connection.execute(forget, day)?;
                    connection.execute(look_again, day)?;
                }
                connection.execute(unseal, day)?;
            }
            count_revision(connection)
        })?;
        self.checkpoint_what_is_done()
    }

    fn checkpoint_what_is_done(&self) -> anyhow::Result<()> {
        let checkpoint = self.engine.checkpoint().context(DONE);
        checkpoint.with_context(|| self.engine.name())
    }
}
