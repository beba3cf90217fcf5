//! From an event to what the group's state knows of it: its place, the hash of its key, and the hash of what it is pinned by.

use std::sync::Arc;

use super::{feed::position_in_source, writing::Body};
use crate::{
    correlation::correlation_of,
    error::Result,
    event::RecordedEvent,
    subscribe::{
        GroupSettings, KeyOf, NameExpression, Strategy,
        group_key::{Keyed, correlation_hash, stream_hash},
        group_state::{Offer, ParkedEntry},
    },
};

/// An event for the state.
pub(super) type Offered = Offer<Body>;

/// What of the settings decides how events are offered.
#[derive(Debug)]
pub(super) struct Keys {
    strategy: Strategy,
    read_batch: usize,
    only: Option<NameExpression>,
}

impl Keys {
    pub(super) fn of(settings: &GroupSettings) -> Self {
        Self { strategy: settings.strategy.clone(), read_batch: settings.read_batch, only: settings.only.clone() }
    }

    pub(super) fn read_batch(&self) -> usize {
        self.read_batch
    }

    /// Whether an event of these names is one of the group's, as far as its settings say.
    pub(super) fn wants(&self, stream: &str, event_type: &str) -> Result<bool> {
        self.only.as_ref().map_or(Ok(true), |only| only.matches(stream, event_type))
    }

    /// The event as it is offered. For what a strategy does not look at, nothing is computed.
    pub(super) fn offer(&self, event: RecordedEvent) -> Offered {
        let (key, pin) = match &self.strategy {
            Strategy::RoundRobin | Strategy::DispatchToSingle => (0, 0),
            Strategy::Pinned => (0, stream_hash(&event.stream)),
            Strategy::PinnedByCorrelation => {
                let correlation = correlation_of(&event.metadata);
                (0, correlation.map_or_else(|| stream_hash(&event.stream), |id| correlation_hash(&id)))
            }
            Strategy::KeyOrdered { key, .. } => (key_of(key, &event), 0),
        };
        Offer { position: position_in_source(&event), key, pin, body: Arc::new(event) }
    }

    /// A parked event as it is offered again, under the id it was parked with.
    pub(super) fn offer_replay(&self, event: RecordedEvent, entry: &ParkedEntry) -> Offered {
        Offer { position: entry.position, ..self.offer(event) }
    }
}

fn key_of(key: &KeyOf, event: &RecordedEvent) -> u64 {
    key.hash(Keyed { stream: &event.stream, tags: event.tags.iter().map(|tag| tag.as_str()), data: &event.data })
}
