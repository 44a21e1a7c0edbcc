//! The file of users: `name:hash` a line, as Apache's `htpasswd -B` writes it. Reads it, changes one user in it, and
//! replaces it in one step. Only bcrypt is taken; no message shows any part of a line but its number.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, ensure};
use bcrypt::HashParts;

/// A password takes bcrypt this power of two of rounds: about a tenth of a second.
pub const COST: u32 = 10;

/// The costs that bcrypt takes and a server can wait for.
pub const COSTS: std::ops::RangeInclusive<u32> = 4..=14;

/// bcrypt reads no more of a password.
const LONGEST_PASSWORD: usize = 72;

/// A user's hash as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hash {
    text: String,
    /// The power of two of its rounds.
    pub cost: u32,
}

impl Hash {
    pub fn verify(&self, password: &[u8]) -> bool {
        // The text was taken apart when it was read, so this cannot fail.
        let same = bcrypt::verify(password, &self.text).unwrap_or(false);
        // bcrypt would take any tail. It is asked all the same, so that a long password takes as much time.
        same && password.len() <= LONGEST_PASSWORD
    }
}

/// Hashes a password of an unknown user, so that the answer takes as long as for a known one.
pub fn waste(password: &[u8], cost: u32) {
    std::hint::black_box(bcrypt::hash_with_salt(password, cost, [7; 16]).is_ok());
}

/// Reads the file.
pub fn read(path: &Path) -> anyhow::Result<HashMap<String, Hash>> {
    let text = fs::read(path).map_err(anyhow::Error::from);
    text.and_then(|bytes| parse(&bytes))
        .with_context(|| format!("users {}", path.display()))
}

fn parse(bytes: &[u8]) -> anyhow::Result<HashMap<String, Hash>> {
    let mut users = HashMap::new();
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let line = std::str::from_utf8(line).ok();
        let line = line.with_context(|| format!("line {number} is not UTF-8"))?;
        let Some((name, hash)) = entry(line).with_context(|| format!("line {number}"))? else {
            continue;
        };
        ensure!(
            users.insert(name.to_owned(), hash).is_none(),
            "line {number}: this user is there twice"
        );
    }
    Ok(users)
}

/// A line's user and hash; none of a comment or an empty line.
fn entry(line: &str) -> anyhow::Result<Option<(&str, Hash)>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, rest) = line.split_once(':').context("not user:hash")?;
    ensure!(!name.is_empty(), "names no user");
    // What may follow another colon is a comment, as it is to Apache.
    let hash = rest.split(':').next().unwrap_or("");
    let bcrypt = ["$2y$", "$2b$", "$2a$"].iter().any(|p| hash.starts_with(p));
    ensure!(
        bcrypt,
        "not a bcrypt hash, the only kind that is taken: create it again with rbc-usage passwd or htpasswd -B"
    );
    let parts: Option<HashParts> = hash.parse().ok();
    let cost = parts.context("not a whole bcrypt hash")?.get_cost();
    ensure!(
        COSTS.contains(&cost),
        "bcrypt of cost {cost}: {} to {} are taken",
        COSTS.start(),
        COSTS.end()
    );
    let text = hash.to_owned();
    Ok(Some((name, Hash { text, cost })))
}

/// Refuses what cannot be a user's name in such a file, or in a request.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    ensure!(!name.is_empty(), "the user's name is empty");
    ensure!(
        name.trim() == name && !name.starts_with('#') && !name.contains([':', ']']),
        "a user's name holds no : or ], begins with no # and has no blanks around it"
    );
    ensure!(
        !name.contains(char::is_control) && name.len() <= 255,
        "a user's name holds no control characters and at most 255 bytes"
    );
    Ok(())
}

/// Refuses passwords that bcrypt would cut short or cannot take.
pub fn check_password(password: &str) -> anyhow::Result<()> {
    ensure!(!password.is_empty(), "the password is empty");
    ensure!(
        password.len() <= LONGEST_PASSWORD,
        "the password has more than {LONGEST_PASSWORD} bytes, and bcrypt reads no more"
    );
    ensure!(
        !password.contains(char::is_control),
        "the password holds a control character"
    );
    Ok(())
}

/// Sets a user's password in the file, which is created if there is none; everything else in it stays.
pub fn set_password(
    path: &Path,
    name: &str,
    password: &str,
    cost: u32,
) -> anyhow::Result<UserChange> {
    let hash = bcrypt::hash_with_result(password, cost).context("hash the password")?;
    let line = format!("{name}:{}", hash.format_for_version(bcrypt::Version::TwoY));
    change(path, name, Some(&line))
}

/// Takes a user out of the file.
pub fn delete(path: &Path, name: &str) -> anyhow::Result<UserChange> {
    change(path, name, None)
}

#[derive(Debug, PartialEq)]
pub enum UserChange {
    Added,
    Replaced,
    Deleted,
    /// There was no such user.
    Absent,
}

fn change(path: &Path, name: &str, line: Option<&str>) -> anyhow::Result<UserChange> {
    // A link stays one; the file it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let named = || format!("users {}", path.display());
    // Two changes at once would lose one; the folder is there before the file is.
    let lock = File::open(folder).with_context(named)?;
    lock.lock().with_context(named)?;
    let old = match fs::read(&path) {
        Ok(bytes) => String::from_utf8(bytes).ok().context("not UTF-8"),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(err) => Err(err.into()),
    };
    let (text, change) = changed(&old.with_context(named)?, name, line);
    if change != UserChange::Absent {
        replace(&path, folder, &text).with_context(named)?;
        lock.sync_all().with_context(named)?;
    }
    Ok(change)
}

/// The text with the user's line in place of the old one, or at the end, or nowhere.
fn changed(old: &str, name: &str, line: Option<&str>) -> (String, UserChange) {
    let mut text = String::with_capacity(old.len() + 128);
    let mut found = false;
    for kept in old.split_terminator('\n') {
        let of_user = kept
            .trim()
            .split_once(':')
            .is_some_and(|(user, _)| user == name);
        if !of_user {
            text.extend([kept, "\n"]);
        } else if let (false, Some(line)) = (found, line) {
            text.extend([line, "\n"]);
        }
        found |= of_user;
    }
    if let (false, Some(line)) = (found, line) {
        text.extend([line, "\n"]);
    }
    let change = match (found, line.is_some()) {
        (false, true) => UserChange::Added,
        (true, true) => UserChange::Replaced,
        (true, false) => UserChange::Deleted,
        (false, false) => UserChange::Absent,
    };
    (text, change)
}

/// Writes a file beside the old one and moves it over it. It keeps its owner and its group, and the group's right
/// to read unless everybody had it too.
fn replace(path: &Path, folder: &Path, text: &str) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = format!(".{name}.new");
    // What a killed run has left.
    let _ = fs::remove_file(folder.join(&name));
    let mut new = tempfile::Builder::new();
    let mut file = new.prefix(&name).rand_bytes(0).tempfile_in(folder)?;
    if let Ok(old) = fs::metadata(path) {
        let new = file.as_file().metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()))
                .context("keep its owner and group")?;
        }
        let group_reads = old.mode() & 0o047 == 0o040;
        let mode = if group_reads { 0o640 } else { 0o600 };
        let permissions = fs::Permissions::from_mode(mode);
        file.as_file().set_permissions(permissions)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|err| err.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Apache's `htpasswd -nbB -C 5 apache secret`.
    const APACHE: &str = "apache:$2y$05$10jTmmg67BYigUmtL0JOt.WbAP56c1fIXE9krQLorUGqmOc6zg7qi";

    #[test]
    fn lines_of_apache_are_read() {
        let text = format!(
            "# users\n\n  {APACHE}  \r\nb:$2b$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC:x\n"
        );
        let users = parse(text.as_bytes()).unwrap();
        assert_eq!(users.len(), 2);
        assert_eq!(users["apache"].cost, 5);
        assert!(users["apache"].verify(b"secret"));
        assert!(!users["b"].verify(b"secret"));
    }

    #[test]
    fn what_is_not_bcrypt_is_refused_by_its_line() {
        for (line, message) in [
            ("a:$apr1$x$y", "line 2: not a bcrypt hash, the only kind"),
            (
                "a:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
                "line 2: not a bcrypt",
            ),
            ("a:plain", "line 2: not a bcrypt hash"),
            (
                "a:$2x$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
                "line 2: not a bcrypt hash",
            ),
            ("a:$2y$05$short", "line 2: not a whole bcrypt hash"),
            (
                "a:$2y$31$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
                "line 2: bcrypt of cost 31: 4 to 14 are taken",
            ),
            (":x", "line 2: names no user"),
            ("secret", "line 2: not user:hash"),
            (APACHE, "line 2: this user is there twice"),
        ] {
            let err = parse(format!("{APACHE}\n{line}\n").as_bytes()).unwrap_err();
            let err = format!("{err:#}");
            assert!(err.starts_with(message), "{line}: {err}");
            assert!(!err.contains("secret") && !err.contains("$2"), "{err}");
        }
        let err = parse(b"\xff:x").unwrap_err();
        assert_eq!(err.to_string(), "line 1 is not UTF-8");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_users_or_refused_by_their_line(bytes: Vec<u8>) {
            if let Err(err) = parse(&bytes) {
                let err = format!("{err:#}");
                proptest::prop_assert!(err.starts_with("line "));
            }
        }

        #[test]
        fn a_change_of_any_text_changes_one_user(old in "(?s).{0,200}", name in "[a-z]{1,3}") {
            let line = format!("{name}:new");
            let (text, _) = changed(&old, &name, Some(&line));
            let others = |text: &str| -> Vec<String> {
                let of_user = |line: &&str| line.trim().split_once(':').is_some_and(|(user, _)| user == name);
                text.split_terminator('\n').filter(|line| !of_user(line)).map(str::to_owned).collect()
            };
            proptest::prop_assert_eq!(others(&old), others(&text));
            proptest::prop_assert_eq!(text.lines().filter(|kept| *kept == line).count(), 1);
        }
    }

    #[test]
    fn a_change_leaves_the_rest_as_it_is() {
        let old = "# keep\na:1\n\nb:2\na:3";
        let replaced = ("# keep\na:9\n\nb:2\n".to_owned(), UserChange::Replaced);
        assert_eq!(changed(old, "a", Some("a:9")), replaced);
        let added = (
            "# keep\na:1\n\nb:2\na:3\nc:9\n".to_owned(),
            UserChange::Added,
        );
        assert_eq!(changed(old, "c", Some("c:9")), added);
        let deleted = ("# keep\n\nb:2\n".to_owned(), UserChange::Deleted);
        assert_eq!(changed(old, "a", None), deleted);
        assert_eq!(changed(old, "c", None).1, UserChange::Absent);
    }

    #[test]
    fn a_hash_tells_its_password_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        assert_eq!(
            set_password(&path, "jane", "sécret", 4).unwrap(),
            UserChange::Added
        );
        let users = read(&path).unwrap();
        assert!(users["jane"].verify("sécret".as_bytes()));
        assert!(!users["jane"].verify(b"secret"));
        assert!(!users["jane"].verify(b""));
    }

    #[test]
    fn names_and_passwords_that_cannot_be_used_are_refused() {
        for name in ["", "a:b", " a", "#a", "a]", "a\tb"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        check_name("jane.doe@example.com").unwrap();
        for password in ["", "a\nb", &"x".repeat(73)] {
            assert!(check_password(password).is_err(), "{password:?}");
        }
        check_password(&"x".repeat(72)).unwrap();
    }
}
