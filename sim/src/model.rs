//! The whole store once more, naively: a list of events, and every question answered by walking it.
//!
//! Obviously right before anything else. Speed, memory and disks do not exist here.

mod flaw;
mod listing;
mod reading;
mod retry;
mod streams;

use std::collections::BTreeMap;

use bytes::Bytes;
use gesta_store::{
    Appended, ContentType, EventData, NextRevision, Position, RecordedEvent, Rejection, Revision, StreamName, Tag,
    Timestamp,
};
use uuid::Uuid;

use crate::step::{Change, Request, Target};

use retry::Commit;

pub use flaw::Flaw;
pub use reading::{Entry, Via};
pub use streams::StreamState;

/// `$tb` of a soft-deleted stream.
const DELETED: u64 = i64::MAX as u64;

/// Everything that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Model {
    events: Vec<Event>,
    commits: BTreeMap<Uuid, Commit>,
    flaw: Option<Flaw>,
}

/// A recorded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `None`: the store chose it.
    pub id: Option<Uuid>,
    /// Home stream.
    pub stream: StreamName,
    /// Place in it.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Kind.
    pub event_type: String,
    /// Encoding.
    pub content_type: ContentType,
    /// The fact.
    pub data: Bytes,
    /// About the fact.
    pub metadata: Bytes,
    /// Sorted.
    pub tags: Vec<Tag>,
}

/// What a request comes to.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It stands; applying it adds these events.
    Commit(Vec<Event>, Appended),
    /// It adds nothing.
    Nothing(Appended),
    /// It is refused.
    Rejected(Rejection),
}

impl Model {
    /// The position the next event gets.
    #[must_use]
    pub fn head(&self) -> Position {
        Position(self.events.len() as u64)
    }

    /// The event at a position.
    #[must_use]
    pub fn event(&self, position: Position) -> Option<&Event> {
        self.events.get(usize::try_from(position.0).ok()?)
    }

    /// Says what `request`, sent at `now`, comes to.
    #[must_use]
    pub fn decide(&self, request: &Request, now: Timestamp) -> Verdict {
        if let Some(known) = self.commits.get(&request.id) {
            return if known.answers(request) {
                Verdict::Nothing(self.answer_again(request, known))
            } else {
                Verdict::Rejected(Rejection::ProposalReused { id: request.id })
            };
        }
        let request = &self.distorted(request);
        if let Some(verdict) = self.judge_targets(request) {
            return verdict;
        }
        for (index, condition) in request.conditions.iter().enumerate() {
            if let Some(first_conflict) = self.first_match(&condition.none_matching, condition.after) {
                return Verdict::Rejected(Rejection::ConditionFailed { index, first_conflict });
            }
        }
        self.stamp(request, now)
    }

    /// Makes the events of a verdict part of the past.
    pub fn apply(&mut self, request: &Request, events: Vec<Event>, appended: Appended) {
        let deletes =
            |target: &Target| target.change == Change::Delete && self.writes_deletion(request, &target.stream);
        let deleted =
            request.targets.iter().filter(|target| deletes(target)).map(|target| target.stream.clone()).collect();
        self.commits.insert(request.id, Commit { request: request.clone(), deleted, appended });
        self.events.extend(events);
    }

    /// Whether a deletion of `stream` writes something: it is not deleted yet, or would not be after the document the request brings.
    fn writes_deletion(&self, request: &Request, stream: &StreamName) -> bool {
        let documents = |target: &Target| {
            let writes = matches!(&target.change, Change::Append(events) if !events.is_empty());
            writes && target.stream.metadata_of().as_ref() == Some(stream)
        };
        !self.stream(stream).is_soft_deleted() || request.targets.iter().any(documents)
    }

    fn stamp(&self, request: &Request, now: Timestamp) -> Verdict {
        let asked_for = request.recorded_at.map_or(now, |given| given.min(now));
        let recorded_at = self.events.last().map_or(asked_for, |last| last.recorded_at.max(asked_for));
        let mut draft = Draft { model: self.clone(), first_asked_for: None, recorded_at };
        for Target { stream, change, .. } in &request.targets {
            let Change::Append(events) = change else { continue };
            if events.is_empty() {
                continue;
            }
            let state = self.stream(stream);
            if state.is_soft_deleted() {
                draft.set_truncate_before(stream, state.next().0);
            }
            for event in events {
                draft.first_asked_for.get_or_insert(draft.model.head());
                draft.push(stream, event.id, event);
            }
        }
        for Target { stream, change, .. } in &request.targets {
            match change {
                Change::Delete if self.writes_deletion(request, stream) => {
                    draft.first_asked_for.get_or_insert(draft.model.head());
                    draft.set_truncate_before(stream, DELETED);
                }
                Change::Tombstone => {
                    draft.first_asked_for.get_or_insert(draft.model.head());
                    let event_type = gesta_store::EventType::new("$streamDeleted").expect("a valid type");
                    draft.push(stream, None, &EventData::binary(event_type, Bytes::new()));
                }
                Change::Append(_) | Change::Delete => {}
            }
        }
        for Target { stream, .. } in &request.targets {
            if let Some(described) = stream.metadata_of().filter(|described| self.stream(described).is_soft_deleted()) {
                draft.keep_hidden(&described, self.stream(&described).next().0);
            }
        }
        let next = |target: &Target| NextRevision {
            stream: target.stream.clone(),
            next: draft.model.stream(&target.stream).next(),
        };
        let next_revisions = request.targets.iter().map(next).collect();
        let new = draft.model.events[self.events.len()..].to_vec();
        let last_position = draft.first_asked_for.map(|_| Position(draft.model.head().0 - 1));
        let appended =
            Appended { first_position: draft.first_asked_for, last_position, next_revisions, idempotent: false };
        if new.is_empty() { Verdict::Nothing(appended) } else { Verdict::Commit(new, appended) }
    }
}

/// What a single target says.
pub(crate) enum Finding {
    /// It has no objection, and nothing is to be written for it.
    Holds,
    /// It has no objection to what is to be written for it.
    Fresh,
    /// Its events were recorded before: here.
    Retry(Vec<(Position, Revision)>),
    /// Nothing is to be written for it, and its expectation does not hold.
    Unmet(Rejection),
    /// It objects to what is to be written for it.
    Refused(Rejection),
}

/// The model as it would be with the events stamped so far.
struct Draft {
    model: Model,
    first_asked_for: Option<Position>,
    recorded_at: Timestamp,
}

impl Draft {
    fn push(&mut self, stream: &StreamName, id: Option<Uuid>, event: &EventData) {
        let mut tags = event.tags.clone();
        tags.sort();
        tags.dedup();
        let revision = self.model.stream(stream).next();
        self.model.events.push(Event {
            id,
            stream: stream.clone(),
            revision,
            recorded_at: self.recorded_at,
            event_type: event.event_type.to_string(),
            content_type: event.content_type.clone(),
            data: event.data.clone(),
            metadata: event.metadata.clone(),
            tags,
        });
    }

    /// What was deleted stays hidden, whatever the newest document of its stream says.
    fn keep_hidden(&mut self, stream: &StreamName, below: u64) {
        if self.model.stream(stream).truncate_before < below {
            self.set_truncate_before(stream, below);
        }
    }

    fn set_truncate_before(&mut self, stream: &StreamName, revision: u64) {
        let document = self.model.metadata_document(stream).unwrap_or_default();
        let mut keys: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&document).unwrap_or_default();
        keys.insert("$tb".to_owned(), revision.into());
        let document = serde_json::to_vec(&keys).expect("a map of JSON values is JSON");
        let event_type = gesta_store::EventType::new("$metadata").expect("a valid type");
        let name = stream.metadata_stream().expect("names are short here");
        self.push(&name, None, &EventData::json(event_type, document));
    }
}

impl Event {
    /// An event as the store shows it, its id included.
    #[must_use]
    pub fn of(recorded: &RecordedEvent) -> Self {
        Self {
            id: Some(recorded.id),
            stream: recorded.stream.clone(),
            revision: recorded.revision,
            recorded_at: recorded.recorded_at,
            event_type: recorded.event_type.to_string(),
            content_type: recorded.content_type.clone(),
            data: recorded.data.clone(),
            metadata: recorded.metadata.clone(),
            tags: recorded.tags.clone(),
        }
    }

    /// What is different in what the store recorded; `None` if nothing is.
    #[must_use]
    pub fn difference(&self, recorded: &RecordedEvent) -> Option<String> {
        let found = Self::of(recorded);
        let as_recorded = Self { id: self.id.and(found.id), ..found };
        (*self != as_recorded || recorded.erased).then(|| format!("expected {self:?}, found {recorded:?}"))
    }
}
