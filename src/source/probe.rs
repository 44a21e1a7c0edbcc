//! What a CloudStack installation looks like: which columns there are, and the two settings worth a look.
//! Settings are optional: the table holds secrets, and an operator may rightly not let us read it.

use std::collections::HashSet;

use anyhow::ensure;

use crate::db::Connection;

/// The columns of one table that may be read.
pub struct Columns {
    table: &'static str,
    names: HashSet<String>,
}

impl Columns {
    pub fn of(connection: &Connection, table: &'static str) -> anyhow::Result<Columns> {
        Ok(Columns {
            table,
            names: connection.columns(table)?.into_iter().collect(),
        })
    }

    pub fn has(&self, column: &str) -> bool {
        self.names.contains(column)
    }

    /// Whether every one of these can be read.
    pub fn have(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.has(column))
    }

    /// Insists on columns that nothing can be done without.
    pub fn require(&self, columns: &[&str]) -> anyhow::Result<()> {
        ensure!(
            !self.names.is_empty(),
            "there is no table {} or no right to read it",
            self.table
        );
        let missing: Vec<&str> = columns
            .iter()
            .filter(|column| !self.has(column))
            .copied()
            .collect();
        ensure!(
            missing.is_empty(),
            "table {} has no column {} or no right to read it",
            self.table,
            missing.join(", ")
        );
        Ok(())
    }

    /// Insists that what is missing of these columns is missing from the schema: figures depend on them, and one that may
    /// not be read would pass for one that an older CloudStack does not have.
    pub fn insist(&self, connection: &Connection, columns: &[&str]) -> anyhow::Result<()> {
        let mut hidden = Vec::new();
        for column in columns.iter().filter(|column| !self.has(column)) {
            if connection.may_hide(self.table, column)? {
                hidden.push(*column);
            }
        }
        ensure!(
            hidden.is_empty(),
            "of table {} only single columns may be read, and not {}, which figures depend on: grant SELECT on the whole table",
            self.table,
            hidden.join(", ")
        );
        Ok(())
    }

    /// A select list in the order asked for, with `null` in place of columns this schema does not have.
    pub fn select_list(&self, columns: &[&'static str]) -> String {
        let or_null = |column: &&'static str| if self.has(column) { *column } else { "null" };
        columns.iter().map(or_null).collect::<Vec<_>>().join(", ")
    }
}

/// `usage.stats.job.aggregation.range`: the length of a usage window in minutes.
pub fn aggregation_range_minutes(cloud: &Connection) -> anyhow::Result<Option<i64>> {
    let value = setting(cloud, "usage.stats.job.aggregation.range")?;
    Ok(value.and_then(|text| text.trim().parse().ok()))
}

/// `usage.aggregation.timezone` as CloudStack uses it: empty or unset is GMT.
pub fn aggregation_timezone(cloud: &Connection) -> anyhow::Result<Option<String>> {
    let value = setting(cloud, "usage.aggregation.timezone")?;
    Ok(value.map(|name| {
        if name.is_empty() {
            "GMT".to_owned()
        } else {
            name
        }
    }))
}

/// CloudStack's settings, and a view for whom they are too secret: an operator shows by it which we may know.
const SETTINGS: [&str; 2] = ["configuration", "rbc_usage_settings"];

/// Where no value was ever set, the default counts, which CloudStack keeps beside it since 4.4. `None`: the settings
/// cannot be read, or this one is not there.
fn setting(cloud: &Connection, name: &'static str) -> anyhow::Result<Option<String>> {
    for table in SETTINGS {
        let columns = Columns::of(cloud, table)?;
        if columns.have(&["name", "value"]) {
            return value_of(cloud, &columns, name);
        }
    }
    Ok(None)
}

fn value_of(
    cloud: &Connection,
    columns: &Columns,
    name: &'static str,
) -> anyhow::Result<Option<String>> {
    let (values, table) = (
        columns.select_list(&["value", "default_value"]),
        columns.table,
    );
    let sql = format!("select {values} from {table} where name = '{name}'");
    let mut found = None;
    cloud.each(&sql, &[], |row| {
        let value = row.field(0)?.text()?.or(row.field(1)?.text()?);
        found = Some(value.unwrap_or_default());
        Ok(())
    })?;
    Ok(found)
}
