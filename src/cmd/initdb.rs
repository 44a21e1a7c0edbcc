//! `rbc-usage initdb`: create or upgrade the ledger.

use std::io::Write;
use std::process::ExitCode;

use crate::config::Config;
use crate::ledger::lock::ImportLock;
use crate::ledger::{Initialised, initialise};

/// Create the ledger, or upgrade it to this version
///
/// Safe to run at any time: a ledger that is current stays as it is.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigFile,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    initialise_ledger(&args.config.load()?, out)?;
    Ok(ExitCode::SUCCESS)
}

/// Does it and says what was done.
pub fn initialise_ledger(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = super::utc_text(super::unix_now()?)?;
    let _lock = ImportLock::acquire(&config.ledger, config.import.lock_timeout, &now)?;
    let done = match initialise(&config.ledger, config.zone.name(), &now)? {
        Initialised::Created => "created".to_owned(),
        Initialised::Upgraded { from } => format!("upgraded from schema {from}"),
        Initialised::Current => "is current".to_owned(),
    };
    writeln!(out, "ledger {} {done}", config.ledger.display())?;
    Ok(())
}
