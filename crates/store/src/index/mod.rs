//! Where is it: which positions carry a stream, a category, a type, a tag, a correlation id.
//!
//! Never the truth: everything here can be built again from the log, and what is missing or damaged is. An [`Index`] is a sequence of *parts*,
//! each for a contiguous range of positions: immutable **run** files, then **pending** parts in memory that maintenance has yet to
//! write, then the one **open** part that takes new events. A term's ordinal in the whole log (a stream's revision, a virtual stream's revision) is
//! the number of events that carried it before; a run stores that base for each of its terms, so no look-up needs older parts for it.
//!
//! Rules: readers hold a view (an `Arc`), never a lock for longer than one step. Every question takes `to`, the position before which
//! events may be seen, because the open part also holds events that are not durable yet. A damaged file may cause an
//! error, never a wrong answer.

mod memory;
mod term;

use std::{ops::Range, sync::Arc};

use uuid::Uuid;

pub use self::term::{IndexedEvent, Kind, TagList, Term};
use crate::{
    disk::Disk,
    error::Result,
    name::StreamName,
    position::{Position, Revision},
    query::Query,
};

/// Which way matches are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// Oldest first.
    Newer,
    /// Newest first.
    Older,
}

/// What [`Index::open`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Every event before this position is indexed; the log must be inserted from here on.
    pub covered: Position,
    /// What was damaged or left over, and thrown away, in words.
    pub dropped: Vec<String>,
}

/// What a step of maintenance did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Wrote a pending part as a run.
    Built,
    /// Merged neighbouring runs into one.
    Merged,
    /// Took a damaged run, and all after it, out of the manifest: they are rebuilt at the next open.
    Dropped,
    /// There was nothing to do.
    Idle,
}

/// Facts about an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexInfo {
    /// Run files.
    pub runs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Sealed parts in memory, waiting to be written.
    pub pending: usize,
    /// Events in the open part.
    pub open_events: u64,
}

/// What the index says of one restricted kind of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClauseEstimate {
    /// Terms that pass; a lower bound if `bounded`.
    pub terms: u64,
    /// Events that carry one of them, counted once for each; an upper bound of the events that pass.
    pub postings: u64,
    /// So many terms pass that they were not all looked at; `postings` is then the length of the range.
    pub bounded: bool,
}

/// What the index says of one item of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemEstimate {
    /// The streams, if restricted.
    pub streams: Option<ClauseEstimate>,
    /// The types, if restricted.
    pub types: Option<ClauseEstimate>,
    /// Every required tag.
    pub tags: Vec<ClauseEstimate>,
    /// No more events than this can match.
    pub matches_at_most: u64,
}

/// What the index says of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryEstimate {
    /// Every item, in the order of the query.
    pub items: Vec<ItemEstimate>,
    /// No more events than this can match.
    pub matches_at_most: u64,
    /// Whether every item is restricted by something. If not, all events match, and a scan is as good.
    pub restricted: bool,
}

/// The index of a store.
#[derive(Debug)]
pub struct Index {
    disk: Arc<dyn Disk>,
}

/// Positions that match a query, computed as they are asked for. Holds a view of the index, no lock.
#[derive(Debug)]
pub struct Matches {}

impl Matches {
    /// Appends up to `max` further positions to `out`; `false` when there are no more after them.
    ///
    /// # Errors
    /// `Corrupted` when a run file is damaged.
    pub fn next_chunk(&mut self, _max: usize, _out: &mut Vec<Position>) -> Result<bool> {
        unimplemented!()
    }
}

impl Index {
    /// Opens the index below `index/`, throwing away what is damaged or left over.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read or written.
    pub fn open(_disk: Arc<dyn Disk>, _store_id: Uuid) -> Result<(Arc<Self>, Opened)> {
        unimplemented!()
    }

    /// Adds events in the order of their positions, without a gap. For one writer.
    ///
    /// # Panics
    /// When a position or a revision is not the next one.
    pub fn insert<'a>(&self, _events: impl Iterator<Item = IndexedEvent<'a>>) {
        unimplemented!()
    }

    /// Turns everything before `end` into a pending part. For the writer, after it has inserted up to `end`.
    pub fn seal(&self, _end: Position) {
        unimplemented!()
    }

    /// Sealed parts waiting for [`Index::maintain`].
    #[must_use]
    pub fn pending(&self, _durable: Position) -> usize {
        unimplemented!()
    }

    /// Does one step of maintenance: writes one pending part, or merges once. For one thread; blocks neither readers nor the writer.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be written: nothing has changed, and it may be tried again.
    pub fn maintain(&self, _durable: Position) -> Result<Step> {
        unimplemented!()
    }

    /// Revision and position of the last event of a stream before `to`. At most about a microsecond for a stream never seen.
    ///
    /// # Errors
    /// `Corrupted` when a run file is damaged (so for all questions below).
    pub fn stream_last(&self, _stream: &str, _to: Position) -> Result<Option<(Revision, Position)>> {
        unimplemented!()
    }

    /// How many events before `to` carry the term.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn count(&self, _term: Term<'_>, _to: Position) -> Result<u64> {
        unimplemented!()
    }

    /// The position of the event with ordinal `n` (from 0) among those that carry the term, if it is before `to`.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn nth(&self, _term: Term<'_>, _n: u64, _to: Position) -> Result<Option<Position>> {
        unimplemented!()
    }

    /// How many events before both `position` and `to` carry the term.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn rank(&self, _term: Term<'_>, _position: Position, _to: Position) -> Result<u64> {
        unimplemented!()
    }

    /// Appends to `out` the positions of the events with the ordinals `from`, `from + 1`, …: at most `limit`, all before `to`.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn postings_forward(
        &self,
        _term: Term<'_>,
        _from: u64,
        _limit: usize,
        _to: Position,
        _out: &mut Vec<Position>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Appends to `out` the positions of the events with the ordinals `from`, `from - 1`, …: at most `limit`. Ordinals at or after
    /// [`Index::count`] are left out, so the first one delivered has the ordinal `min(from, count - 1)`.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn postings_backward(
        &self,
        _term: Term<'_>,
        _from: u64,
        _limit: usize,
        _to: Position,
        _out: &mut Vec<Position>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// The first event at or after `from` and before `to` that matches.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn first_match(&self, _query: &Query, _from: Position, _to: Position) -> Result<Option<Position>> {
        unimplemented!()
    }

    /// The events in `range` that match, in order. `range.end` must not be past the head.
    #[must_use]
    pub fn matches(&self, _query: &Query, _range: Range<Position>, _towards: Towards) -> Matches {
        unimplemented!()
    }

    /// How many events in `range` can match, and what each restriction of the query comes to.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn estimate(&self, _query: &Query, _range: Range<Position>) -> Result<QueryEstimate> {
        unimplemented!()
    }

    /// Streams with events before `to` whose names begin with `prefix` and come after `after`, in the order of their bytes, at most `limit`,
    /// each with the revision and position of its last event.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn streams(
        &self,
        _prefix: &str,
        _after: Option<&str>,
        _limit: usize,
        _to: Position,
    ) -> Result<Vec<(StreamName, Revision, Position)>> {
        unimplemented!()
    }

    /// Terms of a kind that events before `to` carry, whose texts begin with `prefix` and come after `after`, in the order of their bytes,
    /// at most `limit`, each with the number of events.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn terms(
        &self,
        _kind: Kind,
        _prefix: &str,
        _after: Option<&str>,
        _limit: usize,
        _to: Position,
    ) -> Result<Vec<(String, u64)>> {
        unimplemented!()
    }

    /// Facts about the index.
    #[must_use]
    pub fn info(&self) -> IndexInfo {
        unimplemented!()
    }
}
