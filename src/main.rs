//! Entry point: the process's arguments and its exit code. All else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rbc_usage::cli::run(std::env::args_os().collect())
}
