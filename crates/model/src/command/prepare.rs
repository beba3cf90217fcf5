//! From a command to an append: load, decide, and say what the decision stands on.

use gesta_store::{
    Append, AppendCondition, EventData, ExpectedRevision, Position, Query, QueryItem, StreamName, Tag, clock::Clock,
    entropy::Entropy, name::system,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Command, Decide, Knows, SendError, knows::Ground};
use crate::{
    error::{Error, Result, guarded},
    event::{Event, to_recordable},
    state::{AtHead, Reader},
};

/// How often all models are tried to be had at one head from the cache. Each time a cached state is further, that head is tried.
const TRIES_AT_ONE_HEAD: u32 = 8;

/// A decision, and what it stands on.
pub(super) struct Decision<E> {
    pub(super) events: Vec<E>,
    pub(super) ground: Vec<Ground>,
}

/// What goes with the events of a command.
#[derive(Clone, Debug, Default)]
pub(super) struct Circumstances {
    /// The request key, if it is to be recorded once.
    pub(super) request: Option<String>,
    /// What is asked for under it.
    pub(super) asked: Option<Uuid>,
    /// Keys of the metadata documents.
    pub(super) metadata: Map<String, Value>,
    /// What is recorded in the same commit, even if the decision is for nothing.
    pub(super) along: Option<Along>,
}

/// A note that a command is carried out, and of which its events are: recorded with them, or neither is.
#[derive(Clone, Debug)]
pub(crate) struct Along {
    pub(crate) stream: StreamName,
    /// If the stream is elsewhere, the command is not sent again: that is for whoever keeps the notes.
    pub(crate) expected: ExpectedRevision,
    /// What is to be in the stream before it, and is not there yet.
    pub(crate) before: Vec<EventData>,
    pub(crate) note: EventData,
    /// What the ids of the command's events follow from.
    pub(crate) cause: Uuid,
}

/// The name of the command in metadata.
pub(super) const COMMAND: &str = "$command";
/// What the command asked for in metadata, if it is to be recorded once.
pub(super) const ASKED: &str = "$asked";

/// Loads what the command must know, and decides.
pub(super) fn decide<C: Decide>(reader: &Reader, command: &C) -> Result<Decision<C::Event>, SendError<C::Refusal>> {
    let keys = command.keys();
    let mut known = None;
    for _ in 0..TRIES_AT_ONE_HEAD {
        known = C::Knows::load(reader, &keys, AtHead::Cached(reader.store.head().position()))?;
        if known.is_some() {
            break;
        }
    }
    let known = match known {
        Some(known) => known,
        None => C::Knows::load(reader, &keys, AtHead::AsOf(reader.store.head().position()))?
            .expect("a state as of a moment does not depend on what is cached"),
    };
    let decided = guarded(|| format!("{}::decide", C::NAME), || command.decide(C::Knows::states(&known)))?;
    let events = decided.map_err(SendError::Refused)?;
    let mut ground = Vec::new();
    C::Knows::ground(&known, &mut ground);
    Ok(Decision { events, ground })
}

/// What a command would record now.
pub(crate) fn would<C: Decide>(reader: &Reader, command: &C) -> Result<Vec<C::Event>, SendError<C::Refusal>> {
    let Decision { events, .. } = decide(reader, command)?;
    events.iter().try_for_each(|event| to_recordable(event).map(drop))?;
    Ok(events)
}

/// The query for what was recorded for a request.
pub(super) fn recorded_for(request: &str) -> Result<Query> {
    Ok(Query::of(QueryItem::default().tag(tag_of(request)?)))
}

fn tag_of(request: &str) -> Result<Tag> {
    if request.is_empty() {
        // Whoever forgets keys would be given the answer to the first of all requests.
        return Err(Error::Unanswerable("a request key is empty".to_owned()));
    }
    Ok(Tag::new(format!("request:{request}"))?)
}

/// The append of a decision. Condition 0, if there is a request key, is that it is new.
pub(super) fn append_of<C: Command>(
    reader: &Reader,
    decision: &Decision<C::Event>,
    circumstances: &Circumstances,
) -> Result<Append> {
    let mut append = Append::new();
    if let Some(request) = &circumstances.request {
        append = append.condition(AppendCondition { none_matching: recorded_for(request)?, after: None });
    }
    let metadata = metadata_of::<C>(reader, circumstances)?;
    let mut expected = Vec::new();
    for ground in &decision.ground {
        let revision = ground.last_revision.filter(|_| C::IGNORES.is_empty());
        match (ground.scope.stream(), revision) {
            // One comparison, instead of a look at the index.
            (Some(stream), Some(last)) => {
                let expectation = (stream.clone(), ExpectedRevision::Exact(last));
                append = append.stream(expectation.0.clone(), expectation.1, []);
                expected.push(expectation);
            }
            (_, _) => {
                let after = ground.head.0.checked_sub(1).map(Position);
                let none_matching = ground.without(C::IGNORES);
                append = append.condition(AppendCondition { none_matching, after });
            }
        }
    }
    if let Some(along) = &circumstances.along {
        let note = along.note.clone().with_metadata(metadata.clone());
        let notes = along.before.iter().cloned().chain([note]);
        append = append.stream(along.stream.clone(), along.expected, notes);
    }
    for (index, event) in decision.events.iter().enumerate() {
        let (stream, mut recordable) = to_recordable(event)?;
        recordable.metadata = metadata.clone().into();
        let id = circumstances.along.as_ref().map(|along| Uuid::new_v5(&along.cause, &index.to_le_bytes()));
        recordable.id = Some(id.unwrap_or_else(|| fresh_id(reader)));
        if let Some(request) = &circumstances.request {
            recordable.tags.push(tag_of(request)?);
        }
        append = append.stream(stream.clone(), expectation_of(&expected, &stream), [recordable]);
    }
    Ok(append)
}

fn expectation_of(expected: &[(StreamName, ExpectedRevision)], stream: &StreamName) -> ExpectedRevision {
    let known = expected.iter().find(|(known, _)| known == stream);
    known.map_or(ExpectedRevision::Any, |(_, expectation)| *expectation)
}

fn fresh_id(reader: &Reader) -> Uuid {
    let options = &reader.options;
    let (clock, entropy): (&dyn Clock, &Entropy) = (&*options.clock, &options.entropy);
    entropy.uuid(clock.now())
}

/// The append of events that nobody decided for.
pub(super) fn append_undecided<E: Event>(reader: &Reader, events: impl IntoIterator<Item = E>) -> Result<Append> {
    let metadata = serde_json::json!({ system::CORRELATION_ID: fresh_id(reader).to_string() }).to_string();
    let mut append = Append::new();
    for event in events {
        let (stream, recordable) = to_recordable(&event)?;
        let recordable = recordable.with_id(fresh_id(reader)).with_metadata(metadata.clone());
        append = append.stream(stream, ExpectedRevision::Any, [recordable]);
    }
    Ok(append)
}

/// The metadata document of the command's events: what was given, its name, and a correlation id if none was given.
fn metadata_of<C: Command>(reader: &Reader, circumstances: &Circumstances) -> Result<Vec<u8>> {
    let mut metadata = circumstances.metadata.clone();
    metadata.insert(COMMAND.to_owned(), C::NAME.into());
    if let Some(asked) = circumstances.asked {
        metadata.insert(ASKED.to_owned(), asked.to_string().into());
    }
    metadata.entry(system::CORRELATION_ID).or_insert_with(|| fresh_id(reader).to_string().into());
    serde_json::to_vec(&metadata)
        .map_err(|error| Error::Unrecordable { event_type: C::NAME, reason: format!("metadata: {error}") })
}
