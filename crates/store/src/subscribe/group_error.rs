//! What a consumer group is asked and how it refuses: the words both halves of a group share.
//!
//! Every refusal carries the facts it rests on. What was right in a call that names several messages is done even if the rest is refused.

use std::{fmt, time::Duration};

use crate::{
    error::{Error, ErrorKind},
    position::{Position, Revision},
};

/// Which message of a group: the position of its entry in the source, which for a link or an entry of a virtual stream is the
/// position of that entry. A group never has two messages of the same id outstanding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub Position);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What becomes of a message its consumer could not work off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nack {
    /// It is delivered again after this long, and counts as one more retry; one too many, and it is parked.
    Retry {
        /// How long it waits at least.
        after: Duration,
    },
    /// It is parked: kept aside with its reason, until it is replayed or discarded.
    Park,
    /// It is settled as if it had been worked off.
    Skip,
    /// It goes back with its count as it was, and so does everything else its consumer holds; the consumer is dropped.
    Stop,
}

/// Which parked messages are to be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// All there are now.
    All,
    /// The first so many in the order of the source. Where messages wait for their key, all of a key go together.
    Count(u64),
    /// This one. Where messages wait for their key, all of its key.
    One(MessageId),
}

/// Which parked messages are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// All there are now.
    All,
    /// Those before this revision of the stream of parked messages.
    Before(Revision),
    /// This one.
    One(MessageId),
}

/// A message that could not be acked or nacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotInFlight {
    /// Which.
    pub id: MessageId,
    /// Why.
    pub why: WhyNotInFlight,
}

/// Why a message is not in flight at the consumer that answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNotInFlight {
    /// The group has not come that far in its source.
    NeverDelivered,
    /// It waits to be delivered, perhaps again.
    Waiting,
    /// It has been acked, skipped or parked, or never was a message of this group.
    AlreadySettled,
    /// It was taken from this consumer when its time was over.
    TimedOut,
    /// Another consumer has it.
    HeldByAnother,
}

impl fmt::Display for WhyNotInFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverDelivered => "never delivered",
            Self::Waiting => "waiting",
            Self::AlreadySettled => "already settled",
            Self::TimedOut => "timed out",
            Self::HeldByAnother => "held by another",
        })
    }
}

/// Why a group refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GroupError {
    /// There is no group of this name.
    NoSuchGroup {
        /// `{stream}::{group}`.
        group: String,
    },
    /// There is one already.
    GroupExists {
        /// `{stream}::{group}`.
        group: String,
    },
    /// A setting is out of its bounds, or contradicts another.
    Setting {
        /// Which.
        field: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        bounds: String,
    },
    /// The group takes no more consumers.
    MaximumSubscribers {
        /// As many as are connected.
        limit: usize,
    },
    /// Messages that were answered by a consumer that does not hold them; the others of the call are settled.
    NotInFlight {
        /// Which, and why.
        refused: Vec<NotInFlight>,
    },
    /// The consumer is not connected any more.
    Dropped {
        /// Why.
        reason: String,
    },
    /// There is no parked message of this id.
    NotParked {
        /// Which.
        id: MessageId,
    },
    /// The group can keep no more parked messages: replay or discard some.
    TooManyParked {
        /// As many as there are.
        max: usize,
    },
    /// A place that does not exist yet.
    BeyondHead {
        /// Which.
        position: Position,
        /// The place the next event will get.
        head: Position,
    },
    /// The store could not do its part.
    Store(Error),
}

impl GroupError {
    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchGroup { .. } | Self::NotParked { .. } => ErrorKind::NotFound,
            Self::MaximumSubscribers { .. } | Self::Dropped { .. } | Self::TooManyParked { .. } => {
                ErrorKind::Unavailable
            }
            Self::GroupExists { .. } | Self::Setting { .. } | Self::NotInFlight { .. } | Self::BeyondHead { .. } => {
                ErrorKind::Invalid
            }
            Self::Store(error) => error.kind(),
        }
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchGroup { group } => write!(f, "no such consumer group, group={group:?}"),
            Self::GroupExists { group } => write!(f, "the consumer group exists already, group={group:?}"),
            Self::Setting { field, value, bounds } => {
                write!(f, "a setting of the group cannot be so, field={field} value={value} bounds={bounds:?}")
            }
            Self::MaximumSubscribers { limit } => write!(f, "the group takes no more consumers, limit={limit}"),
            Self::NotInFlight { refused } => {
                f.write_str("not in flight at this consumer")?;
                refused.iter().try_for_each(|one| write!(f, ", id={} why={:?}", one.id, one.why.to_string()))
            }
            Self::Dropped { reason } => write!(f, "the consumer was dropped, connect again, reason={reason:?}"),
            Self::NotParked { id } => write!(f, "no such parked message, id={id}"),
            Self::TooManyParked { max } => {
                write!(f, "the group can keep no more parked messages, replay or discard some, max={max}")
            }
            Self::BeyondHead { position, head } => {
                write!(f, "the position does not exist yet, position={position} head={head}")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GroupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => std::error::Error::source(error),
            Self::NoSuchGroup { .. }
            | Self::GroupExists { .. }
            | Self::Setting { .. }
            | Self::MaximumSubscribers { .. }
            | Self::NotInFlight { .. }
            | Self::Dropped { .. }
            | Self::NotParked { .. }
            | Self::TooManyParked { .. }
            | Self::BeyondHead { .. } => None,
        }
    }
}

impl From<Error> for GroupError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
