//! The rules of a consumer group: what happens to which message when, as a function of what was done, with time as a value.
//!
//! A message is offered once, in the order of its source, and is then in exactly one place: waiting, waiting for its retry, in an
//! outbox, in flight, on its way to be parked; or it is settled: acked, skipped, parked. What the files here hold:
//!
//! ```text
//!  offer ──► outstanding ──► queues ──► consumers ──► answers ──► settled ──► ledger ──► begin_write … end_write
//!               ▲            keys, pins   outboxes       │ fail                  │
//!               │                                        ▼                       ▼
//!               └──────────── replay ◄──────────────── parking ───────────────► parked
//! ```
//!
//! - No I/O, no clock, no randomness, no order of a hash table that could be seen: the same calls give the same answers.
//! - Progress that is written never passes a message that is neither settled nor parked by that same write.
//! - Time that runs back is taken to stand still. Every operation costs O(log n) for each message it moves, but for those that concern
//!   everything a consumer has (`disconnect`), everything that is parked (`replay`, `discard_parked`), or all that is outstanding (`begin_write`).

mod answers;
mod consumers;
mod delivery;
mod failure;
mod holds;
mod intake;
mod intervals;
mod keys;
mod latencies;
mod ledger;
mod outstanding;
mod parked;
mod pins;
mod queues;
mod replay;
mod rules;
mod words;
mod writing;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

pub(crate) use intervals::Intervals;
pub(crate) use latencies::Latencies;
pub(crate) use rules::Rules;
#[cfg(test)]
pub(crate) use rules::StrategyRule;
pub(crate) use words::{
    ConsumerFacts, ConsumerId, Delivered, Facts, Offer, Park, ParkReason, ParkedEntry, Progress, Reach, Urgency, Write,
    Written,
};

use self::{
    consumers::Consumers,
    latencies::Measured,
    ledger::{Ledger, Unwritten},
    outstanding::{Kind, Origin, Outstanding, Slot},
    parked::ParkedIndex,
    queues::Queues,
};
use crate::position::Position;

/// Where every message of a group is. `M` is the body of a message, about which the state knows nothing.
#[derive(Debug)]
pub(crate) struct GroupState<M> {
    rules: Rules,
    /// The latest time that was heard of.
    now: Duration,
    messages: Outstanding<M>,
    queues: Queues,
    consumers: Consumers,
    /// Messages to be parked by the next write, or by the one that is under way.
    parking: BTreeMap<Position, Slot>,
    parked: ParkedIndex,
    ledger: Ledger,
    /// `None`: nobody wants to know.
    latencies: Option<Measured>,
}

impl<M: Clone> GroupState<M> {
    /// The state of a group that goes on where `progress` ended. `parked`: the readable entries of its stream of parked messages.
    pub(crate) fn new(rules: Rules, progress: Progress, parked: Vec<ParkedEntry>, now: Duration) -> Self {
        let mut queues = Queues::new(rules.strategy);
        let parked = ParkedIndex::new(parked, &progress.resolved);
        for (entry, _) in parked.iter_from(Position::START) {
            if let (Some(mut held), Some(key)) = (queues.held(), entry.key) {
                held.change(key, |holds| holds.add(key, entry.position));
            }
        }
        let replaying = progress.replaying.clone();
        let latencies = rules.measures_latency.then(Measured::default);
        let mut state = Self {
            rules,
            now,
            messages: Outstanding::new(),
            queues,
            consumers: Consumers::default(),
            parking: BTreeMap::new(),
            parked,
            ledger: Ledger::new(progress, now),
            latencies,
        };
        state.want_again(&replaying);
        state
    }

    /// When `tick` or `write_due` will have something to say that they do not say now; in the past, if they have it already.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let timer = self.messages.next_timer().map(|(at, _)| at);
        let stall = self.consumers.next_stall().map(|(at, _)| at);
        [timer, stall, self.write_due_at()].into_iter().flatten().min()
    }

    /// Where the group stands. Linear in the number of consumers.
    pub(crate) fn facts(&self) -> Facts {
        let count = |kind| self.messages.count(kind);
        Facts {
            buffered: count(Kind::Waiting),
            retrying: count(Kind::Retrying),
            in_flight: count(Kind::Outbox) + count(Kind::InFlight),
            parking: count(Kind::Parking),
            parked: self.parked.len(),
            replaying: self.parked.wanted_len() + self.messages.len_of(Origin::Replay),
            parked_full: !self.has_room_to_park(),
            checkpoint: self.checkpoint(),
            written: self.ledger.written,
            considered: self.ledger.considered,
            reach: self.ledger.reach,
            last_offered: self.ledger.last_offered,
            consumers: self.consumers.facts(),
        }
    }

    /// How long messages were in the hands of a consumer, or of all; `None` where that is not measured.
    pub(crate) fn latencies(&self, consumer: Option<ConsumerId>) -> Option<Latencies> {
        let measured = self.latencies.as_ref()?;
        Some(consumer.map_or_else(|| measured.all(), |consumer| measured.of(consumer)))
    }

    /// Below this, everything is settled. Passes over the replayed messages before it, of which there are few.
    fn checkpoint(&self) -> Position {
        let mut source = self.messages.iter().filter(|message| message.origin == Origin::Source);
        source.next().map_or(self.ledger.considered, |message| message.place.position)
    }

    fn unwritten(&self) -> Unwritten {
        Unwritten { parks: !self.parking.is_empty(), checkpoint: self.checkpoint() }
    }

    /// Whether one more message can be parked.
    fn has_room_to_park(&self) -> bool {
        // A message that is parked anew takes the place of its former entry.
        self.parked.len() + self.messages.count_of(Origin::Source, Kind::Parking) < self.rules.parked_max
    }

    fn learn_time(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }
}
