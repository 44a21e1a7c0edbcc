//! `rbc-usage backup`: a copy of the ledger, taken while it is in use.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::unix_now;
use crate::arguments::ConfigFile;
use crate::instant::Utc;
use crate::ledger;
use crate::printable::printable;
use crate::terminal;

/// Copy the ledger to FILE, at any time
///
/// An import and the server may go on meanwhile; the copy shows the ledger at one moment. The copy
/// is checked before it gets its name, has mode 0600, and may replace an older copy.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rbc-usage backup /var/backups/usage.db
  rbc-usage backup usage-$(date +%a).db  one for each day of the week
")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// File to write the copy to
    file: PathBuf,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let bar = terminal::step_bar();
    let now = Utc::at(unix_now()?)?.to_string();
    let bytes = ledger::backup::backup(&config.ledger, &args.file, &now, &mut |step| {
        terminal::show_step(&bar, step)
    })?;
    bar.finish_and_clear();
    let file = args.file.display().to_string();
    writeln!(out, "{} {bytes} bytes, checked", printable(&file))?;
    Ok(ExitCode::SUCCESS)
}
