//! `rbc-usage serve`: answer usage questions over HTTP.

use std::io::Write;
use std::process::ExitCode;

/// Answer usage questions over HTTP
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigFile,
    /// Address to listen on, instead of `[server] bind`
    #[arg(long, value_name = "HOST:PORT")]
    bind: Option<String>,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    writeln!(out, "{} {:?}", config.ledger.display(), args.bind)?;
    Ok(ExitCode::SUCCESS)
}
