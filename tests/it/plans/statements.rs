//! The statements of the program: the texts of `src/ledger`, found in its source.

use std::fs;
use std::path::{Path, PathBuf};

/// What reads and writes whole tables, or asks a server about itself.
const WHOLE: [&str; 5] = [
    "ledger/copy.rs",
    "ledger/engine/cluster.rs",
    "ledger/engine/lease.rs",
    "ledger/references.rs",
    "ledger/schema/cluster.rs",
];

/// Where a statement begins.
const VERBS: [&str; 8] = [
    "select", "insert", "update", "delete", "with", "replace", "create", "drop",
];

/// A text in the source, with its place.
pub struct Literal {
    pub place: String,
    pub text: String,
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// Every text of `src/ledger` outside tests.
pub fn literals() -> Vec<Literal> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join("ledger.rs")];
    source_files(&src.join("ledger"), &mut files);
    files.sort();
    let mut literals = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]\n").next().unwrap();
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        if WHOLE.contains(&name.as_str()) {
            continue;
        }
        literals.extend(texts(code).into_iter().map(|(line, text)| Literal {
            place: format!("src/{name}:{line}"),
            text,
        }));
    }
    literals
}

/// The texts of a piece of Rust, each with its line. Knows comments, characters, escapes and raw texts.
pub fn texts(code: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while at < chars.len() {
        let next = chars.get(at + 1).copied();
        match (chars[at], next) {
            ('/', Some('/')) => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
                continue;
            }
            ('\'', Some('\\')) => at += 3,
            ('\'', Some(_)) if chars.get(at + 2) == Some(&'\'') => at += 2,
            ('r', Some('"' | '#')) if at == 0 || !is_word(chars[at - 1]) => {
                let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
                if chars.get(at + 1 + hashes) == Some(&'"') {
                    let end: String = format!("\"{}", "#".repeat(hashes));
                    let rest: String = chars[at + 2 + hashes..].iter().collect();
                    let text = &rest[..rest.find(&end).unwrap()];
                    found.push((line, text.to_owned()));
                    line += text.matches('\n').count();
                    at += 1 + hashes + text.chars().count() + end.len();
                }
            }
            ('"', _) => {
                let began = line;
                let mut text = String::new();
                at += 1;
                while chars[at] != '"' {
                    match (chars[at], chars[at + 1]) {
                        ('\\', '\n') => {
                            line += 1;
                            at += 2;
                            while chars[at].is_whitespace() {
                                line += usize::from(chars[at] == '\n');
                                at += 1;
                            }
                        }
                        ('\\', escaped) => {
                            text.push(if escaped == 'n' { '\n' } else { escaped });
                            at += 2;
                        }
                        (c, _) => {
                            line += usize::from(c == '\n');
                            text.push(c);
                            at += 1;
                        }
                    }
                }
                found.push((began, text));
            }
            ('\n', _) => line += 1,
            _ => {}
        }
        at += 1;
    }
    found
}

/// In one line.
pub fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statement that a text is, if it is one; not what changes the schema.
pub fn statement(sql: &str) -> Option<&str> {
    let verb = sql.split(' ').next().unwrap_or("");
    (!sql.starts_with("--") && VERBS.contains(&verb)).then_some(sql)
}
