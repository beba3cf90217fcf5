//! Which messages a client has, by the ids it answers with: those of events, where the group knows its messages by place.
//!
//! An id need not be unique: two events of the log may have the same. Then an answer is for the message that came first.
//!
//! **Bounded:** a client never has more messages than it has slots. What is beyond was taken from it when its time was over, oldest first, as times
//! are all alike; it is forgotten here.

use std::collections::{BTreeMap, HashMap, VecDeque};

use gesta_store::MessageId;
use uuid::Uuid;

/// See the module's words.
#[derive(Debug)]
pub(super) struct InHand {
    slots: usize,
    /// Counts deliveries.
    next: u64,
    by_id: HashMap<Uuid, VecDeque<(u64, MessageId)>>,
    /// In the order they were delivered.
    delivered: BTreeMap<u64, Uuid>,
}

impl InHand {
    pub(super) fn with_slots(slots: usize) -> Self {
        Self { slots, next: 0, by_id: HashMap::new(), delivered: BTreeMap::new() }
    }

    /// A message is delivered. One that was before, and taken away, is in hand again.
    pub(super) fn deliver(&mut self, id: Uuid, message: MessageId) {
        let messages = self.by_id.entry(id).or_default();
        if let Some(at) = messages.iter().position(|(_, before)| *before == message)
            && let Some((number, _)) = messages.remove(at)
        {
            self.delivered.remove(&number);
        }
        messages.push_back((self.next, message));
        self.delivered.insert(self.next, id);
        self.next += 1;
        while self.delivered.len() > self.slots {
            let Some((_, oldest)) = self.delivered.first_key_value() else { return };
            self.answer(*oldest);
        }
    }

    /// The message an answer is for. `None`: the client does not have it.
    pub(super) fn answer(&mut self, id: Uuid) -> Option<MessageId> {
        let messages = self.by_id.get_mut(&id)?;
        let (number, message) = messages.pop_front()?;
        if messages.is_empty() {
            self.by_id.remove(&id);
        }
        self.delivered.remove(&number);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use gesta_store::Position;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);
    const C: Uuid = Uuid::from_u128(3);

    fn message(position: u64) -> MessageId {
        MessageId(Position(position))
    }

    fn holding<const N: usize>(slots: usize, delivered: [(Uuid, u64); N]) -> InHand {
        let mut in_hand = InHand::with_slots(slots);
        delivered.into_iter().for_each(|(id, position)| in_hand.deliver(id, message(position)));
        in_hand
    }

    #[test]
    fn each_is_answered_once() {
        let mut in_hand = holding(10, [(A, 1), (B, 2)]);
        assert_eq!([A, A, C].map(|id| in_hand.answer(id)), [Some(message(1)), None, None]);
    }

    #[test]
    fn of_two_with_one_id_the_first_is_answered_first() {
        let mut in_hand = holding(10, [(A, 1), (A, 2)]);
        assert_eq!([A, A, A].map(|id| in_hand.answer(id)), [Some(message(1)), Some(message(2)), None]);
    }

    #[test]
    fn one_that_comes_again_is_in_hand_once() {
        let mut in_hand = holding(10, [(A, 1), (A, 2), (A, 1)]);
        assert_eq!([A, A, A].map(|id| in_hand.answer(id)), [Some(message(2)), Some(message(1)), None]);
    }

    #[test]
    fn what_was_taken_away_is_forgotten() {
        let mut in_hand = holding(2, [(A, 1), (B, 2), (C, 3)]);
        assert_eq!([A, B, C].map(|id| in_hand.answer(id)), [None, Some(message(2)), Some(message(3))]);
        assert!(in_hand.by_id.is_empty() && in_hand.delivered.is_empty());
    }
}
