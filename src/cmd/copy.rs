//! `rbc-usage copy`: moves a ledger between a file and a cluster, or between any two of them.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::unix_now;
use crate::config::{Config, LedgerUri, parse_ledger};
use crate::instant::Utc;
use crate::ledger::copy::copy;
use crate::ledger::lock::ImportLock;
use crate::plural::plural;
use crate::printable::printable;
use crate::terminal;

/// How long an import that is running is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Copy a whole ledger into an empty one: from a file to a cluster, or back
///
/// FROM and TO are each a configuration file, whose ledger is meant, or a URI as in `main.rbc_usage_uri`. A
/// password in a URI can be seen by everybody on this machine as long as the command runs; in a file it cannot.
/// TO is made; it must be empty, or what a copy left that was ended halfway. No import runs meanwhile: it waits.
/// Everything is copied of one state and compared before TO becomes a ledger.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  rbc-usage copy cloudusage.cfg cluster.cfg
  rbc-usage copy cluster.cfg sqlite:////var/lib/rbc-usage/usage.db
")]
pub struct Args {
    /// Ledger to read
    from: String,
    /// Ledger to make
    to: String,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let [from, to] = [&args.from, &args.to].map(|text| find_ledger(text));
    let (from, to) = (from?, to?);
    ensure!(from != to, "{from}: a ledger is not copied into itself");
    let now = Utc::at(unix_now()?)?.to_string();
    let _reading = ImportLock::acquire(&from, PATIENCE, &now)?;
    let _writing = ImportLock::acquire(&to, PATIENCE, &now)?;
    let bar = terminal::step_bar();
    let copied = copy(&from, &to, &now, &mut |step| {
        terminal::show_step(&bar, step)
    });
    bar.finish_and_clear();
    let copied = copied?;
    let to = to.to_string();
    writeln!(
        out,
        "{}: {}, {}, compared",
        printable(&to),
        plural(copied.days, "day"),
        plural(copied.rows, "row")
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The ledger of a configuration file, or that of a URI.
fn find_ledger(text: &str) -> anyhow::Result<LedgerUri> {
    if text.contains("://") {
        let uri = parse_ledger(text, Path::new(""));
        return uri.with_context(|| shown(text).to_owned());
    }
    // Variables would name the same ledger for both.
    let config = Config::load(Some(Path::new(text)), std::iter::empty())?;
    Ok(config.ledger)
}

/// A URI without what may be a password.
fn shown(uri: &str) -> &str {
    uri.split_once("://").map_or("", |(scheme, _)| scheme)
}
