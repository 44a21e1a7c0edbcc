//! House rules that a machine can hold, so that nobody has to argue them: which way imports point, where each
//! crate is at home, who may print or read the clock, how long a file gets, and what is left lying around.

mod circles;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The subjects of `src`, from low to high: each may import those before it, and itself. A new subject
/// takes its place here.
const ORDER: &[&str] = &[
    "causes",
    "command_line",
    "id_map",
    "owners",
    "plural",
    "printable",
    "suggestion",
    "sum",
    "day",
    "instant",
    "month",
    "period",
    "zone",
    "zones",
    "metric",
    "unusual",
    "resource",
    "sku",
    "prices",
    "cloud",
    "finding",
    "row",
    "scope",
    "htpasswd",
    "config",
    "db",
    "aggregate",
    "source",
    "ledger",
    "output",
    "html",
    "view",
    "coverage",
    "sealing",
    "sample",
    "status",
    "import",
    "statement",
    "report",
    "verify",
    "explain",
    "http",
    "open",
    "arguments",
    "terminal",
    "cmd",
    "cli",
    "lib",
    "main",
];

/// Crates, and the subjects or files they are named in.
const HOMES: &[(&str, &[&str])] = &[
    ("base64", &["http"]),
    ("bcrypt", &["htpasswd"]),
    ("clap", &["arguments", "cli", "cmd", "output"]),
    ("config", &["config"]),
    ("flate2", &["http"]),
    ("foldhash", &["id_map"]),
    ("form_urlencoded", &["http"]),
    ("httparse", &["http"]),
    ("httpdate", &["http"]),
    ("indicatif", &["cmd/import/report.rs", "terminal"]),
    ("ipnet", &["config", "http"]),
    ("maud", &["html", "http/pages", "statement/page.rs"]),
    ("mysql", &["db"]),
    (
        "percent_encoding",
        &[
            "config/uri/decoded.rs",
            "config/uri/mysql.rs",
            "ledger/engine/file.rs",
            "http",
            "scope",
        ],
    ),
    ("prometheus_client", &["http"]),
    ("ring", &["http"]),
    ("rpassword", &["cmd"]),
    (
        "rusqlite",
        &["db", "ledger/backup", "ledger/engine", "sample"],
    ),
    ("rust_decimal", &["prices", "statement"]),
    ("rust_xlsxwriter", &["output"]),
    (
        "rustix",
        &[
            "arguments/format.rs",
            "cmd/check.rs",
            "cmd/check/readers.rs",
            "cmd/import/on_done.rs",
            "http",
            "ledger/engine",
        ],
    ),
    ("rustls", &["config/uri/mysql.rs", "http", "db/mysql"]),
    ("sd_notify", &["http"]),
    ("serde_json", &["http", "output", "report"]),
    ("signal_hook", &["cmd/import/on_done.rs", "http.rs"]),
    ("siphasher", &["row"]),
    ("socket2", &["http"]),
    ("strsim", &["suggestion"]),
    ("tempfile", &["htpasswd", "ledger/backup", "sample"]),
    ("time", &["day", "instant"]),
    ("tiny_http", &["http"]),
    ("tz", &["zone"]),
    ("tzdb", &["zone"]),
    ("unicode_properties", &["printable"]),
    ("unicode_width", &["output/table", "output/xlsx.rs"]),
    ("x509_parser", &["http/tls.rs"]),
];

/// Crates that any file may name.
const EVERYWHERE: &[&str] = &["anyhow"];

/// Who prints, reads the clock or the environment.
const OUTSIDE_WORLD: [&str; 6] = ["arguments", "cli", "cmd", "http", "main", "terminal"];

/// Lines a file may have, its unit tests included.
const MOST_LINES: usize = 600;

struct File {
    /// Below `src` or `tests/it`, such as `db/mysql.rs`.
    name: String,
    text: String,
}

impl File {
    /// Whether it is a file, or a module's file or one below it.
    fn lives_in(&self, home: &str) -> bool {
        let rest = self.name.strip_prefix(home);
        rest.is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }

    /// The part of the program it belongs to, such as `source`.
    fn subject(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// What comes before the unit tests, without comments; each line with its number.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_tests = self.name.ends_with("tests.rs") || self.name.contains("/tests/");
        self.text
            .lines()
            .take_while(move |line| !is_tests && *line != "#[cfg(test)]")
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim_start()))
            .filter(|(_, line)| !line.starts_with("//"))
    }
}

fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let name = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    paths
        .iter()
        .map(|path| File {
            name: name(path),
            text: fs::read_to_string(path).unwrap(),
        })
        .collect()
}

/// The words that follow `prefix` in a line: of `crate::`, the subjects that are imported.
fn words_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(prefix).map(move |(at, _)| {
        let rest = &line[at + prefix.len()..];
        rest.split(|c| !is_word(c)).next().unwrap_or("")
    })
}

/// Whether a line names a crate: `name::` with neither a path nor a word before it, outside a text.
fn names_crate(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || "_:\"/".contains(c))
    })
}

#[track_caller]
fn nothing(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn imports_point_one_way() {
    let place = |subject: &str| {
        ORDER
            .iter()
            .position(|known| *known == subject)
            .unwrap_or_else(|| panic!("{subject} has no place in ORDER"))
    };
    let mut problems = Vec::new();
    for file in files("src") {
        let own = place(file.subject());
        for (number, line) in file.code() {
            for other in words_after(line, "crate::").filter(|word| !word.is_empty()) {
                if place(other) > own {
                    problems.push(format!("src/{}:{number} imports {other}", file.name));
                }
            }
        }
    }
    nothing(problems);
}

#[test]
fn the_source_and_the_ledger_do_not_know_each_other() {
    let mut problems = Vec::new();
    for file in files("src") {
        let stranger = match file.subject() {
            "source" => "ledger",
            "ledger" => "source",
            _ => continue,
        };
        for (number, line) in file.code() {
            if words_after(line, "crate::").any(|word| word == stranger) {
                problems.push(format!("src/{}:{number} imports {stranger}", file.name));
            }
        }
    }
    nothing(problems);
}

#[test]
fn commands_do_not_import_each_other() {
    let commands: Vec<File> = files("src")
        .into_iter()
        .filter(|file| file.name.starts_with("cmd/"))
        .collect();
    let names: Vec<String> = commands
        .iter()
        .map(|file| file.name["cmd/".len()..].replace(".rs", ""))
        .collect();
    let mut problems = Vec::new();
    for file in &commands {
        for (number, line) in file.code() {
            let used = words_after(line, "super::").chain(words_after(line, "crate::cmd::"));
            for other in used.filter(|word| names.iter().any(|name| name == word)) {
                problems.push(format!("src/{}:{number} imports {other}", file.name));
            }
        }
    }
    nothing(problems);
}

#[test]
fn crates_stay_at_home() {
    let mut problems = Vec::new();
    for file in files("src") {
        for (name, homes) in HOMES {
            if homes.iter().any(|home| file.lives_in(home)) {
                continue;
            }
            // A module of ours may have a crate's name.
            let ours = ["mod", "use super::", "use crate::"];
            let is_ours = |intro: &&str| {
                file.text
                    .contains(&format!("{intro} {name};").replace(":: ", "::"))
            };
            if ours.iter().any(is_ours) {
                continue;
            }
            for (number, _) in file.code().filter(|(_, line)| names_crate(line, name)) {
                problems.push(format!("src/{}:{number} names the crate {name}", file.name));
            }
        }
    }
    nothing(problems);
}

#[test]
fn every_crate_has_a_home() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let dependencies = manifest.split("[dependencies]\n").nth(1).unwrap();
    let names: Vec<String> = dependencies
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_")))
        .collect();
    let at_home =
        |name: &&str| EVERYWHERE.contains(name) || HOMES.iter().any(|(home, _)| home == name);
    let mut problems = Vec::new();
    for name in names.iter().map(|name| crate_name(name)) {
        if !at_home(&name) {
            problems.push(format!("{name} has no place in HOMES"));
        }
    }
    assert!(names.len() > 20, "{names:?}");
    nothing(problems);
}

/// The name of a package in the code, where it has another there.
fn crate_name(package: &str) -> &str {
    match package {
        "tz_rs" => "tz",
        _ => package,
    }
}

#[test]
fn what_is_below_takes_values_and_returns_values() {
    let outside = ["SystemTime::now", "env::var", "io::stdout", "io::stderr"];
    let prints = ["println!", "print!(", "dbg!"];
    let mut problems = Vec::new();
    for file in files("src") {
        for (number, line) in file.code() {
            let does = |words: &[&str]| words.iter().any(|word| line.contains(word));
            let may_reach_out = OUTSIDE_WORLD.contains(&file.subject());
            if does(&prints) || (does(&outside) && !may_reach_out) {
                problems.push(format!("src/{}:{number} {line}", file.name));
            }
        }
    }
    nothing(problems);
}

#[test]
fn nothing_is_unwrapped_or_left_for_later() {
    // Put together here, so that this file does not hold them.
    let later = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let mut problems = Vec::new();
    for file in files("src") {
        for (number, line) in file.code() {
            if line.contains(".unwrap()")
                || line.contains(concat!("to", "do!"))
                || line.contains("unimplemented!")
            {
                problems.push(format!("src/{}:{number} {line}", file.name));
            }
        }
        for (index, line) in file.text.lines().enumerate() {
            if later.iter().any(|word| line.contains(word)) {
                problems.push(format!("src/{}:{} {line}", file.name, index + 1));
            }
        }
    }
    nothing(problems);
}

#[test]
fn each_file_says_what_it_owns_and_stays_short() {
    let mut problems = Vec::new();
    for folder in ["src", "tests/it", "tests/fixtures/src", "benches"] {
        for file in files(folder) {
            let name = format!("{folder}/{}", file.name);
            if !file.text.starts_with("//! ") {
                problems.push(format!("{name} does not open with what it owns"));
            }
            let lines = file.text.lines().count();
            if lines > MOST_LINES {
                problems.push(format!("{name} has {lines} lines"));
            }
            let vague = [
                "util", "common", "helpers", "types", "prelude", "error", "mod",
            ];
            let stem = file.name.rsplit('/').next().unwrap().replace(".rs", "");
            if vague.contains(&stem.as_str()) {
                problems.push(format!("{name} says nothing by its name"));
            }
        }
    }
    nothing(problems);
}

/// But for those that `make chaos` runs, on a cluster of servers.
#[test]
fn no_test_is_left_out() {
    let mark = ["#[ig", "nore"].concat();
    let marked = |file: &File| file.text.contains(&mark) && !file.name.starts_with("chaos");
    let problems = files("src").into_iter().chain(files("tests/it"));
    nothing(problems.filter(marked).map(|file| file.name).collect());
}

/// Names that several types of `src` may share, and why.
const SHARED_NAMES: &[(&str, &str)] = &[("Args", "the arguments of a command, one type a command")];

/// The name of the type that a line declares outside of blocks.
fn declared_type(line: &str) -> Option<&str> {
    let mut words = line.split(' ').skip_while(|word| word.starts_with("pub"));
    let declares = ["struct", "enum", "trait", "type"].contains(&words.next()?);
    let name = words.next().filter(|_| declares)?;
    name.split(|c: char| !c.is_ascii_alphanumeric()).next()
}

/// A reader must be able to search for a type by its name.
#[test]
fn no_two_types_share_a_name() {
    let files = files("src");
    let mut declared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in &files {
        for name in file.text.lines().filter_map(declared_type) {
            declared.entry(name).or_default().push(&file.name);
        }
    }
    assert!(declared.len() > 100, "{} types", declared.len());
    for (name, why) in SHARED_NAMES {
        let shared = declared.get(name).is_some_and(|files| files.len() > 1);
        assert!(shared, "{name} is not shared any more: {why}");
    }
    let shared = declared
        .iter()
        .filter(|(name, files)| files.len() > 1 && SHARED_NAMES.iter().all(|one| one.0 != **name));
    nothing(
        shared
            .map(|(name, files)| format!("{name} is declared in {}", files.join(", ")))
            .collect(),
    );
}
