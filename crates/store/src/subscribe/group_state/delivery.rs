//! How messages come to consumers: who is connected, what is put in whose outbox, what they take out of it, and what comes back.

use std::time::Duration;

use super::{
    GroupState,
    outstanding::{Kind, Slot, State},
    words::{ConsumerId, Delivered},
};
use crate::{
    limits,
    subscribe::{
        group_error::{GroupError, MessageId},
        group_settings::setting,
    },
};

impl<M: Clone> GroupState<M> {
    /// Lets a consumer in that may have up to `slots` messages at a time.
    ///
    /// # Errors
    /// `MaximumSubscribers`; `Setting` when `slots` is none or too many.
    pub(crate) fn connect(&mut self, slots: usize, now: Duration) -> Result<ConsumerId, GroupError> {
        self.learn_time(now);
        check_slots(slots)?;
        let limit = self.rules.max_subscribers;
        if self.consumers.len() >= limit {
            return Err(GroupError::MaximumSubscribers { limit });
        }
        let consumer = self.consumers.connect(slots);
        self.queues.join(consumer);
        Ok(consumer)
    }

    /// Changes how many messages a consumer may have at a time. One that has more keeps them.
    ///
    /// # Errors
    /// `Dropped`; `Setting` when `slots` is none or too many.
    pub(crate) fn set_slots(&mut self, consumer: ConsumerId, slots: usize) -> Result<(), GroupError> {
        check_slots(slots)?;
        self.check_connected(consumer)?;
        self.consumers.set_slots(consumer, slots);
        Ok(())
    }

    /// Lets a consumer go. What it had goes to others, uncounted: it did not fail.
    pub(crate) fn disconnect(&mut self, consumer: ConsumerId, now: Duration) {
        self.learn_time(now);
        let stalled = self.consumers.is_stalled(consumer);
        if !self.consumers.disconnect(consumer) {
            return;
        }
        if !stalled {
            self.queues.leave(consumer);
        }
        if let Some(measured) = &mut self.latencies {
            measured.forget(consumer);
        }
        let had = self.messages.iter().filter(|message| message.state().consumer() == Some(consumer));
        let had: Vec<Slot> = had.map(|message| message.place.slot).collect();
        had.into_iter().for_each(|slot| self.put_back(slot));
    }

    /// Puts waiting messages in the outboxes of consumers with room. To be called after every change.
    pub(crate) fn dispatch(&mut self, now: Duration) {
        self.learn_time(now);
        self.hold_back_crowded();
        let stalls_at = self.timeout();
        while self.messages.count(Kind::Waiting) > 0 {
            let Some((slot, consumer)) = self.queues.pop(&self.consumers) else {
                return;
            };
            self.messages.enter(slot, State::Outbox { consumer });
            self.consumers.assign(consumer, slot, stalls_at);
        }
    }

    /// Appends up to `max` messages from the outbox of a consumer to `out`. Their time begins to run.
    ///
    /// # Errors
    /// `Dropped`.
    pub(crate) fn take(
        &mut self,
        consumer: ConsumerId,
        max: usize,
        out: &mut Vec<Delivered<M>>,
        now: Duration,
    ) -> Result<(), GroupError> {
        self.learn_time(now);
        self.check_connected(consumer)?;
        if self.consumers.is_stalled(consumer) {
            self.consumers.revive(consumer);
            self.queues.join(consumer);
            self.dispatch(now);
        }
        let until = self.timeout();
        for slot in self.consumers.take(consumer, max, until) {
            self.messages.enter(slot, State::InFlight { consumer, since: self.now, until });
            let message = self.messages.get_mut(slot);
            message.lost_by = None;
            let (id, replayed) = (MessageId(message.place.position), message.is_replay());
            out.push(Delivered { id, retries: message.retries, replayed, body: message.body.clone() });
        }
        Ok(())
    }

    /// Whether `take` would give a consumer anything.
    pub(crate) fn has_deliveries(&self, consumer: ConsumerId) -> bool {
        self.consumers.has_deliveries(consumer)
    }

    /// Consumers that have got messages, or were dropped, since this was last asked.
    pub(crate) fn ready_consumers(&mut self) -> Vec<ConsumerId> {
        self.consumers.drain_ready()
    }

    /// Does what time alone does: takes back what was held too long, and what lay too long; lets retries go.
    pub(crate) fn tick(&mut self, now: Duration) {
        self.learn_time(now);
        while let Some((_, position)) = self.messages.next_timer().filter(|(at, _)| *at <= self.now) {
            let slot = self.messages.find(position).expect("a timer is that of an outstanding message");
            match *self.messages.get(slot).state() {
                State::InFlight { consumer, .. } => self.time_out(slot, consumer),
                State::Retrying { .. } => {
                    self.messages.enter(slot, State::Waiting);
                    self.queues.ripen(self.messages.get(slot).place);
                }
                State::Waiting | State::Outbox { .. } | State::Parking(_) => {
                    unreachable!("time ends only flights and waits for a retry, position={position}")
                }
            }
        }
        while let Some((_, consumer)) = self.consumers.next_stall().filter(|(at, _)| *at <= self.now) {
            let left = self.consumers.stall(consumer);
            self.queues.leave(consumer);
            left.into_iter().for_each(|slot| self.put_back(slot));
        }
    }

    pub(super) fn check_connected(&self, consumer: ConsumerId) -> Result<(), GroupError> {
        if self.consumers.contains(consumer) {
            return Ok(());
        }
        Err(GroupError::Dropped { reason: "it is not connected to this group".to_owned() })
    }

    /// When the time of a message that is delivered now is over.
    fn timeout(&self) -> Option<Duration> {
        self.rules.message_timeout.map(|timeout| self.now.saturating_add(timeout))
    }
}

fn check_slots(slots: usize) -> Result<(), GroupError> {
    let max = limits::GROUP_SLOTS_MAX;
    if (1..=max).contains(&slots) { Ok(()) } else { Err(setting("slots", slots, format!("1..={max}"))) }
}
