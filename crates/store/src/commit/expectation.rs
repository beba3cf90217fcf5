//! What a single target of a proposal comes to, given the state of its stream before the proposal.

use uuid::Uuid;

use super::{
    Action, Facts, Found, Rejection, StreamState, Target,
    memory::Memory,
    retry::{self, Recorded},
};
use crate::{
    name::StreamName,
    position::{ExpectedRevision, Revision},
};

/// A target's stream before the proposal.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) state: StreamState,
    /// Nothing may be written any more: the stream was tombstoned, or it is the metadata stream of one that was.
    pub(super) ended: bool,
    /// It is the metadata stream of a soft-deleted stream, whose events below this revision stay hidden whatever is written.
    pub(super) hidden_below: Option<Revision>,
}

impl Standing {
    /// How the stream stands, for whoever is refused.
    pub(super) fn found(&self) -> Found {
        match self.state.last {
            _ if self.ended => Found::Ended,
            _ if self.state.is_soft_deleted() => Found::SoftDeleted,
            Some((revision, ..)) => Found::At(revision),
            None => Found::Missing,
        }
    }
}

/// What a target comes to.
#[derive(Debug)]
pub(super) enum Finding {
    /// Its expectation holds and nothing is to be written for it.
    Holds,
    /// Something is to be written for it.
    Fresh,
    /// All its events were recorded before; here is where, in the order of the proposal.
    Retry(Vec<Recorded>),
    /// Nothing is to be written for it, and its expectation does not hold.
    Unmet(Rejection),
    /// What is to be written for it cannot be.
    Refused(Rejection),
}

impl StreamState {
    /// Whether the stream was soft-deleted and not appended to since.
    #[must_use]
    pub fn is_soft_deleted(&self) -> bool {
        self.truncate_before == u64::MAX
    }

    /// The revision of the last event, if that is not hidden by a soft delete: what a refusal reports as actual.
    #[must_use]
    pub fn actual(&self) -> Option<Revision> {
        self.current().filter(|_| !self.is_soft_deleted())
    }

    /// The revision of the last event, hidden or not.
    #[must_use]
    pub fn current(&self) -> Option<Revision> {
        self.last.map(|(revision, _, _)| revision)
    }

    /// The revision the next event gets.
    #[must_use]
    pub fn next(&self) -> Revision {
        self.current().map_or(Revision::START, Revision::next)
    }

    /// Whether the stream, which has not ended, is as expected.
    fn meets(&self, expected: ExpectedRevision) -> bool {
        match expected {
            ExpectedRevision::Any => true,
            ExpectedRevision::SoftDeleted => self.is_soft_deleted(),
            ExpectedRevision::Tombstoned => false,
            ExpectedRevision::NoStream => self.is_soft_deleted() || self.last.is_none(),
            ExpectedRevision::StreamExists => !self.is_soft_deleted() && (self.last.is_some() || self.has_metadata),
            ExpectedRevision::Exact(revision) => self.current() == Some(revision),
        }
    }
}

/// Judges a target whose events in the proposal have these ids.
pub(super) fn judge<F: Facts>(
    target: &Target,
    ids: &[Uuid],
    standing: &Standing,
    memory: &Memory,
    facts: &mut F,
) -> Result<Finding, F::Error> {
    let Standing { state, ended, hidden_below: _ } = standing;
    Ok(match target.action {
        Action::Append if ids.is_empty() => check(target, state, *ended),
        Action::Append if *ended => Finding::Refused(stream_deleted(&target.stream)),
        Action::Append => return append(target, ids, state, memory, facts),
        Action::Delete { .. } => delete(target, state, *ended),
        Action::Tombstone { .. } => tombstone(target, state, *ended),
    })
}

fn check(target: &Target, state: &StreamState, ended: bool) -> Finding {
    if ended {
        return match target.expected {
            // Nothing can be read of a stream that ended.
            ExpectedRevision::Any | ExpectedRevision::NoStream | ExpectedRevision::Tombstoned => Finding::Holds,
            ExpectedRevision::StreamExists | ExpectedRevision::SoftDeleted | ExpectedRevision::Exact(_) => {
                Finding::Unmet(stream_deleted(&target.stream))
            }
        };
    }
    if state.meets(target.expected) { Finding::Holds } else { Finding::Unmet(wrong_revision(target, state)) }
}

fn append<F: Facts>(
    target: &Target,
    ids: &[Uuid],
    state: &StreamState,
    memory: &Memory,
    facts: &mut F,
) -> Result<Finding, F::Error> {
    let retried = match target.expected {
        // An append that revived the stream, and is sent again, finds it live.
        ExpectedRevision::Any | ExpectedRevision::SoftDeleted => retry::by_ids_alone(&target.stream, ids, memory),
        ExpectedRevision::StreamExists if state.meets(target.expected) => {
            retry::by_ids_alone(&target.stream, ids, memory)
        }
        ExpectedRevision::StreamExists | ExpectedRevision::Tombstoned => {
            return Ok(Finding::Refused(wrong_revision(target, state)));
        }
        ExpectedRevision::NoStream | ExpectedRevision::Exact(_) => {
            let from = first_revision(target.expected);
            // Where it was expected to be: written, even if the ids were used before.
            if from == state.next() {
                return Ok(Finding::Fresh);
            }
            if from > state.next() {
                return Ok(Finding::Refused(wrong_revision(target, state)));
            }
            retry::by_ids_at(&target.stream, from, ids, memory, facts)?
        }
    };
    Ok(match retried {
        retry::Retried::Wholly(recorded) => Finding::Retry(recorded),
        retry::Retried::Partly => Finding::Refused(idempotency_violated(&target.stream, state)),
        // Of those that name a revision only `NoStream` can hold here, over a soft-deleted stream.
        retry::Retried::No if state.meets(target.expected) => Finding::Fresh,
        retry::Retried::No => Finding::Refused(wrong_revision(target, state)),
    })
}

/// The revision an append with this expectation begins at, if that holds.
fn first_revision(expected: ExpectedRevision) -> Revision {
    match expected {
        // A client may name any number; one past the largest is as unreachable as the largest.
        ExpectedRevision::Exact(revision) => Revision(revision.0.saturating_add(1)),
        ExpectedRevision::NoStream
        | ExpectedRevision::Any
        | ExpectedRevision::StreamExists
        | ExpectedRevision::SoftDeleted
        | ExpectedRevision::Tombstoned => Revision::START,
    }
}

fn delete(target: &Target, state: &StreamState, ended: bool) -> Finding {
    if ended {
        return Finding::Refused(stream_deleted(&target.stream));
    }
    if !state.meets(target.expected) {
        return Finding::Refused(wrong_revision(target, state));
    }
    if state.is_soft_deleted() {
        return Finding::Holds;
    }
    // There is nothing to delete, whatever was expected.
    if state.last.is_none() {
        return Finding::Refused(wrong_revision(target, state));
    }
    Finding::Fresh
}

fn tombstone(target: &Target, state: &StreamState, ended: bool) -> Finding {
    if ended {
        return Finding::Refused(stream_deleted(&target.stream));
    }
    if !state.meets(target.expected) {
        return Finding::Refused(wrong_revision(target, state));
    }
    Finding::Fresh
}

pub(super) fn stream_deleted(stream: &StreamName) -> Rejection {
    Rejection::StreamDeleted { stream: stream.clone() }
}

pub(super) fn idempotency_violated(stream: &StreamName, state: &StreamState) -> Rejection {
    Rejection::IdempotencyViolated { stream: stream.clone(), actual: state.actual() }
}

fn wrong_revision(target: &Target, state: &StreamState) -> Rejection {
    let Target { stream, expected, .. } = target;
    Rejection::WrongRevision { stream: stream.clone(), expected: *expected, actual: state.actual() }
}
