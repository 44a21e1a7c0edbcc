//! `--config`: where the configuration is, and the zone where none is written.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::ledger::read::Reader;
use crate::open::open_source;
use crate::zone::Zone;

/// Where the configuration is, the same for every command that needs it.
#[derive(clap::Args)]
pub struct ConfigFile {
    /// Configuration file [default: $RBC_USAGE_CONFIG, ./cloudusage.cfg,
    /// /opt/redbridge/rbc-usage/etc/cloudusage.cfg, /etc/rbc-usage/cloudusage.cfg]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the configuration and the environment that overrides it.
    pub fn load_as_written(&self) -> anyhow::Result<Config> {
        Config::load(self.config.as_deref(), std::env::vars_os())
    }

    /// The same, and finds the zone if none is written.
    pub fn load(&self) -> anyhow::Result<Config> {
        let mut config = self.load_as_written()?;
        if !config.zone_is_written
            && let Some(zone) = unwritten_zone(&config)
        {
            config.zone = zone;
        }
        Ok(config)
    }

    /// A command line for another command with the same configuration, as messages suggest it.
    pub fn program(&self, command: &str) -> String {
        match self.config.as_deref() {
            Some(file) => format!("rbc-usage {command} --config {}", shell_word(file)),
            None => format!("rbc-usage {command}"),
        }
    }
}

/// The ledger's newest zone if it has days, else CloudStack's if its setting can be read. Commands check the data
/// against it, and those that need the source report that it cannot be reached.
fn unwritten_zone(config: &Config) -> Option<Zone> {
    let state = Reader::open(&config.ledger).and_then(|mut ledger| ledger.state());
    if let Some(state) = state.ok().filter(|state| state.days.is_some()) {
        return Some(state.zones.newest().clone());
    }
    let setting = open_source(config).and_then(|mut source| source.aggregation_timezone());
    // Java, and so CloudStack, takes a name it does not know for GMT.
    Zone::parse(&setting.ok()??).ok()
}

/// A path as it can be pasted into a shell.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:=@".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_and_quotes_stays_one_word() {
        assert_eq!(shell_word(Path::new("demo/cloud.db")), "demo/cloud.db");
        assert_eq!(shell_word(Path::new("my demo")), "'my demo'");
        assert_eq!(shell_word(Path::new("it's")), r"'it'\''s'");
    }
}
