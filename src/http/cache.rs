//! Answers that are kept until the ledger changes: a program that repeats its request gets the same bytes without any
//! sum being computed. The connection that watches the ledger for changes also reads the zones of its days. The cache
//! is bounded. When it is full, it is emptied as a whole, because what is in demand comes back soon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;

use super::response::Response;
use crate::config::LedgerUri;
use crate::day::Day;
use crate::ledger::read::Reader;
use crate::scope::Scope;
use crate::zones::Zones;

/// Bytes of answers, with what is needed to find them.
const MOST: usize = 32 << 20;

/// A longer answer would displace too many others.
const LONGEST: usize = MOST / 128;

/// Identifies a state of the ledger: how many files have been opened in its place, and the count of `Reader::changes`.
pub type LedgerVersion = (u64, i64);

/// Answers stay valid for as long as this stays the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheVersion {
    pub ledger: LedgerVersion,
    /// Where a question names no start.
    pub yesterday: Day,
    pub max_days: i64,
    /// Identifies the prices; 0: there are none.
    pub prices: u64,
}

pub struct Cache {
    ledger: LedgerUri,
    /// The ledger's, as of its last change.
    zones: RwLock<Arc<Zones>>,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// Notices when anybody writes to the ledger.
    watch: Option<Reader>,
    opened: u64,
    /// When the zones were read.
    zones_of: Option<LedgerVersion>,
    version: Option<CacheVersion>,
    known: Known,
    bytes: usize,
}

/// Users who may see the same get the same.
type Known = HashMap<Arc<Scope>, HashMap<String, Arc<Response>>>;

impl Cache {
    /// `zones` are the ledger's.
    pub fn new(ledger: LedgerUri, zones: Zones) -> Cache {
        Cache {
            ledger,
            zones: RwLock::new(Arc::new(zones)),
            inside: Mutex::default(),
        }
    }

    /// Looks up the ledger's current version, and its zones if they may have changed. This never waits for the ledger:
    /// while it cannot be read, there is no version, nothing is kept, and the zones are the last known ones.
    pub fn look(&self) -> Option<LedgerVersion> {
        let mut inside = self.lock();
        // An open file stays readable after it is deleted, so its path is checked each time.
        let current = inside.watch.take().and_then(Reader::if_current);
        let watch = match current {
            Some(watch) => watch,
            None => {
                inside.opened += 1;
                Reader::open_without_waiting(&self.ledger).ok()?
            }
        };
        let opened = inside.opened;
        let watch = inside.watch.insert(watch);
        let version = (opened, watch.changes().ok()?);
        if inside.zones_of != Some(version) {
            let zones = inside.watch.as_mut()?.zones().ok()?;
            let mut known = self.zones.write().unwrap_or_else(PoisonError::into_inner);
            *known = Arc::new(zones);
            inside.zones_of = Some(version);
        }
        Some(version)
    }

    /// The zones that the ledger's days were of at the last look.
    pub fn zones(&self) -> Arc<Zones> {
        let zones = self.zones.read().unwrap_or_else(PoisonError::into_inner);
        zones.clone()
    }

    /// The kept answer to this question for this scope, if nothing has changed since.
    pub fn get(
        &self,
        version: CacheVersion,
        question: &str,
        scope: &Arc<Scope>,
    ) -> Option<Arc<Response>> {
        let mut inside = self.lock();
        if inside.version != Some(version) {
            let forgotten = inside.forget();
            inside.version = Some(version);
            drop(inside);
            drop_elsewhere(forgotten);
            return None;
        }
        inside.known.get(scope)?.get(question).cloned()
    }

    /// Keeps a successful answer that was made after a `get` of this version. If the ledger has changed in between, the
    /// next `get` has another version.
    pub fn put(
        &self,
        version: CacheVersion,
        question: &str,
        scope: &Arc<Scope>,
        response: &Arc<Response>,
    ) {
        let size = 2 * question.len() + response.body.len() + 512;
        if response.status != 200 || size > LONGEST {
            return;
        }
        let (question, response) = (question.to_owned(), response.clone());
        let mut inside = self.lock();
        if inside.version != Some(version) {
            return;
        }
        let forgotten = (inside.bytes + size > MOST).then(|| inside.forget());
        inside.bytes += size;
        let known = inside.known.entry(scope.clone()).or_default();
        known.insert(question, response);
        drop(inside);
        drop_elsewhere(forgotten.unwrap_or_default());
    }

    /// A panic of another thread costs one kept answer at most.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Empties the cache, and returns what it held.
    fn forget(&mut self) -> Known {
        self.bytes = 0;
        std::mem::take(&mut self.known)
    }
}

/// Freeing this much memory takes tens of milliseconds, so a separate thread does it and no answer waits.
fn drop_elsewhere(known: Known) {
    if !known.is_empty() {
        // If no thread can be started, the memory is freed here.
        let _ = thread::Builder::new().spawn(move || drop(known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::refusal::error;
    use crate::ledger;
    use crate::scope::ScopeLimits;
    use crate::zone::Zone;

    fn response(length: usize) -> Arc<Response> {
        Arc::new(Response {
            status: 200,
            headers: vec![],
            body: vec![b'x'; length],
        })
    }

    /// A cache of a ledger, which anybody may write to.
    fn cache(folder: &tempfile::TempDir) -> (Cache, rusqlite::Connection) {
        let path = folder.path().join("usage.db");
        ledger::initialise(&(&path).into(), "GMT", "2013-06-01T00:20:00Z", &mut |_| ()).unwrap();
        let writer = rusqlite::Connection::open(&path).unwrap();
        (
            Cache::new((&path).into(), Zone::parse("GMT").unwrap().into()),
            writer,
        )
    }

    /// Looks at the ledger, on a day.
    fn version(cache: &Cache, yesterday: &str) -> CacheVersion {
        CacheVersion {
            ledger: cache.look().expect("a ledger"),
            yesterday: yesterday.parse().unwrap(),
            max_days: 3660,
            prices: 0,
        }
    }

    fn write(writer: &rusqlite::Connection) {
        let sql = "update ledgers set revision = revision + 1";
        writer.execute_batch(sql).unwrap();
    }

    #[test]
    fn an_answer_is_kept_for_its_question_scope_and_version() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, writer) = cache(&folder);
        let all = Arc::new(Scope::All);
        let some = Arc::new(Scope::Only(ScopeLimits {
            projects: ["p".to_owned()].into(),
            ..ScopeLimits::default()
        }));
        let today = version(&cache, "2013-06-01");
        let has = |version, question, scope| cache.get(version, question, scope).is_some();
        let keep = || {
            cache.get(today, "/", &all);
            cache.put(today, "/a", &all, &response(1));
        };
        assert!(!has(today, "/a", &all));
        keep();
        // Another scope that says the same is the same.
        let kept = cache.get(today, "/a", &Arc::new(Scope::All)).unwrap();
        assert_eq!(kept, response(1));
        assert!(!has(today, "/b", &all));
        assert!(!has(today, "/a", &some));
        let fewer_days = CacheVersion {
            max_days: 31,
            ..today
        };
        let priced = CacheVersion { prices: 1, ..today };
        for other in [version(&cache, "2013-06-02"), fewer_days, priced] {
            keep();
            assert!(has(today, "/a", &all));
            assert!(!has(other, "/a", &all), "{other:?}");
            assert!(!has(today, "/a", &all), "{other:?}");
        }
        keep();
        write(&writer);
        assert!(!has(version(&cache, "2013-06-01"), "/a", &all));
    }

    #[test]
    fn what_was_made_before_a_change_is_not_kept_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, writer) = cache(&folder);
        let all = Arc::new(Scope::All);
        let before = version(&cache, "2013-06-01");
        assert!(cache.get(before, "/a", &all).is_none());
        write(&writer);
        // No `get` has seen the change yet, so the answer is kept until the first one that does.
        cache.put(before, "/a", &all, &response(1));
        let after = version(&cache, "2013-06-01");
        assert!(cache.get(after, "/a", &all).is_none());
        cache.put(before, "/a", &all, &response(1));
        assert!(cache.get(after, "/a", &all).is_none());
    }

    #[test]
    fn another_file_in_the_ledgers_place_is_another_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, writer) = cache(&folder);
        let before = version(&cache, "2013-06-01");
        drop(writer);
        let path = folder.path().join("usage.db");
        std::fs::rename(&path, folder.path().join("away.db")).unwrap();
        assert_eq!((cache.look(), cache.zones().name()), (None, "GMT"));
        ledger::initialise(
            &(&path).into(),
            "Europe/Stockholm",
            "2013-06-01T00:20:00Z",
            &mut |_| (),
        )
        .unwrap();
        assert_ne!(version(&cache, "2013-06-01"), before);
        assert_eq!(cache.zones().name(), "Europe/Stockholm");
    }

    #[test]
    fn a_look_never_waits_for_a_locked_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, writer) = cache(&folder);
        let journal = "pragma journal_mode = delete; begin exclusive";
        writer.execute_batch(journal).unwrap();
        let began = std::time::Instant::now();
        assert_eq!(cache.look(), None);
        assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    }

    #[test]
    fn only_good_answers_are_kept_and_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, _) = cache(&folder);
        let all = Arc::new(Scope::All);
        let today = version(&cache, "2013-06-01");
        assert!(cache.get(today, "/", &all).is_none());
        cache.put(today, "/a", &all, &Arc::new(error(404, "no")));
        cache.put(today, "/b", &all, &response(LONGEST));
        assert_eq!(cache.lock().bytes, 0);
        for number in 0..100_000 {
            cache.put(today, &format!("/{number}"), &all, &response(1000));
            assert!(cache.lock().bytes <= MOST);
        }
        assert!(cache.lock().known[&all].len() <= MOST / 1500);
        assert!(cache.get(today, "/99999", &all).is_some());
    }
}
