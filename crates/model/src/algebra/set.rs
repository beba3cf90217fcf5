//! What was seen at all: [`SetUnion`], and the greatest of it: [`TopK`]. Semilattices.

use std::collections::BTreeSet;

use super::{Codec, Commutative, Idempotent, Monoid};

/// Bytes a value of a tree costs beside itself, about: a share of its node.
pub(super) const TREE_ENTRY_BYTES: usize = 16;

/// Everything that was added. Grows with the number of distinct values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetUnion<T>(BTreeSet<T>);

impl<T: Ord + Clone> SetUnion<T> {
    /// This value alone.
    pub fn of(value: T) -> Self {
        Self(BTreeSet::from([value]))
    }

    /// The values.
    pub fn values(&self) -> &BTreeSet<T> {
        &self.0
    }
}

impl<T> Default for SetUnion<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord + Clone> Monoid for SetUnion<T> {
    fn identity() -> Self {
        Self::default()
    }

    fn combine(&mut self, later: &Self) {
        self.0.extend(later.0.iter().cloned());
    }

    fn heap_bytes(&self) -> usize {
        self.0.len() * (size_of::<T>() + TREE_ENTRY_BYTES)
    }
}

impl<T: Ord + Clone> Commutative for SetUnion<T> {}
impl<T: Ord + Clone> Idempotent for SetUnion<T> {}

impl<T: Codec + Ord> Codec for SetUnion<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        BTreeSet::decode(input).map(Self)
    }
}

/// The `N` greatest *distinct* values. Put what orders them first and what tells them apart second: `TopK<(u64, Name), 10>`.
///
/// "The keys with the largest totals" is something else: it has no compact exact summary. Keep a [`MapOf`](super::MapOf) of sums for that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopK<T, const N: usize>(BTreeSet<T>);

impl<T: Ord + Clone, const N: usize> TopK<T, N> {
    /// This value alone.
    pub fn of(value: T) -> Self {
        let mut top = Self(BTreeSet::from([value]));
        top.trim();
        top
    }

    /// The values, greatest first.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().rev()
    }

    fn trim(&mut self) {
        while self.0.len() > N {
            self.0.pop_first();
        }
    }
}

impl<T, const N: usize> Default for TopK<T, N> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord + Clone, const N: usize> Monoid for TopK<T, N> {
    fn identity() -> Self {
        Self::default()
    }

    fn combine(&mut self, later: &Self) {
        self.0.extend(later.0.iter().cloned());
        self.trim();
    }

    fn heap_bytes(&self) -> usize {
        self.0.len() * (size_of::<T>() + TREE_ENTRY_BYTES)
    }
}

impl<T: Ord + Clone, const N: usize> Commutative for TopK<T, N> {}
impl<T: Ord + Clone, const N: usize> Idempotent for TopK<T, N> {}

impl<T: Codec + Ord + Clone, const N: usize> Codec for TopK<T, N> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        BTreeSet::decode(input).map(Self).filter(|top| top.0.len() <= N)
    }
}
