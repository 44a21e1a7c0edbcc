//! Answers that one worker remembers for as long as the ledger stays as it was: a program that asks again gets
//! the same bytes without a sum being done. Bounded, and forgotten whole, for what is asked again will be back.

use std::collections::HashMap;
use std::sync::Arc;

use super::reply::Reply;
use crate::day::Day;
use crate::scope::Scope;

/// Bytes of answers, with what is needed to find them.
const MOST: usize = 8 << 20;

/// A longer answer is not worth what it would drive out.
const LONGEST: usize = MOST / 32;

/// What an answer depends on beside the question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// As `ledger::read::Reader::changes` tells, of one connection.
    pub changes: i64,
    /// Where a question names no start.
    pub yesterday: Day,
}

#[derive(Default)]
pub struct Memory {
    moment: Option<Moment>,
    replies: HashMap<(String, Arc<Scope>), Reply>,
    bytes: usize,
}

impl Memory {
    /// The answer to the same question by somebody who may see the same, if nothing has changed since.
    pub fn recall(&mut self, moment: Moment, target: &str, scope: &Arc<Scope>) -> Option<Reply> {
        if self.moment != Some(moment) {
            *self = Memory {
                moment: Some(moment),
                ..Memory::default()
            };
        }
        let key = (target.to_owned(), scope.clone());
        self.replies.get(&key).cloned()
    }

    /// Remembers a good answer that was worked out after `recall` found none. The ledger may have changed in between;
    /// then the next `recall` forgets it.
    pub fn keep(&mut self, target: &str, scope: &Arc<Scope>, reply: &Reply) {
        let size = 2 * target.len() + reply.body.len() + 512;
        if reply.status != 200 || size > LONGEST {
            return;
        }
        if self.bytes + size > MOST {
            self.replies.clear();
            self.bytes = 0;
        }
        self.bytes += size;
        let key = (target.to_owned(), scope.clone());
        self.replies.insert(key, reply.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::reply;
    use crate::scope::Limits;

    fn moment(changes: i64, yesterday: &str) -> Moment {
        Moment {
            changes,
            yesterday: yesterday.parse().unwrap(),
        }
    }

    fn reply(length: usize) -> Reply {
        Reply {
            status: 200,
            headers: vec![],
            body: vec![b'x'; length],
        }
    }

    #[test]
    fn an_answer_is_remembered_for_its_question_scope_and_moment() {
        let mut memory = Memory::default();
        let (all, today) = (Arc::new(Scope::All), moment(1, "2013-06-01"));
        let some = Arc::new(Scope::Only(Limits {
            projects: ["p".to_owned()].into(),
            ..Limits::default()
        }));
        assert_eq!(memory.recall(today, "/a", &all), None);
        memory.keep("/a", &all, &reply(1));
        // Another scope that says the same is the same.
        assert_eq!(
            memory.recall(today, "/a", &Arc::new(Scope::All)),
            Some(reply(1))
        );
        assert_eq!(memory.recall(today, "/b", &all), None);
        assert_eq!(memory.recall(today, "/a", &some), None);
        for other in [moment(2, "2013-06-01"), moment(1, "2013-06-02"), today] {
            assert_eq!(memory.recall(other, "/a", &all), None, "{other:?}");
        }
        assert_eq!(memory.recall(today, "/a", &all), None);
    }

    #[test]
    fn only_good_answers_are_remembered_and_not_without_end() {
        let mut memory = Memory::default();
        let (all, today) = (Arc::new(Scope::All), moment(1, "2013-06-01"));
        memory.recall(today, "/", &all);
        memory.keep("/a", &all, &reply::error(404, "no"));
        memory.keep("/b", &all, &reply(LONGEST));
        assert!(memory.replies.is_empty());
        for number in 0..100_000 {
            memory.keep(&format!("/{number}"), &all, &reply(1000));
            assert!(memory.bytes <= MOST);
        }
        assert!(memory.replies.len() <= MOST / 1500);
        assert_eq!(memory.recall(today, "/99999", &all), Some(reply(1000)));
    }
}
