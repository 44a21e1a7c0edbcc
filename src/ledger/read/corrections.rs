//! Values of closed days that changed: what an import overwrote, and what a sealed day withholds.

use std::collections::BTreeSet;

use super::accounts::id_list;
use super::corrected_lines::{ChangedLines, list_corrected_lines};
use super::reader::{Page, Snapshot};
use crate::day::{Day, DayRange};
use crate::db::params;

/// One value that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCorrection {
    pub id: i64,
    /// `overwritten`: the record holds the new value; `pending`: the day is sealed and holds the old one;
    /// `applied`: was pending until the day was unsealed and imported.
    pub kind: String,
    pub day: Day,
    pub account_uuid: String,
    /// What it was called on the day.
    pub account_name: String,
    pub metric: String,
    /// Of the quantities.
    pub unit: String,
    pub resource_uuid: Option<String>,
    pub resource_name: Option<String>,
    /// `None`: there was no record.
    pub old_quantity: Option<f64>,
    /// `None`: there is none in the source any more.
    pub new_quantity: Option<f64>,
    /// New less old, nothing counting as 0.
    pub delta: f64,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub corrected_at: String,
    /// Somebody has charged or credited it, and why; like the other time.
    pub acknowledged_at: Option<String>,
    pub reason: Option<String>,
    /// Which lines it is about; none where that is not known.
    pub lines: ChangedLines,
}

/// Which corrections. All conditions hold together.
#[derive(Clone, Copy, Debug, Default)]
pub struct CorrectionFilter<'a> {
    pub range: Option<DayRange>,
    /// `overwritten`, `pending` or `applied`.
    pub kind: Option<&'a str>,
    /// Found at this time or later; UTC, `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`.
    pub since: Option<&'a str>,
    pub accounts: Option<&'a BTreeSet<i64>>,
    /// Days of theirs to be left out, as `Selection::hidden_days` has them.
    pub hidden: Option<&'a str>,
    /// In the order of a list, those after this id.
    pub after: Option<i64>,
}

/// Corrections in the order they were found.
pub fn list_corrections(
    snapshot: &Snapshot,
    filter: CorrectionFilter,
    page: Page,
) -> anyhow::Result<Vec<StoredCorrection>> {
    let sql = match filter.range {
        Some(_) => OF_DAYS,
        None => OF_ALL_DAYS,
    };
    let parameters = params! {
        ":first": filter.range.map(|range| range.first()),
        ":last": filter.range.map(|range| range.last()),
        ":kind": filter.kind,
        ":since": filter.since,
        ":accounts": filter.accounts.map(id_list),
        ":hidden": filter.hidden,
        ":after": filter.after,
        ":limit": page.limit(),
        ":offset": page.offset,
    };
    let mut corrections: Vec<StoredCorrection> =
        snapshot.connection().list(sql, parameters, |row| {
            Ok(StoredCorrection {
                id: row.get(0)?,
                kind: row.get(1)?,
                day: row.get(2)?,
                account_uuid: row.get(3)?,
                account_name: row.get(4)?,
                metric: row.get(5)?,
                unit: row.get(6)?,
                resource_uuid: row.get(7)?,
                resource_name: row.get(8)?,
                old_quantity: row.get(9)?,
                new_quantity: row.get(10)?,
                delta: row.get(11)?,
                corrected_at: row.get(12)?,
                acknowledged_at: row.get(13)?,
                reason: row.get(14)?,
                lines: ChangedLines::default(),
            })
        })?;
    let ids: Vec<i64> = corrections.iter().map(|correction| correction.id).collect();
    let mut lines = list_corrected_lines(snapshot, &ids)?;
    for correction in &mut corrections {
        correction.lines = lines.remove(&correction.id).unwrap_or_default();
    }
    Ok(corrections)
}

const OF_DAYS: &str =
    "select v.id, v.kind, v.day, v.account_uuid, v.account_name, v.metric, v.unit, v.resource_uuid,
            v.resource_name, v.old_quantity, v.new_quantity, v.delta, v.corrected_at, v.acknowledged_at, v.reason
     from stored_corrections c
     cross join corrections v on v.id = c.id
     where c.day between :first and :last
       and (:kind is null or c.kind = :kind)
       and (:since is null or c.corrected_at >= :since)
       and (:accounts is null or c.account_id in (select value from json_each(:accounts)))
       and (:hidden is null
            or c.account_id not in (select json_extract(value, '$[0]') from json_each(:hidden))
            or not exists (select 1 from json_each(:hidden) where json_extract(value, '$[0]') = c.account_id
                           and c.day between json_extract(value, '$[1]') and json_extract(value, '$[2]')))
       and (:after is null or c.id > :after)
     order by c.id
     limit :limit offset :offset";

// From the first that was found since then, or from the last page's last one. It takes the days as well, so that both
// have the same parameters.
const OF_ALL_DAYS: &str =
    "select v.id, v.kind, v.day, v.account_uuid, v.account_name, v.metric, v.unit, v.resource_uuid,
            v.resource_name, v.old_quantity, v.new_quantity, v.delta, v.corrected_at, v.acknowledged_at, v.reason
     from stored_corrections c
     cross join corrections v on v.id = c.id
     where :first is null and :last is null
       and c.id >= iif(:since is null, 0, (select min(s.id) from stored_corrections s where s.corrected_at >= :since))
       and (:kind is null or c.kind = :kind)
       and (:since is null or c.corrected_at >= :since)
       and (:accounts is null or c.account_id in (select value from json_each(:accounts)))
       and (:hidden is null
            or c.account_id not in (select json_extract(value, '$[0]') from json_each(:hidden))
            or not exists (select 1 from json_each(:hidden) where json_extract(value, '$[0]') = c.account_id
                           and c.day between json_extract(value, '$[1]') and json_extract(value, '$[2]')))
       and c.id > coalesce(:after, 0)
     order by c.id
     limit :limit offset :offset";
