//! Entry point: which command was asked for, its error in one line, its exit code.

mod aggregate;
mod cmd;
mod config;
mod day;
mod finding;
mod http;
mod import;
mod ledger;
mod metric;
mod row;
mod sample;
mod source;
mod zone;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// Daily usage per account, from Apache CloudStack's usage records, ready for an invoice.
#[derive(Parser)]
#[command(name = "rbc-usage", version, max_term_width = 100)]
enum Cli {
    Initdb(cmd::initdb::Args),
    Import(cmd::import::Args),
    Serve(cmd::serve::Args),
    Sample(cmd::sample::Args),
}

fn main() -> ExitCode {
    let arguments = cmd::with_old_names(std::env::args_os().collect::<Vec<OsString>>());
    let cli = Cli::parse_from(arguments);
    let mut out = io::stdout().lock();
    let result = match cli {
        Cli::Initdb(args) => cmd::initdb::run(args, &mut out),
        Cli::Import(args) => cmd::import::run(args, &mut out),
        Cli::Serve(args) => cmd::serve::run(args, &mut out),
        Cli::Sample(args) => cmd::sample::run(args, &mut out),
    };
    match result.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => code,
        Err(err) if is_closed_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            // A reader of stderr that has gone away is no reason to panic.
            let _ = writeln!(io::stderr(), "rbc-usage: {err:#}");
            ExitCode::from(2)
        }
    }
}

/// Someone read the first lines of our output and left, as `head` does.
fn is_closed_pipe(err: &anyhow::Error) -> bool {
    err.downcast_ref::<io::Error>()
        .is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
