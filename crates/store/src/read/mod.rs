//! Reading: by stream, the whole log, or by query; in either direction; from a revision, a position or a time.
//!
//! Every read is a cursor that is advanced to some head: a [`Read`] advances it to the head it was pinned at, a subscription to the
//! head there is now. One code path, so that following has no seam where an event could be lost or doubled (I4).

mod all;
mod batch;
pub(crate) mod cursor;
mod links;
mod plan;
mod query;
mod reading;
mod stream;
pub(crate) mod virtual_stream;
pub(crate) mod visible;

use std::sync::Arc;

use crate::{
    clock::Clock,
    index::Index,
    limits,
    log::Log,
    measures::Meters,
    name::StreamName,
    position::{Position, Revision, Timestamp},
    query::Query,
};

pub use batch::Batch;
pub(crate) use plan::explain;
pub use reading::Read;
pub(crate) use reading::{budget, pin};
pub use visible::StreamStatus;

/// Events whose bytes are fetched from memory together: some kilobytes, so that the first are still near when the last arrive.
const PREFETCH_EVENTS: usize = 32;

/// Where reads get their bytes from. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) log: Arc<Log>,
    pub(crate) index: Arc<Index>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meters: Arc<Meters>,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The whole log.
    All,
    /// One stream, real or virtual (`$ce-…`, `$et-…`, `$bc-…`, `$streams`).
    Stream(StreamName),
    /// The events a query matches.
    Query(Query),
}

/// Which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    #[default]
    Forward,
    /// Newest first.
    Backward,
}

/// Where a read begins. The named place itself is read, if it holds a matching event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum From {
    /// At the end a read of this direction begins with: the oldest event going forward, the newest going backward.
    #[default]
    Beginning,
    /// After the last event there is now, going forward: nothing, or for a subscription only what is still to come.
    Now,
    /// At this revision of the stream that is read. `Invalid` for other sources. A subscription waits for one that is still to come.
    Revision(Revision),
    /// At this position.
    Position(Position),
    /// Going forward at the first event recorded at this time or later (a subscription waits for a time to come); going backward at the last one recorded at it or earlier.
    Time(Timestamp),
}

impl From {
    /// Behind the event at `position`: where whoever has finished that event goes on.
    #[must_use]
    pub const fn after(position: Position) -> Self {
        Self::Position(Position(position.0.saturating_add(1)))
    }
}

/// A moment of the past: what is read then is what a reader would have seen at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// When this position was the last one.
    Position(Position),
    /// At the end of this nanosecond.
    Time(Timestamp),
}

/// How a source is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Which way.
    pub direction: Direction,
    /// Where it begins.
    pub from: From,
    /// Reads the past.
    pub as_of: Option<AsOf>,
    /// Most events to read; `None`: all.
    pub limit: Option<u64>,
    /// Whether link events (`$>`) are replaced by what they point to. A link whose target is gone is left as it is.
    pub resolve_links: bool,
    /// Most events in one batch.
    pub batch_events: usize,
    /// Most bytes in one batch; one larger event still makes a batch.
    pub batch_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            direction: Direction::Forward,
            from: From::Beginning,
            as_of: None,
            limit: None,
            resolve_links: false,
            batch_events: limits::BATCH_EVENTS,
            batch_bytes: limits::BATCH_BYTES,
        }
    }
}

/// How a query is answered, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The way chosen.
    pub access: Access,
    /// Events between the start and the head of the read.
    pub events_in_range: u64,
    /// Most events that can match, as the index's term counts bound it. `None`: the index cannot say.
    pub matches_at_most: Option<u64>,
    /// For every item of the query, what the index says of its terms.
    pub items: Vec<ItemPlan>,
    /// Why this way: one sentence.
    pub reason: String,
}

/// What the index says of one item of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemPlan {
    /// For every restricted kind (`streams`, `types`, `tags`): the number of terms that pass, and of postings they have.
    pub terms: Vec<(String, u64, u64)>,
}

/// A way to answer a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read every event in the range and keep those that match.
    Scan,
    /// Intersect and merge posting lists, then fetch the events.
    Index,
}
