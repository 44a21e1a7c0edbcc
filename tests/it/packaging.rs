//! The files of `packaging/`: what they start is what the program takes, and what is written of the program, manual
//! pages and completions, is whole and in order.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{Run, Sandbox};

#[path = "../../packaging/manual.rs"]
mod manual;

fn text_of(name: &str) -> String {
    let is_it = |(path, _): &(PathBuf, String)| path.ends_with(name);
    files().into_iter().find(is_it).expect(name).1
}

/// A setting's value as a number; the setting must be there once.
fn number(text: &str, setting: &str) -> u64 {
    let values: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(setting)?.trim_start().strip_prefix('='))
        .collect();
    assert_eq!(values.len(), 1, "{setting} in {text}");
    values[0].trim().parse().expect(setting)
}

fn files() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let folders = ["", "prometheus", "grafana"].map(|name| folder.join(name));
    let entries = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
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
    assert_eq!(found, 4);
}

/// Every setting has a name and a section; a timer starts a service that is here.
#[test]
fn units_are_made_of_sections_and_settings() {
    let is_unit = |(path, _): &(PathBuf, String)| {
        let end = path.extension().and_then(|end| end.to_str());
        matches!(end, Some("conf" | "service" | "timer"))
    };
    let units: Vec<_> = files().into_iter().filter(is_unit).collect();
    assert_eq!(units.len(), 6);
    for (path, text) in units {
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

/// Otherwise systemd starts the server for ever where its configuration is wrong: it counts only the starts of so long.
#[test]
fn starts_in_vain_come_to_an_end() {
    let unit = text_of("rbc-usage.service");
    let all = number(&unit, "StartLimitBurst") * (number(&unit, "RestartSec") + 1);
    assert!(all < number(&unit, "StartLimitIntervalSec"), "{unit}");
}

/// Who is killed in the middle of it finishes nothing.
#[test]
fn a_supervisor_waits_for_longer_than_the_server_takes_to_end() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudusage.cfg.example");
    let example = std::fs::read_to_string(example).unwrap();
    let drain_timeout = number(&example, "drain_timeout");
    let unit = number(&text_of("rbc-usage.service"), "TimeoutStopSec");
    let supervisor = number(&text_of("supervisor.conf"), "stopwaitsecs");
    assert!(unit.min(supervisor) > drain_timeout + 5);
}

/// From `UMask=` on a unit says what its program may not do, and the import needs no more than the server.
#[test]
fn both_services_are_confined_alike() {
    let confined = |name: &str| -> Vec<String> {
        text_of(name)
            .lines()
            .skip_while(|line| !line.starts_with("UMask="))
            .take_while(|line| *line != "[Install]")
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            // The server's, for a low port.
            .filter(|line| !line.starts_with("AmbientCapabilities="))
            .map(str::to_owned)
            .collect()
    };
    let server = confined("rbc-usage.service");
    assert!(server.len() > 20, "{server:?}");
    assert_eq!(server, confined("rbc-usage-import.service"));
}

/// Every metric that an alert looks at is one of the reference, which is held to what a server has.
#[test]
fn alerts_are_about_metrics_that_there_are() {
    let rules = text_of("prometheus/alerts.yml");
    let expressions = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut metrics = Vec::new();
    for expression in expressions {
        let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let words = expression.split(|letter: char| !is_name(letter));
        metrics.extend(words.filter(|word| word.starts_with("rbc_usage_")));
    }
    assert!(metrics.len() >= 9, "{metrics:?}");
    let watch = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/watch.md");
    let watch = std::fs::read_to_string(watch).unwrap();
    for metric in metrics {
        assert!(watch.contains(&format!("| `{metric}")), "{metric}");
    }
}

/// So is every metric that the dashboard draws, and panels are told apart.
#[test]
fn the_dashboard_is_of_metrics_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| std::fs::read_to_string(root.join(name)).expect(name);
    let dashboard = text("packaging/grafana/dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let watch = text("docs/watch.md");
    let rows: Vec<&str> = watch
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .collect();
    let mut ids = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        ids.push(panel["id"].as_u64().expect("an id"));
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            let words = expression.split(|letter: char| !is_name(letter));
            let metrics = words
                .filter(|word| word.starts_with("rbc_usage_") || word.starts_with("process_"))
                .map(|word| word.strip_suffix("_bucket").unwrap_or(word));
            let metrics: Vec<&str> = metrics.collect();
            assert!(!metrics.is_empty(), "{expression}");
            for metric in metrics {
                assert!(rows.contains(&metric), "{metric}");
            }
        }
    }
    let panels = ids.len();
    assert!(panels > 10, "{ids:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels);
}

/// It only finds the program, which is the plugin; monitoring reads the first line and the code.
#[test]
fn the_plugin_hands_its_arguments_on() {
    let sandbox = Sandbox::new();
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/check_rbc_usage");
    // A shell writes the program: what this process writes, another test may have open while it starts a program.
    let script = format!(
        "mkdir -p bin && printf '#!/bin/sh\\necho \"$@\"\\nexit 2\\n' >bin/rbc-usage && \
         chmod +x bin/rbc-usage && PATH=$PWD/bin:/usr/bin:/bin exec {} --config 'my cloud.cfg'",
        plugin.display()
    );
    let mut shell = Command::new("sh");
    let run = Run::of(shell.args(["-c", &script]).current_dir(sandbox.folder())).exits(2);
    assert_eq!(run.stdout, "status --check --config my cloud.cfg\n");
}

/// What `packaging/debian/stage.sh` writes again, and what `Cargo.toml` lists as it is.
#[test]
fn the_package_has_every_file_that_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| std::fs::read_to_string(root.join(name)).expect(name);
    let (manifest, stage) = (text("Cargo.toml"), text("packaging/debian/stage.sh"));
    for (path, _) in files() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let staged = stage
            .split_whitespace()
            .any(|word| word.trim_end_matches(';') == name);
        let path = path.strip_prefix(root).unwrap().display();
        let listed = manifest.contains(&format!("[\"{path}\", "));
        assert!(staged || listed || name == "manual.rs", "{name}");
    }
    let assets = manifest.lines().filter_map(|line| {
        let (source, rest) = line.trim().strip_prefix("[\"")?.split_once("\", \"")?;
        Some((source, rest.split_once('"')?.0))
    });
    let assets: Vec<(&str, &str)> = assets.collect();
    assert!(assets.len() > 15, "{manifest}");
    for (source, target) in assets {
        let source = source.strip_suffix("/*.md").unwrap_or(source);
        assert!(
            source.starts_with("target/") || root.join(source).exists(),
            "{source}"
        );
        assert!(!target.starts_with("etc/"), "nobody else reads {target}");
    }
}

/// What `make install` puts below `share`, freshly written.
fn share() -> Sandbox {
    let sandbox = Sandbox::new();
    manual::write_all(sandbox.folder()).expect("write pages and completions");
    sandbox
}

/// Every command and its own commands, as the program names them: `findings`, `findings ack`.
fn commands() -> Vec<String> {
    fn add(command: &clap::Command, before: &str, names: &mut Vec<String>) {
        for own in command.get_subcommands() {
            let name = format!("{before}{}", own.get_name());
            names.push(name.clone());
            add(own, &format!("{name} "), names);
        }
    }
    let mut names = Vec::new();
    add(&rbc_usage::cli::command(), "", &mut names);
    names
}

#[test]
fn every_command_has_a_manual_page() {
    let share = share();
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    let mut expected = vec!["rbc-usage.1".to_owned()];
    let page = |name: &String| format!("rbc-usage-{}.1", name.replace(' ', "-"));
    expected.extend(commands.iter().map(page));
    expected.sort();
    let mut pages: Vec<String> = std::fs::read_dir(share.path("man/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    assert_eq!(pages, expected);
}

/// With all of troff's warnings on, which `man` otherwise keeps to itself.
#[test]
fn man_prints_every_page_without_a_complaint() {
    let share = share();
    let print = "for page in man/man?/*; do
        man --warnings -E UTF-8 -l -Tutf8 -Z \"$page\" >/dev/null || exit
        man -l \"$page\" || exit
    done";
    let run = Run::of(
        Command::new("sh")
            .args(["-c", print])
            .env("MANWIDTH", "100")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(share.folder()),
    );
    let run = run.exits(0).complains("");
    for line in [
        "       rbc-usage-import - Import daily usage from CloudStack into the ledger",
        "       rbc-usage status --check          for monitoring: OK or what needs a look",
        "       max_header_bytes = 16384",
        "       accounts = 5bc1b8a5-62ba-4c6d-8a3f-0d8ff3c4f001",
    ] {
        let found = run.stdout.lines().filter(|printed| *printed == line);
        assert_eq!(found.count(), 1, "{line}: {run}");
    }
}

/// The page is made of the example file, which other tests hold to the program.
#[test]
fn the_page_of_the_configuration_has_every_key_and_section() {
    let page = std::fs::read_to_string(share().path("man/man5/cloudusage.cfg.5")).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudusage.cfg.example");
    let example = std::fs::read_to_string(example).unwrap();
    let lines = example.lines().filter(|line| !line.starts_with('#'));
    let (sections, keys): (Vec<&str>, Vec<&str>) = lines
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with('['));
    assert!(sections.len() == 5 && keys.len() > 25, "{example}");
    for section in sections {
        assert!(page.contains(&format!(".SH {section}\n")), "{section}");
    }
    for key in keys {
        let key = key.split(" =").next().unwrap();
        assert_eq!(page.matches(&format!("\n.B {key} =")).count(), 1, "{key}");
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let share = share();
    let complete = |words: &str| {
        let script = format!(
            "source bash-completion/completions/rbc-usage && registered=$(complete -p rbc-usage) && \
             COMP_WORDS=({words}) && COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) && \
             function=$(expr \"$registered\" : '.* -F \\([^ ]*\\) rbc-usage$') && \
             $function rbc-usage \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\" && echo \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("bash");
        let run = Run::of(bash.args(["-c", &script]).current_dir(share.folder()));
        run.exits(0).complains("").stdout
    };
    assert_eq!(complete("rbc-usage imp"), "import\n");
    assert_eq!(complete("rbc-usage import --dr"), "--dry-run\n");
    assert_eq!(complete("rbc-usage findings una"), "unack\n");
}
