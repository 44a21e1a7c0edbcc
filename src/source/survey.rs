//! A look at one of CloudStack's databases by itself: what server it is, how its clock goes, which rights there are
//! beyond reading, and what the schema has.

use anyhow::Context;

use super::probe::Columns;
use super::reader::Options;
use super::usage_row;
use crate::config::SourceUri;
use crate::db::Connection;

/// What an account may have that only reads.
const HARMLESS: [&str; 3] = ["SELECT", "USAGE", "SHOW VIEW"];

/// Columns that came to `cloud_usage` over the years.
const LATER_COLUMNS: [&str; 6] = [
    "virtual_size",
    "cpu_speed",
    "cpu_cores",
    "memory",
    "state",
    "is_hidden",
];

#[derive(Debug)]
pub struct Survey {
    /// Such as `MariaDB 10.11.6`.
    pub server: String,
    /// The server's time, since 1970 UTC; none of a file.
    pub clock: Option<i64>,
    /// Rights that are more than reading takes, such as `INSERT`.
    pub excess: Vec<String>,
    /// What is known of the schema, in words.
    pub schema: String,
}

/// Looks at `cloud_usage`.
pub fn survey_cloud_usage(options: &Options) -> anyhow::Result<Survey> {
    let usage = options.connect(options.cloud_usage)?;
    let columns = usage_row::columns(&usage)?;
    let (has, lacks): (Vec<_>, Vec<_>) = LATER_COLUMNS
        .into_iter()
        .partition(|column| columns.has(column));
    let schema = match (has.is_empty(), lacks.is_empty()) {
        (_, true) => "has every column of use".to_owned(),
        (true, false) => "has the columns of the first versions only".to_owned(),
        (false, false) => format!("has {}, and not {}", has.join(", "), lacks.join(", ")),
    };
    survey(options.cloud_usage, &usage, schema)
}

/// Looks at `cloud`.
pub fn survey_cloud(options: &Options) -> anyhow::Result<Survey> {
    let cloud = options.connect(options.cloud)?;
    let mut schema = "its version cannot be read".to_owned();
    if Columns::of(&cloud, "version")?.have(&["id", "version"]) {
        let sql = "select version from version order by id desc limit 1";
        if let Some(version) = texts(&cloud, sql)?.pop() {
            schema = format!("CloudStack {version}");
        }
    }
    survey(options.cloud, &cloud, schema)
}

fn survey(uri: &SourceUri, connection: &Connection, schema: String) -> anyhow::Result<Survey> {
    let SourceUri::Mysql(_) = uri else {
        return Ok(Survey {
            server: "SQLite".to_owned(),
            clock: None,
            excess: Vec::new(),
            schema,
        });
    };
    let version = texts(connection, "select version()")?.pop();
    let version = version.unwrap_or_default();
    let product = if version.contains("MariaDB") {
        "MariaDB"
    } else {
        "MySQL"
    };
    let number = version.split('-').next().unwrap_or("");
    let mut clock = None;
    connection.each("select unix_timestamp()", &[], |row| {
        clock = row.field(0)?.unsigned()?;
        Ok(())
    })?;
    let clock = clock.context("the server does not tell the time")?;
    Ok(Survey {
        server: format!("{product} {number}"),
        clock: Some(i64::try_from(clock)?),
        excess: list_excess(connection)?,
        schema,
    })
}

/// Rights of this very account, on the server, on this database, and on anything in it.
fn list_excess(connection: &Connection) -> anyhow::Result<Vec<String>> {
    let sql = "select distinct privilege_type from ( \
               select grantee, privilege_type from information_schema.user_privileges \
               union all select grantee, privilege_type from information_schema.schema_privileges \
               where table_schema = database() \
               union all select grantee, privilege_type from information_schema.table_privileges \
               where table_schema = database() \
               union all select grantee, privilege_type from information_schema.column_privileges \
               where table_schema = database()) as granted \
               where grantee = concat('''', replace(current_user(), '@', '''@'''), '''') \
               order by privilege_type";
    let mut rights = texts(connection, sql)?;
    rights.retain(|right| !HARMLESS.contains(&right.as_str()));
    Ok(rights)
}

fn texts(connection: &Connection, sql: &str) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    connection.each(sql, &[], |row| {
        texts.extend(row.field(0)?.text()?);
        Ok(())
    })?;
    Ok(texts)
}
