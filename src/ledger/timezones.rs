//! The zones that the ledger's days are of. An empty ledger takes whichever is configured; one with days moves to
//! another only as a whole, by `replace_zones`.

use anyhow::{Context, ensure};
use rusqlite::{Connection, OptionalExtension, named_params};

use super::statements::count_revision;
use crate::instant::Utc;
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
