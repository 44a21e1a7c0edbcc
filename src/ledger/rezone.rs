//! Moves the ledger to other zones: its days are then of these, and those stored before are opened to be written again.

use anyhow::Context;
use rusqlite::named_params;

use super::context::ledger_at;
use super::handle::Ledger;
use super::statements::count_revision;
use crate::day::Day;
use crate::instant::Utc;
use crate::zones::Zones;

impl Ledger {
    /// From now on its days are of these zones. What was stored before is to be written again by whoever calls this.
    pub fn replace_zones(&mut self, zones: Zones) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.transaction(|connection, _| {
            connection.execute("delete from timezones", [])?;
            let sql = "insert into timezones (since_day, timezone, begins_at) values (:since, :zone, :begins)";
            for change in zones.changes() {
                let begins = Utc::at(change.begins)?.to_string();
                let values = named_params! {
                    ":since": change.since.to_string(),
                    ":zone": change.zone.name(),
                    ":begins": begins,
                };
                connection.execute(sql, values)?;
            }
            count_revision(connection)
        })
        .context(named)?;
        self.zones = zones;
        Ok(())
    }

    /// Its days, all or from one on, in order.
    pub fn list_days_from(&self, first: Option<Day>) -> anyhow::Result<Vec<Day>> {
        let sql = "select day from stored_days where day >= coalesce(:first, '') order by day";
        let mut statement = self.connection.prepare_cached(sql)?;
        let days: Vec<String> = statement
            .query_map(
                named_params! {":first": first.map(|day| day.to_string())},
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<_>>()?;
        days.iter().map(|day| Ok(day.parse()?)).collect()
    }

    /// A closed day that lasts longer in its new zone is not over yet. A sealed one stays sealed.
    pub fn reopen_day(&mut self, day: Day) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.transaction(|connection, _| {
            let sql = "update stored_days set state = 'open', verified_at = null where day = :day and sealed_at is null";
            connection.execute(sql, named_params! {":day": day.to_string()})?;
            let sql = "delete from summed_months where month = substr(:day, 1, 7)";
            connection.execute(sql, named_params! {":day": day.to_string()})?;
            count_revision(connection)
        })
        .context(named)
    }
}
