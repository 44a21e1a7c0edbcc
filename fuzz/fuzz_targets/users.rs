//! The file of users: nothing panics, and whoever is in it has a name and a hash that can be checked in bounded time.

#![no_main]

#[path = "../../src/htpasswd.rs"]
#[allow(dead_code)]
mod htpasswd;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// In memory, so that no disk is worn.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    PathBuf::from(format!(
        "/dev/shm/rbc-usage-fuzz-users-{}",
        std::process::id()
    ))
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).unwrap();
    let Ok(users) = htpasswd::read(&FILE) else {
        return;
    };
    for (name, hash) in users {
        assert!(!name.is_empty() && !name.contains([':', '\n']), "{name:?}");
        assert!(htpasswd::COSTS.contains(&hash.cost));
        // The cheapest only: each costs a millisecond.
        if hash.cost == 4 {
            let _ = hash.verify(b"password");
        }
    }
});
