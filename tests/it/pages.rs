//! The documentation, held to what the program does: every command of every page is run, and prints what the page
//! shows; pages fit a terminal, their links lead somewhere, and the reference leaves nothing out.

mod architecture;
mod markdown;
mod reference;
mod shell;

use std::path::PathBuf;
use std::process::Command;

use markdown::Block;

use crate::sandbox::{Run, Sandbox};

/// What a page finds when its first command runs: the sample of `rbc-usage sample`, its 40 days imported, and
/// what these commands make of it.
const PREPARED: &[(&str, &str)] = &[
    ("docs/close-a-month.md", "rm -r demo"),
    ("docs/host-died.md", TWO_DAYS_BEHIND),
    ("docs/ledger.md", "mkdir srv/usage"),
    ("docs/set-up.md", NO_LEDGER),
    ("docs/upgrade.md", "mkdir var/backups/rbc-usage"),
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
        "docs/database.md",
        "rbc-usage copy cloudusage.cfg database.cfg",
        "takes a MariaDB server",
    ),
    (
        "docs/host-died.md",
        "rbc-usage copy sqlite:////var/backups/rbc-usage/usage.db /etc/rbc-usage/cloudusage.cfg",
        "takes a MariaDB server; the tests in copy.rs have one",
    ),
    (
        "README.md",
        "[main]",
        "the addresses of somebody's databases",
    ),
    (
        "docs/ledger.md",
        "groupadd usage-readers",
        "groups of this machine; the tests in readers.rs have such a folder",
    ),
    (
        "docs/set-up.md",
        "make deb",
        "make deb-test builds the package",
    ),
    (
        "docs/set-up.md",
        "dpkg --install rbc-usage_*.deb",
        "make deb-test installs it where that harms nobody",
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
        "0 7 * * * rbc-usage /usr/local/bin/rbc-usage status --check --quiet",
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

pub fn root() -> PathBuf {
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
    let commands = reference::subcommands();
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

/// Users other than the program's own read the copy that `docs/ledger.md` makes, in a folder that they cannot write
/// to, and could not read the ledger itself so.
#[test]
fn another_user_reads_the_copy_for_readers() {
    let sandbox = shell::imported_sample();
    let copy = sandbox.path("readers");
    std::fs::create_dir(&copy).expect("make a folder");
    let commands = commands("docs/ledger.md", "rbc-usage backup /srv/usage/usage.new")
        .replace("/srv/usage", "readers")
        .replace("rbc-usage ", &format!("{} ", crate::sandbox::program()));
    let mut publish = Command::new("sh");
    publish
        .args(["-ec", &commands])
        .current_dir(sandbox.folder());
    publish.env("RBC_USAGE_CONFIG", "demo/cloudusage.cfg");
    Run::of(&mut publish).exits(0);
    std::fs::copy(sandbox.path("demo/usage.db"), copy.join("wal.db")).expect("copy the ledger");
    let protect = "chmod 755 . && chmod 444 readers/* && chmod 555 readers";
    Run::of(
        Command::new("sh")
            .args(["-c", protect])
            .current_dir(sandbox.folder()),
    )
    .exits(0);
    let read = |file: &str| {
        let ask = format!("sqlite3 -readonly readers/{file} 'select count(*) from days'");
        // Root may write whatever a mode says.
        let ask = format!("if [ $(id -u) = 0 ]; then exec runuser -u nobody -- {ask}; fi; {ask}");
        Run::of(
            Command::new("sh")
                .args(["-c", &ask])
                .current_dir(sandbox.folder()),
        )
    };
    let answer = read("usage.db").exits(0).complains("");
    assert_eq!(answer.stdout, "40\n");
    let refused = read("wal.db");
    assert!(refused.stderr.contains("readonly database"), "{refused}");
    Run::of(Command::new("chmod").arg("755").arg(&copy)).exits(0);
}
