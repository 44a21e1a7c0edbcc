//! Domains by import, report and server: a path that is given to another customer, and a month that was invoiced before
//! its domain moved.

use std::fs::File;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::sandbox::Run;
use crate::server::Server;

const SERVER: &str = "\n[server]\nbind = 127.0.0.1:0\nusers = users\n\
    [scope.old]\ndomains = x-uuid\n[scope.new]\ndomains = /acme/\n";

/// Alice in /acme/, who ran a VM for 24 hours of 2013-06-01.
fn cloud() -> Cloud {
    let cloud = Cloud::in_sqlite(NEWEST);
    cloud.configure("GMT", SERVER);
    cloud.sandbox.write("users", "");
    cloud.sandbox.write("password", "secret\n");
    for user in ["boss", "old", "new"] {
        let words = ["passwd", "--stdin", "--cost", "4", "users", user];
        let password = File::open(cloud.sandbox.path("password")).unwrap();
        Run::of(cloud.sandbox.command(&words).stdin(password)).exits(0);
    }
    cloud.domain(2, "x-uuid", "/acme/");
    cloud.account(2, "alice-uuid", "alice");
    cloud.main("update account set domain_id = 2 where id = 2");
    cloud.service_offering(5, "small-uuid", "small");
    cloud.guest_os(1, "Debian 12");
    cloud.template(1, 1);
    cloud.vm(11, 1);
    cloud.vm(12, 1);
    cloud.run(&["initdb"]).exits(0);
    import(&cloud, "2013-06-01", 2, 2, 24.0);
    cloud
}

/// Adds a day on which an account in a domain ran a VM for so many hours, and imports it.
fn import(cloud: &Cloud, day: &str, account_id: u64, domain_id: u64, hours: f64) {
    cloud.add_usage(&[UsageRow {
        domain_id,
        raw_usage: hours,
        ..UsageRow::of_vm(day, 1, account_id, 9 + account_id, 5)
    }]);
    cloud.finished_until(&format!("{day} 23:59:59"));
    cloud.run(&["import"]).exits(0);
}

/// Domains or accounts, with the hours of their VMs, of a report of some days.
fn reported(cloud: &Cloud, days: &str, by: &str, keys: &[&str]) -> Vec<String> {
    let words = [
        "report",
        "--by",
        by,
        "--metric",
        "vm_running",
        "--format",
        "json",
    ];
    let run = cloud.run(&[&words[..], &[days]].concat());
    let json: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|err| panic!("{err}: {run}"));
    let line = |row: &Value| {
        let text = |key: &&str| row[*key].as_str().unwrap_or("-").to_owned();
        let texts: Vec<String> = keys.iter().map(text).collect();
        format!("{} {}", texts.join(" "), row["quantity"])
    };
    json["usage"].as_array().unwrap().iter().map(line).collect()
}

/// What a user gets.
fn answer(server: &Server, user: &str, target: &str) -> Value {
    let mut client = server.connect();
    let credentials = STANDARD.encode(format!("{user}:secret"));
    client.send_bytes(&format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n"
    ));
    let answer = client.receive("GET");
    serde_json::from_str(&answer.body).unwrap()
}

/// Accounts and hours that a user sees in June.
fn seen(server: &Server, user: &str) -> Vec<String> {
    let target = "/v1/usage?start=2013-06-01&end=2013-06-02&metric=vm_running";
    let json = answer(server, user, target);
    let rows = json["usage"].as_array().unwrap().iter();
    let line = |row: &Value| {
        format!(
            "{} {}",
            row["account_name"].as_str().unwrap(),
            row["quantity"]
        )
    };
    rows.map(line).collect()
}

#[test]
fn a_path_that_is_given_again_is_another_domain() {
    let cloud = cloud();
    cloud.domain(7, "y-uuid", "/acme/");
    cloud.account(3, "bob-uuid", "bob");
    cloud.main("update account set domain_id = 7 where id = 3");
    import(&cloud, "2013-06-02", 3, 7, 7.0);
    assert_eq!(
        reported(
            &cloud,
            "2013-06-01..2013-06-02",
            "domain",
            &["domain_path", "domain_uuid"]
        ),
        ["/acme/ x-uuid 24.0", "/acme/ y-uuid 7.0"]
    );
    let server = Server::start(&cloud.sandbox);
    assert_eq!(seen(&server, "new"), ["bob 7.0"]);
    assert_eq!(seen(&server, "old"), ["alice 24.0"]);
    assert_eq!(seen(&server, "boss"), ["alice 24.0", "bob 7.0"]);
}

#[test]
fn a_sealed_month_keeps_its_names_and_its_domains() {
    let cloud = cloud();
    let june = |by: &str, keys: &[&str]| reported(&cloud, "2013-06-01", by, keys);
    let by_domain = ["/acme/ x-uuid 24.0"];
    let by_account = ["alice /acme/ 24.0"];
    assert_eq!(june("domain", &["domain_path", "domain_uuid"]), by_domain);
    assert_eq!(
        june("account", &["account_name", "domain_path"]),
        by_account
    );
    cloud.run(&["verify", "-s", "2013-06-01"]).exits(0);
    cloud.run(&["seal", "2013-06-01"]).exits(0);
    cloud.main(
        "update domain set path = '/big/acme/' where id = 2;
         update account set account_name = 'alicia' where id = 2",
    );
    import(&cloud, "2013-06-02", 2, 2, 5.0);
    assert_eq!(june("domain", &["domain_path", "domain_uuid"]), by_domain);
    assert_eq!(
        june("account", &["account_name", "domain_path"]),
        by_account
    );
    // The day after has what holds then, and both are one domain.
    let both = "2013-06-01..2013-06-02";
    assert_eq!(
        reported(
            &cloud,
            both,
            "domain,day",
            &["day", "domain_path", "domain_uuid"]
        ),
        [
            "2013-06-01 /big/acme/ x-uuid 24.0",
            "2013-06-02 /big/acme/ x-uuid 5.0"
        ]
    );
    assert_eq!(
        reported(&cloud, both, "account", &["account_name", "domain_path"]),
        ["alicia /big/acme/ 29.0"]
    );
}

/// Tables of June say alice, and she can be asked for by that name until somebody else has it.
#[test]
fn an_account_is_found_by_a_former_name() {
    let cloud = cloud();
    cloud.main("update account set account_name = 'alicia' where id = 2");
    import(&cloud, "2013-06-02", 2, 2, 5.0);
    let hours = |name: &str| {
        let metric = ["--metric", "vm_running", "--by", "metric"];
        let report = ["report", "2013-06-01..2013-06-02", "--format", "csv"];
        let account = ["--account", name];
        let run = cloud.run(&[&report[..], &metric, &account].concat());
        run.exits(0).stdout.lines().skip(1).collect::<String>()
    };
    for name in ["alice", "alicia", "alice-uuid"] {
        assert_eq!(hours(name), "vm_running,29.0,hours,", "{name}");
    }
    let run = cloud.run(&["explain", "alice", "2013-06-01", "vm_running"]);
    assert!(run.exits(0).stdout.contains("24  equal"));
    // Another account with the name goes first. Once she has had two names as well, they are told apart by uuid.
    cloud.account(3, "bob-uuid", "alice");
    cloud.main("update account set domain_id = 2 where id = 3");
    import(&cloud, "2013-06-03", 3, 2, 7.0);
    assert_eq!(hours("alice"), "");
    cloud.main("update account set account_name = 'bob' where id = 3");
    import(&cloud, "2013-06-04", 3, 2, 7.0);
    let run = cloud.run(&["report", "2013-06-01", "--account", "alice"]);
    run.exits(2).complains(
        "rbc-usage: 2 accounts are called \"alice\", give a uuid: alice-uuid (/acme/), bob-uuid (/acme/)\n",
    );
}

/// Whoever answers for the domain that an account has left is not told what it is called by now.
#[test]
fn corrections_and_findings_name_an_account_as_on_their_day() {
    let cloud = cloud();
    cloud.run(&["verify", "-s", "2013-06-01"]).exits(0);
    cloud.run(&["seal", "2013-06-01"]).exits(0);
    cloud.domain(7, "y-uuid", "/other/");
    cloud.main("update account set domain_id = 7, account_name = 'merger' where id = 2");
    import(&cloud, "2013-06-02", 2, 7, 5.0);
    // 4 of the 24 hours are taken back: a pending correction of each of two metrics.
    cloud.usage("update cloud_usage set raw_usage = 20 where end_date < '2013-06-02'");
    cloud.run(&["import", "-s", "2013-06-01", "-f"]).exits(1);
    let corrections = "select day, account_name, metric, delta from corrections order by metric";
    let of = |name: &str| {
        ["os_usage", "vm_running"].map(|metric| format!("2013-06-01 | {name} | {metric} | -4"))
    };
    assert_eq!(cloud.ledger(corrections), of("alice"));
    let doubt = "insert into stored_findings (day, kind, account_id, detail) \
                 select '2013-06-01', 'hours_exceed_day', id, '25 hours' from stored_accounts";
    cloud.edit_ledger(doubt);
    let findings = "select account_name from findings where account_uuid is not null";
    assert_eq!(cloud.ledger(findings), ["alice"]);
    for command in ["corrections", "findings"] {
        let run = cloud.run(&[command, "2013-06-01", "--format", "csv"]);
        assert!(
            run.stdout.contains("alice") && !run.stdout.contains("merger"),
            "{run}"
        );
    }
    let server = Server::start(&cloud.sandbox);
    for list in ["corrections", "findings"] {
        let json = answer(&server, "old", &format!("/v1/{list}"));
        let rows = json[list].as_array().unwrap();
        assert!(!rows.is_empty(), "{list}");
        for row in rows {
            assert_eq!(row["account_name"], "alice", "{row}");
        }
    }
    // What is known first holds for the days before; of an account without any state only the present name is known.
    let forget = "delete from account_states where since_day < '2013-06-02'";
    cloud.edit_ledger(forget);
    assert_eq!(cloud.ledger(corrections), of("merger"));
    cloud.edit_ledger("delete from account_states; update stored_accounts set name = 'now'");
    assert_eq!(cloud.ledger(corrections), of("now"));
    assert_eq!(cloud.ledger(findings), ["now"]);
}
