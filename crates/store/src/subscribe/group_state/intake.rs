//! How events of the source come in: how many there is room for, which are new, which wait behind a parked one.

use std::time::Duration;

use super::{
    GroupState,
    outstanding::{Origin, Place},
    words::{Offer, ParkReason, Reach},
};
use crate::position::Position;

impl<M: Clone> GroupState<M> {
    /// How many events may be offered now. Whatever is with the group counts: else messages that wait for their retry, or to be
    /// parked, would pile up without bound.
    pub(crate) fn room(&self) -> usize {
        let buffer = match self.ledger.reach {
            Reach::History => self.rules.history_buffer,
            Reach::Live => self.rules.live_buffer,
        };
        buffer.saturating_sub(self.messages.idle(Origin::Source))
    }

    /// Takes the next event of the source. What was offered before, was settled in an earlier life, or is parked, is ignored.
    pub(crate) fn offer(&mut self, offer: Offer<M>, now: Duration) {
        self.learn_time(now);
        let Offer { position, key, pin, body } = offer;
        if position < self.ledger.considered {
            return;
        }
        self.ledger.considered = position.next();
        self.ledger.last_offered = Some(position);
        let retries = self.ledger.retries_before.remove(&position).unwrap_or(0);
        if self.ledger.settled_before.contains(position.0) || self.parked.get(position).is_some() {
            return;
        }
        let place = self.messages.insert(position, key, pin, Origin::Source, body);
        self.messages.get_mut(place.slot).retries = retries;
        self.queues.wait(place);
        self.hold_back(place);
    }

    /// Everything below `to` was offered or does not match.
    pub(crate) fn considered(&mut self, to: Position, reach: Reach) {
        self.ledger.considered = self.ledger.considered.max(to);
        self.ledger.reach = reach;
    }

    /// Parks a message in line if it must wait for a parked one of its key, and there is room.
    pub(super) fn hold_back(&mut self, place: Place) {
        let Some(waits_for) = self.queues.holds().and_then(|holds| holds.parks(place.key, place.position)) else {
            return;
        };
        if self.has_room_to_park() {
            self.detach(place.slot);
            self.start_parking(place.slot, ParkReason::Held { waits_for });
        } else if let Some(mut held) = self.queues.held() {
            // It stays in line, where it cannot go either.
            held.change(place.key, |holds| holds.crowd(place.key));
        }
    }

    /// Parks everything in line of a key that must wait for a parked message of it.
    pub(super) fn hold_back_line(&mut self, key: u64) {
        let line = self.queues.held().map(|held| held.line(key)).unwrap_or_default();
        line.into_iter().for_each(|place| self.hold_back(place));
    }

    /// Parks what could not be parked while there was no room.
    pub(super) fn hold_back_crowded(&mut self) {
        if !self.has_room_to_park() || self.queues.holds().is_none_or(|holds| !holds.is_crowded()) {
            return;
        }
        let crowded = self.queues.held().map(|mut held| held.take_crowded()).unwrap_or_default();
        crowded.into_iter().for_each(|key| self.hold_back_line(key));
    }
}
