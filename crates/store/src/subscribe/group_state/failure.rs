//! What happens to messages that were not worked off: they go back, wait for their retry, or are parked.
//!
//! Every way begins with [`GroupState::detach`], after which a message is in no queue, outbox or hand, and its key is free; and
//! ends with one that puts it somewhere.

use std::{sync::Arc, time::Duration};

use super::{
    GroupState,
    outstanding::{Origin, Slot, State},
    parked::Stage,
    words::{ConsumerId, ParkReason},
};

/// How long a message waits that should be parked and cannot be, because there are as many parked ones as there may be.
const PARK_AGAIN_AFTER: Duration = Duration::from_secs(10);

impl<M: Clone> GroupState<M> {
    /// Takes a message from wherever it is.
    pub(super) fn detach(&mut self, slot: Slot) {
        let message = self.messages.get(slot);
        let place = message.place;
        match *message.state() {
            State::Waiting | State::Retrying { .. } => self.queues.remove(place),
            State::Outbox { consumer } => {
                self.consumers.withdraw(consumer, slot);
                self.queues.arrive(place.key);
            }
            State::InFlight { consumer, .. } => {
                self.consumers.give_back(consumer);
                self.queues.arrive(place.key);
            }
            State::Parking(_) => {
                self.parking.remove(&place.position);
                self.queues.arrive(place.key);
            }
        }
    }

    /// Puts a message back in line, uncounted.
    pub(super) fn put_back(&mut self, slot: Slot) {
        self.detach(slot);
        self.wait(slot);
    }

    /// The time of a message in flight is over.
    pub(super) fn time_out(&mut self, slot: Slot, consumer: ConsumerId) {
        let message = self.messages.get_mut(slot);
        message.lost_by = Some(consumer);
        let deliveries = message.retries + 1;
        let reason = || format!("timed out, deliveries={deliveries}").into();
        self.retry(slot, Duration::ZERO, Some(consumer), reason);
    }

    /// Delivers a message once more, or parks it if that was tried often enough.
    pub(super) fn retry(
        &mut self,
        slot: Slot,
        after: Duration,
        consumer: Option<ConsumerId>,
        reason: impl FnOnce() -> Arc<str>,
    ) {
        let max = self.rules.max_retry_count;
        let message = self.messages.get_mut(slot);
        if message.retries >= max {
            self.park(slot, consumer, reason());
            return;
        }
        message.retries += 1;
        self.ledger.touch();
        self.detach(slot);
        self.wait_for(slot, after);
    }

    /// Parks a message that failed.
    pub(super) fn park(&mut self, slot: Slot, consumer: Option<ConsumerId>, reason: Arc<str>) {
        self.detach(slot);
        let message = self.messages.get(slot);
        let (place, origin) = (message.place, message.origin);
        if self.queues.holds().is_some() {
            if origin == Origin::Replay {
                self.messages.remove(slot);
                self.parked.set_stage(place.position, Stage::Parked);
                // Nothing is parked anew; but that it is not replayed any more is to be written, or the next life would replay it.
                self.ledger.touch();
                self.call_off(place.key);
                return;
            }
            // Later parked messages of the key would overtake this one.
            self.call_off(place.key);
        }
        if origin == Origin::Replay || self.has_room_to_park() {
            self.start_parking(slot, ParkReason::Failed { reason, consumer });
            self.hold_back_line(place.key);
        } else {
            self.wait_for(slot, PARK_AGAIN_AFTER);
        }
    }

    /// Hands a message that is nowhere to the next write.
    pub(super) fn start_parking(&mut self, slot: Slot, why: ParkReason) {
        self.messages.enter(slot, State::Parking(why));
        let place = self.messages.get(slot).place;
        self.parking.insert(place.position, slot);
        self.queues.depart(place.key);
        if let Some(mut held) = self.queues.held() {
            held.change(place.key, |holds| holds.add(place.key, place.position));
        }
    }

    /// Stops replaying a key: its parked messages stay where they are, and its new ones are parked behind them.
    fn call_off(&mut self, key: u64) {
        let Some(holds) = self.queues.holds().filter(|holds| holds.is_replaying(key)) else {
            return;
        };
        let positions: Vec<_> = holds.of(key).collect();
        self.ledger.touch();
        if let Some(mut held) = self.queues.held() {
            held.change(key, |holds| holds.end_replay(key));
        }
        for position in positions {
            if let Some(slot) = self.messages.find(position).filter(|slot| self.messages.get(*slot).is_replay()) {
                self.detach(slot);
                self.messages.remove(slot);
            }
            self.parked.set_stage(position, Stage::Parked);
        }
        self.hold_back_line(key);
    }

    fn wait(&mut self, slot: Slot) {
        self.messages.enter(slot, State::Waiting);
        self.queues.wait(self.messages.get(slot).place);
    }

    fn wait_for(&mut self, slot: Slot, after: Duration) {
        if after.is_zero() {
            self.wait(slot);
        } else {
            self.messages.enter(slot, State::Retrying { at: self.now.saturating_add(after) });
            self.queues.postpone(self.messages.get(slot).place);
        }
    }
}
