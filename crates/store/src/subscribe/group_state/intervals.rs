//! Sets of numbers as closed intervals: what is settled above a checkpoint, which revisions are resolved.
//!
//! Intervals never touch: `[1,2]` and `[3,4]` are `[1,4]`. Costs are logarithmic in the number of intervals.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intervals(BTreeMap<u64, u64>);

impl Intervals {
    /// Takes closed intervals that are in order and do not touch: faster than collecting them one by one.
    pub(crate) fn from_runs(runs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self(runs.into_iter().collect())
    }

    /// Whether `number` is in the set.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, &last)| number <= last)
    }

    /// Adds `first..=last`.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        debug_assert!(first <= last, "an interval runs forward: {first} to {last}");
        let (mut first, mut last) = (first, last);
        let reach = last.saturating_add(1);
        while let Some((&start, &end)) =
            self.0.range(..=reach).next_back().filter(|(_, end)| end.saturating_add(1) >= first)
        {
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// Takes one number out.
    pub(crate) fn remove(&mut self, number: u64) {
        let Some((&first, &last)) = self.0.range(..=number).next_back().filter(|(_, last)| number <= **last) else {
            return;
        };
        self.0.remove(&first);
        if first < number {
            self.0.insert(first, number - 1);
        }
        if number < last {
            self.0.insert(number + 1, last);
        }
    }

    /// The smallest number.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.keys().next().copied()
    }

    /// The largest number.
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.values().next_back().copied()
    }

    /// The intervals in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        self.0.iter().map(|(&first, &last)| (first, last))
    }

    /// How many intervals.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Drops the highest intervals until there are at most `max`.
    pub(crate) fn truncate(&mut self, max: usize) {
        while self.0.len() > max {
            self.0.pop_last();
        }
    }
}

impl FromIterator<(u64, u64)> for Intervals {
    /// Takes closed intervals in any order; those that run backwards are nothing.
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(intervals: T) -> Self {
        let mut set = Self::default();
        intervals.into_iter().filter(|(first, last)| first <= last).for_each(|(first, last)| set.insert(first, last));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against a set of single numbers.
        #[test]
        fn intervals_are_a_set_of_numbers(changes in prop::collection::vec((any::<bool>(), 0..60_u64, 0..9_u64), 0..40)) {
            let (mut intervals, mut numbers) = (Intervals::default(), BTreeSet::new());
            for (inserts, first, more) in changes {
                if inserts {
                    intervals.insert(first, first + more);
                    numbers.extend(first..=first + more);
                } else {
                    intervals.remove(first);
                    numbers.remove(&first);
                }
                let listed: Vec<u64> = intervals.iter().flat_map(|(first, last)| first..=last).collect();
                prop_assert_eq!(&listed, &numbers.iter().copied().collect::<Vec<_>>());
                let touching = intervals.iter().zip(intervals.iter().skip(1)).find(|(one, next)| one.1 + 1 >= next.0);
                prop_assert_eq!(touching, None);
                prop_assert!((0..80).all(|number| intervals.contains(number) == numbers.contains(&number)));
                prop_assert_eq!((intervals.first(), intervals.last()), (numbers.first().copied(), numbers.last().copied()));
            }
        }
    }

    #[test]
    fn the_largest_number_can_be_in_a_set() {
        let mut intervals = Intervals::default();
        intervals.insert(u64::MAX, u64::MAX);
        intervals.insert(u64::MAX - 1, u64::MAX - 1);
        assert_eq!(intervals.iter().collect::<Vec<_>>(), [(u64::MAX - 1, u64::MAX)]);
    }
}
