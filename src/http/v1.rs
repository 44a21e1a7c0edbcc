//! API v1, read-only. Here is what all its answers share: the form that is asked for, the entity tag that spares an
//! answer, the size that makes it worth packing, one snapshot of the ledger for each. What each answers is in the
//! modules below.

pub mod accounts;
pub mod context;
pub mod corrections;
pub mod cursor;
pub mod days;
pub mod findings;
pub mod negotiate;
pub mod openapi;
pub mod query;
pub mod render;
pub mod resources;
pub mod statement;
pub mod usage;
pub mod version;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use self::context::{Body, Context};
use self::query::Query;
use super::ledger_pool::Lease;
use super::question::Question;
use super::refusal::{Problem, Rejection, VARY};
use super::request::Request;
use super::response::{REVALIDATE, Response};
use super::unread::Hold;
use crate::day::Day;
use crate::ledger::read::state::{LedgerState, find_state};
use crate::output::Format;
use crate::scope::Scope;

/// Answers of this size and above are compressed for clients that accept it; smaller ones fit into one packet.
const WORTH_PACKING: usize = 1400;

/// Bytes that are compressed at a time.
const PIECE: usize = 1 << 20;

/// How one endpoint answers.
type Answer = fn(&Context) -> Result<Body, Rejection>;

/// How the client wants its answer.
struct Form<'a> {
    format: Format,
    packed: bool,
    if_none_match: Option<&'a str>,
}

/// Answers with a text that never changes and needs no ledger. Fails only if there is no room for the answer.
pub fn answer_with_text(question: &Question, text: &'static str) -> anyhow::Result<Response> {
    let form = match Query::parse(question.request.head.query(), question.parameters)
        .and_then(|query| Form::of(question, &query))
    {
        Ok(form) => form,
        Err(problem) => return Ok(problem.response()),
    };
    let mut hasher = DefaultHasher::new();
    (text, form.kind(question)).hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    if form.is_known(&tag) {
        return Ok(not_modified(&tag));
    }
    let body = Body {
        headers: Vec::new(),
        bytes: text.as_bytes().to_vec(),
    };
    finish(body, &form, &tag, &question.request.unread)
}

/// Answers a question. Fails only if the ledger cannot be read, or if there is no room for the answer.
pub fn answer(question: &Question, ledger: &mut Lease, answer: Answer) -> anyhow::Result<Response> {
    match response(question, ledger, answer) {
        Ok(response) => Ok(response),
        Err(Rejection::Problem(problem)) => Ok(problem.response()),
        Err(Rejection::Ledger(err)) => Err(err),
    }
}

fn response(
    question: &Question,
    ledger: &mut Lease,
    answer: Answer,
) -> Result<Response, Rejection> {
    let Request { head, unread, .. } = question.request;
    let scope = &question.user.scope;
    let query = Query::parse(head.query(), question.parameters)?;
    let form = Form::of(question, &query)?;
    let reader = ledger.reader()?;
    let file = reader.file();
    let prices = question.prices.as_ref().map(|prices| prices.digest);
    reader.read(|snapshot| {
        let state = find_state(snapshot)?;
        let tag = entity_tag((form.kind(question), prices), scope, file, &state);
        if negotiate::has(form.if_none_match, &tag) {
            return Ok(Ok(not_modified(&tag)));
        }
        let context = Context {
            snapshot,
            state: &state,
            scope,
            max_days: question.max_days,
            yesterday: question.yesterday,
            prices: question.prices.as_ref().map(|prices| &prices.list),
            argument: question.arguments.first().map_or("", String::as_str),
            second: question.arguments.get(1).map_or("", String::as_str),
            query: &query,
            format: form.format,
            unread,
        };
        match answer(&context) {
            // `*` matches only if there is an answer.
            Ok(_) if form.is_known(&tag) => Ok(Ok(not_modified(&tag))),
            Ok(body) => Ok(Ok(finish(body, &form, &tag, unread)?)),
            Err(Rejection::Problem(problem)) => Ok(Err(Rejection::Problem(problem))),
            Err(Rejection::Ledger(err)) => Err(err),
        }
    })?
}

/// Target, format, compressed, and the day before the one it was asked on if that may matter.
type FormKind<'a> = (&'a str, Format, bool, Option<Day>);

impl Form<'_> {
    fn of<'a>(question: &'a Question, query: &Query) -> Result<Form<'a>, Problem> {
        let head = &question.request.head;
        let asked = query.word("format", &["json", "csv", "xlsx"])?;
        let accept = head.accept.as_deref();
        Ok(Form {
            format: match question.formats {
                [] => Format::Json,
                formats => negotiate::format(asked, accept, formats)?,
            },
            packed: negotiate::takes_gzip(head.accept_encoding.as_deref()),
            if_none_match: head.if_none_match.as_deref(),
        })
    }

    /// What two answers to the same question may differ by.
    fn kind<'a>(&self, question: &'a Question) -> FormKind<'a> {
        let target = question.request.head.target.as_str();
        // What has one form is for people, and may say how long ago something was.
        let read_on = question.formats.is_empty().then_some(question.yesterday);
        (target, self.format, self.packed, read_on)
    }

    /// Whether the client has the answer already. `*` matches any answer.
    fn is_known(&self, tag: &str) -> bool {
        self.if_none_match == Some("*") || negotiate::has(self.if_none_match, tag)
    }
}

/// A kept answer, or 304 if the client has it already.
pub fn unless_known(request: &Request, response: Arc<Response>) -> Arc<Response> {
    let if_none_match = request.head.if_none_match.as_deref();
    match response.header("ETag") {
        Some(tag) if if_none_match == Some("*") || negotiate::has(if_none_match, tag) => {
            Arc::new(not_modified(tag))
        }
        _ => response,
    }
}

fn not_modified(tag: &str) -> Response {
    Response {
        status: 304,
        headers: shared_headers(tag),
        body: Vec::new(),
    }
}

/// Headers of both an answer and a 304.
fn shared_headers(tag: &str) -> Vec<(&'static str, String)> {
    vec![
        ("ETag", tag.to_owned()),
        (REVALIDATE.0, REVALIDATE.1.to_owned()),
        ("Vary", VARY.to_owned()),
    ]
}

fn finish(body: Body, form: &Form, tag: &str, unread: &Hold) -> anyhow::Result<Response> {
    let content_type = match form.format {
        Format::Csv => "text/csv; charset=utf-8",
        Format::Xlsx => negotiate::WORKBOOK,
        Format::Json | Format::Table => "application/json",
    };
    let mut headers = shared_headers(tag);
    if !body.headers.iter().any(|(name, _)| *name == "Content-Type") {
        headers.push(("Content-Type", content_type.to_owned()));
    }
    headers.extend(body.headers);
    let is_workbook = form.format == Format::Xlsx;
    if is_workbook {
        let name = "attachment; filename=\"rbc-usage.xlsx\"";
        headers.push(("Content-Disposition", name.to_owned()));
    }
    let mut bytes = body.bytes;
    // A workbook is packed already.
    if form.packed && bytes.len() >= WORTH_PACKING && !is_workbook {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for piece in bytes.chunks(PIECE) {
            encoder.write_all(piece)?;
            unread.resize(bytes.len() + encoder.get_ref().len())?;
        }
        bytes = encoder.finish()?;
        headers.push(("Content-Encoding", "gzip".to_owned()));
    }
    Ok(Response {
        status: 200,
        headers,
        body: bytes,
    })
}

/// Two answers have the same tag only if they are the same byte for byte: it is made of the question, the format, the
/// user's scope, the ledger's state, and the version of the program. The last import is part of it because the
/// revisions of a ledger that was restored from a copy begin again at that of the copy.
fn entity_tag(
    kind: (FormKind, Option<u64>),
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
