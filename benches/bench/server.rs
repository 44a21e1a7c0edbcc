//! `make bench`, the server's part: wrk asks for a month of every account in turn, and asks nginx for the same answers
//! as static files, in the same run on the same machine. Questions asked before may come from a cache; for those
//! never asked before the server is started anew, and no question comes twice. A server with users is asked what has
//! been asked before, by one of them.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::large_cloud::{BenchCloud, Size, account_uuid};
use fixtures::sandbox::{Run, Sandbox};
use fixtures::server::Server;

/// Each figure is the median of this many.
pub const ROUNDS: usize = 3;

/// How long wrk asks, in seconds.
const SECONDS: &str = "3";

/// What wrk is told to ask for: the days of all accounts in turn, each thread a half of them, and all that `times`
/// over, each time by another target, so that none comes twice.
const SCRIPT: &str = r#"
local number = 0
function setup(thread)
  thread:set("half", number)
  number = number + 1
end
function init(args)
  requests = {}
  for time = 1, tonumber(args[1]) do
    for account = 1, ACCOUNTS do
      if ACCOUNTS == 1 or account % 2 == half then
        table.insert(requests, wrk.format("GET", string.format("TARGET", account, FIRST, LAST, time)))
      end
    end
  end
  at = 0
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"#;

/// What is asked of each account, with its number, the first and the last day, and how often it was asked before.
pub struct Question {
    pub target: &'static str,
    /// In Lua, of `time`.
    pub first: &'static str,
    pub last: &'static str,
}

/// A parameter that means nothing is ignored.
pub const MONTH: Question = Question {
    target: "/usage/a0000000-0000-4000-8000-%012d?start=2013-06-%02d&end=2013-06-%02d&time=%d",
    first: "1",
    last: "30",
};

/// The user `billing`, whose password is `secret`; the cost is that of most servers. Without users nobody reads it.
const USERS: &str = "billing:$2y$10$YkGnXP6guyBDDdMVrpAy..Gu1Q95Aq0wYD3BgWx2.d8/jBHgOs2s.\n";
const AUTHORIZATION: &str = "Authorization: Basic YmlsbGluZzpzZWNyZXQ=";

/// What wrk measured.
#[derive(Clone, Copy)]
pub struct Figure {
    pub per_second: f64,
    pub p99_ms: f64,
}

/// nginx, ended when it is dropped.
struct Nginx {
    child: Child,
    plain: String,
    encrypted: String,
}

/// Compares both servers over a ledger that holds June 2013.
pub fn run(cloud: &BenchCloud, size: Size) {
    let sandbox = Sandbox::new();
    write_certificate(&sandbox);
    sandbox.write("users", USERS);
    let lengths = write_files(cloud, &sandbox, size);
    println!(
        "server: a month of {} accounts, {lengths} bytes each on average",
        size.accounts()
    );
    println!(
        "        connections    nginx       asked before   never asked    before/nginx  never/nginx  users/before   p99 nginx before never"
    );
    for (name, tls) in [("plain", false), ("TLS", true)] {
        for connections in ["32", "1"] {
            let mut figures = [const { Vec::new() }; 4];
            for _ in 0..ROUNDS {
                let nginx = Nginx::start(&sandbox);
                let address = if tls { &nginx.encrypted } else { &nginx.plain };
                figures[0].push(wrk(&sandbox, size, &MONTH, address, connections, "1"));
                drop(nginx);
                for (users, figure) in [(false, 1), (true, 3)] {
                    let server = serve(cloud, &sandbox, tls, users);
                    let scheme = if tls { "https" } else { "http" };
                    let address = format!("{scheme}://{}", server.address);
                    if !users {
                        figures[2].push(wrk(&sandbox, size, &MONTH, &address, connections, "100"));
                    }
                    // Asked twice, all have been asked before.
                    wrk(&sandbox, size, &MONTH, &address, connections, "1");
                    figures[figure].push(wrk(&sandbox, size, &MONTH, &address, connections, "1"));
                }
            }
            let [nginx, before, never, users] = figures.map(median);
            println!(
                "        {name:<5} c={connections:<3} {:>9.0}/s {:>14.0}/s {:>11.0}/s {:>13.2} {:>12.2} {:>13.2}   {:>7.2} {:>6.2} {:>5.2} ms",
                nginx.per_second,
                before.per_second,
                never.per_second,
                before.per_second / nginx.per_second,
                never.per_second / nginx.per_second,
                users.per_second / before.per_second,
                nginx.p99_ms,
                before.p99_ms,
                never.p99_ms
            );
        }
    }
}

fn serve(cloud: &BenchCloud, sandbox: &Sandbox, tls: bool, users: bool) -> Server {
    let mut command = cloud
        .cloud
        .sandbox
        .command(&["serve", "--bind", "127.0.0.1:0"]);
    command.env(
        "RBC_USAGE_SERVER__MAX_REQUESTS_PER_CONNECTION",
        "1000000000",
    );
    if tls {
        command.env(
            "RBC_USAGE_SERVER__TLS_CERTIFICATE",
            sandbox.path("server.pem"),
        );
        command.env("RBC_USAGE_SERVER__TLS_PRIVATE_KEY", sandbox.path("key.pem"));
    }
    if users {
        command.env("RBC_USAGE_SERVER__USERS", sandbox.path("users"));
    }
    Server::of(&mut command)
}

pub fn wrk(
    sandbox: &Sandbox,
    size: Size,
    question: &Question,
    address: &str,
    connections: &str,
    times: &str,
) -> Figure {
    let script = SCRIPT
        .replace("ACCOUNTS", &size.accounts().to_string())
        .replace("TARGET", question.target)
        .replace("FIRST", question.first)
        .replace("LAST", question.last);
    sandbox.write("ask.lua", &script);
    let threads = if connections == "1" { "1" } else { "2" };
    // One thread asks for a half of the accounts only, which is enough.
    let mut command = Command::new("wrk");
    command.args([
        "-t",
        threads,
        "-c",
        connections,
        "-d",
        SECONDS,
        "--latency",
        "-H",
        AUTHORIZATION,
        "-s",
    ]);
    command
        .arg(sandbox.path("ask.lua"))
        .args([address, "--", times]);
    let run = Run::of(&mut command).exits(0);
    assert!(
        !run.stdout.contains("Non-2xx") && !run.stdout.contains("Socket errors"),
        "{run}"
    );
    let after = |start: &str| {
        let mut lines = run.stdout.lines().map(str::trim);
        let line = lines.find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("no {start} in {run}"))
            .trim()
            .to_owned()
    };
    Figure {
        per_second: after("Requests/sec:").parse().expect("a number"),
        p99_ms: milliseconds(&after("99%")),
    }
}

/// Reads `1.23ms`, `456.00us` or `1.20s`.
fn milliseconds(text: &str) -> f64 {
    let (number, factor) = [("ms", 1.0), ("us", 1e-3), ("s", 1e3)]
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or_else(|| panic!("{text} is no time"));
    number.parse::<f64>().expect("a number") * factor
}

pub fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    figures[figures.len() / 2]
}

/// Writes each account's answer as a file for nginx, and tells their average length.
fn write_files(cloud: &BenchCloud, sandbox: &Sandbox, size: Size) -> usize {
    let server = serve(cloud, sandbox, false, false);
    let mut client = server.connect();
    std::fs::create_dir_all(sandbox.path("usage")).expect("a folder");
    let mut bytes = 0;
    for account in 1..=size.accounts() {
        let path = format!("/usage/{}", account_uuid(account));
        client.send("GET", &format!("{path}?start=2013-06-01&end=2013-06-30"));
        let answer = client.receive("GET");
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("\"complete\":true"), "{}", answer.body);
        sandbox.write(&path[1..], &answer.body);
        bytes += answer.body.len();
    }
    bytes / size.accounts() as usize
}

fn write_certificate(sandbox: &Sandbox) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    sandbox.write(
        "server.pem",
        &params.self_signed(&key).expect("self-signed").pem(),
    );
    sandbox.write("key.pem", &key.serialize_pem());
}

impl Nginx {
    fn start(sandbox: &Sandbox) -> Nginx {
        let folder = sandbox.folder().display().to_string();
        let [plain, encrypted] = [free_port(), free_port()];
        let text = format!(
            "worker_processes auto;\nerror_log {folder}/nginx-errors;\npid {folder}/nginx-pid;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n  access_log off;\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 1000000000;\n\
             open_file_cache max=2000;\n  default_type application/json;\n\
             client_body_temp_path {folder}/t1;\n  proxy_temp_path {folder}/t2;\n  fastcgi_temp_path {folder}/t3;\n\
             uwsgi_temp_path {folder}/t4;\n  scgi_temp_path {folder}/t5;\n\
             server {{\n    listen 127.0.0.1:{plain};\n    listen 127.0.0.1:{encrypted} ssl;\n    root {folder};\n\
             ssl_certificate {folder}/server.pem;\n    ssl_certificate_key {folder}/key.pem;\n  }}\n}}\n"
        );
        sandbox.write("nginx.conf", &text);
        // Its workers are nobody's, and nobody may not enter a temporary folder of root's.
        let user = if Run::of(Command::new("id").arg("-u")).stdout.trim() == "0" {
            "user root; "
        } else {
            ""
        };
        let mut command = Command::new("nginx");
        command.arg("-c").arg(sandbox.path("nginx.conf"));
        command
            .args(["-g", &format!("{user}daemon off;")])
            .stderr(Stdio::null());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin"));
        let child = command.spawn().expect("start nginx");
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", plain)).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Nginx {
            child,
            plain: format!("http://127.0.0.1:{plain}"),
            encrypted: format!("https://127.0.0.1:{encrypted}"),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, it would leave its workers behind.
        let stopped = Command::new("sh")
            .args(["-c", &format!("kill -QUIT {}", self.child.id())])
            .status();
        if stopped.is_ok() {
            let _ = self.child.wait();
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
