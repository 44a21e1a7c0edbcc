//! How an import ends: what `--quiet` keeps to itself, and the command of `import.on_done`.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::{UsageRow, cloud, vm};
use crate::cloudstack::Cloud;

/// A finished day, and a ledger that has none yet.
fn one_day() -> Cloud {
    let cloud = cloud();
    cloud.add_usage(&[vm("2013-06-01", 2, 5, 24.0)]);
    cloud.finished_until("2013-06-01 23:59:59");
    cloud
}

/// What a command of `on_done` wrote.
fn written(cloud: &Cloud, name: &str) -> String {
    std::fs::read_to_string(cloud.sandbox.path(name)).expect(name)
}

#[test]
fn a_quiet_import_prints_nothing_unless_something_needs_a_look() {
    let cloud = one_day();
    // A row that is left out of all figures is said on stderr, and needs no look.
    cloud.add_usage(&[UsageRow {
        is_hidden: true,
        ..vm("2013-06-01", 3, 6, 24.0)
    }]);
    let aloud = cloud.run(&["import", "--dry-run"]).exits(0);
    assert!(aloud.stdout.contains("2013-06-01 closed "), "{aloud}");
    assert!(
        aloud.stderr.contains("not counted: 1 hidden row"),
        "{aloud}"
    );
    for format in ["table", "json", "csv"] {
        let words = ["import", "2013-06-01", "--quiet", "--format", format];
        let run = cloud.run(&words).exits(0).complains("");
        assert_eq!(run.stdout, "", "{run}");
    }
    assert_eq!(cloud.ledger("select day from days"), ["2013-06-01"]);

    // A closed day that differs needs a look, and is printed in the same words.
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 1");
    let without_time = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .map(|line| line.rsplit_once(", ").unwrap_or((line, "")).0);
        lines.map(str::to_owned).collect()
    };
    let aloud = cloud.run(&["import", "2013-06-01"]).exits(1);
    let quiet = cloud
        .run(&["import", "2013-06-01", "-q"])
        .exits(1)
        .complains(&aloud.stderr);
    assert!(
        quiet.stderr.contains("2013-06-01 is closed and differs"),
        "{quiet}"
    );
    assert_eq!(without_time(&quiet.stdout), without_time(&aloud.stdout));
    let json = cloud
        .run(&["import", "2013-06-01", "-q", "--format", "json"])
        .exits(1);
    let answer: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(answer["outcome"], "needs_a_look");

    // So is an error.
    cloud.usage("drop table cloud_usage");
    let run = cloud.run(&["import", "--quiet"]).exits(2);
    assert!(run.stderr.contains("cloud_usage"), "{run}");
}

#[test]
fn the_command_of_on_done_reads_the_result() {
    let cloud = one_day();
    let on_done = "[import]\non_done = cat >>result.json; echo heard\n";
    cloud.configure("GMT", on_done);
    cloud.run(&["import", "--dry-run"]).exits(0).complains("");
    assert!(!cloud.sandbox.path("result.json").exists());
    // Its words go to stderr: stdout is the import's own.
    let run = cloud
        .run(&["import", "--format", "json"])
        .exits(0)
        .complains("heard\n");
    assert_eq!(written(&cloud, "result.json"), run.stdout);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["outcome"], "done");
    assert_eq!(answer["error"], serde_json::Value::Null);
    assert_eq!(answer["days"][0]["day"], "2013-06-01");

    std::fs::remove_file(cloud.sandbox.path("result.json")).unwrap();
    cloud.usage("drop table cloud_usage");
    let run = cloud.run(&["import"]).exits(2);
    let answer: serde_json::Value = serde_json::from_str(&written(&cloud, "result.json")).unwrap();
    assert_eq!(answer["outcome"], "error");
    let error = format!("heard\nrbc-usage: {}\n", answer["error"].as_str().unwrap());
    assert_eq!(run.stderr, error);
    assert_eq!(answer["days"], serde_json::json!([]));
}

/// The lock of imports is free by then.
#[test]
fn the_command_of_on_done_may_seal_days() {
    let cloud = one_day();
    let program = crate::sandbox::program();
    let on_done = format!("[import]\non_done = {program} verify && {program} seal 2013-06-01\n");
    cloud.configure("GMT", &on_done);
    let run = cloud.run(&["import"]).exits(0);
    let sealed = cloud.ledger("select sealed_at is not null from days");
    assert_eq!(sealed, ["1"], "{run}");
}

#[test]
fn a_command_of_on_done_that_fails_changes_nothing() {
    let cloud = one_day();
    let on_done = "[import]\non_done = exec <&-; exit 3\n";
    cloud.configure("GMT", on_done);
    let complaint = "rbc-usage: import.on_done: exit status: 3\n";
    let run = cloud
        .run(&["import", "--quiet"])
        .exits(0)
        .complains(complaint);
    assert_eq!(run.stdout, "");
    assert_eq!(cloud.ledger("select day from days"), ["2013-06-01"]);
    cloud.usage("update cloud_usage set raw_usage = 20 where id = 1");
    let run = cloud.run(&["import", "2013-06-01"]).exits(1);
    assert!(run.stderr.ends_with(complaint), "{run}");
}

/// The import's stderr ends when the last process that has it has ended, and what has ended has no command line.
#[test]
fn a_command_of_on_done_that_does_not_end_is_killed_with_its_children() {
    let cloud = one_day();
    let on_done = "[import]\non_done = sleep 600 & echo $! >child; wait\non_done_timeout = 1\n";
    cloud.configure("GMT", on_done);
    cloud
        .run(&["import"])
        .exits(0)
        .complains("rbc-usage: import.on_done: killed, as it took longer than 1 s\n");
    let child = written(&cloud, "child");
    let command_line = std::fs::read(format!("/proc/{}/cmdline", child.trim()));
    assert!(command_line.unwrap_or_default().is_empty());
}

/// A terminal's signals do not reach the group of the command.
#[test]
fn a_command_of_on_done_ends_with_an_import_that_is_ended() {
    let cloud = one_day();
    let on_done = "[import]\non_done = echo $$ >new && mv new child && exec sleep 600\n";
    cloud.configure("GMT", on_done);
    let mut import = cloud.sandbox.command(&["import"]);
    let mut import = import.stdout(Stdio::null()).spawn().unwrap();
    let child = loop {
        assert_eq!(import.try_wait().unwrap(), None);
        if cloud.sandbox.path("child").exists() {
            break written(&cloud, "child");
        }
        std::thread::yield_now();
    };
    let kill = Command::new("kill").arg(import.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(import.wait().unwrap().signal(), Some(15));
    let command_line = std::fs::read(format!("/proc/{}/cmdline", child.trim()));
    assert!(command_line.unwrap_or_default().is_empty());
    assert_eq!(cloud.ledger("select day from days"), ["2013-06-01"]);
}

/// `cron` would mail all of it.
#[test]
fn what_a_command_of_on_done_prints_is_bounded() {
    let cloud = one_day();
    let on_done = "[import]\non_done = yes 123456789012345 | head -c 1000000 >&2; echo last\n";
    cloud.configure("GMT", on_done);
    let run = cloud.run(&["import", "--quiet"]).exits(0);
    let end = "rbc-usage: import.on_done: left out what it printed beyond 65536 bytes\n";
    assert!(run.stderr.ends_with(end), "{}", run.stderr.len());
    assert_eq!(run.stderr.len(), 65_536 + end.len());
    assert!(run.stderr.starts_with("123456789012345\n123456789012345\n"));
}

/// Whoever reads the import's stderr, such as cron, has not to wait for what goes on in the background.
#[test]
fn what_a_command_of_on_done_leaves_behind_holds_up_nobody() {
    let cloud = one_day();
    cloud.configure("GMT", "[import]\non_done = sleep 600 & echo $! >child\n");
    cloud.run(&["import"]).exits(0).complains("");
    let child = written(&cloud, "child");
    let kill = Command::new("kill").arg(child.trim()).status();
    assert!(kill.unwrap().success());
}
