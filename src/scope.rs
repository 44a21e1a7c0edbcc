//! Which accounts a user may see: all, or those of listed uuids, domains and projects. A plain value, made by the
//! configuration and asked by the server.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use percent_encoding::percent_decode_str;

/// What one user may see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    All,
    Only(ScopeLimits),
}

/// An account is seen if any of the three lists has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeLimits {
    /// Uuids of accounts.
    pub accounts: BTreeSet<String>,
    /// Uuids, or paths with a slash at both ends, as CloudStack writes them. Sub-domains are included, and an account
    /// is seen on the days that it was in one of them.
    pub domains: BTreeSet<String>,
    /// Uuids of projects.
    pub projects: BTreeSet<String>,
}

impl Scope {
    /// Whether it has all of an account, whatever domain it was in: everything, or by the account's or project's uuid.
    pub fn names(&self, account_uuid: &str, project_uuid: Option<&str>) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(limits) => {
                limits.accounts.contains(account_uuid)
                    || project_uuid.is_some_and(|uuid| limits.projects.contains(uuid))
            }
        }
    }
}

/// Reads uuids with blanks between them.
pub fn parse_uuids(text: &str) -> anyhow::Result<BTreeSet<String>> {
    text.split_whitespace()
        .map(|uuid| {
            let shaped = |b: u8| b.is_ascii_alphanumeric() || b"-_:.".contains(&b);
            ensure!(
                uuid.bytes().all(shaped),
                "{uuid:?} is not a uuid; put blanks between several"
            );
            Ok(uuid.to_owned())
        })
        .collect()
}

/// Reads uuids and paths of domains with blanks between them; a blank in a path is written `%20`.
pub fn parse_domains(text: &str) -> anyhow::Result<BTreeSet<String>> {
    text.split_whitespace()
        .map(|path| {
            if is_uuid(path) {
                return Ok(path.to_owned());
            }
            let decoded = percent_decode_str(path).decode_utf8().ok();
            let decoded = decoded.with_context(|| format!("{path:?} is not UTF-8 once decoded"))?;
            let inner = decoded.trim_matches('/');
            ensure!(
                decoded.starts_with('/') && !inner.contains("//"),
                "{path:?} is neither a uuid nor a path of a domain: write /parent/child/, and a blank in it as %20"
            );
            Ok(match inner {
                "" => "/".to_owned(),
                inner => format!("/{inner}/"),
            })
        })
        .collect()
}

/// CloudStack's, such as `5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61`, or the ledger's `domain:<id>`.
fn is_uuid(text: &str) -> bool {
    let stand_in = text.strip_prefix("domain:");
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let shaped = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    stand_in.is_some_and(number) || (text.contains('-') && text.bytes().all(shaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_by_its_uuid_or_its_projects() {
        let scope = Scope::Only(ScopeLimits {
            accounts: parse_uuids("a1 a2").unwrap(),
            domains: parse_domains("/retail").unwrap(),
            projects: parse_uuids("p1").unwrap(),
        });
        for (named, uuid, project) in [
            (true, "a1", None),
            (true, "x", Some("p1")),
            (false, "A1", None),
            (false, "x", Some("a1")),
            (false, "p1", None),
            (false, "", None),
        ] {
            assert_eq!(scope.names(uuid, project), named, "{uuid} {project:?}");
            assert!(Scope::All.names(uuid, project));
        }
        let none = Scope::Only(ScopeLimits::default());
        assert!(!none.names("a1", Some("p1")));
    }

    #[test]
    fn reads_domains_with_and_without_their_last_slash() {
        let paths: Vec<String> = parse_domains(" /a/b  /c/\t/ ")
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(paths, ["/", "/a/b/", "/c/"]);
        let uuids = parse_domains("5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61 domain:7").unwrap();
        assert_eq!(
            Vec::from_iter(uuids),
            ["5f1c2a7e-9d3b-4c68-8a10-3e7b9c2d4f61", "domain:7"]
        );
        for wrong in ["a/b", "ROOT", "/a//b", "/a%ff"] {
            assert!(parse_domains(wrong).is_err(), "{wrong}");
        }
        assert!(parse_uuids("a,b").is_err());
    }
}
