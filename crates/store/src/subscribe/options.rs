//! How a source is followed.

use crate::{
    error::{Error, Result},
    limits,
    position::Position,
    read::{Direction, From, ReadOptions},
};

/// How a source is followed.
///
/// To go on where a subscription was, keep what [`resume_from`](super::Subscription::resume_from) says and give it as `from`. Whoever keeps the position of
/// the last event he has finished goes on with [`From::after`] it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Where it begins. The named place itself is delivered.
    ///
    /// A place that is still to come is waited for if it is a time or a revision: nothing before it is delivered. A position beyond the head is
    /// `Invalid`: whoever has one has it from another store, or from one that lost its end.
    pub from: From,
    /// Whether link events (`$>`) are replaced by what they point to. A link whose target is gone is left as it is.
    pub resolve_links: bool,
    /// Most events in one batch.
    pub batch_events: usize,
    /// Most bytes in one batch; one larger event still makes a batch.
    pub batch_bytes: usize,
    /// After so many positions of the log of which none was delivered, [`Checkpoint`](super::Delivery::Checkpoint) says how far it is; `None`: never.
    /// Of the whole log every event is delivered, so it never is.
    pub checkpoint_events: Option<u64>,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            from: From::Beginning,
            resolve_links: false,
            batch_events: limits::BATCH_EVENTS,
            batch_bytes: limits::BATCH_BYTES,
            checkpoint_events: Some(limits::CHECKPOINT_EVENTS),
        }
    }
}

impl SubscribeOptions {
    /// The defaults, but beginning at `from`.
    #[must_use]
    pub fn from(from: From) -> Self {
        Self { from, ..Self::default() }
    }

    /// The read this is, without its end.
    pub(super) fn reading(&self) -> ReadOptions {
        ReadOptions {
            direction: Direction::Forward,
            from: self.from,
            as_of: None,
            limit: None,
            resolve_links: self.resolve_links,
            batch_events: self.batch_events,
            batch_bytes: self.batch_bytes,
        }
    }

    /// Checks them for a reader at `head`.
    pub(super) fn check(&self, head: Position) -> Result<()> {
        match self.from {
            From::Position(position) if position > head => Err(Error::invalid(format!(
                "a subscription cannot begin beyond the head, position={position} head={head}"
            ))),
            _ if self.checkpoint_events == Some(0) => {
                Err(Error::invalid("checkpoints must have events between them, checkpoint_events=0"))
            }
            From::Beginning | From::Now | From::Revision(_) | From::Position(_) | From::Time(_) => Ok(()),
        }
    }
}
