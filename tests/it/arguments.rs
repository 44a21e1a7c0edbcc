//! Words on the command line that cannot be: each is refused in words of the field, not of the programming language.

use crate::sandbox::{Run, Sandbox};

const PERIOD: &str = "is not a period: write a day, DAY..DAY, YYYY-MM, 7d, 2w, today, yesterday, this-month or last-month";

#[test]
fn what_cannot_be_is_refused_in_words_that_help() {
    let sandbox = Sandbox::new();
    let id = "not an id: `rbc-usage findings` and `rbc-usage corrections` list them";
    for (line, says) in [
        ("import next-month", PERIOD),
        ("status a-b-c", PERIOD),
        (
            "status 2013-13",
            "\"2013-13\" is not a month: write YYYY-MM",
        ),
        ("import --splay soon", "not a whole number from 0 to 86400"),
        ("import --splay 86401", "not a whole number from 0 to 86400"),
        ("findings ack x --reason y", id),
        ("findings ack 0 --reason y", id),
        ("findings unack 1.5", id),
        ("corrections ack x --reason y", id),
        ("report --top 0", "not a whole number from 1 on"),
        ("report --top few", "not a whole number from 1 on"),
        (
            "verify --tolerance little",
            "not a number from 0 to below 1, such as 1e-9",
        ),
        (
            "verify --tolerance 1",
            "not a number from 0 to below 1, such as 1e-9",
        ),
        (
            "passwd users ann --cost 99",
            "not a whole number from 4 to ",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let run = sandbox.run(&words).exits(2);
        assert!(run.stderr.contains(says), "{run}");
        assert!(!run.stderr.contains("invalid digit"), "{run}");
    }
}

#[test]
fn the_configuration_and_the_format_are_taken_before_and_after_the_command() {
    let sandbox = Sandbox::new();
    let words = |line: &str| -> Run {
        let words: Vec<&str> = line.split(' ').collect();
        sandbox.run(&words)
    };
    words("sample demo").exits(0);
    let config = "--config demo/cloudusage.cfg";
    words(&format!("{config} initdb")).exits(0);
    let after = words(&format!("findings {config} --format json")).exits(1);
    assert!(after.stdout.starts_with("{\n"), "{after}");
    for line in [
        format!("{config} --format json findings"),
        format!("--format=json findings {config}"),
        format!("--format json {config} findings"),
    ] {
        assert_eq!(words(&line).exits(1).stdout, after.stdout, "{line}");
    }
    for line in [
        format!("{config} findings ack 1 --reason x"),
        format!("findings {config} ack 1 --reason x"),
    ] {
        let run = words(&line).exits(2);
        assert!(run.stderr.contains("no finding"), "{run}");
    }
}

#[test]
fn a_command_without_formats_refuses_one() {
    let sandbox = Sandbox::new();
    for line in [
        ["--format", "json", "initdb"],
        ["initdb", "--format", "json"],
    ] {
        let run = sandbox.run(&line).exits(2);
        let says = "error: unexpected argument '--format' found";
        assert!(run.stderr.starts_with(says), "{run}");
    }
}

/// Every command, those of commands as well.
const COMMANDS: [&str; 22] = [
    "",
    "initdb",
    "import",
    "serve",
    "status",
    "report",
    "findings",
    "findings ack",
    "findings unack",
    "verify",
    "explain",
    "seal",
    "unseal",
    "prune",
    "rezone",
    "corrections",
    "corrections ack",
    "corrections unack",
    "sample",
    "passwd",
    "backup",
    "check",
];

#[test]
fn help_is_as_wide_as_the_terminal_and_breaks_between_words() {
    let sandbox = Sandbox::new();
    let mut longer = 0;
    for command in COMMANDS {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        let help = |columns: &str| {
            let mut command = sandbox.command(&words);
            Run::of(command.env("COLUMNS", columns)).exits(0).stdout
        };
        let in_words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let wide = help("300");
        for (columns, width) in [("60", 60), ("80", 80), ("300", 100)] {
            let narrow = help(columns);
            assert_eq!(in_words(&narrow), in_words(&wide), "{command} {columns}");
            for line in narrow.lines() {
                let is_one_word = line.split_whitespace().count() == 1;
                // How a command is used is one line to clap.
                let is_usage = line.starts_with("Usage: ");
                let fits = line.chars().count() <= width || is_one_word || is_usage;
                assert!(fits, "{command} at {columns}:\n{line}");
                longer = longer.max(line.chars().count());
            }
        }
    }
    assert!(longer > 80, "no line is longer than {longer}");
}

/// At 80 columns, an example is one line.
#[test]
fn examples_of_help_fit_a_terminal() {
    let sandbox = Sandbox::new();
    let mut examples = 0;
    for command in COMMANDS {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        let lines = |columns: &str| {
            let mut command = sandbox.command(&words);
            let run = Run::of(command.env("COLUMNS", columns)).exits(0);
            let after = run.stdout.split("\nExample").nth(1).unwrap_or("");
            after.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines("80"), lines("100"), "{command}");
        examples += lines("80").len();
    }
    assert!(examples > 20, "{examples}");
}
