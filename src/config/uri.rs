//! Database URIs of `cloudusage.cfg`, in SQLAlchemy's spelling. No message holds any part of a URI but its
//! parameters, so that none can hold a password.

mod decoded;
mod mysql;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use decoded::decoded;
pub use mysql::{MysqlTls, MysqlUri, Password};

/// Where one of CloudStack's two databases is.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceUri {
    Mysql(MysqlUri),
    Sqlite(PathBuf),
}

impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceUri::Mysql(uri) => uri.fmt(f),
            SourceUri::Sqlite(path) => path.display().fmt(f),
        }
    }
}

/// Reads the URI of a source. Relative paths in it start from `folder`.
pub fn parse_source(text: &str, folder: &Path) -> anyhow::Result<SourceUri> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    match scheme.split('+').next() {
        Some("mysql" | "mariadb") => Ok(SourceUri::Mysql(mysql::parse(rest, folder)?)),
        Some("sqlite") => Ok(SourceUri::Sqlite(parse_sqlite(rest, folder)?)),
        Some(_) | None => bail!(
            "not a database: write mysql://user:password@host/database or sqlite:////folder/file.db"
        ),
    }
}

/// Where the ledger is.
#[derive(Clone, Debug, PartialEq)]
pub enum LedgerUri {
    /// A SQLite file.
    File(PathBuf),
    /// A SQLite file that nobody writes to, in a place that perhaps cannot be written: a copy, which another one may be
    /// moved over.
    ReadOnlyFile(PathBuf),
    /// A database that these servers have in common, in the order in which they are tried; at least one.
    Cluster(Vec<MysqlUri>),
}

impl LedgerUri {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            LedgerUri::File(path) | LedgerUri::ReadOnlyFile(path) => Some(path),
            LedgerUri::Cluster(_) => None,
        }
    }
}

impl From<&Path> for LedgerUri {
    fn from(path: &Path) -> LedgerUri {
        LedgerUri::File(path.to_owned())
    }
}

impl From<&PathBuf> for LedgerUri {
    fn from(path: &PathBuf) -> LedgerUri {
        LedgerUri::File(path.clone())
    }
}

impl fmt::Display for LedgerUri {
    /// The path, or `user@host:port, user@host:port/database`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uris = match self {
            LedgerUri::File(path) | LedgerUri::ReadOnlyFile(path) => {
                return path.display().fmt(f);
            }
            LedgerUri::Cluster(uris) => uris,
        };
        for (place, uri) in uris.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{uri}")?;
        }
        Ok(())
    }
}

/// The one parameter that a ledger in a file may have, by SQLite's name for it.
const READ_ONLY: &str = "?immutable=1";

/// Reads the URI of the ledger. A relative path starts from `folder`.
pub fn parse_ledger(text: &str, folder: &Path) -> anyhow::Result<LedgerUri> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    match scheme.split('+').next() {
        Some("sqlite") => Ok(match rest.strip_suffix(READ_ONLY) {
            Some(rest) => LedgerUri::ReadOnlyFile(parse_sqlite(rest, folder)?),
            None => LedgerUri::File(parse_sqlite(rest, folder)?),
        }),
        Some("mysql" | "mariadb") => parse_cluster(rest, folder),
        Some(_) | None => bail!(
            "not a ledger: write sqlite:////var/lib/rbc-usage/usage.db or \
             mysql://user:password@host1,host2/rbc_usage"
        ),
    }
}

/// Takes what follows `mysql://`, with one or more hosts: `user:password@host1:3306,host2/database?parameters`.
fn parse_cluster(rest: &str, folder: &Path) -> anyhow::Result<LedgerUri> {
    let Some((login, place)) = rest.rsplit_once('@') else {
        return Ok(LedgerUri::Cluster(vec![mysql::parse(rest, folder)?]));
    };
    let end = place.find(['/', '?']).unwrap_or(place.len());
    let (hosts, database) = place.split_at(end);
    let uris = hosts
        .split(',')
        .map(|host| mysql::parse(&format!("{login}@{host}{database}"), folder));
    Ok(LedgerUri::Cluster(uris.collect::<anyhow::Result<_>>()?))
}

/// Takes what follows `sqlite://`: a slash and the path.
fn parse_sqlite(rest: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = rest
        .strip_prefix('/')
        .context("write sqlite:///relative/file.db or sqlite:////absolute/file.db")?;
    ensure!(
        !path.contains('?'),
        "an SQLite file takes no parameters but ?immutable=1 where a ledger is only read (write a ? in its name as %3F)"
    );
    ensure!(
        !path.contains([' ', '\t']),
        "a blank in the path (write one in a file's name as %20)"
    );
    let path = decoded(path)?;
    let in_memory = path.starts_with(':') || path.starts_with("file:");
    ensure!(
        !in_memory && !path.is_empty() && !path.ends_with('/'),
        "names no file: write sqlite:///relative/file.db or sqlite:////absolute/file.db"
    );
    Ok(folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(text: &str) -> PathBuf {
        let ledger = parse_ledger(text, Path::new("/etc/rbc-usage")).unwrap();
        let source = parse_source(text, Path::new("/etc/rbc-usage")).unwrap();
        let path = ledger.file().unwrap().to_owned();
        assert_eq!(source, SourceUri::Sqlite(path.clone()));
        path
    }

    #[test]
    fn reads_sqlite_paths() {
        for (text, path) in [
            ("sqlite:////var/lib/usage.db", "/var/lib/usage.db"),
            ("sqlite:///usage.db", "/etc/rbc-usage/usage.db"),
            ("sqlite:///../usage.db", "/etc/rbc-usage/../usage.db"),
            ("sqlite:////a%20%3F%25.db", "/a ?%.db"),
            ("sqlite+pysqlite:////a.db", "/a.db"),
        ] {
            assert_eq!(sqlite(text), PathBuf::from(path));
        }
    }

    #[test]
    fn reads_the_hosts_of_a_cluster() {
        let folder = Path::new("/etc/rbc-usage");
        let text = "mysql://rbc:p,@ss@db1:3307,[::1],db3/rbc_usage?ssl=true";
        let ledger = parse_ledger(text, folder).unwrap();
        assert_eq!(
            ledger.to_string(),
            "rbc@db1:3307/rbc_usage, rbc@[::1]:3306/rbc_usage, rbc@db3:3306/rbc_usage"
        );
        let LedgerUri::Cluster(uris) = ledger else {
            panic!("a file");
        };
        for uri in uris {
            assert_eq!(uri.password.0, "p,@ss");
            assert_eq!(uri.tls, MysqlTls::Verified { authority: None });
        }
        let wrong = |text| parse_ledger(text, folder).unwrap_err().to_string();
        assert!(wrong("mysql://rbc@db1,db2:x/rbc_usage").starts_with("the port is not a number"));
        assert!(wrong("mysql://rbc@db1,db2").starts_with("names no database"));
        assert!(wrong("postgresql://rbc@db1/x").starts_with("not a ledger"));
    }

    #[test]
    fn says_what_is_wrong_and_never_shows_the_password() {
        for (text, message) in [
            ("s3cret", "not a database"),
            ("u:s3cret@h/db", "not a database"),
            ("postgresql://u:s3cret@h/db", "not a database"),
            ("mysql://s3cret", "names no user"),
            ("mysql://h/db?password=s3cret", "names no user"),
            ("mysql://:s3cret@h/db", "names no user"),
            ("mysql://u:s3cret@h", "names no database"),
            ("mysql://u:s3cret@h/", "names no database"),
            ("mysql://u:s3cret@h/?charset=utf8", "names no database"),
            ("mysql://u:s3cret%ff@h/db", "not UTF-8 once"),
            (
                "mysql://u:ENC(s3cret+/4=)@h/db",
                "the password is the encrypted ENC(…) of CloudStack's db.properties",
            ),
            ("mysql://u:s3cret@h/db ; main", "a blank after the last @"),
            ("mysql://u:s3cret@h/db # main", "a blank after the last @"),
            ("mysql://u:s3cret@h:x/db", "the port is not a number"),
            ("mysql://u:s3cret@h:0/db", "the port is not a number"),
            ("mysql://u:s3cret@h:65536/db", "the port is not a number"),
            ("mysql://u:s3cret@::1/db", "the port is not a number"),
            ("mysql://u:s3cret@[h]/db", "not an IPv6 address"),
            ("mysql://u:s3cret@[::1/db", "after an IPv6 address"),
            ("mysql://u:s3cret@[::1]3306/db", "after an IPv6 address"),
            ("mysql://u:p@s3cret#/db", "not a host"),
            (
                "mysql://u:s3cret@h/db?x=1",
                "unknown parameter \"x\"; there",
            ),
            (
                "mysql://u:s3cret@h/db?ssl=1",
                "parameter ssl is none of true",
            ),
            ("mysql://u:s3cret@h/db?ssl_ca=", "parameter ssl_ca names no"),
            (
                "mysql://u:s3cret@h/db?ssl_ca=/no/ca",
                "ssl_ca /no/ca: No such",
            ),
            (
                "mysql://u:s3cret@h/db?unix_socket",
                "parameter unix_socket nam",
            ),
            (
                "mysql://u:s3cret@h/db?ssl=true&ssl=true",
                "parameter ssl is there twice",
            ),
            (
                "mysql://u:s3cret@h/db?ssl=false&ssl_ca=/",
                "ssl_ca asks for",
            ),
            (
                "mysql://u:s3cret@h/db?ssl=true&unix_socket=/a",
                "a unix_socket is never",
            ),
            ("sqlite://s3cret", "write sqlite:///"),
            ("sqlite:///", "names no file"),
            ("sqlite:////folder/", "names no file"),
            ("sqlite:///:memory:", "names no file"),
            ("sqlite:///file:s3cret", "names no file"),
            (
                "sqlite:///s3cret?mode=ro",
                "an SQLite file takes no parameters",
            ),
            ("sqlite:////s3cret.db  # ledger", "a blank in the path"),
        ] {
            let err = format!("{:#}", parse_source(text, Path::new("")).unwrap_err());
            assert!(err.starts_with(message), "{text}: {err}");
            assert!(!err.contains("s3cret"), "{err}");
        }
    }

    #[test]
    fn the_ledger_is_a_file_or_a_database() {
        for text in ["postgresql://u:s3cret@h/rbc_usage", "/var/lib/usage.db", ""] {
            let err = parse_ledger(text, Path::new("")).unwrap_err();
            assert_eq!(
                err.to_string(),
                "not a ledger: write sqlite:////var/lib/rbc-usage/usage.db or \
                 mysql://user:password@host1,host2/rbc_usage"
            );
        }
    }
}
