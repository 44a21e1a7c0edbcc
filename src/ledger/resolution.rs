//! Gives what the source says of a day its ids in the ledger. What `cloud` does not know is kept under a stand-in, which is
//! a finding.

use super::day::{NewDay, NewFinding, NewRecord};
use super::names::{AccountOnDay, LedgerNames, stand_in};
use crate::db::Connection;
use crate::finding::FindingKind;
use crate::metric::Metric;

/// Gives the day's records their ids in the ledger, sorted by key. What gets a stand-in becomes a finding.
pub fn resolve(
    connection: &Connection,
    names: &mut LedgerNames,
    new: &NewDay,
    findings: &mut Vec<NewFinding>,
) -> anyhow::Result<Vec<NewRecord>> {
    let mut records = Vec::with_capacity(new.usage.records.len());
    let mut account: Option<(u64, AccountOnDay)> = None;
    for record in &new.usage.records {
        let metric_id = names.metric(connection, record.metric)?;
        let source_id = record.account_id;
        let account_id = match account.filter(|(of, _)| *of == source_id) {
            Some((_, account)) => account.id,
            None => {
                let day = new.day;
                let found = names.account(connection, source_id, day)?;
                findings.extend(unresolved_account(source_id, found));
                account = Some((source_id, found));
                found.id
            }
        };
        let (resource_id, is_stand_in) = match record.metric.per() {
            None => (0, false),
            Some(per) => {
                let resource = names.resource(connection, per, record.source_id)?;
                if resource.stand_in {
                    let name = stand_in(per, record.source_id);
                    findings.push(unresolved(account_id, Some(record.metric), name));
                }
                (resource.id, resource.stand_in)
            }
        };
        records.push(NewRecord {
            key: (account_id, metric_id, record.source_id),
            resource_id,
            stand_in: is_stand_in,
            quantity: record.quantity,
        });
    }
    records.sort_unstable_by(|a, b| {
        let by_quantity = || a.quantity.total_cmp(&b.quantity);
        a.key.cmp(&b.key).then_with(by_quantity)
    });
    // Two ids in CloudStack may mean one account.
    records.dedup_by(|next, record| {
        let same = next.key == record.key;
        if same {
            record.quantity += next.quantity;
        }
        same
    });
    Ok(records)
}

/// The findings of the day's rows, by the ledger's accounts.
pub fn name_findings(
    connection: &Connection,
    names: &mut LedgerNames,
    new: &NewDay,
) -> anyhow::Result<Vec<NewFinding>> {
    let day = new.day;
    let mut named = Vec::new();
    for finding in &new.usage.findings {
        let account_id = match finding.account_id {
            Some(id) => Some(names.account(connection, id, day)?.id),
            None => None,
        };
        named.push(NewFinding {
            kind: finding.kind,
            account_id,
            metric: finding.metric,
            resource: finding.resource.clone(),
            detail: finding.detail.clone(),
        });
    }
    Ok(named)
}

/// What is to be said of an account that is kept under a stand-in.
fn unresolved_account(source_id: u64, account: AccountOnDay) -> Option<NewFinding> {
    let name = format!("account:{source_id}");
    let finding = unresolved(account.id, None, name.clone());
    let detail = match account.twin {
        Some(twin) => format!(
            "cloud has the accounts {twin} and {source_id} under one uuid: this one is kept as {name}"
        ),
        None => finding.detail.clone(),
    };
    account.stand_in.then_some(NewFinding { detail, ..finding })
}

fn unresolved(account_id: i64, metric: Option<Metric>, stand_in: String) -> NewFinding {
    NewFinding {
        kind: FindingKind::Unresolved,
        account_id: Some(account_id),
        metric,
        detail: format!("cloud does not know {stand_in}"),
        resource: Some(stand_in),
    }
}
