//! Every message that is neither settled nor parked, and the state it is in.
//!
//! A message is in one state at a time, which only [`Outstanding::enter`] changes; so counts and timers cannot contradict it.
//! Which queue or outbox names it is the business of the other files: a [`Slot`] they hold is valid until `remove`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::words::{ConsumerId, ParkReason};
use crate::position::Position;

/// Where a message is kept while it is outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// By what a message is found and put in line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) slot: Slot,
    pub(super) key: u64,
    pub(super) pin: u64,
}

/// A message and what is known of it.
#[derive(Debug)]
pub(super) struct Message<M> {
    pub(super) place: Place,
    pub(super) origin: Origin,
    pub(super) body: M,
    pub(super) retries: u32,
    /// Who had it until its time was over; nobody once it was delivered again.
    pub(super) lost_by: Option<ConsumerId>,
    state: State,
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the source: progress may not pass it.
    Source,
    /// It is parked, and delivered again: for progress it is settled.
    Replay,
}

/// What a message waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// For its turn.
    Waiting,
    /// For its time, and then for its turn.
    Retrying { at: Duration },
    /// For its consumer to take it.
    Outbox { consumer: ConsumerId },
    /// For its consumer's answer.
    InFlight { consumer: ConsumerId, since: Duration, until: Option<Duration> },
    /// For the write that parks it.
    Parking(ParkReason),
}

/// The states without what belongs to them, for counting.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Waiting,
    Retrying,
    Outbox,
    InFlight,
    Parking,
}

impl State {
    fn kind(&self) -> Kind {
        match self {
            Self::Waiting => Kind::Waiting,
            Self::Retrying { .. } => Kind::Retrying,
            Self::Outbox { .. } => Kind::Outbox,
            Self::InFlight { .. } => Kind::InFlight,
            Self::Parking(_) => Kind::Parking,
        }
    }

    /// When time alone ends it.
    fn ends(&self) -> Option<Duration> {
        match self {
            Self::Retrying { at } => Some(*at),
            Self::InFlight { until, .. } => *until,
            Self::Waiting | Self::Outbox { .. } | Self::Parking(_) => None,
        }
    }

    /// Who has the message.
    pub(super) fn consumer(&self) -> Option<ConsumerId> {
        match self {
            Self::Outbox { consumer } | Self::InFlight { consumer, .. } => Some(*consumer),
            Self::Waiting | Self::Retrying { .. } | Self::Parking(_) => None,
        }
    }
}

impl<M> Message<M> {
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn is_replay(&self) -> bool {
        self.origin == Origin::Replay
    }
}

/// All outstanding messages.
#[derive(Debug)]
pub(super) struct Outstanding<M> {
    slots: Vec<Option<Message<M>>>,
    vacant: Vec<Slot>,
    by_position: BTreeMap<Position, Slot>,
    timers: BTreeSet<(Duration, Position)>,
    /// By kind of state, and by origin.
    counts: [[usize; 2]; 5],
}

const VALID: &str = "a slot in a queue or an outbox is that of an outstanding message";

impl<M> Outstanding<M> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            by_position: BTreeMap::new(),
            timers: BTreeSet::new(),
            counts: [[0; 2]; 5],
        }
    }

    /// Takes a message in, waiting. Its position must not be outstanding.
    pub(super) fn insert(&mut self, position: Position, key: u64, pin: u64, origin: Origin, body: M) -> Place {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Slot(u32::try_from(self.slots.len() - 1).expect("buffers and slots of a group are far fewer than 2^32"))
        });
        let place = Place { position, slot, key, pin };
        let message = Message { place, origin, body, retries: 0, lost_by: None, state: State::Waiting };
        self.counts[Kind::Waiting as usize][origin as usize] += 1;
        self.slots[slot.0 as usize] = Some(message);
        let before = self.by_position.insert(position, slot);
        assert!(before.is_none(), "a message is outstanding once, position={position}");
        place
    }

    /// Forgets a message.
    pub(super) fn remove(&mut self, slot: Slot) -> Message<M> {
        let message = self.slots[slot.0 as usize].take().expect(VALID);
        self.counts[message.state.kind() as usize][message.origin as usize] -= 1;
        let position = message.place.position;
        if let Some(at) = message.state.ends() {
            self.timers.remove(&(at, position));
        }
        self.by_position.remove(&position);
        self.vacant.push(slot);
        message
    }

    /// Puts a message in a state; the one it was in.
    pub(super) fn enter(&mut self, slot: Slot, state: State) -> State {
        let message = self.slots[slot.0 as usize].as_mut().expect(VALID);
        let (position, origin) = (message.place.position, message.origin as usize);
        if let Some(at) = message.state.ends() {
            self.timers.remove(&(at, position));
        }
        if let Some(at) = state.ends() {
            self.timers.insert((at, position));
        }
        self.counts[message.state.kind() as usize][origin] -= 1;
        self.counts[state.kind() as usize][origin] += 1;
        std::mem::replace(&mut message.state, state)
    }

    pub(super) fn get(&self, slot: Slot) -> &Message<M> {
        self.slots[slot.0 as usize].as_ref().expect(VALID)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Message<M> {
        self.slots[slot.0 as usize].as_mut().expect(VALID)
    }

    pub(super) fn find(&self, position: Position) -> Option<Slot> {
        self.by_position.get(&position).copied()
    }

    /// Every message in the order of the source.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Message<M>> {
        self.by_position.values().map(|&slot| self.get(slot))
    }

    /// The message whose state time ends next, and when.
    pub(super) fn next_timer(&self) -> Option<(Duration, Position)> {
        self.timers.first().copied()
    }

    /// How many messages are in a state.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.counts[kind as usize].iter().sum()
    }

    /// How many messages of an origin are in a state.
    pub(super) fn count_of(&self, origin: Origin, kind: Kind) -> usize {
        self.counts[kind as usize][origin as usize]
    }

    /// How many messages of an origin are with the group and not with a consumer.
    pub(super) fn idle(&self, origin: Origin) -> usize {
        [Kind::Waiting, Kind::Retrying, Kind::Parking].map(|kind| self.count_of(origin, kind)).iter().sum()
    }

    /// How many messages of an origin there are.
    pub(super) fn len_of(&self, origin: Origin) -> usize {
        self.counts.iter().map(|by_origin| by_origin[origin as usize]).sum()
    }
}
