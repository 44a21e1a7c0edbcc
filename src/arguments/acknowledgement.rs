//! What is acknowledged, or no longer, and why.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::config_file::ConfigFile;
use super::number::id;

/// What is acknowledged by its ids, and why.
#[derive(clap::Args)]
pub struct AckArgs {
    #[command(flatten)]
    pub config: ConfigFile,
    /// Ids from the list
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub ids: Vec<i64>,
    /// The reason, for whoever asks later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl AckArgs {
    pub fn reason(&self) -> anyhow::Result<&str> {
        given_reason(&self.reason)
    }
}

/// The text of `--reason`; it has to say something.
pub fn given_reason(text: &str) -> anyhow::Result<&str> {
    let reason = text.trim();
    ensure!(!reason.is_empty(), "--reason is empty");
    Ok(reason)
}

/// Ids of a command line, each once.
pub fn each_once(ids: &[i64]) -> Vec<i64> {
    let ids: BTreeSet<i64> = ids.iter().copied().collect();
    ids.into_iter().collect()
}

/// What is not acknowledged any more.
#[derive(clap::Args)]
pub struct UnackArgs {
    #[command(flatten)]
    pub config: ConfigFile,
    /// Ids from the list; acknowledged findings are listed with --all
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub ids: Vec<i64>,
}
