//! The part of `check` about the server: whether its address is safe, its files can be used, and its scopes limit whom
//! they are meant for.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;

use super::line::{CheckLine, error, look, ok, others_read};
use crate::config;
use crate::config::Config;
use crate::htpasswd;
use crate::http::{self, Protection};
use crate::ledger::read::accounts::{AccountFilter, list_accounts};
use crate::ledger::read::domains::Domains;
use crate::ledger::read::selection::Selection;
use crate::ledger::read::{Page, Reader, Snapshot};
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

/// Entries of scopes for which the ledger has no account, and paths that several domains have had: either may be a
/// slip. A ledger that cannot be read has been reported already.
pub fn check_scopes(config: &Config) -> Vec<CheckLine> {
    let mut lines = Vec::new();
    for (user, scope) in &config.server.scopes {
        let Scope::Only(limits) = scope else { continue };
        let read = Reader::open(&config.ledger)
            .and_then(|mut reader| reader.read(|snapshot| check_limits(snapshot, limits)));
        let Ok((unknown, ambiguous)) = read else {
            return Vec::new();
        };
        if !unknown.is_empty() {
            let nothing = unknown.join(", ");
            let detail = format!("[scope.{user}]: the ledger has no account of {nothing}");
            lines.push(look("scopes", detail));
        }
        let details = ambiguous.into_iter();
        lines.extend(details.map(|detail| look("scopes", format!("[scope.{user}]: {detail}"))));
    }
    lines
}

/// The entries without an account, and what to know about paths that are not one domain's.
fn check_limits(
    snapshot: &Snapshot,
    limits: &ScopeLimits,
) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let (mut unknown, mut ambiguous) = (Vec::new(), Vec::new());
    let all = list_accounts(snapshot, AccountFilter::default(), Page::default())?;
    let has_uuid = |uuid: &String| all.iter().any(|account| account.uuid == *uuid);
    unknown.extend(
        limits
            .accounts
            .iter()
            .filter(|uuid| !has_uuid(uuid))
            .cloned(),
    );
    let everybody = Selection::whole(snapshot, all.clone())?;
    let domains = Domains::load(snapshot)?;
    for text in &limits.domains {
        let mut selection = everybody.clone();
        let found = domains.find(snapshot, text)?;
        if let Some(found) = &found {
            selection.keep_in(found);
            ambiguous.extend(found.ambiguity());
        }
        if found.is_none() || selection.accounts.is_empty() {
            unknown.push(text.clone());
        }
    }
    let has_project = |uuid: &String| {
        let mut projects = all
            .iter()
            .filter_map(|account| account.project_uuid.as_ref());
        projects.any(|project| project == uuid)
    };
    unknown.extend(
        limits
            .projects
            .iter()
            .filter(|uuid| !has_project(uuid))
            .cloned(),
    );
    Ok((unknown, ambiguous))
}
