//! `rbc-usage import`: extract, aggregate and store daily usage.

use std::io::Write;
use std::process::ExitCode;

/// Import daily usage from CloudStack
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
