//! The environment variables that replace keys of the file: `RBC_USAGE_<SECTION>__<KEY>`. A misspelt one
//! is an error, as it would be in the file; variables of other programs are ignored.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::keys::KEYS;

const PREFIX: &str = "RBC_USAGE_";

/// Variables by name.
pub type Variables = BTreeMap<String, OsString>;

/// The variables whose names begin with this program's prefix.
pub fn ours(environment: impl Iterator<Item = (OsString, OsString)>) -> Variables {
    environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect()
}

/// The variable that replaces a key.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Picks the variables that replace keys, and reports those that look like one but replace nothing.
pub fn overrides(variables: &Variables, problems: &mut Vec<String>) -> config::Map<String, String> {
    let mut overrides = config::Map::new();
    for (name, value) in variables {
        let mut known = KEYS.iter().map(|(key, _)| variable_of(key));
        match known.find(|known| known == name) {
            Some(_) => match value.to_str() {
                Some(value) => {
                    overrides.insert(name.clone(), value.to_owned());
                }
                None => problems.push(format!("{name}: not UTF-8")),
            },
            // Only what has our two underscores is meant for us: Kubernetes, for one, sets variables
            // such as RBC_USAGE_SERVICE_HOST beside a service of our name.
            None => {
                let mut known = KEYS.iter().map(|(key, _)| variable_of(key));
                if let Some(known) = known.find(|known| known.replace("__", "_") == *name) {
                    problems.push(format!("{name}: unknown variable; write {known}"));
                } else if let Some((section, key)) = name[PREFIX.len()..].split_once("__") {
                    let key = format!("{section}.{key}").to_lowercase();
                    problems.push(format!(
                        "{name}: unknown variable; its key would be {key}, which does not exist"
                    ));
                }
            }
        }
    }
    overrides
}
