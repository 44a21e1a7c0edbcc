//! The program: which command is asked for, its error in one line, its exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::terminal::eprint_line;
use crate::{causes, cmd, command_line};

/// Daily usage per account, from Apache CloudStack's usage records, ready for an invoice.
#[derive(Parser)]
#[command(name = "rbc-usage", version, max_term_width = 100)]
#[command(after_help = "--config and --format may stand before the command as well.")]
enum Cli {
    Initdb(cmd::initdb::Args),
    Import(cmd::import::Args),
    Serve(cmd::serve::Args),
    Status(cmd::status::Args),
    Report(cmd::report::Args),
    Statement(cmd::statement::Args),
    Findings(cmd::findings::Args),
    Verify(cmd::verify::Args),
    Explain(cmd::explain::Args),
    Seal(cmd::seal::Args),
    Unseal(cmd::unseal::Args),
    Rezone(cmd::rezone::Args),
    Corrections(cmd::corrections::Args),
    Sample(cmd::sample::Args),
    Prune(cmd::prune::Args),
    Passwd(cmd::passwd::Args),
    Backup(cmd::backup::Args),
    Copy(cmd::copy::Args),
    Check(cmd::check::Args),
}

/// Every command with its arguments and help, for what describes them elsewhere: manual pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that `arguments` ask for, the program's own name first. Errors go to stderr, a line each.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let arguments = command_line::normalized(arguments);
    let cli = Cli::parse_from(arguments);
    let mut out = io::stdout().lock();
    let result = match cli {
        Cli::Initdb(args) => cmd::initdb::run(args, &mut out),
        Cli::Import(args) => cmd::import::run(args, &mut out),
        Cli::Serve(args) => cmd::serve::run(args, &mut out),
        Cli::Findings(args) => cmd::findings::run(args, &mut out),
        Cli::Report(args) => cmd::report::run(args, &mut out),
        Cli::Statement(args) => cmd::statement::run(args, &mut out),
        Cli::Status(args) => cmd::status::run(args, &mut out),
        Cli::Verify(args) => cmd::verify::run(args, &mut out),
        Cli::Explain(args) => cmd::explain::run(args, &mut out),
        Cli::Seal(args) => cmd::seal::run(args, &mut out),
        Cli::Unseal(args) => cmd::unseal::run(args, &mut out),
        Cli::Rezone(args) => cmd::rezone::run(args, &mut out),
        Cli::Corrections(args) => cmd::corrections::run(args, &mut out),
        Cli::Sample(args) => cmd::sample::run(args, &mut out),
        Cli::Prune(args) => cmd::prune::run(args, &mut out),
        Cli::Passwd(args) => cmd::passwd::run(args, &mut out),
        Cli::Backup(args) => cmd::backup::run(args, &mut out),
        Cli::Copy(args) => cmd::copy::run(args, &mut out),
        Cli::Check(args) => cmd::check::run(args, &mut out),
    };
    // A reader that leaves before the end changes nothing about what was done.
    let flushed = out.flush().map_err(anyhow::Error::from);
    let flushed = flushed.or_else(|err| {
        if is_closed_pipe(&err) {
            Ok(())
        } else {
            Err(err)
        }
    });
    match result.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => code,
        Err(err) if is_closed_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            // Several problems of a configuration are a line each.
            causes::in_one_line(&err).lines().for_each(eprint_line);
            ExitCode::from(2)
        }
    }
}

/// Whether the reader of the output left before its end, as `head` does.
fn is_closed_pipe(err: &anyhow::Error) -> bool {
    let io = err.downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
