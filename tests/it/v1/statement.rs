//! `/v1/accounts/{uuid}/statement`: what a month costs, who sees which days of it, and prices that are read again.

use crate::golden::is_golden;
use std::fs::File;

use super::{SERVER, ask_with, body, json, priced};
use crate::sandbox::Run;
use crate::server::Server;

const ALICE: &str = "/v1/accounts/alice-uuid/statement?month=2013-06";

/// alice ran VM 11 for 24 + 20 + 7 hours as small and 3.5 hours as large: 51 × 0.05 = 2.55, and 3.5 × 0.1 = 0.35.
#[test]
fn a_month_costs_what_the_command_says() {
    let cloud = priced();
    let server = Server::start(&cloud.sandbox);
    let answer = server.get(ALICE);
    let document = json(&answer);
    let line = |place: usize, key: &str| document["lines"][place][key].clone();
    assert_eq!(
        document["totals"],
        serde_json::json!([{"currency": "EUR", "amount": "2.90"}])
    );
    for (place, offering, quantity, amount) in [
        (0, "large, \"XL\"", "3.5", "0.35"),
        (1, "small", "51", "2.55"),
    ] {
        assert_eq!(line(place, "offering_name"), offering);
        assert_eq!(line(place, "quantity"), quantity);
        assert_eq!(line(place, "amount"), amount);
    }
    assert_eq!(document["complete"], false);
    assert_eq!(document["sealed"], false);
    assert_eq!(answer.header("rbc-complete"), Some("false"));
    is_golden("v1-statement.json", &body(&cloud, &answer));
    let csv = server.get(&format!("{ALICE}&format=csv"));
    let words = [
        "statement",
        "--month",
        "2013-06",
        "--account",
        "alice",
        "--format",
        "csv",
    ];
    assert_eq!(csv.body, cloud.run(&words).exits(1).stdout);
    for (target, status) in [
        ("/v1/accounts/eve-uuid/statement?month=2013-06", 404),
        ("/v1/accounts/alice-uuid/statement", 400),
        ("/v1/accounts/alice-uuid/statement?start=2013-06-01", 400),
        (
            "/v1/accounts/alice-uuid/statement?month=2013-06&require=complete",
            409,
        ),
    ] {
        assert_eq!(server.get(target).status, status, "{target}");
    }
}

#[test]
fn a_limited_user_sees_no_more_than_his_own() {
    let cloud = priced();
    cloud.configure(
        "GMT",
        &format!(
            "\n[prices]\nfile = prices.csv\n{SERVER}users = users\n[scope.north]\ndomains = /acme/north\n"
        ),
    );
    cloud.sandbox.write("users", "");
    cloud.sandbox.write("password", "secret\n");
    for user in ["boss", "north"] {
        let words = ["passwd", "--stdin", "--cost", "4", "users", user];
        let password = File::open(cloud.sandbox.path("password")).unwrap();
        Run::of(cloud.sandbox.command(&words).stdin(password)).exits(0);
    }
    let server = Server::start(&cloud.sandbox);
    // base64 of boss:secret and north:secret
    let ask = |credentials: &str, target: &str| {
        ask_with(
            &server,
            "GET",
            target,
            &[&format!("Authorization: Basic {credentials}")],
        )
    };
    let (boss, north) = ("Ym9zczpzZWNyZXQ=", "bm9ydGg6c2VjcmV0");
    assert_eq!(ask(boss, ALICE).status, 200);
    assert_eq!(ask(north, ALICE).status, 404);
    let bob = ALICE.replace("alice", "bob");
    let (all, own) = (json(&ask(boss, &bob)), json(&ask(north, &bob)));
    // 12 h × 0.05 = 0.60. Of whom else there are prices for, he learns nothing.
    assert_eq!(
        own["totals"],
        serde_json::json!([{"currency": "EUR", "amount": "0.60"}])
    );
    assert_eq!(own["lines"], all["lines"]);
    assert_eq!(all["unknown_names"].as_array().unwrap().len(), 1);
    assert_eq!(own["unknown_names"], serde_json::json!([]));
}

#[test]
fn prices_are_read_again_on_sighup_and_stay_if_they_are_wrong() {
    let cloud = priced();
    let server = Server::start(&cloud.sandbox);
    let total = || json(&server.get(ALICE))["totals"][0]["amount"].clone();
    assert_eq!(total(), "2.90");
    let tag = server.get(ALICE).header("etag").unwrap().to_owned();
    let write = |rows: &str| {
        let text = format!("metric,unit,price,currency\n{rows}\n");
        cloud.sandbox.write("prices.csv", &text);
        server.signal("HUP");
    };
    // 54.5 h × 0.2 = 10.90; an answer by other prices is another one.
    write("vm_running,hour,0.2,EUR");
    server.says("SIGHUP: reloaded the prices\n");
    assert_eq!(total(), "10.90");
    let header = format!("If-None-Match: {tag}");
    assert_eq!(ask_with(&server, "GET", ALICE, &[&header]).status, 200);
    write("vm_running,hour,free,EUR");
    server.says("SIGHUP: the old prices stay: ");
    assert_eq!(total(), "10.90");
    cloud.configure("GMT", SERVER);
    server.signal("HUP");
    server.says("SIGHUP: there are no prices any more\n");
    assert_eq!(server.get(ALICE).status, 404);
    // A server does not start with prices that are wrong.
    cloud.configure("GMT", &format!("\n[prices]\nfile = prices.csv\n{SERVER}"));
    let said = cloud.run(&["serve"]).exits(2).stderr;
    let line = ":2: \"free\" is no price: write digits such as 0.015, without a sign or currency\n";
    assert!(said.ends_with(line), "{said}");
}

#[test]
fn a_price_file_that_cannot_be_applied_is_told_to_who_sees_all() {
    let cloud = priced();
    let rows = "metric,offering,unit,price,currency\n\
                vm_running,small,hour,1,EUR\nvm_running,small-uuid,hour,2,EUR\n";
    cloud.sandbox.write("prices.csv", rows);
    let server = Server::start(&cloud.sandbox);
    let answer = server.get(ALICE);
    assert_eq!(answer.status, 503);
    let detail = json(&answer)["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("the price file cannot be applied: "),
        "{detail}"
    );
    assert!(detail.contains("prices.csv:2 and "), "{detail}");
}

/// The size of VM 11 is not known, so what it costs by its vCPUs is not either: the line is there, and has no amount.
#[test]
fn a_size_that_is_not_known_is_named_and_costs_nothing_in_silence() {
    let cloud = priced();
    cloud.main("update service_offering set cpu = null, speed = null, ram_size = null");
    cloud
        .run(&["import", "-s", "2013-06-01", "-e", "2013-06-03", "-f"])
        .exits(0);
    cloud.sandbox.write(
        "sizes.csv",
        "metric,offering,unit,price,currency\nvm_running_vcpu_hours,small,vCPU-hour,1,EUR\n",
    );
    let words = [
        "statement",
        "--month",
        "2013-06",
        "--account",
        "alice",
        "--prices",
        "sizes.csv",
    ];
    let run = cloud.run(&words).exits(1);
    for line in [
        "no amount for vm_running_vcpu_hours of small in zone one: the size of the VM is not known; price vm_running or \
         vm_allocated of the offering instead (1 line)\n",
        "not priced, because no row of sizes.csv names them: network_bytes_sent, os_usage; ",
    ] {
        assert!(run.stdout.contains(line), "{line}{run}");
    }
    let json = cloud
        .run(&[&words[..], &["--format", "json"]].concat())
        .exits(1);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["lines_without_price"], 2);
    assert_eq!(document["totals"], serde_json::json!([]));
    let lines = document["lines"].as_array().unwrap();
    let missing: Vec<&str> = lines
        .iter()
        .map(|line| line["missing"].as_str().unwrap())
        .collect();
    assert_eq!(missing, ["size", "size"]);
    assert!(lines.iter().all(|line| line["metric_quantity"].is_null()));
}

#[test]
fn check_looks_at_the_price_file() {
    let cloud = priced();
    let said = |code: i32| {
        let run = cloud.run(&["check", "--format", "json"]).exits(code);
        let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let checks = document["checks"].as_array().unwrap().clone();
        let of_prices = checks.iter().filter(|line| line["what"] == "prices");
        let words = of_prices.map(|line| {
            let [state, detail] = ["state", "detail"].map(|key| line[key].as_str().unwrap());
            format!("{state} {detail}")
        });
        words.collect::<Vec<String>>()
    };
    let header = "metric,offering,unit,price,currency\n";
    let write = |rows: &str| {
        cloud
            .sandbox
            .write("prices.csv", &format!("{header}{rows}"))
    };
    assert_eq!(
        said(1),
        [
            "look ./prices.csv:5: the ledger has no account \"nobody\" yet: the row counts for nothing"
        ]
    );
    write("vm_running,,hour,1,EUR\n");
    // The sources' zone cannot be read here, whatever the prices are.
    assert_eq!(said(1), ["ok ./prices.csv: 1 row"]);
    write("vm_running,,GiB,1,EUR\nvpc,x,hour,1,EUR\n");
    assert_eq!(
        said(2),
        [
            "error ./prices.csv:2: GiB is a unit of bytes, and vm_running is in hours: write one of hour, month, \
             month-730",
            "error ./prices.csv:3: vpc has no offerings: leave the offering empty",
        ]
    );
}
