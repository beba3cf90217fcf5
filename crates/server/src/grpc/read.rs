//! A read: of a stream or of the log, either way, up to a count, pinned at the head it begins with.

use gesta_store::{
    Batch, Direction, EventStore, From, NameExpression, Position, Read, ReadOptions, Revision, Source, StreamName,
    StreamStatus,
    name::{is_virtual, system},
};

use crate::{
    convert::{
        filter::{Filter, Selection},
        recorded,
        request::{Links, Place, ReadRequest, Subject},
        stream,
    },
    fault::Fault,
    limits::{READ_BATCH_BYTES, READ_BATCH_EVENTS},
    proto::event_store::client::{
        AllStreamPosition,
        streams::{
            ReadResp,
            read_resp::{Content, StreamNotFound},
        },
    },
    pump::{Pull, Pulled},
    security::{Rights, Sight},
};

/// A read in progress.
#[derive(Debug)]
pub(super) struct Reading {
    store: EventStore,
    request: ReadRequest,
    rights: Rights,
    /// Events that may still be delivered.
    left: u64,
    delivered: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    NotFound,
    Read(Open),
    End,
}

/// A read of the store, and what its client is told beside its events.
#[derive(Debug)]
struct Open {
    read: Box<Read>,
    /// What the store does not filter itself.
    expressed: Option<NameExpression>,
    /// The first and last revisions of a stream that somebody wrote.
    ends: Option<(Revision, Revision)>,
}

impl Reading {
    pub(super) fn new(store: EventStore, request: ReadRequest, rights: Rights, count: u64) -> Self {
        Self { store, request, rights, left: count, delivered: false, state: State::Begin }
    }

    fn begin(&self) -> Result<State, Fault> {
        match &self.request.subject {
            Subject::Stream(name, place) => self.begin_stream(name, *place),
            Subject::All(place, filter) => self.begin_all(*place, filter.as_ref()),
        }
    }

    fn begin_stream(&self, name: &StreamName, place: Place<Revision>) -> Result<State, Fault> {
        let ends = if is_virtual(name) {
            None
        } else {
            match self.store.stream_status(name)? {
                StreamStatus::Live { first, last } => Some((first, last)),
                StreamStatus::Missing | StreamStatus::SoftDeleted { .. } => return Ok(State::NotFound),
                StreamStatus::Tombstoned { .. } => return Err(Fault::StreamDeleted(name.clone())),
            }
        };
        let from = match (place, self.request.direction) {
            (Place::Start, Direction::Forward) | (Place::End, Direction::Backward) => From::Beginning,
            (Place::Start, Direction::Backward) => From::Revision(Revision::START),
            (Place::End, Direction::Forward) => From::Now,
            (Place::At(revision), _) => From::Revision(revision),
        };
        let read = self.store.read_stream(name.clone(), self.options(from, Some(self.left)))?;
        Ok(State::Read(Open { read: Box::new(read), expressed: None, ends }))
    }

    fn begin_all(&self, place: Place<Position>, filter: Option<&Filter>) -> Result<State, Fault> {
        let head = self.store.head().position();
        let (mut limit, mut expressed) = (Some(self.left), None);
        let source = match filter.map(|filter| &filter.selection) {
            None => Source::All,
            Some(Selection::Indexed(query)) => Source::Query(query.clone()),
            Some(Selection::Scanned(expression)) => {
                (limit, expressed) = (None, Some(expression.clone()));
                Source::All
            }
        };
        let from = match (place, self.request.direction) {
            (Place::At(position), _) if position > head => return Err(Fault::InvalidPosition),
            (Place::Start, Direction::Forward) | (Place::End, Direction::Backward) => From::Beginning,
            (Place::End, Direction::Forward) => From::Now,
            (Place::At(position), Direction::Forward) => From::Position(position),
            // Going backward the place is behind the first event that is delivered.
            (Place::At(Position(position @ 1..)), Direction::Backward) => From::Position(Position(position - 1)),
            (Place::Start | Place::At(_), Direction::Backward) => {
                limit = Some(0);
                From::Beginning
            }
        };
        let read = self.store.read(source, self.options(from, limit))?;
        Ok(State::Read(Open { read: Box::new(read), expressed, ends: None }))
    }

    fn options(&self, from: From, limit: Option<u64>) -> ReadOptions {
        ReadOptions {
            direction: self.request.direction,
            from,
            limit,
            resolve_links: self.request.links == Links::Resolved,
            batch_events: READ_BATCH_EVENTS,
            batch_bytes: READ_BATCH_BYTES,
            ..ReadOptions::default()
        }
    }

    fn events(&mut self, batch: &Batch, expressed: Option<&NameExpression>) -> Result<Vec<ReadResp>, Fault> {
        let events = picked(batch, expressed);
        let mut messages = Vec::with_capacity(if expressed.is_some() { 0 } else { batch.len() });
        for event in events {
            if self.left == 0 {
                break;
            }
            let (index, _) = event?;
            messages.extend(event_message(batch, index, &self.request, &self.rights)?);
            self.left -= 1;
        }
        self.delivered |= !messages.is_empty();
        Ok(messages)
    }

    /// What is told when all events were.
    fn ending(&self, open: &Open) -> Result<Vec<ReadResp>, Fault> {
        let mut messages = Vec::new();
        let mut tell = |content| messages.push(ReadResp { content: Some(content) });
        let tells_ends = self.request.compatibility >= 1;
        match (&self.request.subject, open.ends) {
            (Subject::Stream(name, _), None) if !self.delivered && self.is_empty(name)? => {
                tell(not_found(name));
            }
            (Subject::Stream(_, place), Some((first, last))) if tells_ends => {
                if !self.delivered && *place != Place::At(first) {
                    tell(Content::FirstStreamPosition(first.0));
                }
                tell(Content::LastStreamPosition(last.0));
            }
            // Some clients of that age take an answer without any message for a broken one.
            (Subject::All(..), _) if tells_ends && !self.delivered => {
                let Position(head) = open.read.head();
                tell(Content::LastAllStreamPosition(AllStreamPosition {
                    commit_position: head,
                    prepare_position: head,
                }));
            }
            (Subject::Stream(..) | Subject::All(..), _) => {}
        }
        Ok(messages)
    }

    /// Whether a virtual stream has no entry at all: it then is, to its clients, not there.
    fn is_empty(&self, name: &StreamName) -> Result<bool, Fault> {
        let mut read =
            self.store.read_stream(name.clone(), ReadOptions { limit: Some(1), ..ReadOptions::default() })?;
        Ok(read.next_batch()?.is_none())
    }
}

impl Pull for Reading {
    type Message = ReadResp;

    /// A read has an end, and never waits.
    async fn ready(&mut self) {}

    fn pull(&mut self) -> Result<Pulled<ReadResp>, Fault> {
        loop {
            match std::mem::replace(&mut self.state, State::End) {
                State::Begin => self.state = self.begin()?,
                State::NotFound => {
                    let Subject::Stream(name, _) = &self.request.subject else { return Ok(Pulled::End) };
                    return Ok(Pulled::Messages(vec![ReadResp { content: Some(not_found(name)) }]));
                }
                State::Read(mut open) => {
                    let batch = if self.left == 0 { None } else { open.read.next_batch()? };
                    let Some(batch) = batch else { return Ok(Pulled::Messages(self.ending(&open)?)) };
                    let messages = self.events(&batch, open.expressed.as_ref())?;
                    self.state = State::Read(open);
                    // Perhaps none: between two batches it is seen whether the client is still there.
                    return Ok(Pulled::Messages(messages));
                }
                State::End => return Ok(Pulled::End),
            }
        }
    }
}

/// The events of a batch that an expression picks, or all without one: where in the batch they are, and where in the log. A link is
/// judged, and placed, by itself, not by what it points to.
pub(super) fn picked<'b>(
    batch: &'b Batch,
    expressed: Option<&'b NameExpression>,
) -> impl Iterator<Item = Result<(usize, Position), Fault>> + 'b {
    batch.iter().enumerate().filter_map(move |(index, event)| {
        let (stream, event_type, position) = match batch.link(index) {
            Some(link) => (link.stream.as_str(), system::LINK, link.position),
            None => (event.stream, event.event_type, event.position),
        };
        let picks = expressed.map_or(Ok(true), |expressed| expressed.matches(stream, event_type));
        picks.map(|picks| picks.then_some((index, position))).map_err(Fault::from).transpose()
    })
}

/// The event at `index` of a batch as a message, as much of it as the reader may see.
pub(super) fn event_message(
    batch: &Batch,
    index: usize,
    request: &ReadRequest,
    rights: &Rights,
) -> Result<Option<ReadResp>, Fault> {
    let Some(event) = batch.recorded(index) else { return Ok(None) };
    let links = match rights.sight(&event)? {
        Sight::Whole => request.links,
        Sight::LinkAlone => Links::AsTheyAre,
        Sight::Nothing => return Ok(None),
    };
    Ok(Some(ReadResp { content: Some(Content::Event(recorded::to_wire(&event, request.id_form, links))) }))
}

fn not_found(name: &StreamName) -> Content {
    Content::StreamNotFound(StreamNotFound { stream_identifier: Some(stream::to_wire(name)) })
}
