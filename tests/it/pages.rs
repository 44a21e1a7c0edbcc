//! The documentation, held to what the program does: every command of every page is run, and prints what the page
//! shows; pages fit a terminal, their links lead somewhere, and the reference leaves nothing out.

mod markdown;
mod shell;

use std::path::PathBuf;

use markdown::Block;

/// What a page finds when its first command runs: the sample of `rbc-usage sample`, its 40 days imported, and
/// what these commands make of it. `nothing`: an empty folder.
const PREPARED: &[(&str, &str)] = &[("docs/close-a-month.md", "nothing")];

/// Blocks of commands or configuration that no test here can run: page, first line, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[];

/// Pages that are held to this so far.
const WRITTEN: &[&str] = &["docs/close-a-month.md", "docs/dispute.md", "docs/prices.md"];

/// Languages of blocks that are run.
const RUN: [&str; 3] = ["console", "sh", "ini"];

/// Languages of blocks that hold no command.
const DATA: [&str; 6] = ["json", "text", "yaml", "nginx", "sql", "http"];

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
    names.retain(|name| WRITTEN.contains(&name.as_str()));
    names.iter().map(|name| page(name)).collect()
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
    let next = std::sync::Mutex::new(pages.iter());
    let work = || {
        let mut differences = Vec::new();
        loop {
            // A statement of its own: it gives the pages back before one is run.
            let page = next.lock().expect("no other page panicked").next();
            match page {
                Some(page) => differences.extend(run(page)),
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

fn run(page: &Page) -> Vec<String> {
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
    shell::run(&page.name, prepared, &blocks)
}

/// A block is run, or listed with the reason why not, or holds no command.
#[test]
fn no_command_escapes() {
    let mut listed = 0;
    for page in pages() {
        for block in markdown::blocks(&page.name, &page.text) {
            let place = format!("{}:{}", page.name, block.line);
            let language = block.language.as_str();
            if RUN.contains(&language) {
                listed += usize::from(is_listed(&page.name, &block));
                continue;
            }
            assert!(DATA.contains(&language), "{place}: what is {language}?");
            for line in &block.lines {
                let commands = ["$ ", "curl ", "rbc-usage ", "sqlite3 ", "systemctl "];
                let is_command = commands.iter().any(|start| line.starts_with(start));
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
