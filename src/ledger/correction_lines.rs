//! Which lines a correction is about: those of its record that are not what the source says now. Kept beside the
//! correction, so that a credit can name the VM.

use std::collections::{BTreeMap, BTreeSet};

use super::day::{Correction, NewDay, RecordKey};
use super::line_comparison::{LineDifference, compare_lines};
use super::line_reader::{LinesOf, list_corrected_lines};
use super::line_table::{LinesPer, StoredLine};
use super::lines::{LineNaming, size_of};
use super::names::LedgerNames;
use super::naming::AccountRef;
use super::plan::ROUNDING;
use crate::aggregate::UsageLine;
use crate::db::{Connection, SqlValue};

/// The lines of a day that are not what the source says now, by the record that they are a part of; none where the day's
/// lines are its records.
pub(super) struct DifferingLines {
    of_records: BTreeMap<RecordKey, Vec<LineDifference>>,
    per: LinesPer,
}

impl DifferingLines {
    /// Of all accounts, or of these, sorted.
    pub fn find(
        connection: &Connection,
        names: &LedgerNames,
        new: &NewDay,
        per: LinesPer,
        whose: LinesOf,
    ) -> anyhow::Result<DifferingLines> {
        let mut found = DifferingLines {
            of_records: BTreeMap::new(),
            per,
        };
        if per == LinesPer::Record || matches!(whose, LinesOf::Accounts([])) {
            return Ok(found);
        }
        let held = list_corrected_lines(connection, names, new.day, whose)?;
        let now = names.lines_by_account(new.day, &new.usage.lines);
        let accounts: BTreeSet<i64> = match whose {
            LinesOf::Accounts(accounts) => accounts.iter().copied().collect(),
            LinesOf::All => {
                let now = now.keys().filter_map(|account| account.stored());
                held.iter().map(|line| line.account_id).chain(now).collect()
            }
        };
        let sizes = |sku: &_| size_of(names, sku);
        for account_id in accounts {
            let held = of_account(&held, account_id, |line| line.account_id);
            let now = now.get(&AccountRef::Stored(account_id));
            let now = now.map_or(&[][..], Vec::as_slice);
            let apart = per == LinesPer::Resource;
            let differences = compare_lines(held, now, &new.usage.skus, &sizes, apart, ROUNDING);
            for difference in differences {
                let metric_id = names.find_metric_id(difference.key.metric);
                let Some(metric_id) = metric_id else { continue };
                let key = (account_id, metric_id, difference.key.record_id());
                found.of_records.entry(key).or_default().push(difference);
            }
        }
        Ok(found)
    }

    /// Whether lines of a record differ.
    pub fn has(&self, record: RecordKey) -> bool {
        self.of_records.contains_key(&record)
    }

    /// Keeps the lines of corrections that have got these ids.
    pub fn keep(
        self,
        connection: &Connection,
        names: &mut LedgerNames,
        new: &NewDay,
        corrections: &[(i64, &Correction)],
    ) -> anyhow::Result<()> {
        if corrections.is_empty() || self.of_records.is_empty() {
            return Ok(());
        }
        let changed: Vec<UsageLine> = self
            .of_records
            .values()
            .flatten()
            .filter_map(|d| d.source)
            .collect();
        let ids = LineNaming::new(connection, names, new.day, new.usage, &changed, self.per)?;
        let mut rows = Vec::new();
        for (id, correction) in corrections {
            for difference in self.of_records.get(&correction.key).into_iter().flatten() {
                // Under another name, a record is gone and another has come.
                let old = difference.held.filter(|_| correction.old.is_some());
                let new = difference.source.filter(|_| correction.new.is_some());
                let new = new
                    .map(|line| ids.stored(connection, names, &line))
                    .transpose()?;
                let Some(StoredLine {
                    sku_id,
                    resource_id,
                    ..
                }) = old.or(new)
                else {
                    continue;
                };
                rows.push([
                    SqlValue::from(*id),
                    SqlValue::from(sku_id),
                    SqlValue::from(resource_id),
                    SqlValue::from(old.map(|line| line.quantity)),
                    SqlValue::from(new.map(|line| line.quantity)),
                ]);
            }
        }
        let sql = "insert into correction_lines (correction_id, sku_id, resource_id, old_quantity, new_quantity) \
                   values (:correction_id, :sku_id, :resource_id, :old_quantity, :new_quantity)";
        connection.insert_many(sql, rows)
    }
}

/// Those of a list sorted by account that are of one.
pub(super) fn of_account<T, K: Ord>(sorted: &[T], account: K, key: impl Fn(&T) -> K) -> &[T] {
    let rest = &sorted[sorted.partition_point(|one| key(one) < account)..];
    &rest[..rest.partition_point(|one| key(one) == account)]
}
