//! What was doubtful in the source of each day, and which of it somebody has looked at.

use std::collections::BTreeSet;

use super::accounts::id_list;
use super::reader::{Page, Snapshot};
use crate::day::{Day, DayRange};
use crate::db::params;

/// A finding as the ledger holds it. Its id is another one once its day is written again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFinding {
    pub id: i64,
    pub day: Day,
    /// The published name, see `finding::FindingKind`.
    pub kind: String,
    pub account_uuid: Option<String>,
    /// What it was called on the day.
    pub account_name: Option<String>,
    pub metric: Option<String>,
    /// What it is about, such as `vm:12`.
    pub resource: Option<String>,
    pub detail: String,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub acknowledged_at: Option<String>,
    pub reason: Option<String>,
    /// What that is called, by the newest name that the ledger has of it.
    pub resource_name: Option<String>,
}

/// Which findings. All conditions hold together.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindingFilter<'a> {
    pub range: Option<DayRange>,
    pub kind: Option<&'a str>,
    /// Of these accounts; those without an account are left out then.
    pub accounts: Option<&'a BTreeSet<i64>>,
    /// Days of theirs to be left out, as `Selection::hidden_days` has them.
    pub hidden: Option<&'a str>,
    pub acknowledged: ShowAcknowledged,
    /// In the order of a list, those after this day and id.
    pub after: Option<(Day, i64)>,
}

/// Whether those that somebody has looked at are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShowAcknowledged {
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
    let sql = match filter.acknowledged {
        ShowAcknowledged::LeftOut => UNACKNOWLEDGED,
        ShowAcknowledged::Included => ALL,
    };
    // Bounds of days in every case, so that the index on days is of use; those before `after` need not be looked at.
    let first = filter.range.map(|range| range.first());
    let first = first.max(filter.after.map(|(day, _)| day));
    let last = filter.range.map(|range| range.last());
    let (after_day, after_id) = filter.after.unzip();
    let parameters = params! {
        ":first": first.map_or("0000-01-01".to_owned(), |day| day.to_string()),
        ":last": last.map_or("9999-12-31".to_owned(), |day| day.to_string()),
        ":kind": filter.kind,
        ":accounts": filter.accounts.map(id_list),
        ":hidden": filter.hidden,
        ":after_day": after_day.map(|day| day.to_string()).unwrap_or_default(),
        ":after_id": after_id.unwrap_or_default(),
        ":limit": page.limit(),
        ":offset": page.offset,
    };
    snapshot.connection().list(sql, parameters, |row| {
        Ok(StoredFinding {
            id: row.get(0)?,
            day: row.get(1)?,
            kind: row.get(2)?,
            account_uuid: row.get(3)?,
            account_name: row.get(4)?,
            metric: row.get(5)?,
            resource: row.get(6)?,
            detail: row.get(7)?,
            acknowledged_at: row.get(8)?,
            reason: row.get(9)?,
            resource_name: row.get(10)?,
        })
    })
}

// Two walks in the order of days, merged as they go: a page costs no more in a ledger that is old. Two statements, as the
// index of those that wait for somebody holds no others.
const UNACKNOWLEDGED: &str =
    "select f.id, f.day as day, f.kind, a.uuid,
            coalesce(
              (select n.name from account_states n where n.account_id = f.account_id and n.since_day <= f.day
               order by n.since_day desc limit 1),
              (select n.name from account_states n where n.account_id = f.account_id order by n.since_day limit 1),
              a.name),
            m.name, f.resource, f.detail, k.acknowledged_at, k.reason,
            coalesce(
              (select o.name from stored_resources o
               where o.uuid = f.resource and o.name <> o.uuid order by o.id desc limit 1),
              (select o.name from stored_resources o
               where o.kind = substr(f.resource, 1, instr(f.resource, ':') - 1)
                 and o.source_id = cast(substr(f.resource, instr(f.resource, ':') + 1) as integer)
                 and o.name <> f.resource order by o.id desc limit 1))
     from stored_findings f
     left join stored_accounts a on a.id = f.account_id
     left join metrics m on m.id = f.metric_id
     left join acknowledgements k on k.day = f.day and k.kind = f.kind
       and k.account_id = coalesce(f.account_id, 0) and k.metric_id = coalesce(f.metric_id, 0)
       and k.resource = coalesce(f.resource, '') and k.detail = f.detail
     where f.acknowledged = 0 and f.day between :first and :last
       and (:kind is null or f.kind = :kind)
       and (:accounts is null or f.account_id in (select value from json_each(:accounts)))
       and (:hidden is null
            or f.account_id not in (select json_extract(value, '$[0]') from json_each(:hidden))
            or not exists (select 1 from json_each(:hidden) where json_extract(value, '$[0]') = f.account_id
                           and f.day between json_extract(value, '$[1]') and json_extract(value, '$[2]')))
       and (f.day, f.id) > (:after_day, :after_id)
     union all
     select r.id, r.day, 'refused', null, null, null, null, r.reason, r.acknowledged_at, r.acknowledged_because, null
     from stored_refusals r
     where r.acknowledged_at is null and r.day between :first and :last
       and coalesce(:kind, 'refused') = 'refused'
       and :accounts is null
       and (r.day, r.id) > (:after_day, :after_id)
     order by day, 1
     limit :limit offset :offset";

const ALL: &str =
    "select f.id, f.day as day, f.kind, a.uuid,
            coalesce(
              (select n.name from account_states n where n.account_id = f.account_id and n.since_day <= f.day
               order by n.since_day desc limit 1),
              (select n.name from account_states n where n.account_id = f.account_id order by n.since_day limit 1),
              a.name),
            m.name, f.resource, f.detail, k.acknowledged_at, k.reason,
            coalesce(
              (select o.name from stored_resources o
               where o.uuid = f.resource and o.name <> o.uuid order by o.id desc limit 1),
              (select o.name from stored_resources o
               where o.kind = substr(f.resource, 1, instr(f.resource, ':') - 1)
                 and o.source_id = cast(substr(f.resource, instr(f.resource, ':') + 1) as integer)
                 and o.name <> f.resource order by o.id desc limit 1))
     from stored_findings f
     left join stored_accounts a on a.id = f.account_id
     left join metrics m on m.id = f.metric_id
     left join acknowledgements k on k.day = f.day and k.kind = f.kind
       and k.account_id = coalesce(f.account_id, 0) and k.metric_id = coalesce(f.metric_id, 0)
       and k.resource = coalesce(f.resource, '') and k.detail = f.detail
     where f.day between :first and :last
       and (:kind is null or f.kind = :kind)
       and (:accounts is null or f.account_id in (select value from json_each(:accounts)))
       and (:hidden is null
            or f.account_id not in (select json_extract(value, '$[0]') from json_each(:hidden))
            or not exists (select 1 from json_each(:hidden) where json_extract(value, '$[0]') = f.account_id
                           and f.day between json_extract(value, '$[1]') and json_extract(value, '$[2]')))
       and (f.day, f.id) > (:after_day, :after_id)
     union all
     select r.id, r.day, 'refused', null, null, null, null, r.reason, r.acknowledged_at, r.acknowledged_because, null
     from stored_refusals r
     where r.day between :first and :last
       and coalesce(:kind, 'refused') = 'refused'
       and :accounts is null
       and (r.day, r.id) > (:after_day, :after_id)
     order by day, 1
     limit :limit offset :offset";
