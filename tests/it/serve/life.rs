//! How `rbc-usage serve` starts and stops, and how it gets along with what happens to the ledger.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::{ACCOUNT, CONFIG, add_day, add_record, ledger, refuses, sandbox};
use crate::sandbox::{Sandbox, program};
use crate::server::Server;

/// The usage of the first of April.
fn target() -> String {
    format!("/usage/{ACCOUNT}?start=2013-04-01")
}

#[test]
fn answers_during_an_import_and_sees_its_day_at_once() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    let mut client = server.connect();
    let mut ask = || {
        client.send("GET", &target());
        client.receive("GET").body
    };
    let before = ask();
    assert!(
        before.contains(r#""missing_days":["2013-04-01"]"#),
        "{before}"
    );
    let writer = ledger(&sandbox);
    for (quantity, usage) in [
        (5.0, r#""usage":[["network_bytes_sent",5.0]]"#),
        (7.5, r#""usage":[["network_bytes_sent",7.5]]"#),
    ] {
        let before = ask();
        writer
            .execute_batch("begin immediate; delete from stored_records")
            .unwrap();
        writer.execute_batch("delete from stored_days").unwrap();
        add_day(&writer, "2013-04-01", "closed");
        add_record(&writer, (1, "2013-04-01", 1, 0), quantity);
        assert_eq!(ask(), before);
        writer.execute_batch("commit").unwrap();
        let after = ask();
        assert!(after.contains(usage), "{after}");
        assert!(after.contains(r#""complete":true"#), "{after}");
    }
}

#[test]
fn a_signal_lets_the_request_in_hand_finish() {
    for signal in ["TERM", "INT"] {
        let sandbox = sandbox();
        let writer = ledger(&sandbox);
        // Without WAL an exclusive transaction keeps a reader waiting, which holds a request up.
        writer
            .pragma_update(None, "journal_mode", "delete")
            .unwrap();
        let server = Server::start(&sandbox);
        let idle = server.connect();
        let mut client = server.connect();
        // Its connection is in the hands of the server then.
        client.send("GET", "/healthz");
        assert_eq!(client.receive("GET").status, 200);
        writer.execute_batch("begin exclusive").unwrap();
        let sleeps = server.sleeps_of("connection");
        client.send("GET", &target());
        while server.sleeps_of("connection") < sleeps + 4 {
            std::thread::sleep(Duration::from_millis(1));
        }
        server.signal(signal);
        while TcpStream::connect(&server.address).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
        writer.execute_batch("commit").unwrap();
        assert_eq!(client.receive("GET").status, 200);
        server.end().exits(0).complains("");
        drop(idle);
    }
}

#[test]
fn a_ledger_that_is_gone_is_503_until_it_is_back() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    assert_eq!(server.get(&target()).status, 200);
    let (here, away) = (sandbox.path("usage.db"), sandbox.path("away.db"));
    std::fs::rename(&here, &away).unwrap();
    let answer = server.get(&target());
    refuses(&answer, 503, "the ledger cannot be read");
    // What is wrong with the request itself is said even then.
    assert_eq!(server.get("/usage/x?start=x").status, 400);
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(server.get(&target()).status, 200);
    server.signal("TERM");
    let log = format!(
        "rbc-usage: 503 {:?}: ledger ./usage.db: no such file: run rbc-usage initdb\n",
        target()
    );
    server.end().exits(0).complains(&log);
}

/// The server answers by the ledger's zones, and is not ready until the configuration names the newest of them.
#[test]
fn a_ledger_of_another_zone_is_answered_by_its_own_and_not_ready() {
    let sandbox = super::sandbox();
    let server = Server::start(&sandbox);
    assert_eq!(server.get(&target()).status, 200);
    let config = super::CONFIG.replace("GMT", "Europe/Stockholm");
    sandbox.write("cloudusage.cfg", &config.replace("usage.db", "other.db"));
    sandbox.run(&["initdb"]).exits(0);
    std::fs::rename(sandbox.path("other.db"), sandbox.path("usage.db")).unwrap();
    let version = server.get("/v1/version");
    assert_eq!(version.status, 200);
    assert!(version.body.contains("\"timezone\":\"Europe/Stockholm\""));
    refuses(
        &server.get("/readyz"),
        503,
        "the ledger: its days are those of Europe/Stockholm, main.timezone says GMT: write main.timezone = \
         Europe/Stockholm, or move the ledger by rbc-usage rezone GMT --from DAY; then reload",
    );
    sandbox.write("cloudusage.cfg", &config);
    server.signal("HUP");
    server.says("rbc-usage: SIGHUP: main.timezone is Europe/Stockholm now\n");
    let ready = "{\"newest_closed_day\":null,\"status\":\"ready\"}\n";
    assert_eq!(server.get("/readyz").body, ready);
}

/// Without a start it is yesterday, by the zone that the ledger has by now: here it is another day at any time.
#[test]
fn the_day_it_is_follows_the_zone_of_the_ledger_with_the_next_request() {
    let sandbox = Sandbox::new();
    let config = super::CONFIG.replace("GMT", "Etc/GMT+12");
    sandbox.write("cloudusage.cfg", &config);
    sandbox.run(&["initdb"]).exits(0);
    let server = Server::start(&sandbox);
    let yesterday = || server.get("/usage/x?end=1970-01-01").body;
    let before = yesterday();
    assert!(before.contains("yesterday"), "{before}");
    let config = super::CONFIG.replace("GMT", "Pacific/Kiritimati");
    sandbox.write("cloudusage.cfg", &config.replace("usage.db", "other.db"));
    sandbox.run(&["initdb"]).exits(0);
    std::fs::rename(sandbox.path("other.db"), sandbox.path("usage.db")).unwrap();
    assert_ne!(yesterday(), before);
}

#[test]
fn a_ledger_upgraded_by_a_newer_program_is_503() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    assert_eq!(server.get(&target()).status, 200);
    let writer = ledger(&sandbox);
    let current: i64 = writer
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let newer = current + 1;
    writer.pragma_update(None, "user_version", newer).unwrap();
    refuses(&server.get(&target()), 503, "the ledger cannot be read");
    writer.pragma_update(None, "user_version", current).unwrap();
    assert_eq!(server.get(&target()).status, 200);
}

#[test]
fn a_spoilt_ledger_is_503() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    std::fs::write(sandbox.path("usage.db"), [b'x'; 8192]).unwrap();
    refuses(&server.get(&target()), 503, "the ledger cannot be read");
}

#[test]
fn says_in_one_line_why_a_ledger_cannot_be_served() {
    let complains = |sandbox: &Sandbox, message: &str| {
        let stderr = format!("rbc-usage: ledger ./usage.db: {message}\n");
        sandbox.run(&["serve"]).exits(2).complains(&stderr);
    };

    let missing = Sandbox::new();
    missing.write("cloudusage.cfg", CONFIG);
    complains(&missing, "no such file: run rbc-usage initdb");
    assert!(!missing.path("usage.db").exists());
    let letter = "this is a letter to somebody. ".repeat(100);
    for content in [letter.as_str(), ""] {
        missing.write("usage.db", content);
        complains(&missing, "not a ledger of rbc-usage");
    }

    for (version, message) in [
        (
            0,
            "its schema 0 is older than this program's 8: run rbc-usage initdb",
        ),
        (
            9,
            "its schema 9 is newer than this program's 8: use a newer rbc-usage",
        ),
    ] {
        let sandbox = sandbox();
        ledger(&sandbox)
            .pragma_update(None, "user_version", version)
            .unwrap();
        complains(&sandbox, message);
    }
}

#[test]
fn says_in_one_line_why_it_cannot_listen() {
    let sandbox = sandbox();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (bind, message) in [
        (
            "0.0.0.0:8888",
            "listen on 0.0.0.0:8888: beyond loopback only with TLS and users, or behind a proxy that has both: server.tls_certificate and server.users are missing, and server.behind_proxy is no",
        ),
        (
            "[::]:8888",
            "listen on [::]:8888: beyond loopback only with TLS and users, or behind a proxy that has both: server.tls_certificate and server.users are missing, and server.behind_proxy is no",
        ),
        (
            &address,
            &format!("listen on {address}: Address already in use (os error 98)"),
        ),
    ] {
        let stderr = format!("rbc-usage: {message}\n");
        sandbox
            .run(&["serve", "--bind", bind])
            .exits(2)
            .complains(&stderr);
    }
    let run = sandbox.run(&["serve", "--bind", "8888"]).exits(2);
    assert!(
        run.stderr
            .contains("invalid value '8888' for '--bind <HOST:PORT>'"),
        "{run}"
    );
}

#[test]
fn the_old_name_and_a_host_name_work() {
    let sandbox = sandbox();
    let link = sandbox.path("rbc-usage-server");
    std::os::unix::fs::symlink(program(), &link).unwrap();
    let mut command = Command::new(link);
    command
        .arg("localhost:0")
        .current_dir(sandbox.folder())
        .env_clear();
    let server = Server::of(&mut command);
    assert!(
        server.address.starts_with("127.0.0.1:"),
        "{}",
        server.address
    );
    assert_eq!(server.get(&target()).status, 200);
}
