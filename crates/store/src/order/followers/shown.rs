//! Events as they are shown to followers: what can be matched of them, and nothing else.
//!
//! While somebody waits, whoever leads keeps the commits of his group as they were when they were ordered ([`FreshCommit`]) and announces them
//! from there, once they are durable: nothing is read back for it, checked and decoded. What he has not got, since nobody
//! waited when it was ordered, is read from the log.

use crate::{
    commit::CommittedEvent,
    event::EventRef,
    index::{IndexedEvent, TagList, Term},
    position::{Position, Revision, Timestamp},
};

/// An event, as far as it can be matched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) position: Position,
    pub(super) recorded_at: Timestamp,
    pub(super) stream: &'a str,
    pub(super) event_type: &'a str,
    pub(super) tags: TagList<'a>,
    /// Looked at only if somebody waits for a correlation id.
    pub(super) metadata: &'a [u8],
    revision: Revision,
}

impl<'a> Shown<'a> {
    pub(super) fn for_each_term(&self, correlation: Option<&'a str>, visit: impl FnMut(Term<'a>)) {
        let &Self { position, revision, stream, event_type, tags, .. } = self;
        IndexedEvent { position, revision, stream, event_type, tags, correlation }.for_each_term(visit);
    }
}

impl<'a> From<EventRef<'a>> for Shown<'a> {
    fn from(event: EventRef<'a>) -> Self {
        let EventRef { position, recorded_at, stream, event_type, tags, metadata, revision, .. } = event;
        Self { position, recorded_at, stream, event_type, tags: TagList::Encoded(tags), metadata, revision }
    }
}

/// The events of a commit, kept from when it is ordered until followers were told of it.
#[derive(Debug)]
pub(in crate::order) struct FreshCommit {
    pub(in crate::order) first: Position,
    pub(in crate::order) recorded_at: Timestamp,
    pub(in crate::order) events: Vec<CommittedEvent>,
}

impl FreshCommit {
    /// Where the commit after it begins.
    fn end(&self) -> Position {
        Position(self.first.0 + self.events.len() as u64)
    }

    fn shown_from(&self, from: Position) -> impl Iterator<Item = Shown<'_>> {
        let skipped = usize::try_from(from.0.saturating_sub(self.first.0)).unwrap_or(usize::MAX);
        let positions = (self.first.0..).map(Position);
        positions.zip(&self.events).skip(skipped).map(|(position, committed)| Shown {
            position,
            recorded_at: self.recorded_at,
            stream: &committed.stream,
            event_type: &committed.event.data.event_type,
            tags: TagList::Proposed(&committed.event.data.tags),
            metadata: &committed.event.data.metadata,
            revision: committed.revision,
        })
    }
}

#[cfg(test)]
impl FreshCommit {
    /// A commit of one event, as it is before it is written.
    pub(in crate::order) fn of(event: &EventRef<'_>) -> Self {
        use crate::{
            commit::ProposedEvent,
            event::EventData,
            name::{EventType, StreamName, Tag},
        };
        let data = EventData {
            metadata: event.metadata.to_vec().into(),
            tags: event.tags.iter().map(|tag| Tag::new(tag).expect("valid")).collect(),
            ..EventData::json(EventType::trusted(event.event_type), event.data.to_vec())
        };
        let (salt, data_commitment, metadata_commitment) = Default::default();
        let proposed = ProposedEvent { target: 0, id: event.id, data, salt, data_commitment, metadata_commitment };
        let committed = CommittedEvent {
            event: proposed,
            stream: StreamName::trusted(event.stream),
            revision: event.revision,
            previous: Default::default(),
            leaf: Default::default(),
        };
        Self { first: event.position, recorded_at: event.recorded_at, events: vec![committed] }
    }
}

/// The events of commits in the order of the log from a position on, as far as there is no gap between them; `None` if not even the first of them is there.
pub(super) fn fresh_from(commits: &[FreshCommit], from: Position) -> Option<impl Iterator<Item = Shown<'_>>> {
    let start = commits.partition_point(|commit| commit.end() <= from);
    commits.get(start).filter(|commit| commit.first <= from)?;
    let mut next = commits[start].first;
    let without_gap = commits[start..].iter().take_while(move |commit| {
        let follows = commit.first == next;
        next = commit.end();
        follows
    });
    Some(without_gap.flat_map(move |commit| commit.shown_from(from)))
}
