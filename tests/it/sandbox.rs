//! A temporary folder with a configuration in it, and the program run inside. A failure prints the
//! command, its exit code and both streams.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rbc-usage");

/// A folder of one test, deleted when the test ends.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

/// What one run of the program did.
#[derive(Debug)]
pub struct Run {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Sandbox {
        Sandbox {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("write a file of the sandbox");
    }

    /// The program with these words, started in the folder with a clean environment.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            // What a killed program leaves there goes with the sandbox.
            .env("TMPDIR", self.folder.path());
        command
    }

    /// A copy of the program, for users who cannot reach the other. Not made by the tests themselves: what one of them
    /// writes, another may have open for a moment in a program that it is just starting, and then it cannot be run.
    pub fn copied_program(&self) -> PathBuf {
        let copy = self.path("program");
        Run::of(Command::new("cp").arg(PROGRAM).arg(&copy)).exits(0);
        copy
    }

    /// Runs the program to its end.
    pub fn run(&self, words: &[&str]) -> Run {
        Run::of(&mut self.command(words))
    }
}

impl Run {
    /// Runs any command to its end.
    pub fn of(command: &mut Command) -> Run {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("start the command");
        Run {
            command: format!("{command:?}"),
            code: status.code(),
            stdout: String::from_utf8(stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(stderr).expect("stderr is UTF-8"),
        }
    }

    /// Insists on an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Insists on the whole of stderr.
    #[track_caller]
    pub fn complains(self, stderr: &str) -> Run {
        assert_eq!(self.stderr, stderr, "{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Run {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{command}\nexit code: {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"
        )
    }
}
