//! Which passwords are accepted and refused, and what is remembered about them.

use super::*;

fn header(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn peer() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

/// Jane's hash is cheap; Bob's takes twice as long.
fn auth(folder: &Path) -> Auth {
    let file = folder.join("users");
    htpasswd::set_password(&file, "jane", "pass:word", 4).unwrap();
    htpasswd::set_password(&file, "bob", "hunter2", 5).unwrap();
    htpasswd::set_password(&file, "eve", "right", 4).unwrap();
    Auth::open(&file, || Ok(Scopes::new())).unwrap()
}

fn check(auth: &Auth, user: &str, password: &str) -> Result<User, AuthError> {
    let now = Instant::now();
    match auth.quick_check(Some(&header(user, password)), peer(), now) {
        QuickCheck::Known(user) => Ok(user),
        QuickCheck::Rejected(err) => Err(err),
        QuickCheck::NeedsBcrypt(credentials) => auth.check(&credentials, peer()),
    }
}

#[test]
fn a_right_password_is_known_again_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let auth = auth(folder.path());
    let header = header("jane", "pass:word");
    let now = Instant::now();
    let known = |at| {
        matches!(
            auth.quick_check(Some(&header), peer(), at),
            QuickCheck::Known(_)
        )
    };
    assert!(!known(now));
    assert_eq!(&*check(&auth, "jane", "pass:word").unwrap().name, "jane");
    let now = Instant::now();
    assert!(known(now));
    // Each use extends the time for which it is recognised.
    assert!(known(now + KNOWN / 2));
    assert!(known(now + KNOWN));
    assert!(known(now));
    assert!(!known(now + KNOWN * 2));
    assert!(check(&auth, "jane", "pass").is_err());
    assert!(check(&auth, "bob", "pass:word").is_err());
}

#[test]
fn wrong_guesses_are_put_off_and_known_users_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let auth = auth(folder.path());
    check(&auth, "jane", "pass:word").unwrap();
    for _ in 0..3 {
        for user in ["jane", "nobody", "bob"] {
            assert_eq!(
                check(&auth, user, "x").unwrap_err(),
                AuthError::Unauthorized
            );
        }
    }
    // Even the right password, if there were too many guesses for its user from the same address.
    let refused = check(&auth, "bob", "hunter2").unwrap_err();
    assert!(matches!(refused, AuthError::Wait(_)), "{refused:?}");
    check(&auth, "jane", "pass:word").unwrap();
    check(&auth, "eve", "right").unwrap();
    let elsewhere = "192.0.2.2".parse().unwrap();
    let quick = auth.quick_check(Some(&header("bob", "hunter2")), elsewhere, Instant::now());
    assert!(matches!(quick, QuickCheck::NeedsBcrypt(_)));
}

#[test]
fn a_password_has_no_tail_that_bcrypt_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let auth = auth(folder.path());
    let whole = "x".repeat(72);
    let file = folder.path().join("users");
    htpasswd::set_password(&file, "long", &whole, 4).unwrap();
    auth.reload(Some(&file), || Ok(Scopes::new())).unwrap();
    assert!(check(&auth, "long", &format!("{whole}y")).is_err());
    check(&auth, "long", &whole).unwrap();
}

#[test]
fn what_is_no_basic_authorization_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let auth = auth(folder.path());
    for header in [
        None,
        Some(""),
        Some("Basic"),
        Some("Basic !"),
        Some("Bearer amFuZTpwYXNzOndvcmQ="),
        Some("Basic amFuZQ=="),
        Some("Basic /zp4"),
    ] {
        let first = auth.quick_check(header, peer(), Instant::now());
        assert!(
            matches!(first, QuickCheck::Rejected(AuthError::Unauthorized)),
            "{header:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_header_can_do_more_than_be_refused(header in ".{0,80}", decoded: Vec<u8>) {
        Credentials::of(&header);
        let check = Credentials::of(&format!("basic {}", STANDARD.encode(&decoded)));
        let colon = decoded.iter().position(|byte| *byte == b':');
        let name = colon.and_then(|at| std::str::from_utf8(&decoded[..at]).ok());
        proptest::prop_assert_eq!(check.as_ref().map(|check| check.name.as_str()), name);
        if let (Some(check), Some(at)) = (check, colon) {
            proptest::prop_assert_eq!(&check.password, &decoded[at + 1..]);
            proptest::prop_assert_eq!(check.message(), decoded);
        }
    }
}

#[test]
fn a_change_of_the_file_is_seen_and_a_spoilt_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let auth = auth(folder.path());
    let file = folder.path().join("users");
    let later = |seconds| Instant::now() + Duration::from_secs(seconds);
    let reload = || auth.reload(Some(&file), || Ok(Scopes::new()));
    check(&auth, "jane", "pass:word").unwrap();
    assert!(!auth.has_changed(later(2)));
    htpasswd::set_password(&file, "jane", "new", 4).unwrap();
    assert!(!auth.has_changed(later(2)), "looked at it just now");
    let known = |user: &str, password: &str| {
        let header = header(user, password);
        matches!(
            auth.quick_check(Some(&header), peer(), Instant::now()),
            QuickCheck::Known(_)
        )
    };
    check(&auth, "bob", "hunter2").unwrap();
    assert!(auth.has_changed(later(4)));
    reload().unwrap();
    assert!(known("bob", "hunter2"), "nothing has changed for him");
    assert!(!known("jane", "pass:word"));
    assert!(check(&auth, "jane", "pass:word").is_err());
    check(&auth, "jane", "new").unwrap();
    std::fs::write(&file, "jane:plain\n").unwrap();
    assert!(auth.has_changed(later(6)));
    reload().unwrap_err();
    assert!(auth.has_changed(later(8)), "it is looked at again");
    let news = [Some("x"), Some("x"), Some("y"), None, Some("y")].map(|why| auth.is_new_fault(why));
    assert_eq!(news, [true, false, true, true, true]);
    check(&auth, "jane", "new").unwrap();
}
