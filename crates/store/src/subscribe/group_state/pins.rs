//! Pinned strategies: which consumer has which bucket, and what waits for it there.
//!
//! Buckets are spread evenly, to within one. When a consumer comes it takes just its share, and when one goes only its buckets move.
//! A message already in the hands of a bucket's former consumer stays there: pinning keeps caches warm, it does not order.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    consumers::Consumers,
    outstanding::{Place, Slot},
    words::ConsumerId,
};
use crate::position::Position;

/// Into how many buckets pins are hashed, as KurrentDB has it.
const BUCKETS: usize = 1024;

/// The spreading of buckets, and the messages that wait in them.
#[derive(Debug)]
pub(super) struct Pins {
    owners: Vec<Option<ConsumerId>>,
    shares: BTreeMap<ConsumerId, usize>,
    /// By the owner of their bucket; `None` while nobody is there.
    waiting: BTreeMap<Option<ConsumerId>, BTreeMap<Position, (Slot, usize)>>,
    /// Owners for whom something waits.
    wanted: BTreeSet<ConsumerId>,
}

impl Pins {
    pub(super) fn new() -> Self {
        let owners = vec![None; BUCKETS];
        Self { owners, shares: BTreeMap::new(), waiting: BTreeMap::new(), wanted: BTreeSet::new() }
    }

    pub(super) fn join(&mut self, id: ConsumerId) {
        self.shares.insert(id, 0);
        let share = BUCKETS / self.shares.len();
        while self.shares[&id] < share {
            let giver = self.largest_but(id);
            let bucket = self.owners.iter().rposition(|owner| *owner == giver);
            self.move_bucket(bucket.expect("whoever has the largest share has a bucket"), Some(id));
        }
        self.sort_again();
    }

    pub(super) fn leave(&mut self, id: ConsumerId) {
        self.shares.remove(&id);
        for bucket in 0..BUCKETS {
            if self.owners[bucket] == Some(id) {
                // The oldest of those with the smallest share.
                let heir = self.shares.iter().min_by_key(|&(id, &share)| (share, *id)).map(|(id, _)| *id);
                self.move_bucket(bucket, heir);
            }
        }
        self.sort_again();
    }

    /// The oldest of those with the largest share; nobody, if buckets have no owner.
    fn largest_but(&self, id: ConsumerId) -> Option<ConsumerId> {
        let others = self.shares.iter().filter(|(other, _)| **other != id);
        others.max_by_key(|&(id, &share)| (share, std::cmp::Reverse(*id))).map(|(id, _)| *id)
    }

    fn move_bucket(&mut self, bucket: usize, to: Option<ConsumerId>) {
        let from = std::mem::replace(&mut self.owners[bucket], to);
        if let Some(share) = from.and_then(|from| self.shares.get_mut(&from)) {
            *share -= 1;
        }
        if let Some(share) = to.and_then(|to| self.shares.get_mut(&to)) {
            *share += 1;
        }
    }

    /// Puts what waits where the owners of now find it.
    fn sort_again(&mut self) {
        self.wanted.clear();
        let waiting = std::mem::take(&mut self.waiting);
        for (position, (slot, bucket)) in waiting.into_values().flatten() {
            self.wait(position, slot, bucket);
        }
    }

    fn wait(&mut self, position: Position, slot: Slot, bucket: usize) {
        let owner = self.owners[bucket];
        self.waiting.entry(owner).or_default().insert(position, (slot, bucket));
        self.wanted.extend(owner);
    }

    pub(super) fn push(&mut self, place: Place) {
        self.wait(place.position, place.slot, bucket_of(place.pin));
    }

    pub(super) fn remove(&mut self, place: Place) {
        self.take(self.owners[bucket_of(place.pin)], place.position);
    }

    /// The next message and its consumer. Passes over consumers without room, so costs as many steps as there are of these.
    pub(super) fn pop(&mut self, consumers: &Consumers) -> Option<(Slot, ConsumerId)> {
        let owner = self.wanted.iter().copied().find(|owner| consumers.is_free(*owner))?;
        let (&position, &(slot, _)) = self.waiting.get(&Some(owner))?.first_key_value()?;
        self.take(Some(owner), position);
        Some((slot, owner))
    }

    fn take(&mut self, owner: Option<ConsumerId>, position: Position) {
        if let Some(waiting) = self.waiting.get_mut(&owner) {
            waiting.remove(&position);
            if waiting.is_empty() {
                self.waiting.remove(&owner);
                if let Some(owner) = owner {
                    self.wanted.remove(&owner);
                }
            }
        }
    }
}

fn bucket_of(pin: u64) -> usize {
    usize::try_from(pin % BUCKETS as u64).expect("a bucket number is small")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Shares are even to within one, and only what must move moves.
        #[test]
        fn buckets_are_spread_evenly_and_seldom_move(changes in prop::collection::vec((any::<bool>(), 0..40_usize), 1..40)) {
            let (mut pins, mut members, mut next) = (Pins::new(), Vec::new(), 0);
            for (joins, which) in changes {
                let before = pins.owners.clone();
                let changed = if joins || members.is_empty() {
                    next += 1;
                    members.push(ConsumerId(next));
                    pins.join(ConsumerId(next));
                    ConsumerId(next)
                } else {
                    let gone = members.remove(which % members.len());
                    pins.leave(gone);
                    gone
                };
                let share = |id: &ConsumerId| pins.owners.iter().filter(|owner| **owner == Some(*id)).count();
                let shares: Vec<usize> = members.iter().map(share).collect();
                prop_assert_eq!(shares.iter().sum::<usize>(), if members.is_empty() { 0 } else { BUCKETS });
                let (least, most) = (shares.iter().min(), shares.iter().max());
                prop_assert!(least.zip(most).is_none_or(|(least, most)| most - least <= 1), "{:?}", shares);
                let mut moved = before.iter().zip(&pins.owners).filter(|(before, after)| before != after);
                let needless = moved.find(|(before, after)| **before != Some(changed) && **after != Some(changed));
                prop_assert_eq!(needless, None, "a bucket moved between others");
            }
        }
    }
}
