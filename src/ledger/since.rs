//! What holds from a day on until something else does: how the ledger keeps what changes seldom. No SQL.

use crate::day::Day;

/// Values, each with the first day it holds for, in order of days.
#[derive(Clone, Debug)]
pub(super) struct Since<T>(Vec<(Day, T)>);

impl<T> Default for Since<T> {
    fn default() -> Since<T> {
        Since(Vec::new())
    }
}

impl<T: Clone + PartialEq> Since<T> {
    /// The value of a day.
    pub fn find(&self, day: Day) -> Option<&T> {
        let found = self.0.iter().rev().find(|(first, _)| *first <= day);
        found.map(|(_, value)| value)
    }

    /// The last one, and from when on it holds.
    pub fn newest(&self) -> Option<(Day, &T)> {
        self.0.last().map(|(first, value)| (*first, value))
    }

    /// From a day on, until another value's first.
    pub fn set(&mut self, first: Day, value: T) {
        self.0.retain(|(other, _)| *other != first);
        self.0.push((first, value));
        self.0.sort_unstable_by_key(|(first, _)| *first);
    }

    /// Sets the value of one day. Later days, if there are any in the ledger, keep what they had. Returns what was set.
    pub fn freeze(&mut self, day: Day, value: T, later_days: bool) -> Vec<(Day, T)> {
        let before = self.find(day).cloned();
        if before.as_ref() == Some(&value) {
            return Vec::new();
        }
        let mut changes = vec![(day, value)];
        if let Some(before) = before
            && later_days
            && self.0.iter().all(|(first, _)| *first != day.next())
        {
            changes.push((day.next(), before));
        }
        for (first, value) in &changes {
            self.set(*first, value.clone());
        }
        changes
    }
}

impl<T> FromIterator<(Day, T)> for Since<T> {
    fn from_iter<I: IntoIterator<Item = (Day, T)>>(values: I) -> Since<T> {
        let mut values: Vec<(Day, T)> = values.into_iter().collect();
        values.sort_unstable_by_key(|(first, _)| *first);
        Since(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn values(since: &Since<&'static str>) -> String {
        let values = since
            .0
            .iter()
            .map(|(first, value)| format!("{first} {value}"));
        values.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_value_holds_until_the_next() {
        let since = Since::from_iter([(day("2013-06-10"), "b"), (day("2013-06-01"), "a")]);
        assert_eq!(since.find(day("2013-05-31")), None);
        assert_eq!(since.find(day("2013-06-09")), Some(&"a"));
        assert_eq!(since.find(day("2013-06-10")), Some(&"b"));
        assert_eq!(since.newest(), Some((day("2013-06-10"), &"b")));
    }

    #[test]
    fn a_day_that_changes_leaves_later_ones_alone() {
        let mut since = Since::from_iter([(day("2013-06-01"), "a")]);
        assert_eq!(since.freeze(day("2013-06-05"), "a", true), []);
        let changes = since.freeze(day("2013-06-05"), "b", true);
        assert_eq!(
            changes,
            [(day("2013-06-05"), "b"), (day("2013-06-06"), "a")]
        );
        assert_eq!(values(&since), "2013-06-01 a, 2013-06-05 b, 2013-06-06 a");
        // The newest day: what follows is as it is.
        assert_eq!(
            since.freeze(day("2013-06-07"), "c", false),
            [(day("2013-06-07"), "c")]
        );
        // Before all that is known there is nothing that later days could have had.
        assert_eq!(
            since.freeze(day("2013-05-01"), "d", true),
            [(day("2013-05-01"), "d")]
        );
        assert_eq!(
            values(&since),
            "2013-05-01 d, 2013-06-01 a, 2013-06-05 b, 2013-06-06 a, 2013-06-07 c"
        );
    }
}
