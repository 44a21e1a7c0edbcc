//! What was doubtful in the source of each day, and which of it somebody has looked at.

use std::collections::BTreeSet;

use rusqlite::named_params;

use super::accounts::id_list;
use super::{Page, Snapshot};
use crate::day::{Day, DayRange};

/// A finding as the ledger holds it. Its id is another one once its day is written again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFinding {
    pub id: i64,
    pub day: Day,
    /// The published name, see `finding::FindingKind`.
    pub kind: String,
    pub account_uuid: Option<String>,
    pub account_name: Option<String>,
    pub metric: Option<String>,
    /// What it is about, such as `vm:12`.
    pub resource: Option<String>,
    pub detail: String,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub acknowledged_at: Option<String>,
    pub reason: Option<String>,
}

/// Which findings. All conditions hold together.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingFilter<'a> {
    pub range: Option<DayRange>,
    pub kind: Option<&'a str>,
    /// Of these accounts; those without an account are left out then.
    pub accounts: Option<&'a BTreeSet<i64>>,
    pub acknowledged: Acknowledged,
    /// In the order of a list, those after this day and id.
    pub after: Option<(Day, i64)>,
}

/// Whether those that somebody has looked at are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledged {
    #[default]
    LeftOut,
    Included,
}

/// Findings sorted by day, then as they were found.
pub fn list_findings(
    snapshot: &Snapshot,
    filter: FindingFilter,
    page: Page,
) -> anyhow::Result<Vec<StoredFinding>> {
    let mut statement = snapshot.tx.prepare_cached(
        "select v.id, v.day, v.kind, v.account_uuid, v.account_name, v.metric, v.resource, v.detail,
                v.acknowledged_at, v.reason
         from findings v
         left join stored_findings f on f.id = v.id
         where (:first is null or v.day between :first and :last)
           and (:kind is null or v.kind = :kind)
           and (:accounts is null or f.account_id in (select value from json_each(:accounts)))
           and (:all or v.acknowledged_at is null)
           and (:after_day is null or (v.day, v.id) > (:after_day, :after_id))
         order by v.day, v.id
         limit :limit offset :offset",
    )?;
    let mut rows = statement.query(named_params! {
        ":first": filter.range.map(|range| range.first().to_string()),
        ":last": filter.range.map(|range| range.last().to_string()),
        ":kind": filter.kind,
        ":accounts": filter.accounts.map(id_list),
        ":all": filter.acknowledged == Acknowledged::Included,
        ":after_day": filter.after.map(|(day, _)| day.to_string()),
        ":after_id": filter.after.map(|(_, id)| id),
        ":limit": page.limit(),
        ":offset": page.offset,
    })?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        findings.push(StoredFinding {
            id: row.get(0)?,
            day: row.get_ref(1)?.as_str()?.parse()?,
            kind: row.get(2)?,
            account_uuid: row.get(3)?,
            account_name: row.get(4)?,
            metric: row.get(5)?,
            resource: row.get(6)?,
            detail: row.get(7)?,
            acknowledged_at: row.get(8)?,
            reason: row.get(9)?,
        });
    }
    Ok(findings)
}
