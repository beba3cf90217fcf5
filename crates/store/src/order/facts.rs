//! What the commit rules may know of the past, read from the index and the log.
//!
//! "The past" is everything ordered so far, durable or not: look-ups here are not bounded by the published head. They happen while
//! everybody else waits for the order, so what can be looked up before is: see `foresight.rs`.

use bytes::Bytes;
use uuid::Uuid;

use super::foresight::{Foresight, first_after};
use crate::{
    commit::{Facts, StreamState, metadata},
    error::Result,
    index::{Index, Term},
    limits,
    log::Log,
    name::{StreamName, system},
    position::{Position, Revision},
    query::{AppendCondition, Query},
};

/// Everything ordered so far.
const ORDERED: Position = Position(u64::MAX);

/// Events times filters that are rather compared one by one than by walking the dictionary of the open part, which may have a hundred
/// thousand names: well above what is ordered while a group is written, and below a millisecond.
const COMPARED_MAX: u64 = 4096;

pub(super) struct LogFacts<'a> {
    pub(super) log: &'a Log,
    pub(super) index: &'a Index,
    /// The position the next event gets.
    pub(super) next: Position,
    /// What is known already of the proposal's conditions.
    pub(super) foresights: &'a [Foresight],
}

impl LogFacts<'_> {
    /// The first event at or after `from` that matches.
    fn first_match_from(&self, query: &Query, from: Position) -> Result<Option<Position>> {
        let compared = self.next.0.saturating_sub(from.0).saturating_mul(query.terms() as u64);
        if query.has_ranges() && compared <= COMPARED_MAX {
            return self.scan(query, from);
        }
        self.index.first_match(query, from, ORDERED)
    }

    fn scan(&self, query: &Query, from: Position) -> Result<Option<Position>> {
        let mut from = from;
        while from < self.next {
            let batch = self.log.read_forward(from, self.next, limits::BATCH_EVENTS, limits::BATCH_BYTES)?;
            let mut events = batch.iter();
            if let Some(found) = events.find(|event| query.matches(event.stream, event.event_type, event.tags.iter())) {
                return Ok(Some(found.position));
            }
            from = Position(from.0 + batch.len() as u64);
        }
        Ok(None)
    }
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
        first_after(after).map_or(Ok(None), |from| self.first_match_from(query, from))
    }

    fn first_conflict(&mut self, index: usize, condition: &AppendCondition) -> Result<Option<Position>> {
        let Some(from) = first_after(condition.after) else { return Ok(None) };
        let from = match self.foresights.get(index) {
            Some(Foresight::Conflict(conflict)) => return Ok(Some(*conflict)),
            Some(Foresight::ClearBefore(head)) => from.max(*head),
            Some(Foresight::Unknown) | None => from,
        };
        self.first_match_from(&condition.none_matching, from)
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
