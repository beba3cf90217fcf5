//! What the commit rules may know of the past, read from the index and the log.
//!
//! "The past" is everything ordered so far, durable or not: look-ups here are not bounded by the published head.

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    commit::{Facts, StreamState, metadata},
    error::Result,
    index::{Index, Term},
    log::Log,
    name::{StreamName, system},
    position::{Position, Revision},
    query::Query,
};

/// Everything ordered so far.
const ORDERED: Position = Position(u64::MAX);

pub(super) struct LogFacts<'a> {
    pub(super) log: &'a Log,
    pub(super) index: &'a Index,
}

impl Facts for LogFacts<'_> {
    type Error = crate::error::Error;

    fn stream(&mut self, stream: &StreamName) -> Result<StreamState> {
        let mut state = StreamState::default();
        if let Some((revision, position)) = self.index.stream_last(stream, ORDERED)? {
            let event = self.log.event(position)?;
            state.last = Some((revision, position, event.leaf()));
            state.tombstoned = event.view().event_type == system::STREAM_DELETED;
        }
        if let Some(document) = self.metadata_document(stream)? {
            state.has_metadata = true;
            state.truncate_before = metadata::StreamMetadata::parse(&document).truncate_before.unwrap_or(0);
        }
        Ok(state)
    }

    fn event_id(&mut self, stream: &StreamName, revision: Revision) -> Result<Option<Uuid>> {
        let Some(position) = self.event_position(stream, revision)? else {
            return Ok(None);
        };
        Ok(Some(self.log.event(position)?.view().id))
    }

    fn event_position(&mut self, stream: &StreamName, revision: Revision) -> Result<Option<Position>> {
        self.index.nth(Term::Stream(stream), revision.0, ORDERED)
    }

    fn first_match(&mut self, query: &Query, after: Option<Position>) -> Result<Option<Position>> {
        let from = after.map_or(Some(0), |after| after.0.checked_add(1));
        // Any position can be named, also the largest, which nothing can be after.
        from.map_or(Ok(None), |from| self.index.first_match(query, Position(from), ORDERED))
    }

    fn metadata_document(&mut self, stream: &StreamName) -> Result<Option<Bytes>> {
        if stream.metadata_of().is_some() {
            return Ok(None); // metadata streams have no metadata of their own
        }
        let Some((_, position)) = self.index.stream_last(&format!("$${stream}"), ORDERED)? else {
            return Ok(None);
        };
        Ok(Some(self.log.event(position)?.to_recorded().data))
    }
}
