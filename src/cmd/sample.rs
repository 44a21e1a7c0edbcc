//! `rbc-usage sample DIR`: a small made-up CloudStack to try every command on.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::arguments::shell_word;
use crate::plural::plural;
use crate::sample;

/// Write a small, made-up CloudStack to try every command on
///
/// Writes cloudusage.cfg, cloud.db and cloud_usage.db to DIR: 20 accounts and their usage of 40
/// days, with a day of 25 hours and a day that CloudStack counted twice. The sample is the same
/// every time. Existing files are not overwritten.
#[derive(clap::Args)]
#[command(after_help = "Example: rbc-usage sample demo")]
pub struct Args {
    /// Folder to write to; created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let contents = sample::write(&args.folder)?;
    let (first, last) = (sample::days().first(), sample::days().last());
    let in_folder = |name: &str| shell_word(&args.folder.join(name));
    let config = in_folder("cloudusage.cfg");
    writeln!(out, "{config}")?;
    writeln!(
        out,
        "{}: {}, {}",
        in_folder("cloud.db"),
        plural(contents.accounts, "account"),
        plural(contents.vms, "virtual machine")
    )?;
    writeln!(
        out,
        "{}: {}, {first} to {last}",
        in_folder("cloud_usage.db"),
        plural(contents.usage_rows, "usage row")
    )?;
    writeln!(out, "\nWhat to type next:")?;
    writeln!(out, "  rbc-usage initdb --config {config}")?;
    writeln!(
        out,
        "  rbc-usage import --config {config} -s {first} -e {last}"
    )?;
    writeln!(out, "  rbc-usage serve --config {config}")?;
    writeln!(
        out,
        "  curl 'http://127.0.0.1:8888/usage/{}?start=2026-10-01&end=2026-10-31'",
        sample::DEMO_ACCOUNT_UUID
    )?;
    Ok(ExitCode::SUCCESS)
}
