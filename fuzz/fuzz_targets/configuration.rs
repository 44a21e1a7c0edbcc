//! The configuration: nothing panics, and an error tells no password.

#![no_main]

#[path = "../../src"]
#[allow(dead_code, unused_imports)]
mod program {
    pub mod config;
    pub mod day;
    pub mod scope;
    pub mod zone;
}
use program::*;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// In memory, so that no disk is worn.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    PathBuf::from(format!(
        "/dev/shm/rbc-usage-fuzz-config-{}",
        std::process::id()
    ))
});

const WHOLE: &str = "[main]\ncloud_usage_uri = mysql://u:s3cr3t-w0rd@db/cloud_usage\ncloud_uri = sqlite:///cloud.db\n\
                     rbc_usage_uri = sqlite:///usage.db\n";

fuzz_target!(|bytes: &[u8]| {
    // As it is, and after something that is right.
    for before in ["", WHOLE] {
        std::fs::write(&*FILE, [before.as_bytes(), bytes].concat()).unwrap();
        if let Err(err) = config::Config::load(Some(&FILE), std::iter::empty()) {
            assert!(!format!("{err:#}").contains("s3cr3t-w0rd"), "{err:#}");
        }
    }
});
