//! Days that an import refused: why, since when, and whether somebody has acknowledged it. They are kept until the day
//! is imported, whether the ledger has it or not, and are listed among the findings.

use super::handle::Ledger;
use super::statements::{Statements, count_revision};
use crate::day::Day;
use crate::db::{Connection, params};

/// What speaks against a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The source does not have its rows any more.
    SourceGone,
    /// A row holds what no row can.
    BadRow,
    /// Its windows are those of another zone.
    WrongZone,
}

/// A day that was refused and not imported since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub day: Day,
    /// That of its finding.
    pub id: i64,
    pub reason: String,
    pub cause: Cause,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`: when it was first refused for this reason.
    pub since: String,
    pub acknowledged: bool,
    /// The ledger has the day, as it was before.
    pub in_ledger: bool,
}

impl Ledger {
    /// Keeps why a day was refused, and leaves all else as it is. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub fn refuse_day(
        &mut self,
        day: Day,
        reason: &str,
        cause: Cause,
        now: &str,
    ) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            if !see_again(connection, day, reason, now)? {
                settle(connection, day)?;
                insert(connection, day, reason, cause, now)?;
            }
            Statements::new(connection, day, now).forget_verification()?;
            count_revision(connection)
        })
    }

    /// Every refusal that is not settled, acknowledged ones included, in order.
    pub fn list_refusals(&self) -> anyhow::Result<Vec<Refusal>> {
        let sql = "select r.day, r.id, r.reason, r.source_gone, r.wrong_zone, r.since, r.acknowledged_at is not null, \
                     exists (select 1 from stored_days d where d.day = r.day) \
                   from stored_refusals r order by r.day";
        self.connection().list(sql, params! {}, |row| {
            Ok(Refusal {
                day: row.get(0)?,
                id: row.get(1)?,
                reason: row.get(2)?,
                cause: match (row.get(3)?, row.get(4)?) {
                    (true, _) => Cause::SourceGone,
                    (false, true) => Cause::WrongZone,
                    (false, false) => Cause::BadRow,
                },
                since: row.get(5)?,
                acknowledged: row.get(6)?,
                in_ledger: row.get(7)?,
            })
        })
    }

    /// Nothing speaks against the day any more.
    pub fn settle_refusal(&mut self, day: Day) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            if settle(connection, day)? {
                count_revision(connection)?;
            }
            Ok(())
        })
    }
}

/// Records that a day was refused for the same reason again. Returns whether it was.
fn see_again(connection: &Connection, day: Day, reason: &str, now: &str) -> anyhow::Result<bool> {
    let sql = "update stored_refusals set last_seen = :now where day = :day and reason = :reason";
    let values = params! {":day": day, ":reason": reason, ":now": now};
    Ok(connection.execute(sql, values)? > 0)
}

fn insert(
    connection: &Connection,
    day: Day,
    reason: &str,
    cause: Cause,
    now: &str,
) -> anyhow::Result<()> {
    let id = next_finding_id(connection, day)?;
    let sql = "insert into stored_refusals (day, id, reason, source_gone, wrong_zone, since, last_seen) \
               values (:day, :id, :reason, :source_gone, :wrong_zone, :now, :now)";
    let values = params! {
        ":day": day,
        ":id": id,
        ":reason": reason,
        ":source_gone": cause == Cause::SourceGone,
        ":wrong_zone": cause == Cause::WrongZone,
        ":now": now,
    };
    connection.execute(sql, values)?;
    Ok(())
}

/// The number of a finding, which no other one ever gets.
fn next_finding_id(connection: &Connection, day: Day) -> anyhow::Result<i64> {
    if connection.is_sqlite() {
        let sql =
            "update sqlite_sequence set seq = seq + 1 where name = 'stored_findings' returning seq";
        return connection.one(sql, params! {}, |row| row.get(0));
    }
    // A server gives no number without a row.
    let sql = "insert into stored_findings (day, kind, detail) values (:day, 'refused', '')";
    let id = connection.insert(sql, params! {":day": day})?;
    let sql = "delete from stored_findings where id = :id";
    connection.execute(sql, params! {":id": id})?;
    Ok(id)
}

/// Returns whether anything spoke against the day.
pub(super) fn settle(connection: &Connection, day: Day) -> anyhow::Result<bool> {
    let sql = "delete from stored_refusals where day = :day";
    Ok(connection.execute(sql, params! {":day": day})? > 0)
}

/// A day that is sealed is what was invoiced, whether its source is there or not.
pub(super) fn settle_purge(connection: &Connection, day: Day) -> anyhow::Result<()> {
    let sql = "delete from stored_refusals where day = :day and source_gone = 1";
    connection.execute(sql, params! {":day": day})?;
    Ok(())
}

/// Records that somebody has looked at a refusal, or that nobody has. Returns whether there is one of this id that this
/// changes.
pub(super) fn acknowledge(
    connection: &Connection,
    id: i64,
    acknowledged: Option<(&str, &str)>,
) -> anyhow::Result<bool> {
    let sql = "select acknowledged_at is not null from stored_refusals where id = :id";
    let found: Option<bool> = connection.find(sql, params! {":id": id}, |row| row.get(0))?;
    let sql = "update stored_refusals set acknowledged_because = :reason, acknowledged_at = :now where id = :id";
    let (reason, now) = acknowledged.unzip();
    if found.is_some() {
        connection.execute(sql, params! {":id": id, ":reason": reason, ":now": now})?;
    }
    if found.is_some() && acknowledged.is_none() {
        // The day may have been taken for equal to its source because of it.
        let sql = "update stored_days set verified_at = null \
                   where day = (select day from stored_refusals where id = :id)";
        connection.execute(sql, params! {":id": id})?;
    }
    Ok(found.is_some_and(|before| before || acknowledged.is_some()))
}
