//! A CloudStack to import from: its two databases in the schema of any release, in MariaDB or as SQLite
//! files, helpers that fill them as the usage server does, and a sandbox configured to read them.
//!
//! In MariaDB the program logs in as a user of its own that may only read what it needs, with a password
//! that has to be percent-encoded; so every test that imports also shows that this is enough.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use mysql::prelude::Queryable;

use crate::mariadb::{self, Server};
use crate::sandbox::{Run, Sandbox};

mod rows;
mod usage_row;

pub use usage_row::UsageRow;

/// The releases at which the tables we read changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V4_0,
    V4_2,
    V4_4,
    V4_7,
    V4_15,
    V4_17,
    V4_19_1,
    V4_22_1,
}

pub const VERSIONS: [(Version, &str); 8] = [
    (Version::V4_0, "4.0"),
    (Version::V4_2, "4.2"),
    (Version::V4_4, "4.4"),
    (Version::V4_7, "4.7"),
    (Version::V4_15, "4.15"),
    (Version::V4_17, "4.17"),
    (Version::V4_19_1, "4.19.1"),
    (Version::V4_22_1, "4.22.1"),
];

/// The newest release we know.
pub const NEWEST: Version = Version::V4_22_1;

/// The importer's password in MariaDB.
pub const PASSWORD: &str = "p:a@s/s w%o#r?d;=&'\"$é";

const MAIN_SQL: &str = include_str!("cloudstack/cloud.sql");
const USAGE_SQL: &str = include_str!("cloudstack/cloud_usage.sql");

/// What the importer is granted on the main database, table or table and columns.
pub const MAIN_GRANTS: [(&str, &str); 11] = [
    ("account", ""),
    ("domain", ""),
    ("projects", ""),
    ("data_center", ""),
    ("service_offering", ""),
    ("disk_offering", ""),
    ("network_offerings", ""),
    ("guest_os", ""),
    ("vm_template", ""),
    ("user_ip_address", ""),
    ("vm_instance", "(id, uuid, guest_os_id, removed)"),
];

/// What the importer is granted on the usage database.
pub const USAGE_GRANTS: [&str; 2] = ["cloud_usage", "usage_job"];

/// One CloudStack, and a sandbox whose `cloudusage.cfg` points at it.
pub struct Cloud {
    pub sandbox: Sandbox,
    pub main_uri: String,
    pub usage_uri: String,
    /// Name of the usage database and of the importer's user; empty for SQLite files.
    pub usage_name: String,
    pub user: String,
    version: Version,
    main: Store,
    usage: Store,
    next_usage_id: Cell<u64>,
    next_job_id: Cell<u64>,
    /// The millisecond that the next job's range starts with.
    next_job_start: Cell<i64>,
}

enum Store {
    Mariadb(RefCell<mysql::Conn>),
    Sqlite(rusqlite::Connection),
}

impl Store {
    fn execute(&self, sql: &str) {
        let done = match self {
            Store::Mariadb(conn) => conn.borrow_mut().query_drop(sql).map_err(|e| e.to_string()),
            Store::Sqlite(conn) => conn.execute_batch(sql).map_err(|e| e.to_string()),
        };
        if let Err(err) = done {
            panic!("{err}\n{sql}");
        }
    }

    /// Applies what the releases after `from` up to `to` changed.
    fn upgrade(&self, script: &str, from: Option<Version>, to: Version) {
        for (version, label) in VERSIONS {
            if from.is_some_and(|from| version <= from) || version > to {
                continue;
            }
            for statement in section(script, label).split_inclusive(';') {
                if statement.trim_end().ends_with(';') {
                    self.execute(statement);
                }
            }
        }
    }
}

/// The lines under `-- since <label>`, up to the next such line; empty if the release changed nothing.
fn section<'a>(script: &'a str, label: &str) -> &'a str {
    let heading = format!("-- since {label}\n");
    let Some(start) = script.find(&heading).map(|at| at + heading.len()) else {
        return "";
    };
    let rest = &script[start..];
    &rest[..rest.find("-- since ").unwrap_or(rest.len())]
}

impl Cloud {
    /// In two databases of the test run's server, billed in GMT.
    pub fn in_mariadb(version: Version) -> Cloud {
        Cloud::on(mariadb::shared(), mariadb::shared(), version)
    }

    /// The main database on one server, the usage database on another or the same.
    pub fn on(main: &Server, usage: &Server, version: Version) -> Cloud {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let user = format!("rbc_{number}");
        let names = [format!("cloud_{number}"), format!("cloud_usage_{number}")];
        let password = percent_encode(PASSWORD);
        let uri = |server: &Server, name: &str| {
            format!("mysql://{user}:{password}@127.0.0.1:{}/{name}", server.port)
        };
        let uris = [uri(main, &names[0]), uri(usage, &names[1])];
        let stores = [(main, &names[0]), (usage, &names[1])].map(|(server, name)| {
            let mut conn = server.connect();
            for sql in [
                format!("create database {name} character set utf8"),
                format!("use {name}"),
            ] {
                conn.query_drop(sql).expect("make a database");
            }
            Store::Mariadb(RefCell::new(conn))
        });
        let cloud = Cloud::fill(version, stores, uris, names[1].clone(), &user);
        cloud.grant();
        cloud
    }

    /// In two SQLite files of the sandbox.
    pub fn in_sqlite(version: Version) -> Cloud {
        let sandbox = Sandbox::new();
        let stores = ["cloud.db", "cloud_usage.db"].map(|name| {
            let conn = rusqlite::Connection::open(sandbox.path(name)).expect("make a file");
            conn.pragma_update(None, "synchronous", "off")
                .expect("write without waiting for the disk");
            Store::Sqlite(conn)
        });
        let uris = ["sqlite:///cloud.db", "sqlite:///cloud_usage.db"].map(str::to_owned);
        let mut cloud = Cloud::fill(version, stores, uris, String::new(), "");
        cloud.sandbox = sandbox;
        cloud.configure("GMT", "");
        cloud
    }

    fn fill(
        version: Version,
        [main, usage]: [Store; 2],
        [main_uri, usage_uri]: [String; 2],
        usage_name: String,
        user: &str,
    ) -> Cloud {
        main.upgrade(MAIN_SQL, None, version);
        usage.upgrade(USAGE_SQL, None, version);
        let cloud = Cloud {
            sandbox: Sandbox::new(),
            main_uri,
            usage_uri,
            usage_name,
            user: user.to_owned(),
            version,
            main,
            usage,
            next_usage_id: Cell::new(1),
            next_job_id: Cell::new(1),
            next_job_start: Cell::new(1),
        };
        cloud.configure("GMT", "");
        cloud.domain(1, "d0000000-0000-4000-8000-000000000001", "/");
        cloud.main("insert into data_center (id, name, uuid) values (1, 'zone one', 'z1')");
        cloud
    }

    /// Makes the importer's user, with the least privileges.
    fn grant(&self) {
        let user = &self.user;
        let password = PASSWORD.replace('\'', "''");
        let create = format!("create user if not exists {user}@'%' identified by '{password}'");
        self.main(&create);
        self.usage(&create);
        for (table, columns) in MAIN_GRANTS {
            self.main(&format!("grant select {columns} on {table} to {user}@'%'"));
        }
        if self.version >= Version::V4_15 {
            self.main(&format!("grant select on backup_offering to {user}@'%'"));
        }
        for table in USAGE_GRANTS {
            self.usage(&format!("grant select on {table} to {user}@'%'"));
        }
    }

    /// Sets CloudStack's `usage.aggregation.timezone`.
    pub fn set_timezone(&self, zone: &str) {
        self.main("delete from configuration where name = 'usage.aggregation.timezone'");
        self.main(&format!(
            "insert into configuration (name, value) values ('usage.aggregation.timezone', '{zone}')"
        ));
    }

    /// Lets the importer's user read the two settings that matter, by the view of `docs/configuration.md`, and no other.
    pub fn show_settings(&self) {
        self.main(
            "create view rbc_usage_settings as select name, value, default_value from configuration \
             where name in ('usage.aggregation.timezone', 'usage.stats.job.aggregation.range')",
        );
        let user = &self.user;
        self.main(&format!("grant select on rbc_usage_settings to {user}@'%'"));
    }

    /// Writes `cloudusage.cfg` for a billing zone; `more` is appended as it is.
    pub fn configure(&self, timezone: &str, more: &str) {
        let Cloud {
            main_uri,
            usage_uri,
            ..
        } = self;
        self.sandbox.write(
            "cloudusage.cfg",
            &format!(
                "[main]\ncloud_usage_uri = {usage_uri}\ncloud_uri = {main_uri}\n\
                 rbc_usage_uri = sqlite:///usage.db\ntimezone = {timezone}\n{more}"
            ),
        );
        if !self.user.is_empty() {
            // It holds a password.
            let file = self.sandbox.path("cloudusage.cfg");
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(file, mode).expect("set the mode");
        }
    }

    /// Runs the program in the sandbox.
    pub fn run(&self, words: &[&str]) -> Run {
        self.sandbox.run(words)
    }

    /// Runs a query on the ledger; each row as its columns joined by ` | `, numbers as short as they go.
    pub fn ledger(&self, sql: &str) -> Vec<String> {
        let ledger = rusqlite::Connection::open_with_flags(
            self.sandbox.path("usage.db"),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
        )
        .expect("open the ledger");
        let mut statement = ledger.prepare(sql).expect("a query on the ledger");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let texts: Result<Vec<String>, _> = (0..columns)
                .map(|column| row.get_ref(column).map(text_of))
                .collect();
            Ok(texts?.join(" | "))
        });
        rows.and_then(Iterator::collect)
            .expect("rows of the ledger")
    }

    /// Executes one statement on the main database.
    pub fn main(&self, sql: &str) {
        self.main.execute(sql);
    }

    /// Executes one statement on the usage database.
    pub fn usage(&self, sql: &str) {
        self.usage.execute(sql);
    }

    /// Brings both databases to a later release, as CloudStack's upgrade does.
    pub fn upgrade(&mut self, to: Version) {
        self.main.upgrade(MAIN_SQL, Some(self.version), to);
        self.usage.upgrade(USAGE_SQL, Some(self.version), to);
        self.version = to;
    }

    /// A successful job that goes on where the one before ended, up to this second (`YYYY-MM-DD HH:MM:SS`, GMT).
    pub fn finished_until(&self, last_second: &str) {
        let id = self.next_job_id.replace(self.next_job_id.get() + 1);
        let end = unix_seconds(last_second) * 1000 + 999;
        let start = self.next_job_start.replace(end + 1).min(end);
        self.usage(&format!(
            "insert into usage_job (id, job_type, start_millis, end_millis, end_date, success, heartbeat) \
             values ({id}, 0, {start}, {end}, '{last_second}', 1, '{last_second}')"
        ));
    }

    /// Writes usage rows in this order, with ascending ids.
    pub fn add_usage(&self, rows: &[UsageRow]) {
        for chunk in rows.chunks(500) {
            let mut columns = Vec::new();
            let values: Vec<String> = chunk
                .iter()
                .map(|row| {
                    let id = self.next_usage_id.replace(self.next_usage_id.get() + 1);
                    let (names, literals): (Vec<_>, Vec<_>) =
                        row.columns(id, self.version).into_iter().unzip();
                    columns = names;
                    format!("({})", literals.join(", "))
                })
                .collect();
            self.usage(&format!(
                "insert into cloud_usage ({}) values {}",
                columns.join(", "),
                values.join(",\n")
            ));
        }
    }
}

/// As a user name or password has to be written in an address.
pub fn percent_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn text_of(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(_) => "a blob".to_owned(),
    }
}

/// Seconds since 1970 of a moment written `YYYY-MM-DD HH:MM:SS`.
pub fn unix_seconds(moment: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| moment[range].parse::<i64>().expect("a number");
    let month = u8::try_from(part(5..7)).expect("a month");
    let date = time::Date::from_calendar_date(
        i32::try_from(part(0..4)).expect("a year"),
        time::Month::try_from(month).expect("a month"),
        u8::try_from(part(8..10)).expect("a day"),
    )
    .expect("a date");
    let days = i64::from(date.to_julian_day()) - 2_440_588;
    days * 86_400 + part(11..13) * 3_600 + part(14..16) * 60 + part(17..19)
}
