//! API v1, read-only: from a request to a reply. Here is what all its paths share: which there are, what they take,
//! the entity tag that spares an answer, the size that makes it worth packing. What each answers is in the modules
//! below. No sockets, no clock; one snapshot of the ledger an answer.

mod accounts;
mod corrections;
mod cursor;
mod days;
mod findings;
mod negotiate;
mod openapi;
mod problem;
pub mod query;
mod render;

mod usage;
mod version;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::percent_decode_str;
use tiny_http::Method;

use super::response::Reply;
use crate::ledger::read::accounts::{Account, find_account, list_visible};
use crate::ledger::read::state::{LedgerState, find_state};
use crate::ledger::read::{Reader, Snapshot};
use crate::output::Format;
use crate::scope::Scope;
pub use problem::Problem;
use problem::Refusal;
use query::Query;

/// Answers may be kept by who asked, and are asked about again before they are used.
const CACHE_CONTROL: &str = "private, no-cache";

/// What else than the target an answer depends on.
const VARY: &str = "Accept, Accept-Encoding";

/// Answers from this size on are packed for who can unpack them; smaller ones fit into one packet.
const WORTH_PACKING: usize = 1400;

/// What a client sent, as far as it matters here.
pub struct Request<'a> {
    pub method: &'a Method,
    /// Path and query as they came.
    pub target: &'a str,
    pub accept: Option<&'a str>,
    pub accept_encoding: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
}

/// What holds for every request of one user.
pub struct Terms<'a> {
    pub scope: &'a Scope,
    /// Days that one question may span.
    pub max_days: i64,
}

/// One question, with all that is needed to answer it.
struct Asking<'a> {
    snapshot: &'a Snapshot<'a>,
    state: &'a LedgerState,
    terms: &'a Terms<'a>,
    /// Path and query, for links to the next page.
    path: &'a str,
    query: &'a Query,
    format: Format,
}

/// A body, and headers beside those that every answer has.
struct Answer {
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What is there.
#[derive(Clone, Debug, PartialEq)]
enum Route {
    OpenApi,
    Version,
    Accounts,
    /// Of the account or project with this uuid.
    AccountUsage(String),
    Usage,
    /// Of the domain with this path.
    DomainUsage(String),
    Days,
    Findings,
    Corrections,
}

/// Whether a target is answered here, be it with a refusal.
pub fn owns(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or(target);
    path == "/openapi.json" || path == "/v1" || path.starts_with("/v1/")
}

/// What requests for a target are counted under.
pub fn name_of(target: &str) -> &'static str {
    let path = target.split('?').next().unwrap_or(target);
    match Route::of(path) {
        Some(Route::OpenApi) => "openapi",
        Some(Route::Version) => "v1_version",
        Some(Route::Accounts) => "v1_accounts",
        Some(Route::AccountUsage(_)) => "v1_account_usage",
        Some(Route::Usage) => "v1_usage",
        Some(Route::DomainUsage(_)) => "v1_domain_usage",
        Some(Route::Days) => "v1_days",
        Some(Route::Findings) => "v1_findings",
        Some(Route::Corrections) => "v1_corrections",
        None => "v1_other",
    }
}

/// Answers a request. Fails only if the ledger cannot be read.
pub fn answer(request: &Request, terms: &Terms, reader: &mut Reader) -> anyhow::Result<Reply> {
    match reply(request, terms, reader) {
        Ok(reply) => Ok(reply),
        Err(Refusal::Problem(problem)) => Ok(problem.reply()),
        Err(Refusal::Ledger(err)) => Err(err),
    }
}

fn reply(request: &Request, terms: &Terms, reader: &mut Reader) -> Result<Reply, Refusal> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target, ""));
    let route = Route::of(path)
        .ok_or_else(|| Problem::new(404, "no such path: /openapi.json tells which there are"))?;
    if !matches!(request.method, Method::Get | Method::Head) {
        return Err(Problem::new(405, "only GET and HEAD are answered").into());
    }
    let query = Query::parse(query, route.parameters())?;
    let asked = query.word("format", &["json", "csv"])?;
    let format = negotiate::format(asked, request.accept, route.formats())?;
    let packed = negotiate::takes_gzip(request.accept_encoding);
    let file = reader.file();
    reader.read(|snapshot| {
        let state = find_state(snapshot)?;
        let kind = (request.target, format == Format::Csv, packed);
        let tag = entity_tag(kind, terms.scope, file, &state);
        let not_modified = |tag| Reply {
            status: 304,
            headers: shared_headers(tag),
            body: Vec::new(),
        };
        if negotiate::has(request.if_none_match, &tag) {
            return Ok(Ok(not_modified(tag)));
        }
        let asking = Asking {
            snapshot,
            state: &state,
            terms,
            path,
            query: &query,
            format,
        };
        match route.answer(&asking) {
            // Any answer will do for this client, if there is one.
            Ok(_) if request.if_none_match == Some("*") => Ok(Ok(not_modified(tag))),
            Ok(answer) => Ok(Ok(finish(answer, format, packed, tag)?)),
            Err(Refusal::Problem(problem)) => Ok(Err(Refusal::Problem(problem))),
            Err(Refusal::Ledger(err)) => Err(err),
        }
    })?
}

/// Headers of an answer and of the word that it has not changed.
fn shared_headers(tag: String) -> Vec<(&'static str, String)> {
    vec![
        ("ETag", tag),
        ("Cache-Control", CACHE_CONTROL.to_owned()),
        ("Vary", VARY.to_owned()),
    ]
}

fn finish(answer: Answer, format: Format, packed: bool, tag: String) -> anyhow::Result<Reply> {
    let content_type = match format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Json | Format::Table => "application/json",
    };
    let mut headers = shared_headers(tag);
    headers.push(("Content-Type", content_type.to_owned()));
    headers.extend(answer.headers);
    let mut body = answer.body;
    if packed && body.len() >= WORTH_PACKING {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body)?;
        body = encoder.finish()?;
        headers.push(("Content-Encoding", "gzip".to_owned()));
    }
    Ok(Reply {
        status: 200,
        headers,
        body,
    })
}

/// The same for two answers only if they are the same byte for byte: made of what was asked and how, who asks, the
/// ledger's state, and the program that words the answer. The last import is in it because the revisions of a ledger
/// that was restored from a copy begin again at that of the copy.
fn entity_tag(
    kind: (&str, bool, bool),
    scope: &Scope,
    file: (u64, u64),
    state: &LedgerState,
) -> String {
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    format!("{scope:?}").hash(&mut hasher);
    file.hash(&mut hasher);
    let last = state.last_import.as_ref();
    last.map(|run| (&run.started_at, &run.finished_at))
        .hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    format!("\"{}-{:016x}\"", state.revision, hasher.finish())
}

impl Route {
    fn of(path: &str) -> Option<Route> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        // Decoded once, and after the path was taken apart: a slash in a name is %2F.
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8().ok()?;
            (!text.is_empty()).then(|| text.into_owned())
        };
        Some(match segments[..] {
            ["openapi.json"] => Route::OpenApi,
            ["v1", "version"] => Route::Version,
            ["v1", "accounts"] => Route::Accounts,
            ["v1", "accounts", uuid, "usage"] => Route::AccountUsage(decoded(uuid)?),
            ["v1", "usage"] => Route::Usage,
            ["v1", "domains", path, "usage"] => Route::DomainUsage(decoded(path)?),
            ["v1", "days"] => Route::Days,
            ["v1", "findings"] => Route::Findings,
            ["v1", "corrections"] => Route::Corrections,
            _ => return None,
        })
    }

    /// Every parameter that the query may have.
    fn parameters(&self) -> &'static [&'static str] {
        match self {
            Route::OpenApi | Route::Version => &[],
            Route::Accounts => &accounts::PARAMETERS,
            Route::AccountUsage(_) | Route::DomainUsage(_) => &usage::PARAMETERS,
            Route::Usage => &usage::PARAMETERS_OF_ALL,
            Route::Days => &days::PARAMETERS,
            Route::Findings => &findings::PARAMETERS,
            Route::Corrections => &corrections::PARAMETERS,
        }
    }

    fn formats(&self) -> &'static [(Format, &'static str)] {
        match self {
            Route::OpenApi | Route::Version => &negotiate::FORMATS[..1],
            Route::Accounts
            | Route::AccountUsage(_)
            | Route::Usage
            | Route::DomainUsage(_)
            | Route::Days
            | Route::Findings
            | Route::Corrections => &negotiate::FORMATS,
        }
    }

    fn answer(&self, asking: &Asking) -> Result<Answer, Refusal> {
        match self {
            Route::OpenApi => Ok(openapi::answer()),
            Route::Version => Ok(version::answer(asking)),
            Route::Accounts => accounts::answer(asking),
            Route::AccountUsage(uuid) => usage::of_account(asking, uuid),
            Route::Usage => usage::of_all(asking),
            Route::DomainUsage(path) => usage::of_domain(asking, path),
            Route::Days => days::answer(asking),
            Route::Findings => findings::answer(asking),
            Route::Corrections => corrections::answer(asking),
        }
    }
}

impl Asking<'_> {
    /// The accounts that the user may see; `None`: all.
    fn visible_ids(&self) -> anyhow::Result<Option<BTreeSet<i64>>> {
        list_visible(self.snapshot, self.terms.scope)
    }

    /// The account that has this uuid or whose project has it. One that the user may not see is none.
    fn find_account(&self, uuid: &str) -> Result<Account, Refusal> {
        // Names are not taken here: they may be those of several.
        find_account(self.snapshot, uuid, self.terms.scope)?.ok_or_else(|| {
            Problem::new(404, format!("no account or project has the uuid {uuid}")).into()
        })
    }

    /// The accounts that a list is about: of `account`, if that is given, else those the user may see.
    fn listed_ids(&self) -> Result<Option<BTreeSet<i64>>, Refusal> {
        match self.query.get("account") {
            Some(uuid) => Ok(Some(BTreeSet::from([self.find_account(uuid)?.id]))),
            None => Ok(self.visible_ids()?),
        }
    }
}
