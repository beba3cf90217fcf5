//! What consumers answer: which answers count, and why others do not.

use std::{sync::Arc, time::Duration};

use super::{
    GroupState,
    outstanding::{Origin, Slot, State},
    words::ConsumerId,
};
use crate::subscribe::group_error::{GroupError, MessageId, Nack, NotInFlight, WhyNotInFlight};

impl<M: Clone> GroupState<M> {
    /// Settles messages that were worked off. One whose time is over counts too, until it is delivered to somebody else.
    ///
    /// # Errors
    /// `Dropped`; `NotInFlight` for those the consumer does not hold, the others are settled.
    pub(crate) fn ack(&mut self, consumer: ConsumerId, ids: &[MessageId], now: Duration) -> Result<(), GroupError> {
        self.learn_time(now);
        self.check_connected(consumer)?;
        let mut refused = Vec::new();
        for &id in ids {
            match self.answerable(consumer, id, Lateness::Allowed) {
                Ok(slot) => {
                    self.measure(slot);
                    self.settle(slot);
                }
                Err(why) => refused.push(NotInFlight { id, why }),
            }
        }
        none_refused(refused)
    }

    /// Does with messages what `action` says; `reason` is kept with those that are parked.
    ///
    /// # Errors
    /// `Dropped`; `NotInFlight` for those the consumer does not hold, the others are dealt with.
    pub(crate) fn nack(
        &mut self,
        consumer: ConsumerId,
        ids: &[MessageId],
        action: Nack,
        reason: &str,
        now: Duration,
    ) -> Result<(), GroupError> {
        self.learn_time(now);
        self.check_connected(consumer)?;
        let reason: Arc<str> = reason.into();
        let mut refused = Vec::new();
        for &id in ids {
            match self.answerable(consumer, id, Lateness::Refused) {
                Ok(slot) => {
                    self.measure(slot);
                    match action {
                        Nack::Retry { after } => self.retry(slot, after, Some(consumer), || Arc::clone(&reason)),
                        Nack::Park => self.park(slot, Some(consumer), Arc::clone(&reason)),
                        Nack::Skip => self.settle(slot),
                        Nack::Stop => {} // goes back with everything else
                    }
                }
                Err(why) => refused.push(NotInFlight { id, why }),
            }
        }
        if action == Nack::Stop {
            self.disconnect(consumer, now);
            self.consumers.announce(consumer);
        }
        none_refused(refused)
    }

    /// The message, if the consumer may answer it.
    fn answerable(&self, consumer: ConsumerId, id: MessageId, late: Lateness) -> Result<Slot, WhyNotInFlight> {
        let Some(slot) = self.messages.find(id.0) else {
            let seen = id.0 < self.ledger.considered;
            return Err(if seen { WhyNotInFlight::AlreadySettled } else { WhyNotInFlight::NeverDelivered });
        };
        let message = self.messages.get(slot);
        let lost = message.lost_by == Some(consumer);
        match message.state() {
            State::InFlight { consumer: holder, .. } if *holder == consumer => Ok(slot),
            State::InFlight { .. } => Err(WhyNotInFlight::HeldByAnother),
            State::Waiting | State::Retrying { .. } | State::Outbox { .. } => match late {
                Lateness::Allowed if lost => Ok(slot),
                Lateness::Refused if lost => Err(WhyNotInFlight::TimedOut),
                Lateness::Allowed | Lateness::Refused => Err(WhyNotInFlight::Waiting),
            },
            State::Parking(_) if lost => Err(WhyNotInFlight::TimedOut),
            State::Parking(_) => Err(WhyNotInFlight::AlreadySettled),
        }
    }

    /// Takes note of how long a message was in the hands of the consumer who answers it, if that is measured.
    fn measure(&mut self, slot: Slot) {
        if let (Some(measured), &State::InFlight { consumer, since, .. }) =
            (&mut self.latencies, self.messages.get(slot).state())
        {
            measured.add(consumer, self.now.saturating_sub(since));
        }
    }

    /// A message is done with.
    fn settle(&mut self, slot: Slot) {
        self.detach(slot);
        self.ledger.settle(1);
        let message = self.messages.remove(slot);
        if message.origin == Origin::Replay {
            self.resolve(message.place.position);
        }
    }
}

/// Whether a consumer may still answer a message whose time is over.
#[derive(Clone, Copy, Debug)]
enum Lateness {
    Allowed,
    Refused,
}

fn none_refused(refused: Vec<NotInFlight>) -> Result<(), GroupError> {
    if refused.is_empty() { Ok(()) } else { Err(GroupError::NotInFlight { refused }) }
}
