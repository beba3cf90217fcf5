//! What was committed lately: event ids and proposal ids, for idempotent retries.
//!
//! Holds whole commits: all that reach into the last `span` positions of the log, no other. That depends on the log alone, not on how
//! long the process runs or what it was asked, so a restart that replays the end of the log remembers the same.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable, hash_table::Entry};
use std::hash::BuildHasher;
use uuid::Uuid;

use crate::{
    name::StreamName,
    position::{Position, Revision},
};

/// A commit of the past, as it is replayed into a kernel at start (`Kernel::remember`).
#[derive(Clone, Debug)]
pub struct RememberedCommit<I> {
    /// The proposal's identity.
    pub proposal_id: Uuid,
    /// Position of its first event.
    pub first_position: Position,
    /// Its events in order: id, stream, revision.
    pub events: I,
}

/// An event of a remembered commit.
#[derive(Clone, Debug)]
pub(super) struct RememberedEvent {
    pub(super) id: Uuid,
    pub(super) stream: StreamName,
    pub(super) revision: Revision,
}

#[derive(Debug)]
pub(super) struct Memory {
    /// How many positions back from the head.
    span: u64,
    /// Position of `events[0]`.
    first: Position,
    /// At consecutive positions.
    events: VecDeque<RememberedEvent>,
    /// Proposal id and first position of each commit, in order.
    commits: VecDeque<(Uuid, Position)>,
    /// (id, stream) → the newest position with both; the key is read from `events`. The stream belongs to the key: the same id may be
    /// used in many streams, and none of them forgets it because of another.
    by_event: HashTable<Position>,
    /// Proposal id → first position of its newest commit.
    by_proposal: HashMap<Uuid, Position, FixedState>,
}

impl Memory {
    pub(super) fn new(span: u64) -> Self {
        Self {
            span,
            first: Position::START,
            events: VecDeque::new(),
            commits: VecDeque::new(),
            by_event: HashTable::new(),
            by_proposal: HashMap::default(),
        }
    }

    /// The earliest position that is remembered when the log's head is `next_position`, with all of the commit it is in.
    pub(super) fn reaches_back_to(next_position: Position, span: u64) -> Position {
        Position(next_position.0.saturating_sub(span))
    }

    /// Adds a commit and forgets what is out of reach of `next_position`, the head. Commits must come in order, without a gap.
    pub(super) fn record(
        &mut self,
        proposal_id: Uuid,
        first_position: Position,
        events: impl Iterator<Item = RememberedEvent>,
        next_position: Position,
    ) {
        if self.events.is_empty() {
            self.first = first_position;
        }
        assert_eq!(first_position, self.end(), "commits are remembered in the order of the log");
        self.commits.push_back((proposal_id, first_position));
        self.by_proposal.insert(proposal_id, first_position);
        for event in events {
            self.insert(event);
        }
        self.forget_before(Self::reaches_back_to(next_position, self.span));
    }

    /// Where the newest event with this id is in the stream.
    pub(super) fn event(&self, stream: &StreamName, id: Uuid) -> Option<(Revision, Position)> {
        let is_it = |&position: &Position| self.at(position).is(id, stream);
        let position = *self.by_event.find(hash_of(id, stream), is_it)?;
        Some((self.at(position).revision, position))
    }

    /// The events of the commit a proposal became, each with its position.
    pub(super) fn commit(
        &self,
        proposal_id: Uuid,
    ) -> Option<impl Iterator<Item = (Position, &RememberedEvent)> + Clone> {
        let first = *self.by_proposal.get(&proposal_id)?;
        let after = self.commits.partition_point(|&(_, begin)| begin <= first);
        let end = self.commits.get(after).map_or(self.end(), |&(_, begin)| begin);
        Some((first.0..end.0).map(|position| (Position(position), self.at(Position(position)))))
    }

    fn at(&self, position: Position) -> &RememberedEvent {
        &self.events[index(position, self.first)]
    }

    /// The position after the last remembered one.
    fn end(&self) -> Position {
        Position(self.first.0 + self.events.len() as u64)
    }

    fn insert(&mut self, event: RememberedEvent) {
        let position = self.end();
        let (events, first) = (&self.events, self.first);
        let same = |&known: &Position| events[index(known, first)].is(event.id, &event.stream);
        let rehash = |&known: &Position| events[index(known, first)].hash();
        match self.by_event.entry(event.hash(), same, rehash) {
            Entry::Occupied(mut known) => *known.get_mut() = position,
            Entry::Vacant(vacant) => drop(vacant.insert(position)),
        }
        self.events.push_back(event);
    }

    fn forget_before(&mut self, horizon: Position) {
        while let Some(&(proposal_id, begin)) = self.commits.front() {
            let end = self.commits.get(1).map_or(self.end(), |&(_, next)| next);
            if end > horizon {
                break;
            }
            self.commits.pop_front();
            // A later commit may have taken the id over.
            if self.by_proposal.get(&proposal_id) == Some(&begin) {
                self.by_proposal.remove(&proposal_id);
            }
            while self.first < end {
                self.forget_first_event();
            }
        }
    }

    fn forget_first_event(&mut self) {
        let position = self.first;
        if let Some(event) = self.events.pop_front() {
            // Not found when a later event took the id over.
            if let Ok(entry) = self.by_event.find_entry(event.hash(), |&known| known == position) {
                entry.remove();
            }
        }
        self.first = position.next();
    }
}

impl RememberedEvent {
    fn is(&self, id: Uuid, stream: &str) -> bool {
        self.id == id && self.stream.as_str() == stream
    }

    fn hash(&self) -> u64 {
        hash_of(self.id, &self.stream)
    }
}

fn hash_of(id: Uuid, stream: &str) -> u64 {
    FixedState::default().hash_one((id, stream))
}

fn index(position: Position, first: Position) -> usize {
    usize::try_from(position.0 - first.0).expect("what is remembered fits in memory")
}
