//! Authentication: HTTP Basic against the file of users. A password that was right recently is recognised at once by a
//! keyed hash; any other costs bcrypt, one at a time behind a turnstile. An unknown user and a wrong password take the
//! same time and get the same answer, whoever the user is.

mod backoff;
mod turnstile;

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use self::backoff::Backoff;
use self::turnstile::Turnstile;
use crate::htpasswd::{self, Hash};
use crate::scope::Scope;

/// How long after its last use a right password is recognised without bcrypt.
const KNOWN: Duration = Duration::from_secs(600);

const GONE: &str =
    "server.users is gone: a server that asks for passwords stops doing so only by a restart";

/// How often the file is checked for changes.
const LOOK: Duration = Duration::from_secs(1);

/// Whose request it is, and what they may see.
#[derive(Clone, Debug)]
pub struct User {
    pub name: Arc<str>,
    pub scope: Arc<Scope>,
}

/// What can be decided without bcrypt.
pub enum QuickCheck {
    Known(User),
    Rejected(AuthError),
    NeedsBcrypt(Credentials),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AuthError {
    /// No password, or a wrong one.
    Unauthorized,
    /// Too many wrong passwords for this user from this address: none is checked for this long.
    Wait(Duration),
    /// Too many passwords are being checked.
    Busy,
}

/// A name and a password that are not verified yet.
pub struct Credentials {
    name: String,
    password: Vec<u8>,
}

/// What users are limited to, by name.
type Scopes = BTreeMap<String, Scope>;

pub struct Auth {
    table: RwLock<Arc<UserTable>>,
    looked: Mutex<Instant>,
    /// Why the last attempt to read the file again failed.
    fault: Mutex<Option<String>>,
    backoff: Mutex<Backoff>,
    turnstile: Turnstile,
    /// Random, and never leaves this process.
    key: hmac::Key,
}

/// The file as it was read, and the scopes that go with it.
struct UserTable {
    file: PathBuf,
    stamp: Option<Stamp>,
    scopes: Scopes,
    users: HashMap<String, KnownUser>,
    /// The highest cost in the file: every failure takes as long as that.
    cost: u32,
}

struct KnownUser {
    user: User,
    hash: Hash,
    /// The keyed hash of the last right password, and when it was last used. One a user, so the file bounds them.
    recent: Mutex<Option<(hmac::Tag, Instant)>>,
}

/// Changes whenever the file does.
#[derive(Clone, Copy, PartialEq)]
struct Stamp([i64; 7]);

impl Auth {
    /// Reads the file of users.
    pub fn open(
        file: &Path,
        scopes: impl FnOnce() -> anyhow::Result<Scopes>,
    ) -> anyhow::Result<Auth> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        Ok(Auth {
            table: RwLock::new(Arc::new(UserTable::read(file, scopes)?)),
            looked: Mutex::new(Instant::now()),
            fault: Mutex::default(),
            backoff: Mutex::default(),
            turnstile: Turnstile::default(),
            key,
        })
    }

    /// Reads the file again, perhaps from another path. If something is wrong with it, nothing changes.
    pub fn reload(
        &self,
        file: Option<&Path>,
        scopes: impl FnOnce() -> anyhow::Result<Scopes>,
    ) -> anyhow::Result<()> {
        let new = UserTable::read(file.context(GONE)?, scopes)?;
        new.remember(&self.table());
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }

    /// Whether the file has changed since it was read. Looks once a second.
    pub fn has_changed(&self, now: Instant) -> bool {
        let mut looked = lock(&self.looked);
        if now.saturating_duration_since(*looked) < LOOK {
            return false;
        }
        *looked = now;
        let table = self.table();
        let stamp = stamp(&table.file);
        stamp != table.stamp
    }

    /// Notes why the file could not be read (`None`: it was read), and returns whether that is new.
    pub fn is_new_fault(&self, fault: Option<&str>) -> bool {
        let mut known = lock(&self.fault);
        let is_new = known.as_deref() != fault;
        *known = fault.map(str::to_owned);
        is_new
    }

    /// Scopes whose users are not in the file.
    pub fn scopes_without_user(&self) -> Vec<String> {
        let table = self.table();
        let known = |name: &&String| !table.users.contains_key(*name);
        table.scopes.keys().filter(known).cloned().collect()
    }

    /// Decides what can be decided without bcrypt. `authorization` is the header's value.
    pub fn quick_check(
        &self,
        authorization: Option<&str>,
        address: IpAddr,
        now: Instant,
    ) -> QuickCheck {
        let Some(credentials) = authorization.and_then(Credentials::of) else {
            return QuickCheck::Rejected(AuthError::Unauthorized);
        };
        if let Some(user) = self.known(&credentials, now) {
            return QuickCheck::Known(user);
        }
        match lock(&self.backoff).wait(address, &credentials.name, now) {
            Some(left) => QuickCheck::Rejected(AuthError::Wait(left)),
            None => QuickCheck::NeedsBcrypt(credentials),
        }
    }

    /// Waits for a turn at bcrypt, and checks the password. Looks again at what may have changed during the wait.
    pub fn check(&self, credentials: &Credentials, address: IpAddr) -> Result<User, AuthError> {
        // Keyed, so that no client can craft two passwords with the same tag.
        let tag = hmac::sign(&self.key, &credentials.message());
        let known = || self.known(credentials, Instant::now());
        let turn = self.turnstile.pass(&credentials.name, tag.as_ref(), known);
        let _turn = match turn {
            Ok(turn) => turn,
            Err(Some(user)) => return Ok(user),
            Err(None) => return Err(AuthError::Busy),
        };
        let backoff = lock(&self.backoff).wait(address, &credentials.name, Instant::now());
        if let Some(left) = backoff {
            return Err(AuthError::Wait(left));
        }
        let table = self.table();
        let entry = table.users.get(&credentials.name);
        if let Some(entry) = entry.filter(|entry| entry.hash.verify(&credentials.password)) {
            *lock(&entry.recent) = Some((tag, Instant::now()));
            return Ok(entry.user.clone());
        }
        // The check so far took 2 to the power of the user's cost, or nothing. Every failure takes as long as the most
        // expensive hash in the file: otherwise the time would reveal which users there are.
        match entry {
            Some(entry) => (entry.hash.cost..table.cost)
                .for_each(|cost| htpasswd::waste(&credentials.password, cost)),
            None => htpasswd::waste(&credentials.password, table.cost),
        }
        lock(&self.backoff).note(address, &credentials.name, Instant::now());
        Err(AuthError::Unauthorized)
    }

    /// The user, if this password was right and in use recently.
    fn known(&self, credentials: &Credentials, now: Instant) -> Option<User> {
        let table = self.table();
        let entry = table.users.get(&credentials.name)?;
        let mut recent = lock(&entry.recent);
        let (tag, used) = recent.as_mut()?;
        let fresh = now.saturating_duration_since(*used) < KNOWN;
        // This compares in constant time.
        let same = hmac::verify(&self.key, &credentials.message(), tag.as_ref()).is_ok();
        if !(fresh && same) {
            return None;
        }
        // Only a change of the file makes a password wrong, so clients that keep asking never wait for bcrypt.
        *used = now.max(*used);
        Some(entry.user.clone())
    }

    fn table(&self) -> Arc<UserTable> {
        let table = self.table.read();
        table.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl UserTable {
    fn read(
        file: &Path,
        scopes: impl FnOnce() -> anyhow::Result<Scopes>,
    ) -> anyhow::Result<UserTable> {
        // Taken before the file is read: a change between the two is then noticed.
        let stamp = stamp(file);
        let hashes = htpasswd::read(file)?;
        // Read after the file: a user who is added between the two would have no scope, and see everything.
        let scopes = scopes()?;
        let cost = hashes.values().map(|hash| hash.cost).max();
        let entry = |(name, hash): (String, Hash)| {
            let scope = scopes.get(&name).cloned().unwrap_or(Scope::All);
            let user = User {
                name: name.as_str().into(),
                scope: Arc::new(scope),
            };
            let recent = Mutex::default();
            (name, KnownUser { user, hash, recent })
        };
        let users = hashes.into_iter().map(entry).collect();
        Ok(UserTable {
            file: file.to_owned(),
            stamp,
            scopes,
            users,
            cost: cost.unwrap_or(htpasswd::COST),
        })
    }

    /// Takes over which passwords were right recently, for users whose hash has not changed.
    fn remember(&self, old: &UserTable) {
        for (name, entry) in &self.users {
            let same = old.users.get(name).filter(|old| old.hash == entry.hash);
            if let Some(old) = same {
                *lock(&entry.recent) = *lock(&old.recent);
            }
        }
    }
}

impl Credentials {
    fn of(authorization: &str) -> Option<Credentials> {
        let (scheme, encoded) = authorization.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let mut decoded = STANDARD.decode(encoded.trim()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let password = decoded.split_off(colon + 1);
        decoded.pop();
        let name = String::from_utf8(decoded).ok()?;
        Some(Credentials { name, password })
    }

    /// Name and password as one text. It is unambiguous, because a name holds no colon.
    fn message(&self) -> Vec<u8> {
        [self.name.as_bytes(), b":", &self.password].concat()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let of = |file: Metadata| {
        // Stamps are only compared for equality, so the casts may wrap.
        Stamp([
            file.dev() as i64,
            file.ino() as i64,
            file.size() as i64,
            file.mtime(),
            file.mtime_nsec(),
            file.ctime(),
            file.ctime_nsec(),
        ])
    };
    std::fs::metadata(file).ok().map(of)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
