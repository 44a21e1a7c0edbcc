//! What is asked under `/usage` and under `/v1`: a target, and in further lines what comes as `Accept`,
//! `Accept-Encoding` and `If-None-Match`. Nothing panics, no range is longer than it may be, every answer is well-formed
//! and the same when asked for again, and a limited user is told of nobody else.

#![no_main]

#[path = "../../src"]
#[allow(dead_code, unused_imports)]
mod program {
    pub mod aggregate;
    pub mod config;
    pub mod corrections;
    pub mod day;
    pub mod finding;
    pub mod ledger;
    pub mod metric;
    pub mod output;
    pub mod period;
    pub mod row;
    pub mod scope;
    pub mod source;
    pub mod words;
    pub mod zone;
    pub mod zones;
}
#[path = "../../src/http"]
#[allow(dead_code, unused_imports)]
mod http {
    pub mod frame;
    pub mod reply;
    pub mod route;
    pub mod v1;
}
use program::*;

use std::io::Read;
use std::sync::{LazyLock, Mutex};

use flate2::read::GzDecoder;
use http::reply::{self, Reply};
use http::route::{place, route};
use http::v1::query::{Query, count_days};
use http::v1::{self, Request, Terms};
use ledger::read::Reader;
use libfuzzer_sys::fuzz_target;
use scope::Scope;

const MOST: i64 = 366;

const KNOWN: [&str; 9] = [
    "start",
    "end",
    "month",
    "metric",
    "limit",
    "granularity",
    "require",
    "format",
    "cursor",
];

/// Three accounts, of which a limited user sees two; what is about the third is called h1dden.
const ROWS: &str = "
    insert into metrics values (1, 'vm_running', 'hours', 'service_offering'),
      (2, 'primary_byte_hours', 'byte-hours', null);
    insert into resources values (1, 'service_offering', 5, 'small-uuid', 'Small'),
      (2, 'service_offering', 6, 'h1dden-uuid', 'h1dden offering');
    insert into stored_accounts values (2, 'a-2', 'alice', 'd-1', '/north/', null, null),
      (3, 'a-3', 'h1dden', 'd-2', '/south/h1dden/', null, null),
      (4, 'a-4', 'PrjAcct-\"x, y\"', 'd-1', '/north/', 'p-4', 'smörgås');
    insert into stored_days (day, state, source_rows, replayed_rows, imported_at, records, accounts) values
      ('2013-06-01', 'closed', 9, 2, '2013-06-02T00:20:00Z', 4, 3),
      ('2013-06-03', 'closed', 3, 0, '2013-06-04T00:20:00Z', 2, 2),
      ('2013-06-04', 'open', 1, 0, '2013-06-04T12:20:00Z', 0, 0);
    insert into stored_records values (2, '2013-06-01', 1, 1, 24), (2, '2013-06-01', 2, 0, 1e15),
      (3, '2013-06-01', 1, 2, 12), (4, '2013-06-01', 1, 1, 0.5), (2, '2013-06-03', 1, 1, 6),
      (3, '2013-06-03', 1, 2, 1);
    insert into stored_findings (day, kind, account_id, metric_id, resource, detail) values
      ('2013-06-01', 'size_unknown', 2, 2, 'volume:1', 'row 1'),
      ('2013-06-03', 'size_unknown', 3, 2, 'h1dden:2', 'h1dden row'),
      ('2013-06-03', 'replayed_rows', null, 1, null, '2 h1dden rows');
    insert into stored_corrections (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind)
      values ('2013-06-01', 2, 1, 1, 1, 4, '2013-06-08T00:00:00Z', 'pending'),
      ('2013-06-03', 3, 1, 2, null, 1, '2013-06-05T00:00:00Z', 'overwritten');
    update ledgers set revision = 17;";

/// In memory, so that no disk is worn.
static LEDGER: LazyLock<Mutex<Reader>> = LazyLock::new(|| {
    let name = format!("/dev/shm/rbc-usage-fuzz-ledger-{}", std::process::id());
    let path = std::path::Path::new(&name);
    ledger::initialise(path, "Europe/Stockholm", "2013-06-09T00:20:00Z").unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(ROWS).unwrap();
    Mutex::new(Reader::open(path).unwrap())
});

static SCOPES: LazyLock<[Scope; 2]> = LazyLock::new(|| {
    let limits = scope::ScopeLimits {
        accounts: ["a-2".to_owned()].into(),
        projects: ["p-4".to_owned()].into(),
        ..scope::ScopeLimits::default()
    };
    [Scope::All, Scope::Only(limits)]
});

fuzz_target!(|text: &str| {
    take_apart(text);
    let mut reader = LEDGER.lock().unwrap();
    let mut lines = text.splitn(4, '\n');
    let target = lines.next().unwrap_or_default();
    let [accept, accept_encoding, if_none_match] = [(); 3].map(|()| lines.next());
    for scope in &*SCOPES {
        let mut ask = |target: &str, accept_encoding, if_none_match| {
            let request = Request {
                method: &tiny_http::Method::Get,
                target,
                accept,
                accept_encoding,
                if_none_match,
            };
            let terms = Terms {
                scope,
                max_days: MOST,
            };
            let reply = v1::answer(&request, &terms, &mut reader).expect("a ledger can be read");
            check_head(&reply);
            reply
        };
        let reply = ask(target, accept_encoding, if_none_match);
        assert!(matches!(reply.status, 200 | 304 | 400 | 404 | 406 | 409));
        if reply.status == 200 {
            let tag = header(&reply, "ETag");
            assert_eq!(ask(target, accept_encoding, tag).status, 304);
            let plain = ask(target, None, None);
            assert!(unpacked(&reply) == plain.body, "{target:?}");
            check_body(&plain, scope);
            // The address of the next page is one.
            let next =
                header(&plain, "Link").and_then(|link| link.strip_prefix('<')?.split('>').next());
            if let Some(next) = next {
                assert_eq!(ask(next, None, None).status, 200, "{next}");
            }
        } else if reply.status != 304 {
            serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap();
        }
        for target in [target, &format!("/usage/a-2?{target}")] {
            let yesterday = "2013-06-04".parse().unwrap();
            let reply = match route("GET", target, yesterday, MOST) {
                Ok(question) => {
                    let (uuid, range) = (&question.uuid, question.range);
                    assert!((1..=MOST).contains(&count_days(range)), "{target:?}");
                    let usage = reader.account_usage(uuid, range, scope).unwrap();
                    usage.map(|usage| reply::usage(range, &usage))
                }
                Err(refused) => Some(refused),
            };
            if let Some(reply) = reply {
                check_head(&reply);
                check_body(&reply, scope);
            }
        }
    }
});

/// The parts of a question.
fn take_apart(text: &str) {
    let _ = place(text);
    if let Ok(query) = Query::parse(text, &KNOWN) {
        if let Ok(Some(range)) = query.optional_period(MOST) {
            assert!((1..=MOST).contains(&count_days(range)), "{text:?}");
        }
        let _ = (
            query.granularity(),
            query.metrics(),
            query.requires_complete(),
        );
        if let Ok(Some(limit)) = query.limit() {
            assert!((1..=1000).contains(&limit));
        }
    }
    if let Ok(day) = text.parse::<day::Day>() {
        assert_eq!(day.to_string(), text);
        assert_eq!(day.next().previous(), day);
    }
    if let Ok(month) = text.parse::<period::Month>() {
        assert!((28..=31).contains(&count_days(month.days())), "{text:?}");
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut headers = reply.headers.iter();
    let (_, value) = headers.find(|(had, _)| *had == name)?;
    Some(value)
}

/// A client reads the headers that were meant, and no more.
fn check_head(reply: &Reply) {
    let text = http::frame::head(reply, "id") + "\r\n";
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(text.as_bytes());
    assert_eq!(
        parsed,
        Ok(httparse::Status::Complete(text.len())),
        "{text:?}"
    );
    assert!(text.is_ascii(), "{text:?}");
    // The date, the id, and but for a 304 the length.
    let added = if reply.status == 304 { 2 } else { 3 };
    assert_eq!(
        response.headers.len(),
        reply.headers.len() + added,
        "{text:?}"
    );
}

fn unpacked(reply: &Reply) -> Vec<u8> {
    if header(reply, "Content-Encoding").is_none() {
        return reply.body.clone();
    }
    let mut body = Vec::new();
    GzDecoder::new(&*reply.body).read_to_end(&mut body).unwrap();
    body
}

/// JSON or CSV as such, and about nobody whom the user may not see.
fn check_body(reply: &Reply, scope: &Scope) {
    if header(reply, "Content-Type") == Some("text/csv; charset=utf-8") {
        let mut rows = csv::Reader::from_reader(&*reply.body);
        assert!(rows.records().all(|row| row.is_ok()));
    } else {
        serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap();
    }
    let tells = |word: &str| {
        reply
            .body
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    };
    assert!(*scope == Scope::All || reply.status != 200 || !tells("h1dden"));
}
