//! What is written, and what changes once it is durable.
//!
//! One write is under way at a time. It parks messages and says how far the group is in one commit, so a message is never both parked
//! and delivered again, nor neither. Until the write is durable its messages stay outstanding; if it fails, they are in the next one.

use std::time::Duration;

use super::{
    GroupState,
    intervals::Intervals,
    outstanding::{Message, Origin, Slot, State},
    parked::Stage,
    words::{Park, ParkedEntry, Progress, Urgency, Write, Written},
};
use crate::position::{Position, Revision};

impl<M: Clone> GroupState<M> {
    /// Whether `begin_write` would give something, by the settings.
    pub(crate) fn write_due(&self, now: Duration) -> bool {
        self.write_due_at().is_some_and(|at| at <= now.max(self.now))
    }

    pub(super) fn write_due_at(&self) -> Option<Duration> {
        self.ledger.due_at(&self.rules, self.unwritten())
    }

    /// What is to be written; `None` when there is nothing, or a write is under way. `end_write` must follow.
    pub(crate) fn begin_write(&mut self, urgency: Urgency, now: Duration) -> Option<Write<M>> {
        self.learn_time(now);
        let wanted = match urgency {
            Urgency::WhenDue => self.write_due(now),
            Urgency::Now => self.ledger.writing.is_none() && self.ledger.has_news(self.unwritten()),
        };
        if !wanted {
            return None;
        }
        // The earliest, so that those of a key are parked in order.
        let parks: Vec<Slot> = self.parking.values().take(self.rules.parks_per_write_max).copied().collect();
        let progress = self.progress(&parks);
        let truncate_parked_before = self.parked.can_hide_before();
        let parked = parks.iter().map(|&slot| self.park_of(self.messages.get(slot))).collect();
        self.ledger.begin(parks, progress.checkpoint, truncate_parked_before);
        Some(Write { progress, parks: parked, truncate_parked_before })
    }

    /// A write has ended.
    ///
    /// # Panics
    /// When it parked messages and `written` does not say where.
    pub(crate) fn end_write(&mut self, written: Written, now: Duration) {
        self.learn_time(now);
        let Some(writing) = self.ledger.writing.take() else {
            return;
        };
        match written {
            Written::Failed => self.ledger.failed(&writing, self.now),
            Written::Done { first_parked } => {
                self.ledger.done(&writing, self.now);
                writing.hides_before.into_iter().for_each(|before| self.parked.hid_before(before));
                let mut revision = first_parked;
                for slot in writing.parks {
                    let at = revision.expect("a write with parked messages says where the first one is");
                    self.finish_parking(slot, at);
                    revision = Some(at.next());
                }
            }
        }
    }

    /// A message is parked for good.
    fn finish_parking(&mut self, slot: Slot, revision: Revision) {
        let place = self.messages.get(slot).place;
        let replaying = self.queues.holds().is_some_and(|holds| holds.is_replaying(place.key));
        let stage = if replaying { Stage::Wanted } else { Stage::Parked };
        let key = self.queues.has_keys().then_some(place.key);
        self.parked.insert(ParkedEntry { position: place.position, revision, key }, stage);
        self.detach(slot);
        self.messages.remove(slot);
    }

    fn park_of(&self, message: &Message<M>) -> Park<M> {
        let State::Parking(why) = message.state() else {
            unreachable!("what is to be parked is in the state that says why")
        };
        Park {
            position: message.place.position,
            key: self.queues.has_keys().then_some(message.place.key),
            body: message.body.clone(),
            retries: message.retries,
            why: why.clone(),
        }
    }

    /// How far the group is once `parks` are parked.
    fn progress(&mut self, parks: &[Slot]) -> Progress {
        let last_park = parks.last().map(|slot| self.messages.get(*slot).place.position);
        let parked_by_this = |message: &Message<M>| match message.state() {
            State::Parking(_) => Some(message.place.position) <= last_park,
            State::Waiting | State::Retrying { .. } | State::Outbox { .. } | State::InFlight { .. } => false,
        };
        let considered = self.ledger.considered;
        let open = self.messages.iter().filter(|message| message.origin == Origin::Source && !parked_by_this(message));
        let open: Vec<(Position, u32)> = open.map(|message| (message.place.position, message.retries)).collect();
        let failed = open.iter().copied().filter(|(_, retries)| *retries > 0);
        self.ledger.retries_before = self.ledger.retries_before.split_off(&considered);
        let not_yet_offered = self.ledger.retries_before.iter().map(|(&position, &retries)| (position, retries));
        Progress {
            checkpoint: open.first().map_or(considered, |(position, _)| *position),
            settled: self.settled(&open),
            resolved: self.resolved(parks),
            replaying: self.replaying(parks),
            retries: failed.chain(not_yet_offered).take(self.rules.retries_max).collect(),
            epoch: self.ledger.epoch,
        }
    }

    /// What lies between open messages, and what an earlier life settled ahead of this one.
    fn settled(&self, open: &[(Position, u32)]) -> Intervals {
        let considered = self.ledger.considered.0;
        let max = self.rules.intervals_max;
        let starts = open.iter().map(|(position, _)| position.0 + 1);
        let ends = open.iter().skip(1).map(|(position, _)| position.0).chain([considered]);
        let between =
            starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| (start, end - 1)).take(max);
        let ahead = self.ledger.settled_before.iter().rev().take_while(|(_, last)| *last >= considered);
        let mut settled = Intervals::from_runs(between);
        ahead.for_each(|(first, last)| settled.insert(first.max(considered), last));
        settled.truncate(max);
        settled
    }

    /// What is being replayed, without what is parked anew by this write.
    fn replaying(&self, parks: &[Slot]) -> Intervals {
        let mut replaying = self.parked.replaying().clone();
        for former in parks.iter().filter_map(|slot| self.parked.get(self.messages.get(*slot).place.position)) {
            replaying.remove(former.revision.0);
        }
        replaying.truncate(self.rules.intervals_max);
        replaying
    }

    fn resolved(&self, parks: &[Slot]) -> Intervals {
        let max = self.rules.intervals_max;
        let mut resolved = self.parked.resolved(max);
        for former in parks.iter().filter_map(|slot| self.parked.get(self.messages.get(*slot).place.position)) {
            resolved.insert(former.revision.0, former.revision.0);
        }
        resolved.truncate(max);
        resolved
    }
}
