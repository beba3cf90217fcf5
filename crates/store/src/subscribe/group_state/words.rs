//! What goes into a group's state and what comes out of it.

use std::sync::Arc;

use super::intervals::Intervals;
use crate::{
    position::{Position, Revision},
    subscribe::group_error::MessageId,
};

/// A consumer of a group, by the order in which they connected. Never given twice by one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConsumerId(pub(crate) u64);

/// What the progress document of a group says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Below this, everything is settled.
    pub(crate) checkpoint: Position,
    /// Positions above the checkpoint between which every matching event is settled.
    pub(crate) settled: Intervals,
    /// Revisions of the stream of parked messages that were worked off, discarded, or parked anew.
    pub(crate) resolved: Intervals,
    /// Revisions of the stream of parked messages that were asked to be replayed, and are not resolved yet.
    pub(crate) replaying: Intervals,
    /// How often messages that are not settled have failed.
    pub(crate) retries: Vec<(Position, u32)>,
    /// Which life of the group this is.
    pub(crate) epoch: u64,
}

/// A parked message as the group's stream of them has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParkedEntry {
    /// Its id: where it is in the source.
    pub(crate) position: Position,
    /// Where it is in the stream of parked messages.
    pub(crate) revision: Revision,
    /// The hash of its key, if the group had keys when it was parked.
    pub(crate) key: Option<u64>,
}

/// An event of the source.
#[derive(Clone, Debug)]
pub(crate) struct Offer<M> {
    pub(crate) position: Position,
    /// The hash of its key.
    pub(crate) key: u64,
    /// The hash of what it is pinned by.
    pub(crate) pin: u64,
    pub(crate) body: M,
}

/// Whether the source has been read up to its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// There is more to read now.
    History,
    /// Everything there is now has been read.
    Live,
}

/// A message in the hands of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered<M> {
    pub(crate) id: MessageId,
    /// How often it failed before.
    pub(crate) retries: u32,
    /// Whether it had been parked.
    pub(crate) replayed: bool,
    pub(crate) body: M,
}

/// When progress is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// If the settings say so.
    WhenDue,
    /// If there is any: the group is flushed, closed, or left by its last consumer.
    Now,
}

/// What is to be written, in one commit.
#[derive(Clone, Debug)]
pub(crate) struct Write<M> {
    /// Counts the messages that are parked by this write as settled, and their former entries as resolved.
    pub(crate) progress: Progress,
    /// What is appended to the stream of parked messages, in this order.
    pub(crate) parks: Vec<Park<M>>,
    /// Entries of that stream before this one are all resolved, and can be hidden.
    pub(crate) truncate_parked_before: Option<Revision>,
}

/// A message that is parked.
#[derive(Clone, Debug)]
pub(crate) struct Park<M> {
    pub(crate) position: Position,
    /// The hash of its key, where the group has keys.
    pub(crate) key: Option<u64>,
    pub(crate) body: M,
    pub(crate) retries: u32,
    pub(crate) why: ParkReason,
}

/// Why a message is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParkReason {
    /// It failed.
    Failed { reason: Arc<str>, consumer: Option<ConsumerId> },
    /// An earlier event of its key is parked.
    Held { waits_for: Position },
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is durable. The revision of the first of its parked messages, if it had any.
    Done { first_parked: Option<Revision> },
    /// Nothing of it is.
    Failed,
}

/// Where a group stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Ready to be delivered, or waiting for their key or consumer.
    pub(crate) buffered: usize,
    /// Waiting for the time of their retry.
    pub(crate) retrying: usize,
    /// At consumers.
    pub(crate) in_flight: usize,
    /// To be parked by a write that is not durable yet.
    pub(crate) parking: usize,
    /// Parked, and not worked off since.
    pub(crate) parked: usize,
    /// Of these, those asked to be replayed, and not worked off yet.
    pub(crate) replaying: usize,
    /// Whether messages that should be parked are not, because there are as many as there may be.
    pub(crate) parked_full: bool,
    /// Everything below is settled, as far as the state knows.
    pub(crate) checkpoint: Position,
    /// The checkpoint that is durable.
    pub(crate) written: Position,
    /// Everything below has been offered or does not match.
    pub(crate) considered: Position,
    /// Whether the source has been read up to its head.
    pub(crate) reach: Reach,
    /// The highest event that was offered in this life of the state.
    pub(crate) last_offered: Option<Position>,
    pub(crate) consumers: Vec<ConsumerFacts>,
}

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerFacts {
    pub(crate) id: ConsumerId,
    pub(crate) slots: usize,
    pub(crate) in_flight: usize,
    /// Messages it has taken since it connected.
    pub(crate) taken: u64,
    /// Whether it is passed over because it left messages lying until their time was over.
    pub(crate) stalled: bool,
}
