//! Whether rows belong to rows that are there. A database does not look after all of it: a cluster applies rows in
//! parallel, so that nothing references anything there, and in a file it would take too long for the largest tables.

use anyhow::Context;

use super::engine::{Engine, READERS_BUSY_TIMEOUT, ledger_at};
use super::schema::insist_on_current;
use super::step::Step;
use crate::config::LedgerUri;
use crate::db::{Connection, params};
use crate::plural::plural;

/// Tables, columns of theirs, and whose rows are meant by them: by the day of days, and by the id of all others.
const REFERENCES: [(&str, &str, &str); 28] = [
    ("account_days", "account_id", "stored_accounts"),
    ("account_days", "day", "stored_days"),
    ("account_ids", "account_id", "stored_accounts"),
    ("account_states", "account_id", "stored_accounts"),
    ("account_states", "domain_id", "stored_domains"),
    ("acknowledgements", "day", "stored_days"),
    ("correction_lines", "correction_id", "stored_corrections"),
    ("month_sku_sums", "account_id", "stored_accounts"),
    ("month_sums", "account_id", "stored_accounts"),
    ("month_sums", "metric_id", "metrics"),
    ("month_sums", "resource_id", "stored_resources"),
    ("skus", "metric_id", "metrics"),
    ("skus", "offering_id", "stored_resources"),
    ("skus", "zone_id", "stored_resources"),
    ("stored_corrections", "account_id", "stored_accounts"),
    ("stored_corrections", "day", "stored_days"),
    ("stored_corrections", "metric_id", "metrics"),
    ("stored_corrections", "resource_id", "stored_resources"),
    ("stored_digests", "day", "stored_days"),
    ("stored_findings", "account_id", "stored_accounts"),
    ("stored_findings", "day", "stored_days"),
    ("stored_findings", "metric_id", "metrics"),
    ("stored_lines", "resource_id", "stored_resources"),
    ("stored_lines", "sku_id", "skus"),
    ("stored_records", "account_id", "stored_accounts"),
    ("stored_records", "day", "stored_days"),
    ("stored_records", "metric_id", "metrics"),
    ("stored_records", "resource_id", "stored_resources"),
];

/// Which rows belong to none, in sentences.
pub fn list_orphans(
    ledger: &LedgerUri,
    on_step: &mut dyn FnMut(Step),
) -> anyhow::Result<Vec<String>> {
    let mut look = || -> anyhow::Result<Vec<String>> {
        let engine = Engine::open_to_read(ledger, READERS_BUSY_TIMEOUT)?;
        engine.connection().begin_snapshot()?;
        insist_on_current(&engine)?;
        let mut orphans = Vec::new();
        for (table, column, parent) in REFERENCES {
            on_step(Step::of_unknown("checking references"));
            let count = count_orphans(engine.connection(), (table, column, parent))?;
            if count > 0 {
                let rows = plural(count.unsigned_abs(), "row");
                orphans.push(format!(
                    "{rows} of {table} whose {column} is not in {parent}"
                ));
            }
        }
        Ok(orphans)
    };
    look().with_context(|| ledger_at(ledger))
}

fn count_orphans(
    connection: &Connection,
    (table, column, parent): (&str, &str, &str),
) -> anyhow::Result<i64> {
    let key = key_of(parent);
    let sql = format!(
        "select count(*) from {table} c left join {parent} p on p.{key} = c.{column} \
         where c.{column} is not null and p.{key} is null"
    );
    connection.one(&sql, params! {}, |row| row.get(0))
}

fn key_of(parent: &str) -> &'static str {
    match parent {
        "stored_days" => "day",
        _ => "id",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::schema::initialise;

    #[test]
    fn those_that_a_file_has_are_among_them() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = LedgerUri::from(&folder.path().join("usage.db"));
        initialise(&ledger, "GMT", "2013-06-01T00:00:00Z", &mut |_| {}).unwrap();
        let engine = Engine::open_to_read(&ledger, READERS_BUSY_TIMEOUT).unwrap();
        let sql = "select t.name, r.\"from\", r.\"table\", coalesce(r.\"to\", '') \
                   from sqlite_schema t, pragma_foreign_key_list(t.name) r where t.type = 'table' order by 1, 2";
        let of_file: Vec<[String; 4]> = engine
            .connection()
            .list(sql, params! {}, |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
            })
            .unwrap();
        let looked_after = |(table, _, _): &(&str, &str, &str)| {
            !["stored_lines", "stored_records"].contains(table)
        };
        let listed = REFERENCES.into_iter().filter(looked_after);
        let listed = listed.map(|(table, column, parent)| {
            [table, column, parent, key_of(parent)].map(str::to_owned)
        });
        assert_eq!(listed.collect::<Vec<_>>(), of_file);
        assert_eq!(list_orphans(&ledger, &mut |_| {}).unwrap(), [""; 0]);
    }
}
