//! The reference leaves nothing out: commands, options, keys, metrics and grants are those that there are.

use crate::cloudstack::{LATER_GRANTS, MAIN_GRANTS, USAGE_GRANTS};
use crate::sandbox::Sandbox;
use crate::server::Server;

/// The names of what `rbc-usage --help` lists.
pub fn subcommands() -> Vec<String> {
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
    for page in super::pages() {
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
    let reference = super::page("docs/configuration.md").text;
    for line in super::page("cloudusage.cfg.example").text.lines() {
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
    let sample = super::shell::imported_sample();
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
    let page = super::page("docs/watch.md").text;
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter(|row| row.starts_with("rbc_usage_") || row.starts_with("process_"));
    let ends = |letter: char| letter == '`' || letter == '{';
    let mut named: Vec<String> = rows
        .filter_map(|row| row.split(ends).next())
        .map(name)
        .collect();
    served.sort();
    named.sort();
    assert_eq!(named, served);
}

/// The statements in `docs/configuration.md` that a reader pastes grant what the tests' importer has, and no more.
#[test]
fn the_reference_grants_what_the_tests_grant() {
    let text = super::page("docs/configuration.md").text;
    let grants = text
        .lines()
        .filter_map(|line| line.strip_prefix("GRANT SELECT "));
    let mut written: Vec<String> = grants
        .filter_map(|line| line.strip_suffix(" TO 'rbc_usage'@'%';"))
        .map(str::to_owned)
        .collect();
    // Optional: tests of what they bring have them alone.
    for optional in [
        "(created, processed) ON cloud_usage.usage_event",
        "(id, account_name) ON cloud_usage.account",
        "ON cloud.rbc_usage_settings",
    ] {
        written.retain(|grant| grant != optional);
    }
    let mut granted = Vec::new();
    let later = LATER_GRANTS.map(|(_, table, columns)| (table, columns));
    for (table, columns) in MAIN_GRANTS.into_iter().chain(later) {
        granted.push(
            format!("{columns} ON cloud.{table}")
                .trim_start()
                .to_owned(),
        );
    }
    granted.extend(USAGE_GRANTS.map(|table| format!("ON cloud_usage.{table}")));
    written.sort();
    granted.sort();
    assert_eq!(written, granted);
}
