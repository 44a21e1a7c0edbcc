//! Which lines a correction is about: those of its record that are not what the source says now. Kept beside the
//! correction, so that a credit can name the VM.

use std::collections::BTreeMap;

use super::day::{Correction, NewDay, RecordKey};
use super::line_comparison::{HeldLine, LineDifference, compare_lines};
use super::line_reader::{LinesOf, list_corrected_lines};
use super::line_table::{LinesPer, StoredLine};
use super::lines::{LineNaming, size_of};
use super::names::LedgerNames;
use super::naming::AccountRef;
use super::plan::ROUNDING;
use crate::aggregate::UsageLine;
use crate::db::{Connection, SqlValue};

/// The lines that some accounts had before their day was written.
pub(super) struct LinesBefore {
    accounts: Vec<i64>,
    held: Vec<HeldLine>,
}

impl LinesBefore {
    /// Of the accounts that these corrections are about.
    pub fn read<'a>(
        connection: &Connection,
        names: &LedgerNames,
        new: &NewDay,
        corrections: impl Iterator<Item = &'a Correction>,
    ) -> anyhow::Result<LinesBefore> {
        let accounts = corrections.map(|correction| correction.key.0);
        let mut accounts: Vec<i64> = accounts.collect();
        accounts.sort_unstable();
        accounts.dedup();
        let held = match accounts.is_empty() {
            true => Vec::new(),
            false => {
                list_corrected_lines(connection, names, new.day, LinesOf::Accounts(&accounts))?
            }
        };
        Ok(LinesBefore { accounts, held })
    }

    /// Keeps the lines of corrections that have got these ids.
    pub fn keep(
        self,
        connection: &Connection,
        names: &mut LedgerNames,
        new: &NewDay,
        corrections: &[(i64, &Correction)],
    ) -> anyhow::Result<()> {
        if self.accounts.is_empty() {
            return Ok(());
        }
        let now = names.lines_by_account(new.day, &new.usage.lines);
        let differences = self.compare(names, new, &now)?;
        let changed: Vec<UsageLine> = differences
            .values()
            .flatten()
            .filter_map(|d| d.source)
            .collect();
        let ids = LineNaming::new(
            connection,
            names,
            new.day,
            new.usage,
            &changed,
            LinesPer::Resource,
        )?;
        let mut rows = Vec::new();
        for (id, correction) in corrections {
            for difference in differences.get(&correction.key).into_iter().flatten() {
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

    /// The lines that differ, by record.
    fn compare(
        &self,
        names: &LedgerNames,
        new: &NewDay,
        now: &BTreeMap<AccountRef, Vec<UsageLine>>,
    ) -> anyhow::Result<BTreeMap<RecordKey, Vec<LineDifference>>> {
        let mut of_records: BTreeMap<RecordKey, Vec<LineDifference>> = BTreeMap::new();
        for account_id in &self.accounts {
            let held = of_account(&self.held, *account_id, |line| line.account_id);
            let now = now.get(&AccountRef::Stored(*account_id));
            let now = now.map_or(&[][..], Vec::as_slice);
            let sizes = |sku: &_| size_of(names, sku);
            let differences = compare_lines(held, now, &new.usage.skus, &sizes, ROUNDING);
            for difference in differences {
                let metric_id = names.find_metric_id(difference.key.metric);
                let Some(metric_id) = metric_id else { continue };
                let key = (*account_id, metric_id, difference.key.record_id());
                of_records.entry(key).or_default().push(difference);
            }
        }
        Ok(of_records)
    }
}

/// Those of a list sorted by account that are of one.
pub(super) fn of_account<T, K: Ord>(sorted: &[T], account: K, key: impl Fn(&T) -> K) -> &[T] {
    let rest = &sorted[sorted.partition_point(|one| key(one) < account)..];
    &rest[..rest.partition_point(|one| key(one) == account)]
}
