//! Sums by a key, made of what comes day by day, each day in the order of the keys.

use crate::sum::CompensatedSum;

/// Sums in the order of their keys.
pub struct RunningSums<K> {
    sums: Vec<(K, CompensatedSum)>,
    /// Where the next key probably is: most days have what the day before them had.
    next: usize,
}

impl<K> Default for RunningSums<K> {
    fn default() -> RunningSums<K> {
        RunningSums {
            sums: Vec::new(),
            next: 0,
        }
    }
}

impl<K: Copy + Ord> RunningSums<K> {
    /// The keys begin again.
    pub fn begin_day(&mut self) {
        self.next = 0;
    }

    pub fn add(&mut self, key: K, quantity: f64) {
        let place = self.place(key);
        self.sums[place].1.add(quantity);
        self.next = place + 1;
    }

    fn place(&mut self, key: K) -> usize {
        let sums = &mut self.sums;
        let likely = [self.next.checked_sub(1), Some(self.next)];
        let is_of_key = |place: &usize| sums.get(*place).is_some_and(|(had, _)| *had == key);
        if let Some(place) = likely.into_iter().flatten().find(is_of_key) {
            return place;
        }
        let found = sums.binary_search_by_key(&key, |(had, _)| *had);
        found.unwrap_or_else(|place| {
            sums.insert(place, (key, CompensatedSum::default()));
            place
        })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    pub fn finish(self) -> Vec<(K, f64)> {
        let sums = self.sums.into_iter();
        sums.map(|(key, sum)| (key, sum.value())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_one_sum_whatever_the_order() {
        let mut sums = RunningSums::default();
        for (key, quantity) in [(3, 1.0), (5, 2.0), (5, 0.5), (3, 4.0), (4, 8.0), (5, 16.0)] {
            sums.add(key, quantity);
        }
        sums.begin_day();
        sums.add(3, 32.0);
        sums.add(1, 64.0);
        assert_eq!(sums.len(), 4);
        assert_eq!(sums.finish(), [(1, 64.0), (3, 37.0), (4, 8.0), (5, 18.5)]);
    }
}
