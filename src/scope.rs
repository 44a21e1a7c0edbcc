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
    /// Paths with a slash at both ends, as CloudStack writes them; sub-domains are included.
    pub domains: BTreeSet<String>,
    /// Uuids of projects.
    pub projects: BTreeSet<String>,
}

/// What a scope asks of an account.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub uuid: &'a str,
    pub domain_path: Option<&'a str>,
    pub project_uuid: Option<&'a str>,
}

impl Scope {
    pub fn allows(&self, account: Seen) -> bool {
        let Scope::Only(limits) = self else {
            return true;
        };
        let in_domain = |path: &str| limits.domains.iter().any(|domain| path.starts_with(domain));
        limits.accounts.contains(account.uuid)
            || account.domain_path.is_some_and(in_domain)
            || account
                .project_uuid
                .is_some_and(|uuid| limits.projects.contains(uuid))
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

/// Reads paths of domains with blanks between them; a blank in a path is written `%20`.
pub fn parse_domains(text: &str) -> anyhow::Result<BTreeSet<String>> {
    text.split_whitespace()
        .map(|path| {
            let decoded = percent_decode_str(path).decode_utf8().ok();
            let decoded = decoded.with_context(|| format!("{path:?} is not UTF-8 once decoded"))?;
            let inner = decoded.trim_matches('/');
            ensure!(
                decoded.starts_with('/') && !inner.contains("//"),
                "{path:?} is not a path of a domain: write /parent/child/, and a blank in it as %20"
            );
            Ok(match inner {
                "" => "/".to_owned(),
                inner => format!("/{inner}/"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account<'a>(uuid: &'a str, domain: Option<&'a str>, project: Option<&'a str>) -> Seen<'a> {
        Seen {
            uuid,
            domain_path: domain,
            project_uuid: project,
        }
    }

    #[test]
    fn a_limited_user_sees_what_any_list_has() {
        let scope = Scope::Only(ScopeLimits {
            accounts: parse_uuids("a1 a2").unwrap(),
            domains: parse_domains("/retail /big%20corp/north/").unwrap(),
            projects: parse_uuids("p1").unwrap(),
        });
        for (seen, account) in [
            (true, account("a1", None, None)),
            (true, account("x", Some("/retail/"), None)),
            (true, account("x", Some("/retail/shoes/"), None)),
            (true, account("x", Some("/big corp/north/pole/"), None)),
            (true, account("x", Some("/"), Some("p1"))),
            (false, account("x", Some("/retailers/"), None)),
            (false, account("x", Some("/big corp/"), None)),
            (false, account("x", Some("/"), None)),
            (false, account("A1", None, Some("a1"))),
            (false, account("p1", None, None)),
            (false, account("", None, None)),
        ] {
            assert_eq!(scope.allows(account), seen, "{account:?}");
            assert!(Scope::All.allows(account));
        }
        let none = Scope::Only(ScopeLimits::default());
        assert!(!none.allows(account("a1", Some("/"), Some("p1"))));
    }

    #[test]
    fn reads_domains_with_and_without_their_last_slash() {
        let paths: Vec<String> = parse_domains(" /a/b  /c/\t/ ")
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(paths, ["/", "/a/b/", "/c/"]);
        for wrong in ["a/b", "ROOT", "/a//b", "/a%ff"] {
            assert!(parse_domains(wrong).is_err(), "{wrong}");
        }
        assert!(parse_uuids("a,b").is_err());
    }
}
