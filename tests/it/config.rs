//! Where the configuration is found, and what the program says of one that is wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::sandbox::{Run, Sandbox};

/// Keys and URIs as old files have them, but for the ledger, which was no SQLite file then.
const OLD_FILE: &str = "\
[main]
cloud_usage_uri: mysql://cloud:p#a;s%s=w\"o$rd@db.example.com/cloud_usage?charset=utf8
cloud_uri: mysql+mysqldb://cloud:p@ss/w?rd@[::1]:3307/cloud?charset=utf8&use_unicode=0
rbc_usage_uri: sqlite:///usage.db
";

#[test]
fn a_file_of_the_old_program_works_unchanged() {
    let sandbox = Sandbox::new();
    sandbox.write("cloudusage.cfg", OLD_FILE);
    sandbox.run(&["initdb"]).exits(0).complains("");
}

#[test]
fn the_named_file_comes_before_the_variable_and_that_before_the_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("cloudusage.cfg", "[folder]\n");
    sandbox.write("variable.cfg", "[variable]\n");
    sandbox.write("named.cfg", "[named]\n");
    let first_line = |run: Run| run.exits(2).stderr.lines().next().map(str::to_owned);
    let complaint = |file: &str, section: &str| {
        Some(format!(
            "rbc-usage: {file}: [{section}]: unknown section; there are [main], [import], [prices], [focus], [server] and [scope.USER]"
        ))
    };
    let with_variable = |words: &[&str]| {
        let mut command = sandbox.command(words);
        Run::of(command.env("RBC_USAGE_CONFIG", "variable.cfg"))
    };
    assert_eq!(
        first_line(with_variable(&["initdb", "--config", "named.cfg"])),
        complaint("named.cfg", "named")
    );
    assert_eq!(
        first_line(with_variable(&["initdb"])),
        complaint("variable.cfg", "variable")
    );
    assert_eq!(
        first_line(sandbox.run(&["initdb"])),
        complaint("./cloudusage.cfg", "folder")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_in_one_line() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("folder.cfg")).unwrap();
    std::fs::write(sandbox.path("latin.cfg"), b"[main]\n# \xe5\n").unwrap();
    for (file, wrong) in [
        ("missing.cfg", "No such file or directory (os error 2)"),
        ("folder.cfg", "Is a directory (os error 21)"),
        ("latin.cfg", "line 2 is not UTF-8"),
    ] {
        sandbox
            .run(&["initdb", "--config", file])
            .exits(2)
            .complains(&format!("rbc-usage: configuration {file}: {wrong}\n"));
    }
}

const NOWHERE: &str = "rbc-usage: no configuration: looked for ./cloudusage.cfg, \
    /opt/redbridge/rbc-usage/etc/cloudusage.cfg, /etc/rbc-usage/cloudusage.cfg; \
    name a file with --config or RBC_USAGE_CONFIG\n";

#[test]
fn without_a_file_it_says_where_it_looked() {
    let sandbox = Sandbox::new();
    sandbox.run(&["initdb"]).exits(2).complains(NOWHERE);
}

/// Root's folder is the working directory of what root starts as somebody else.
#[test]
fn a_working_directory_that_may_not_be_entered_has_no_file() {
    let sandbox = Sandbox::new();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(sandbox.path(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    // Permissions do not hold root back, so root runs it as somebody else, who must reach the program.
    let program = sandbox.copied_program();
    let root = sandbox.folder().metadata().unwrap().uid() == 0;
    mode("", 0o777);
    let run_in_folder = |file: &str| {
        let mut command = Command::new("/bin/sh");
        let script = format!(
            "mkdir shut && cd shut && touch cloudusage.cfg && chmod 0 {file} && exec {program} initdb",
            program = program.display()
        );
        command.args(["-c", &script]);
        command.current_dir(sandbox.folder()).env_clear();
        if root {
            command.uid(65534).gid(65534);
        }
        let run = Run::of(&mut command);
        mode("shut", 0o700);
        std::fs::remove_dir_all(sandbox.path("shut")).unwrap();
        run.exits(2)
    };
    run_in_folder(".").complains(NOWHERE);
    run_in_folder("cloudusage.cfg")
        .complains("rbc-usage: configuration ./cloudusage.cfg: Permission denied (os error 13)\n");
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_without_the_password() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "cloudusage.cfg",
        "[main]\ncloud_usage_uri = mysql://cloud:s3cret@db/cloud_usage?sslmode=on\n\
         rbc_usage_uri = postgresql://rbc:s3cret@db/rbc_usage\ntimezone = UTC+2\n",
    );
    let mut command = sandbox.command(&["initdb"]);
    let run = Run::of(command.env("RBC_USAGE_SERVER__WORKERS", "many"));
    run.exits(2).complains(
        "rbc-usage: ./cloudusage.cfg: main.cloud_usage_uri: unknown parameter \"sslmode\"; \
         there are charset, use_unicode, unix_socket, ssl_ca and ssl\n\
         rbc-usage: ./cloudusage.cfg: main.cloud_uri: missing\n\
         rbc-usage: ./cloudusage.cfg: main.rbc_usage_uri: not a ledger: \
         write sqlite:////var/lib/rbc-usage/usage.db or mysql://user:password@host1,host2/rbc_usage\n\
         rbc-usage: ./cloudusage.cfg: main.timezone: \"UTC+2\" is not a known time zone, and CloudStack reads \
         an unknown one as GMT: write GMT if CloudStack is set to this name, else GMT+2 here and there\n\
         rbc-usage: RBC_USAGE_SERVER__WORKERS: \"many\" is not a whole number of threads from 1 to 64\n",
    );
}

#[test]
fn variables_in_another_encoding_matter_only_if_they_are_ours() {
    let sandbox = Sandbox::new();
    sandbox.write("cloudusage.cfg", OLD_FILE);
    let bytes = OsStr::from_bytes(b"\xff");
    let mut command = sandbox.command(&["initdb"]);
    command.env("OTHER", bytes).env(bytes, "x");
    Run::of(&mut command).exits(0).complains("");
    command.env("RBC_USAGE_MAIN__TIMEZONE", bytes);
    Run::of(&mut command)
        .exits(2)
        .complains("rbc-usage: RBC_USAGE_MAIN__TIMEZONE: not UTF-8\n");
}
