//! The command line before it is parsed: links named after the old programs, and options that stand before the
//! command they are for.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Options that may stand before the command: each takes a value, and belongs to the command.
const MOVABLE: [&str; 2] = ["--config", "--format"];

/// Commands that have commands of their own, and these.
const NESTED: [(&str, [&str; 2]); 2] = [
    ("findings", ["ack", "unack"]),
    ("corrections", ["ack", "unack"]),
];

/// The words as the parser takes them.
pub fn normalized(arguments: Vec<OsString>) -> Vec<OsString> {
    with_options_behind(with_old_names(arguments))
}

/// Turns the command line of a link named after an old program into ours.
///
/// `rbc-import-cloudusage …` is `rbc-usage import …`; `rbc-usage-server [HOST:PORT]` is
/// `rbc-usage serve [--bind HOST:PORT]`.
fn with_old_names(arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments
        .first()
        .and_then(|path| Path::new(path).file_name())
        .map(OsString::from);
    let rest = arguments.iter().skip(1).cloned();
    let ours = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    match name.as_ref().and_then(|name| name.to_str()) {
        Some("rbc-import-cloudusage") => ours(&["rbc-usage", "import"])
            .into_iter()
            .chain(rest)
            .collect(),
        Some("rbc-usage-server") => {
            let is_address = |word: &OsString| !word.to_string_lossy().starts_with('-');
            let bind = arguments.get(1).is_some_and(is_address);
            let words = if bind {
                ours(&["rbc-usage", "serve", "--bind"])
            } else {
                ours(&["rbc-usage", "serve"])
            };
            words.into_iter().chain(rest).collect()
        }
        _ => arguments,
    }
}

/// Moves options from before a command, or before its own command, to behind it: so a command refuses what it does
/// not have, and its help names what it has.
fn with_options_behind(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut words = arguments.into_iter().peekable();
    let mut commands: Vec<OsString> = words.next().into_iter().collect();
    let mut options = Vec::new();
    while let Some(word) = words.peek() {
        if let Some(has_value) = movable(word) {
            options.extend(words.next());
            options.extend(words.next_if(|_| !has_value));
        } else if is_command(&commands, word) {
            commands.extend(words.next());
        } else {
            break;
        }
    }
    commands.into_iter().chain(options).chain(words).collect()
}

/// Whether a word is an option that may stand before the command; if so, whether its value is in the word.
fn movable(word: &OsStr) -> Option<bool> {
    let word = word.to_str()?;
    let option = MOVABLE.iter().find_map(|option| word.strip_prefix(option));
    match option? {
        "" => Some(false),
        value => value.starts_with('=').then_some(true),
    }
}

fn is_command(before: &[OsString], word: &OsStr) -> bool {
    match before {
        [_program] => !word.as_encoded_bytes().starts_with(b"-"),
        [_program, command] => NESTED
            .iter()
            .any(|(name, nested)| command == name && nested.iter().any(|one| word == *one)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(line: &str) -> String {
        let words = normalized(line.split(' ').map(OsString::from).collect());
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn the_old_names_become_commands() {
        assert_eq!(
            normal("/usr/bin/rbc-import-cloudusage -s 2013-06-01 -e 2013-06-05 -f -n"),
            "rbc-usage import -s 2013-06-01 -e 2013-06-05 -f -n"
        );
        assert_eq!(
            normal("rbc-usage-server 127.0.0.1:8888"),
            "rbc-usage serve --bind 127.0.0.1:8888"
        );
        assert_eq!(normal("rbc-usage-server --help"), "rbc-usage serve --help");
        assert_eq!(normal("rbc-usage-server"), "rbc-usage serve");
        assert_eq!(normal("rbc-usage import"), "rbc-usage import");
    }

    #[test]
    fn options_before_a_command_are_its_own() {
        for (written, parsed) in [
            (
                "rbc-usage --config a.cfg --format=json report 2013-06",
                "rbc-usage report --config a.cfg --format=json 2013-06",
            ),
            (
                "rbc-usage --config a.cfg findings ack 17",
                "rbc-usage findings ack --config a.cfg 17",
            ),
            (
                "rbc-usage findings --config a.cfg ack 17",
                "rbc-usage findings ack --config a.cfg 17",
            ),
            (
                "rbc-usage report --top 1 --format csv",
                "rbc-usage report --top 1 --format csv",
            ),
            ("rbc-usage --config", "rbc-usage --config"),
            ("rbc-usage --configure x", "rbc-usage --configure x"),
            (
                "rbc-usage --version --config x",
                "rbc-usage --version --config x",
            ),
        ] {
            assert_eq!(normal(written), parsed);
        }
    }
}
