//! The zones that the ledger's days are of. An empty ledger takes whichever is configured; one with days moves to
//! another only as a whole, by `replace_zones`.

use anyhow::{Context, ensure};
use rusqlite::{Connection, OptionalExtension, named_params};

use super::Ledger;
use super::statements::count_revision;
use crate::day::Day;
use crate::instant::Utc;
use crate::ledger::context::ledger_at;
use crate::zone::Zone;
use crate::zones::{ZoneChange, Zones};

/// Which zone each day is of.
pub(super) fn find_zones(connection: &Connection) -> anyhow::Result<Zones> {
    let first: String = connection
        .prepare_cached("select timezone from ledgers")?
        .query_one([], |row| row.get(0))
        .optional()?
        .context("it has no timezone: run rbc-usage initdb")?;
    let parse = |name: &str| Zone::parse(name).context("the ledger's timezone");
    let mut zones = Zones::from(parse(&first)?);
    let sql = "select since_day, timezone, begins_at from timezones order by since_day";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (since, timezone, begins): (String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        zones = zones.with(ZoneChange {
            since: since.parse()?,
            zone: parse(&timezone)?,
            begins: begins.parse::<Utc>()?.unix(),
        })?;
    }
    Ok(zones)
}

/// The zones of the ledger's days, if the newest of them is the one that is configured; of an empty ledger that one.
pub(super) fn agreed_zones(connection: &Connection, timezone: &str) -> anyhow::Result<Zones> {
    let zones = find_zones(connection)?;
    let stored = zones.name();
    if stored == timezone {
        return Ok(zones);
    }
    let sql = "select max(day) is not null from stored_days";
    let has_days: bool = connection.query_row(sql, [], |row| row.get(0))?;
    ensure!(!has_days, "{}", disagreement(stored, timezone));
    Ok(Zones::from(Zone::parse(timezone)?))
}

/// The same, and an empty ledger is of that zone from now on.
pub(super) fn agree_on_zones(connection: &Connection, timezone: &str) -> anyhow::Result<Zones> {
    let zones = agreed_zones(connection, timezone)?;
    if zones != find_zones(connection)? {
        connection.execute("delete from timezones", [])?;
        connection.execute(
            "update ledgers set timezone = :timezone",
            named_params! {":timezone": timezone},
        )?;
        count_revision(connection)?;
    }
    Ok(zones)
}

/// What to do where the ledger's days and the configuration are of different zones.
pub fn disagreement(ledger: &str, configured: &str) -> String {
    format!(
        "its days are those of {ledger}, main.timezone says {configured}: write main.timezone = {ledger}, or move the \
         ledger by rbc-usage rezone {configured} --from DAY"
    )
}

impl Ledger {
    /// The zones its days are of.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// From now on its days are of these zones. What was stored before is to be written again by whoever calls this.
    pub fn replace_zones(&mut self, zones: Zones) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.transaction(|connection, _| {
            connection.execute("delete from timezones", [])?;
            let sql = "insert into timezones (since_day, timezone, begins_at) values (?1, ?2, ?3)";
            for change in zones.changes() {
                let begins = Utc::at(change.begins)?.to_string();
                let values = (change.since.to_string(), change.zone.name(), begins);
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
        let sql = "select day from stored_days where day >= coalesce(?1, '') order by day";
        let mut statement = self.connection.prepare_cached(sql)?;
        let days: Vec<String> = statement
            .query_map([first.map(|day| day.to_string())], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        days.iter().map(|day| Ok(day.parse()?)).collect()
    }

    /// A closed day that lasts longer in its new zone is not over yet. A sealed one stays sealed.
    pub fn reopen_day(&mut self, day: Day) -> anyhow::Result<()> {
        let named = ledger_at(&self.path);
        self.transaction(|connection, _| {
            let sql = "update stored_days set state = 'open', verified_at = null where day = ?1 and sealed_at is null";
            connection.execute(sql, [day.to_string()])?;
            let sql = "delete from summed_months where month = substr(?1, 1, 7)";
            connection.execute(sql, [day.to_string()])?;
            count_revision(connection)
        })
        .context(named)
    }
}
