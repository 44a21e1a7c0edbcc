//! What somebody has looked at. Findings are identified by their content, as a day that is written again has new
//! findings of the same content; the finding itself stays in the ledger. Corrections keep their ids.

use anyhow::bail;

use super::handle::Ledger;
use super::refusals;
use super::statements::count_revision;
use crate::day::Day;
use crate::db::{Connection, params};

impl Ledger {
    /// Acknowledges findings, all or none. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn acknowledge(&mut self, ids: &[i64], reason: &str, now: &str) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            for id in ids {
                if refusals::acknowledge(connection, *id, Some((reason, now)))? {
                    continue;
                }
                insert_acknowledgement(connection, *id, reason, now)?;
            }
            count_revision(connection)
        })
    }

    /// Takes acknowledgements back, all or none.
    pub fn unacknowledge(&mut self, ids: &[i64]) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            for id in ids {
                if refusals::acknowledge(connection, *id, None)? {
                    continue;
                }
                delete_acknowledgement(connection, *id)?;
            }
            count_revision(connection)
        })
    }
}

impl Ledger {
    /// Records that pending corrections were charged or credited, all or none; `None`: that they were not. What was
    /// charged is not charged again: the first note stays until it is taken back.
    pub fn acknowledge_corrections(
        &mut self,
        ids: &[i64],
        acknowledged: Option<(&str, &str)>,
    ) -> anyhow::Result<()> {
        let (reason, now) = acknowledged.unzip();
        self.transaction(|connection, _| {
            let known = "select acknowledged_at from stored_corrections where id = :id and kind = 'pending'";
            let note = "update stored_corrections set reason = :reason, acknowledged_at = :now where id = :id";
            for id in ids {
                let before: Option<Option<String>> =
                    connection.find(known, params! {":id": *id}, |row| row.get(0))?;
                match (before, now) {
                    (None, Some(_)) => bail!("there is no pending correction {id}"),
                    (None | Some(None), None) => bail!("there is no acknowledged correction {id}"),
                    (Some(Some(before)), Some(_)) => {
                        bail!("correction {id} was acknowledged at {before}: corrections unack {id} takes that back")
                    }
                    (Some(None), Some(_)) | (Some(Some(_)), None) => {
                        connection.execute(note, params! {":id": *id, ":reason": reason, ":now": now})?
                    }
                };
            }
            count_revision(connection)
        })
    }
}

/// A finding that was acknowledged before gets the new reason.
fn insert_acknowledgement(
    connection: &Connection,
    id: i64,
    reason: &str,
    now: &str,
) -> anyhow::Result<()> {
    let sql = "insert into acknowledgements (day, kind, account_id, metric_id, resource, detail, reason, acknowledged_at) \
               select day, kind, coalesce(account_id, 0), coalesce(metric_id, 0), coalesce(resource, ''), detail, :reason, :now \
               from stored_findings \
               where id = :id \
               on conflict do update set reason = excluded.reason, acknowledged_at = excluded.acknowledged_at";
    let values = params! {":id": id, ":reason": reason, ":now": now};
    let inserted = connection.execute(sql, values)?;
    anyhow::ensure!(inserted > 0, "there is no finding {id}");
    update_acknowledged(connection, id)
}

fn delete_acknowledgement(connection: &Connection, id: i64) -> anyhow::Result<()> {
    let sql = "delete from acknowledgements \
               where (day, kind, account_id, metric_id, resource, detail) in ( \
                 select day, kind, coalesce(account_id, 0), coalesce(metric_id, 0), coalesce(resource, ''), detail \
                 from stored_findings \
                 where id = :id)";
    let deleted = connection.execute(sql, params! {":id": id})?;
    anyhow::ensure!(deleted == 1, "there is no acknowledged finding {id}");
    update_acknowledged(connection, id)?;
    // The day may have been taken for equal to its source because of it.
    let sql = "update stored_days set verified_at = null \
               where day = (select day from stored_findings where id = :id and kind in ('differs_from_source', 'remapped'))";
    connection.execute(sql, params! {":id": id})?;
    Ok(())
}

/// Keeps with a finding whether its content is acknowledged, and with those of its day that say the same.
fn update_acknowledged(connection: &Connection, id: i64) -> anyhow::Result<()> {
    let sql = "select day from stored_findings where id = :id";
    let day: Day = connection.one(sql, params! {":id": id}, |row| row.get(0))?;
    let sql = "update stored_findings set acknowledged = exists ( \
                 select 1 from acknowledgements k \
                 where k.day = stored_findings.day and k.kind = stored_findings.kind \
                   and k.account_id = coalesce(stored_findings.account_id, 0) \
                   and k.metric_id = coalesce(stored_findings.metric_id, 0) \
                   and k.resource = coalesce(stored_findings.resource, '') and k.detail = stored_findings.detail) \
               where day = :day";
    connection.execute(sql, params! {":day": day})?;
    Ok(())
}
