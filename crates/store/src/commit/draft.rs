//! Stamping: a proposal that stands becomes a commit. Positions, revisions, times, the chain of leaf hashes, and the events the rules
//! themselves write.
//!
//! The order of the events in the log: the proposal's, as it has them, each revived stream's metadata event right before its first new
//! event; then deletions and tombstones, in the order of their targets; last, for each metadata stream whose newest document would show what
//! a soft delete hid, that document with the `$tb` it lacks. A metadata event the rules write keeps the keys of the
//! newest document in *that* order, so it also sees a document from earlier in the same proposal.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    Action, Appended, Commit, CommittedEvent, NextRevision, Proposal, ProposedEvent, Rejection, StreamState, Target,
    expectation::Standing,
    identity,
    metadata::{self, StreamMetadata},
};
use crate::{
    event::{EventData, encode_tags},
    leaf::{self, Hash, LeafHeader, Salt},
    limits,
    name::{EventType, StreamName, system},
    position::{Position, Revision, Timestamp},
};

/// The metadata stream of a target whose metadata document the rules rewrite, as it was before the proposal.
#[derive(Debug)]
pub(super) struct MetadataStream {
    pub(super) name: StreamName,
    pub(super) state: StreamState,
    pub(super) document: Bytes,
}

/// Where and when a commit begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) position: Position,
    pub(super) recorded_at: Timestamp,
}

/// Stamps `proposal`; without events, if there is nothing to record. `standings` are those of its targets; `metadata_streams` has an entry
/// for each target that is to be revived or deleted.
pub(super) fn stamp(
    start: Start,
    proposal: Proposal,
    standings: &[Standing],
    metadata_streams: BTreeMap<usize, MetadataStream>,
) -> Result<Commit, Rejection> {
    let mut draft = Draft::new(start, &proposal, standings, metadata_streams);
    let Proposal { id, targets, events, .. } = proposal;
    let asked_for = events.len();
    for event in events {
        draft.revive(id, &event)?;
        draft.push(event.target, event)?;
    }
    for (target, Target { action, .. }) in targets.iter().enumerate() {
        draft.act(target, action)?;
    }
    for (target, standing) in standings.iter().enumerate() {
        if let Some(below) = standing.hidden_below {
            draft.keep_hidden(id, target, below)?;
        }
    }
    if draft.events.len() > asked_for {
        draft.check_size()?;
    }
    let next_revisions = targets.iter().zip(&draft.tails).map(|(target, tail)| tail.stands(&target.stream)).collect();
    let last_position =
        if draft.events.is_empty() { None } else { draft.next_position().0.checked_sub(1).map(Position) };
    Ok(Commit {
        proposal_id: id,
        first_position: start.position,
        recorded_at: start.recorded_at,
        order_sequence: 0,
        appended: Appended { first_position: draft.first_asked_for, last_position, next_revisions, idempotent: false },
        events: draft.events,
    })
}

struct Draft {
    start: Start,
    events: Vec<CommittedEvent>,
    /// Position of the first event the rules did not add on their own.
    first_asked_for: Option<Position>,
    /// One for each target, then the metadata streams that are no targets.
    tails: Vec<Tail>,
    /// Targets whose metadata document is to be rewritten. An entry that revives is taken out when it is done.
    rewrites: BTreeMap<usize, Rewrite>,
    tags: Vec<u8>,
}

/// The end of a stream, moving on as events are stamped.
struct Tail {
    stream: StreamName,
    next: Revision,
    previous: Hash,
    /// Index in `events` of the newest event of this proposal.
    newest: Option<usize>,
}

struct Rewrite {
    /// The tail of the metadata stream.
    tail: usize,
    /// The newest document before the proposal.
    document: Bytes,
    /// The revision the target's next event had before the proposal.
    resumes_at: Revision,
}

impl Tail {
    fn of(stream: &StreamName, state: &StreamState) -> Self {
        let previous = state.last.map_or([0; 32], |(_, _, leaf)| leaf);
        Self { stream: stream.clone(), next: state.next(), previous, newest: None }
    }

    fn stands(&self, stream: &StreamName) -> NextRevision {
        NextRevision { stream: stream.clone(), next: self.next }
    }
}

impl Draft {
    fn new(
        start: Start,
        proposal: &Proposal,
        standings: &[Standing],
        metadata_streams: BTreeMap<usize, MetadataStream>,
    ) -> Self {
        let tails = proposal
            .targets
            .iter()
            .zip(standings)
            .map(|(target, standing)| Tail::of(&target.stream, &standing.state))
            .collect();
        let mut draft = Self {
            start,
            events: Vec::with_capacity(proposal.events.len() + metadata_streams.len()),
            first_asked_for: None,
            tails,
            rewrites: BTreeMap::new(),
            tags: Vec::new(),
        };
        draft.plan_rewrites(standings, metadata_streams);
        draft
    }

    /// Finds the tail of each metadata stream: it may be a target itself.
    fn plan_rewrites(&mut self, standings: &[Standing], metadata_streams: BTreeMap<usize, MetadataStream>) {
        if metadata_streams.is_empty() {
            return;
        }
        let targets: BTreeMap<StreamName, usize> =
            self.tails.iter().enumerate().map(|(tail, known)| (known.stream.clone(), tail)).collect();
        for (target, MetadataStream { name, state, document }) in metadata_streams {
            let tail = targets.get(&name).copied().unwrap_or_else(|| {
                self.tails.push(Tail::of(&name, &state));
                self.tails.len() - 1
            });
            self.rewrites.insert(target, Rewrite { tail, document, resumes_at: standings[target].state.next() });
        }
    }

    fn next_position(&self) -> Position {
        Position(self.start.position.0 + self.events.len() as u64)
    }

    /// Before the first event of a soft-deleted stream: shows what is appended from here on, and hides everything before.
    fn revive(&mut self, proposal: Uuid, event: &ProposedEvent) -> Result<(), Rejection> {
        let Some(rewrite) = self.rewrites.remove(&event.target) else {
            return Ok(());
        };
        let stream = &self.tails[event.target].stream;
        let id = identity::revival_id(proposal, stream);
        let salt = identity::revival_salt(proposal, stream, &event.salt);
        let document = self.rewritten(&rewrite, rewrite.resumes_at.0);
        let tail = rewrite.tail;
        self.stamp(tail, metadata_event(event.target, id, document, salt))
    }

    /// Behind the documents written to the metadata stream of a soft-deleted stream: the newest of them takes the place of what hid the
    /// stream's events, and must hide them as well.
    fn keep_hidden(&mut self, proposal: Uuid, target: usize, below: Revision) -> Result<(), Rejection> {
        let Some(newest) = self.tails[target].newest.map(|index| &self.events[index].event) else {
            return Ok(());
        };
        if StreamMetadata::parse(&newest.data.data).truncate_before.unwrap_or(0) >= below.0 {
            return Ok(());
        }
        let stream = &self.tails[target].stream;
        let id = identity::hiding_id(proposal, stream);
        let salt = identity::hiding_salt(proposal, stream, &newest.salt);
        let document = metadata::with_truncate_before(&newest.data.data, below.0);
        self.stamp(target, metadata_event(target, id, document, salt))
    }

    /// Carries out what a target asks for beside appending.
    fn act(&mut self, target: usize, action: &Action) -> Result<(), Rejection> {
        match *action {
            Action::Append => Ok(()),
            Action::Delete { id, salt } => match self.rewrites.remove(&target) {
                Some(rewrite) => {
                    let document = self.rewritten(&rewrite, metadata::DELETED);
                    self.push(rewrite.tail, metadata_event(target, id, document, salt))
                }
                // Deleted already, and nothing in the proposal changes that.
                None => Ok(()),
            },
            Action::Tombstone { id, salt } => {
                let data = EventData::binary(EventType::trusted(system::STREAM_DELETED), Bytes::new());
                self.push(target, ProposedEvent::new(target, id, data, salt))
            }
        }
    }

    /// Whoever ordered the proposal saw to it that its own events fit. Those the rules add may be up to 64 KiB a stream.
    fn check_size(&self) -> Result<(), Rejection> {
        let events = self.events.len();
        let bytes = self.events.iter().map(encoded_bytes_max).sum();
        if events > limits::EVENTS_PER_COMMIT_MAX || bytes > limits::COMMIT_BYTES_MAX {
            return Err(Rejection::CommitTooLarge { events, bytes });
        }
        Ok(())
    }

    fn rewritten(&self, rewrite: &Rewrite, truncate_before: u64) -> Bytes {
        let newest = self.tails[rewrite.tail].newest.map(|index| &self.events[index].event.data.data);
        metadata::with_truncate_before(newest.unwrap_or(&rewrite.document), truncate_before)
    }

    /// Stamps an event the proposal asked for.
    fn push(&mut self, tail: usize, event: ProposedEvent) -> Result<(), Rejection> {
        self.first_asked_for.get_or_insert(self.next_position());
        self.stamp(tail, event)
    }

    fn stamp(&mut self, tail: usize, event: ProposedEvent) -> Result<(), Rejection> {
        let index = self.events.len();
        let tail = &mut self.tails[tail];
        let revision = tail.next;
        if revision > Revision::MAX {
            return Err(Rejection::StreamFull { stream: tail.stream.clone() });
        }
        self.tags.clear();
        encode_tags(&event.data.tags, &mut self.tags);
        let leaf = leaf::leaf_hash(&LeafHeader {
            id: event.id,
            revision,
            recorded_at: self.start.recorded_at,
            stream: &tail.stream,
            event_type: &event.data.event_type,
            content_type: event.data.content_type.as_str(),
            tags: &self.tags,
            data: &event.data_commitment,
            metadata: &event.metadata_commitment,
            previous: &tail.previous,
        });
        self.events.push(CommittedEvent {
            event,
            stream: tail.stream.clone(),
            revision,
            previous: tail.previous,
            leaf,
        });
        tail.next = revision.next();
        tail.previous = leaf;
        tail.newest = Some(index);
        Ok(())
    }
}

/// No event takes more in a frame: the fixed part of an entry, the hash before it and padding are below 128 bytes (`docs/formats/log.md`).
fn encoded_bytes_max(committed: &CommittedEvent) -> usize {
    let EventData { event_type, content_type, data, metadata, tags, .. } = &committed.event.data;
    let names = committed.stream.len() + event_type.len() + content_type.as_str().len();
    let tags: usize = tags.iter().map(|tag| 2 + tag.len()).sum();
    128 + names + tags + data.len() + metadata.len()
}

fn metadata_event(target: usize, id: Uuid, document: Bytes, salt: Salt) -> ProposedEvent {
    ProposedEvent::new(target, id, EventData::json(EventType::trusted(system::METADATA), document), salt)
}
