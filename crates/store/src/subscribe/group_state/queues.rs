//! Which message goes next, and to whom: one answer for each strategy.
//!
//! All of them deliver in the order of the source what they may deliver, so a message that comes back goes before those that were
//! never delivered.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    consumers::Consumers,
    holds::Holds,
    keys::Keys,
    outstanding::{Place, Slot},
    pins::Pins,
    rules::StrategyRule,
    words::ConsumerId,
};
use crate::{position::Position, subscribe::group_settings::AfterPark};

/// The waiting messages of a group.
#[derive(Debug)]
pub(super) enum Queues {
    /// `RoundRobin`.
    Turns(BTreeMap<Position, Slot>),
    /// `DispatchToSingle`.
    Single(BTreeMap<Position, Slot>),
    /// `Pinned`, `PinnedByCorrelation`.
    Pinned(Pins),
    /// `KeyOrdered`, whose consumers take turns.
    Keyed(Keys),
}

impl Queues {
    pub(super) fn new(strategy: StrategyRule) -> Self {
        match strategy {
            StrategyRule::RoundRobin => Self::Turns(BTreeMap::new()),
            StrategyRule::DispatchToSingle => Self::Single(BTreeMap::new()),
            StrategyRule::Pinned => Self::Pinned(Pins::new()),
            StrategyRule::KeyOrdered(AfterPark::Flow) => Self::Keyed(Keys::new(None)),
            StrategyRule::KeyOrdered(AfterPark::Hold) => Self::Keyed(Keys::new(Some(Holds::default()))),
        }
    }

    /// Puts a message in line for its turn.
    pub(super) fn wait(&mut self, place: Place) {
        match self {
            Self::Turns(ready) | Self::Single(ready) => {
                ready.insert(place.position, place.slot);
            }
            Self::Pinned(pins) => pins.push(place),
            Self::Keyed(keys) => keys.push(place, true),
        }
    }

    /// Keeps the place in line of a message that waits for a time.
    pub(super) fn postpone(&mut self, place: Place) {
        match self {
            Self::Turns(_) | Self::Single(_) | Self::Pinned(_) => {}
            Self::Keyed(keys) => keys.push(place, false),
        }
    }

    /// The time of a postponed message has come.
    pub(super) fn ripen(&mut self, place: Place) {
        match self {
            Self::Turns(_) | Self::Single(_) | Self::Pinned(_) => self.wait(place),
            Self::Keyed(keys) => keys.ripen(place),
        }
    }

    /// Takes a message out of line that waits or is postponed.
    pub(super) fn remove(&mut self, place: Place) {
        match self {
            Self::Turns(ready) | Self::Single(ready) => {
                ready.remove(&place.position);
            }
            Self::Pinned(pins) => pins.remove(place),
            Self::Keyed(keys) => keys.remove(place),
        }
    }

    /// The next message that somebody can be given, and who. It is away until [`Queues::arrive`].
    pub(super) fn pop(&mut self, consumers: &Consumers) -> Option<(Slot, ConsumerId)> {
        match self {
            Self::Turns(ready) => {
                let consumer = consumers.next_free()?;
                Some((ready.pop_first()?.1, consumer))
            }
            Self::Single(ready) => {
                let consumer = consumers.oldest_free()?;
                Some((ready.pop_first()?.1, consumer))
            }
            Self::Pinned(pins) => pins.pop(consumers),
            Self::Keyed(keys) => {
                let consumer = consumers.next_free()?;
                Some((keys.pop()?, consumer))
            }
        }
    }

    /// A message goes away, to be parked.
    pub(super) fn depart(&mut self, key: u64) {
        if let Self::Keyed(keys) = self {
            keys.depart(key);
        }
    }

    /// A message is no longer away.
    pub(super) fn arrive(&mut self, key: u64) {
        if let Self::Keyed(keys) = self {
            keys.arrive(key);
        }
    }

    pub(super) fn join(&mut self, consumer: ConsumerId) {
        if let Self::Pinned(pins) = self {
            pins.join(consumer);
        }
    }

    pub(super) fn leave(&mut self, consumer: ConsumerId) {
        if let Self::Pinned(pins) = self {
            pins.leave(consumer);
        }
    }

    /// Whether messages have keys.
    pub(super) fn has_keys(&self) -> bool {
        matches!(self, Self::Keyed(_))
    }

    /// The lines, where parked messages hold their keys.
    pub(super) fn held(&mut self) -> Option<HeldKeys<'_>> {
        match self {
            Self::Turns(_) | Self::Single(_) | Self::Pinned(_) => None,
            Self::Keyed(keys) => keys.holds.is_some().then_some(HeldKeys(keys)),
        }
    }

    /// The holds, where parked messages hold their keys.
    pub(super) fn holds(&self) -> Option<&Holds> {
        match self {
            Self::Turns(_) | Self::Single(_) | Self::Pinned(_) => None,
            Self::Keyed(keys) => keys.holds.as_ref(),
        }
    }
}

/// Lines whose keys are held by parked messages.
pub(super) struct HeldKeys<'a>(&'a mut Keys);

impl HeldKeys<'_> {
    /// Changes what is held of a key, and decides anew what of it may go.
    pub(super) fn change<T>(&mut self, key: u64, change: impl FnOnce(&mut Holds) -> T) -> Option<T> {
        let changed = self.0.holds.as_mut().map(change);
        self.0.refresh(key);
        changed
    }

    /// The keys with messages in line that should be parked.
    pub(super) fn take_crowded(&mut self) -> BTreeSet<u64> {
        self.0.holds.as_mut().map(Holds::take_crowded).unwrap_or_default()
    }

    /// The messages in line of a key.
    pub(super) fn line(&self, key: u64) -> Vec<Place> {
        self.0.line(key)
    }
}
