//! The layers of the configuration, the environment over the file over the defaults, and what is wrong with them. The
//! crate `config` lays them; a key is read from there, or its problem noted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::keys::KEYS;
use super::{environment, ini};

/// Lays the environment over the file over the defaults.
pub fn layers(
    text: &str,
    overrides: &config::Map<String, String>,
) -> Result<config::Config, config::ConfigError> {
    let mut builder = config::Config::builder();
    for (key, default) in KEYS {
        if let Some(default) = default {
            builder = builder.set_default(key, default)?;
        }
    }
    builder
        .add_source(config::File::from_str(text, ini::Ini))
        .add_source(
            config::Environment::with_prefix("RBC_USAGE")
                .prefix_separator("_")
                .separator("__")
                .source(Some(overrides.clone())),
        )
        .build()
}

/// The layered values and what was found wrong with them.
pub struct Values<'a> {
    pub path: &'a Path,
    pub layers: config::Config,
    pub overrides: config::Map<String, String>,
    pub problems: Vec<String>,
}

impl Values<'_> {
    /// Reads one key, or notes what is wrong with it.
    pub fn read<T>(&mut self, key: &str, parse: impl Fn(&str) -> anyhow::Result<T>) -> Option<T> {
        let Ok(text) = self.layers.get_string(key) else {
            self.complain(key, "missing");
            return None;
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(err) => {
                let comment = [" #", " ;", "\t#", "\t;"].iter().any(|c| text.contains(c));
                let hint = if comment {
                    "; a comment takes a line of its own"
                } else {
                    ""
                };
                self.complain(key, &format!("{err:#}{hint}"));
                None
            }
        }
    }

    /// Names the variable if the key came from there, else the file and the key.
    pub fn complain(&mut self, key: &str, wrong: &str) {
        let variable = environment::variable_of(key);
        self.problems
            .push(if self.overrides.contains_key(&variable) {
                format!("{variable}: {wrong}")
            } else {
                format!("{}: {key}: {wrong}", self.path.display())
            });
    }

    pub fn report_unknown_keys(&mut self) -> anyhow::Result<()> {
        use config::Source;
        let sections: BTreeMap<_, _> = self.layers.collect()?.into_iter().collect();
        // Scopes are read, and complained of, user by user.
        for (section, given) in sections.into_iter().filter(|(name, _)| name != "scope") {
            let prefix = format!("{section}.");
            let known: Vec<&str> = KEYS
                .iter()
                .filter_map(|(key, _)| key.strip_prefix(&prefix))
                .collect();
            if known.is_empty() {
                self.complain(
                    &format!("[{section}]"),
                    "unknown section; there are [main], [import], [prices], [focus], [server] and [scope.USER]",
                );
                continue;
            }
            let given: BTreeMap<_, _> = given.into_table()?.into_iter().collect();
            for key in given.keys().filter(|key| !known.contains(&key.as_str())) {
                let known = known.join(", ");
                self.complain(
                    &format!("{prefix}{key}"),
                    &format!("unknown key; [{section}] has {known}"),
                );
            }
        }
        Ok(())
    }
}

pub fn switch(text: &str) -> anyhow::Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => bail!("{text:?} is neither yes nor no"),
    }
}

pub fn seconds(text: &str, lowest: u64, highest: u64) -> anyhow::Result<Duration> {
    whole(text, lowest, highest, "seconds").map(Duration::from_secs)
}

pub fn whole(text: &str, lowest: u64, highest: u64, what: &str) -> anyhow::Result<u64> {
    let number = text.parse().ok();
    number
        .filter(|number| (lowest..=highest).contains(number))
        .with_context(|| {
            format!("{text:?} is not a whole number of {what} from {lowest} to {highest}")
        })
}
