//! What a read delivers at once.

use crate::{
    event::{EventRef, Link, RecordedEvent},
    log,
    position::Position,
};

/// Events read together. Iterating decodes without allocating.
#[derive(Debug, Default)]
pub struct Batch {
    events: log::Batch,
    /// For each event how the read came to it; empty when all were read from their own streams.
    links: Vec<Option<Box<Link>>>,
}

impl Batch {
    pub(crate) fn plain(events: log::Batch) -> Self {
        Self { events, links: Vec::new() }
    }

    pub(crate) fn linked(events: log::Batch, links: Vec<Option<Box<Link>>>) -> Self {
        debug_assert_eq!(events.len(), links.len(), "one link slot for each event");
        Self { events, links }
    }

    /// Events held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Bytes of the events: names, payloads and what the log has around them.
    pub(crate) fn bytes(&self) -> usize {
        self.events.bytes()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Views of the events.
    pub fn iter(&self) -> impl Iterator<Item = EventRef<'_>> {
        self.events.iter()
    }

    /// How the read came to the event at `index` of the batch, if not by its own stream.
    #[must_use]
    pub fn link(&self, index: usize) -> Option<&Link> {
        self.links.get(index)?.as_deref()
    }

    /// Where the read was when it came to the event at `index` of the batch: the event's position or, of a link that was resolved, the link's. Who has
    /// finished the event goes on with [`From::after`](crate::From::after) this.
    #[must_use]
    pub fn place(&self, index: usize) -> Option<Position> {
        match self.link(index) {
            Some(link) => Some(link.position),
            None => self.events.get(index).map(|event| event.position),
        }
    }

    /// The position of the last event.
    #[must_use]
    pub fn last_position(&self) -> Option<Position> {
        self.events.last_position()
    }

    /// The event at `index` of the batch, owned; its payloads share the batch's memory.
    #[must_use]
    pub fn recorded(&self, index: usize) -> Option<RecordedEvent> {
        let mut event = self.events.recorded(index)?;
        event.link = self.links.get(index).cloned().flatten();
        Some(event)
    }

    /// The events, owned; payloads share the batch's memory.
    #[must_use]
    pub fn to_recorded(&self) -> Vec<RecordedEvent> {
        (0..self.len()).filter_map(|index| self.recorded(index)).collect()
    }
}
