//! Answers that are remembered for as long as the ledger stays as it was: a program that asks again gets the same bytes
//! without a sum being done, and from the gate, without a worker being asked. Bounded, and forgotten whole, for what
//! is asked again will be back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::response::Reply;
use crate::day::Day;
use crate::ledger::read::Reader;
use crate::scope::Scope;

/// Bytes of answers, with what is needed to find them.
const MOST: usize = 32 << 20;

/// A longer answer is not worth what it would drive out.
const LONGEST: usize = MOST / 128;

/// What an answer depends on beside the question and the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Where a question names no start.
    pub yesterday: Day,
    /// A question of more days is refused.
    pub max_days: i64,
}

/// When answers are the same: as long as this is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// How many ledgers have been opened, and what `Reader::changes` told of the last one.
    ledger: (u64, i64),
    pub terms: Terms,
}

pub struct Memory {
    ledger: PathBuf,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// Sees whether anybody has written to the ledger.
    watch: Option<Reader>,
    opened: u64,
    moment: Option<Moment>,
    known: Known,
    bytes: usize,
}

/// Who may see the same is answered the same.
type Known = HashMap<Arc<Scope>, HashMap<String, Arc<Reply>>>;

/// What was known.
struct Forgotten(Known);

impl Memory {
    pub fn new(ledger: PathBuf) -> Memory {
        Memory {
            ledger,
            inside: Mutex::default(),
        }
    }

    /// The answer to the same question by somebody who may see the same, if nothing has changed since; or else what
    /// `keep` wants to know once there is one. Nobody waits here for the ledger: while it cannot be read, nothing is
    /// remembered.
    pub fn recall(
        &self,
        terms: Terms,
        target: &str,
        scope: &Arc<Scope>,
    ) -> Result<Arc<Reply>, Option<Moment>> {
        let mut inside = self.lock();
        let ledger = inside.look(&self.ledger);
        let moment = ledger.map(|ledger| Moment { ledger, terms });
        if inside.moment != moment {
            let forgotten = inside.forget();
            inside.moment = moment;
            drop(inside);
            forgotten.give_up();
            return Err(moment);
        }
        let known = inside.known.get(scope).and_then(|known| known.get(target));
        known.cloned().ok_or(moment)
    }

    /// Remembers a good answer that was worked out after a `recall` that told of this moment. The ledger may have changed
    /// in between; then the next `recall` forgets it.
    pub fn keep(&self, moment: Moment, target: &str, scope: &Arc<Scope>, reply: &Arc<Reply>) {
        let size = 2 * target.len() + reply.body.len() + 512;
        if reply.status != 200 || size > LONGEST {
            return;
        }
        let (target, reply) = (target.to_owned(), reply.clone());
        let mut inside = self.lock();
        if inside.moment != Some(moment) {
            return;
        }
        let forgotten = (inside.bytes + size > MOST).then(|| inside.forget());
        inside.bytes += size;
        let known = inside.known.entry(scope.clone()).or_default();
        known.insert(target, reply);
        drop(inside);
        if let Some(forgotten) = forgotten {
            forgotten.give_up();
        }
    }

    /// What a panic of another thread leaves behind is no more than an answer too few.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Which ledger is open, and how often it has changed; none if it cannot be read at once.
    fn look(&mut self, path: &Path) -> Option<(u64, i64)> {
        // A deleted file can still be read by who has it open, so it is looked for each time.
        let current = self.watch.take().and_then(Reader::if_current);
        let watch = match current {
            Some(watch) => watch,
            None => {
                self.opened += 1;
                Reader::open_without_waiting(path).ok()?
            }
        };
        let changes = self.watch.insert(watch).changes();
        Some((self.opened, changes.ok()?))
    }

    /// Hands over what was known.
    fn forget(&mut self) -> Forgotten {
        self.bytes = 0;
        Forgotten(std::mem::take(&mut self.known))
    }
}

impl Forgotten {
    /// Frees its memory, which takes tens of milliseconds, in a thread of its own: nobody's answer waits for that.
    fn give_up(self) {
        if !self.0.is_empty() {
            // Where there is no thread to be had, what it was to do is done here.
            let _ = thread::Builder::new().spawn(move || drop(self));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response;
    use crate::ledger;
    use crate::scope::ScopeLimits;

    fn terms(yesterday: &str) -> Terms {
        Terms {
            yesterday: yesterday.parse().unwrap(),
            max_days: 3660,
        }
    }

    fn reply(length: usize) -> Arc<Reply> {
        Arc::new(Reply {
            status: 200,
            headers: vec![],
            body: vec![b'x'; length],
        })
    }

    /// A memory of a ledger, which anybody may write to.
    fn memory(folder: &tempfile::TempDir) -> (Memory, rusqlite::Connection) {
        let path = folder.path().join("usage.db");
        ledger::initialise(&path, "GMT", "2013-06-01T00:20:00Z").unwrap();
        let writer = rusqlite::Connection::open(&path).unwrap();
        (Memory::new(path), writer)
    }

    fn write(writer: &rusqlite::Connection) {
        let sql = "update ledgers set revision = revision + 1";
        writer.execute_batch(sql).unwrap();
    }

    #[test]
    fn an_answer_is_remembered_for_its_question_scope_and_moment() {
        let folder = tempfile::tempdir().unwrap();
        let (memory, writer) = memory(&folder);
        let (all, today) = (Arc::new(Scope::All), terms("2013-06-01"));
        let some = Arc::new(Scope::Only(ScopeLimits {
            projects: ["p".to_owned()].into(),
            ..ScopeLimits::default()
        }));
        let keeps = || {
            let moment = memory.recall(today, "/", &all).unwrap_err().unwrap();
            memory.keep(moment, "/a", &all, &reply(1));
        };
        let recalls = |terms, target, scope| memory.recall(terms, target, scope).is_ok();
        assert!(!recalls(today, "/a", &all));
        keeps();
        // Another scope that says the same is the same.
        let kept = memory.recall(today, "/a", &Arc::new(Scope::All)).unwrap();
        assert_eq!(kept, reply(1));
        assert!(!recalls(today, "/b", &all));
        assert!(!recalls(today, "/a", &some));
        let fewer_days = Terms {
            max_days: 31,
            ..today
        };
        for other in [terms("2013-06-02"), fewer_days] {
            keeps();
            assert!(recalls(today, "/a", &all));
            assert!(!recalls(other, "/a", &all), "{other:?}");
            assert!(!recalls(today, "/a", &all), "{other:?}");
        }
        keeps();
        write(&writer);
        assert!(!recalls(today, "/a", &all));
    }

    #[test]
    fn what_was_worked_out_before_a_change_is_not_kept_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let (memory, writer) = memory(&folder);
        let (all, today) = (Arc::new(Scope::All), terms("2013-06-01"));
        let before = memory.recall(today, "/a", &all).unwrap_err().unwrap();
        write(&writer);
        // Nobody has seen the change yet, so it is kept, and forgotten by the first who does.
        memory.keep(before, "/a", &all, &reply(1));
        assert!(memory.recall(today, "/a", &all).is_err());
        memory.keep(before, "/a", &all, &reply(1));
        assert!(memory.recall(today, "/a", &all).is_err());
    }

    #[test]
    fn another_file_in_the_ledgers_place_is_another_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let (memory, writer) = memory(&folder);
        let (all, today) = (Arc::new(Scope::All), terms("2013-06-01"));
        let before = memory.recall(today, "/a", &all).unwrap_err().unwrap();
        memory.keep(before, "/a", &all, &reply(1));
        drop(writer);
        let path = folder.path().join("usage.db");
        std::fs::rename(&path, folder.path().join("away.db")).unwrap();
        assert_eq!(memory.recall(today, "/a", &all), Err(None));
        ledger::initialise(&path, "GMT", "2013-06-01T00:20:00Z").unwrap();
        let after = memory.recall(today, "/a", &all).unwrap_err().unwrap();
        assert_ne!(after, before);
        memory.keep(before, "/a", &all, &reply(1));
        assert!(memory.recall(today, "/a", &all).is_err());
    }

    #[test]
    fn nobody_waits_for_who_holds_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let (memory, writer) = memory(&folder);
        let (all, today) = (Arc::new(Scope::All), terms("2013-06-01"));
        let journal = "pragma journal_mode = delete; begin exclusive";
        writer.execute_batch(journal).unwrap();
        let began = std::time::Instant::now();
        assert_eq!(memory.recall(today, "/a", &all), Err(None));
        assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    }

    #[test]
    fn only_good_answers_are_remembered_and_not_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let (memory, _) = memory(&folder);
        let (all, today) = (Arc::new(Scope::All), terms("2013-06-01"));
        let moment = memory.recall(today, "/", &all).unwrap_err().unwrap();
        memory.keep(moment, "/a", &all, &Arc::new(response::error(404, "no")));
        memory.keep(moment, "/b", &all, &reply(LONGEST));
        assert_eq!(memory.lock().bytes, 0);
        for number in 0..100_000 {
            memory.keep(moment, &format!("/{number}"), &all, &reply(1000));
            assert!(memory.lock().bytes <= MOST);
        }
        assert!(memory.lock().known[&all].len() <= MOST / 1500);
        assert!(memory.recall(today, "/99999", &all).is_ok());
    }
}
