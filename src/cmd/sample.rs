//! `rbc-usage sample DIR`: a small made-up CloudStack to try every command on.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write a small made-up CloudStack to try every command on
#[derive(clap::Args)]
pub struct Args {
    /// Folder to write cloudusage.cfg, cloud.db and cloud_usage.db into
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    writeln!(out, "{}", args.folder.display())?;
    Ok(ExitCode::SUCCESS)
}
