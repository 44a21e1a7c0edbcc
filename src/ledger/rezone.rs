//! Moves the ledger to other zones: its days are then of these, and those stored before are opened to be written again.

use super::handle::Ledger;
use super::recent_figures::RecentFigures;
use super::statements::{count_revision, forget_month_sums};
use crate::day::Day;
use crate::db::params;
use crate::instant::Utc;
use crate::zones::Zones;

impl Ledger {
    /// From now on its days are of these zones. What was stored before is to be written again by whoever calls this.
    pub fn replace_zones(&mut self, zones: Zones) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            connection.execute("delete from timezones", params! {})?;
            let sql = "insert into timezones (since_day, timezone, begins_at) values (:since, :zone, :begins)";
            for change in zones.changes() {
                let values = params! {
                    ":since": change.since,
                    ":zone": change.zone.name(),
                    ":begins": Utc::at(change.begins)?.to_string(),
                };
                connection.execute(sql, values)?;
            }
            count_revision(connection)
        })?;
        self.zones = zones;
        // They are of days of other lengths.
        self.recent = RecentFigures::default();
        Ok(())
    }

    /// Its days, all or from one on, in order.
    pub fn list_days_from(&self, first: Option<Day>) -> anyhow::Result<Vec<Day>> {
        let sql = "select day from stored_days where day >= coalesce(:first, '') order by day";
        let first = params! {":first": first};
        self.connection().list(sql, first, |row| row.get(0))
    }

    /// A closed day that lasts longer in its new zone is not over yet. A sealed one stays sealed.
    pub fn reopen_day(&mut self, day: Day) -> anyhow::Result<()> {
        self.transaction(|connection, _| {
            let sql = "update stored_days set state = 'open', verified_at = null where day = :day and sealed_at is null";
            connection.execute(sql, params! {":day": day})?;
            forget_month_sums(connection, day)?;
            count_revision(connection)
        })
    }
}
