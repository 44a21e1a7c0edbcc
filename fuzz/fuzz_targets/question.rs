//! What is asked under `/usage` and under `/v1`: a target, and in further lines what comes as `Accept`,
//! `Accept-Encoding` and `If-None-Match`. Nothing panics, no range is longer than it may be, every answer is well-formed
//! and the same when asked for again, and a limited user is told of nobody else.

#![no_main]

use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, LazyLock, Mutex, RwLock};
use std::time::Instant;

use flate2::read::GzDecoder;
use libfuzzer_sys::fuzz_target;
use rbc_usage::config::LogFormat;
use rbc_usage::day::Day;
use rbc_usage::http::access_log::AccessLog;
use rbc_usage::http::answer::answer;
use rbc_usage::http::auth::User;
use rbc_usage::http::cache::Cache;
use rbc_usage::http::ledger_pool::LedgerPool;
use rbc_usage::http::metrics::Metrics;
use rbc_usage::http::request::{Head, Request};
use rbc_usage::http::response::Response;
use rbc_usage::http::route::Endpoints;
use rbc_usage::http::state::State;
use rbc_usage::http::unread::UnreadBytes;
use rbc_usage::http::v1::query::Query;
use rbc_usage::ledger;
use rbc_usage::month::Month;
use rbc_usage::scope::{Scope, ScopeLimits};
use rbc_usage::zone::Zone;
use rbc_usage::zones::Zones;
use tiny_http::{HTTPVersion, Method};

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

/// Two servers of one ledger: one shows everything to everybody, the other what a limited user may see. The ledger is in
/// memory, so that no disk is worn.
static SERVERS: LazyLock<[State; 2]> = LazyLock::new(|| {
    let name = format!("/dev/shm/rbc-usage-fuzz-ledger-{}", std::process::id());
    let path = Path::new(&name);
    ledger::initialise(path, "Europe/Stockholm", "2013-06-09T00:20:00Z").unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(ROWS).unwrap();
    let limits = ScopeLimits {
        accounts: ["a-2".to_owned()].into(),
        projects: ["p-4".to_owned()].into(),
        ..ScopeLimits::default()
    };
    [Scope::All, Scope::Only(limits)].map(|scope| server(path, scope))
});

fn server(ledger: &Path, scope: Scope) -> State {
    let zones = Zones::from(Zone::parse("Europe/Stockholm").unwrap());
    State {
        ledger: ledger.to_owned(),
        timezone: Mutex::default(),
        max_days: AtomicI64::new(MOST),
        max_age_days: AtomicI64::new(0),
        auth: None,
        anybody: User {
            name: "".into(),
            scope: Arc::new(scope),
        },
        metrics: Metrics::register(),
        log: AccessLog::start(LogFormat::Off).unwrap(),
        cache: Cache::new(ledger.to_owned(), zones),
        ledgers: LedgerPool::new(ledger.to_owned(), 4),
        unread: UnreadBytes::default(),
        prices: RwLock::default(),
        load_config: Box::new(|| unreachable!("nobody reads a configuration again")),
        reading: Mutex::default(),
    }
}

fuzz_target!(|text: &str| {
    take_apart(text);
    let mut lines = text.splitn(4, '\n');
    let target = lines.next().unwrap_or_default();
    let [accept, accept_encoding, if_none_match] = [(); 3].map(|()| lines.next());
    for state in &*SERVERS {
        let ask = |target: &str, accept_encoding: Option<&str>, if_none_match: Option<&str>| {
            let head = Head {
                method: Method::Get,
                target: target.to_owned(),
                authorization: None,
                accept: accept.map(str::to_owned),
                accept_encoding: accept_encoding.map(str::to_owned),
                if_none_match: if_none_match.map(str::to_owned),
                forwarded_for: String::new(),
                version: HTTPVersion(1, 1),
                keep_alive: true,
            };
            let client = Ipv4Addr::LOCALHOST.into();
            let request = Request {
                head,
                client,
                id: "id".to_owned(),
                arrived: Instant::now(),
                unread: state.unread.hold(client),
            };
            let response = answer(state, &request, Endpoints::All);
            check_head(&response);
            response
        };
        for target in [target, &format!("/usage/a-2?{target}")] {
            let response = ask(target, accept_encoding, if_none_match);
            assert!(
                matches!(response.status, 200 | 304 | 400 | 404 | 406 | 409),
                "{target:?}"
            );
            if response.status == 304 {
                continue;
            }
            let plain = ask(target, None, None);
            let same = target != "/metrics" && target != "/readyz";
            assert!(!same || unpacked(&response) == plain.body, "{target:?}");
            check_body(&plain, &state.anybody.scope);
            if let Some(tag) = plain.header("ETag").filter(|_| response.status == 200) {
                assert_eq!(ask(target, None, Some(tag)).status, 304);
            }
        }
    }
});

/// The parts of a question.
fn take_apart(text: &str) {
    if let Ok(query) = Query::parse(text, &KNOWN) {
        if let Ok(Some(range)) = query.optional_period(MOST) {
            assert!((1..=MOST).contains(&range.count_days()), "{text:?}");
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
    if let Ok(day) = text.parse::<Day>() {
        assert_eq!(day.to_string(), text);
        assert_eq!(day.next().previous(), day);
    }
    if let Ok(month) = text.parse::<Month>() {
        assert!((28..=31).contains(&month.days().count_days()), "{text:?}");
    }
}

/// A client reads the headers that were meant, and no more.
fn check_head(response: &Response) {
    let text = response.head("id") + "\r\n";
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let status = parsed.parse(text.as_bytes());
    assert_eq!(
        status,
        Ok(httparse::Status::Complete(text.len())),
        "{text:?}"
    );
    assert!(text.is_ascii(), "{text:?}");
    for (name, value) in &response.headers {
        let sent =
            |header: &httparse::Header| header.name == *name && header.value == value.as_bytes();
        assert_eq!(
            parsed.headers.iter().filter(|header| sent(header)).count(),
            1,
            "{text:?}"
        );
    }
}

fn unpacked(response: &Response) -> Vec<u8> {
    if response.header("Content-Encoding").is_none() {
        return response.body.clone();
    }
    let mut body = Vec::new();
    GzDecoder::new(&*response.body)
        .read_to_end(&mut body)
        .unwrap();
    body
}

/// JSON or CSV as such, and about nobody whom the user may not see.
fn check_body(response: &Response, scope: &Scope) {
    if response.header("Content-Type") == Some("text/csv; charset=utf-8") {
        let mut rows = csv::Reader::from_reader(&*response.body);
        assert!(rows.records().all(|row| row.is_ok()));
    } else if response.header("Content-Type") == Some("application/json") {
        serde_json::from_slice::<serde_json::Value>(&response.body).unwrap();
    }
    let tells = |word: &str| {
        response
            .body
            .windows(word.len())
            .any(|part| part == word.as_bytes())
    };
    assert!(*scope == Scope::All || response.status != 200 || !tells("h1dden"));
}
