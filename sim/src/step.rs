//! What can happen to a store: the words of a trace.
//!
//! A step means the same whatever came before it, so that a trace stays a trace when steps are taken out of it.

use std::time::Duration;

use gesta_store::{
    Append, AppendCondition, EventData, ExpectedRevision, Query, ReadOptions, Source, StreamName, Timestamp,
    disk::memory::{Done, Lasting},
};
use uuid::Uuid;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// Requests are sent together, then their answers are waited for.
    Commit(Vec<Request>),
    /// Something is read and compared with the model.
    Read(Source, ReadOptions),
    /// The plan of a query is asked for, and held against what there is.
    Explain(Query, ReadOptions),
    /// Streams are listed: those with this prefix, after this one, so many.
    List(String, Option<StreamName>, usize),
    /// Every follower is brought to the head.
    Follow,
    /// Time passes.
    Advance(Duration),
    /// The wall clock is set, forward or back.
    JumpTo(Timestamp),
    /// Maintenance does all it can.
    Settle,
    /// After this many more changes the disk fails.
    Fail(u64, Lasting, Done),
    /// The disk has only this many bytes left.
    Fill(u64),
    /// The disk works again, and has room.
    Heal,
    /// The store is closed and opened again.
    Reopen,
    /// The process is killed; the machine goes on.
    Kill,
    /// The machine loses power; the seed says what is left.
    Crash(u64),
    /// Looks at what would be left if the machine lost power now, without doing it.
    ProbeCrash(u64),
    /// Looks at what the store would say if a byte of it rotted now. The seed says which.
    ProbeRot(u64),
    /// More requests are sent than the queue holds.
    Flood,
    /// Everything is checked that can be.
    CheckAll,
}

/// A request to record something.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The proposal id.
    pub id: Uuid,
    /// The streams, each once.
    pub targets: Vec<Target>,
    /// The conditions.
    pub conditions: Vec<AppendCondition>,
    /// For an import: when the events happened.
    pub recorded_at: Option<Timestamp>,
}

/// A stream of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name.
    pub stream: StreamName,
    /// What is expected of it.
    pub expected: ExpectedRevision,
    /// What is done to it.
    pub change: Change,
}

/// What is done to a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// These events are appended, all of them with ids or none; no events: only the expectation is checked.
    Append(Vec<EventData>),
    /// It is soft-deleted.
    Delete,
    /// It is ended for ever.
    Tombstone,
}

impl Request {
    /// The request in the store's own words.
    #[must_use]
    pub fn to_append(&self) -> Append {
        let mut append = Append::new().with_proposal_id(self.id);
        for Target { stream, expected, change } in &self.targets {
            append = match change {
                Change::Append(events) => append.stream(stream.clone(), *expected, events.iter().cloned()),
                Change::Delete => append.delete(stream.clone(), *expected),
                Change::Tombstone => append.tombstone(stream.clone(), *expected),
            };
        }
        for condition in &self.conditions {
            append = append.condition(condition.clone());
        }
        if let Some(time) = self.recorded_at {
            append = append.recorded_at(time);
        }
        append
    }
}
