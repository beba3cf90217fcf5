//! A monoid for every key: [`MapOf`]. Keeps whatever laws its values keep.

use std::collections::BTreeMap;

use super::{Codec, Commutative, Idempotent, Invertible, Monoid, set::TREE_ENTRY_BYTES};

/// An effect for every key; keys without one are left alone.
///
/// In normal form: a key whose effect is the identity is not held, so that equal effects are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapOf<K, M>(BTreeMap<K, M>);

impl<K: Ord + Clone, M: Monoid + Clone + PartialEq> MapOf<K, M> {
    /// An effect on one key.
    pub fn of(key: K, effect: M) -> Self {
        let mut map = BTreeMap::from([(key, effect)]);
        map.retain(|_, effect| *effect != M::identity());
        Self(map)
    }

    /// The effect on a key; `None` if it is left alone.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&M>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The keys that are not left alone, in order, with their effects.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &M)> {
        self.0.iter()
    }

    /// How many keys are not left alone.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all keys are left alone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K, M> Default for MapOf<K, M> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, M: Monoid + Clone + PartialEq> Monoid for MapOf<K, M> {
    fn identity() -> Self {
        Self::default()
    }

    fn combine(&mut self, later: &Self) {
        for (key, effect) in &later.0 {
            let Some(held) = self.0.get_mut(key) else {
                self.0.insert(key.clone(), effect.clone());
                continue;
            };
            held.combine(effect);
            if *held == M::identity() {
                self.0.remove(key);
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        let entry = size_of::<(K, M)>() + TREE_ENTRY_BYTES;
        self.0.values().map(|effect| entry + effect.heap_bytes()).sum()
    }
}

impl<K: Ord + Clone, M: Commutative + Clone + PartialEq> Commutative for MapOf<K, M> {}
impl<K: Ord + Clone, M: Idempotent + Clone + PartialEq> Idempotent for MapOf<K, M> {}

impl<K: Ord + Clone, M: Invertible + Clone + PartialEq> Invertible for MapOf<K, M> {
    fn invert(&mut self) {
        self.0.values_mut().for_each(M::invert);
    }
}

impl<K: Codec + Ord, M: Codec> Codec for MapOf<K, M> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        BTreeMap::decode(input).map(Self)
    }
}
