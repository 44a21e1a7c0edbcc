//! `make compare OLD=/path/to/another/rbc-usage`: what two versions of the program print and answer, byte for byte,
//! over the sample and over a CloudStack in MariaDB. Both get ledgers and folders of their own. Prints how many outputs
//! were compared and, of each kind that differs, how many and the first line that does; the reader judges.
//!
//! What is of the moment is left out: today's times, how long something took, ids of requests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fixtures::large_cloud::{BenchCloud, Size};
use fixtures::mariadb;
use fixtures::sandbox::{Run, Sandbox, program};
use fixtures::server::{Answer, Server};
use serde_json::Value;

/// Headers that belong to one answer or, as `ETag` does, to one ledger.
const OF_THE_MOMENT: [&str; 3] = ["date", "etag", "x-request-id"];

/// Accounts asked for one by one, in each cloud.
const ACCOUNTS: usize = 25;

/// One version of the program with folders of its own.
struct Version {
    program: PathBuf,
    folder: PathBuf,
}

/// What both said to the same question.
#[derive(Default)]
struct Comparison {
    compared: usize,
    differ: BTreeMap<String, (usize, String)>,
}

fn main() {
    let old = std::env::var("OLD").expect("OLD: the path of another rbc-usage to compare with");
    let mut comparison = Comparison::default();
    let sandbox = Sandbox::new();
    let versions = versions(&sandbox, &old);
    for version in &versions {
        version.run(&["sample", "."]).exits(0);
    }
    compare(&versions, &mut comparison);

    let database = mariadb::Server::start();
    let cloud = BenchCloud::build(&database, Size::S);
    let sandbox = Sandbox::new();
    let versions = self::versions(&sandbox, &old);
    for version in &versions {
        let from = cloud.cloud.sandbox.path("cloudusage.cfg");
        std::fs::copy(from, version.folder.join("cloudusage.cfg")).expect("copy a configuration");
    }
    compare(&versions, &mut comparison);

    println!("{} outputs compared", comparison.compared);
    for (kind, (count, first)) in &comparison.differ {
        println!("{kind}: {count} differ, first:\n{first}");
    }
}

fn versions(sandbox: &Sandbox, old: &str) -> [Version; 2] {
    [("old", old), ("new", program())].map(|(name, program)| {
        let folder = sandbox.path(name);
        std::fs::create_dir(&folder).expect("make a folder");
        Version {
            program: PathBuf::from(program),
            folder,
        }
    })
}

impl Version {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(&self.folder).env_clear();
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Run {
        Run::of(&mut self.command(words))
    }
}

/// Asks both the same, first on the command line and then over HTTP.
fn compare(versions: &[Version; 2], comparison: &mut Comparison) {
    for words in ["initdb", "import", "status", "check --quick"] {
        comparison.run(versions, words);
    }
    let state = versions[1].run(&["status", "--format", "json"]);
    let state: Value = serde_json::from_str(&state.stdout).expect("a status in JSON");
    let day = |name: &str| state[name].as_str().expect("a day").to_owned();
    let (first, last) = (day("first_day"), day("newest_closed_day"));
    let month = &first[..7];
    let accounts = accounts(&versions[1]);
    for words in commands(&first, &last, month, &accounts) {
        comparison.run(versions, &words);
    }
    let servers = versions
        .each_ref()
        .map(|version| Server::of(&mut version.command(&["serve", "--bind", "127.0.0.1:0"])));
    for target in targets(&first, &last, month, &accounts) {
        for headers in ["", "Accept: text/csv\r\n"] {
            comparison.ask(&servers, &target, headers);
        }
    }
    drop(servers);
    for words in [
        format!("seal {month}"),
        format!("seal {month} --anyway"),
        "corrections list".to_owned(),
        format!("unseal {month}"),
        format!("verify {month}"),
    ] {
        comparison.run(versions, &words);
    }
}

/// Uuids of some accounts.
fn accounts(version: &Version) -> Vec<String> {
    let serve = Server::of(&mut version.command(&["serve", "--bind", "127.0.0.1:0"]));
    let answer = serve.get(&format!("/v1/accounts?limit={ACCOUNTS}"));
    let list: Value = serde_json::from_str(&answer.body).expect("accounts in JSON");
    let accounts = list["accounts"].as_array().expect("a list of accounts");
    let uuid = |account: &Value| account["account_uuid"].as_str().expect("a uuid").to_owned();
    accounts.iter().map(uuid).collect()
}

fn commands(first: &str, last: &str, month: &str, accounts: &[String]) -> Vec<String> {
    let mut commands = Vec::new();
    for by in [
        "account",
        "project",
        "domain",
        "metric",
        "day",
        "month",
        "offering",
        "account,metric",
        "account,day",
        "metric,month",
    ] {
        commands.push(format!("report {month} --by {by}"));
        commands.push(format!("report -s {first} -e {last} --by {by} --top 5"));
    }
    for words in [
        "status",
        "findings list",
        "findings list --all",
        "corrections list",
    ] {
        commands.push(words.to_owned());
    }
    commands.push(format!("verify {month}"));
    commands.push(format!("verify -s {first} -e {last}"));
    for account in accounts {
        commands.push(format!("report {month} --account {account}"));
        commands.push(format!("explain {account} {first}"));
        commands.push(format!("explain {account} {last}"));
    }
    let formats = ["", " --format json", " --format csv"];
    let mut all: Vec<String> = commands
        .iter()
        .flat_map(|words| formats.map(|format| format!("{words}{format}")))
        .collect();
    all.push(format!("report {month} --format focus"));
    all.push("report".to_owned());
    all.push("report 2013-13".to_owned());
    all.push("explain nobody 2013-06-01".to_owned());
    all
}

fn targets(first: &str, last: &str, month: &str, accounts: &[String]) -> Vec<String> {
    let mut targets: Vec<String> = [
        "/",
        "/healthz",
        "/readyz",
        "/nothing",
        "/usage/",
        "/v1/",
        "/v1/version",
        "/v1/days",
        "/v1/accounts",
        "/v1/accounts?limit=3",
        "/v1/findings",
        "/v1/corrections",
        "/v1/nothing",
        "/v1/usage",
        "/v1/usage?month=2013-13",
    ]
    .map(str::to_owned)
    .to_vec();
    let ranges = [
        format!("start={first}&end={last}"),
        format!("start={first}&end={first}"),
        format!("start={last}&end={first}"),
        format!("start={first}"),
        format!("start={last}&end={last}"),
        format!("end={last}"),
        "start=x".to_owned(),
        "start=2010-01-01&end=2030-01-01".to_owned(),
    ];
    for account in accounts.iter().map(String::as_str).chain(["nobody", "%41"]) {
        for range in &ranges {
            targets.push(format!("/usage/{account}?{range}"));
        }
        for range in ranges.iter().chain([&format!("month={month}")]) {
            targets.push(format!("/v1/accounts/{account}/usage?{range}"));
        }
        for granularity in ["day", "month", "total"] {
            targets.push(format!(
                "/v1/accounts/{account}/usage?month={month}&granularity={granularity}"
            ));
        }
    }
    for range in ranges.iter().chain([&format!("month={month}")]) {
        for path in ["/v1/usage", "/v1/days", "/v1/findings", "/v1/corrections"] {
            targets.push(format!("{path}?{range}"));
            targets.push(format!("{path}?{range}&limit=4"));
        }
        targets.push(format!("/v1/domains/%2F/usage?{range}"));
    }
    targets
}

impl Comparison {
    fn run(&mut self, versions: &[Version; 2], words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        let said = versions.each_ref().map(|version| {
            let run = version.run(&words);
            let folder = version.folder.display().to_string();
            let text = format!("{:?}\n{}\n{}", run.code, run.stdout, run.stderr);
            lasting(&text.replace(&folder, "FOLDER"))
        });
        let format = words.windows(2).find(|pair| pair[0] == "--format");
        let format = format.map_or("", |pair| pair[1]);
        let kind = format!("{} {format}", words[0]);
        self.note(kind.trim_end(), &words.join(" "), &said);
    }

    fn ask(&mut self, servers: &[Server; 2], target: &str, headers: &str) {
        let said = servers.each_ref().map(|server| {
            let mut client = server.connect();
            client.send_bytes(&format!(
                "GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
            ));
            in_words(&client.receive("GET"))
        });
        let path = target.split('?').next().unwrap_or(target);
        let path = Path::new(path);
        let mut parts: Vec<String> = path
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        // Whose usage it is makes no kind of its own.
        for part in parts.iter_mut().skip(2) {
            if part.len() > 20 {
                *part = "…".to_owned();
            }
        }
        let kind = format!("{} {}", parts.join("/"), headers.trim_end());
        self.note(kind.trim_end(), target, &said);
    }

    fn note(&mut self, kind: &str, question: &str, said: &[String; 2]) {
        self.compared += 1;
        let [old, new] = said;
        if old == new {
            return;
        }
        let (count, _) = self.differ.entry(kind.to_owned()).or_insert_with(|| {
            let mut pairs = old.lines().zip(new.lines());
            let pair = pairs.find(|(old, new)| old != new);
            let cut = |line: &str| line.chars().take(400).collect::<String>();
            let (old, new) = pair.unwrap_or(("(one is longer)", ""));
            (
                0,
                format!("  {question}\n  - {}\n  + {}", cut(old), cut(new)),
            )
        });
        *count += 1;
    }
}

fn in_words(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !OF_THE_MOMENT.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    headers.sort();
    headers.iter().for_each(|line| text.push_str(line));
    text.push_str(&answer.body);
    lasting(&text)
}

/// Without the times of today, and without the figure of "took 0.4 s".
fn lasting(text: &str) -> String {
    let today = time::OffsetDateTime::now_utc().date().to_string();
    let mut lasting = String::new();
    for word in text.split_inclusive([' ', '\n', '"', ',']) {
        let bare = word.trim_end_matches([' ', '\n', '"', ',']);
        let is_now = bare.starts_with(&today) && bare.ends_with('Z');
        let is_number = bare.parse::<f64>().is_ok() && bare.contains('.');
        if is_now {
            lasting.push_str(&word.replace(bare, "NOW"));
        } else if is_number
            && (text.contains(&format!("{bare} s\n"))
                || text.contains(&format!("\"last_import_seconds\": {bare}")))
        {
            lasting.push_str(&word.replace(bare, "TOOK"));
        } else {
            lasting.push_str(word);
        }
    }
    lasting
}
