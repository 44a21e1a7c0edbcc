//! API v1 over a ledger that a real import made of a few rows, so that every figure below was added up by hand. What
//! is left to the description of the API is in `v1/description.rs`, what a limited user sees in `v1/scopes.rs`.

mod description;
mod figures;
mod lists;
mod protocol;
pub mod scopes;
mod statement;

use crate::cloudstack::{Cloud, NEWEST, UsageRow};
use crate::server::{Answer, Server};

pub const SERVER: &str = "\n[server]\nbind = 127.0.0.1:0\nworkers = 2\n";

const GIB: u64 = 1 << 30;

/// Accounts in three domains, one of which only begins like another, and a project. 2013-05-31 to 2013-06-02 are
/// closed, 2013-06-03 is open.
pub fn cloud() -> Cloud {
    furnished(Cloud::in_sqlite(NEWEST))
}

fn furnished(cloud: Cloud) -> Cloud {
    cloud.configure("GMT", SERVER);
    for (id, path) in [(2, "/acme/"), (3, "/acme/north/"), (4, "/acmeville/")] {
        cloud.domain(id, &format!("d-{id}"), path);
    }
    cloud.account(2, "alice-uuid", "alice");
    cloud.account(3, "bob-uuid", "bob");
    cloud.account(4, "carol-uuid", "carol");
    cloud.project(5, "web-account-uuid", "web-uuid", "web");
    for (account, domain) in [(2, 2), (3, 3), (4, 4), (5, 2)] {
        cloud.main(&format!(
            "update account set domain_id = {domain} where id = {account}"
        ));
    }
    cloud.service_offering(5, "small-uuid", "small");
    cloud.service_offering(6, "large-uuid", "large, \"XL\"");
    cloud.guest_os(1, "CentOS 6");
    cloud.template(1, 1);
    for vm in [11, 12, 13, 14] {
        cloud.vm(vm, 1);
    }
    cloud.add_usage(&[
        vm("2013-05-31", 2, 11, 5, 5.0),
        vm("2013-06-01", 2, 11, 5, 24.0),
        vm("2013-06-02", 2, 11, 5, 20.0),
        vm("2013-06-02", 2, 11, 6, 3.5),
        vm("2013-06-03", 2, 11, 5, 7.0),
        vm("2013-06-01", 3, 12, 5, 12.0),
        vm("2013-06-02", 4, 13, 5, 6.0),
        vm("2013-06-01", 5, 14, 5, 2.0),
        UsageRow {
            raw_usage: 1000.0,
            ..UsageRow::of_day("2013-06-01", 4, 2, 21)
        },
        // 24 hours of 30 GiB: one GiB for the 720 hours of June.
        UsageRow {
            size: Some(30 * GIB),
            ..UsageRow::of_day("2013-06-01", 6, 3, 31)
        },
        // No size: it counts as 0 and is a finding of bob's.
        UsageRow::of_day("2013-06-02", 6, 3, 32),
    ]);
    cloud.usage("update cloud_usage set domain_id = iif(account_id = 5, 2, account_id)");
    cloud.finished_until("2013-06-02 23:59:59");
    cloud.run(&["initdb"]).exits(0);
    cloud
        .run(&["import", "-s", "2013-05-31", "-e", "2013-06-03"])
        .exits(0);
    cloud
}

/// The same, where running VMs and volumes have prices.
pub fn priced() -> Cloud {
    let cloud = cloud();
    cloud.configure("GMT", &format!("\n[prices]\nfile = prices.csv\n{SERVER}"));
    cloud.sandbox.write(
        "prices.csv",
        "metric,offering,account,unit,price,currency\n\
         vm_running,,,hour,0.05,EUR\n\
         vm_running,large-uuid,,hour,0.1,EUR\n\
         primary_byte_hours,,carol,GiB-month,0.08,EUR\n\
         vm_running,,nobody,hour,1,EUR\n",
    );
    cloud
}

/// A virtual machine that ran for some hours of a day.
pub fn vm(day: &str, account_id: u64, vm: u64, offering_id: u64, hours: f64) -> UsageRow {
    UsageRow {
        raw_usage: hours,
        domain_id: match account_id {
            3 | 4 => account_id,
            _ => 2,
        },
        ..UsageRow::of_vm(day, 1, account_id, vm, offering_id)
    }
}

/// Asks with further header lines.
pub fn ask_with(server: &Server, method: &str, target: &str, headers: &[&str]) -> Answer {
    let mut client = server.connect();
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    client.send_bytes(&format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
    ));
    client.receive(method)
}

/// The body, with a word in the place of the times at which the import wrote.
#[track_caller]
pub fn body(cloud: &Cloud, answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut body = answer.body.clone();
    for time in
        cloud.ledger("select imported_at from days union select corrected_at from corrections")
    {
        body = body.replace(&time, "THEN");
    }
    body
}

pub fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|err| panic!("{err}: {answer:?}"))
}

/// Insists on a problem of this status and detail.
#[track_caller]
pub fn refuses(answer: &Answer, status: u16, detail: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let problem = json(answer);
    assert_eq!(problem["detail"], detail);
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
}
