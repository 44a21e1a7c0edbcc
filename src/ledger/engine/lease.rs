//! The right to write a cluster's ledger, where no lock reaches all servers: a row says who has it, and until when. Its
//! holder renews it all the time, and every transaction that writes renews it as well, or fails: nothing is written by one
//! who has lost it. Times are those of the servers, whose clocks must agree to within some seconds.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::cluster;
use crate::config::MysqlUri;
use crate::db::{Connection, Transient, params};
use crate::plural::plural;

/// How long the right lasts after its holder was last heard of.
const SECONDS: i64 = 45;

/// How often it is renewed.
const INTERVAL: Duration = Duration::from_secs(10);

/// How often one who waits for it looks again.
const LOOK: Duration = Duration::from_millis(500);

/// How often a lost server is left for another one when the right is renewed or given back.
const ATTEMPTS: u32 = 5;

/// Of the table that `initdb` makes first.
const TABLE: &str = "create table if not exists leases ( \
       only_one bigint primary key, \
       token bigint unsigned not null, \
       holder varchar(255) not null, \
       expires_at double not null, \
       writes bigint not null \
     ) engine = innodb";

/// Held until it is dropped.
pub struct WriteLease {
    stop: Option<Sender<()>>,
    renewal: Option<JoinHandle<()>>,
}

impl WriteLease {
    /// Waits up to `timeout` for it. `now` is UTC, `YYYY-MM-DDTHH:MM:SSZ`, and reported to whoever waits for us.
    pub fn acquire(uris: &[MysqlUri], timeout: Duration, now: &str) -> anyhow::Result<WriteLease> {
        let connection = open(uris)?;
        let holder = format!("process {} on {} since {now}", std::process::id(), host());
        let deadline = Instant::now() + timeout;
        loop {
            let other = match take(&connection, &holder) {
                Ok(None) => break,
                Ok(Some(other)) => other,
                Err(err) => {
                    connection.rollback()?;
                    ensure!(
                        Transient::of(&err).is_some() && Instant::now() < deadline,
                        err
                    );
                    std::thread::sleep(LOOK);
                    continue;
                }
            };
            ensure!(
                Instant::now() < deadline,
                "in use by {other}; waited {}",
                plural(timeout.as_secs(), "second")
            );
            std::thread::sleep(LOOK);
        }
        let (stop, stopped) = mpsc::channel();
        let renewal = std::thread::Builder::new().name("lease".to_owned());
        let renewal = renewal.spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                // Whether the right was lost, the next transaction says.
                let _ = renew(&connection);
            }
            // One that cannot be given back ends by itself.
            let _ = release(&connection);
        })?;
        Ok(WriteLease {
            stop: Some(stop),
            renewal: Some(renewal),
        })
    }
}

impl Drop for WriteLease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(renewal) = self.renewal.take() {
            let _ = renewal.join();
        }
    }
}

fn open(uris: &[MysqlUri]) -> anyhow::Result<Connection> {
    let (connection, _) = cluster::open_to_write(uris)?;
    if connection.columns("leases")?.is_empty() {
        connection.run(TABLE)?;
    }
    let sql = "insert into leases (only_one, token, holder, expires_at, writes) values (1, 0, '', 0, 0) \
               on conflict do update set only_one = 1";
    if !connection.exists("select 1 from leases", params! {})? {
        connection.execute(sql, params! {})?;
    }
    Ok(connection)
}

/// Takes it if nobody has it, or says who.
fn take(connection: &Connection, holder: &str) -> anyhow::Result<Option<String>> {
    connection.begin_write()?;
    let sql = "select holder, expires_at > unix_timestamp(now(6)), token from leases where only_one = 1 for update";
    let (other, is_held, token): (String, bool, u64) = connection.one(sql, params! {}, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    if is_held && token != ours() {
        connection.rollback()?;
        return Ok(Some(other));
    }
    let sql = "update leases set token = :token, holder = :holder, \
                 expires_at = unix_timestamp(now(6)) + :seconds, writes = writes + 1 \
               where only_one = 1";
    let values = params! {":token": ours(), ":holder": holder, ":seconds": SECONDS};
    connection.execute(sql, values)?;
    connection.commit()?;
    Ok(None)
}

fn renew(connection: &Connection) -> anyhow::Result<()> {
    let sql =
        "update leases set expires_at = unix_timestamp(now(6)) + :seconds where token = :token";
    let values = params! {":token": ours(), ":seconds": SECONDS};
    persist(|| connection.execute(sql, values))
}

fn release(connection: &Connection) -> anyhow::Result<()> {
    let sql = "update leases set token = 0, expires_at = 0 where token = :token";
    persist(|| connection.execute(sql, params! {":token": ours()}))
}

/// Does what may be done twice, until a server has done it.
fn persist(act: impl Fn() -> anyhow::Result<u64>) -> anyhow::Result<()> {
    let mut attempts = 1;
    loop {
        match act() {
            Err(err) if Transient::of(&err).is_some() && attempts < ATTEMPTS => {
                attempts += 1;
                std::thread::sleep(LOOK);
            }
            done => return done.map(drop),
        }
    }
}

/// How many transactions have been committed by anybody.
pub fn count_all_writes(connection: &Connection) -> anyhow::Result<i64> {
    connection.one("select writes from leases", params! {}, |row| row.get(0))
}

/// The same, for whoever has the right to write; an error if this process does not have it. Waits for a commit that is
/// being made on the same server.
pub fn count_writes(connection: &Connection) -> anyhow::Result<i64> {
    let sql = "select writes from leases where token = :token for update";
    let writes = connection.find(sql, params! {":token": ours()}, |row| row.get(0))?;
    let Some(writes) = writes else {
        bail!("another process has taken over");
    };
    Ok(writes)
}

/// Commits a transaction, and counts it; an error if this process does not have the right any more.
pub fn commit(connection: &Connection) -> anyhow::Result<()> {
    let sql = "update leases set expires_at = unix_timestamp(now(6)) + :seconds, writes = writes + 1 \
               where token = :token";
    let values = params! {":token": ours(), ":seconds": SECONDS};
    let renewed = connection.execute(sql, values)?;
    ensure!(renewed == 1, "another process has taken over");
    connection.commit()
}

/// Tells this process from every other one.
fn ours() -> u64 {
    static TOKEN: OnceLock<u64> = OnceLock::new();
    // Never 0, which stands for nobody, and within SQLite's and everybody's signed numbers.
    *TOKEN.get_or_init(|| (RandomState::new().hash_one(std::process::id()) >> 1) | 1)
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
