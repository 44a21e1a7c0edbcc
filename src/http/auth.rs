//! Who asks: HTTP Basic against the file of users. A password that was right lately is known again by a keyed hash,
//! at once; any other is a `Claim` that costs bcrypt, which one thread checks for all. An unknown user, a wrong
//! password and any two users take the same time and get the same answer.

mod backoff;

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

use self::backoff::Delays;
use crate::htpasswd::{self, Hash};
use crate::scope::Scope;

/// How long after it was last used a right password is known again without bcrypt.
const KNOWN: Duration = Duration::from_secs(600);

const GONE: &str =
    "server.users is gone: a server that asks for passwords stops doing so only by a restart";

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Whose request it is, and what he may see.
#[derive(Clone, Debug)]
pub struct User {
    pub name: Arc<str>,
    pub scope: Arc<Scope>,
}

/// What can be said at once.
pub enum First {
    Known(User),
    Refused(Refusal),
    /// Bcrypt has to tell.
    Unsure(Claim),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// No password, or a wrong one.
    Unauthorized,
    /// Too many wrong ones from this address: nothing is looked at until then.
    Wait(Duration),
}

/// A name and a password, not believed yet.
pub struct Claim {
    name: String,
    password: Vec<u8>,
}

/// What users are limited to, by name.
type Scopes = BTreeMap<String, Scope>;

pub struct Auth {
    book: RwLock<Arc<Book>>,
    looked: Mutex<Instant>,
    /// Why the file could not be read again.
    fault: Mutex<Option<String>>,
    delays: Mutex<Delays>,
    /// Of this process alone, and gone with it.
    key: hmac::Key,
}

/// The file as it was read, and the scopes that go with it.
struct Book {
    file: PathBuf,
    stamp: Option<Stamp>,
    scopes: Scopes,
    users: HashMap<String, Entry>,
    /// The highest in the file: what every failure takes.
    cost: u32,
}

struct Entry {
    user: User,
    hash: Hash,
    /// The last right password's hash under our key, and when it was last used. One a user, so the file bounds them.
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
            book: RwLock::new(Arc::new(Book::read(file, scopes)?)),
            looked: Mutex::new(Instant::now()),
            fault: Mutex::default(),
            delays: Mutex::default(),
            key,
        })
    }

    /// Reads the file again, perhaps another one. What is wrong with it leaves everything as it was.
    pub fn reload(
        &self,
        file: Option<&Path>,
        scopes: impl FnOnce() -> anyhow::Result<Scopes>,
    ) -> anyhow::Result<()> {
        let new = Book::read(file.context(GONE)?, scopes)?;
        new.remember(&self.book());
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }

    /// Looks once a second whether the file has changed since it was read.
    pub fn has_changed(&self, now: Instant) -> bool {
        let mut looked = lock(&self.looked);
        if now.saturating_duration_since(*looked) < LOOK {
            return false;
        }
        *looked = now;
        let book = self.book();
        let stamp = stamp(&book.file);
        stamp != book.stamp
    }

    /// Whether this is why the file could not be read, and was not the last time; none: it was read.
    pub fn is_new_fault(&self, fault: Option<&str>) -> bool {
        let mut known = lock(&self.fault);
        let is_new = known.as_deref() != fault;
        *known = fault.map(str::to_owned);
        is_new
    }

    /// Scopes whose users are not in the file.
    pub fn strangers(&self) -> Vec<String> {
        let book = self.book();
        let known = |name: &&String| !book.users.contains_key(*name);
        book.scopes.keys().filter(known).cloned().collect()
    }

    /// Tells at once what can be told. `authorization` is the header's value.
    pub fn first(&self, authorization: Option<&str>, address: IpAddr, now: Instant) -> First {
        let Some(claim) = authorization.and_then(Claim::of) else {
            return First::Refused(Refusal::Unauthorized);
        };
        if let Some(user) = self.known(&claim, now) {
            return First::Known(user);
        }
        match lock(&self.delays).wait(address, now) {
            Some(left) => First::Refused(Refusal::Wait(left)),
            None => First::Unsure(claim),
        }
    }

    /// Checks a claim, which may take a second. For one thread: it asks again what may have changed meanwhile.
    pub fn check(&self, claim: &Claim, address: IpAddr, now: Instant) -> Result<User, Refusal> {
        if let Some(user) = self.known(claim, now) {
            return Ok(user);
        }
        if let Some(left) = lock(&self.delays).wait(address, now) {
            return Err(Refusal::Wait(left));
        }
        let book = self.book();
        let entry = book.users.get(&claim.name);
        if let Some(entry) = entry.filter(|entry| entry.hash.verify(&claim.password)) {
            let tag = hmac::sign(&self.key, &claim.message());
            *lock(&entry.recent) = Some((tag, now));
            return Ok(entry.user.clone());
        }
        // What was spent so far is 2 to the power of the user's cost, or nothing. All failures take as long as the
        // dearest hash of the file, or the time would tell who is in it.
        match entry {
            Some(entry) => {
                (entry.hash.cost..book.cost).for_each(|cost| htpasswd::waste(&claim.password, cost))
            }
            None => htpasswd::waste(&claim.password, book.cost),
        }
        lock(&self.delays).note(address, Instant::now());
        Err(Refusal::Unauthorized)
    }

    /// The user, if this very password was right and used a short while ago.
    fn known(&self, claim: &Claim, now: Instant) -> Option<User> {
        let book = self.book();
        let entry = book.users.get(&claim.name)?;
        let mut recent = lock(&entry.recent);
        let (tag, used) = recent.as_mut()?;
        let fresh = now.saturating_duration_since(*used) < KNOWN;
        // Compares in constant time.
        let same = hmac::verify(&self.key, &claim.message(), tag.as_ref()).is_ok();
        if !(fresh && same) {
            return None;
        }
        // Nothing but the file can make a password wrong, and who asks all the time is never asked to wait for bcrypt.
        *used = now.max(*used);
        Some(entry.user.clone())
    }

    fn book(&self) -> Arc<Book> {
        let book = self.book.read();
        book.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Book {
    fn read(file: &Path, scopes: impl FnOnce() -> anyhow::Result<Scopes>) -> anyhow::Result<Book> {
        // Before the reading: a change between the two is then seen as one.
        let stamp = stamp(file);
        let hashes = htpasswd::read(file)?;
        // Not before: a user who came between the two would have none, and see everything.
        let scopes = scopes()?;
        let cost = hashes.values().map(|hash| hash.cost).max();
        let entry = |(name, hash): (String, Hash)| {
            let scope = scopes.get(&name).cloned().unwrap_or(Scope::All);
            let user = User {
                name: name.as_str().into(),
                scope: Arc::new(scope),
            };
            let recent = Mutex::default();
            (name, Entry { user, hash, recent })
        };
        let users = hashes.into_iter().map(entry).collect();
        Ok(Book {
            file: file.to_owned(),
            stamp,
            scopes,
            users,
            cost: cost.unwrap_or(htpasswd::COST),
        })
    }

    /// Takes over which passwords were right lately, of users whose hash is the same.
    fn remember(&self, old: &Book) {
        for (name, entry) in &self.users {
            let same = old.users.get(name).filter(|old| old.hash == entry.hash);
            if let Some(old) = same {
                *lock(&entry.recent) = *lock(&old.recent);
            }
        }
    }
}

impl Claim {
    fn of(authorization: &str) -> Option<Claim> {
        let (scheme, encoded) = authorization.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let mut decoded = STANDARD.decode(encoded.trim()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let password = decoded.split_off(colon + 1);
        decoded.pop();
        let name = String::from_utf8(decoded).ok()?;
        Some(Claim { name, password })
    }

    /// Name and password in one, so that no two claims look the same: a name holds no colon.
    fn message(&self) -> Vec<u8> {
        [self.name.as_bytes(), b":", &self.password].concat()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let of = |file: Metadata| {
        // Only whether two are equal matters, not the numbers.
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
