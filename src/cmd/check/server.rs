//! The part of `check` about the server: whether its address is safe, its files can be used, and its scopes limit whom
//! they are meant for.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;

use super::line::{CheckLine, error, look, ok, others_read};
use crate::config;
use crate::config::Config;
use crate::htpasswd;
use crate::http::{self, Protection};
use crate::ledger::read::accounts::{Account, AccountFilter, list_accounts};
use crate::ledger::read::{Page, Reader};
use crate::plural::plural;
use crate::scope::{Scope, ScopeLimits};

/// How long before a certificate expires check starts to warn.
const CERTIFICATE_DAYS: u32 = 21;

/// The address, the certificate, the users and their scopes.
pub fn check(server: &config::Server) -> Vec<CheckLine> {
    let mut lines = vec![check_bind(server)];
    if let Some(address) = server.metrics_bind {
        let may = http::may_tell(address, server.behind_proxy).and_then(|()| is_here(address));
        lines.extend(may.err().map(|err| error("bind", format!("{err:#}"))));
    }
    if !server.trusted_proxies.is_empty() && !server.behind_proxy {
        let wrong = "server.trusted_proxies: nobody is trusted unless server.behind_proxy is yes";
        lines.push(look("bind", wrong));
    }
    if let Some(files) = &server.tls {
        let what = "certificate";
        lines.push(
            match http::look_at_tls(files, SystemTime::now(), CERTIFICATE_DAYS) {
                Err(err) => error(what, format!("{err:#}")),
                Ok(seen) => match seen.warning {
                    Some(warning) => look(what, warning),
                    None => ok(what, format!("for {}, and its key", seen.names.join(", "))),
                },
            },
        );
        lines.extend(others_read(what, &files.private_key));
    }
    if let Err(err) = http::may_limit(server) {
        lines.push(error("scopes", format!("{err:#}")));
    }
    if let Some(file) = &server.users {
        lines.extend(check_users(server, file));
    }
    lines
}

fn check_bind(server: &config::Server) -> CheckLine {
    let protection = Protection {
        tls: server.tls.is_some(),
        users: server.users.is_some(),
        behind_proxy: server.behind_proxy,
    };
    let (what, bind) = ("bind", server.bind);
    if let Err(err) = http::may_listen(bind, protection).and_then(|()| is_here(bind)) {
        return error(what, format!("{err:#}"));
    }
    let is_loopback = bind.ip().to_canonical().is_loopback();
    let how = match (server.tls.is_some(), server.users.is_some()) {
        (true, true) => "encrypted, with passwords",
        (true, false) => "encrypted, without passwords",
        (false, true) => "with passwords, not encrypted",
        (false, false) => "without passwords, not encrypted",
    };
    if server.behind_proxy && !is_loopback && server.trusted_proxies.is_empty() {
        return look(
            what,
            format!(
                "{bind}, {how}: server.behind_proxy is yes and server.trusted_proxies empty: all clients look like one"
            ),
        );
    }
    let reach = if is_loopback {
        "this machine only, "
    } else {
        ""
    };
    ok(what, format!("{bind}, {reach}{how}"))
}

/// Whether this machine has the address. The port is not tried: the server that runs has it.
fn is_here(address: SocketAddr) -> anyhow::Result<()> {
    UdpSocket::bind((address.ip(), 0)).with_context(|| format!("listen on {address}"))?;
    Ok(())
}

fn check_users(server: &config::Server, file: &Path) -> Vec<CheckLine> {
    let what = "users";
    let users = match htpasswd::read(file) {
        Ok(users) => users,
        Err(err) => return vec![error(what, format!("{err:#}"))],
    };
    let count = plural(users.len() as u64, "user");
    let mut lines = vec![if users.is_empty() {
        let name = file.display();
        look(
            what,
            format!("nobody may ask: rbc-usage passwd {name} USER"),
        )
    } else {
        ok(what, format!("{count}, {} limited", server.scopes.len()))
    }];
    lines.extend(others_read(what, file));
    let strangers = server
        .scopes
        .keys()
        .filter(|user| !users.contains_key(*user));
    lines.extend(strangers.map(|user| {
        let wrong = format!(
            "[scope.{user}]: there is no such user: whoever it was meant for sees everything"
        );
        look("scopes", wrong)
    }));
    lines
}

/// Entries of scopes for which the ledger has no account, which may be a slip. A ledger that cannot be read has
/// been reported already.
pub fn check_scopes(config: &Config) -> Vec<CheckLine> {
    let read = Reader::open(&config.ledger).and_then(|mut reader| {
        reader.read(|snapshot| list_accounts(snapshot, AccountFilter::default(), Page::default()))
    });
    let Ok(accounts) = read else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (user, scope) in &config.server.scopes {
        let Scope::Only(limits) = scope else { continue };
        let nothing = unknown(limits, &accounts);
        if !nothing.is_empty() {
            let nothing = nothing.join(", ");
            let detail = format!("[scope.{user}]: the ledger has no account of {nothing}");
            lines.push(look("scopes", detail));
        }
    }
    lines
}

fn unknown(limits: &ScopeLimits, accounts: &[Account]) -> Vec<String> {
    let has = |one: &ScopeLimits| {
        let scope = Scope::Only(one.clone());
        accounts.iter().any(|account| account.is_in(&scope))
    };
    let one = |text: &String| BTreeSet::from([text.clone()]);
    let none = ScopeLimits::default;
    let accounts_of = limits.accounts.iter().map(|uuid| {
        let accounts = one(uuid);
        (uuid, ScopeLimits { accounts, ..none() })
    });
    let domains_of = limits.domains.iter().map(|path| {
        let domains = one(path);
        (path, ScopeLimits { domains, ..none() })
    });
    let projects_of = limits.projects.iter().map(|uuid| {
        let projects = one(uuid);
        (uuid, ScopeLimits { projects, ..none() })
    });
    accounts_of
        .chain(domains_of)
        .chain(projects_of)
        .filter(|(_, one)| !has(one))
        .map(|(text, _)| text.clone())
        .collect()
}
