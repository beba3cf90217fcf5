//! A summary for each of many paths: a sorted run, as compact as it can be and still be searched.
//!
//! Runs are merged, never hash tables: sorting a block and merging runs beats one big table even on one thread, because nothing is looked up
//! at random.

use std::sync::Arc;

use crate::algebra::Monoid;

/// Paths in ascending order of their bytes, each with what its events come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<S> {
    /// All paths, one after the other.
    text: Box<str>,
    /// Where each ends.
    ends: Box<[u32]>,
    summaries: Box<[S]>,
    /// Events that could not be read and were left out.
    skipped: u64,
}

impl<S: Monoid + Clone> Run<S> {
    /// A run of entries in any order; those of one path are composed in the order they come in.
    pub(crate) fn of(mut entries: Vec<(&str, S)>, skipped: u64) -> Self {
        entries.sort_by_key(|(path, _)| *path); // stable: the events of a path stay in order
        let mut builder = Builder::default();
        for (path, summary) in entries {
            builder.push(path, &summary);
        }
        builder.finish(skipped)
    }

    /// `earlier`, and then `later`.
    pub(crate) fn merge(earlier: &Self, later: &Self) -> Self {
        let mut builder = Builder::default();
        let (mut a, mut b) = (0, 0);
        while a < earlier.len() && b < later.len() {
            let (path, other) = (earlier.path(a), later.path(b));
            if path <= other {
                builder.push(path, &earlier.summaries[a]);
                a += 1;
            }
            if other <= path {
                builder.push(other, &later.summaries[b]);
                b += 1;
            }
        }
        (a..earlier.len()).for_each(|at| builder.push(earlier.path(at), &earlier.summaries[at]));
        (b..later.len()).for_each(|at| builder.push(later.path(at), &later.summaries[at]));
        builder.finish(earlier.skipped + later.skipped)
    }

    /// All in order, neighbours first, so that each entry is copied a logarithmic number of times.
    pub(crate) fn merge_all(runs: &[Arc<Self>]) -> Self {
        match runs {
            [] => Self::of(Vec::new(), 0),
            [one] => Self::clone(one),
            [a, b] => Self::merge(a, b),
            more => {
                let (earlier, later) = more.split_at(more.len() / 2);
                Self::merge(&Self::merge_all(earlier), &Self::merge_all(later))
            }
        }
    }

    /// What the events of a path come to; `None` if it had none.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&S> {
        let at = self.lower_bound(path);
        (at < self.len() && self.path(at) == path).then(|| &self.summaries[at])
    }

    /// The paths that begin with `prefix`, in order.
    pub fn beginning_with<'r>(&'r self, prefix: &'r str) -> impl Iterator<Item = (&'r str, &'r S)> {
        let entries = (self.lower_bound(prefix)..self.len()).map(|at| (self.path(at), &self.summaries[at]));
        entries.take_while(move |(path, _)| path.starts_with(prefix))
    }

    fn lower_bound(&self, path: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.path(middle) < path { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl<S> Run<S> {
    /// How many paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The entries, in order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &S)> {
        (0..self.len()).map(|at| (self.path(at), &self.summaries[at]))
    }

    /// Events that could not be read and were left out.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn path(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }
}

impl<S: Monoid> Run<S> {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let summaries: usize = self.summaries.iter().map(Monoid::heap_bytes).sum();
        self.text.len() + self.ends.len() * (4 + size_of::<S>()) + summaries
    }
}

struct Builder<S> {
    text: String,
    ends: Vec<u32>,
    summaries: Vec<S>,
}

impl<S> Default for Builder<S> {
    fn default() -> Self {
        Self { text: String::new(), ends: Vec::new(), summaries: Vec::new() }
    }
}

impl<S: Monoid + Clone> Builder<S> {
    /// Adds a path that is not before the last one; the same one is composed onto it.
    fn push(&mut self, path: &str, summary: &S) {
        let start = self.ends.len().checked_sub(2).map_or(0, |before| self.ends[before] as usize);
        match self.summaries.last_mut() {
            Some(last) if self.text[start..] == *path => last.combine(summary),
            Some(_) | None => {
                self.text.push_str(path);
                self.ends.push(u32::try_from(self.text.len()).expect("the paths of a run are fewer than 4 GiB"));
                self.summaries.push(summary.clone());
            }
        }
    }

    fn finish(self, skipped: u64) -> Run<S> {
        let Self { text, ends, summaries } = self;
        Run { text: text.into(), ends: ends.into(), summaries: summaries.into(), skipped }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::algebra::Affine;

    #[test]
    fn runs_are_maps_however_they_were_merged() {
        let entry = ("[ab]{1,3}", prop_oneof![(-5..5_i64).prop_map(Affine::add), (-5..5_i64).prop_map(Affine::set)]);
        proptest!(|(entries in vec(entry, 0..60), cuts in vec(0..60_usize, 0..6), probe in "[ab]{0,3}")| {
            let mut map: BTreeMap<&str, Affine> = BTreeMap::new();
            for (path, effect) in &entries {
                map.entry(path).or_insert_with(Affine::identity).combine(effect);
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(entries.len())).chain([0, entries.len()]).collect();
            cuts.sort_unstable();
            let part = |part: &[(String, Affine)]| Arc::new(Run::of(part.iter().map(|(path, e)| (&**path, *e)).collect(), 1));
            let runs: Vec<_> = cuts.windows(2).map(|cut| part(&entries[cut[0]..cut[1]])).collect();
            let merged = Run::merge_all(&runs);
            prop_assert_eq!(merged.iter().collect::<Vec<_>>(), map.iter().map(|(path, e)| (*path, e)).collect::<Vec<_>>());
            prop_assert_eq!(merged.get(&probe), map.get(&*probe));
            let below: Vec<_> = map.iter().filter(|(path, _)| path.starts_with(&*probe)).map(|(path, e)| (*path, e)).collect();
            prop_assert_eq!(merged.beginning_with(&probe).collect::<Vec<_>>(), below);
            prop_assert_eq!(merged.skipped(), runs.len() as u64);
        });
    }
}
