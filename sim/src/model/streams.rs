//! What the model says of a single stream, and of a request that names it.

use bytes::Bytes;
use gesta_store::{ExpectedRevision, Position, Query, Rejection, Revision, StreamName, Timestamp};
use uuid::Uuid;

use super::{DELETED, Event, Finding, Model};
use crate::step::{Change, Target};

/// How a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Revision of its last event.
    pub last: Option<Revision>,
    /// Its last event is a tombstone.
    pub tombstoned: bool,
    /// `$tb`.
    pub truncate_before: u64,
    /// `$maxCount`.
    pub max_count: Option<u64>,
    /// `$maxAge`, in seconds.
    pub max_age: Option<u64>,
    /// Its metadata stream has events.
    pub has_metadata: bool,
}

impl StreamState {
    /// Whether it was soft-deleted and not appended to since.
    #[must_use]
    pub fn is_soft_deleted(&self) -> bool {
        self.truncate_before == DELETED
    }

    /// The revision its next event gets.
    #[must_use]
    pub fn next(&self) -> Revision {
        self.last.map_or(Revision::START, Revision::next)
    }

    /// What a refusal reports.
    pub(super) fn actual(&self) -> Option<Revision> {
        self.last.filter(|_| !self.is_soft_deleted())
    }

    fn meets(&self, expected: ExpectedRevision) -> bool {
        match expected {
            ExpectedRevision::Any => true,
            ExpectedRevision::NoStream => self.last.is_none() || self.is_soft_deleted(),
            ExpectedRevision::StreamExists => !self.is_soft_deleted() && (self.last.is_some() || self.has_metadata),
            ExpectedRevision::SoftDeleted => self.is_soft_deleted(),
            ExpectedRevision::Tombstoned => self.tombstoned,
            ExpectedRevision::Exact(revision) => self.last == Some(revision),
        }
    }
}

impl Model {
    /// How a stream stands now.
    #[must_use]
    pub fn stream(&self, stream: &StreamName) -> StreamState {
        stream_of(&self.events, stream)
    }

    /// The newest metadata document of a stream.
    #[must_use]
    pub fn metadata_document(&self, stream: &StreamName) -> Option<Bytes> {
        document_of(&self.events, stream)
    }

    /// The first event after `after` that matches.
    #[must_use]
    pub fn first_match(&self, query: &Query, after: Option<Position>) -> Option<Position> {
        let from = after.map_or(0, |after| after.0 + 1);
        let mut positions = (from..self.head().0).map(Position);
        positions.find(|position| self.event(*position).is_some_and(|event| event.matches(query)))
    }

    /// When the last event was recorded.
    #[must_use]
    pub fn last_recorded_at(&self) -> Option<Timestamp> {
        self.events.last().map(|event| event.recorded_at)
    }

    /// Positions of a stream's events.
    pub(super) fn positions_of<'a>(&'a self, stream: &'a StreamName) -> impl Iterator<Item = (Position, &'a Event)> {
        self.events
            .iter()
            .enumerate()
            .filter(move |(_, event)| event.stream == *stream)
            .map(|(position, event)| (Position(position as u64), event))
    }

    pub(super) fn judge(&self, target: &Target) -> Finding {
        let Target { stream, expected, change } = target;
        let state = self.stream(stream);
        let ended = state.tombstoned || stream.metadata_of().is_some_and(|of| self.stream(&of).tombstoned);
        let deleted = || Rejection::StreamDeleted { stream: stream.clone() };
        let wrong = || {
            let (stream, actual) = (stream.clone(), state.actual());
            Rejection::WrongRevision { stream, expected: *expected, actual }
        };
        match change {
            Change::Append(events) if events.is_empty() => match expected {
                ExpectedRevision::Any | ExpectedRevision::NoStream | ExpectedRevision::Tombstoned if ended => {
                    Finding::Holds
                }
                _ if ended => Finding::Unmet(deleted()),
                _ if state.meets(*expected) => Finding::Holds,
                _ => Finding::Unmet(wrong()),
            },
            _ if ended => Finding::Refused(deleted()),
            Change::Append(events) => {
                let ids: Vec<Uuid> = events.iter().filter_map(|event| event.id).collect();
                self.judge_events(target, &ids, &state).unwrap_or_else(|| Finding::Refused(wrong()))
            }
            _ if !state.meets(*expected) => Finding::Refused(wrong()),
            Change::Delete if state.is_soft_deleted() => Finding::Holds,
            Change::Delete if state.last.is_none() => Finding::Refused(wrong()),
            Change::Delete | Change::Tombstone => Finding::Fresh,
        }
    }

    /// `None`: refused for its revision.
    fn judge_events(&self, target: &Target, ids: &[Uuid], state: &StreamState) -> Option<Finding> {
        let recorded: Vec<(Position, Revision)> = match target.expected {
            ExpectedRevision::StreamExists if !state.meets(target.expected) => return None,
            ExpectedRevision::Tombstoned => return None,
            ExpectedRevision::Any | ExpectedRevision::StreamExists | ExpectedRevision::SoftDeleted => {
                ids.iter().map_while(|id| self.newest(&target.stream, *id)).collect()
            }
            ExpectedRevision::NoStream | ExpectedRevision::Exact(_) => {
                let from = match target.expected {
                    ExpectedRevision::Exact(revision) => revision.0 + 1,
                    _ => 0,
                };
                if from >= state.next().0 {
                    return (from == state.next().0).then_some(Finding::Fresh);
                }
                let there = self.positions_of(&target.stream).skip(usize::try_from(from).ok()?);
                let equal = there.zip(ids).take_while(|((_, event), id)| event.id == Some(**id));
                equal.map(|((position, event), _)| (position, event.revision)).collect()
            }
        };
        match recorded.len() {
            0 => state.meets(target.expected).then_some(Finding::Fresh),
            all if all == ids.len() => Some(Finding::Retry(recorded)),
            _ => {
                let (stream, actual) = (target.stream.clone(), state.actual());
                Some(Finding::Refused(Rejection::IdempotencyViolated { stream, actual }))
            }
        }
    }

    fn newest(&self, stream: &StreamName, id: Uuid) -> Option<(Position, Revision)> {
        let same = self.positions_of(stream).filter(|(_, event)| event.id == Some(id));
        same.last().map(|(position, event)| (position, event.revision))
    }
}

pub(super) fn stream_of(events: &[Event], stream: &StreamName) -> StreamState {
    let last = events.iter().rev().find(|event| event.stream == *stream);
    let document = document_of(events, stream);
    let keys: serde_json::Value =
        document.as_ref().and_then(|document| serde_json::from_slice(document).ok()).unwrap_or_default();
    let key = |name: &str, min: u64| {
        keys.get(name).and_then(serde_json::Value::as_u64).filter(|value| (min..=DELETED).contains(value))
    };
    StreamState {
        last: last.map(|event| event.revision),
        tombstoned: last.is_some_and(|event| event.event_type == "$streamDeleted"),
        truncate_before: key("$tb", 0).unwrap_or(0),
        max_count: key("$maxCount", 1),
        max_age: key("$maxAge", 1),
        has_metadata: document.is_some(),
    }
}

fn document_of(events: &[Event], stream: &StreamName) -> Option<Bytes> {
    if stream.metadata_of().is_some() {
        return None;
    }
    let name = stream.metadata_stream().ok()?;
    events.iter().rev().find(|event| event.stream == name).map(|event| event.data.clone())
}
