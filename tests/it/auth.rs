//! Who may ask `rbc-usage serve`, and for what: passwords, scopes, guesses, and files that change.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sandbox::{Run, Sandbox};
use crate::serve::{ACCOUNT, CONFIG};
use crate::server::{Answer, Server};

/// Made by Apache's `htpasswd -nbB -C 5 apache secret` and `htpasswd -nbB -C 4 other 'pass word:#1'`.
const APACHE: &str = "\
apache:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi
other:$2y$04$0xaQjirBL9PMRUNe2D8wYerriK64kU5lyKiWMJbqa0hT71iR15ALC
";

const RETAIL: &str = "5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f011";
const PROJECT: &str = "5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f002";

/// The configuration and the ledger of the other tests of the server, with users; `more` ends the file.
fn sandbox(more: &str) -> Sandbox {
    let sandbox = crate::serve::sandbox();
    sandbox.write("cloudusage.cfg", &format!("{CONFIG}users = users\n{more}"));
    sandbox.write("users", APACHE);
    let ledger = rusqlite::Connection::open(sandbox.path("usage.db")).unwrap();
    let sql = "insert into stored_accounts (id, uuid, name, domain_path) values (9, ?, 'shop', '/retail/north/')";
    ledger.execute(sql, [RETAIL]).unwrap();
    ledger
        .execute_batch(
            "insert into stored_domains values (9, 'north-uuid', '/retail/north/', '/root-uuid/retail-uuid/north-uuid/');
             insert into account_states (account_id, since_day, name, domain_id) values (9, '1970-01-01', 'shop', 9);",
        )
        .unwrap();
    sandbox
}

/// Asks on a connection of its own; `more` are further header lines.
fn ask(server: &Server, target: &str, user: &str, more: &str) -> Answer {
    let mut client = server.connect();
    let credentials = STANDARD.encode(user);
    client.send_bytes(&format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n{more}\r\n"
    ));
    client.receive("GET")
}

fn usage(uuid: &str) -> String {
    format!("/usage/{uuid}?start=2013-04-01")
}

/// Without what differs from one request to the next.
fn comparable(mut answer: Answer) -> Answer {
    answer
        .headers
        .retain(|(name, _)| name != "x-request-id" && name != "date");
    answer
}

#[test]
fn a_password_is_asked_for_and_told_by_curl() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let answer = server.get(&usage(ACCOUNT));
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Basic realm=\"rbc-usage\", charset=\"UTF-8\"")
    );
    assert_eq!(
        answer.body,
        "{\"message\":\"give the name and the password of a user\",\"responseType\":\"errorResponse\"}\n"
    );
    let nobody = comparable(answer);
    for wrong in ["apache:Secret", "stranger:secret"] {
        assert_eq!(comparable(ask(&server, &usage(ACCOUNT), wrong, "")), nobody);
    }
    // What there is is not told to strangers either.
    assert_eq!(comparable(server.get("/nothing")), nobody);
    assert_eq!(comparable(server.get("/metrics")), nobody);

    for user in ["apache:secret", "other:pass word:#1"] {
        let url = format!("http://{}{}", server.address, usage(ACCOUNT));
        let curl = Run::of(Command::new("curl").args(["-sS", "-i", "-u", user, &url])).exits(0);
        assert!(curl.stdout.starts_with("HTTP/1.1 200 OK\r\n"), "{curl}");
        assert!(curl.stdout.contains("usageResponse"), "{curl}");
    }
}

/// A cache in front would hand them to whoever asks next, without a password.
#[test]
fn what_needs_a_password_is_kept_by_no_cache() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let of = |answer: &Answer| answer.header("cache-control").map(str::to_owned);
    for (target, status, expected) in [
        (usage(ACCOUNT).as_str(), 200, "private, no-cache"),
        ("/usage/nobody?start=2013-04-01", 404, "no-store"),
        ("/metrics", 200, "no-store"),
        ("/v1/accounts", 200, "private, no-cache"),
        ("/v1/nothing", 404, "private, no-cache"),
        ("/healthz", 200, "no-store"),
        ("/readyz", 200, "no-store"),
    ] {
        // Asked twice: also what is answered from memory.
        for _ in 0..2 {
            let answer = ask(&server, target, "apache:secret", "");
            assert_eq!(answer.status, status, "{target}");
            assert_eq!(of(&answer).as_deref(), Some(expected), "{target}");
        }
        let refused = server.get(target);
        assert!(
            of(&refused)
                .is_some_and(|value| value.starts_with("no-store") || value.starts_with("private"))
        );
    }
}

/// As many addresses as there are, and nobody knows the user yet: who asks again gets an answer.
#[test]
fn a_user_who_is_not_known_yet_gets_through_while_thousands_guess() {
    let sandbox = sandbox(
        "behind_proxy = yes\ntrusted_proxies = 127.0.0.1\nmax_connections_per_address = 512\n",
    );
    let mut command = sandbox.command(&["passwd", "--stdin", "--cost", "9", "users", "dear"]);
    sandbox.write("secret", "secret\n");
    Run::of(command.stdin(std::fs::File::open(sandbox.path("secret")).unwrap())).exits(0);
    let server = Server::start(&sandbox);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for guesser in 0..60 {
            let (server, over) = (&server, &over);
            scope.spawn(move || {
                let mut number = 0;
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    // Another address, another name and another password each time.
                    number += 1;
                    let from = format!(
                        "X-Forwarded-For: 10.{guesser}.{}.{}\r\n",
                        number / 250,
                        number % 250
                    );
                    let user = format!("user-{guesser}-{number}:guess");
                    let status = ask(server, &usage(ACCOUNT), &user, &from).status;
                    assert!(matches!(status, 401 | 429 | 503), "{status}");
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        let mut statuses = Vec::new();
        while statuses.last() != Some(&200) && began.elapsed() < Duration::from_secs(30) {
            statuses.push(ask(&server, &usage(ACCOUNT), "other:pass word:#1", "").status);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(statuses.last(), Some(&200), "{statuses:?}");
        assert!(statuses.len() <= 3, "{statuses:?}");
    });
}

#[test]
fn a_file_that_is_not_all_bcrypt_ends_the_start_with_its_line() {
    let sandbox = sandbox("");
    let refused = |message: &str| {
        sandbox
            .run(&["serve"])
            .exits(2)
            .complains(&format!("rbc-usage: users ./users: {message}\n"));
    };
    sandbox.write(
        "users",
        &format!("{APACHE}\n# old\nsha:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"),
    );
    refused(
        "line 5: not a bcrypt hash, the only kind that is taken: create it again with rbc-usage passwd or htpasswd -B",
    );
    std::fs::remove_file(sandbox.path("users")).unwrap();
    refused("No such file or directory (os error 2)");
}

#[test]
fn a_limited_user_sees_his_accounts_and_no_trace_of_others() {
    let scopes = format!(
        "[scope.apache]\naccounts = {ACCOUNT}\ndomains = /retail\n[scope.other]\nprojects = {PROJECT}\n"
    );
    let sandbox = sandbox(&scopes);
    let server = Server::start(&sandbox);
    let apache = |uuid: &str| ask(&server, &usage(uuid), "apache:secret", "");
    let other = |uuid: &str| ask(&server, &usage(uuid), "other:pass word:#1", "");
    for uuid in [ACCOUNT, RETAIL] {
        assert_eq!(apache(uuid).status, 200);
        let hidden = other(uuid);
        assert_eq!(hidden.status, 404);
        // As if there were none.
        let unknown = comparable(other("5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f999"));
        let as_unknown = hidden
            .body
            .replace(uuid, "5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f999");
        assert_eq!(
            Answer {
                body: as_unknown,
                ..comparable(hidden)
            },
            unknown
        );
    }
    for uuid in [PROJECT, "account-of-the-project"] {
        assert_eq!(other(uuid).status, 200);
        assert_eq!(apache(uuid).status, 404);
    }
    // The sum of all is not his business.
    assert_eq!(ask(&server, "/metrics", "apache:secret", "").status, 404);
}

#[test]
fn a_changed_password_is_taken_over_and_the_old_one_no_longer() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    assert_eq!(
        ask(&server, &usage(ACCOUNT), "apache:secret", "").status,
        200
    );
    let mut passwd = sandbox.command(&["passwd", "--stdin", "--cost", "4", "users", "apache"]);
    let file = std::fs::File::open({
        sandbox.write("new", "new secret\n");
        sandbox.path("new")
    });
    Run::of(passwd.stdin(file.unwrap())).exits(0);
    // The file is looked at once a second, when somebody asks.
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask(&server, &usage(ACCOUNT), "apache:secret", "").status == 200 {
        assert!(Instant::now() < deadline, "the old password is still right");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        ask(&server, &usage(ACCOUNT), "apache:new secret", "").status,
        200
    );
    server.says("the users have changed and were read again");
    // A spoilt file takes nobody's right away.
    sandbox.write("users", "apache:plain\n");
    server.signal("HUP");
    server.says("SIGHUP: the old users and scopes stay: users ./users: line 1: not a bcrypt hash");
    assert_eq!(
        ask(&server, &usage(ACCOUNT), "apache:new secret", "").status,
        200
    );
}

/// No user may be let in before it is known what he may see.
#[test]
fn a_new_user_comes_with_the_scope_that_the_configuration_has_by_then() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let scopes = |scopes: &str| {
        let text = format!("{CONFIG}users = users\n{scopes}");
        sandbox.write("cloudusage.cfg", &text);
    };
    let add = |user: &str| {
        sandbox.write("secret", "secret\n");
        let mut passwd = sandbox.command(&["passwd", "--stdin", "--cost", "4", "users", user]);
        Run::of(passwd.stdin(std::fs::File::open(sandbox.path("secret")).unwrap())).exits(0);
    };
    // The file is looked at once a second, when somebody asks.
    let told = |text: &str| {
        for _ in 0..6 {
            ask(&server, &usage(ACCOUNT), "apache:secret", "");
            std::thread::sleep(Duration::from_millis(200));
        }
        server.says(text);
    };
    scopes("[scope.jane]\ndomains = /retail\n");
    add("jane");
    told("the users have changed and were read again\n");
    assert_eq!(ask(&server, &usage(RETAIL), "jane:secret", "").status, 200);
    assert_eq!(ask(&server, &usage(ACCOUNT), "jane:secret", "").status, 404);
    // While nobody knows what she may see, she is nobody.
    scopes("[scope.joan]\ndomain = /retail\n");
    add("joan");
    told("the old users stay: ./cloudusage.cfg: scope.joan.domain: unknown key");
    assert_eq!(ask(&server, &usage(ACCOUNT), "joan:secret", "").status, 401);
    assert_eq!(ask(&server, &usage(ACCOUNT), "jane:secret", "").status, 404);
    // What was wrong is put right, and nobody has to say so.
    scopes("[scope.joan]\ndomains = /retail\n[scope.jane]\ndomains = /retail\n");
    told("the users have changed and were read again\n");
    assert_eq!(ask(&server, &usage(RETAIL), "joan:secret", "").status, 200);
    assert_eq!(ask(&server, &usage(ACCOUNT), "joan:secret", "").status, 404);
}

#[test]
fn scopes_that_limit_nobody_are_refused() {
    let sandbox = sandbox("");
    let text = format!("{CONFIG}[scope.apache]\ndomains = /retail\n");
    sandbox.write("cloudusage.cfg", &text);
    for command in ["serve", "check"] {
        let run = sandbox.run(&[command]).exits(2);
        let wrong = "[scope.apache] limits nobody: server.users names no file, so everybody may ask for everything";
        assert!((run.stderr.clone() + &run.stdout).contains(wrong), "{run}");
    }
}

/// Somebody else holds the ledger to himself, so the first of them waits for seconds.
#[test]
fn nobodys_answer_keeps_another_password_from_being_checked() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    let ledger = rusqlite::Connection::open(sandbox.path("usage.db")).unwrap();
    let hold = "pragma journal_mode = delete; begin exclusive";
    ledger.execute_batch(hold).unwrap();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ask(&server, &usage(ACCOUNT), "other:pass word:#1", ""));
        // What is no path is answered without the ledger.
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(ask(&server, "/nothing", "apache:secret", "").status, 404);
        assert!(!first.is_finished());
        ledger.execute_batch("rollback").unwrap();
        assert_eq!(first.join().unwrap().status, 200);
    });
}

#[test]
fn sighup_reads_the_scopes_again() {
    let sandbox = sandbox("");
    let server = Server::start(&sandbox);
    assert_eq!(
        ask(&server, &usage(ACCOUNT), "apache:secret", "").status,
        200
    );
    let limited = "[scope.apache]\ndomains = /retail\n[scope.appache]\ndomains = /retail\n";
    sandbox.write(
        "cloudusage.cfg",
        &format!("{CONFIG}users = users\n{limited}"),
    );
    server.signal("HUP");
    server.says("rbc-usage: SIGHUP: reloaded users and scopes\n");
    server.says("rbc-usage: [scope.appache]: there is no such user\n");
    assert_eq!(
        ask(&server, &usage(ACCOUNT), "apache:secret", "").status,
        404
    );
    sandbox.write("cloudusage.cfg", &CONFIG.replace("usage.db", "other.db"));
    server.signal("HUP");
    server.says("SIGHUP: the old users and scopes stay: server.users is gone");
    server.says("SIGHUP: main.rbc_usage_uri changed, which takes a restart\n");
    assert_eq!(server.get(&usage(ACCOUNT)).status, 401);
}

#[test]
fn guesses_from_one_address_hold_up_nobody_else() {
    let sandbox = sandbox("behind_proxy = yes\ntrusted_proxies = 127.0.0.1\n");
    let server = Server::start(&sandbox);
    let from = |address: &str, user: &str| {
        let forwarded = format!("X-Forwarded-For: {address}\r\n");
        ask(&server, &usage(ACCOUNT), user, &forwarded)
    };
    assert_eq!(from("192.0.2.1", "apache:secret").status, 200);
    let statuses: Vec<u16> = (0..10)
        .map(|number| from("198.51.100.7", &format!("apache:guess{number}")).status)
        .collect();
    assert_eq!(statuses[..3], [401, 401, 401]);
    assert!(statuses[3..].contains(&429), "{statuses:?}");
    let put_off = from("198.51.100.7", "apache:another guess");
    assert_eq!(put_off.status, 429);
    assert!(
        put_off
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    // Another user at the same address does not pay for it.
    assert_eq!(from("198.51.100.7", "other:pass word:#1").status, 200);
    std::thread::scope(|scope| {
        let guessing = scope.spawn(|| {
            (0..200)
                .map(|n| from("198.51.100.7", &format!("a:{n}")).status)
                .max()
        });
        // A right password that was checked a while ago is as quick as ever, from wherever it comes.
        let mut slowest = Duration::ZERO;
        for address in ["192.0.2.1", "198.51.100.7"] {
            for _ in 0..50 {
                let began = Instant::now();
                assert_eq!(from(address, "apache:secret").status, 200);
                slowest = slowest.max(began.elapsed());
            }
        }
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        assert_eq!(guessing.join().unwrap(), Some(429));
    });
}

#[test]
fn a_program_may_begin_with_32_connections_at_once() {
    let sandbox = sandbox("");
    let mut command = sandbox.command(&["passwd", "--stdin", "--cost", "10", "users", "slow"]);
    sandbox.write("secret", "secret\n");
    Run::of(command.stdin(std::fs::File::open(sandbox.path("secret")).unwrap())).exits(0);
    let server = Server::start(&sandbox);
    let begun = std::sync::Barrier::new(32);
    let first = || {
        begun.wait();
        ask(&server, &usage(ACCOUNT), "slow:secret", "").status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..32).map(|_| scope.spawn(first)).collect();
        asked
            .into_iter()
            .map(|asked| asked.join().unwrap())
            .collect()
    });
    assert_eq!(statuses, [200; 32]);
}

#[test]
fn more_passwords_than_can_be_checked_are_turned_away_in_time() {
    let sandbox = sandbox(
        "behind_proxy = yes\ntrusted_proxies = 127.0.0.1\nmax_connections_per_address = 512\n",
    );
    let mut command = sandbox.command(&["passwd", "--stdin", "--cost", "9", "users", "slow"]);
    sandbox.write("secret", "secret\n");
    Run::of(command.stdin(std::fs::File::open(sandbox.path("secret")).unwrap())).exits(0);
    let server = Server::start(&sandbox);
    assert_eq!(
        ask(&server, &usage(ACCOUNT), "apache:secret", "").status,
        200
    );
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..100)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let forwarded = format!("X-Forwarded-For: 203.0.113.{number}\r\n");
                    ask(server, &usage(ACCOUNT), "slow:guess", &forwarded)
                })
            })
            .collect();
        for _ in 0..20 {
            assert_eq!(
                ask(&server, &usage(ACCOUNT), "apache:secret", "").status,
                200
            );
        }
        guesses
            .into_iter()
            .map(|guess| guess.join().unwrap())
            .collect()
    });
    let of = |status| answers.iter().filter(move |answer| answer.status == status);
    assert_eq!(of(401).count() + of(503).count(), 100, "{answers:?}");
    assert!(of(401).count() >= 4, "{}", of(401).count());
    assert!(of(503).count() > 0);
    assert!(of(503).all(|answer| answer.header("retry-after") == Some("2")));
}

/// A user whose hash is eight times cheaper, and one that is not there, cost as much to refuse. What is compared is the
/// time that the connection's thread was on a processor: what else the machine does is no part of it.
#[test]
fn the_time_of_a_refusal_does_not_tell_who_is_there() {
    let sandbox = sandbox("behind_proxy = yes\ntrusted_proxies = 127.0.0.1\n");
    sandbox.write("secret", "secret\n");
    for (user, cost) in [("cheap", "5"), ("dear", "8")] {
        let mut command = sandbox.command(&["passwd", "--stdin", "--cost", cost, "users", user]);
        Run::of(command.stdin(std::fs::File::open(sandbox.path("secret")).unwrap())).exits(0);
    }
    let server = Server::start(&sandbox);
    let mut client = server.connect();
    client.send("GET", "/healthz");
    assert_eq!(client.receive("GET").status, 200);
    let mut spent = [Duration::MAX; 3];
    for round in 0..5 {
        for (number, user) in ["cheap", "dear", "nobody"].into_iter().enumerate() {
            let credentials = STANDARD.encode(format!("{user}:x"));
            let before = server.time_of_thread("connection");
            client.send_bytes(&format!(
                "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\
                 X-Forwarded-For: 198.51.{number}.{round}\r\n\r\n",
                usage(ACCOUNT)
            ));
            assert_eq!(client.receive("GET").status, 401);
            spent[number] = spent[number].min(server.time_of_thread("connection") - before);
        }
    }
    let [cheap, dear, nobody] = spent.map(|time| time.as_secs_f64());
    for (a, b) in [(cheap, dear), (nobody, dear), (cheap, nobody)] {
        assert!(
            (0.6..1.6).contains(&(a / b)),
            "cheap {cheap} dear {dear} nobody {nobody}"
        );
    }
}

#[test]
fn neither_a_password_nor_a_hash_is_ever_logged() {
    let sandbox = sandbox("");
    let config =
        format!("{CONFIG}users = users\n").replace("log_format = off", "log_format = combined");
    sandbox.write("cloudusage.cfg", &config);
    let server = Server::start(&sandbox);
    for user in [
        "apache:secret",
        "apache:s3cret-guess",
        "s3cret-user:x",
        "other:pass word:#1",
    ] {
        ask(&server, &usage(ACCOUNT), user, "");
    }
    sandbox.write("users", "s3cret-line\n");
    server.signal("HUP");
    server.says("SIGHUP");
    server.signal("TERM");
    let run = server.end().exits(0);
    let mut all = run.stderr.clone();
    let _ = write!(all, "{}", run.stdout);
    for secret in [
        "s3cret",
        "secret",
        "pass word",
        "$2y$",
        "Basic",
        &STANDARD.encode("apache:secret"),
    ] {
        assert!(!all.contains(secret), "{secret} in\n{all}");
    }
    assert!(all.contains(" - apache ["), "{all}");
}
