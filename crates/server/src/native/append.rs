//! Appends and their verdicts, both ways.

use gesta_store::{
    Append, AppendCondition, Appended, Error, EventData, ExpectedRevision, NextRevision, Position, Rejection, Result,
    Revision, StreamName, Timestamp, limits,
};
use uuid::Uuid;

use super::{
    events::{id_from_wire, id_to_wire, proposed_from_wire, proposed_to_wire},
    messages as wire,
    query::{missing, query_from_wire, query_to_wire},
};

/// An append as a client says it, to a store or to a server.
#[derive(Clone, Debug, Default)]
pub struct AppendRequest {
    /// Events and the streams they go to, in their order.
    pub writes: Vec<Write>,
    /// What must hold besides.
    pub conditions: Vec<AppendCondition>,
    /// Identity of the request.
    pub proposal_id: Option<Uuid>,
    /// When the events happened, for imports.
    pub recorded_at: Option<Timestamp>,
}

/// What is done to a stream.
#[derive(Clone, Debug)]
pub struct Write {
    /// The stream.
    pub stream: StreamName,
    /// What it must look like.
    pub expected: ExpectedRevision,
    /// What is done.
    pub change: Change,
}

/// What may be done to a stream.
#[derive(Clone, Debug)]
pub enum Change {
    /// These events are appended.
    Append(Vec<EventData>),
    /// It is deleted, until somebody appends again.
    Delete,
    /// It is ended for ever.
    Tombstone,
}

impl From<AppendRequest> for Append {
    fn from(request: AppendRequest) -> Self {
        let AppendRequest { writes, conditions, proposal_id, recorded_at } = request;
        let write = |append: Self, Write { stream, expected, change }| match change {
            Change::Append(events) => append.stream(stream, expected, events),
            Change::Delete => append.delete(stream, expected),
            Change::Tombstone => append.tombstone(stream, expected),
        };
        let append = writes.into_iter().fold(Self::new(), write);
        let append = conditions.into_iter().fold(append, Self::condition);
        let append = proposal_id.into_iter().fold(append, Self::with_proposal_id);
        recorded_at.into_iter().fold(append, Self::recorded_at)
    }
}

impl AppendRequest {
    /// As it goes over the wire.
    #[must_use]
    pub fn to_wire(self) -> wire::AppendReq {
        let write = |Write { stream, expected, change }: Write| {
            let (change, events) = match change {
                Change::Append(events) => (wire::write::Change::Append, events),
                Change::Delete => (wire::write::Change::Delete, Vec::new()),
                Change::Tombstone => (wire::write::Change::Tombstone, Vec::new()),
            };
            wire::Write {
                stream: stream.to_string(),
                expected: Some(expected_to_wire(expected)),
                events: events.into_iter().map(proposed_to_wire).collect(),
                change: change.into(),
            }
        };
        let condition = |condition: AppendCondition| wire::Condition {
            none_matching: Some(query_to_wire(&condition.none_matching)),
            after: condition.after.map(|after| after.0),
        };
        wire::AppendReq {
            writes: self.writes.into_iter().map(write).collect(),
            conditions: self.conditions.into_iter().map(condition).collect(),
            proposal_id: self.proposal_id.map(id_to_wire),
            recorded_at: self.recorded_at.map(|time| time.0),
        }
    }

    /// From the wire.
    ///
    /// # Errors
    /// `Invalid`, for what is missing or no name, and for more events than an append may have.
    pub fn from_wire(request: wire::AppendReq) -> Result<Self> {
        // Before anything is made of them: empty ones take two bytes on the wire.
        let events = request.writes.iter().map(|write| write.events.len()).fold(0, usize::saturating_add);
        if events > limits::EVENTS_PER_COMMIT_MAX {
            let max = limits::EVENTS_PER_COMMIT_MAX;
            return Err(Error::invalid(format!("request has too many events, found={events} max={max}")));
        }
        let write = |write: wire::Write| {
            let change = match wire::write::Change::try_from(write.change).map_err(|_| missing("change"))? {
                wire::write::Change::Append => {
                    Change::Append(write.events.into_iter().map(proposed_from_wire).collect::<Result<_>>()?)
                }
                wire::write::Change::Delete => Change::Delete,
                wire::write::Change::Tombstone => Change::Tombstone,
            };
            Ok(Write { stream: StreamName::new(&write.stream)?, expected: expected_from_wire(write.expected)?, change })
        };
        let condition = |condition: wire::Condition| {
            let none_matching = condition.none_matching.ok_or_else(|| missing("none_matching"))?;
            let after = condition.after.map(Position);
            Ok(AppendCondition { none_matching: query_from_wire(none_matching)?, after })
        };
        Ok(Self {
            writes: request.writes.into_iter().map(write).collect::<Result<_>>()?,
            conditions: request.conditions.into_iter().map(condition).collect::<Result<_>>()?,
            proposal_id: request.proposal_id.as_deref().map(id_from_wire).transpose()?,
            recorded_at: request.recorded_at.map(Timestamp),
        })
    }
}

fn expected_to_wire(expected: ExpectedRevision) -> wire::Expected {
    use wire::expected::Expected as Kind;
    wire::Expected {
        expected: Some(match expected {
            ExpectedRevision::Any => Kind::Any(wire::Nothing {}),
            ExpectedRevision::NoStream => Kind::NoStream(wire::Nothing {}),
            ExpectedRevision::StreamExists => Kind::StreamExists(wire::Nothing {}),
            ExpectedRevision::SoftDeleted => Kind::SoftDeleted(wire::Nothing {}),
            ExpectedRevision::Tombstoned => Kind::Tombstoned(wire::Nothing {}),
            ExpectedRevision::Exact(Revision(revision)) => Kind::Revision(revision),
        }),
    }
}

fn expected_from_wire(expected: Option<wire::Expected>) -> Result<ExpectedRevision> {
    use wire::expected::Expected as Kind;
    Ok(match expected.and_then(|expected| expected.expected).ok_or_else(|| missing("expected"))? {
        Kind::Any(_) => ExpectedRevision::Any,
        Kind::NoStream(_) => ExpectedRevision::NoStream,
        Kind::StreamExists(_) => ExpectedRevision::StreamExists,
        Kind::SoftDeleted(_) => ExpectedRevision::SoftDeleted,
        Kind::Tombstoned(_) => ExpectedRevision::Tombstoned,
        Kind::Revision(revision) => ExpectedRevision::Exact(Revision(revision)),
    })
}

pub(super) fn appended_to_wire(appended: Appended) -> wire::Appended {
    let next = |next: NextRevision| wire::appended::Next { stream: next.stream.to_string(), revision: next.next.0 };
    wire::Appended {
        first_position: appended.first_position.map(|position| position.0),
        last_position: appended.last_position.map(|position| position.0),
        next_revisions: appended.next_revisions.into_iter().map(next).collect(),
        idempotent: appended.idempotent,
    }
}

pub(crate) fn appended_from_wire(appended: wire::Appended) -> Result<Appended> {
    let next = |next: wire::appended::Next| {
        Ok(NextRevision { stream: StreamName::new(&next.stream)?, next: Revision(next.revision) })
    };
    Ok(Appended {
        first_position: appended.first_position.map(Position),
        last_position: appended.last_position.map(Position),
        next_revisions: appended.next_revisions.into_iter().map(next).collect::<Result<_>>()?,
        idempotent: appended.idempotent,
    })
}

pub(super) fn rejection_to_wire(rejection: Rejection) -> wire::Rejection {
    use wire::rejection::{self as why, Why};
    let actual = |actual: Option<Revision>| actual.map(|revision| revision.0);
    #[allow(clippy::wildcard_enum_match_arm, reason = "a verdict this protocol does not know is told without facts")]
    let why = match rejection {
        Rejection::WrongRevision { stream, expected, actual: found } => Some(Why::WrongRevision(why::WrongRevision {
            stream: stream.to_string(),
            expected: Some(expected_to_wire(expected)),
            actual: actual(found),
        })),
        Rejection::StreamDeleted { stream } => Some(Why::StreamDeleted(stream.to_string())),
        Rejection::ConditionFailed { index, first_conflict } => {
            Some(Why::ConditionFailed(why::ConditionFailed { index: index as u64, first_conflict: first_conflict.0 }))
        }
        Rejection::IdempotencyViolated { stream, actual: found } => {
            let violated = why::IdempotencyViolated { stream: stream.to_string(), actual: actual(found) };
            Some(Why::IdempotencyViolated(violated))
        }
        Rejection::ProposalReused { id } => Some(Why::ProposalReused(id_to_wire(id))),
        Rejection::StreamFull { stream } => Some(Why::StreamFull(stream.to_string())),
        Rejection::CommitTooLarge { events, bytes } => {
            Some(Why::CommitTooLarge(why::CommitTooLarge { events: events as u64, bytes: bytes as u64 }))
        }
        _ => None,
    };
    wire::Rejection { why }
}

pub(crate) fn rejection_from_wire(rejection: wire::Rejection) -> Result<Rejection> {
    use wire::rejection::Why;
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    Ok(match rejection.why.ok_or_else(|| missing("why"))? {
        Why::WrongRevision(wrong) => Rejection::WrongRevision {
            stream: StreamName::new(&wrong.stream)?,
            expected: expected_from_wire(wrong.expected)?,
            actual: wrong.actual.map(Revision),
        },
        Why::StreamDeleted(stream) => Rejection::StreamDeleted { stream: StreamName::new(&stream)? },
        Why::ConditionFailed(failed) => {
            Rejection::ConditionFailed { index: count(failed.index), first_conflict: Position(failed.first_conflict) }
        }
        Why::IdempotencyViolated(violated) => Rejection::IdempotencyViolated {
            stream: StreamName::new(&violated.stream)?,
            actual: violated.actual.map(Revision),
        },
        Why::ProposalReused(id) => Rejection::ProposalReused { id: id_from_wire(&id)? },
        Why::StreamFull(stream) => Rejection::StreamFull { stream: StreamName::new(&stream)? },
        Why::CommitTooLarge(large) => {
            Rejection::CommitTooLarge { events: count(large.events), bytes: count(large.bytes) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events that say nothing take two bytes each: of five megabytes of them half a gigabyte was made, to be refused by the store.
    #[test]
    fn more_events_than_an_append_may_have_are_not_looked_at() {
        let said = |events| {
            let write = |events| wire::Write { events: vec![wire::EventData::default(); events], ..Default::default() };
            let writes = vec![write(1), write(events)];
            AppendRequest::from_wire(wire::AppendReq { writes, ..Default::default() }).unwrap_err().to_string()
        };
        let max = limits::EVENTS_PER_COMMIT_MAX;
        assert!(said(max).contains(&format!("found={} max={max}", max + 1)));
        assert!(!said(max - 1).contains("too many events"), "they are looked at");
    }
}
