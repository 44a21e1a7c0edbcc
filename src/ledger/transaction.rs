//! One change of the ledger: all of it or nothing, in the file and in the names that are held in memory.

use anyhow::ensure;
use rusqlite::Connection;

use super::handle::Ledger;
use super::names::LedgerNames;

impl Ledger {
    /// Does all of it or nothing. In a dry run it is a part of the whole that is never committed.
    pub(super) fn transaction<T>(
        &mut self,
        act: impl FnOnce(&Connection, &mut LedgerNames) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (begin, commit, rollback) = match self.dry_run {
            true => (
                "savepoint day",
                "release day",
                "rollback to day; release day",
            ),
            false => ("begin immediate", "commit", "rollback"),
        };
        self.insist_on_file()?;
        // SQLite rolls all of it back by itself where the disk is full, and the next savepoint would be committed.
        ensure!(
            !self.dry_run || !self.connection.is_autocommit(),
            "the dry run was ended by an earlier error"
        );
        self.connection.execute_batch(begin)?;
        let result = act(&self.connection, &mut self.names).and_then(|done| {
            self.connection.execute_batch(commit)?;
            Ok(done)
        });
        if let Err(err) = result {
            // The error that led here is the one to report; SQLite may have rolled back by itself.
            let _ = self.connection.execute_batch(rollback);
            // Names that were stored meanwhile are not in the file: a later record must not rely on them.
            return match self.names.reload(&self.connection) {
                Ok(()) => Err(err),
                Err(unread) => Err(err.context(format!("{unread:#}; after"))),
            };
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::aggregate::{DayUsage, Record};
    use crate::cloud::{CloudAccount, Fingerprint, Names};
    use crate::day::Day;
    use crate::ledger::day::{ClosedDay, Completion, NewDay, Written};
    use crate::ledger::{Ledger, initialise};
    use crate::metric::{Breakdown, Metric};

    const NOW: &str = "2013-06-03T00:20:00Z";

    fn names() -> Names {
        let alice = CloudAccount {
            uuid: Some("alice-uuid".to_owned()),
            name: "alice".to_owned(),
            domain_uuid: None,
            domain_path: None,
            project_uuid: None,
            project_name: None,
        };
        let small = ("small-uuid".to_owned(), "small".to_owned());
        Names {
            accounts: HashMap::from([(2, alice)]),
            resources: HashMap::from([((Breakdown::ServiceOffering, 5), small)]),
            ..Names::default()
        }
    }

    fn write(ledger: &mut Ledger, day: &str) -> anyhow::Result<Written> {
        let usage = DayUsage {
            records: vec![Record {
                account_id: 2,
                metric: Metric::VmRunning,
                source_id: 5,
                quantity: 24.0,
            }],
            source_rows: 1,
            ..DayUsage::default()
        };
        ledger.write_day(&NewDay {
            day: day.parse::<Day>()?,
            completion: Completion::Closed,
            usage: &usage,
            vms: &[(11, 1)],
            fingerprint: &Fingerprint {
                rows: 1,
                first: 1,
                last: 1,
                sum: "1".to_owned(),
                again: Vec::new(),
            },
            closed_day: ClosedDay::AddMissing,
            now: NOW,
        })
    }

    #[test]
    fn what_a_failed_day_stored_is_stored_again_by_the_next() {
        for dry_run in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("usage.db");
            initialise(&path, "GMT", NOW).unwrap();
            // At the end of its transaction, after every name is stored.
            let failure = "create temp trigger failure after update of revision on ledgers
                           when exists (select 1 from stored_days where day = '2013-06-01')
                           begin select raise(abort, 'no room'); end";
            let mut ledger = Ledger::open(&path, "GMT", dry_run).unwrap();
            ledger.connection.execute_batch(failure).unwrap();
            ledger.add_names(names());
            let failed = write(&mut ledger, "2013-06-01").unwrap_err();
            assert!(format!("{failed:#}").contains("no room"), "{failed:#}");
            let written = write(&mut ledger, "2013-06-02").unwrap();
            assert_eq!((written.added, written.findings), (1, 0));
            let sql = "select account_uuid, metric, resource_uuid from daily_usage";
            let mut statement = ledger.connection.prepare(sql).unwrap();
            let found = statement
                .query_one([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .unwrap();
            let named: (String, String, String) = found;
            let expected = ["alice-uuid", "vm_running", "small-uuid"].map(str::to_owned);
            assert_eq!([named.0, named.1, named.2], expected);
            let oses = "select count(*) from vm_guest_oses where vm_id = 11";
            let frozen: i64 = ledger
                .connection
                .query_one(oses, [], |row| row.get(0))
                .unwrap();
            assert_eq!(frozen, 1);
        }
    }
}
