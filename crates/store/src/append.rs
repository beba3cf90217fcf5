//! What a caller asks to be recorded, and how the answer comes back.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    commit::{Appended, Rejection, Tell, at_most, check_ending, check_event},
    error::Error,
    event::EventData,
    limits,
    name::{StreamName, is_virtual},
    position::{ExpectedRevision, Timestamp},
    query::AppendCondition,
};

/// A commit to be: any number of streams, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct Append {
    pub(crate) proposal_id: Option<Uuid>,
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) targets: Vec<(StreamName, ExpectedRevision, Change)>,
    /// For each stream that is appended to its index in `targets`.
    appended_to: BTreeMap<StreamName, usize>,
    /// Index into `targets`, and the event.
    pub(crate) events: Vec<(usize, EventData)>,
    pub(crate) conditions: Vec<AppendCondition>,
    pub(crate) tell: Tell,
}

/// The whole log, by the name KurrentDB gives it.
const ALL: &str = "$all";

/// Bytes of a frame beyond its events, padding included.
const FRAME_OVERHEAD: usize = 128;
/// Bytes of an event beyond its names and payload.
const EVENT_OVERHEAD: usize = 96;

/// What is done to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Append,
    Delete,
    Tombstone,
}

impl Append {
    /// An empty request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A request to append `events` to one stream.
    #[must_use]
    pub fn to(stream: StreamName, expected: ExpectedRevision, events: impl IntoIterator<Item = EventData>) -> Self {
        Self::new().stream(stream, expected, events)
    }

    /// Adds events for a stream. Naming a stream again appends more to it; the expectations must then be equal, which is checked
    /// when the request is sent. Without events, only the expectation is checked.
    #[must_use]
    pub fn stream(
        mut self,
        stream: StreamName,
        expected: ExpectedRevision,
        events: impl IntoIterator<Item = EventData>,
    ) -> Self {
        let known = self.appended_to.get(&stream).copied().filter(|&target| self.targets[target].1 == expected);
        let target = known.unwrap_or_else(|| {
            let target = self.targets.len();
            self.appended_to.insert(stream.clone(), target);
            self.targets.push((stream, expected, Change::Append));
            target
        });
        self.events.extend(events.into_iter().map(|event| (target, event)));
        self
    }

    /// Soft-deletes a stream: it reads as not found until somebody appends to it again.
    #[must_use]
    pub fn delete(mut self, stream: StreamName, expected: ExpectedRevision) -> Self {
        self.targets.push((stream, expected, Change::Delete));
        self
    }

    /// Ends a stream for ever.
    #[must_use]
    pub fn tombstone(mut self, stream: StreamName, expected: ExpectedRevision) -> Self {
        self.targets.push((stream, expected, Change::Tombstone));
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn condition(mut self, condition: AppendCondition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Asks to be told of all streams that are not as expected, if there are any, and how they stand: the request is then refused with
    /// [`Rejection::NotAsExpected`] where it would be with [`Rejection::WrongRevision`] or [`Rejection::StreamDeleted`], which tell of the first.
    #[must_use]
    pub fn tell_all(mut self) -> Self {
        self.tell = Tell::All;
        self
    }

    /// Names the request, so that sending it again answers with the first outcome instead of recording twice.
    #[must_use]
    pub fn with_proposal_id(mut self, id: Uuid) -> Self {
        self.proposal_id = Some(id);
        self
    }

    /// The streams that are written to or ended, some perhaps more than once. One of which only the expectation is checked is not among them.
    pub fn written(&self) -> impl Iterator<Item = &StreamName> {
        let appended = self.events.iter().map(|(target, _)| &self.targets[*target].0);
        let ended = self.targets.iter().filter(|(_, _, change)| *change != Change::Append).map(|(stream, ..)| stream);
        appended.chain(ended)
    }

    /// Bytes it has in the log at most, which is also what it counts for where it waits for its place: the names of its streams are in each event. It may
    /// still be over every limit. O(events).
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Deletion and revival each write one system event to the metadata stream.
        let targets = self.targets.iter().map(|(stream, ..)| EVENT_OVERHEAD + 2 * stream.len() + 64);
        let events = self.events.iter().map(|(target, event)| event_bytes(&self.targets[*target].0, event));
        targets.chain(events).fold(FRAME_OVERHEAD, usize::saturating_add)
    }

    /// For imports: when the events originally happened. The store records them at this time, or at the time of the event before
    /// them if that is later, and never later than now.
    #[must_use]
    pub fn recorded_at(mut self, time: Timestamp) -> Self {
        self.recorded_at = Some(time);
        self
    }

    /// Checks what can be checked without a store: names, sizes and counts. A store checks the same before it gives a request its place; whoever
    /// gathers many events into one request can tell by this which of them would spoil it.
    ///
    /// # Errors
    /// `Invalid`: what is over a limit, or can never be written. That a whole request is small enough is not looked at, nor that its
    /// streams are named once.
    pub fn check(&self) -> Result<(), Error> {
        at_most("streams", self.targets.len(), limits::STREAMS_PER_COMMIT_MAX)?;
        at_most("events", self.events.len(), limits::EVENTS_PER_COMMIT_MAX)?;
        at_most("conditions", self.conditions.len(), limits::CONDITIONS_PER_COMMIT_MAX)?;
        for (stream, _, change) in &self.targets {
            check_writable(stream)?;
            match change {
                Change::Append => {}
                Change::Delete | Change::Tombstone => check_ending(stream)?,
            }
        }
        self.events.iter().try_for_each(|(target, event)| check_event(&self.targets[*target].0, event))?;
        self.conditions.iter().try_for_each(|condition| condition.none_matching.check())
    }
}

/// The bytes of an event that may still be over every limit: its parts may share memory, and so come to more than there is.
fn event_bytes(stream: &StreamName, event: &EventData) -> usize {
    let tags: usize = event.tags.iter().map(|tag| 2 + tag.len()).sum();
    let names = stream.len() + event.event_type.len() + event.content_type.as_str().len() + tags;
    (EVENT_OVERHEAD + names).saturating_add(event.data.len()).saturating_add(event.metadata.len())
}

/// Refuses streams that only the index writes, and names that leave no room for a metadata stream: such a stream could never be
/// deleted or truncated.
pub(crate) fn check_writable(stream: &StreamName) -> Result<(), Error> {
    if is_virtual(stream) || **stream == *ALL {
        return Err(Error::invalid(format!("virtual streams cannot be written, stream={stream}")));
    }
    let max = limits::WRITTEN_STREAM_NAME_BYTES_MAX;
    if stream.metadata_of().is_none() && stream.len() > max {
        let start: String = stream.chars().take(32).collect();
        return Err(Error::invalid(format!(
            "a stream name is too long to be written, $$ must fit in front of it for its metadata, begins={start:?} bytes={} bytes_max={max}",
            stream.len()
        )));
    }
    Ok(())
}

/// Why an append was not recorded.
#[derive(Clone, Debug)]
pub enum AppendError {
    /// The store looked and refused: a verdict, with its facts. Nothing of the request was recorded.
    Rejected(Rejection),
    /// The store could not decide, or could not make the decision durable.
    Failed(Error),
}

impl std::fmt::Display for AppendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AppendError {}

impl From<Error> for AppendError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Rejection> for AppendError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What an append comes to.
pub type Outcome = Result<Appended, AppendError>;
