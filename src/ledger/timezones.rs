//! The zones that the ledger's days are of. An empty ledger takes whichever is configured; one with days moves to
//! another only as a whole, by `replace_zones`.

use anyhow::{Context, ensure};

use super::statements::count_revision;
use crate::day::Day;
use crate::db::{Connection, params};
use crate::instant::Utc;
use crate::zone::Zone;
use crate::zones::{ZoneChange, Zones};

/// Which zone each day is of.
pub(super) fn find_zones(connection: &Connection) -> anyhow::Result<Zones> {
    let sql = "select timezone from ledgers";
    let first: Option<String> = connection.find(sql, params! {}, |row| row.get(0))?;
    let first = first
        .context("it has no timezone, as a copy that did not come to its end: copy it again")?;
    let parse = |name: &str| Zone::parse(name).context("the ledger's timezone");
    let mut zones = Zones::from(parse(&first)?);
    let sql = "select since_day, timezone, begins_at from timezones order by since_day";
    let changes = connection.list(sql, params! {}, |row| {
        Ok(ZoneChange {
            since: row.get(0)?,
            zone: parse(row.get(1)?)?,
            begins: row.get::<&str>(2)?.parse::<Utc>()?.unix(),
        })
    })?;
    for change in changes {
        zones = zones.with(change)?;
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
    let sql = "select max(day) from stored_days";
    let newest: Option<Day> = connection.one(sql, params! {}, |row| row.get(0))?;
    ensure!(newest.is_none(), "{}", disagreement(stored, timezone));
    Ok(Zones::from(Zone::parse(timezone)?))
}

/// The same, and an empty ledger is of that zone from now on.
pub(super) fn agree_on_zones(connection: &Connection, timezone: &str) -> anyhow::Result<Zones> {
    let zones = agreed_zones(connection, timezone)?;
    if zones != find_zones(connection)? {
        connection.execute("delete from timezones", params! {})?;
        let sql = "update ledgers set timezone = :timezone";
        connection.execute(sql, params! {":timezone": timezone})?;
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
