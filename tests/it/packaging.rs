//! The files of `packaging/`: what they start is what the program takes.

use std::path::{Path, PathBuf};

use crate::sandbox::Sandbox;

fn files() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let with_text = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    files.into_iter().map(with_text).collect()
}

#[test]
fn every_command_in_them_is_one_the_program_takes() {
    let sandbox = Sandbox::new();
    let mut found = 0;
    for (path, text) in files() {
        let commands = text.lines().filter(|line| !line.starts_with(['#', ';']));
        for command in commands.filter_map(|line| line.split_once("/bin/rbc-usage ")) {
            let mut words: Vec<&str> = command.1.split_whitespace().collect();
            // Takes the words apart, and does nothing.
            words.push("--help");
            let run = sandbox.run(&words);
            assert_eq!(run.code, Some(0), "{}: {run}", path.display());
            found += 1;
        }
    }
    assert_eq!(found, 3);
}

/// Every setting has a name and a section; a timer starts a service that is here.
#[test]
fn units_are_made_of_sections_and_settings() {
    for (path, text) in files() {
        let mut section = None;
        for line in text.lines().filter(|line| !line.is_empty()) {
            if line.starts_with('[') && line.ends_with(']') {
                section = Some(line);
            } else if !line.starts_with(['#', ';']) {
                let (name, _) = line.split_once('=').expect(line);
                assert!(
                    section.is_some() && !name.ends_with(' '),
                    "{}: {line}",
                    path.display()
                );
            }
        }
        if path.extension().is_some_and(|end| end == "timer") {
            assert!(path.with_extension("service").is_file());
        }
    }
}
