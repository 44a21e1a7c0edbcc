//! What a user who is limited to some accounts sees of all this: his own, and no trace of others.

use std::fs::File;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{SERVER, ask_with, cloud, json, refuses};
use crate::cloudstack::Cloud;
use crate::sandbox::Run;
use crate::server::{Answer, Server};

/// The cloud of the other tests, asked by `boss`, who sees all, by `north`, who sees bob in his domain and the
/// project, and by `nobody`, whose account is not there.
pub fn limited_cloud() -> Cloud {
    let cloud = cloud();
    cloud.configure(
        "GMT",
        &format!(
            "{SERVER}users = users\n[scope.north]\ndomains = /acme/north\nprojects = web-uuid\n\
             [scope.nobody]\naccounts = gone-uuid\n"
        ),
    );
    cloud.sandbox.write("users", "");
    cloud.sandbox.write("password", "secret\n");
    for user in ["boss", "north", "nobody"] {
        let words = ["passwd", "--stdin", "--cost", "4", "users", user];
        let password = File::open(cloud.sandbox.path("password")).unwrap();
        Run::of(cloud.sandbox.command(&words).stdin(password)).exits(0);
    }
    cloud
}

fn ask(server: &Server, user: &str, target: &str) -> Answer {
    let credentials = STANDARD.encode(format!("{user}:secret"));
    ask_with(
        server,
        "GET",
        target,
        &[&format!("Authorization: Basic {credentials}")],
    )
}

/// The values of one key in the rows of a list.
fn listed(answer: &Answer, list: &str, key: &str) -> Vec<String> {
    let answer = json(answer);
    let rows = answer[list]
        .as_array()
        .unwrap_or_else(|| panic!("no {list} in {answer}"));
    rows.iter()
        .map(|row| row[key].as_str().unwrap_or("-").to_owned())
        .collect()
}

#[test]
fn lists_hold_only_what_may_be_seen() {
    let cloud = limited_cloud();
    let server = Server::start(&cloud.sandbox);
    let names = |user: &str, target: &str, list: &str| {
        listed(&ask(&server, user, target), list, "account_name")
    };
    assert_eq!(names("boss", "/v1/accounts", "accounts").len(), 4);
    let accounts = ask(&server, "north", "/v1/accounts");
    assert_eq!(
        listed(&accounts, "accounts", "account_name"),
        ["PrjAcct-web-1", "bob"]
    );
    assert_eq!(json(&accounts)["total"], 2);
    let page = ask(&server, "north", "/v1/accounts?limit=1");
    let cursor = json(&page)["next_cursor"].as_str().unwrap().to_owned();
    let next = format!("/v1/accounts?limit=1&cursor={cursor}");
    assert_eq!(names("north", &next, "accounts"), ["bob"]);
    assert_eq!(
        names("north", "/v1/accounts?search=a", "accounts"),
        ["PrjAcct-web-1", "bob"]
    );
    assert_eq!(
        names("north", "/v1/accounts?search=alice", "accounts"),
        [""; 0]
    );

    let usage = "/v1/usage?start=2013-06-01&end=2013-06-02&metric=vm_running";
    assert_eq!(names("north", usage, "usage"), ["PrjAcct-web-1", "bob"]);
    assert_eq!(names("boss", usage, "usage").len(), 5);
    assert_eq!(names("nobody", usage, "usage"), [""; 0]);
    let csv = ask(&server, "north", &format!("{usage}&format=csv"));
    assert!(
        !csv.body.contains("alice") && csv.body.contains("bob"),
        "{}",
        csv.body
    );

    assert_eq!(names("north", "/v1/findings", "findings"), ["bob"]);
    assert_eq!(names("nobody", "/v1/findings", "findings"), [""; 0]);
    cloud.add_usage(&[
        super::vm("2013-06-02", 2, 11, 5, 22.0),
        super::vm("2013-06-02", 3, 12, 5, 1.0),
    ]);
    cloud.run(&["import", "-s", "2013-06-02", "-f"]).exits(0);
    assert_eq!(
        names("north", "/v1/corrections", "corrections"),
        ["bob", "bob"]
    );
    assert_eq!(names("boss", "/v1/corrections", "corrections").len(), 4);

    // The states of days are no secret; how much there is of everything is.
    let days = "/v1/days?start=2013-06-01&end=2013-06-02";
    assert_eq!(
        listed(&ask(&server, "north", days), "days", "state"),
        ["closed", "closed"]
    );
    let day = json(&ask(&server, "north", days))["days"][0].clone();
    for key in [
        "records",
        "accounts",
        "source_rows",
        "replayed_rows",
        "findings",
        "acknowledged_findings",
        "differing_values",
        "pending_corrections",
    ] {
        assert!(day[key].is_null(), "{key} in {day}");
    }
    assert_eq!(json(&ask(&server, "boss", days))["days"][0]["records"], 8);
}

#[test]
fn what_belongs_to_others_is_as_if_it_were_not_there() {
    let cloud = limited_cloud();
    let server = Server::start(&cloud.sandbox);
    let without_name = |answer: Answer, name: &str| {
        let mut headers = answer.headers;
        headers.retain(|(name, _)| {
            !matches!(name.as_str(), "date" | "x-request-id" | "content-length")
        });
        (answer.status, headers, answer.body.replace(name, "NAME"))
    };
    let days = "start=2013-06-01&end=2013-06-02";
    for (path, theirs, unknown) in [
        ("/v1/accounts/NAME/usage?", "alice-uuid", "eve-uuid"),
        ("/v1/findings?account=NAME&", "alice-uuid", "eve-uuid"),
        ("/v1/corrections?account=NAME&", "carol-uuid", "eve-uuid"),
        ("/v1/domains/NAME/usage?", "acmeville", "evesville"),
        ("/v1/usage?domain=NAME&", "acmeville", "evesville"),
        ("/v1/accounts?domain=NAME", "acmeville", "evesville"),
    ] {
        let days = if path.starts_with("/v1/accounts?") {
            ""
        } else {
            days
        };
        let target = |name: &str| format!("{}{days}", path.replace("NAME", name));
        assert_eq!(ask(&server, "boss", &target(theirs)).status, 200, "{path}");
        let hidden = ask(&server, "north", &target(theirs));
        assert_eq!(hidden.status, 404, "{path}");
        let none = ask(&server, "north", &target(unknown));
        assert_eq!(
            without_name(hidden, theirs),
            without_name(none, unknown),
            "{path}"
        );
        // With the tag of somebody who sees it, too.
        let tag = ask(&server, "boss", &target(theirs))
            .header("etag")
            .unwrap()
            .to_owned();
        let credentials = STANDARD.encode("north:secret");
        let headers = [
            format!("Authorization: Basic {credentials}"),
            format!("If-None-Match: {tag}"),
        ];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(
            ask_with(&server, "GET", &target(theirs), &headers).status,
            404,
            "{path}"
        );
    }
    for (uuid, status) in [
        ("bob-uuid", 200),
        ("web-uuid", 200),
        ("web-account-uuid", 200),
        ("carol-uuid", 404),
    ] {
        let answer = ask(
            &server,
            "north",
            &format!("/v1/accounts/{uuid}/usage?{days}"),
        );
        assert_eq!(answer.status, status, "{uuid}");
    }
    // Of a domain that holds others as well, his own are added up.
    let domain = json(&ask(
        &server,
        "north",
        &format!("/v1/domains/acme/usage?{days}&metric=vm_running"),
    ));
    assert_eq!(domain["accounts"], 2);
    assert_eq!(domain["usage"][0]["quantity"], 14.0);
}

/// Names are not looked through for a uuid that is not there: the time that takes would tell it from one that is
/// hidden.
#[test]
fn what_belongs_to_others_is_not_told_by_the_time_it_takes() {
    let cloud = limited_cloud();
    cloud.edit_ledger(
        "insert into stored_accounts (id, uuid, name, domain_path)
         with recursive n (i) as (select 100 union all select i + 1 from n where i < 100000)
         select i, 'u' || i, 'n' || i, '/acmeville/' from n",
    );
    let server = Server::start(&cloud.sandbox);
    let mut client = server.connect();
    client.send("GET", "/healthz");
    assert_eq!(client.receive("GET").status, 200);
    let worked = || server.time_of_thread("connection");
    for path in [
        "/v1/accounts/NAME/usage?start=2013-06-01",
        "/v1/findings?account=NAME",
    ] {
        // The least of several, as a processor may be busy with other things.
        let [hidden, none] = ["carol-uuid", "eve-uuid"].map(|uuid| {
            let times = (0..10).map(|_| {
                let before = worked();
                let credentials = STANDARD.encode("north:secret");
                client.send_bytes(&format!(
                    "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n",
                    path.replace("NAME", uuid)
                ));
                assert_eq!(client.receive("GET").status, 404, "{path}");
                worked() - before
            });
            times.min().unwrap()
        });
        // A walk through all accounts takes many times as long.
        let most = hidden + Duration::from_millis(3);
        assert!(none < most, "{path}: {none:?}, hidden {hidden:?}");
    }
}

/// Bob, whose 12 hours on June 1st were in /acme/north/, is in /west/ from June 2nd, as bobby, and has 9 hours there.
/// North goes on to exist, and /acmeville/ becomes another domain's path on June 2nd, with dave's 7 hours.
#[test]
fn who_moves_is_seen_by_either_user_on_the_days_of_theirs() {
    let cloud = cloud();
    cloud.configure(
        "GMT",
        &format!(
            "{SERVER}users = users\n[scope.north]\ndomains = d-3\n[scope.west]\ndomains = /west/\n\
             [scope.ville]\ndomains = /acmeville/\n"
        ),
    );
    cloud.sandbox.write("users", "");
    cloud.sandbox.write("password", "secret\n");
    for user in ["boss", "north", "west", "ville"] {
        let words = ["passwd", "--stdin", "--cost", "4", "users", user];
        let password = File::open(cloud.sandbox.path("password")).unwrap();
        Run::of(cloud.sandbox.command(&words).stdin(password)).exits(0);
    }
    cloud.edit_ledger(
        "begin;
         insert into stored_accounts (id, uuid, name) values (90, 'dave-uuid', 'dave');
         insert into stored_domains (id, uuid, path, lineage) values (90, 'd-west', '/west/', '/root/d-west/'), (91, 'd-5', '/acmeville/', '/root/d-5/');
         insert into account_states (account_id, since_day, name, domain_id) select id, '2013-06-02', 'bobby', 90 from stored_accounts where uuid = 'bob-uuid';
         insert into account_states (account_id, since_day, name, domain_id) values (90, '2013-06-02', 'dave', 91);
         insert into stored_records select a.id, '2013-06-02', r.metric_id, r.resource_id, case a.id when 90 then 7 else 9 end
           from stored_accounts a, stored_records r
           where a.uuid in ('bob-uuid', 'dave-uuid') and r.quantity = 24
             and r.metric_id = (select id from metrics where name = 'vm_running');
         insert into stored_corrections (day, account_id, metric_id, resource_id, old_quantity, new_quantity, corrected_at, kind)
           select '2013-06-0' || d.number, a.id, r.metric_id, r.resource_id, d.number, 9, '2013-06-08T00:00:00Z', 'overwritten'
           from stored_accounts a, stored_records r, (select 1 as number union all select 2) d
           where a.uuid = 'bob-uuid' and r.quantity = 24
             and r.metric_id = (select id from metrics where name = 'vm_running');
         update ledgers set revision = revision + 1;
         commit",
    );
    let server = Server::start(&cloud.sandbox);
    let days = "start=2013-06-01&end=2013-06-02";
    let usage = format!("/v1/usage?{days}&metric=vm_running");
    let hours = |user: &str, target: &str| -> Vec<(String, f64)> {
        let answer = json(&ask(&server, user, target));
        let rows = answer["usage"].as_array();
        let rows = rows.unwrap_or_else(|| panic!("{target}: {answer}"));
        let line = |row: &serde_json::Value| {
            let name = row["account_name"].as_str().unwrap_or("-").to_owned();
            (name, row["quantity"].as_f64().unwrap())
        };
        rows.iter().map(line).collect()
    };
    let one = |name: &str, hours: f64| vec![(name.to_owned(), hours)];
    for (user, name, sum) in [("north", "bob", 12.0), ("west", "bobby", 9.0)] {
        assert_eq!(hours(user, &usage), one(name, sum), "{user}");
        let accounts = ask(&server, user, "/v1/accounts");
        assert_eq!(listed(&accounts, "accounts", "account_name"), [name]);
        assert_eq!(json(&accounts)["total"], 1);
        let target = format!("/v1/accounts/bob-uuid/usage?{days}&metric=vm_running");
        assert_eq!(hours(user, &target), one("-", sum), "{user}");
        assert_eq!(json(&ask(&server, user, &target))["account_name"], name);
        let old = ask(&server, user, &format!("/usage/bob-uuid?{days}"));
        let old = json(&old)["vm_running"][0][1].as_f64();
        assert_eq!(old, Some(sum), "{user}");
        // Kept by the server and asked for again, it is still each user's own.
        assert_eq!(hours(user, &usage), one(name, sum), "{user}");
    }
    let corrected =
        |user: &str| listed(&ask(&server, user, "/v1/corrections"), "corrections", "day");
    assert_eq!(corrected("north"), ["2013-06-01"]);
    assert_eq!(corrected("west"), ["2013-06-02"]);
    assert_eq!(corrected("boss"), ["2013-06-01", "2013-06-02"]);
    // The finding of bob's is of June 2nd, like his move.
    let found = |user: &str| listed(&ask(&server, user, "/v1/findings"), "findings", "day");
    assert_eq!(found("north"), [""; 0]);
    assert_eq!(found("west"), ["2013-06-02"]);

    // A path that was given again: the newer domain is meant, the older one is asked for by its uuid.
    assert_eq!(hours("ville", &usage), one("dave", 7.0));
    let of_domain = |user: &str, name: &str| {
        ask(
            &server,
            user,
            &format!("/v1/domains/{name}/usage?{days}&metric=vm_running"),
        )
    };
    for (name, uuid, path, sum) in [
        ("acmeville", "d-5", "/acmeville/", 7.0),
        ("d-5", "d-5", "/acmeville/", 7.0),
        ("d-4", "d-4", "/acmeville/", 6.0),
        ("d-3", "d-3", "/acme/north/", 12.0),
        ("%2Fwest%2F", "d-west", "/west/", 9.0),
    ] {
        let answer = json(&of_domain("boss", name));
        assert_eq!(answer["domain_uuid"], uuid, "{answer}");
        assert_eq!(answer["domain_path"], path);
        assert_eq!(answer["accounts"], 1);
        assert_eq!(answer["usage"][0]["quantity"], sum);
    }
    refuses(
        &of_domain("ville", "d-4"),
        404,
        "no domain has the uuid d-4 or the path /d-4/",
    );
    // Lists are of today: bob is in the west now.
    let listed_in = |domain: &str| {
        let target = format!("/v1/accounts?domain={domain}");
        listed(&ask(&server, "boss", &target), "accounts", "account_name")
    };
    assert_eq!(listed_in("/west/"), ["bobby"]);
    assert_eq!(listed_in("d-3"), [""; 0]);
    let check = cloud.sandbox.run(&["check", "--quick"]);
    assert!(
        check.stdout.contains("[scope.ville]: /acmeville/ means the domain d-5; it was the path of d-4 as well: write a uuid"),
        "{}",
        check.stdout
    );
}

#[test]
fn who_is_not_known_is_refused_in_the_same_form() {
    let cloud = limited_cloud();
    let server = Server::start(&cloud.sandbox);
    let description = json(&ask(&server, "boss", "/openapi.json"));
    for (path, item) in description["paths"].as_object().unwrap() {
        let answer = server.get(&path.replace(['{', '}'], ""));
        if ["/healthz", "/readyz"].contains(&path.as_str()) {
            assert_eq!(answer.status, 200);
            continue;
        }
        if path.starts_with("/v1") || path == "/openapi.json" {
            refuses(&answer, 401, "give the name and the password of a user");
        }
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").is_some());
        assert!(item["get"]["responses"]["401"].is_object(), "{path}");
    }
    // Two users have two answers, and each a tag of its own.
    let tags = ["boss", "north", "nobody"].map(|user| {
        ask(&server, user, "/v1/accounts")
            .header("etag")
            .unwrap()
            .to_owned()
    });
    assert!(
        tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
        "{tags:?}"
    );
}
