//! `rbc-usage serve`: what it answers, over ledgers filled by plain SQL. How it starts, stops and gets
//! along with other programs at the ledger is in `serve/life.rs`, what SIGHUP does in `serve/reload.rs`.

mod life;
mod reload;

use rusqlite::Connection;

use crate::sandbox::Sandbox;
use crate::server::{Answer, Server};

pub const CONFIG: &str = "\
[main]
cloud_usage_uri = sqlite:///cloud_usage.db
cloud_uri = sqlite:///cloud.db
rbc_usage_uri = sqlite:///usage.db
timezone = GMT

[server]
bind = 127.0.0.1:0
workers = 2
log_format = off
";

pub const ACCOUNT: &str = "5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f001";
const PROJECT: &str = "5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f002";
const IDLE_ACCOUNT: &str = "5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f003";

/// A folder with a configuration and a ledger that holds three accounts, metrics, and no usage.
pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("cloudusage.cfg", CONFIG);
    sandbox.run(&["initdb"]).exits(0);
    let ledger = ledger(&sandbox);
    ledger
        .execute_batch(
            "insert into metrics values
               (1, 'network_bytes_sent', 'bytes', null),
               (2, 'primary_byte_hours', 'byte-hours', null),
               (3, 'secondary_byte_hours', 'byte-hours', null),
               (4, 'vm_allocated', 'hours', 'service offering'),
               (5, 'vm_running', 'hours', 'service offering'),
               (6, 'os_usage', 'hours', 'guest OS'),
               (7, 'gpu_hours', 'hours', 'graphics card');",
        )
        .unwrap();
    let mut add = ledger
        .prepare("insert into stored_accounts (id, uuid, name, project_uuid) values (?, ?, 'x', ?)")
        .unwrap();
    add.execute((1, ACCOUNT, None::<&str>)).unwrap();
    add.execute((2, "account-of-the-project", PROJECT)).unwrap();
    add.execute((3, IDLE_ACCOUNT, None::<&str>)).unwrap();
    sandbox
}

/// A second connection to the ledger that the server reads.
fn ledger(sandbox: &Sandbox) -> Connection {
    Connection::open(sandbox.path("usage.db")).unwrap()
}

fn add_day(ledger: &Connection, day: &str, state: &str) {
    let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
               values (?, ?, 1, 0, '2013-05-01T00:00:00Z')";
    ledger.execute(sql, (day, state)).unwrap();
}

fn add_offering(ledger: &Connection, id: i64, uuid: &str, name: &str) {
    let sql = "insert into stored_resources values (?1, 'service_offering', ?1, ?2, ?3)";
    ledger.execute(sql, (id, uuid, name)).unwrap();
}

fn add_record(ledger: &Connection, key: (i64, &str, i64, i64), quantity: f64) {
    let (account, day, metric, resource) = key;
    let sql = "insert into stored_records values (?, ?, ?, ?, ?)";
    ledger
        .execute(sql, (account, day, metric, resource, quantity))
        .unwrap();
}

#[track_caller]
fn refuses(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = format!("{{\"message\":{message:?},\"responseType\":\"errorResponse\"}}\n");
    assert_eq!(answer.body, body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

/// Thirty days whose sum is the total to the last bit: whole numbers, and the rest on the last day.
fn month_of(total: f64) -> Vec<(String, f64)> {
    let whole = (total / 30.0).floor();
    (1..=30)
        .map(|day| {
            let quantity = if day < 30 {
                whole
            } else {
                total - 29.0 * whole
            };
            (format!("2013-04-{day:02}"), quantity)
        })
        .collect()
}

#[test]
fn the_example_of_the_old_program_comes_out_number_by_number() {
    let sandbox = sandbox();
    let ledger = ledger(&sandbox);
    ledger.execute_batch("begin").unwrap();
    for day in 1..=30 {
        add_day(&ledger, &format!("2013-04-{day:02}"), "closed");
    }
    // Days around the month and another account's, none of which may be counted.
    add_day(&ledger, "2013-03-31", "closed");
    add_day(&ledger, "2013-05-01", "open");
    let per_account = [
        (1, 26679959392.0),
        (2, 337407196004352.0),
        (3, 147525959417856.0),
    ];
    let per_offering = [
        (
            "4ad08b0d-2e0f-4823-8e0c-ceff83768ad8",
            8095.731399536133,
            6454.786956787109,
        ),
        (
            "31adcf09-e383-4f1d-8f9d-e720e538daaa",
            2160.0,
            2722.922218322754,
        ),
        (
            "1f7bd1ff-b79f-4722-a151-83be524008be",
            3600.0,
            2043.3161125183105,
        ),
        (
            "0ecbc669-c557-4301-b121-ab54437a4839",
            3153.552505493164,
            2292.1111068725586,
        ),
    ];
    let mut totals = per_account
        .map(|(metric, total)| (metric, 0, total))
        .to_vec();
    for (id, (uuid, allocated, running)) in (1..).zip(per_offering) {
        add_offering(&ledger, id, uuid, "Small");
        totals.extend([(4, id, allocated), (5, id, running)]);
    }
    for (metric, resource, total) in totals {
        for (day, quantity) in month_of(total) {
            add_record(&ledger, (1, &day, metric, resource), quantity);
        }
        for day in ["2013-03-31", "2013-05-01"] {
            add_record(&ledger, (1, day, metric, resource), 17.0);
        }
        add_record(&ledger, (2, "2013-04-15", metric, resource), 19.0);
    }
    ledger.execute_batch("commit").unwrap();
    let server = Server::start(&sandbox);
    let answer = server.get(&format!("/usage/{ACCOUNT}?start=2013-04-01&end=2013-04-30"));
    assert_eq!(answer.body, include_str!("golden/usage.json"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

/// The keys of the old program, spelled and written as it did, apart from blanks.
#[test]
fn the_golden_answer_has_the_six_old_keys() {
    for part in [
        r#""end":"2013-04-30""#,
        r#""responeType":"usageResponse""#,
        r#""start":"2013-04-01""#,
        r#""usage":[["network_bytes_sent",26679959392.0],["primary_byte_hours",337407196004352.0],["secondary_byte_hours",147525959417856.0]]"#,
        r#""vm_allocated":[["0ecbc669-c557-4301-b121-ab54437a4839",3153.552505493164],["1f7bd1ff-b79f-4722-a151-83be524008be",3600.0],["31adcf09-e383-4f1d-8f9d-e720e538daaa",2160.0],["4ad08b0d-2e0f-4823-8e0c-ceff83768ad8",8095.731399536133]]"#,
        r#""vm_running":[["0ecbc669-c557-4301-b121-ab54437a4839",2292.1111068725586],["1f7bd1ff-b79f-4722-a151-83be524008be",2043.3161125183105],["31adcf09-e383-4f1d-8f9d-e720e538daaa",2722.922218322754],["4ad08b0d-2e0f-4823-8e0c-ceff83768ad8",6454.786956787109]]"#,
    ] {
        assert!(include_str!("golden/usage.json").contains(part), "{part}");
    }
}

#[test]
fn a_project_is_found_by_its_uuid_and_by_its_accounts() {
    let sandbox = sandbox();
    let ledger = ledger(&sandbox);
    add_day(&ledger, "2013-04-01", "closed");
    add_record(&ledger, (2, "2013-04-01", 1, 0), 5.0);
    let server = Server::start(&sandbox);
    for uuid in [PROJECT, "account-of-the-project"] {
        let answer = server.get(&format!("/usage/{uuid}?start=2013-04-01"));
        let usage = r#""usage":[["network_bytes_sent",5.0]]"#;
        assert!(answer.body.contains(usage), "{answer:?}");
    }
}

#[test]
fn open_and_missing_days_are_named() {
    let sandbox = sandbox();
    let ledger = ledger(&sandbox);
    add_day(&ledger, "2013-04-01", "closed");
    add_day(&ledger, "2013-04-03", "open");
    let server = Server::start(&sandbox);
    let answer = server.get(&format!(
        "/usage/{IDLE_ACCOUNT}?start=2013-04-01&end=2013-04-04"
    ));
    assert_eq!(
        answer.body,
        concat!(
            r#"{"backup_byte_hours":[],"complete":false,"end":"2013-04-04","ip_address_allocated":[],"#,
            r#""missing_days":["2013-04-02","2013-04-04"],"network_offering":[],"open_days":["2013-04-03"],"#,
            r#""os_usage":[],"responeType":"usageResponse","responseType":"usageResponse","start":"2013-04-01","#,
            r#""timezone":"GMT","usage":[],"vm_allocated":[],"vm_running":[]}"#,
            "\n"
        )
    );
}

#[test]
fn a_renamed_offering_and_a_new_metric_are_summed_like_any_other() {
    let sandbox = sandbox();
    let ledger = ledger(&sandbox);
    add_offering(&ledger, 1, "offering-b", "Small");
    add_offering(&ledger, 2, "offering-a", "Large");
    ledger
        .execute_batch(
            "insert into stored_resources values (3, 'service_offering', 1, 'offering-b', 'Tiny')",
        )
        .unwrap();
    for (day, offering) in [("2013-04-01", 1), ("2013-04-02", 3)] {
        add_day(&ledger, day, "closed");
        add_record(&ledger, (1, day, 5, offering), 12.5);
        add_record(&ledger, (1, day, 5, 2), 0.1);
        add_record(&ledger, (1, day, 7, 2), 1.0);
    }
    let server = Server::start(&sandbox);
    let answer = server.get(&format!("/usage/{ACCOUNT}?start=2013-04-01&end=2013-04-02"));
    for list in [
        r#""vm_running":[["offering-a",0.2],["offering-b",25.0]]"#,
        r#""gpu_hours":[["offering-a",2.0]]"#,
    ] {
        assert!(answer.body.contains(list), "{answer:?}");
    }
}

#[test]
fn without_a_start_it_is_yesterday() {
    let server_sandbox = sandbox();
    let server = Server::start(&server_sandbox);
    let today = || time::UtcDateTime::now().date();
    let before = today();
    let answer = server.get(&format!("/usage/{ACCOUNT}"));
    // Midnight may fall between the two looks at the clock.
    let asked = [before, today()].map(|day| {
        let yesterday = day.previous_day().unwrap();
        format!(r#""start":"{yesterday}""#)
    });
    assert!(
        asked.iter().any(|start| answer.body.contains(start)),
        "{answer:?}"
    );
}

#[test]
fn what_cannot_be_answered_is_refused_with_a_reason() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    let path = "no such path: ask for /usage/<account uuid>?start=YYYY-MM-DD&end=YYYY-MM-DD";
    for (target, status, message) in [
        ("/nothing", 404, path),
        ("/usage", 404, path),
        ("/usage/", 404, path),
        ("/usage/x/", 404, path),
        (
            "/usage/nobody",
            404,
            "no account or project has the uuid nobody",
        ),
        (
            "/usage/%6eo%20body",
            404,
            "no account or project has the uuid no body",
        ),
        (
            "/usage/x?start=2013-02-30",
            400,
            "start: 2013-02-30 is not a day of the calendar",
        ),
        (
            "/usage/x?end=now",
            400,
            "end: \"now\" is not a day: write YYYY-MM-DD",
        ),
        (
            "/usage/x?start=2013-04-02&end=2013-04-01",
            400,
            "the end 2013-04-01 is before the start 2013-04-02",
        ),
        (
            "/usage/x?start=2013-04-02&start=2013-04-02",
            400,
            "start is given more than once",
        ),
        (
            "/usage/x?start=2000-01-01&end=2013-04-01",
            400,
            "2000-01-01 to 2013-04-01 is 4840 days: ask for at most 3660 at a time",
        ),
    ] {
        refuses(&server.get(target), status, message);
    }
    // The uuid is compared as text: no other case, no pattern.
    assert_eq!(
        server
            .get(&format!("/usage/{}", ACCOUNT.to_uppercase()))
            .status,
        404
    );
    assert_eq!(server.get("/usage/%25").status, 404);
    let answer = server.ask("DELETE", &format!("/usage/{ACCOUNT}"));
    refuses(&answer, 405, "only GET and HEAD are answered");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(server.get("/nothing").header("allow"), None);
    server.signal("TERM");
    let log = format!(
        "rbc-usage: 127.0.0.1: 405 \"DELETE /usage/{ACCOUNT} HTTP/1.1\": only GET and HEAD are answered ({id})\n"
    );
    server.end().exits(0).complains(&log);
}

#[test]
fn head_is_get_without_the_body() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    for target in [
        format!("/usage/{ACCOUNT}?start=2013-04-01"),
        "/nothing".to_owned(),
    ] {
        let mut client = server.connect();
        client.send("GET", &target);
        let get = client.receive("GET");
        client.send("HEAD", &target);
        let head = client.receive("HEAD");
        // A body after the head would be taken for the next answer.
        client.send("GET", &target);
        assert_eq!(client.receive("GET").body, get.body);
        assert_eq!(head.status, get.status);
        let length = get.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(length.as_str()));
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[test]
fn two_requests_in_one_packet_are_answered_in_their_order() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    let mut client = server.connect();
    for _ in 0..20 {
        client.send_bytes(&format!(
            "GET /usage/{ACCOUNT}?start=2013-04-01 HTTP/1.1\r\nHost: x\r\n\r\nGET /usage/nobody HTTP/1.1\r\nHost: x\r\n\r\n"
        ));
        assert_eq!(client.receive("GET").status, 200);
        assert_eq!(client.receive("GET").status, 404);
    }
}
