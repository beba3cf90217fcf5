//! What a consumer gets.

use std::sync::Arc;

use crate::{
    event::RecordedEvent,
    subscribe::{MessageId, group_state::Delivered},
};

/// An event in the hands of a consumer, until he acks or nacks it, or his time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// By what it is answered: the position of its entry in the source.
    pub id: MessageId,
    /// The event; shared with the group, which keeps it until it is settled.
    pub event: Arc<RecordedEvent>,
    /// How often it was delivered before and failed.
    pub retries: u32,
    /// Whether it had been parked and is delivered again.
    pub replayed: bool,
}

impl From<Delivered<Arc<RecordedEvent>>> for Message {
    fn from(delivered: Delivered<Arc<RecordedEvent>>) -> Self {
        let Delivered { id, retries, replayed, body } = delivered;
        Self { id, event: body, retries, replayed }
    }
}
