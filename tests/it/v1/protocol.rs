//! What all paths share: entity tags, packing, methods, forms, errors, bounds.

use std::process::Command;

use super::{ask_with, cloud, furnished, json, refuses, vm};
use crate::cloudstack::{Cloud, NEWEST};
use crate::sandbox::Run;
use crate::server::Server;

/// Every path, with a query that is answered.
const TARGETS: [&str; 9] = [
    "/v1/accounts",
    "/v1/accounts/alice-uuid/usage?month=2013-06",
    "/v1/usage?month=2013-06",
    "/v1/domains/acme/usage?month=2013-06",
    "/v1/days?month=2013-06",
    "/v1/findings",
    "/v1/corrections",
    "/v1/version",
    "/openapi.json",
];

#[test]
fn an_answer_is_not_sent_again_until_the_ledger_changes() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let mut tags = Vec::new();
    for target in TARGETS {
        let answer = server.get(target);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let tag = answer.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
        for had in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let same = ask_with(&server, "GET", target, &[&format!("If-None-Match: {had}")]);
            assert_eq!(
                (same.status, same.body.as_str()),
                (304, ""),
                "{target} {had}"
            );
            assert_eq!(same.header("etag"), Some(tag.as_str()));
            assert_eq!(same.header("content-length"), None);
            assert_eq!(same.header("cache-control"), Some("private, no-cache"));
            assert_eq!(same.header("vary"), Some("Accept, Accept-Encoding"));
        }
        let other = ask_with(&server, "GET", target, &["If-None-Match: \"1-00\""]);
        assert_eq!((other.status, &other.body), (200, &answer.body));
        tags.push(tag);
    }
    let mut different = tags.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), TARGETS.len(), "{tags:?}");

    // A new day, a correction, a seal: each is another state of the ledger.
    let changes: [&dyn Fn(&Cloud); 3] = [
        &|cloud| {
            cloud.finished_until("2013-06-03 23:59:59");
            cloud.run(&["import"]).exits(0);
        },
        &|cloud| {
            cloud.add_usage(&[vm("2013-06-02", 2, 11, 5, 22.0)]);
            cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
        },
        &|cloud| {
            cloud.run(&["seal", "--month", "2013-05", "--force"]);
            cloud.run(&["verify", "-s", "2013-06-01"]).exits(0);
        },
    ];
    for change in changes {
        change(&cloud);
        for (target, tag) in TARGETS.iter().zip(&mut tags) {
            let answer = ask_with(&server, "GET", target, &[&format!("If-None-Match: {tag}")]);
            // The description does not depend on the ledger.
            if *target == "/openapi.json" {
                assert_eq!(answer.status, 304, "{target}");
                continue;
            }
            assert_eq!(answer.status, 200, "{target}");
            let new = answer.header("etag").unwrap();
            assert_ne!(new, tag, "{target}");
            *tag = new.to_owned();
        }
    }
    // An account that is not there is not there for who has everything either.
    let nobody = ask_with(
        &server,
        "GET",
        "/v1/accounts/nobody/usage?month=2013-06",
        &["If-None-Match: *"],
    );
    assert_eq!(nobody.status, 404);
}

#[test]
fn a_ledger_put_back_from_a_copy_has_other_tags() {
    let cloud = furnished(Cloud::in_sqlite(NEWEST).with_file_ledger());
    let server = Server::start(&cloud.sandbox);
    let ledger = cloud.sandbox.path("usage.db");
    let copy = |from: &str, to: &str| {
        let from = rusqlite::Connection::open(cloud.sandbox.path(from)).unwrap();
        from.execute("vacuum into ?", [cloud.sandbox.path(to).to_str().unwrap()])
            .unwrap();
    };
    copy("usage.db", "copy.db");
    let tag = server
        .get("/v1/usage?month=2013-06")
        .header("etag")
        .unwrap()
        .to_owned();
    std::fs::rename(cloud.sandbox.path("copy.db"), &ledger).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", ledger.display()));
    }
    let answer = ask_with(
        &server,
        "GET",
        "/v1/usage?month=2013-06",
        &[&format!("If-None-Match: {tag}")],
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.header("etag"), Some(tag.as_str()));
}

#[test]
fn large_answers_are_packed_for_who_asks() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let address = &server.address;
    let curl = |words: &[&str]| {
        Run::of(
            Command::new("curl")
                .args(["--silent", "--show-error", "--max-time", "60"])
                .args(words),
        )
        .exits(0)
    };
    for target in ["/openapi.json", "/v1/usage?month=2013-06&granularity=day"] {
        let url = format!("http://{address}{target}");
        let plain = server.get(target);
        assert_eq!(plain.header("content-encoding"), None);
        let packed = curl(&["--compressed", &url]);
        assert_eq!(packed.stdout, plain.body);
        let head = curl(&["--head", "--compressed", &url])
            .stdout
            .to_lowercase();
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap()
            .parse()
            .unwrap();
        assert!(
            length * 2 < plain.body.len(),
            "{length} of {}",
            plain.body.len()
        );
        // Packed and plain are two answers, and each has a tag of its own.
        let tag = plain.header("etag").unwrap();
        assert!(!head.contains(&tag.to_lowercase()), "{head}");
    }
    let small = ask_with(&server, "GET", "/v1/version", &["Accept-Encoding: gzip"]);
    assert_eq!(small.header("content-encoding"), None);
    let refused = ask_with(
        &server,
        "GET",
        TARGETS[2],
        &["Accept-Encoding: gzip;q=0, identity"],
    );
    assert_eq!(refused.header("content-encoding"), None);
}

#[test]
fn head_is_get_without_the_body() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for target in TARGETS {
        let get = server.get(target);
        let head = server.ask("HEAD", target);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{target}");
        let compared = |headers: &[(String, String)]| -> Vec<(String, String)> {
            let mut kept = headers.to_vec();
            kept.retain(|(name, _)| name != "date" && name != "x-request-id");
            kept
        };
        assert_eq!(compared(&head.headers), compared(&get.headers), "{target}");
    }
}

#[test]
fn other_methods_paths_and_forms_are_refused() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for target in TARGETS {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let answer = server.ask(method, target);
            refuses(&answer, 405, "only GET and HEAD are answered");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    for target in [
        "/v1",
        "/v1/",
        "/v1/usages",
        "/v1/usage/",
        "/v1/accounts/",
        "/v1/accounts//usage?month=2013-06",
        "/v1/accounts/alice-uuid",
        "/v1/domains/usage",
        "/v1//version",
        "/v1/%76ersion",
    ] {
        refuses(
            &server.get(target),
            404,
            "no such path: /openapi.json tells which there are",
        );
    }
    for target in TARGETS {
        let answer = ask_with(&server, "GET", target, &["Accept: image/png"]);
        assert_eq!(answer.status, 406, "{target}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
    }
    refuses(
        &ask_with(&server, "GET", "/v1/version", &["Accept: text/csv"]),
        406,
        "this comes as application/json, and Accept does not allow it",
    );
    // Beside all this the old path keeps its own shape.
    let old = server.get("/usage/nobody?start=2013-06-01");
    assert_eq!(json(&old)["responseType"], "errorResponse");
    assert_eq!(old.header("content-type"), Some("application/json"));
}

#[test]
fn a_ledger_that_cannot_be_read_is_503_except_for_the_description() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let description = server.get("/openapi.json");
    cloud.take_ledger_away();
    for target in TARGETS.iter().filter(|target| target.starts_with("/v1")) {
        refuses(&server.get(target), 503, "the ledger cannot be read");
    }
    let without_ledger = server.get("/openapi.json");
    assert_eq!(
        (without_ledger.status, &without_ledger.body),
        (200, &description.body)
    );
    assert_eq!(without_ledger.header("etag"), description.header("etag"));
    cloud.bring_ledger_back();
    assert_eq!(server.get(TARGETS[0]).status, 200);
}

#[test]
fn a_question_that_takes_too_much_is_refused() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("GMT", super::SERVER);
    cloud.run(&["initdb"]).exits(0);
    cloud.edit_ledger(
        "insert into stored_accounts (id, uuid, name, domain_path)
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000)
         select i, 'u' || i, 'n' || i, '/' from n;
         insert into stored_domains (id, uuid, path, lineage) values (1, 'root-uuid', '/', '/root-uuid/');
         insert into account_states (account_id, since_day, name, domain_id) select id, '1970-01-01', name, 1 from stored_accounts",
    );
    let server = Server::start(&cloud.sandbox);
    // 1,000 accounts and 400 days are just allowed.
    let ask = |path: &str, end: &str| server.get(&format!("{path}?start=2012-01-01&end={end}"));
    for path in ["/v1/usage", "/v1/domains/%2F/usage"] {
        assert_eq!(ask(path, "2013-02-03").status, 200, "{path}");
        refuses(
            &ask(path, "2013-02-04"),
            400,
            "1000 accounts and 401 days are more than one answer takes, which is 400000 days of accounts: ask for \
             fewer days or accounts at a time",
        );
    }
    // A page is less, and says where the next one begins.
    let page = server.get("/v1/usage?start=2012-01-01&end=2013-02-04&limit=900");
    assert!(json(&page)["next_cursor"].is_string());
}

/// An account whose days have resources with long names, so that a year of days is 280 MiB, and another one without
/// usage.
#[test]
fn an_answer_that_is_too_long_is_refused_before_it_fills_the_memory() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("GMT", super::SERVER);
    cloud.run(&["initdb"]).exits(0);
    let long = "x".repeat(8000);
    let days: Vec<String> = (1..=366)
        .map(|number| {
            let day = time::Date::from_ordinal_date(2012, number).unwrap();
            format!("('{day}', 'closed', 100, 0, '2013-01-02T00:20:00Z')")
        })
        .collect();
    let days = days.join(", ");
    cloud.edit_ledger(&format!(
        "begin;
         insert into metrics values (1, 'vm_running', 'hours', 'service_offering'), (2, 'vpc', 'hours', null);
         insert into stored_accounts (id, uuid, name, domain_path)
         values (1, 'big-uuid', 'big', '/acme/'), (2, 'small-uuid', 'small', '/acme/');
         insert into stored_domains (id, uuid, path, lineage) values (1, 'acme-uuid', '/acme/', '');
         insert into account_states (account_id, since_day, name, domain_id) select id, '1970-01-01', name, 1 from stored_accounts;
         insert into stored_resources (id, kind, source_id, uuid, name)
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 100)
         select i, 'service_offering', i, 'offering-' || i, i || '{long}' from n;
         insert into stored_days (day, state, source_rows, replayed_rows, imported_at) values {days};
         insert into stored_records select 1, day, 1, id, 24 from stored_days, stored_resources where id > 0;
         insert into stored_records select 1, day, 2, 0, 24 from stored_days;
         commit"
    ));
    let server = Server::start(&cloud.sandbox);
    let (year, day) = ("start=2012-01-01&end=2012-12-31", "start=2012-01-01");
    for (path, form, how) in [
        ("/v1/accounts/big-uuid/usage", "json", ""),
        ("/v1/domains/acme/usage", "json", ""),
        (
            "/v1/usage",
            "json",
            "fewer accounts at a time by limit, for ",
        ),
        (
            "/v1/usage",
            "csv",
            "fewer accounts at a time by limit, for ",
        ),
    ] {
        let ask = |what: &str| server.get(&format!("{path}?format={form}&{what}"));
        let detail = format!(
            "the answer is longer than 64 MiB: ask for {how}fewer days or metrics, or for totals"
        );
        refuses(&ask(&format!("{year}&granularity=day")), 400, &detail);
        // What it says helps.
        for less in [
            &format!("{day}&granularity=day"),
            &format!("{year}&granularity=day&metric=vpc"),
            year,
        ] {
            assert_eq!(ask(less).status, 200, "{path} {form} {less}");
        }
    }
    // Two workers had the longest text there may be in hand, and what it grew from.
    let most = server.status("VmHWM");
    assert!(most < 256 << 10, "{most} KiB");
    // A row of every day and resource, whichever pieces they were written in.
    let ten = "start=2012-01-01&end=2012-01-10&granularity=day";
    let answer = server.get(&format!("/v1/accounts/big-uuid/usage?{ten}"));
    let rows = json(&answer)["usage"].as_array().unwrap().len();
    assert_eq!(rows, 10 * 100 + 10);
}
