//! A place in a source, and the step that moves it: the one path of all reads and subscriptions (I4).

use super::{
    Batch, Direction, From, Library, ReadOptions, Source, all::AllCursor, links, query::QueryCursor,
    stream::StreamCursor,
};
use crate::{
    error::{Error, Result},
    event::Link,
    log::{self, StoredEvent},
    position::{Position, Revision},
};

/// How much one step may deliver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// What one step came to.
#[derive(Debug)]
pub(crate) enum Advance {
    /// These events; there may be more.
    Events(Batch),
    /// Nothing among the events looked at; there may be more.
    Nothing,
    /// Everything up to the head was delivered, or did not match.
    End,
}

/// A place in a source.
#[derive(Debug)]
pub(crate) enum Cursor {
    All(AllCursor),
    Stream(StreamCursor),
    Query(Box<QueryCursor>),
}

impl Cursor {
    /// The place where a read of `source` begins, for a reader at head `to`.
    pub(crate) fn open(library: Library, source: &Source, options: &ReadOptions, to: Position) -> Result<Self> {
        let log_source = !matches!(source, Source::Stream(_));
        if log_source && matches!(options.from, From::Revision(_)) {
            return Err(Error::invalid("only a stream can be read from a revision, name a position or a time"));
        }
        Ok(match source {
            Source::All => Self::All(AllCursor::open(library, options, to)?),
            Source::Stream(stream) => Self::Stream(StreamCursor::open(library, stream, options, to)?),
            Source::Query(query) => Self::Query(Box::new(QueryCursor::open(library, query, options, to)?)),
        })
    }

    /// As `open`, but a stream that cannot be read yet is waited for.
    pub(crate) fn open_or_wait(library: Library, source: &Source, options: &ReadOptions, to: Position) -> Result<Self> {
        match source {
            Source::Stream(stream) => StreamCursor::open_or_wait(library, stream, options, to).map(Self::Stream),
            Source::All | Source::Query(_) => Self::open(library, source, options, to),
        }
    }

    /// Moves towards the head `to`, which never goes back from call to call.
    pub(crate) fn advance(&mut self, to: Position, budget: Budget) -> Result<Advance> {
        match self {
            Self::All(cursor) => cursor.advance(to, budget),
            Self::Stream(cursor) => cursor.advance(to, budget),
            Self::Query(cursor) => cursor.advance(to, budget),
        }
    }

    /// Takes note, going forward, that nothing below `position` is to be delivered.
    pub(crate) fn pass_to(&mut self, position: Position) {
        match self {
            Self::All(cursor) => cursor.pass_to(position),
            Self::Stream(cursor) => cursor.pass_to(position),
            Self::Query(cursor) => cursor.pass_to(position),
        }
    }

    /// The revision at which following a stream is to begin, while it does not exist yet.
    pub(crate) fn awaited_revision(&self) -> Option<Revision> {
        match self {
            Self::Stream(cursor) => cursor.awaited_revision(),
            Self::All(_) | Self::Query(_) => None,
        }
    }

    /// The position below which everything was delivered or did not match (going forward).
    pub(crate) fn checked_to(&self) -> Position {
        match self {
            Self::All(cursor) => cursor.position(),
            Self::Stream(cursor) => cursor.checked_to(),
            Self::Query(cursor) => cursor.position(),
        }
    }
}

/// The position a read of the log begins with: the first one going forward, one more than the first going backward.
pub(crate) fn begin(library: &Library, options: &ReadOptions, to: Position) -> Result<Position> {
    let after = |position: Position| Position(position.0.saturating_add(1)).min(to);
    Ok(match (options.direction, options.from) {
        (Direction::Forward, From::Beginning | From::Revision(_)) => Position::START,
        (Direction::Forward, From::Now) | (Direction::Backward, From::Beginning | From::Now | From::Revision(_)) => to,
        (Direction::Forward, From::Position(position)) => position,
        (Direction::Backward, From::Position(position)) => after(position),
        (Direction::Forward, From::Time(time)) => library.log.position_at(time, to)?,
        (Direction::Backward, From::Time(time)) => match time.0.checked_add(1) {
            Some(next) => library.log.position_at(crate::position::Timestamp(next), to)?,
            None => to,
        },
    })
}

/// Collects single events, resolving links on the way, until a budget is used up.
pub(super) struct Collector<'a> {
    library: &'a Library,
    to: Position,
    resolve_links: bool,
    events: log::Batch,
    links: Vec<Option<Box<Link>>>,
    linked: bool,
}

impl<'a> Collector<'a> {
    pub(super) fn new(library: &'a Library, to: Position, resolve_links: bool) -> Self {
        Self { library, to, resolve_links, events: log::Batch::default(), links: Vec::new(), linked: false }
    }

    /// Adds an event that was reached through `link`, if any.
    pub(super) fn push(&mut self, event: StoredEvent, link: Option<Box<Link>>) -> Result<()> {
        let resolved = if self.resolve_links { links::resolve(self.library, &event, self.to)? } else { None };
        let (event, link) = match resolved {
            // The outermost entry is the one the reader asked for.
            Some((event, followed)) => (event, Some(link.unwrap_or(followed))),
            None => (event, link),
        };
        self.linked |= link.is_some();
        self.links.push(link);
        self.events.push_event(&event);
        Ok(())
    }

    pub(super) fn is_full(&self, budget: Budget) -> bool {
        self.events.len() >= budget.events || self.events.bytes() >= budget.bytes
    }

    pub(super) fn finish(self) -> Advance {
        if self.events.is_empty() {
            Advance::Nothing
        } else if self.linked {
            Advance::Events(Batch::linked(self.events, self.links))
        } else {
            Advance::Events(Batch::plain(self.events))
        }
    }
}

/// Replaces the links in a batch that was read in one piece; most batches have none and are passed on as they are.
pub(super) fn resolve_batch(library: &Library, batch: log::Batch, to: Position) -> Result<Advance> {
    if !batch.iter().any(|event| event.event_type == crate::name::system::LINK) {
        return Ok(Advance::Events(Batch::plain(batch)));
    }
    let mut collector = Collector::new(library, to, true);
    for event in batch.iter() {
        collector.push(library.log.event(event.position)?, None)?;
    }
    Ok(collector.finish())
}
