//! Quantities: of an account, of all, of a domain; by day, by month, of some metrics; and the days they are of.

use super::{SERVER, ask_with, body, cloud, json, refuses, vm};
use crate::cloudstack::{Cloud, NEWEST};
use crate::golden::is_golden;
use crate::server::Server;

#[test]
fn an_account_month_is_what_was_agreed_on() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let answer = server.get("/v1/accounts/alice-uuid/usage?month=2013-06");
    // 2013-06-04 to 2013-06-30 are missing.
    let missing: Vec<String> = (4..=30)
        .map(|day| format!("\"2013-06-{day:02}\""))
        .collect();
    is_golden(
        "v1-account-usage.json",
        &body(&cloud, &answer).replace(&missing.join(","), "…"),
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let csv = server.get("/v1/accounts/alice-uuid/usage?month=2013-06&format=csv");
    is_golden("v1-account-usage.csv", &body(&cloud, &csv));
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    for answer in [&answer, &csv] {
        for (name, value) in [
            ("rbc-complete", "false"),
            ("rbc-open-days", "1"),
            ("rbc-missing-days", "27"),
            ("rbc-timezone", "GMT"),
            ("rbc-period", "2013-06-01T00:00:00Z/2013-07-01T00:00:00Z"),
            ("rbc-hours", "720"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
}

#[test]
fn a_project_is_asked_for_by_its_uuid_and_nobody_by_name() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for uuid in ["web-uuid", "web-account-uuid", "web%2Duuid"] {
        let answer = json(&server.get(&format!(
            "/v1/accounts/{uuid}/usage?start=2013-06-01&metric=vm_running"
        )));
        assert_eq!(answer["account_uuid"], "web-account-uuid");
        assert_eq!(answer["project_name"], "web");
        assert_eq!(answer["usage"][0]["quantity"], 2.0);
    }
    for uuid in ["alice", "web", "nobody", "alice%252Duuid", "ALICE-UUID"] {
        let decoded = uuid.replace("%25", "%");
        let answer = server.get(&format!("/v1/accounts/{uuid}/usage?start=2013-06-01"));
        refuses(
            &answer,
            404,
            &format!("no account or project has the uuid {decoded}"),
        );
    }
}

/// Day, account, metric, resource and quantity of each row.
fn rows(server: &Server, target: &str) -> Vec<String> {
    let answer = json(&server.get(target));
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let usage = answer["usage"]
        .as_array()
        .unwrap_or_else(|| panic!("{target}: {answer}"));
    usage
        .iter()
        .map(|row| {
            let time = ["day", "month"]
                .map(|key| row[key].as_str())
                .into_iter()
                .flatten()
                .next();
            format!(
                "{} {} {} {} {}",
                time.unwrap_or("-"),
                text(row, "account_name"),
                text(row, "metric"),
                text(row, "resource_name"),
                row["quantity"]
            )
        })
        .collect()
}

#[test]
fn figures_come_by_day_by_month_and_in_all() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let path = "/v1/accounts/alice-uuid/usage?start=2013-05-31&end=2013-06-03&metric=vm_running";
    assert_eq!(
        rows(&server, path),
        [
            "- - vm_running large, \"XL\" 3.5",
            "- - vm_running small 56.0"
        ]
    );
    assert_eq!(
        rows(&server, &format!("{path}&granularity=month")),
        [
            "2013-06 - vm_running large, \"XL\" 3.5",
            "2013-05 - vm_running small 5.0",
            "2013-06 - vm_running small 51.0"
        ]
    );
    assert_eq!(
        rows(
            &server,
            &format!("{path}&granularity=day&metric=network_bytes_sent")
        ),
        [
            "2013-06-01 - network_bytes_sent - 1000.0",
            "2013-06-02 - vm_running large, \"XL\" 3.5",
            "2013-05-31 - vm_running small 5.0",
            "2013-06-01 - vm_running small 24.0",
            "2013-06-02 - vm_running small 20.0",
            "2013-06-03 - vm_running small 7.0"
        ]
    );
    // A metric that nobody uses is none of a typing error.
    assert_eq!(rows(&server, &path.replace("vm_running", "vpc")), [""; 0]);
    refuses(
        &server.get(&path.replace("vm_running", "vm_runing")),
        400,
        "no metric is called \"vm_runing\": did you mean vm_running or vm_running_vcpu_hours?",
    );
}

#[test]
fn all_accounts_come_in_one_answer_or_page_by_page() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let path = "/v1/usage?start=2013-06-01&end=2013-06-02&metric=vm_running";
    let all = [
        "- PrjAcct-web-1 vm_running small 2.0",
        "- alice vm_running large, \"XL\" 3.5",
        "- alice vm_running small 44.0",
        "- bob vm_running small 12.0",
        "- carol vm_running small 6.0",
    ];
    assert_eq!(rows(&server, path), all);
    assert_eq!(rows(&server, &format!("{path}&domain=/acme")), all[..4]);
    assert_eq!(
        rows(&server, &format!("{path}&domain=%2Facme%2Fnorth%2F")),
        all[3..4]
    );
    for list in ["/v1/accounts?", &format!("{path}&")] {
        let target = format!("{list}domain=acm%2F");
        let answer = server.get(&target);
        refuses(&answer, 404, "no domain has the path /acm/");
        assert_eq!(json(&answer)["parameter"], "domain");
        // Nor with a search that would find something, nor on a page that there is not.
        let more = if list.contains("usage") {
            "limit=1"
        } else {
            "search=alice"
        };
        assert_eq!(
            server.get(&format!("{target}&{more}")).status,
            404,
            "{list}"
        );
        refuses(
            &server.get(&format!("{list}domain=")),
            400,
            "domain: it is empty; the path of the root is /",
        );
    }
    let none = server.get("/v1/accounts?domain=acme%2Fnorth&search=alice");
    assert_eq!(json(&none)["accounts"], serde_json::json!([]));

    let (mut target, mut pages) = (format!("{path}&limit=2"), Vec::new());
    loop {
        let answer = server.get(&target);
        let page = json(&answer);
        pages.push(rows(&server, &target).join("\n"));
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(answer.header("link"), None);
            break;
        };
        // The header names the same page as the body does.
        let next = format!("{path}&limit=2&cursor={cursor}");
        assert_eq!(
            answer.header("link"),
            Some(format!("<{}>; rel=\"next\"", &next["/v1/usage".len()..]).as_str())
        );
        target = next;
    }
    assert_eq!(pages, [all[..3].join("\n"), all[3..].join("\n")]);

    let csv = server.get(&format!("{path}&format=csv&limit=1&granularity=day"));
    is_golden("v1-usage.csv", &body(&cloud, &csv));
    let whole = server.get("/v1/usage?start=2013-06-01");
    is_golden("v1-usage.json", &body(&cloud, &whole));
    let none = server.get("/v1/usage?start=2012-06-01");
    assert_eq!(json(&none)["usage"], serde_json::json!([]));
    assert_eq!(json(&none)["as_of"], serde_json::Value::Null);
}

#[test]
fn a_domain_is_the_sum_of_all_that_is_in_it() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let days = "start=2013-06-01&end=2013-06-02";
    for (path, accounts, small) in [
        ("%2Facme%2F", 3, 2.0 + 44.0 + 12.0),
        ("acme", 3, 58.0),
        ("%2Facme%2Fnorth", 1, 12.0),
        ("acmeville", 1, 6.0),
        ("%2F", 4, 64.0),
    ] {
        let target = format!("/v1/domains/{path}/usage?{days}");
        let answer = json(&server.get(&target));
        assert_eq!(answer["accounts"], accounts, "{path}");
        let usage = answer["usage"].as_array().unwrap();
        let small_vms = usage
            .iter()
            .find(|row| row["metric"] == "vm_running" && row["resource_name"] == "small");
        assert_eq!(small_vms.unwrap()["quantity"], small, "{path}");
    }
    let answer = server.get(&format!(
        "/v1/domains/%2Facme%2F/usage?{days}&granularity=day"
    ));
    is_golden("v1-domain-usage.json", &body(&cloud, &answer));
    refuses(
        &server.get(&format!("/v1/domains/acm/usage?{days}")),
        404,
        "no domain has the uuid acm or the path /acm/",
    );
    // Encoded twice, it is the name of another domain.
    refuses(
        &server.get(&format!("/v1/domains/%252Facme%252F/usage?{days}")),
        404,
        "no domain has the uuid %2Facme%2F or the path /%2Facme%2F/",
    );
    assert_eq!(
        server
            .get(&format!("/v1/domains/acme/north/usage?{days}"))
            .status,
        404
    );
}

#[test]
fn what_is_not_final_can_be_refused() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    for path in [
        "/v1/usage",
        "/v1/accounts/alice-uuid/usage",
        "/v1/domains/acme/usage",
    ] {
        let target = format!("{path}?start=2013-06-02&end=2013-06-05&require=complete");
        let answer = server.get(&target);
        refuses(
            &answer,
            409,
            "the figures are not final: 1 day open, 2 missing",
        );
        let problem = json(&answer);
        assert_eq!(problem["open_days"], serde_json::json!(["2013-06-03"]));
        assert_eq!(
            problem["missing_days"],
            serde_json::json!(["2013-06-04", "2013-06-05"])
        );
        let closed = target.replace("-05&", "-02&");
        assert_eq!(json(&server.get(&closed))["complete"], true, "{closed}");
        // An account that is not there comes before days that are not.
        let nobody = target.replace("alice", "nobody").replace("acme", "nowhere");
        assert!(matches!(server.get(&nobody).status, 404 | 409));
    }
    refuses(
        &server.get("/v1/usage?month=2013-06&require=yes"),
        400,
        "require: \"yes\" is not one of complete",
    );
}

#[test]
fn days_have_their_real_hours() {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("Europe/Stockholm", SERVER);
    cloud.account(2, "alice-uuid", "alice");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "CentOS 6");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    // The whole of 2013-03-31, which is an hour short.
    let mut row = vm("2013-03-31", 2, 11, 5, 23.0);
    row.start = "2013-03-30 23:00:00".to_owned();
    row.end = "2013-03-31 21:59:59".to_owned();
    cloud.add_usage(&[row]);
    cloud.finished_until("2013-03-31 21:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud.run(&["import", "-s", "2013-03-31"]).exits(0);
    let server = Server::start(&cloud.sandbox);
    for (period, starts_at, ends_at, hours) in [
        (
            "start=2013-03-31",
            "2013-03-30T23:00:00Z",
            "2013-03-31T22:00:00Z",
            23.0,
        ),
        (
            "month=2013-03",
            "2013-02-28T23:00:00Z",
            "2013-03-31T22:00:00Z",
            743.0,
        ),
        (
            "month=2013-10",
            "2013-09-30T22:00:00Z",
            "2013-10-31T23:00:00Z",
            745.0,
        ),
        (
            "month=1970-01",
            "1969-12-31T23:00:00Z",
            "1970-01-31T23:00:00Z",
            744.0,
        ),
        (
            "start=9999-12-30",
            "9999-12-29T23:00:00Z",
            "9999-12-30T23:00:00Z",
            24.0,
        ),
    ] {
        for path in ["/v1/usage", "/v1/accounts/alice-uuid/usage", "/v1/days"] {
            let answer = json(&server.get(&format!("{path}?{period}")));
            assert_eq!(answer["starts_at"], starts_at, "{path} {period}");
            assert_eq!(answer["ends_at"], ends_at, "{path} {period}");
            assert_eq!(answer["hours"], hours, "{path} {period}");
            assert_eq!(answer["timezone"], "Europe/Stockholm");
        }
    }
    let day = json(&server.get("/v1/usage?start=2013-03-31&metric=vm_running"));
    assert_eq!(day["usage"][0]["quantity"], 23.0);
    assert_eq!(day["complete"], true);
}

#[test]
fn csv_is_asked_for_by_accept_as_well() {
    let cloud = cloud();
    let server = Server::start(&cloud.sandbox);
    let target = "/v1/accounts/alice-uuid/usage?month=2013-06";
    let asked = ask_with(&server, "GET", target, &["Accept: text/csv"]);
    let named = server.get(&format!("{target}&format=csv"));
    assert_eq!(asked.body, named.body);
    assert_ne!(asked.header("etag"), server.get(target).header("etag"));
    let both = ask_with(
        &server,
        "GET",
        &format!("{target}&format=json"),
        &["Accept: text/csv"],
    );
    assert_eq!(both.header("content-type"), Some("application/json"));
}
