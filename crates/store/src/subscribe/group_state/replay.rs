//! How parked messages come back, and how they are given up.
//!
//! A replayed message stays parked until it is worked off, and progress says that it was asked for: a crash in between loses nothing. Where
//! parked messages hold their keys, a key is replayed whole, in the order of the source.

use std::time::Duration;

use super::{
    GroupState,
    intervals::Intervals,
    outstanding::{Origin, State},
    parked::Stage,
    words::{Offer, ParkedEntry},
};
use crate::{
    position::Position,
    subscribe::group_error::{Discard, GroupError, MessageId, Replay},
};

impl<M: Clone> GroupState<M> {
    /// Marks parked messages to be delivered again; how many. Those that are marked already do not count.
    ///
    /// # Errors
    /// `NotParked`.
    pub(crate) fn replay(&mut self, which: Replay, now: Duration) -> Result<u64, GroupError> {
        self.learn_time(now);
        let (from, max) = match which {
            Replay::All => (Position::START, u64::MAX),
            Replay::Count(count) => (Position::START, count),
            Replay::One(id) if self.parked.get(id.0).is_some() => (id.0, 1),
            Replay::One(id) => return Err(GroupError::NotParked { id }),
        };
        let entries = self.parked.iter_from(from).map(|(entry, _)| entry);
        let entries: Vec<ParkedEntry> = match which {
            Replay::One(_) => entries.take(1).collect(),
            Replay::All | Replay::Count(_) => entries.collect(),
        };
        let mut marked = 0;
        for entry in entries {
            if marked >= max {
                break;
            }
            marked += self.want(entry);
        }
        if marked > 0 {
            self.ledger.touch();
        }
        Ok(marked)
    }

    /// Marks what an earlier life was asked to replay and did not come to.
    pub(super) fn want_again(&mut self, replaying: &Intervals) {
        let entries: Vec<_> = self.parked.iter_from(Position::START).map(|(entry, _)| entry).collect();
        for entry in entries.into_iter().filter(|entry| replaying.contains(entry.revision.0)) {
            self.want(entry);
        }
    }

    /// Marks a parked message, or all of its key where that must be; how many.
    fn want(&mut self, entry: ParkedEntry) -> u64 {
        match (entry.key, self.queues.holds()) {
            (Some(key), Some(_)) => self.want_key(key),
            (_, _) => u64::from(self.want_one(entry.position)),
        }
    }

    fn want_key(&mut self, key: u64) -> u64 {
        let positions: Vec<Position> = self.queues.holds().into_iter().flat_map(|holds| holds.of(key)).collect();
        if let Some(mut held) = self.queues.held() {
            held.change(key, |holds| holds.start_replay(key));
        }
        positions.into_iter().filter(|position| self.want_one(*position)).count() as u64
    }

    fn want_one(&mut self, position: Position) -> bool {
        let is_parked = self.parked.get(position).is_some_and(|parked| parked.stage == Stage::Parked);
        if is_parked {
            self.parked.set_stage(position, Stage::Wanted);
        }
        is_parked
    }

    /// The next messages whose bodies are to be loaded and given to `offer_replay`, at most `max`, and at most as many as may be
    /// kept ready.
    pub(crate) fn wanted_replays(&self, max: usize) -> Vec<ParkedEntry> {
        let room = self.rules.read_batch.saturating_sub(self.messages.idle(Origin::Replay));
        self.parked.wanted(max.min(room))
    }

    /// Takes a message that is wanted. If its body is gone, call `discard_parked` for it instead.
    pub(crate) fn offer_replay(&mut self, offer: Offer<M>, now: Duration) {
        self.learn_time(now);
        let Offer { position, key, pin, body } = offer;
        if self.parked.get(position).is_none_or(|parked| parked.stage != Stage::Wanted) {
            return;
        }
        self.parked.set_stage(position, Stage::Outstanding);
        if self.queues.has_keys() {
            self.learn_key(position, key);
        }
        let place = self.messages.insert(position, key, pin, Origin::Replay, body);
        self.queues.wait(place);
    }

    /// A message may have been parked by another key, or none, when the settings were others.
    fn learn_key(&mut self, position: Position, key: u64) {
        let before = self.parked.set_key(position, Some(key));
        if before == Some(key) {
            return;
        }
        if let Some(mut held) = self.queues.held() {
            if let Some(before) = before {
                held.change(before, |holds| holds.remove(before, position));
            }
            held.change(key, |holds| holds.add(key, position));
            self.want_key(key);
        }
    }

    /// Gives parked messages up; how many. Those that are about to be parked anew stay.
    ///
    /// # Errors
    /// `NotParked`.
    pub(crate) fn discard_parked(&mut self, which: Discard, now: Duration) -> Result<u64, GroupError> {
        self.learn_time(now);
        let within = |entry: &ParkedEntry| match which {
            Discard::All => true,
            Discard::Before(end) => entry.revision < end,
            Discard::One(id) => entry.position == id.0,
        };
        let from = match which {
            Discard::All | Discard::Before(_) => Position::START,
            Discard::One(id) if self.parked.get(id.0).is_some() => id.0,
            Discard::One(id) => return Err(GroupError::NotParked { id }),
        };
        let max = if let Discard::One(_) = which { 1 } else { usize::MAX };
        let entries = self.parked.iter_from(from).map(|(entry, _)| entry);
        let positions: Vec<Position> = entries.filter(within).take(max).map(|entry| entry.position).collect();
        let discarded = positions.into_iter().filter(|position| self.discard(*position)).count() as u64;
        self.ledger.settle(discarded);
        Ok(discarded)
    }

    fn discard(&mut self, position: Position) -> bool {
        if let Some(slot) = self.messages.find(position) {
            if let State::Parking(_) = self.messages.get(slot).state() {
                return false;
            }
            self.detach(slot);
            self.messages.remove(slot);
        }
        self.resolve(position);
        true
    }

    /// A parked message is done with.
    pub(super) fn resolve(&mut self, position: Position) {
        let key = self.parked.resolve(position).and_then(|parked| parked.key);
        if position >= self.ledger.considered {
            // Of an earlier life whose document had no room to say so: nothing else would keep it from being offered again.
            self.ledger.settled_before.insert(position.0, position.0);
        }
        if let (Some(mut held), Some(key)) = (self.queues.held(), key) {
            held.change(key, |holds| holds.remove(key, position));
        }
    }

    /// The parked messages in the order of the source, beginning at a message, at most `max`.
    pub(crate) fn parked(&self, from: MessageId, max: usize) -> Vec<ParkedEntry> {
        self.parked.iter_from(from.0).take(max).map(|(entry, _)| entry).collect()
    }
}
