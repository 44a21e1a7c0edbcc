//! `[server]` and `[scope.USER]`: how questions are answered, and to whom.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ipnet::IpNet;

use super::network::parse_networks;
use super::values::{Values, switch, whole};
use crate::scope::{Scope, ScopeLimits, parse_domains, parse_uuids};

/// `[server]`, and the scopes of its users.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    pub bind: SocketAddr,
    pub workers: usize,
    pub limits: super::limits::ServerLimits,
    /// None: answers are not encrypted.
    pub tls: Option<TlsFiles>,
    /// The htpasswd file; none: everybody may ask.
    pub users: Option<PathBuf>,
    /// A proxy in front is trusted to encrypt and to check passwords.
    pub behind_proxy: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many days old the newest closed day may be for the server to be ready; `None`: any age.
    pub max_age_days: Option<i64>,
    pub log_format: LogFormat,
    /// Whether browsers get pages.
    pub pages: bool,
    /// Where metrics are answered without a password; none: beside the questions, with one.
    pub metrics_bind: Option<SocketAddr>,
    /// Users that are limited; all others see everything.
    pub scopes: BTreeMap<String, Scope>,
}

/// Where the server's certificate and its key are, in PEM.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogFormat {
    Combined,
    Json,
    /// No line for a request; what a person should know is written all the same.
    Off,
}

/// Reads all of it, or notes what is wrong.
pub fn read(values: &mut Values, folder: &Path) -> Option<Server> {
    let bind = values.read("server.bind", parse_bind);
    let workers = values.read("server.workers", |text| whole(text, 1, 64, "threads"));
    let limits = values.limits();
    let tls = read_tls(values, folder);
    let users = values.read("server.users", |text| Ok(file(text, folder)));
    let behind_proxy = values.read("server.behind_proxy", switch);
    let trusted_proxies = values.read("server.trusted_proxies", parse_networks);
    let max_age = values.read("server.max_age", |text| {
        Some(text)
            .filter(|text| !text.is_empty())
            .map(|text| whole(text, 1, 366, "days"))
            .transpose()
    });
    let log_format = values.read("server.log_format", parse_log_format);
    let pages = values.read("server.pages", switch);
    let metrics_bind = values.read("server.metrics_bind", |text| {
        Some(text)
            .filter(|text| !text.is_empty())
            .map(parse_bind)
            .transpose()
    });
    let scopes = read_scopes(values);
    if bind.is_some_and(|bind| bind.port() != 0) && metrics_bind.flatten() == bind {
        let wrong = "is server.bind: give it a port of its own";
        values.complain("server.metrics_bind", wrong);
    }
    Some(Server {
        bind: bind?,
        workers: usize::try_from(workers?).ok()?,
        limits: limits?,
        tls: tls?,
        users: users?,
        behind_proxy: behind_proxy?,
        trusted_proxies: trusted_proxies?,
        max_age_days: max_age?.and_then(|days| i64::try_from(days).ok()),
        log_format: log_format?,
        pages: pages?,
        metrics_bind: metrics_bind?,
        scopes: scopes?,
    })
}

/// Certificate and key, both or neither.
fn read_tls(values: &mut Values, folder: &Path) -> Option<Option<TlsFiles>> {
    let mut read = |key| values.read(key, |text| Ok(file(text, folder)));
    let certificate = read("server.tls_certificate")?;
    let private_key = read("server.tls_private_key")?;
    match (certificate, private_key) {
        (Some(certificate), Some(private_key)) => Some(Some(TlsFiles {
            certificate,
            private_key,
        })),
        (None, None) => Some(None),
        (Some(_), None) => {
            values.complain("server.tls_private_key", "missing beside tls_certificate");
            None
        }
        (None, Some(_)) => {
            values.complain("server.tls_certificate", "missing beside tls_private_key");
            None
        }
    }
}

/// A file's path, which starts from `folder` if it is relative; none if nothing is written.
fn file(text: &str, folder: &Path) -> Option<PathBuf> {
    (!text.is_empty()).then(|| folder.join(text))
}

/// `[scope.USER]`: any of `accounts`, `domains` and `projects`.
fn read_scopes(values: &mut Values) -> Option<BTreeMap<String, Scope>> {
    // Without such a section there is no table.
    let sections = values.layers.get_table("scope").unwrap_or_default();
    let known = values.problems.len();
    let mut scopes = BTreeMap::new();
    for (user, section) in sections.into_iter().collect::<BTreeMap<_, _>>() {
        let Ok(keys) = section.into_table() else {
            values.complain("[scope]", "names no user: write [scope.USER]");
            continue;
        };
        let mut limits = ScopeLimits::default();
        let right = values.problems.len();
        for (key, value) in keys.into_iter().collect::<BTreeMap<_, _>>() {
            let text = value.into_string().unwrap_or_default();
            let read = match key.as_str() {
                "accounts" => parse_uuids(&text).map(|uuids| limits.accounts = uuids),
                "domains" => parse_domains(&text).map(|paths| limits.domains = paths),
                "projects" => parse_uuids(&text).map(|uuids| limits.projects = uuids),
                _ => Err(anyhow::anyhow!(
                    "unknown key; [scope.USER] has accounts, domains, projects"
                )),
            };
            if let Err(err) = read {
                values.complain(&format!("scope.{user}.{key}"), &format!("{err:#}"));
            }
        }
        if limits == ScopeLimits::default() && values.problems.len() == right {
            let wrong = "would see nothing: give it accounts, domains or projects";
            values.complain(&format!("[scope.{user}]"), wrong);
        }
        scopes.insert(user, Scope::Only(limits));
    }
    (values.problems.len() == known).then_some(scopes)
}

/// Reads an IP address or `localhost`, and a port; 0 lets the system choose one.
pub fn parse_bind(text: &str) -> anyhow::Result<SocketAddr> {
    let loopback = text
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok())
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    loopback
        .or_else(|| text.parse().ok())
        .context("not an IP address and a port: write 127.0.0.1:8888 or [::1]:8888")
}

/// Reads `combined`, `json` or `off`.
pub fn parse_log_format(text: &str) -> anyhow::Result<LogFormat> {
    match text {
        "combined" => Ok(LogFormat::Combined),
        "json" => Ok(LogFormat::Json),
        "off" => Ok(LogFormat::Off),
        _ => bail!("{text:?} is none of combined, json and off"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{WHOLE, config};
    use super::*;

    #[test]
    fn reads_addresses_to_listen_on() {
        for (text, address) in [
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("[::1]:8888", Some("[::1]:8888")),
            ("localhost:8888", Some("127.0.0.1:8888")),
            ("localhost", None),
            ("8888", None),
            ("::1:8888", None),
            ("example.com:8888", None),
            ("127.0.0.1:65536", None),
        ] {
            let read = parse_bind(text).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), address, "{text}");
        }
    }

    #[test]
    fn the_default_is_a_server_for_this_machine() {
        let server = Server {
            bind: SocketAddr::from(([127, 0, 0, 1], 8888)),
            workers: 4,
            limits: crate::config::ServerLimits {
                max_connections: 512,
                max_connections_per_address: 64,
                max_header_bytes: 16_384,
                max_requests_per_connection: 1000,
                max_days: 3660,
                handshake_timeout: Duration::from_secs(10),
                header_timeout: Duration::from_secs(10),
                idle_timeout: Duration::from_secs(60),
                write_timeout: Duration::from_secs(30),
                drain_timeout: Duration::from_secs(10),
            },
            tls: None,
            users: None,
            behind_proxy: false,
            trusted_proxies: vec![],
            max_age_days: None,
            log_format: LogFormat::Combined,
            pages: true,
            metrics_bind: None,
            scopes: BTreeMap::new(),
        };
        assert_eq!(config(WHOLE, &[]).unwrap().server, server);
    }

    #[test]
    fn users_and_their_scopes_are_read() {
        let text = format!(
            "{WHOLE}[server]\nusers = htpasswd\n[scope.jane@example.com]\naccounts = a1 a2\n\
             [scope.Reseller 7]\ndomains = /r7\nprojects = p1\n"
        );
        let server = config(&text, &[]).unwrap().server;
        assert_eq!(server.users, Some(PathBuf::from("/etc/htpasswd")));
        let users: Vec<&String> = server.scopes.keys().collect();
        assert_eq!(users, ["Reseller 7", "jane@example.com"]);
        let limits = ScopeLimits {
            accounts: ["a1".to_owned(), "a2".to_owned()].into(),
            ..ScopeLimits::default()
        };
        assert_eq!(server.scopes["jane@example.com"], Scope::Only(limits));
        let limits = ScopeLimits {
            domains: ["/r7/".to_owned()].into(),
            projects: ["p1".to_owned()].into(),
            ..ScopeLimits::default()
        };
        assert_eq!(server.scopes["Reseller 7"], Scope::Only(limits));
    }

    proptest::proptest! {
        /// Whatever is written, it is read or refused with the file's name.
        #[test]
        fn any_text_is_read_or_refused_by_name(text in "(?s)(\\[(server|scope\\.[a-z]|[a-z.\\]]{0,5})\\]\n|[a-z_]{0,9} ?[=:] ?.{0,12}\n|.{0,20}\n){0,9}") {
            if let Err(err) = config(&format!("{WHOLE}{text}"), &[]) {
                for line in err.lines() {
                    proptest::prop_assert!(line.starts_with("/etc/x.cfg: "), "{line}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let text =
            format!("{WHOLE}[server]\nbind = 127.0.0.1:9108\nmetrics_bind = 127.0.0.1:9108\n");
        let expected = "/etc/x.cfg: server.metrics_bind: is server.bind: give it a port of its own";
        assert_eq!(config(&text, &[]).unwrap_err(), expected);
        let any_port = format!("{WHOLE}[server]\nbind = 127.0.0.1:0\nmetrics_bind = 127.0.0.1:0\n");
        config(&any_port, &[]).unwrap();
    }

    #[test]
    fn a_key_of_scope_itself_is_refused_also_beside_the_section_of_that_user() {
        let users = || 'a'..='t';
        let keys: String = users().map(|user| format!("{user} = x\n")).collect();
        let section = |user| format!("[scope.{user}]\naccounts = a1\n");
        let sections: String = users().map(section).collect();
        let refused = config(&format!("{WHOLE}[scope]\n{keys}{sections}"), &[]).unwrap_err();
        let expected = ["/etc/x.cfg: [scope]: names no user: write [scope.USER]"; 20].join("\n");
        assert_eq!(refused, expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = format!(
            "{WHOLE}[server]\nbehind_proxy = maybe\ntrusted_proxies = 10.0.0.0/40\nmax_age = 0\n\
             log_format = xml\nmetrics_bind = 9999\n[scope]\naccounts = a1\n[scope.bob]\n\
             [scope.eve]\naccount = a1\n[scope.jim]\naccounts = a,b\ndomains = retail\n"
        );
        let expected = "\
/etc/x.cfg: server.behind_proxy: \"maybe\" is neither yes nor no
/etc/x.cfg: server.trusted_proxies: \"10.0.0.0/40\" is neither an address nor a network such as 10.0.0.0/8
/etc/x.cfg: server.max_age: \"0\" is not a whole number of days from 1 to 366
/etc/x.cfg: server.log_format: \"xml\" is none of combined, json and off
/etc/x.cfg: server.metrics_bind: not an IP address and a port: write 127.0.0.1:8888 or [::1]:8888
/etc/x.cfg: [scope]: names no user: write [scope.USER]
/etc/x.cfg: [scope.bob]: would see nothing: give it accounts, domains or projects
/etc/x.cfg: scope.eve.account: unknown key; [scope.USER] has accounts, domains, projects
/etc/x.cfg: scope.jim.accounts: \"a,b\" is not a uuid; put blanks between several
/etc/x.cfg: scope.jim.domains: \"retail\" is neither a uuid nor a path of a domain: write /parent/child/, and a blank in it as %20";
        assert_eq!(config(&text, &[]).unwrap_err(), expected);
    }
}
