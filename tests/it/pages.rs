//! The documentation, held to what the program does: every command of every page is run, and prints what the page
//! shows; pages fit a terminal, their links lead somewhere, and the reference leaves nothing out.

mod markdown;
mod shell;

use std::path::PathBuf;

use markdown::Block;

use crate::sandbox::Sandbox;
use crate::server::Server;

/// What a page finds when its first command runs: the sample of `rbc-usage sample`, its 40 days imported, and
/// what these commands make of it.
const PREPARED: &[(&str, &str)] = &[
    ("docs/close-a-month.md", "rm -r demo"),
    ("docs/host-died.md", TWO_DAYS_BEHIND),
    ("docs/set-up.md", NO_LEDGER),
    ("docs/wrong-zone.md", TEN_DAYS_OF_GMT),
];

/// The ledger will lie where it does on a real machine.
const NO_LEDGER: &str = "
    rm demo/usage.db*
    configure main rbc_usage_uri sqlite:////var/lib/rbc-usage/usage.db
";

/// The ledger lies where it does on a real machine, and lacks two days.
const TWO_DAYS_BEHIND: &str = "
    rm demo/usage.db*
    configure main rbc_usage_uri sqlite:////var/lib/rbc-usage/usage.db
    rbc-usage initdb
    rbc-usage import -s 2026-09-25 -e 2026-11-01
";

const TEN_DAYS_OF_GMT: &str = "
    rm demo/usage.db*
    configure main timezone GMT
    rbc-usage initdb
    rbc-usage import -s 2026-10-01 -e 2026-10-10 -f || true
    rbc-usage import 2026-10-11 || true
";

/// Blocks of commands or configuration that no test here can run: page, first line, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    (
        "README.md",
        "[main]",
        "the addresses of somebody's databases",
    ),
    (
        "docs/set-up.md",
        "make install",
        "it builds a release, as make systemd-test does before it installs the program",
    ),
    (
        "docs/set-up.md",
        "install -m 0640 -g rbc-usage cloudusage.cfg.example /etc/rbc-usage/cloudusage.cfg",
        "the sample's configuration stays",
    ),
    (
        "docs/set-up.md",
        "[main]",
        "the addresses of somebody's databases",
    ),
    (
        "docs/upgrade.md",
        "make install",
        "it builds a release, as make systemd-test does",
    ),
    (
        "docs/watch.md",
        "0 7 * * * rbc-usage /usr/local/bin/rbc-usage status --check",
        "the sample's usage server is silent, so there always is something to print",
    ),
    (
        "docs/wrong-zone.md",
        "rbc-usage rezone Europe/Stockholm --from 2026-06-12",
        "the sample's CloudStack stays in one zone; tests of rezone move it",
    ),
];

/// Languages of blocks that are run.
const RUN: [&str; 4] = ["console", "sh", "ini", "cron"];

/// Languages of blocks that hold no command.
const DATA: [&str; 6] = ["json", "text", "yaml", "nginx", "sql", "http"];

/// The language of synopses of commands, such as `rbc-usage seal PERIOD`.
const SYNOPSIS: &str = "usage";

struct Page {
    /// Below the root of the project, such as `docs/days.md`.
    name: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> Page {
    Page {
        name: name.to_owned(),
        text: std::fs::read_to_string(root().join(name)).expect(name),
    }
}

/// Every page there is.
fn pages() -> Vec<Page> {
    let folder = std::fs::read_dir(root().join("docs")).expect("list docs");
    let mut names: Vec<String> = folder
        .map(|entry| {
            let name = entry.expect("an entry of docs").file_name();
            format!("docs/{}", name.to_string_lossy())
        })
        .filter(|name| name.ends_with(".md"))
        .collect();
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        if root().join(name).is_file() {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.iter().map(|name| page(name)).collect()
}

/// The commands of a page's block that begins with this line, for tests that run them elsewhere.
pub fn commands(name: &str, first_line: &str) -> String {
    let blocks = markdown::blocks(name, &page(name).text);
    let is_it = |block: &&Block| block.lines.first().is_some_and(|line| line == first_line);
    let block = blocks.iter().find(is_it).expect(first_line);
    block.lines.join("\n")
}

fn is_listed(page: &str, block: &Block) -> bool {
    let first = block.lines.first().map_or("", String::as_str);
    NOT_RUN
        .iter()
        .any(|(name, line, _)| *name == page && *line == first)
}

/// Two pages at a time: most of what they do is waiting for one another's processes.
#[test]
fn every_command_prints_what_its_page_shows() {
    let pages = pages();
    let sample = shell::imported_sample();
    let next = std::sync::Mutex::new(pages.iter());
    let work = || {
        let mut differences = Vec::new();
        loop {
            // A statement of its own: it gives the pages back before one is run.
            let page = next.lock().expect("no other page panicked").next();
            match page {
                Some(page) => differences.extend(run(page, &sample)),
                None => return differences,
            }
        }
    };
    let differences = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut differences = work();
        differences.extend(other.join().expect("no page panics"));
        differences
    });
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

fn run(page: &Page, sample: &Sandbox) -> Vec<String> {
    let blocks: Vec<Block> = markdown::blocks(&page.name, &page.text)
        .into_iter()
        .filter(|block| RUN.contains(&block.language.as_str()))
        .filter(|block| !is_listed(&page.name, block))
        .collect();
    if blocks.is_empty() {
        return Vec::new();
    }
    let prepared = PREPARED.iter().find(|(name, _)| *name == page.name);
    let prepared = prepared.map_or("", |(_, commands)| commands);
    shell::run(&page.name, prepared, &blocks, sample)
}

/// A block is run, or listed with the reason why not, or holds no command.
#[test]
fn no_command_escapes() {
    let commands = subcommands();
    let mut listed = 0;
    for page in pages() {
        for block in markdown::blocks(&page.name, &page.text) {
            let place = format!("{}:{}", page.name, block.line);
            let language = block.language.as_str();
            if RUN.contains(&language) {
                listed += usize::from(is_listed(&page.name, &block));
                continue;
            }
            if language == SYNOPSIS {
                let named = block
                    .lines
                    .iter()
                    .filter_map(|line| line.strip_prefix("rbc-usage "));
                for name in named.filter_map(|rest| rest.split(' ').next()) {
                    assert!(
                        commands.iter().any(|command| command == name),
                        "{place}: {name}"
                    );
                }
                continue;
            }
            assert!(DATA.contains(&language), "{place}: what is {language}?");
            for line in &block.lines {
                let starts = ["$ ", "curl ", "rbc-usage ", "sqlite3 ", "systemctl "];
                let is_command = starts.iter().any(|start| line.starts_with(start));
                assert!(!is_command, "{place}: a command that is not run: {line}");
            }
        }
    }
    assert_eq!(listed, NOT_RUN.len(), "a block listed here is gone");
    assert!(NOT_RUN.iter().all(|(_, _, reason)| reason.len() > 10));
}

/// What the program prints may be wider: it is shown as it is.
#[test]
fn every_line_fits_into_100_columns() {
    let mut wide = Vec::new();
    for page in pages() {
        let mut lines: Vec<(usize, &str)> = markdown::prose(&page.text);
        let blocks = markdown::blocks(&page.name, &page.text);
        for block in &blocks {
            let typed = |line: &&String| match block.language.as_str() {
                "console" => line.starts_with("$ ") || line.starts_with("> "),
                language => language != "json" && language != "text",
            };
            let typed = block.lines.iter().filter(typed);
            lines.extend(typed.map(|line| (block.line, line.as_str())));
        }
        for (number, line) in lines {
            if line.chars().count() > 100 {
                wide.push(format!("{}:{number}: {line}", page.name));
            }
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
    assert!(page("README.md").text.lines().count() < 200);
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let path = root().join(&page.name);
        let folder = path.parent().expect("a page is in a folder");
        for link in markdown::links(&page.text) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: no {link}", page.name);
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&target).expect("read a linked page");
                let anchors = markdown::anchors(&text);
                assert!(
                    anchors.contains(&anchor.to_owned()),
                    "{}: {link}",
                    page.name
                );
            }
        }
    }
}

/// The names of what `rbc-usage --help` lists.
fn subcommands() -> Vec<String> {
    let help = Sandbox::new().run(&["--help"]).exits(0).stdout;
    let (_, list) = help
        .split_once("\nCommands:\n")
        .expect("a list of commands");
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

/// Every long option that a command's help lists.
fn options(command: &[&str]) -> Vec<String> {
    let mut words = command.to_vec();
    words.push("--help");
    let help = Sandbox::new().run(&words).exits(0).stdout;
    help.lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| {
            let (_, name) = line.split_once("--")?;
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            let end = name.find(|letter| !is_name(letter)).unwrap_or(name.len());
            Some(format!("--{}", &name[..end]))
        })
        .collect()
}

#[test]
fn the_reference_names_every_command_option_and_key() {
    let mut all = String::new();
    for page in pages() {
        if page.name != "CHANGELOG.md" {
            all.push_str(&page.text);
        }
    }
    let commands = subcommands();
    assert!(commands.len() > 15, "{commands:?}");
    let mut unnamed = Vec::new();
    for command in &commands {
        let name = format!("rbc-usage {command}");
        if !all.contains(&name) {
            unnamed.push(name);
        }
        for option in options(&[command]) {
            if option != "--help" && !all.contains(&option) {
                unnamed.push(format!("rbc-usage {command} {option}"));
            }
        }
    }
    let reference = page("docs/configuration.md").text;
    for line in page("cloudusage.cfg.example").text.lines() {
        let line = line
            .strip_prefix("# ")
            .filter(|line| line.contains(" = "))
            .unwrap_or(line);
        let key = line.split_once('=').map(|(key, _)| key.trim());
        if let Some(key) = key.filter(|_| !line.starts_with('#'))
            && !reference.contains(&format!("`{key}`"))
        {
            unnamed.push(format!("key {key}"));
        }
    }
    assert!(unnamed.is_empty(), "in no page: {unnamed:#?}");
}

/// The table in `docs/watch.md` has the metrics that a server has, and no others.
#[test]
fn the_reference_names_every_metric() {
    let sample = shell::imported_sample();
    let words = [
        "serve",
        "--config",
        "demo/cloudusage.cfg",
        "--bind",
        "127.0.0.1:0",
    ];
    let server = Server::of(&mut sample.command(&words));
    // A family without a sample is not there.
    server.get("/usage/nobody");
    server.ask("POST", "/usage/nobody");
    let body = server.get("/metrics").body;
    // Which end a type's name has differs between the formats.
    let name = |name: &str| {
        let ends = ["_total", "_info"];
        let end = ends.iter().find_map(|end| name.strip_suffix(end));
        end.unwrap_or(name).to_owned()
    };
    let types = body.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut served: Vec<String> = types
        .filter_map(|line| line.split(' ').next().map(name))
        .collect();
    // Only a server with TLS has it.
    served.push("rbc_usage_certificate_end_timestamp_seconds".to_owned());
    let page = page("docs/watch.md").text;
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `rbc_usage_"));
    let ends = |letter: char| letter == '`' || letter == '{';
    let mut named: Vec<String> = rows
        .filter_map(|row| row.split(ends).next())
        .map(|row| name(&format!("rbc_usage_{row}")))
        .collect();
    served.sort();
    named.sort();
    assert_eq!(named, served);
}
