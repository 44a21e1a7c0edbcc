//! Copies a whole ledger into an empty one, wherever both are: all of one state, row by row, and compares the two before the
//! copy becomes a ledger. What is told of days, seals, corrections and acknowledgements is the same in both.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, ensure};

use super::engine::{Engine, READERS_BUSY_TIMEOUT, ledger_at};
use super::schema::{has_tables, insist_on_current, make_tables};
use super::step::Step;
use super::timezones::find_zones;
use crate::config::LedgerUri;
use crate::db::{Connection, Field, Row, SqlValue, params};
use crate::plural::plural;

/// Rows that are held in memory at a time.
const ROWS: usize = 5_000;

/// Every table and what is kept in it, by columns that both kinds of ledger have. The one that makes a ledger of the others
/// comes last.
pub(super) const TABLES: [(&str, &[&str]); 24] = [
    ("metrics", &["id", "name", "unit", "per"]),
    (
        "stored_accounts",
        &[
            "id",
            "uuid",
            "name",
            "domain_uuid",
            "domain_path",
            "project_uuid",
            "project_name",
        ],
    ),
    ("account_ids", &["source_id", "since_day", "account_id"]),
    ("stored_domains", &["id", "uuid", "path", "lineage"]),
    (
        "account_states",
        &[
            "account_id",
            "since_day",
            "name",
            "domain_id",
            "project_name",
        ],
    ),
    (
        "stored_resources",
        &["id", "kind", "source_id", "uuid", "name"],
    ),
    (
        "skus",
        &[
            "id",
            "metric_id",
            "offering_id",
            "zone_id",
            "vcpus",
            "mhz",
            "memory_mib",
        ],
    ),
    (
        "vm_guest_oses",
        &["vm_id", "since_day", "guest_os_id", "guessed"],
    ),
    (
        "stored_days",
        &[
            "day",
            "state",
            "source_rows",
            "replayed_rows",
            "imported_at",
            "fingerprint",
            "verified_at",
            "sealed_at",
            "records",
            "accounts",
            "gap_before",
            "lines_per",
        ],
    ),
    (
        "stored_records",
        &["account_id", "day", "metric_id", "resource_id", "quantity"],
    ),
    ("stored_lines", &["id", "sku_id", "resource_id", "quantity"]),
    (
        "account_days",
        &["account_id", "day", "first_line", "line_count", "sku_sums"],
    ),
    (
        "stored_digests",
        &["day", "usage_type", "source_rows", "digest"],
    ),
    ("summed_months", &["month"]),
    (
        "month_sums",
        &[
            "account_id",
            "month",
            "metric_id",
            "resource_id",
            "quantity",
        ],
    ),
    (
        "month_sku_sums",
        &["account_id", "month", "sku_id", "quantity"],
    ),
    (
        "stored_corrections",
        &[
            "id",
            "day",
            "account_id",
            "metric_id",
            "resource_id",
            "old_quantity",
            "new_quantity",
            "corrected_at",
            "kind",
            "acknowledged_at",
            "reason",
        ],
    ),
    (
        "correction_lines",
        &[
            "correction_id",
            "sku_id",
            "resource_id",
            "old_quantity",
            "new_quantity",
        ],
    ),
    (
        "stored_findings",
        &[
            "id",
            "day",
            "kind",
            "account_id",
            "metric_id",
            "resource",
            "detail",
            "acknowledged",
        ],
    ),
    (
        "acknowledgements",
        &[
            "day",
            "kind",
            "account_id",
            "metric_id",
            "resource",
            "detail",
            "reason",
            "acknowledged_at",
        ],
    ),
    (
        "stored_refusals",
        &[
            "day",
            "id",
            "reason",
            "source_gone",
            "wrong_zone",
            "since",
            "last_seen",
            "acknowledged_at",
            "acknowledged_because",
        ],
    ),
    (
        "imports",
        &[
            "id",
            "started_at",
            "finished_at",
            "outcome",
            "seconds",
            "days",
            "source_rows",
            "records_added",
            "records_overwritten",
            "error",
        ],
    ),
    ("timezones", &["since_day", "timezone", "begins_at"]),
    (
        "ledgers",
        &[
            "timezone",
            "created_at",
            "revision",
            "provisional_from",
            "cloud_uuid",
        ],
    ),
];

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub days: u64,
    /// Of all tables.
    pub rows: u64,
}

/// Rows of a table, whatever their order: how many, and a sum over their contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TableDigest {
    rows: u64,
    sum: u64,
}

/// Copies `from` into `to`, which is made and must have been empty, or have been left by a copy that did not come to its
/// end. Nobody may write to either meanwhile: the caller holds the locks of both. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
pub fn copy(
    from: &LedgerUri,
    to: &LedgerUri,
    now: &str,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Copied> {
    let source = Engine::open_to_read(from, READERS_BUSY_TIMEOUT)
        .and_then(|engine| {
            engine.connection().begin_snapshot()?;
            insist_on_current(&engine)?;
            // It is one if it has a zone.
            find_zones(engine.connection())?;
            Ok(engine)
        })
        .with_context(|| ledger_at(from))?;
    let target = make(to, now).with_context(|| ledger_at(to))?;
    let mut total = 0;
    let mut digests = Vec::new();
    for (table, columns) in TABLES {
        let digest = copy_table(source.connection(), &target, (table, columns), on_step);
        let digest = digest.with_context(|| format!("{}: copy {table}", ledger_at(to)))?;
        total += digest.rows;
        digests.push(digest);
        if table == "timezones" {
            let compared = compare(target.connection(), &digests, on_step);
            compared.with_context(|| ledger_at(to))?;
            go_on_counting(&target).with_context(|| ledger_at(to))?;
        }
    }
    target.checkpoint()?;
    let sql = "select count(*) from stored_days";
    let days = target.connection().one(sql, params! {}, |row| row.get(0))?;
    Ok(Copied { days, rows: total })
}

/// Makes the tables, with nothing in them: not even the row that makes them a ledger.
fn make(to: &LedgerUri, now: &str) -> anyhow::Result<Engine> {
    if !has_tables(to)? {
        make_tables(to, now)?;
    }
    let target = Engine::open_to_write(to)?;
    let connection = target.connection();
    let is_used = "select 1 from ledgers where exists (select 1 from stored_days) \
                     or exists (select 1 from stored_accounts) or exists (select 1 from imports)";
    ensure!(
        !connection.exists(is_used, params! {})?,
        "there is something in it: a copy takes an empty one"
    );
    for (table, _) in TABLES.iter().rev() {
        connection.run(&format!("delete from {table}"))?;
    }
    Ok(target)
}

fn copy_table(
    source: &Connection,
    target: &Engine,
    (table, columns): (&str, &[&str]),
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<TableDigest> {
    let sql = format!("select count(*) from {table}");
    let of = Some(source.one(&sql, params! {}, |row| row.get(0))?);
    let names = columns.join(", ");
    let places: Vec<String> = columns.iter().map(|column| format!(":{column}")).collect();
    let insert = format!(
        "insert into {table} ({names}) values ({})",
        places.join(", ")
    );
    let mut digest = TableDigest::default();
    let mut rows: Vec<Vec<SqlValue<'static>>> = Vec::new();
    let mut write = |rows: &mut Vec<Vec<SqlValue<'static>>>, done: u64| -> anyhow::Result<()> {
        target.connection().begin_write()?;
        target.connection().insert_many(&insert, rows.drain(..))?;
        target.commit()?;
        on_step(Step {
            doing: "copying",
            done,
            of,
        });
        Ok(())
    };
    source.each(&format!("select {names} from {table}"), params! {}, |row| {
        let values = values(row, columns.len())?;
        digest.add(&values);
        rows.push(values);
        match rows.len() {
            ROWS => write(&mut rows, digest.rows),
            _ => Ok(()),
        }
    })?;
    write(&mut rows, digest.rows)?;
    Ok(digest)
}

fn values(row: &Row, columns: usize) -> anyhow::Result<Vec<SqlValue<'static>>> {
    let values = (0..columns).map(|column| {
        Ok(match row.field(column)? {
            Field::Null => SqlValue::Null,
            Field::Integer(number) => SqlValue::Integer(number),
            Field::Unsigned(number) => SqlValue::Integer(i64::try_from(number)?),
            Field::Real(number) => SqlValue::Real(number),
            Field::Text(text) => SqlValue::from(String::from_utf8(text.to_vec())?),
            Field::Moment(_) => anyhow::bail!("a date in column {column}"),
        })
    });
    values.collect()
}

/// Insists that the tables hold what was written into them.
fn compare(
    target: &Connection,
    digests: &[TableDigest],
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<()> {
    for ((table, columns), expected) in TABLES.into_iter().zip(digests) {
        on_step(Step::of_unknown("comparing"));
        let mut found = TableDigest::default();
        let sql = format!("select {} from {table}", columns.join(", "));
        target.each(&sql, params! {}, |row| {
            found.add(&values(row, columns.len())?);
            Ok(())
        })?;
        ensure!(
            found == *expected,
            "{table} has {} that are not those of the original: copy it again",
            plural(found.rows, "row")
        );
    }
    Ok(())
}

/// The numbers of findings and refusals go on from the highest one.
fn go_on_counting(target: &Engine) -> anyhow::Result<()> {
    let connection = target.connection();
    let sql = "select coalesce(max(id), 0) from (select id from stored_findings union all select id from stored_refusals) f";
    let last: i64 = connection.one(sql, params! {}, |row| row.get(0))?;
    if !target.is_file() {
        return connection.run(&format!(
            "alter table stored_findings auto_increment = {}",
            last + 1
        ));
    }
    let sql = "delete from sqlite_sequence where name = 'stored_findings'";
    connection.execute(sql, params! {})?;
    let sql = "insert into sqlite_sequence (name, seq) values ('stored_findings', :last)";
    connection.execute(sql, params! {":last": last})?;
    Ok(())
}

impl TableDigest {
    fn add(&mut self, values: &[SqlValue]) {
        // Of two runs of the same program on the same values it is the same.
        let mut hasher = DefaultHasher::new();
        for value in values {
            match value {
                SqlValue::Null | SqlValue::Moment(_) | SqlValue::Ids(_) => 0u8.hash(&mut hasher),
                SqlValue::Integer(number) => (1u8, number).hash(&mut hasher),
                SqlValue::Unsigned(number) => (2u8, number).hash(&mut hasher),
                SqlValue::Real(number) => (3u8, number.to_bits()).hash(&mut hasher),
                SqlValue::Text(text) => (4u8, text).hash(&mut hasher),
            }
        }
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ledger::schema::initialise;

    #[test]
    fn every_table_is_copied_with_all_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = LedgerUri::File(folder.path().join("usage.db"));
        initialise(&ledger, "GMT", "2013-06-02T00:20:00Z", &mut |_| ()).unwrap();
        let engine = Engine::open_to_read(&ledger, READERS_BUSY_TIMEOUT).unwrap();
        let sql = "select t.name, c.name from pragma_table_list t join pragma_table_info(t.name) c \
                   where t.type = 'table' and t.schema = 'main' and t.name not like 'sqlite_%' order by c.cid";
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let read = engine.connection().each(sql, params! {}, |row| {
            tables.entry(row.get(0)?).or_default().push(row.get(1)?);
            Ok(())
        });
        read.unwrap();
        tables
            .entry("ledgers".to_owned())
            .or_default()
            .retain(|column| column != "only");
        for columns in tables.values_mut() {
            columns.sort();
        }
        let copied = TABLES.map(|(table, columns)| {
            let mut columns: Vec<String> =
                columns.iter().map(|&column| column.to_owned()).collect();
            columns.sort();
            (table.to_owned(), columns)
        });
        assert_eq!(BTreeMap::from(copied), tables);
    }
}
