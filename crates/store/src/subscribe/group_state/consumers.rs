//! Who works for the group, what lies in their outboxes, and whose turn it is.
//!
//! A consumer never has more messages than slots, unless it was given fewer slots while it had them. One that leaves its outbox
//! untouched for the message timeout *stalls*: what lies there goes to others uncounted, and it is passed over until it takes again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::{
    outstanding::Slot,
    words::{ConsumerFacts, ConsumerId},
};

#[derive(Debug)]
struct Consumer {
    slots: usize,
    /// In its outbox or in its hands.
    in_flight: usize,
    outbox: VecDeque<Slot>,
    taken: u64,
    stalled: bool,
    /// When it stalls, if it takes nothing.
    stalls_at: Option<Duration>,
}

impl Consumer {
    fn is_free(&self) -> bool {
        !self.stalled && self.in_flight < self.slots
    }
}

/// The consumers of a group.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    by_id: BTreeMap<ConsumerId, Consumer>,
    /// Those that can be given a message.
    free: BTreeSet<ConsumerId>,
    /// Who was given the last message.
    turn: Option<ConsumerId>,
    /// Those that stall when they take nothing, by when.
    stalls: BTreeSet<(Duration, ConsumerId)>,
    /// Those with news nobody asked for yet.
    ready: BTreeSet<ConsumerId>,
    next: u64,
}

const CONNECTED: &str = "a message is given to consumers that are connected only";

impl Consumers {
    pub(super) fn connect(&mut self, slots: usize) -> ConsumerId {
        let id = ConsumerId(self.next);
        self.next += 1;
        let outbox = VecDeque::new();
        self.by_id.insert(id, Consumer { slots, in_flight: 0, outbox, taken: 0, stalled: false, stalls_at: None });
        self.update(id);
        id
    }

    /// Forgets a consumer; what it had must be put back by the caller. Whether it was there.
    pub(super) fn disconnect(&mut self, id: ConsumerId) -> bool {
        let Some(consumer) = self.by_id.remove(&id) else {
            return false;
        };
        if let Some(at) = consumer.stalls_at {
            self.stalls.remove(&(at, id));
        }
        self.free.remove(&id);
        self.ready.remove(&id);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn contains(&self, id: ConsumerId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn set_slots(&mut self, id: ConsumerId, slots: usize) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.slots = slots;
            self.update(id);
        }
    }

    pub(super) fn is_free(&self, id: ConsumerId) -> bool {
        self.free.contains(&id)
    }

    /// The free consumer that is connected longest.
    pub(super) fn oldest_free(&self) -> Option<ConsumerId> {
        self.free.first().copied()
    }

    /// The free consumer after the one that was given the last message.
    pub(super) fn next_free(&self) -> Option<ConsumerId> {
        let after = self.turn.and_then(|turn| self.free.range(ConsumerId(turn.0 + 1)..).next());
        after.or_else(|| self.free.first()).copied()
    }

    /// Puts a message in the outbox of a consumer, which stalls at `stalls_at` if it does nothing.
    pub(super) fn assign(&mut self, id: ConsumerId, slot: Slot, stalls_at: Option<Duration>) {
        let consumer = self.by_id.get_mut(&id).expect(CONNECTED);
        consumer.in_flight += 1;
        consumer.outbox.push_back(slot);
        if consumer.outbox.len() == 1 {
            self.ready.insert(id);
            self.restart_stalling(id, stalls_at);
        }
        self.turn = Some(id);
        self.update(id);
    }

    /// Moves up to `max` messages from the outbox of a consumer into its hands.
    pub(super) fn take(&mut self, id: ConsumerId, max: usize, stalls_at: Option<Duration>) -> Vec<Slot> {
        let Some(consumer) = self.by_id.get_mut(&id) else {
            return Vec::new();
        };
        let count = max.min(consumer.outbox.len());
        let taken: Vec<Slot> = consumer.outbox.drain(..count).collect();
        consumer.taken += taken.len() as u64;
        let left = !consumer.outbox.is_empty();
        self.restart_stalling(id, stalls_at.filter(|_| left));
        taken
    }

    /// Takes a message back that a consumer has in its hands.
    pub(super) fn give_back(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.in_flight -= 1;
            self.update(id);
        }
    }

    /// Takes a message back that is in the outbox of a consumer. Linear in its length, and rare.
    pub(super) fn withdraw(&mut self, id: ConsumerId, slot: Slot) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.outbox.retain(|other| *other != slot);
            consumer.in_flight -= 1;
            if consumer.outbox.is_empty() {
                self.restart_stalling(id, None);
            }
            self.update(id);
        }
    }

    /// The consumer that stalls next, and when.
    pub(super) fn next_stall(&self) -> Option<(Duration, ConsumerId)> {
        self.stalls.first().copied()
    }

    /// Passes a consumer over from now on. What lay in its outbox is left for the caller to withdraw.
    pub(super) fn stall(&mut self, id: ConsumerId) -> VecDeque<Slot> {
        let Some(consumer) = self.by_id.get_mut(&id) else {
            return VecDeque::new();
        };
        consumer.stalled = true;
        let left = std::mem::take(&mut consumer.outbox);
        self.restart_stalling(id, None);
        self.update(id);
        left
    }

    pub(super) fn is_stalled(&self, id: ConsumerId) -> bool {
        self.by_id.get(&id).is_some_and(|consumer| consumer.stalled)
    }

    /// No longer passes a consumer over.
    pub(super) fn revive(&mut self, id: ConsumerId) {
        if let Some(consumer) = self.by_id.get_mut(&id) {
            consumer.stalled = false;
            self.update(id);
        }
    }

    pub(super) fn has_deliveries(&self, id: ConsumerId) -> bool {
        self.by_id.get(&id).is_some_and(|consumer| !consumer.outbox.is_empty())
    }

    /// A consumer that must hear that it is gone.
    pub(super) fn announce(&mut self, id: ConsumerId) {
        self.ready.insert(id);
    }

    /// Those that got messages, or were dropped, since this was last asked.
    pub(super) fn drain_ready(&mut self) -> Vec<ConsumerId> {
        std::mem::take(&mut self.ready).into_iter().collect()
    }

    pub(super) fn facts(&self) -> Vec<ConsumerFacts> {
        let facts = |(&id, consumer): (&ConsumerId, &Consumer)| {
            let &Consumer { slots, in_flight, taken, stalled, .. } = consumer;
            ConsumerFacts { id, slots, in_flight, taken, stalled }
        };
        self.by_id.iter().map(facts).collect()
    }

    fn restart_stalling(&mut self, id: ConsumerId, at: Option<Duration>) {
        let Some(consumer) = self.by_id.get_mut(&id) else {
            return;
        };
        if let Some(before) = std::mem::replace(&mut consumer.stalls_at, at) {
            self.stalls.remove(&(before, id));
        }
        self.stalls.extend(at.map(|at| (at, id)));
    }

    fn update(&mut self, id: ConsumerId) {
        if self.by_id.get(&id).is_some_and(Consumer::is_free) {
            self.free.insert(id);
        } else {
            self.free.remove(&id);
        }
    }
}
