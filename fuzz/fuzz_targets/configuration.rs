//! The configuration, from the file and from the environment: nothing panics, the same text is always read in the same
//! way, and neither an error nor what was read tells a password.

#![no_main]

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rbc_usage::config::Config;
use rbc_usage::scope::{Scope, ScopeLimits};

/// In memory, so that no disk is worn.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    PathBuf::from(format!(
        "/dev/shm/rbc-usage-fuzz-config-{}",
        std::process::id()
    ))
});

const SECRET: &str = "s3cr3t-w0rd";

const WHOLE: &str = "[main]\ncloud_usage_uri = mysql://u:s3cr3t-w0rd@db/cloud_usage\ncloud_uri = sqlite:///cloud.db\n\
                     rbc_usage_uri = sqlite:///usage.db\n";

fuzz_target!(|bytes: &[u8]| {
    let is_secret = |part: &[u8]| part == SECRET.as_bytes();
    if bytes.windows(SECRET.len()).any(is_secret) {
        return;
    }
    // As it is, and after something that is right.
    for before in ["", WHOLE] {
        std::fs::write(&*FILE, [before.as_bytes(), bytes].concat()).unwrap();
        assert_eq!(read(&[]), read(&[]));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    std::fs::write(&*FILE, WHOLE).unwrap();
    if let Some((name, value)) = text.split_once('=') {
        read(&[(format!("RBC_USAGE_{name}"), value.to_owned())]);
    }
    // Around a password, in whatever is odd about it or about the place.
    let (before, after) = text.split_once('\n').unwrap_or((text, ""));
    for uri in [
        format!("mysql://u:{before}{SECRET}{after}@db/cloud"),
        format!("mysql://u:{SECRET}@{before}/cloud?{after}"),
    ] {
        read(&[("RBC_USAGE_MAIN__CLOUD_URI".to_owned(), uri)]);
    }
});

/// What is read, in words.
fn read(environment: &[(String, String)]) -> String {
    let variables = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let text = match Config::load(Some(&FILE), variables) {
        Ok(config) => {
            config.server.scopes.values().for_each(check);
            format!("{config:?} {} {}", config.cloud, config.cloud_usage)
        }
        Err(err) => format!("{err:#}"),
    };
    assert!(!text.contains(SECRET), "{text}");
    text
}

/// Whoever is limited sees something, and of domains only what is in them.
fn check(scope: &Scope) {
    let Scope::Only(limits) = scope else {
        panic!("a section limits nobody");
    };
    assert_ne!(*limits, ScopeLimits::default());
    let is_path = |path: &String| path.starts_with('/') && path.ends_with('/');
    assert!(limits.domains.iter().all(is_path), "{limits:?}");
}
