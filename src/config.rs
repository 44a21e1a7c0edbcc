//! Typed configuration from `cloudusage.cfg` and the environment.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::zone::Zone;

/// Everything `cloudusage.cfg` says, checked.
#[derive(Debug)]
pub struct Config {
    /// CloudStack's usage database.
    pub cloud_usage: SourceUri,
    /// CloudStack's main database.
    pub cloud: SourceUri,
    /// The ledger's file, absolute or relative to the working directory.
    pub ledger: PathBuf,
    pub zone: Zone,
    pub import: Import,
    pub server: Server,
}

/// `[import]`
#[derive(Debug, PartialEq)]
pub struct Import {
    pub connect_timeout: Duration,
    pub read_timeout: Duration,
    /// How long an import waits for another one to finish.
    pub lock_timeout: Duration,
}

/// `[server]`
#[derive(Debug, PartialEq)]
pub struct Server {
    pub bind: SocketAddr,
    pub workers: usize,
}

/// Where one of CloudStack's two databases is.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceUri {
    Mysql(MysqlUri),
    Sqlite(PathBuf),
}

#[derive(Clone, Debug, PartialEq)]
pub struct MysqlUri {
    pub user: String,
    pub password: Password,
    pub host: String,
    pub port: u16,
    /// Used instead of host and port when set.
    pub socket: Option<PathBuf>,
    pub database: String,
    pub tls: Tls,
}

/// How the connection to MySQL is encrypted.
#[derive(Clone, Debug, PartialEq)]
pub enum Tls {
    Off,
    /// Encrypted, the server's certificate not checked (`?ssl=skip-verify`).
    Unverified,
    /// Encrypted and checked against the system's or the named authorities.
    Verified {
        authority: Option<PathBuf>,
    },
}

/// A password that no `Debug` or `Display` shows.
#[derive(Clone, PartialEq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Config {
    pub fn load(
        _explicit: Option<&Path>,
        _environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> anyhow::Result<Config> {
        anyhow::bail!("not written yet")
    }
}
