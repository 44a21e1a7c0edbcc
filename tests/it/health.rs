//! What `rbc-usage serve` tells whoever watches over it: the log, /healthz, /readyz, /metrics, and systemd.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use crate::sandbox::Sandbox;
use crate::serve::{ACCOUNT, CONFIG, sandbox};
use crate::server::Server;

fn ledger(sandbox: &Sandbox) -> rusqlite::Connection {
    rusqlite::Connection::open(sandbox.path("usage.db")).unwrap()
}

fn close_day(sandbox: &Sandbox, days_ago: i64) -> String {
    let day = time::UtcDateTime::now().date() - time::Duration::days(days_ago);
    let sql = "insert into stored_days (day, state, source_rows, replayed_rows, imported_at)
               values (?, 'closed', 1, 0, '2013-05-01T00:00:00Z')";
    ledger(sandbox).execute(sql, [day.to_string()]).unwrap();
    day.to_string()
}

fn with_settings(sandbox: &Sandbox, settings: &str) {
    sandbox.write(
        "cloudusage.cfg",
        &format!("{}{settings}", CONFIG.replace("log_format = off\n", "")),
    );
}

#[test]
fn alive_and_ready_are_two_things() {
    let sandbox = sandbox();
    with_settings(&sandbox, "log_format = off\nusers = users\nmax_age = 3\n");
    sandbox.write("users", "");
    let server = Server::start(&sandbox);
    let ready = |status: u16, body: &str| {
        let answer = server.get("/readyz");
        assert_eq!((answer.status, answer.body.trim_end()), (status, body));
        assert_eq!(server.get("/healthz").body, "{\"status\":\"alive\"}\n");
    };
    let refused =
        |why: &str| format!("{{\"message\":\"{why}\",\"responseType\":\"errorResponse\"}}");
    ready(503, &refused("the ledger has no closed day"));
    let old = close_day(&sandbox, 9);
    let answer = server.get("/readyz");
    assert_eq!(answer.status, 503);
    let why = format!("the newest closed day is {old}, 9 days ago: server.max_age allows 3");
    assert_eq!(answer.body.trim_end(), refused(&why));
    let new = close_day(&sandbox, 2);
    ready(
        200,
        &format!("{{\"newest_closed_day\":\"{new}\",\"status\":\"ready\"}}"),
    );
    std::fs::rename(sandbox.path("usage.db"), sandbox.path("away.db")).unwrap();
    ready(503, &refused("the ledger cannot be read"));
    server.says("not ready: ledger ./usage.db: no such file: run rbc-usage initdb");
    std::fs::rename(sandbox.path("away.db"), sandbox.path("usage.db")).unwrap();
    assert_eq!(server.get("/readyz").status, 200);
    let newer = "pragma user_version = 99";
    ledger(&sandbox).execute_batch(newer).unwrap();
    let why = "the ledger cannot be read: its schema 99 is newer than this program's 8: use a newer rbc-usage";
    ready(503, &refused(why));
    assert_eq!(server.ask("HEAD", "/healthz").body, "");
}

#[test]
fn metrics_tell_of_requests_and_of_the_ledger_and_of_no_account() {
    let sandbox = sandbox();
    let server = Server::start(&sandbox);
    let new = close_day(&sandbox, 1);
    close_day(&sandbox, 5);
    ledger(&sandbox)
        .execute_batch(
            "update stored_days set gap_before = 3 where day = (select max(day) from stored_days);
             insert into stored_findings (day, kind, detail) select day, 'spans_midnight', 'x' from stored_days;
             insert into imports (started_at, finished_at, outcome, seconds)
               values ('2013-06-02T01:30:00Z', '2013-06-02T01:30:12Z', 'needs_a_look', 12.5);
             insert into imports (started_at) values ('2013-06-03T01:30:00Z');
             insert into stored_corrections (day, account_id, metric_id, resource_id, corrected_at, kind, acknowledged_at)
               select (select max(day) from stored_days), 1, 1, 0, '2013-06-03T01:30:00Z', column1, column2
               from (values ('pending', null), ('pending', 'x'), ('overwritten', null), ('applied', null));",
        )
        .unwrap();
    for target in [
        &format!("/usage/{ACCOUNT}?start=2013-04-01"),
        "/usage/nobody",
        "/nothing",
    ] {
        server.get(target);
    }
    let mut client = server.connect();
    client.send_bytes("BREW / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.receive("GET");
    let mut client = server.connect();
    client.send("GET", "/metrics");
    let old = client.receive("GET");
    assert_eq!(
        old.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(!old.body.contains("# EOF"), "{}", old.body);
    client.send_bytes(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text;version=1.0.0;q=0.6,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.1\r\n\r\n",
    );
    let answer = client.receive("GET");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.body;
    let midnight = ledger(&sandbox)
        .query_row("select unixepoch(?)", [&new], |row| row.get::<_, i64>(0))
        .unwrap();
    for line in [
        "rbc_usage_http_requests_total{route=\"usage\",status=\"200\"} 1",
        "rbc_usage_http_requests_total{route=\"usage\",status=\"404\"} 1",
        "rbc_usage_http_requests_total{route=\"other\",status=\"404\"} 1",
        "rbc_usage_http_refused_total{status=\"405\"} 1",
        "rbc_usage_connections_total 5",
        "rbc_usage_missing_days 3",
        "rbc_usage_open_days 0",
        "rbc_usage_findings 2",
        "rbc_usage_pending_corrections 1",
        "rbc_usage_last_import_timestamp_seconds 1370136612",
        "rbc_usage_last_import_exit_code 1",
        "rbc_usage_last_import_duration_seconds 12.5",
        &format!("rbc_usage_newest_closed_day_timestamp_seconds {midnight}"),
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(!text.contains(ACCOUNT), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn metrics_may_have_a_listener_of_their_own() {
    let sandbox = sandbox();
    with_settings(
        &sandbox,
        "log_format = off\nusers = users\nmetrics_bind = 127.0.0.1:0\n",
    );
    sandbox.write("users", "");
    let mut child = sandbox
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.strip_prefix("rbc-usage: metrics at http://").unwrap();
    let address = address.strip_suffix("/metrics\n").unwrap();
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A connection that ends without an answer is one, too.
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let get = |path: &str| ask(&format!("GET {path} HTTP/1.0\r\n\r\n"));
    let answer = get("/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("rbc_usage_build_info"), "{answer}");
    assert!(get("/healthz").starts_with("HTTP/1.1 404 "));
    assert!(ask("POST /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(ask(&"x".repeat(20_000)).starts_with("HTTP/1.1 414 "));
    // Who connects and is silent keeps nobody waiting.
    let silent = || TcpStream::connect(address).unwrap();
    let mut some = [silent(), silent(), silent()];
    assert!(get("/metrics").contains("rbc_usage_build_info"));
    for silent in &mut some {
        silent.set_nonblocking(true).unwrap();
        let err = silent.read(&mut [0]).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::WouldBlock, "it is still waited for");
    }
    let more = [silent(), silent(), silent()];
    assert!(get("/metrics").contains("rbc_usage_build_info"));
    drop((some, more));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_listener_of_metrics_that_others_reach_is_refused() {
    let sandbox = sandbox();
    with_settings(&sandbox, "metrics_bind = 0.0.0.0:0\n");
    sandbox.run(&["serve"]).exits(2).complains(
        "rbc-usage: listen on 0.0.0.0:0: server.metrics_bind asks for no password, so it must be a loopback address \
         unless server.behind_proxy is yes\n",
    );
}

#[test]
fn each_request_is_a_line_of_the_log() {
    let sandbox = sandbox();
    with_settings(&sandbox, "");
    let server = Server::start(&sandbox);
    let answer = server.get(&format!("/usage/{ACCOUNT}?start=2013-04-01&x=%22"));
    let id = answer.header("x-request-id").unwrap().to_owned();
    server.ask("HEAD", "/usage/nobody");
    server.signal("TERM");
    let log = server.end().exits(0).stderr;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].starts_with("127.0.0.1 - - ["), "{log}");
    let request = format!(
        " +0000] \"GET /usage/{ACCOUNT}?start=2013-04-01&x=%22 HTTP/1.1\" 200 {} \"-\" \"-\" {id} 0.",
        answer.body.len()
    );
    assert!(lines[0].contains(&request), "{log}");
    assert!(
        lines[1].contains("\"HEAD /usage/nobody HTTP/1.1\" 404 0 "),
        "{log}"
    );

    let server = Server::of(&mut sandbox.command(&["serve", "--log-format", "json"]));
    server.get("/usage/nobody");
    let refused = server.ask("PUT", "/usage/nobody");
    server.signal("TERM");
    let log = server.end().exits(0).stderr;
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [line, refusal] = &lines[..] else {
        panic!("{log}");
    };
    let mut refusal = refusal.clone();
    assert!(refusal["time"].take().is_string(), "{log}");
    assert_eq!(
        refusal,
        serde_json::json!({
            "time": null,
            "peer": "127.0.0.1",
            "request": "PUT /usage/nobody HTTP/1.1",
            "status": 405,
            "id": refused.header("x-request-id").unwrap(),
            "message": "only GET and HEAD are answered",
        })
    );
    for (key, value) in [
        ("peer", "127.0.0.1"),
        ("method", "GET"),
        ("target", "/usage/nobody"),
    ] {
        assert_eq!(line[key], value, "{log}");
    }
    assert_eq!(line["status"], 404);
    assert_eq!(line["user"], serde_json::Value::Null);
    sandbox.run(&["serve", "--log-format", "xml"]).exits(2);
}

/// The first is worked out, the others are remembered: nobody can tell them apart.
#[test]
fn a_remembered_answer_is_sent_counted_and_logged_like_the_first() {
    let sandbox = sandbox();
    with_settings(&sandbox, "");
    let server = Server::start(&sandbox);
    let target = format!("/usage/{ACCOUNT}?start=2013-04-01");
    let mut client = server.connect();
    let mut ask = |method: &str, more: &str| {
        client.send_bytes(&format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\n{more}\r\n"
        ));
        let mut answer = client.receive(method);
        let ids = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "x-request-id");
        let id: Vec<String> = ids.map(|(_, id)| id.clone()).collect();
        answer
            .headers
            .retain(|(name, _)| name != "x-request-id" && name != "date");
        (answer, id.concat())
    };
    let (first, id) = ask("GET", "");
    assert_eq!(first.status, 200);
    let mut ids = vec![id];
    for _ in 0..200 {
        let (answer, id) = ask("GET", "");
        assert_eq!(answer, first);
        ids.push(id);
    }
    let (head, id) = ask("HEAD", "");
    assert_eq!((&head.headers, head.body.as_str()), (&first.headers, ""));
    ids.push(id);
    let (last, id) = ask("GET", "Connection: close\r\n");
    assert_eq!(last.header("connection"), Some("close"));
    assert_eq!(last.body, first.body);
    ids.push(id);
    let text = server.get("/metrics").body;
    let counted = "rbc_usage_http_requests_total{route=\"usage\",status=\"200\"} 203";
    assert!(text.contains(counted), "{text}");
    server.signal("TERM");
    let log = server.end().exits(0).stderr;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 204, "{log}");
    for (number, (line, id)) in lines.iter().zip(&ids).enumerate() {
        let (method, bytes) = if number == 201 {
            ("HEAD", 0)
        } else {
            ("GET", first.body.len())
        };
        let request = format!("\"{method} {target} HTTP/1.1\" 200 {bytes} \"-\" \"-\" {id} 0.");
        assert!(line.contains(&request), "{line}");
    }
}

/// More than a pipe and the log's own queue hold.
#[test]
fn a_log_that_nobody_reads_holds_up_no_answer() {
    let sandbox = sandbox();
    with_settings(&sandbox, "max_requests_per_connection = 1000000\n");
    let mut child = sandbox
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .unwrap();
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream
        .get_ref()
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let request = "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..6000 {
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert_ne!(stream.read_line(&mut line).unwrap(), 0);
        }
    }
    // Once somebody reads, he is told how much is missing.
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut read = 0;
    loop {
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        if line.ends_with(" of the log left out before this one\n") {
            break;
        }
        assert!(line.contains("\"HEAD /healthz HTTP/1.1\" 200 0 "), "{line}");
        read += 1;
        if read == 3000 {
            // The queue has room by now, and the next line tells.
            stream.get_mut().write_all(request.as_bytes()).unwrap();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn sighup_takes_over_what_needs_no_restart() {
    let sandbox = sandbox();
    with_settings(&sandbox, "log_format = off\nmax_age = 3\n");
    let server = Server::of(&mut sandbox.command(&["serve", "--bind", "127.0.0.1:0"]));
    let (day, nine_ago) = (
        "/usage/x?start=2013-04-01&end=2013-04-02",
        close_day(&sandbox, 9),
    );
    assert_eq!(
        (server.get(day).status, server.get("/readyz").status),
        (404, 503)
    );
    server.signal("HUP");
    server.says("rbc-usage: SIGHUP: nothing to reload\n");
    with_settings(
        &sandbox,
        "log_format = combined\nmax_age = 20\nmax_days = 1\nidle_timeout = 59\nmax_header_bytes = 2048\nusers = users\n",
    );
    sandbox.write("users", "");
    server.signal("HUP");
    for said in [
        "server.max_age is 20 now",
        "server.max_days is 1 now",
        "server.log_format is combined now",
        "server.users, server.max_header_bytes, server.idle_timeout changed, which takes a restart",
    ] {
        server.says(&format!("rbc-usage: SIGHUP: {said}\n"));
    }
    assert_eq!(
        (server.get(day).status, server.get("/readyz").status),
        (400, 200),
        "{nine_ago}"
    );
    server.says("\"GET /readyz HTTP/1.1\" 200 ");
    with_settings(&sandbox, "max_age = none\nmax_days = none\n");
    server.signal("HUP");
    for key in ["max_age", "max_days"] {
        server.says(&format!(
            "\nrbc-usage: SIGHUP: the old configuration, users and scopes stay: ./cloudusage.cfg: server.{key}: \"none\" is not a whole number"
        ));
    }
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn systemd_is_told_when_the_server_is_ready_reloads_and_ends() {
    let sandbox = sandbox();
    let socket = UnixDatagram::bind(sandbox.path("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut command = sandbox.command(&["serve"]);
    let server = Server::of(command.env("NOTIFY_SOCKET", sandbox.path("notify")));
    let told = || {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    assert_eq!(told(), "READY=1\n");
    server.signal("HUP");
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told(), "READY=1\n");
    server.signal("TERM");
    assert_eq!(told(), "STOPPING=1\n");
    server.end().exits(0);
}
