//! `rbc-usage initdb`: create or upgrade the ledger.

use crate::arguments::ConfigFile;
use std::io::Write;
use std::process::ExitCode;

/// Create the ledger, or upgrade it to this version
///
/// Safe to run at any time: an up-to-date ledger stays as it is.
#[derive(clap::Args)]
#[command(after_help = "Example: rbc-usage initdb --config /etc/rbc-usage/cloudusage.cfg")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    super::initialise_ledger(&args.config, &args.config.load()?, out)?;
    Ok(ExitCode::SUCCESS)
}
