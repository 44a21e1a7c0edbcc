//! `docs/walkthrough.md`, command by command: what it says is printed is printed.

use std::path::Path;
use std::process::Command;

use crate::sandbox::{PROGRAM, Run, Sandbox};

const DOCUMENT: &str = include_str!("../../docs/walkthrough.md");

/// Stands for lines that the document leaves out.
const ELLIPSIS: &str = "…";

/// A command of the document, and the lines below it.
struct Step {
    command: String,
    prints: Vec<String>,
}

/// Commands are indented and begin with a dollar; what is indented below them is their output.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut printing = false;
    for line in DOCUMENT.lines() {
        match line.strip_prefix("    ") {
            Some(code) => match code.strip_prefix("$ ") {
                Some(command) => {
                    printing = true;
                    steps.push(Step {
                        command: command.to_owned(),
                        prints: Vec::new(),
                    });
                }
                None => {
                    assert!(printing, "the output of no command: {line}");
                    steps.last_mut().unwrap().prints.push(code.to_owned());
                }
            },
            // A blank line ends an output only if text follows it.
            None if line.is_empty() && printing => {
                steps.last_mut().unwrap().prints.push(String::new());
            }
            None => printing = false,
        }
    }
    for step in &mut steps {
        while step.prints.last().is_some_and(String::is_empty) {
            step.prints.pop();
        }
    }
    steps
}

/// Runs a command as a shell would, with both its streams in one.
fn print(command: &str, sandbox: &Sandbox, environment: &[(String, String)]) -> String {
    if let Some((file, sql)) = command
        .strip_prefix("sqlite3 ")
        .and_then(|rest| rest.split_once(" \""))
    {
        // The shell may be without it.
        let db = rusqlite::Connection::open(sandbox.path(file)).unwrap();
        db.execute_batch(sql.strip_suffix('"').unwrap()).unwrap();
        return String::new();
    }
    let folder = Path::new(PROGRAM).parent().unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(sandbox.folder())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .envs(environment.iter().map(|(name, value)| (name, value)));
    Run::of(&mut shell).stdout
}

/// Times of day and how long something took are others every time. Blanks at the end are not to be seen.
fn comparable(line: &str) -> String {
    let is_time = |word: &str| {
        let word = word.trim_end_matches([',', ':']);
        word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T'
    };
    let mut words: Vec<&str> = line.trim_end().split(' ').collect();
    let count = words.len();
    if count > 2 && words[count - 1] == "s" && words[count - 2].parse::<f64>().is_ok() {
        words[count - 2] = "N";
    }
    let words = words
        .iter()
        .map(|word| if is_time(word) { "<time>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether lines are those of the document, where an ellipsis may stand for any.
fn matches(lines: &[String], prints: &[String]) -> bool {
    match prints.iter().position(|line| line == ELLIPSIS) {
        None => lines == prints,
        Some(place) => {
            let (head, tail) = (&prints[..place], &prints[place + 1..]);
            lines.len() > head.len() + tail.len()
                && lines.starts_with(head)
                && lines.ends_with(tail)
        }
    }
}

#[test]
fn every_command_prints_what_the_document_says() {
    let sandbox = Sandbox::new();
    let mut environment: Vec<(String, String)> = Vec::new();
    let steps = steps();
    assert!(steps.len() > 20, "{} commands", steps.len());
    for step in steps {
        if let Some(setting) = step.command.strip_prefix("export ") {
            let (name, value) = setting.split_once('=').unwrap();
            environment.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let printed = print(&step.command, &sandbox, &environment);
        let lines: Vec<String> = printed.lines().map(comparable).collect();
        let prints: Vec<String> = step.prints.iter().map(|line| comparable(line)).collect();
        assert!(
            matches(&lines, &prints),
            "$ {}\nprinted:\n{printed}\nthe document has:\n{}",
            step.command,
            step.prints.join("\n")
        );
    }
}

#[test]
fn an_output_that_differs_is_noticed() {
    let lines = |text: &str| -> Vec<String> { text.lines().map(comparable).collect() };
    assert!(matches(&lines("a\nb\nc\nd"), &lines("a\n…\nd")));
    assert!(!matches(&lines("a\nd"), &lines("a\n…\nd")));
    assert!(!matches(&lines("a\nb\nc"), &lines("a\n…\nd")));
    assert!(!matches(&lines("a\nb"), &lines("a")));
    assert!(matches(
        &lines("done 2026-11-25T03:08:55Z, 2.1 s"),
        &lines("done 2026-11-26T00:00:00Z, 0.5 s")
    ));
    assert!(!matches(&lines("1 days, 2 s"), &lines("2 days, 2 s")));
}
