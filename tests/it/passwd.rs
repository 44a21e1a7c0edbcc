//! `rbc-usage passwd`: what it leaves in the file of users, and what it says.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::sandbox::{Run, Sandbox, program};

/// Runs a command of the sandbox with this on its stdin.
fn fed(command: &mut Command, stdin: &str) -> Run {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        command: format!("{command:?}"),
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn set(sandbox: &Sandbox, user: &str, password: &str) -> Run {
    let words = ["passwd", "--stdin", "--cost", "4", "users", user];
    fed(&mut sandbox.command(&words), &format!("{password}\n"))
}

fn users(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.path("users")).unwrap()
}

#[test]
fn adds_replaces_and_deletes_one_user_and_keeps_the_rest() {
    let sandbox = Sandbox::new();
    let run = set(&sandbox, "jane", "first secret").exits(0).complains("");
    assert_eq!(run.stdout, "jane added\n");
    let mode = |sandbox: &Sandbox| {
        let file = std::fs::metadata(sandbox.path("users")).unwrap();
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode(&sandbox), 0o600);
    let first = users(&sandbox);
    assert!(first.starts_with("jane:$2y$04$"), "{first}");

    sandbox.write("users", &format!("# ours\n{first}\nbob:kept"));
    let run = set(&sandbox, "jane", "second secret").exits(0);
    assert_eq!(run.stdout, "jane has a new password\n");
    let second = users(&sandbox);
    let lines: Vec<&str> = second.lines().collect();
    assert_eq!([lines[0], lines[2], lines[3]], ["# ours", "", "bob:kept"]);
    assert!(lines[1].starts_with("jane:$2y$04$"), "{second}");
    assert_ne!(format!("{}\n", lines[1]), first);
    // The file was readable by everybody, and is no more.
    assert_eq!(mode(&sandbox), 0o600);

    let run = sandbox.run(&["passwd", "--delete", "users", "jane"]);
    assert_eq!(run.exits(0).stdout, "jane deleted\n");
    assert_eq!(users(&sandbox), "# ours\n\nbob:kept\n");
    let run = sandbox.run(&["passwd", "--delete", "users", "jane"]);
    assert_eq!(run.exits(1).stdout, "jane is not in the file\n");
    let left: Vec<_> = std::fs::read_dir(sandbox.folder()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_group_that_was_let_in_still_reads_the_file() {
    let sandbox = Sandbox::new();
    sandbox.write("users", "");
    let group = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(sandbox.path("users"), group.clone()).unwrap();
    set(&sandbox, "jane", "secret").exits(0);
    let file = std::fs::metadata(sandbox.path("users")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, group.mode());
}

#[test]
fn a_link_stays_a_link() {
    let sandbox = Sandbox::new();
    sandbox.write("real", "");
    std::os::unix::fs::symlink("real", sandbox.path("users")).unwrap();
    set(&sandbox, "jane", "secret").exits(0);
    assert!(sandbox.path("users").is_symlink());
    let real = std::fs::read_to_string(sandbox.path("real")).unwrap();
    assert!(real.starts_with("jane:"), "{real}");
}

#[test]
fn many_at_once_lose_nobody() {
    let sandbox = Sandbox::new();
    std::thread::scope(|scope| {
        for number in 0..12 {
            let sandbox = &sandbox;
            scope.spawn(move || set(sandbox, &format!("user{number}"), "secret").exits(0));
        }
    });
    assert_eq!(users(&sandbox).lines().count(), 12);
}

#[test]
fn what_cannot_be_used_is_refused_and_never_shown() {
    let sandbox = Sandbox::new();
    let long = "s3cret".repeat(13);
    for (user, password, message) in [
        ("jane", "", "the password is empty"),
        (
            "jane",
            long.as_str(),
            "the password has more than 72 bytes, and bcrypt reads no more",
        ),
        (
            "jane",
            "s3cret\ttab",
            "the password holds a control character",
        ),
        (
            "a:b",
            "s3cret",
            "a user's name holds no : or ], begins with no # and has no blanks around it",
        ),
        ("", "s3cret", "the user's name is empty"),
    ] {
        let run = set(&sandbox, user, password).exits(2);
        let run = run.complains(&format!("rbc-usage: {message}\n"));
        assert_eq!(run.stdout, "");
    }
    let words = ["passwd", "users", "jane"];
    fed(&mut sandbox.command(&words), "s3cret\n").exits(2).complains(
        "rbc-usage: stdin is no terminal to ask for a password: give --stdin to read it from there\n",
    );
    assert!(!sandbox.path("users").exists());
    let words = ["passwd", "--stdin", "--cost", "4", "no/such/users", "jane"];
    fed(&mut sandbox.command(&words), "s3cret\n")
        .exits(2)
        .complains("rbc-usage: users no/such/users: No such file or directory (os error 2)\n");
}

/// On a terminal of its own, by util-linux's `script`.
#[test]
fn a_terminal_is_asked_twice() {
    let sandbox = Sandbox::new();
    let ask = |typed: &str| {
        let program = format!("{} passwd --cost 4 users jane", program());
        let mut script = Command::new("script");
        script
            .args(["-qec", &program, "/dev/null"])
            .current_dir(sandbox.folder());
        fed(&mut script, typed)
    };
    let run = ask("s3cret\ndifferent\n").exits(2);
    assert!(run.stdout.contains("the two passwords differ"), "{run}");
    assert!(!sandbox.path("users").exists());
    let run = ask("s3cret\ns3cret\n").exits(0);
    assert!(run.stdout.contains("New password: "), "{run}");
    assert!(run.stdout.contains("Again: "), "{run}");
    assert!(run.stdout.contains("jane added"), "{run}");
    assert!(users(&sandbox).starts_with("jane:$2y$04$"));
}
