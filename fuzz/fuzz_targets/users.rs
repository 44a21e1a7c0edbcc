//! The file of users, and after a NUL what a client sends as `Authorization`: nothing panics, whoever is in the file has
//! a name and a hash that can be checked in bounded time, and only a name and a password take that time.

#![no_main]

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use rbc_usage::htpasswd;
use rbc_usage::http::auth::{Auth, QuickCheck};

/// In memory, so that no disk is worn.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    PathBuf::from(format!(
        "/dev/shm/rbc-usage-fuzz-users-{}",
        std::process::id()
    ))
});

fuzz_target!(|bytes: &[u8]| {
    let nul = bytes.iter().position(|byte| *byte == 0);
    let (file, header) = bytes.split_at(nul.unwrap_or(bytes.len()));
    let header = header.get(1..).unwrap_or_default();
    std::fs::write(&*FILE, file).unwrap();
    let users = htpasswd::read(&FILE);
    let auth = Auth::open(&FILE, || Ok(BTreeMap::new()));
    assert_eq!(users.is_ok(), auth.is_ok());
    let (Ok(users), Ok(auth)) = (users, auth) else {
        return;
    };
    for (name, hash) in &users {
        assert!(!name.is_empty() && !name.contains([':', '\n']), "{name:?}");
        assert!(htpasswd::COSTS.contains(&hash.cost));
        // The cheapest only: each costs a millisecond.
        if hash.cost == 4 {
            let _ = hash.verify(b"password");
        }
    }
    if let Ok(header) = std::str::from_utf8(header) {
        ask(&auth, &users, header);
    }
    let asks_bcrypt = needs_bcrypt(&auth, &format!("bAsIc {}", STANDARD.encode(header)));
    let colon = header.iter().position(|byte| *byte == b':');
    let name = colon.map(|at| std::str::from_utf8(&header[..at]));
    assert_eq!(asks_bcrypt, matches!(name, Some(Ok(_))), "{header:?}");
});

/// Whether bcrypt has to tell.
fn needs_bcrypt(auth: &Auth, header: &str) -> bool {
    let check = auth.quick_check(Some(header), Ipv4Addr::LOCALHOST.into(), Instant::now());
    matches!(check, QuickCheck::NeedsBcrypt(_))
}

/// A right password is known again, and nobody is who is not in the file.
fn ask(auth: &Auth, users: &HashMap<String, htpasswd::Hash>, header: &str) {
    let peer = Ipv4Addr::LOCALHOST.into();
    let check = auth.quick_check(Some(header), peer, Instant::now());
    let QuickCheck::NeedsBcrypt(credentials) = check else {
        return;
    };
    if users.is_empty() || users.values().any(|hash| hash.cost > 4) {
        return;
    }
    if let Ok(user) = auth.check(&credentials, peer) {
        assert!(users.contains_key(&*user.name));
        let check = auth.quick_check(Some(header), peer, Instant::now());
        assert!(matches!(check, QuickCheck::Known(known) if known.name == user.name));
    }
}
