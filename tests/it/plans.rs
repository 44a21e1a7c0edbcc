//! What age costs: the plan of every statement that the program has for its ledger. None may walk along a table that
//! grows with time, but for those that are listed here with their reason.
//!
//! The statements are the literals of `src/ledger`. One that is put together at run time, or that SQLite does not
//! take, fails as well, so that none can slip by.

mod on_server;
mod statements;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::sandbox::Sandbox;
use statements::{Literal, literals, one_line, statement, texts};

/// The tables that have more rows every day, each with the columns that bound a search in it.
const GROWING: &[(&str, &[&str])] = &[
    ("stored_records", &["day"]),
    ("stored_lines", &["rowid"]),
    ("account_days", &["day"]),
    ("correction_lines", &["correction_id"]),
    ("month_sku_sums", &["month"]),
    // Of the kinds that are looked up by kind alone there are few.
    (
        "stored_resources",
        &["rowid", "source_id", "kind", "uuid", "name"],
    ),
    ("stored_days", &["day"]),
    ("stored_corrections", &["day", "rowid", "corrected_at"]),
    ("stored_findings", &["day", "rowid"]),
    ("stored_digests", &["day"]),
    ("acknowledgements", &["day"]),
    ("month_sums", &["month"]),
    ("summed_months", &["month"]),
    ("imports", &["rowid"]),
    ("vm_guest_oses", &["vm_id"]),
];

/// Tables whose size is that of the cloud, not of its history: an import holds them in memory anyway.
/// Refusals are few: those of days that wait for somebody.
const SETTLED: [&str; 9] = [
    "ledgers",
    "timezones",
    "metrics",
    "stored_accounts",
    "stored_refusals",
    "skus",
    "account_ids",
    "account_states",
    "stored_domains",
];

/// Indexes of what waits for somebody: they are walked along because all that waits is asked for.
const WAITING: [&str; 5] = [
    "stored_corrections_due",
    "stored_days_after_gaps",
    "stored_days_open",
    "stored_days_unverified",
    "stored_findings_unacknowledged",
];

/// What may walk: a part of the statement, the table, and why.
const MAY_WALK: [(&str, &str, &str); 11] = [
    (
        "from stored_days where lines_per = 'resource' order by day limit 1",
        "stored_days",
        "reads one and stops, or says why a name is not known",
    ),
    (
        "where d.state = 'closed' order by d.day desc limit 1",
        "d",
        "goes back to the last day of an account, once its id means another one",
    ),
    (
        "from imports order by id desc limit 1",
        "imports",
        "reads the newest and stops",
    ),
    (
        "from imports where finished_at is not null order by id desc limit 1",
        "imports",
        "reads the newest and stops, or goes on past those that were killed",
    ),
    (
        "select month from summed_months",
        "summed_months",
        "`check`, which reads everything",
    ),
    (
        "select day from stored_days order by day",
        "stored_days",
        "`check`, which reads everything",
    ),
    (
        "select day, first_line, line_count from account_days order by first_line",
        "account_days",
        "`check`, which reads everything",
    ),
    (
        "select count(*) from stored_lines",
        "stored_lines",
        "`check`, which reads everything",
    ),
    (
        "having max(lines_per = 'resource')",
        "stored_days",
        "`prune`, which looks at all old months",
    ),
    (
        "from stored_days where lines_per = 'record' order by day",
        "stored_days",
        "once, of all there is",
    ),
    (
        "select max(day) from stored_days where day < :day",
        "stored_days",
        "looks up the day before",
    ),
];

/// The words of SQL: names, and everything else as single characters.
fn words(sql: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in sql.chars() {
        let is_word = c.is_ascii_alphanumeric() || c == '_';
        if is_word && in_word {
            words.last_mut().unwrap().push(c);
        } else if !c.is_whitespace() {
            words.push(c.to_string());
        }
        in_word = is_word;
    }
    words
}

/// The ledger's tables, its views with their statements, and what a plan may call a table.
struct Schema {
    tables: BTreeSet<String>,
    views: BTreeMap<String, String>,
}

impl Schema {
    fn read(ledger: &Connection) -> Schema {
        let mut statement = ledger
            .prepare("select type, name, sql from sqlite_schema where name not like 'sqlite_%'")
            .unwrap();
        let objects = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let objects: Vec<(String, String, String)> =
            objects.unwrap().collect::<Result<_, _>>().unwrap();
        let of = |kind: &'static str| objects.iter().filter(move |(other, _, _)| other == kind);
        Schema {
            tables: of("table").map(|(_, name, _)| name.clone()).collect(),
            views: of("view")
                .map(|(_, name, sql)| (name.clone(), sql.clone()))
                .collect(),
        }
    }

    /// What each table or alias in a statement stands for; one name may stand for several.
    fn names(&self, sql: &str) -> BTreeSet<(String, String)> {
        let words = words(sql);
        let mut names = BTreeSet::new();
        for (at, word) in words.iter().enumerate() {
            if let Some(view) = self.views.get(word)
                && at > 0
                && ["from", "join"].contains(&words[at - 1].as_str())
            {
                names.extend(self.names(view));
            }
            if self.tables.contains(word) {
                names.insert((word.clone(), word.clone()));
                let alias = words.get(at + 1).filter(|next| *next != "as");
                if let Some(alias) = alias.or(words.get(at + 2)) {
                    names.insert((alias.clone(), word.clone()));
                }
            }
        }
        names
    }

    /// The steps of a statement's plan that walk along a growing table.
    fn walks(&self, ledger: &Connection, sql: &str) -> Result<Vec<String>, String> {
        let explained = format!("explain query plan {sql}");
        let mut statement = ledger.prepare(&explained).map_err(|err| err.to_string())?;
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        let steps: Vec<String> = steps
            .collect::<Result<_, _>>()
            .map_err(|err| err.to_string())?;
        // Those of triggers come with their own tables' names.
        let names = self.names(sql);
        Ok(steps
            .into_iter()
            .filter(|step| self.is_walk(step, &names))
            .collect())
    }

    fn is_walk(&self, step: &str, names: &BTreeSet<(String, String)>) -> bool {
        let mut words = step.split(' ');
        let (Some(verb @ ("SCAN" | "SEARCH")), Some(name)) = (words.next(), words.next()) else {
            return false;
        };
        let meant = names.iter().filter(|(other, _)| other == name);
        let mut tables: Vec<&str> = meant.map(|(_, table)| table.as_str()).collect();
        if self.tables.contains(name) {
            tables.push(name);
        }
        let bounds = GROWING.iter().filter(|(table, _)| tables.contains(table));
        let bounds: Vec<&str> = bounds
            .flat_map(|(_, columns)| columns.iter().copied())
            .collect();
        if bounds.is_empty() {
            return false;
        }
        let index = step.split("INDEX ").nth(1).unwrap_or("");
        if WAITING.contains(&index.split(' ').next().unwrap_or("")) {
            return false;
        }
        if verb == "SCAN" {
            return true;
        }
        // Without any bound it is the least or the greatest that is looked up.
        let Some((_, searched)) = step.split_once('(') else {
            return false;
        };
        let is_bounded = |column: &&str| {
            searched.contains(&format!("{column}=")) || searched.contains(&format!("{column}>"))
        };
        // An index that leaves its first column open is walked along.
        searched.contains("ANY(") || !bounds.iter().any(is_bounded)
    }
}

fn ledger() -> (Sandbox, Connection) {
    let sandbox = Sandbox::new();
    sandbox.write(
        "cloudusage.cfg",
        "[main]\ncloud_usage_uri = sqlite:///no.db\ncloud_uri = sqlite:///no.db\nrbc_usage_uri = sqlite:///usage.db\n",
    );
    sandbox.run(&["initdb"]).exits(0);
    let ledger = Connection::open(sandbox.path("usage.db")).unwrap();
    rusqlite::vtab::array::load_module(&ledger).unwrap();
    ledger
        .set_db_config(DbConfig::SQLITE_DBCONFIG_TRIGGER_EQP, true)
        .unwrap();
    (sandbox, ledger)
}

/// What `analyze` finds in a ledger of ten years, whoever ran it: rows, and rows for each value of an index's columns.
const STATISTICS: &str = "
    analyze;
    delete from sqlite_stat1;
    insert into sqlite_stat1 (tbl, idx, stat) values
      ('stored_records', 'stored_records', '65754000 18000 18 1 1'), ('stored_days', 'stored_days', '3653 1'),
      ('stored_digests', 'stored_digests', '49000 14 1'), ('stored_accounts', null, '1000'),
      ('stored_resources', null, '2000'), ('metrics', null, '20'), ('month_sums', 'month_sums', '2160000 2160 18 1 1'),
      ('summed_months', 'summed_months', '120 1'), ('imports', null, '3653'), ('ledgers', null, '1'),
      ('stored_corrections', 'stored_corrections_by_day', '3653 1'), ('stored_findings', 'stored_findings_by_day', '7306 2'),
      ('acknowledgements', 'acknowledgements', '3653 1 1 1 1 1 1'), ('vm_guest_oses', 'vm_guest_oses', '36530 1 1'),
      ('stored_lines', null, '142000000'), ('account_days', 'account_days', '3653000 1000 1'),
      ('skus', null, '20000'), ('account_states', 'account_states', '1100 1 1');
    analyze sqlite_schema;";

#[test]
fn no_statement_walks_along_a_table_that_grows() {
    let (_sandbox, ledger) = ledger();
    insist_on_no_walk(&ledger);
    ledger.execute_batch(STATISTICS).unwrap();
    insist_on_no_walk(&ledger);
}

#[track_caller]
fn insist_on_no_walk(ledger: &Connection) {
    let schema = Schema::read(ledger);
    let (mut problems, mut statements) = (Vec::new(), 0);
    let mut unused: Vec<_> = MAY_WALK.iter().collect();
    for Literal { place, text } in literals() {
        let sql = one_line(&text);
        if statement(&sql).is_none() {
            let names_table = words(&sql).windows(2).any(|pair| {
                ["from", "join", "into"].contains(&pair[0].as_str())
                    && (schema.tables.contains(&pair[1]) || schema.views.contains_key(&pair[1]))
            });
            if names_table {
                problems.push(format!("{place}: a part of a statement: {sql}"));
            }
            continue;
        }
        statements += 1;
        if sql.trim_end_matches(';').contains(';') {
            problems.push(format!("{place}: more than one statement: {sql}"));
            continue;
        }
        match schema.walks(ledger, &sql) {
            Err(err) => problems.push(format!("{place}: {err}: {sql}")),
            Ok(steps) => {
                for step in steps {
                    let may = MAY_WALK.iter().find(|(part, table, _)| {
                        sql.contains(part)
                            && (*table == "*" || step.split(' ').nth(1) == Some(table))
                    });
                    match may {
                        Some(may) => unused.retain(|other| *other != may),
                        None => problems.push(format!("{place}: {step}: {sql}")),
                    }
                }
            }
        }
    }
    problems.extend(
        unused
            .iter()
            .map(|(part, _, _)| format!("walks no more: {part}")),
    );
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(statements > 50, "only {statements} statements were found");
}

#[test]
fn every_table_either_grows_or_does_not() {
    let (_sandbox, ledger) = ledger();
    let known: BTreeSet<&str> = GROWING
        .iter()
        .map(|(table, _)| *table)
        .chain(SETTLED)
        .collect();
    let schema = Schema::read(&ledger);
    let tables: BTreeSet<&str> = schema.tables.iter().map(String::as_str).collect();
    assert_eq!(tables, known);
}

/// What a person or a program asks the views for.
#[test]
fn a_day_in_a_view_is_looked_up() {
    let (_sandbox, ledger) = ledger();
    let schema = Schema::read(&ledger);
    for view in [
        "daily_usage",
        "daily_lines",
        "days",
        "corrections",
        "findings",
    ] {
        let sql = format!("select * from {view} where day = '2013-06-01'");
        assert_eq!(schema.walks(&ledger, &sql).unwrap(), [""; 0], "{view}");
    }
    for view in ["daily_usage", "daily_lines"] {
        let days = "day between '2013-06-01' and '2013-06-30'";
        let sql = format!("select * from {view} where account_uuid = 'a-2' and {days}");
        assert_eq!(schema.walks(&ledger, &sql).unwrap(), [""; 0], "{view}");
    }
}

/// Of some days of everybody, the accounts alone are walked along, and once.
#[test]
fn days_in_a_view_walk_along_the_accounts_alone() {
    let (_sandbox, ledger) = ledger();
    for view in ["daily_usage", "daily_lines"] {
        let sql = format!(
            "explain query plan select * from {view} where day between '2013-06-01' and '2013-06-30'"
        );
        let mut statement = ledger.prepare(&sql).unwrap();
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        let walks = steps
            .map(Result::unwrap)
            .filter(|step| step.starts_with("SCAN"));
        assert_eq!(walks.collect::<Vec<_>>(), ["SCAN a"], "{view}");
    }
}

/// The test itself: what was wrong once is seen.
#[test]
fn walks_are_seen() {
    let (_sandbox, ledger) = ledger();
    let schema = Schema::read(&ledger);
    for sql in [
        "select r.quantity from stored_accounts a join stored_records r on r.account_id = a.id",
        "select quantity from stored_records where account_id = ?1",
        "select count(*) from findings where acknowledged_at is null",
        "select count(*) from stored_days",
        "select vm_id from vm_guest_oses order by vm_id",
        "delete from stored_findings where kind = 'refused'",
        "select day from stored_days where day < ?1",
    ] {
        assert_eq!(schema.walks(&ledger, sql).unwrap().len(), 1, "{sql}");
    }
    let code = r#"let a = "one \"two\""; // "three"
        let b = ('"', '\'', "four \
          five"); let c = r"six";"#;
    let found = texts(code).into_iter().map(|(_, text)| text);
    assert_eq!(
        found.collect::<Vec<_>>(),
        ["one \"two\"", "four five", "six"]
    );
}
