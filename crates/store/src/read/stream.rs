//! One stream, written or virtual: a posting list of the index, in which the rank of an event is its revision.

use super::{
    Direction, From, Library, PREFETCH_EVENTS, ReadOptions,
    cursor::{Advance, Budget, Collector, begin},
    virtual_stream::{entry, term_of},
    visible::{StreamStatus, status},
};
use crate::{
    error::{Error, ErrorKind, Result},
    name::{StreamName, is_virtual},
    position::{Position, Revision},
};

/// A place in a stream.
#[derive(Debug)]
pub(crate) struct StreamCursor {
    library: Library,
    stream: StreamName,
    direction: Direction,
    resolve_links: bool,
    /// Going forward the next revision, going backward one more than it.
    next: u64,
    /// The first revision that may be seen.
    first: u64,
    /// Going forward, the position before which nothing is delivered: it may be still to come.
    not_before: Position,
    checked_to: Position,
    /// The revision following begins at, while it does not exist yet.
    awaited: Option<Revision>,
}

impl StreamCursor {
    /// `NotFound` when the stream cannot be read; a subscription asks [`StreamCursor::open_or_wait`] instead.
    pub(super) fn open(library: Library, stream: &StreamName, options: &ReadOptions, to: Position) -> Result<Self> {
        let now = library.clock.now();
        let first = if is_virtual(stream) {
            0
        } else {
            match status(&library, stream, to, now)? {
                StreamStatus::Live { first, .. } => first.0,
                StreamStatus::Missing => return Err(not_found("stream does not exist", stream)),
                StreamStatus::SoftDeleted { .. } => return Err(not_found("stream was deleted", stream)),
                StreamStatus::Tombstoned { .. } => return Err(not_found("stream was deleted for ever", stream)),
            }
        };
        Self::at(library, stream, options, to, first)
    }

    /// As `open`, but a stream that cannot be read yet is waited for, behind the events that are hidden.
    pub(crate) fn open_or_wait(
        library: Library,
        stream: &StreamName,
        options: &ReadOptions,
        to: Position,
    ) -> Result<Self> {
        let now = library.clock.now();
        let first = if is_virtual(stream) {
            0
        } else {
            match status(&library, stream, to, now)? {
                StreamStatus::Live { first, .. } => first.0,
                StreamStatus::Missing => 0,
                StreamStatus::SoftDeleted { last } | StreamStatus::Tombstoned { last } => last.0 + 1,
            }
        };
        let mut cursor = Self::at(library, stream, options, to, first)?;
        cursor.note_beginning(options.from, to)?;
        Ok(cursor)
    }

    /// Takes note of the position where following begins; a revision that is still to come has none.
    fn note_beginning(&mut self, from: From, to: Position) -> Result<()> {
        self.checked_to = match from {
            From::Beginning => Position::START,
            From::Now => to,
            From::Position(_) | From::Time(_) => self.not_before,
            From::Revision(_) => match self.library.index.nth(term_of(&self.stream), self.next, to)? {
                Some(position) => position,
                None => {
                    let count = self.library.index.count(term_of(&self.stream), to)?;
                    self.awaited = (self.next > count).then_some(Revision(self.next));
                    to
                }
            },
        };
        Ok(())
    }

    fn at(library: Library, stream: &StreamName, options: &ReadOptions, to: Position, first: u64) -> Result<Self> {
        let term = term_of(stream);
        let count = library.index.count(term, to)?;
        let mut not_before = Position::START;
        let next = match (options.direction, options.from) {
            (Direction::Forward, From::Beginning) => first,
            (Direction::Forward, From::Now) | (Direction::Backward, From::Beginning | From::Now) => count,
            (Direction::Forward, From::Revision(revision)) => revision.0,
            (Direction::Backward, From::Revision(revision)) => revision.0.saturating_add(1).min(count),
            (_, From::Position(_) | From::Time(_)) => {
                let position = begin(&library, options, to)?;
                not_before = position;
                library.index.rank(term, position.min(to), to)?
            }
        };
        let next = if options.direction == Direction::Forward { next.max(first) } else { next };
        Ok(Self {
            library,
            stream: stream.clone(),
            direction: options.direction,
            resolve_links: options.resolve_links,
            next,
            first,
            not_before,
            checked_to: Position::START,
            awaited: None,
        })
    }

    pub(super) fn checked_to(&self) -> Position {
        self.checked_to
    }

    pub(super) fn awaited_revision(&self) -> Option<Revision> {
        self.awaited
    }

    pub(super) fn pass_to(&mut self, position: Position) {
        self.not_before = self.not_before.max(position);
        self.checked_to = self.checked_to.max(position);
    }

    pub(super) fn advance(&mut self, to: Position, budget: Budget) -> Result<Advance> {
        let term = term_of(&self.stream);
        let mut positions = Vec::new();
        match self.direction {
            Direction::Forward => {
                self.library.index.postings_forward(term, self.next, budget.events, to, &mut positions)?;
            }
            Direction::Backward => {
                let left = usize::try_from(self.next.saturating_sub(self.first)).unwrap_or(usize::MAX);
                let limit = budget.events.min(left);
                if limit > 0 {
                    self.library.index.postings_backward(term, self.next - 1, limit, to, &mut positions)?;
                }
            }
        }
        if positions.is_empty() {
            self.checked_to = to;
            return Ok(Advance::End);
        }
        self.fetch(&positions, to, budget)
    }

    fn fetch(&mut self, positions: &[Position], to: Position, budget: Budget) -> Result<Advance> {
        let computed = is_virtual(&self.stream);
        let mut collector = Collector::new(&self.library, to, self.resolve_links);
        for (place, &position) in positions.iter().enumerate() {
            if place % PREFETCH_EVENTS == 0 {
                let end = positions.len().min(place + PREFETCH_EVENTS);
                self.library.log.prefetch(&positions[place..end]);
            }
            if self.direction == Direction::Forward && position < self.not_before {
                (self.next, self.checked_to) = (self.next + 1, position.next());
                continue;
            }
            let event = self.library.log.event(position)?;
            let revision = match self.direction {
                Direction::Forward => self.next,
                Direction::Backward => self.next - 1,
            };
            if !computed && event.view().revision.0 != revision {
                let found = event.view().revision;
                let what = format!("index and log disagree, stream={} revision={revision} found={found}", self.stream);
                return Err(Error::corrupted(what, "index", position.0));
            }
            let link = computed.then(|| Box::new(entry(&self.stream, Revision(revision), &event.view())));
            collector.push(event, link)?;
            self.next = match self.direction {
                Direction::Forward => revision + 1,
                Direction::Backward => revision,
            };
            (self.checked_to, self.awaited) = (position.next(), None);
            if collector.is_full(budget) {
                break;
            }
        }
        Ok(collector.finish())
    }
}

fn not_found(what: &str, stream: &StreamName) -> Error {
    Error::new(ErrorKind::NotFound, format!("{what}, stream={stream}"))
}
