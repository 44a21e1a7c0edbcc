//! Every statement of the ledger on a server of MySQL's protocol: it is planned there as well, with each table and column
//! that it names.

use std::path::Path;
use std::time::Duration;

use rbc_usage::config::{LedgerUri, parse_ledger};
use rbc_usage::db::{Connection, SqlValue, connect_ledger};

use super::statements::{Literal, literals, one_line, statement};
use crate::sandbox::Sandbox;
use fixtures::ledger::Ledger;

/// What a file alone is asked: its own tables, and the upgrade of older ones.
const OF_A_FILE: [&str; 3] = ["pragma_", "sqlite_", "rowid"];

/// Statements of these files are asked of files alone.
const FILES: [&str; 2] = ["src/ledger/schema.rs", "src/ledger/carry_over.rs"];

fn ledger() -> (Sandbox, Ledger, Connection) {
    let sandbox = Sandbox::new();
    let ledger = Ledger::on_server();
    let uri = ledger.uri();
    let config = format!(
        "[main]\ncloud_usage_uri = sqlite:///no.db\ncloud_uri = sqlite:///no.db\nrbc_usage_uri = {uri}\n"
    );
    sandbox.write("cloudusage.cfg", &config);
    sandbox.run(&["initdb"]).exits(0);
    let LedgerUri::Cluster(uris) = parse_ledger(&uri, Path::new("")).unwrap() else {
        panic!("{uri} is a server's");
    };
    let patience = Duration::from_secs(30);
    let connection = connect_ledger(&uris[0], patience, patience).unwrap();
    (sandbox, ledger, connection)
}

/// A value for each name in a statement: nothing is found by it, and nothing is written.
fn values(sql: &str) -> Vec<(&str, SqlValue<'static>)> {
    let mut values: Vec<(&str, SqlValue<'static>)> = Vec::new();
    for (at, _) in sql.match_indices(':') {
        let name = &sql[at..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = name[1..]
            .find(|c| !is_name(c))
            .map_or(name.len(), |end| end + 1);
        let (name, before) = (&name[..end], &sql[..at]);
        if end == 1 || values.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let value = match () {
            () if before.ends_with("rarray(") => SqlValue::Ids(&[]),
            () if before.ends_with("json_each(") => SqlValue::from("[]".to_owned()),
            () => SqlValue::Null,
        };
        values.push((name, value));
    }
    values
}

#[test]
fn a_server_takes_every_statement() {
    let (_sandbox, _ledger, connection) = ledger();
    let (mut problems, mut count) = (Vec::new(), 0);
    for Literal { place, text } in literals() {
        let sql = one_line(&text);
        let of_a_file = OF_A_FILE.iter().any(|word| sql.contains(word))
            || FILES.iter().any(|file| place.starts_with(file));
        if statement(&sql).is_none() || of_a_file {
            continue;
        }
        count += 1;
        let explained = format!("explain {sql}");
        if let Err(err) = connection.each(&explained, &values(&sql), |_| Ok(())) {
            problems.push(format!("{place}: {err:#}: {sql}"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(count > 150, "only {count} statements were found");
}
