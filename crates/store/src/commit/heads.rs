//! Where streams stand: a bounded cache in front of [`Facts::stream`].
//!
//! A state found here must equal what the facts would say; so whatever is forgotten changes the cost of a verdict, never the verdict.
//! Two generations: when the young one is full it becomes the old one, and what the old one held and nobody asked for is gone.
//! Forgetting costs nothing per entry and keeps the streams in use.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    CommittedEvent, Facts, StreamState,
    metadata::{self, StreamMetadata},
};
use crate::{
    name::{StreamName, system},
    position::Position,
};

type Generation = HashMap<StreamName, StreamState, FixedState>;

#[derive(Debug)]
pub(super) struct Heads {
    /// Entries a generation holds: half of what the cache may.
    generation_max: usize,
    young: Generation,
    old: Generation,
}

impl Heads {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { generation_max: (entries_max / 2).max(1), young: Generation::default(), old: Generation::default() }
    }

    /// The state of a stream.
    pub(super) fn state<F: Facts>(&mut self, stream: &StreamName, facts: &mut F) -> Result<StreamState, F::Error> {
        if let Some(state) = self.young.get(stream) {
            return Ok(state.clone());
        }
        let state = match self.old.remove(stream) {
            Some(state) => state,
            None => facts.stream(stream)?,
        };
        if self.young.len() >= self.generation_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream.clone(), state.clone());
        Ok(state)
    }

    /// Makes a committed event part of the states it changes, as far as they are cached: its own stream's, and, for
    /// the event of a metadata stream, that of the stream it describes.
    pub(super) fn record(&mut self, event: &CommittedEvent, position: Position) {
        if let Some(state) = self.cached(&event.stream) {
            state.last = Some((event.revision, position, event.leaf));
            state.tombstoned |= event.event.data.event_type.as_str() == system::STREAM_DELETED;
        }
        if let Some(state) = metadata::described_by(&event.stream).and_then(|described| self.cached(described)) {
            state.has_metadata = true;
            state.truncate_before = StreamMetadata::parse(&event.event.data.data).truncate_before.unwrap_or(0);
        }
    }

    fn cached(&mut self, stream: &str) -> Option<&mut StreamState> {
        match self.young.get_mut(stream) {
            Some(state) => Some(state),
            None => self.old.get_mut(stream),
        }
    }
}
