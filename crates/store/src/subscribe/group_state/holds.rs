//! `AfterPark::Hold`: which keys wait for parked messages, and which of these are being replayed.
//!
//! A key is held from the moment one of its messages is to be parked until its last parked one is worked off or discarded. A held
//! key is either not replayed at all, and then its new messages are parked behind it; or replayed whole, and then they wait in line.

use std::collections::BTreeSet;

use crate::position::Position;

/// The held keys.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Every message that is parked, or on its way, by key: 16 bytes each, since there may be a million.
    parked: BTreeSet<(u64, Position)>,
    replaying: BTreeSet<u64>,
    /// Keys with messages in line that should be parked, and were not because there was no room.
    crowded: BTreeSet<u64>,
}

impl Holds {
    pub(super) fn add(&mut self, key: u64, position: Position) {
        self.parked.insert((key, position));
    }

    pub(super) fn remove(&mut self, key: u64, position: Position) {
        self.parked.remove(&(key, position));
        if self.first(key).is_none() {
            self.replaying.remove(&key);
            self.crowded.remove(&key);
        }
    }

    /// The first parked message of a key.
    pub(super) fn first(&self, key: u64) -> Option<Position> {
        self.of(key).next()
    }

    /// The parked messages of a key in order.
    pub(super) fn of(&self, key: u64) -> impl Iterator<Item = Position> {
        self.parked.range((key, Position::START)..=(key, Position(u64::MAX))).map(|&(_, position)| position)
    }

    /// What a message of a key waits for, if an earlier one is parked.
    pub(super) fn before(&self, key: u64, position: Position) -> Option<Position> {
        self.first(key).filter(|first| *first < position)
    }

    /// What a message of a key must be parked behind.
    pub(super) fn parks(&self, key: u64, position: Position) -> Option<Position> {
        self.before(key, position).filter(|_| !self.replaying.contains(&key))
    }

    pub(super) fn is_replaying(&self, key: u64) -> bool {
        self.replaying.contains(&key)
    }

    pub(super) fn start_replay(&mut self, key: u64) {
        self.replaying.insert(key);
        self.crowded.remove(&key);
    }

    pub(super) fn end_replay(&mut self, key: u64) {
        self.replaying.remove(&key);
    }

    pub(super) fn crowd(&mut self, key: u64) {
        self.crowded.insert(key);
    }

    pub(super) fn is_crowded(&self) -> bool {
        !self.crowded.is_empty()
    }

    pub(super) fn take_crowded(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.crowded)
    }
}
