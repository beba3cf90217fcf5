//! What goes into the commit rules and what comes out.

use std::{collections::BTreeSet, fmt};

use uuid::Uuid;

use crate::{
    error::Error,
    event::EventData,
    leaf::{self, Hash, Salt},
    limits,
    name::{StreamName, system},
    position::{ExpectedRevision, Position, Revision, Timestamp},
    query::{AppendCondition, Query},
};

/// A request to record events, complete: nothing is drawn or measured after it is ordered.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Identity of the request, for safe retries: the client's, or one minted for it.
    pub id: Uuid,
    /// When it was proposed; or, from an import, when the events originally happened.
    pub at: Timestamp,
    /// The streams it touches, each at most once.
    pub targets: Vec<Target>,
    /// The events, in the order they will have in the log.
    pub events: Vec<ProposedEvent>,
    /// What must hold beside the targets' expectations.
    pub conditions: Vec<AppendCondition>,
    /// How much is told of streams that are not as expected.
    pub tell: Tell,
}

/// How much a refused request is told of streams that are not as it expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tell {
    /// The first of them, which is what most callers act on.
    #[default]
    First,
    /// All of them: [`Rejection::NotAsExpected`].
    All,
}

impl Proposal {
    /// Checks what must be true of a proposal before it is ordered: from there on nobody can refuse it as malformed.
    ///
    /// # Errors
    /// `Invalid`: over a limit (the encoded size is not looked at), a stream named twice, an event for a target that is not there
    /// or does not append, an event that only a tombstone may write, a metadata stream to be deleted or ended, a stream to
    /// be deleted whose name leaves no room for that of its metadata stream.
    pub fn check(&self) -> Result<(), Error> {
        at_most("streams", self.targets.len(), limits::STREAMS_PER_COMMIT_MAX)?;
        at_most("events", self.events.len(), limits::EVENTS_PER_COMMIT_MAX)?;
        at_most("conditions", self.conditions.len(), limits::CONDITIONS_PER_COMMIT_MAX)?;
        let mut named = BTreeSet::new();
        for target in &self.targets {
            if !named.insert(&target.stream) {
                return Err(Error::invalid(format!("request names a stream twice, stream={}", target.stream)));
            }
            target.check()?;
        }
        for event in &self.events {
            self.check_event(event)?;
        }
        self.conditions.iter().try_for_each(|condition| condition.none_matching.check())
    }

    fn check_event(&self, event: &ProposedEvent) -> Result<(), Error> {
        let ProposedEvent { target, data, .. } = event;
        let Some(Target { stream, action: Action::Append, .. }) = self.targets.get(*target) else {
            return Err(Error::invalid(format!("event belongs to no stream that is appended to, target={target}")));
        };
        check_event(stream, data)
    }
}

/// Checks that an event may be appended to `stream`.
pub(crate) fn check_event(stream: &StreamName, data: &EventData) -> Result<(), Error> {
    if data.event_type.as_str() == system::STREAM_DELETED {
        return Err(Error::invalid(format!("only a tombstone writes this event, type={}", data.event_type)));
    }
    if stream.metadata_of().is_some() {
        at_most("bytes of stream metadata", data.data.len(), limits::STREAM_METADATA_BYTES_MAX)?;
    }
    data.check()
}

/// Checks that `stream` may be deleted, or ended: a metadata stream may not.
pub(crate) fn check_ending(stream: &StreamName) -> Result<(), Error> {
    match stream.metadata_of() {
        None => Ok(()),
        Some(_) => Err(Error::invalid(format!(
            "metadata stream cannot be deleted, write an empty document to it, stream={stream}"
        ))),
    }
}

impl Target {
    fn check(&self) -> Result<(), Error> {
        let Self { stream, action, .. } = self;
        match action {
            Action::Append => Ok(()),
            Action::Delete { .. } => check_ending(stream).and_then(|()| stream.metadata_stream().map(drop)),
            Action::Tombstone { .. } => check_ending(stream),
        }
    }
}

/// Fails for more than `max` of something.
pub(crate) fn at_most(what: &str, found: usize, max: usize) -> Result<(), Error> {
    if found > max {
        return Err(Error::invalid(format!("request has too many {what}, found={found} max={max}")));
    }
    Ok(())
}

/// A stream a proposal touches.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub stream: StreamName,
    /// What is expected of it.
    pub expected: ExpectedRevision,
    /// What is done to it.
    pub action: Action,
}

/// What a proposal does to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Appends the proposal's events for this target; with none of them it only checks the expectation.
    Append,
    /// Soft-deletes it: its events can no longer be read by stream, until somebody appends again. The commit rules write the metadata event.
    Delete {
        /// Id of the metadata event.
        id: Uuid,
        /// Its salt.
        salt: Salt,
    },
    /// Ends it for ever. The commit rules write the `$streamDeleted` event.
    Tombstone {
        /// Id of the event.
        id: Uuid,
        /// Its salt.
        salt: Salt,
    },
}

/// An event with everything that is computed before it is ordered.
#[derive(Clone, Debug)]
pub struct ProposedEvent {
    /// Which of the proposal's targets it goes to; for an event the commit rules add, which target it is written for.
    pub target: usize,
    /// Identity; `data.id` is not looked at any more.
    pub id: Uuid,
    /// The event; its tags are sorted and unique.
    pub data: EventData,
    /// Salt of both commitments.
    pub salt: Salt,
    /// Commitment to the data.
    pub data_commitment: Hash,
    /// Commitment to the metadata.
    pub metadata_commitment: Hash,
}

impl ProposedEvent {
    /// Computes the commitments of an event.
    #[must_use]
    pub fn new(target: usize, id: Uuid, mut data: EventData, salt: Salt) -> Self {
        data.tags.sort_unstable();
        data.tags.dedup();
        Self {
            target,
            id,
            data_commitment: leaf::commit_to_data(&salt, &data.data),
            metadata_commitment: leaf::commit_to_metadata(&salt, &data.metadata),
            data,
            salt,
        }
    }
}

/// What is known about a stream, from everything ordered so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// Its last event, if it ever had one: revision, position and leaf hash.
    pub last: Option<(Revision, Position, Hash)>,
    /// The stream was ended by a tombstone (which is its last event).
    pub tombstoned: bool,
    /// Events below this revision are hidden (`$tb`); `u64::MAX` for a soft-deleted stream (`$tb` = 2^63 − 1 on the wire). Always what
    /// `metadata::StreamMetadata::parse` finds in the newest document, and 0 for a metadata stream, which has none.
    pub truncate_before: u64,
    /// The stream's metadata stream has events. False for a metadata stream.
    pub has_metadata: bool,
}

/// Facts about the past, gathered by whoever holds the log and the index. "The past" is everything ordered so far: earlier
/// commits of the same group too, whether durable yet or not.
pub trait Facts {
    /// What can go wrong while reading.
    type Error;

    /// The state of a stream; default for one never seen.
    fn stream(&mut self, stream: &StreamName) -> Result<StreamState, Self::Error>;

    /// The id of the event at `revision` of `stream`, if there is one.
    fn event_id(&mut self, stream: &StreamName, revision: Revision) -> Result<Option<Uuid>, Self::Error>;

    /// The position of the event at `revision` of `stream`, if there is one.
    fn event_position(&mut self, stream: &StreamName, revision: Revision) -> Result<Option<Position>, Self::Error>;

    /// The position of the first event after `after` (from the start, if `None`) that matches.
    fn first_match(&mut self, query: &Query, after: Option<Position>) -> Result<Option<Position>, Self::Error>;

    /// The position of the first event in the way of the proposal's condition number `index`. The same as [`Facts::first_match`] says of it;
    /// who asked before the proposal was ordered may know more cheaply.
    fn first_conflict(&mut self, index: usize, condition: &AppendCondition) -> Result<Option<Position>, Self::Error> {
        let _ = index;
        self.first_match(&condition.none_matching, condition.after)
    }

    /// The newest metadata document of a stream (data of the last event of `$$stream`, whatever its type), if it has one. Metadata
    /// streams have none (`metadata::described_by`). The newest document of a stream must never be erased: verdicts rest on it.
    fn metadata_document(&mut self, stream: &StreamName) -> Result<Option<bytes::Bytes>, Self::Error>;
}

/// A proposal that stands: its events with their places. On disk: one frame.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The proposal's identity.
    pub proposal_id: Uuid,
    /// Position of the first event.
    pub first_position: Position,
    /// When the events count as recorded: never earlier than the commit before.
    pub recorded_at: Timestamp,
    /// Place in an order outside this log; 0 for the local order.
    pub order_sequence: u64,
    /// The events, at consecutive positions; at least one.
    pub events: Vec<CommittedEvent>,
    /// The answer to the proposal.
    pub appended: Appended,
}

/// An event with its place.
#[derive(Clone, Debug)]
pub struct CommittedEvent {
    /// The event.
    pub event: ProposedEvent,
    /// Its stream.
    pub stream: StreamName,
    /// Its revision.
    pub revision: Revision,
    /// Leaf hash of the event before it in its stream; zeros at revision 0.
    pub previous: Hash,
    /// Its own leaf hash.
    pub leaf: Hash,
}

/// What the commit rules say of a proposal.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It stands and must be recorded.
    Commit(Box<Commit>),
    /// It was recorded before (a retry), or has nothing to record and its checks hold: answer so.
    AlreadyCommitted(Appended),
    /// It does not stand. Nothing is recorded.
    Rejected(Rejection),
}

/// The answer to an append, and a token for reading one's own writes (`Head::wait_past`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first event of the request (a metadata event the rules add to revive a stream may stand before it); `None` if
    /// nothing was to be recorded.
    pub first_position: Option<Position>,
    /// Position of the last event; `None` if nothing was to be recorded.
    pub last_position: Option<Position>,
    /// For each stream named in the request, in its order, where it stands now.
    pub next_revisions: Vec<NextRevision>,
    /// Whether the events had been recorded by an earlier, identical request.
    pub idempotent: bool,
}

/// Where a stream stands after an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRevision {
    /// The stream.
    pub stream: StreamName,
    /// The revision its next event will get: one more than its last; 0 for an empty stream.
    pub next: Revision,
}

impl NextRevision {
    /// The revision of the stream's last event.
    #[must_use]
    pub fn current(&self) -> Option<Revision> {
        self.next.0.checked_sub(1).map(Revision)
    }
}

/// Why an append was refused, with the facts. Nothing of the request was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// A stream is not where it was expected to be.
    WrongRevision {
        /// The stream.
        stream: StreamName,
        /// What was expected.
        expected: ExpectedRevision,
        /// The revision of its last event; `None` when it has none that can be read (never written, or soft-deleted).
        actual: Option<Revision>,
    },
    /// The stream was ended by a tombstone.
    StreamDeleted {
        /// The stream.
        stream: StreamName,
    },
    /// What takes the place of both where a request asked to be told all ([`Append::tell_all`](crate::Append::tell_all)).
    NotAsExpected {
        /// The streams, at least one, in the order of the request.
        violations: Vec<Violation>,
    },
    /// Something matching a condition was recorded after the position the request had seen.
    ConditionFailed {
        /// Which of the request's conditions.
        index: usize,
        /// The first event in its way.
        first_conflict: Position,
    },
    /// The same event ids were recorded before, but not all of them, or not in this order: neither new nor a retry.
    IdempotencyViolated {
        /// The stream.
        stream: StreamName,
        /// The revision of its last event.
        actual: Option<Revision>,
    },
    /// A proposal with this id was recorded before with other events.
    ProposalReused {
        /// The id.
        id: Uuid,
    },
    /// The stream has as many events as the format can number.
    StreamFull {
        /// The stream.
        stream: StreamName,
    },
    /// With what the rules must write for it (to revive or delete streams), the commit would be over a limit.
    CommitTooLarge {
        /// Its events.
        events: usize,
        /// An upper bound of its encoded bytes.
        bytes: usize,
    },
}

/// A stream that is not as a request expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The stream.
    pub stream: StreamName,
    /// What was expected of it.
    pub expected: ExpectedRevision,
    /// How it stands. Of a stream that is to be written it may be what was expected, if that cannot be written.
    pub found: Found,
}

/// How a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has no events, and is not soft-deleted.
    Missing,
    /// Its last event has this revision.
    At(Revision),
    /// It was soft-deleted, and not written since.
    SoftDeleted,
    /// It was ended by a tombstone, or is the metadata stream of one that was.
    Ended,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no-stream"),
            Self::At(revision) => revision.fmt(f),
            Self::SoftDeleted => f.write_str("soft-deleted"),
            Self::Ended => f.write_str("tombstoned"),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |actual: &Option<Revision>| actual.map_or_else(|| "no-stream".to_owned(), |revision| revision.to_string());
        match self {
            Self::WrongRevision { stream, expected, actual } => {
                let actual = shown(actual);
                write!(f, "stream is not at the expected revision, stream={stream} expected={expected} actual={actual}")
            }
            Self::StreamDeleted { stream } => write!(f, "stream was deleted for ever, stream={stream}"),
            Self::NotAsExpected { violations } => {
                write!(f, "streams are not as expected, streams={}", violations.len())?;
                // As long as a line may be: whoever wants them all has them.
                let Some(Violation { stream, expected, found }) = violations.first() else { return Ok(()) };
                write!(f, " stream={stream} expected={expected} found={found}")
            }
            Self::ConditionFailed { index, first_conflict } => {
                write!(f, "append condition failed, condition={index} first_conflict={first_conflict}")
            }
            Self::IdempotencyViolated { stream, actual } => {
                let actual = shown(actual);
                write!(f, "some of the event ids were recorded before, stream={stream} actual={actual}")
            }
            Self::ProposalReused { id } => write!(f, "proposal id was used before for other events, id={id}"),
            Self::StreamFull { stream } => write!(f, "stream is full, stream={stream} revision_max={}", Revision::MAX),
            Self::CommitTooLarge { events, bytes } => {
                let (events_max, bytes_max) = (limits::EVENTS_PER_COMMIT_MAX, limits::COMMIT_BYTES_MAX);
                write!(
                    f,
                    "commit is too large with the metadata to be written for it, \
                     events={events} events_max={events_max} bytes={bytes} bytes_max={bytes_max}"
                )
            }
        }
    }
}

impl std::error::Error for Rejection {}
