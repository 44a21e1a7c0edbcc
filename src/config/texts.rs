//! The configuration as it is written, key by key: what has changed since it was last read, whatever the keys mean.

use std::fmt;

use super::keys::KEYS;

/// The text of every key but those of scopes, or its default.
#[derive(Clone)]
pub struct KeyTexts(Vec<(&'static str, String)>);

impl KeyTexts {
    pub fn of(layers: &config::Config) -> KeyTexts {
        // A key that is missing is reported by whoever reads its value.
        let text = |key: &str| layers.get_string(key).unwrap_or_default();
        KeyTexts(KEYS.iter().map(|(key, _)| (*key, text(key))).collect())
    }

    /// Puts another text in the place of a key's.
    pub fn set(&mut self, key: &str, text: &str) {
        let place = self.0.iter_mut().find(|(name, _)| *name == key);
        if let Some((_, old)) = place {
            text.clone_into(old);
        }
    }

    /// The keys whose text differs from what it was, each with its text now.
    pub fn changed_since(&self, before: &KeyTexts) -> Vec<(&'static str, &str)> {
        let pairs = self.0.iter().zip(&before.0);
        pairs
            .filter(|(now, before)| now != before)
            .map(|((key, text), _)| (*key, text.as_str()))
            .collect()
    }
}

/// Some of the texts hold passwords, so none is printed.
impl fmt::Debug for KeyTexts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("KeyTexts").finish_non_exhaustive()
    }
}
