//! `rbc-usage initdb`: create or upgrade the ledger.

use std::io::Write;
use std::process::ExitCode;

/// Create the ledger, or upgrade it to this version
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigFile,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    writeln!(out, "{}", config.ledger.display())?;
    Ok(ExitCode::SUCCESS)
}
