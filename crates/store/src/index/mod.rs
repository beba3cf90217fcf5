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

mod audit;
mod clause;
mod cursor;
mod estimate;
mod expand;
mod filter;
mod listing;
mod maintain;
mod manifest;
mod matches;
mod memory;
mod pages;
mod part;
mod parts;
mod postings;
mod recover;
#[cfg(test)]
mod reference;
mod run;
mod run_writer;
mod term;
#[cfg(test)]
mod tests;
mod view;

use std::{ops::Range, sync::Arc};

use uuid::Uuid;

pub use self::{
    audit::RunAudit,
    estimate::{ClauseEstimate, ItemEstimate, QueryEstimate},
    matches::{Matches, PausedMatches},
    term::{IndexedEvent, Kind, TagList, Term},
};
use self::{clause::Clauses, maintain::Maintenance, part::Part, parts::Parts, term::Key};
use crate::{
    disk::Disk,
    error::Result,
    name::StreamName,
    position::{Position, Revision},
    query::Query,
};

/// The decoders that are functions of bytes alone: they never panic, and allocate no more than their input justifies. A run's body is
/// not decoded as a whole but read in place, by the questions above.
pub mod decode {
    pub use super::{
        manifest::{decode as manifest, encode as encode_manifest},
        run::{Extent, Trailer},
    };
}

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

/// The index of a store.
#[derive(Debug)]
pub struct Index {
    parts: Parts,
    maintenance: Maintenance,
}

/// Where the index lives, below the store's directory.
const DIRECTORY: &str = "index";

impl Index {
    /// Opens the index below `index/`, throwing away what is damaged or left over.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read or written.
    pub fn open(disk: Arc<dyn Disk>, store_id: Uuid) -> Result<(Arc<Self>, Opened)> {
        Self::open_before(disk, store_id, Position(u64::MAX))
    }

    /// As [`Index::open`], for a log that ends at `end`: runs that reach past it are thrown away too, since they were
    /// written for a log that is no longer there.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_before(disk: Arc<dyn Disk>, store_id: Uuid, end: Position) -> Result<(Arc<Self>, Opened)> {
        let (runs, dropped) = recover::recover(&*disk, store_id, end.0)?;
        let covered = runs.last().map_or(0, |run| run.trailer.extent.end);
        let index = Self { parts: Parts::new(runs), maintenance: Maintenance::new(disk, store_id) };
        Ok((Arc::new(index), Opened { covered: Position(covered), dropped }))
    }

    /// Adds events in the order of their positions, without a gap. For one writer.
    ///
    /// # Panics
    /// When a position or a revision is not the next one.
    pub fn insert<'a>(&self, events: impl Iterator<Item = IndexedEvent<'a>>) {
        self.parts.load().open().insert(events);
    }

    /// Turns everything before `end` into a pending part. For the writer, after it has inserted up to `end`.
    ///
    /// # Panics
    /// When not all of it was inserted.
    pub fn seal(&self, end: Position) {
        self.parts.seal(end.0);
    }

    /// Sealed parts that [`Index::build`] can write, given that the log is durable below `durable`.
    #[must_use]
    pub fn pending(&self, durable: Position) -> usize {
        let view = self.parts.load();
        view.parts.iter().filter(|part| matches!(part, Part::Memory(_, end) if *end <= durable.0)).count()
    }

    /// Writes the oldest pending part as a run; blocks neither readers nor the writer, and waits for no merge.
    /// Parts that reach past `durable` stay in memory: a run must never know of events that a crash can take back.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be written: nothing has changed, and it may be tried again.
    pub fn build(&self, durable: Position) -> Result<Step> {
        self.maintenance.build(&self.parts, durable.0)
    }

    /// Merges runs once, if there are enough of a level. Blocks neither readers nor the writer nor builds, and may take long: it is given
    /// up, as if it had not begun, as soon as `go_on` says no.
    ///
    /// # Errors
    /// As [`Index::build`].
    pub fn merge(&self, go_on: &dyn Fn() -> bool) -> Result<Step> {
        self.maintenance.merge(&self.parts, go_on)
    }

    /// Does one step of maintenance: builds, or else merges.
    ///
    /// # Errors
    /// As [`Index::build`].
    pub fn maintain(&self, durable: Position) -> Result<Step> {
        match self.build(durable)? {
            Step::Idle => self.merge(&|| true),
            done @ (Step::Built | Step::Merged | Step::Dropped) => Ok(done),
        }
    }

    /// Revision and position of the last event of a stream before `to`. At most about a microsecond for a stream never seen.
    ///
    /// # Errors
    /// `Corrupted` when a run file is damaged (so for all questions below).
    pub fn stream_last(&self, stream: &str, to: Position) -> Result<Option<(Revision, Position)>> {
        self.parts.load().last(Key::from(Term::Stream(stream)), to.0)
    }

    /// Whether an event at or after `from` and before `to` carries the term. Near the head two look-ups in memory.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn any(&self, term: Term<'_>, from: Position, to: Position) -> Result<bool> {
        self.parts.load().any(Key::from(term), from.0..to.0)
    }

    /// How many events before `to` carry the term.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn count(&self, term: Term<'_>, to: Position) -> Result<u64> {
        self.parts.load().count(Key::from(term), to.0)
    }

    /// The position of the event with ordinal `n` (from 0) among those that carry the term, if it is before `to`.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn nth(&self, term: Term<'_>, n: u64, to: Position) -> Result<Option<Position>> {
        self.parts.load().nth(Key::from(term), n, to.0)
    }

    /// How many events before both `position` and `to` carry the term.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn rank(&self, term: Term<'_>, position: Position, to: Position) -> Result<u64> {
        self.parts.load().count(Key::from(term), position.min(to).0)
    }

    /// Appends to `out` the positions of the events with the ordinals `from`, `from + 1`, …: at most `limit`, all before `to`.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn postings_forward(
        &self,
        term: Term<'_>,
        from: u64,
        limit: usize,
        to: Position,
        out: &mut Vec<Position>,
    ) -> Result<()> {
        let ordinals = from..from.saturating_add(limit as u64);
        self.parts.load().copy(Key::from(term), ordinals, Towards::Newer, to.0, out)
    }

    /// Appends to `out` the positions of the events with the ordinals `from`, `from - 1`, …: at most `limit`. Ordinals at or after
    /// [`Index::count`] are left out, so the first one delivered has the ordinal `min(from, count - 1)`.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn postings_backward(
        &self,
        term: Term<'_>,
        from: u64,
        limit: usize,
        to: Position,
        out: &mut Vec<Position>,
    ) -> Result<()> {
        let (view, key) = (self.parts.load(), Key::from(term));
        let end = from.saturating_add(1).min(view.count(key, to.0)?);
        view.copy(key, end.saturating_sub(limit as u64)..end, Towards::Older, to.0, out)
    }

    /// The first event at or after `from` and before `to` that matches.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn first_match(&self, query: &Query, from: Position, to: Position) -> Result<Option<Position>> {
        let mut first = Vec::with_capacity(1);
        self.matches(query, from..to, Towards::Newer).next_chunk(1, &mut first)?;
        Ok(first.first().copied())
    }

    /// The events in `range` that match, in order. `range.end` must not be past the head.
    #[must_use]
    pub fn matches(&self, query: &Query, range: Range<Position>, towards: Towards) -> Matches {
        Matches::new(self.parts.load_full(), Arc::new(Clauses::new(query)), range.start.0..range.end.0, towards)
    }

    /// Goes on with a search that was paused, where it was.
    #[must_use]
    pub fn resume(&self, paused: PausedMatches) -> Matches {
        paused.resume(|| self.parts.load_full())
    }

    /// How many events in `range` can match, and what each restriction of the query comes to.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn estimate(&self, query: &Query, range: Range<Position>) -> Result<QueryEstimate> {
        estimate::estimate(&self.parts.load(), &Clauses::new(query), range.start.0..range.end.0)
    }

    /// Streams with events before `to` whose names begin with `prefix` and come after `after`, in the order of their bytes, at most `limit`,
    /// each with the revision and position of its last event.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn streams(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        to: Position,
    ) -> Result<Vec<(StreamName, Revision, Position)>> {
        let view = self.parts.load();
        let mut streams = Vec::new();
        listing::for_each_term(&view, Kind::Stream, prefix, after, limit, |key| {
            let last = view.last(key, to.0)?;
            streams.extend(last.map(|(revision, position)| (StreamName::trusted(key.text), revision, position)));
            Ok(last.is_some())
        })?;
        Ok(streams)
    }

    /// Terms of a kind that events before `to` carry, whose texts begin with `prefix` and come after `after`, in the order of their bytes,
    /// at most `limit`, each with the number of events.
    ///
    /// # Errors
    /// As [`Index::stream_last`].
    pub fn terms(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        to: Position,
    ) -> Result<Vec<(String, u64)>> {
        let view = self.parts.load();
        let mut terms = Vec::new();
        listing::for_each_term(&view, kind, prefix, after, limit, |key| {
            let count = view.count(key, to.0)?;
            terms.extend((count > 0).then(|| (key.text.to_owned(), count)));
            Ok(count > 0)
        })?;
        Ok(terms)
    }

    /// Facts about the index.
    #[must_use]
    pub fn info(&self) -> IndexInfo {
        let view = self.parts.load();
        let open = view.open().read();
        IndexInfo {
            runs: maintain::runs(&view).count(),
            bytes: maintain::runs(&view).map(|run| run.file_bytes).sum(),
            pending: self.pending(Position(u64::MAX - 1)),
            open_events: open.end() - view.open().first(),
        }
    }

    /// A check of every run against the log; the caller shows each the events of its range.
    #[must_use]
    pub fn audits(&self) -> Vec<RunAudit> {
        RunAudit::all(&self.parts.load_full())
    }
}
