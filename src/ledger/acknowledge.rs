//! Findings that somebody has looked at. They are told by their content, as a day that is written again has new
//! findings of the same content; the finding itself stays in the ledger.

use anyhow::Context;
use rusqlite::Connection;

use super::Ledger;
use super::statements::count_revision;

impl Ledger {
    /// Acknowledges findings, all or none. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn acknowledge(&mut self, ids: &[i64], reason: &str, now: &str) -> anyhow::Result<()> {
        let named = format!("ledger {}", self.path.display());
        self.transaction(|connection, _| {
            for id in ids {
                insert_acknowledgement(connection, *id, reason, now)?;
            }
            count_revision(connection)
        })
        .context(named)
    }

    /// Takes acknowledgements back, all or none.
    pub fn unacknowledge(&mut self, ids: &[i64]) -> anyhow::Result<()> {
        let named = format!("ledger {}", self.path.display());
        self.transaction(|connection, _| {
            for id in ids {
                delete_acknowledgement(connection, *id)?;
            }
            count_revision(connection)
        })
        .context(named)
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
               select day, kind, coalesce(account_id, 0), coalesce(metric_id, 0), coalesce(resource, ''), detail, ?2, ?3 \
               from stored_findings \
               where id = ?1 \
               on conflict do update set reason = excluded.reason, acknowledged_at = excluded.acknowledged_at";
    let inserted = connection.prepare_cached(sql)?.execute((id, reason, now))?;
    anyhow::ensure!(inserted == 1, "there is no finding {id}");
    Ok(())
}

fn delete_acknowledgement(connection: &Connection, id: i64) -> anyhow::Result<()> {
    let sql = "delete from acknowledgements \
               where (day, kind, account_id, metric_id, resource, detail) in ( \
                 select day, kind, coalesce(account_id, 0), coalesce(metric_id, 0), coalesce(resource, ''), detail \
                 from stored_findings \
                 where id = ?1)";
    let deleted = connection.prepare_cached(sql)?.execute([id])?;
    anyhow::ensure!(deleted == 1, "there is no acknowledged finding {id}");
    Ok(())
}
