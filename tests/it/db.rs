//! The one way to databases, on both kinds: the same statements, the same values, the same rows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mysql::prelude::Queryable;
use rbc_usage::config::{MysqlTls, MysqlUri, Password, SourceUri};
use rbc_usage::db::{Connection, Row, SqlValue, connect, params};

use crate::mariadb;

const THINGS: &str =
    "create table things (id integer primary key, name varchar(80), part double, day varchar(10))";
const INSERT: &str = "insert into things (id, name, part, day) values (:id, :name, :part, :day)";
const LIST: &str = "select id, name, part from things order by id";

/// A connection of either kind to a database with an empty table.
fn on_each(check: impl Fn(&Connection)) {
    let folder = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(folder.path().join("things.db")).unwrap();
    check_on(&file.into(), &check);
    check_on(&open(&database()).unwrap(), &check);
}

/// An empty one on a server.
fn database() -> SourceUri {
    static DATABASES: AtomicUsize = AtomicUsize::new(0);
    let name = format!("things_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let server = mariadb::shared();
    let mut root = server.connect();
    for sql in [
        format!("create database {name} character set utf8mb4"),
        format!("create user {name} identified by 'a'"),
        format!("grant all on {name}.* to {name}"),
    ] {
        root.query_drop(sql).unwrap();
    }
    SourceUri::Mysql(MysqlUri {
        host: "localhost".to_owned(),
        port: 3306,
        socket: Some(server.path("socket")),
        user: name.clone(),
        password: Password("a".to_owned()),
        database: name,
        tls: MysqlTls::Off,
    })
}

fn open(uri: &SourceUri) -> anyhow::Result<Connection> {
    let patience = Duration::from_secs(30);
    connect(uri, patience, patience)
}

fn check_on(connection: &Connection, check: &impl Fn(&Connection)) {
    connection.run(THINGS).unwrap();
    check(connection);
}

fn insert(connection: &Connection, ids: std::ops::Range<i64>) {
    let rows = ids.map(|id| {
        [
            SqlValue::from(id),
            SqlValue::from(format!("thing {id}")),
            SqlValue::from(Some(0.5)),
            SqlValue::from(Some("2013-06-01")),
        ]
    });
    connection.insert_many(INSERT, rows).unwrap();
}

fn list(connection: &Connection) -> Vec<String> {
    let line = |row: &rbc_usage::db::Row| {
        let (id, name, part): (i64, String, Option<f64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("{id} {name} {part:?}"))
    };
    connection.list(LIST, params! {}, line).unwrap()
}

#[test]
fn values_are_named_and_rows_come_back_as_they_went() {
    on_each(|connection| {
        let values = params! {":part": None::<f64>, ":id": 7u64, ":day": "2013-06-01", ":name": "it's :id; ü"};
        assert_eq!(connection.execute(INSERT, values).unwrap(), 1);
        assert_eq!(list(connection), ["7 it's :id; ü None"]);
        let found = connection.find(
            "select day from things where name = :name and id between :id - 1 and :id",
            params! {":id": 7u64, ":name": "it's :id; ü"},
            |row| row.get(0),
        );
        let day: Option<rbc_usage::day::Day> = found.unwrap();
        assert_eq!(day, Some("2013-06-01".parse().unwrap()));
        let rename = "update things set name = :name where id = :id";
        let none = params! {":name": "other", ":id": 8i64};
        assert_eq!(connection.execute(rename, none).unwrap(), 0);
    });
}

#[test]
fn many_rows_go_in_by_one_statement_and_all_of_them() {
    on_each(|connection| {
        insert(connection, 0..1201);
        let count: i64 = connection
            .one(
                "select count(*) from things where part = 0.5",
                params! {},
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(count, 1201);
        insert(connection, 0..0);
    });
}

#[test]
fn what_is_rolled_back_was_never_written() {
    on_each(|connection| {
        connection.begin_write().unwrap();
        insert(connection, 0..2);
        connection.rollback().unwrap();
        assert_eq!(list(connection), [""; 0]);
        connection.begin_write().unwrap();
        insert(connection, 0..1);
        connection.run("savepoint one_change").unwrap();
        insert(connection, 1..2);
        connection.run("rollback to savepoint one_change").unwrap();
        connection.run("release savepoint one_change").unwrap();
        connection.commit().unwrap();
        assert_eq!(list(connection), ["0 thing 0 Some(0.5)"]);
    });
}

#[test]
fn a_statement_within_another_one_is_an_error_and_spoils_nothing() {
    on_each(|connection| {
        insert(connection, 0..3);
        let nested = connection.each(LIST, params! {}, |_| {
            connection
                .execute("delete from things", params! {})
                .map(drop)
        });
        let said = format!("{:#}", nested.unwrap_err());
        assert!(said.starts_with("a statement within another one"), "{said}");
        assert_eq!(list(connection).len(), 3);
    });
}

#[test]
fn names_and_values_have_to_be_the_same() {
    on_each(|connection| {
        let sql = "select id from things where id = :id";
        assert!(connection.exists(sql, params! {}).is_err());
        assert!(connection.exists(sql, params! {":other": 1i64}).is_err());
        assert!(!connection.exists(sql, params! {":id": 1i64}).unwrap());
    });
}

/// Rows that no buffer on their way holds.
const LONG: &str = "select id, repeat('x', 1000000), connection_id() from things order by id";

#[test]
fn a_list_whose_server_is_lost_is_asked_for_anew() {
    let uri = database();
    let connection = Connection::reopening(move || open(&uri)).unwrap();
    connection.run(THINGS).unwrap();
    insert(&connection, 0..60);
    let mut killed = Vec::new();
    let mut read = |row: &Row| {
        let id: i64 = row.get(0)?;
        if id == 0 && killed.is_empty() {
            let by_it: i64 = row.get(2)?;
            killed.push(by_it);
            let kill = format!("kill {by_it}");
            mariadb::shared().connect().query_drop(kill)?;
        }
        Ok(id)
    };
    let ids = connection.list(LONG, params! {}, &mut read).unwrap();
    assert_eq!(ids, Vec::from_iter(0..60));
    // Within a transaction what came before is lost as well, and nothing is repeated by itself.
    connection.begin_snapshot().unwrap();
    let mut read = |row: &Row| {
        let kill = format!("kill {}", row.get::<i64>(2)?);
        // From the second row on there is nobody to be killed.
        let _ = mariadb::shared().connect().query_drop(kill);
        Ok(())
    };
    connection.list(LONG, params! {}, &mut read).unwrap_err();
}
