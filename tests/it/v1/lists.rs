//! Accounts, days, findings and corrections, page by page; and what is refused in a query.

use super::{body, cloud, json, refuses, vm};
use crate::golden::is_golden;
use crate::server::Server;

#[test]
fn accounts_are_searched_and_paged() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    is_golden(
        "v1-accounts.json",
        &body(&cloud, &server.get("/v1/accounts")),
    );
    let csv = server.get("/v1/accounts?format=csv");
    is_golden("v1-accounts.csv", &body(&cloud, &csv));
    let names = |target: &str| -> Vec<String> {
        let answer = json(&server.get(target));
        let accounts = answer["accounts"]
            .as_array()
            .unwrap_or_else(|| panic!("{target}: {answer}"));
        accounts
            .iter()
            .map(|account| account["account_name"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        ("search=LIC", &["alice"][..]),
        ("search=web-uuid", &["PrjAcct-web-1"]),
        ("search=north", &["bob"]),
        ("search=%25", &[]),
        ("search=", &["PrjAcct-web-1", "alice", "bob", "carol"]),
        ("domain=/acme/", &["PrjAcct-web-1", "alice", "bob"]),
        ("domain=acme&search=b", &["PrjAcct-web-1", "bob"]),
    ] {
        assert_eq!(names(&format!("/v1/accounts?{query}")), expected, "{query}");
    }
    let first = json(&server.get("/v1/accounts?domain=acme&limit=2"));
    assert_eq!(first["total"], 3);
    let cursor = first["next_cursor"].as_str().unwrap();
    // An account that comes in between neither hides nor repeats another.
    cloud.account(6, "aaron-uuid", "aaron");
    cloud.main("update account set domain_id = 2 where id = 6");
    cloud.add_usage(&[vm("2013-06-03", 6, 14, 5, 1.0)]);
    cloud.run(&["import", "-s", "2013-06-03"]).exits(0);
    let second = json(&server.get(&format!("/v1/accounts?domain=acme&limit=2&cursor={cursor}")));
    assert_eq!(second["total"], 4);
    assert_eq!(second["next_cursor"], serde_json::Value::Null);
    let names: Vec<&str> = second["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["account_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["bob"]);
}

#[test]
fn days_tell_their_state_and_counts() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let target = "/v1/days?start=2013-06-01&end=2013-06-04";
    is_golden("v1-days.json", &body(&cloud, &server.get(target)));
    let csv = server.get(&format!("{target}&format=csv"));
    is_golden("v1-days.csv", &body(&cloud, &csv));
}

#[test]
fn findings_are_filtered_and_paged() {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-03", 2, 11, 5, 20.0)]);
    cloud.run(&["import", "-s", "2013-06-03"]).exits(0);
    let server = Server::start(&cloud.sandbox);
    let all = json(&server.get("/v1/findings"));
    let findings = all["findings"].as_array().unwrap();
    let stored =
        cloud.ledger("select id, day, kind, account_name, detail from findings order by day, id");
    let line = |finding: &serde_json::Value| {
        format!(
            "{} | {} | {} | {} | {}",
            finding["id"],
            finding["day"].as_str().unwrap(),
            finding["kind"].as_str().unwrap(),
            finding["account_name"].as_str().unwrap_or("null"),
            finding["detail"].as_str().unwrap()
        )
    };
    let lines: Vec<String> = findings.iter().map(line).collect();
    assert_eq!(lines, stored);
    assert!(lines.len() >= 2, "{lines:?}");
    let ids = |query: &str| -> Vec<String> {
        let answer = json(&server.get(&format!("/v1/findings?{query}")));
        let findings = answer["findings"]
            .as_array()
            .unwrap_or_else(|| panic!("{query}: {answer}"));
        findings.iter().map(line).collect()
    };
    let of_bob: Vec<String> = stored
        .iter()
        .filter(|line| line.contains("| bob |"))
        .cloned()
        .collect();
    assert_eq!(of_bob.len(), 1);
    assert_eq!(ids("account=bob-uuid"), of_bob);
    assert_eq!(ids("kind=size_unknown"), of_bob);
    assert_eq!(ids("start=2013-06-02"), of_bob);
    assert_eq!(ids("month=2013-05"), [""; 0]);
    refuses(
        &server.get("/v1/findings?account=nobody"),
        404,
        "no account or project has the uuid nobody",
    );
    // Page by page it is the same list.
    let (mut paged, mut query) = (Vec::new(), "limit=1".to_owned());
    loop {
        let answer = json(&server.get(&format!("/v1/findings?{query}")));
        paged.extend(answer["findings"].as_array().unwrap().iter().map(line));
        match answer["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=1&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, stored);
    let csv = server.get("/v1/findings?kind=size_unknown&format=csv");
    assert_eq!(
        body(&cloud, &csv).lines().next().unwrap(),
        "id,day,kind,account_uuid,account_name,metric,resource,detail,acknowledged_at,reason,resource_name"
    );
    assert_eq!(csv.body.lines().count(), 2);
}

#[test]
fn corrections_tell_what_changed_since() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    assert_eq!(
        json(&server.get("/v1/corrections"))["corrections"],
        serde_json::json!([])
    );
    // Alice's VM ran for 22 hours and not for 20, and bob had one that was not there before.
    cloud.add_usage(&[
        vm("2013-06-02", 2, 11, 5, 22.0),
        vm("2013-06-02", 3, 12, 6, 1.0),
    ]);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    let target = "/v1/corrections?month=2013-06";
    is_golden("v1-corrections.json", &body(&cloud, &server.get(target)));
    let csv = server.get(&format!("{target}&format=csv"));
    is_golden("v1-corrections.csv", &body(&cloud, &csv));
    let count = |query: &str| {
        let answer = json(&server.get(&format!("/v1/corrections?{query}")));
        answer["corrections"]
            .as_array()
            .unwrap_or_else(|| panic!("{query}: {answer}"))
            .len()
    };
    let then = &cloud.ledger("select min(corrected_at) from corrections")[0];
    for (query, expected) in [
        ("", 4),
        (&*format!("since={then}"), 4),
        (&*format!("since={}", &then[..10]), 4),
        ("since=2999-01-01T00:00:00Z", 0),
        ("account=bob-uuid", 2),
        ("kind=overwritten", 4),
        ("kind=pending", 0),
        ("start=2013-06-01", 0),
        ("limit=3", 3),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
    let first = json(&server.get("/v1/corrections?limit=3"));
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(count(&format!("limit=3&cursor={cursor}")), 1);
}

#[test]
fn a_query_is_read_strictly() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let of_accounts = json(&server.get("/v1/accounts?limit=1"))["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    for (target, parameter, detail) in [
        (
            "/v1/accounts?serach=x",
            "serach",
            "\"serach\" is not a parameter here: there are search, domain, limit, cursor, format",
        ),
        (
            "/v1/accounts?limit=1&limit=2",
            "limit",
            "limit is given more than once",
        ),
        (
            "/v1/accounts?limit=0",
            "limit",
            "limit: \"0\" is not a whole number from 1 to 1000",
        ),
        (
            "/v1/accounts?format=xml",
            "format",
            "format: \"xml\" is not one of json, csv, xlsx",
        ),
        (
            "/v1/accounts?cursor=00ff",
            "cursor",
            "cursor: not one that an answer to this question gave",
        ),
        (
            &format!("/v1/corrections?cursor={of_accounts}"),
            "cursor",
            "cursor: not one that an answer to this question gave",
        ),
        (
            &format!("/v1/findings?cursor={of_accounts}"),
            "cursor",
            "cursor: not one that an answer to this question gave",
        ),
        (
            "/v1/usage",
            "start",
            "which days? give month=YYYY-MM, or start=YYYY-MM-DD and end=YYYY-MM-DD",
        ),
        (
            "/v1/usage?start=2013-06-31",
            "start",
            "start: 2013-06-31 is not a day of the calendar",
        ),
        (
            "/v1/usage?month=2013-13",
            "month",
            "month: \"2013-13\" is not a month: write YYYY-MM",
        ),
        (
            "/v1/usage?month=2013-06&start=2013-06-01",
            "month",
            "month is given beside start or end: give one or the other",
        ),
        (
            "/v1/usage?start=2013-06-02&end=2013-06-01",
            "end",
            "the end 2013-06-01 is before the start 2013-06-02",
        ),
        (
            "/v1/usage?month=2013-06&granularity=week",
            "granularity",
            "granularity: \"week\" is not one of total, day, month",
        ),
        (
            "/v1/days?start=2000-01-01&end=2010-01-08",
            "end",
            "2000-01-01 to 2010-01-08 is 3661 days: ask for at most 3660 at a time",
        ),
        (
            "/v1/findings?acknowledged=yes",
            "acknowledged",
            "acknowledged: \"yes\" is not one of left-out, included",
        ),
        (
            "/v1/findings?kind=size_unknow",
            "kind",
            "kind: \"size_unknow\" is not one of size_unknown, size_doubtful, ends_before_start, replayed_rows, rewritten, runs_disordered, hours_exceed_day, same_traffic, used_after_removal, \
             unknown_usage_type, unresolved, not_hours, spans_midnight, wrong_zone, source_begins, no_rows, usage_job_stuck, \
             unusual, account_id_changed, differs_from_source, lines_differ, remapped, refused",
        ),
        (
            "/v1/corrections?kind=lost",
            "kind",
            "kind: \"lost\" is not one of overwritten, pending, applied",
        ),
        (
            "/v1/corrections?since=yesterday",
            "since",
            "since: \"yesterday\" is no time: write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ",
        ),
        (
            "/v1/version?format=json",
            "format",
            "\"format\" is not a parameter here: there are none",
        ),
        (
            "/openapi.json?x",
            "x",
            "\"x\" is not a parameter here: there are none",
        ),
        (
            "/v1/days?month=2013-06&metric=vpc",
            "metric",
            "\"metric\" is not a parameter here: there are start, end, month, format",
        ),
    ] {
        let answer = server.get(target);
        refuses(&answer, 400, detail);
        assert_eq!(json(&answer)["parameter"], parameter, "{target}");
    }
}

/// What a client sent comes back in one header. It ends neither the line nor the address there, and asks the same.
#[test]
fn the_address_of_the_next_page_holds_nothing_as_it_was_sent() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for (sent, name, linked) in [
        // All that may stand in a target as it is.
        (
            "~!$'()*,;:@/?[]=-._",
            "~!$'()*,;:@/?[]=-._",
            "%7E%21%24%27%28%29*%2C%3B%3A%40%2F%3F%5B%5D%3D-._",
        ),
        (
            "%0D%0ASet-Cookie:%20a=b",
            "\r\nSet-Cookie: a=b",
            "%0D%0ASet-Cookie%3A+a%3Db",
        ),
        (
            "%3E;+rel=%22prev%22,%3Ch%C3%A9",
            ">; rel=\"prev\",<hé",
            "%3E%3B+rel%3D%22prev%22%2C%3Ch%C3%A9",
        ),
    ] {
        let name = name.replace('\'', "''");
        cloud.edit_ledger(&format!(
            "update stored_accounts set name = id || '{name}'; update ledgers set revision = revision + 1"
        ));
        // In absolute form the name of a host comes with it.
        for host in ["", "http://elsewhere"] {
            let answer = server.get(&format!("{host}/v1/accounts?search={sent}&limit=3"));
            let cursor = json(&answer)["next_cursor"].as_str().unwrap().to_owned();
            let next = format!("/v1/accounts?search={linked}&limit=3&cursor={cursor}");
            let link = format!("<{}>; rel=\"next\"", &next["/v1/accounts".len()..]);
            assert_eq!(answer.header("link"), Some(link.as_str()), "{host} {sent}");
            assert_eq!(answer.header("set-cookie"), None);
            let last = json(&server.get(&next));
            assert_eq!(last["accounts"].as_array().unwrap().len(), 1, "{next}");
            assert_eq!(last["total"], 4);
        }
    }
    // A path is not decoded before it is compared, so there is one way to write it.
    for path in [
        "/v1/%61ccounts",
        "/v1/accounts;a=b",
        "/v1/accounts%0D%0AA:b",
        "/v1/accounts'",
        "//v1/accounts",
        "/v1/./accounts",
    ] {
        let answer = server.get(&format!("{path}?limit=1"));
        assert_eq!(
            (answer.status, answer.header("link")),
            (404, None),
            "{path}"
        );
    }
}
