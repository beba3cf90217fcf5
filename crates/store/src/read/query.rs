//! The events a query matches: scanned, or fetched through the index, whichever looks at less.

use std::{collections::VecDeque, ops::Range};

use super::{
    Access, Batch, Direction, Library, PREFETCH_EVENTS, ReadOptions,
    cursor::{Advance, Budget, Collector, begin, resolve_batch},
    plan,
};
use crate::{
    error::Result,
    index::{PausedMatches, Towards},
    limits,
    position::Position,
    query::Query,
};

/// A place among the events a query matches.
#[derive(Debug)]
pub(crate) struct QueryCursor {
    library: Library,
    query: Query,
    direction: Direction,
    resolve_links: bool,
    /// Going forward the next position to look at, going backward one more than it.
    next: Position,
    /// The way that was chosen for a head.
    plan: Option<(Position, Access)>,
    /// Positions found by the index, up to a head that was asked for.
    found: Option<Found>,
}

#[derive(Debug)]
struct Found {
    positions: VecDeque<Position>,
    /// What comes after them, if there may be more. Paused, so that whoever stops reading keeps nothing of the index.
    rest: Option<PausedMatches>,
    to: Position,
}

impl QueryCursor {
    pub(super) fn open(library: Library, query: &Query, options: &ReadOptions, to: Position) -> Result<Self> {
        query.check()?;
        let next = begin(&library, options, to)?;
        Ok(Self {
            library,
            query: query.clone(),
            direction: options.direction,
            resolve_links: options.resolve_links,
            next,
            plan: None,
            found: None,
        })
    }

    pub(super) fn position(&self) -> Position {
        self.next
    }

    pub(super) fn pass_to(&mut self, position: Position) {
        if position > self.next {
            self.next = position;
            // Found for what lies between: it is looked for anew.
            self.found = None;
        }
    }

    pub(super) fn advance(&mut self, to: Position, budget: Budget) -> Result<Advance> {
        if let Some(found) = self.found.take() {
            return self.fetch(found, budget);
        }
        let range = match self.direction {
            Direction::Forward => self.next..to,
            Direction::Backward => Position::START..self.next,
        };
        if range.is_empty() {
            return Ok(Advance::End);
        }
        match self.access(to, &range)? {
            Access::Scan => self.scan(to, budget),
            Access::Index => {
                let towards = match self.direction {
                    Direction::Forward => Towards::Newer,
                    Direction::Backward => Towards::Older,
                };
                let matches = self.library.index.matches(&self.query, range, towards);
                self.fetch(Found { positions: VecDeque::new(), rest: Some(matches.pause()), to }, budget)
            }
        }
    }

    /// The way to answer up to `to`: decided once for each head, since looking at what may match costs as much as a batch.
    fn access(&mut self, to: Position, range: &Range<Position>) -> Result<Access> {
        match self.plan {
            Some((planned_to, access)) if planned_to == to => Ok(access),
            Some(_) | None => {
                let access = plan::access(&self.library, &self.query, range.clone())?;
                self.plan = Some((to, access));
                Ok(access)
            }
        }
    }

    fn scan(&mut self, to: Position, budget: Budget) -> Result<Advance> {
        let log = &self.library.log;
        // Few may be wanted, but many must be looked at for them.
        let look_at = budget.events.max(limits::BATCH_EVENTS);
        let mut batch = match self.direction {
            Direction::Forward => log.read_forward(self.next, to, look_at, budget.bytes)?,
            Direction::Backward => log.read_backward(self.next, Position::START, look_at, budget.bytes)?,
        };
        let mut end = batch.last_position();
        let (mut kept, mut full) = (0, false);
        batch.retain(|event| {
            let keep = !full && self.query.matches(event.stream, event.event_type, event.tags.iter());
            kept += usize::from(keep);
            if keep && kept == budget.events {
                (full, end) = (true, Some(event.position));
            }
            keep
        });
        if let Some(end) = end {
            self.next = match self.direction {
                Direction::Forward => end.next(),
                Direction::Backward => end,
            };
        }
        if batch.is_empty() {
            return Ok(Advance::Nothing);
        }
        if self.resolve_links {
            resolve_batch(&self.library, batch, to)
        } else {
            Ok(Advance::Events(Batch::plain(batch)))
        }
    }

    fn fetch(&mut self, mut found: Found, budget: Budget) -> Result<Advance> {
        if found.positions.is_empty()
            && let Some(rest) = found.rest.take()
        {
            let chunk = budget.events.min(limits::BATCH_EVENTS);
            let mut positions = Vec::with_capacity(chunk);
            let mut matches = self.library.index.resume(rest);
            let more = matches.next_chunk(chunk, &mut positions)?;
            found.rest = more.then(|| matches.pause());
            found.positions.extend(positions);
        }
        let mut collector = Collector::new(&self.library, found.to, self.resolve_links);
        let mut taken = 0;
        while !collector.is_full(budget)
            && let Some(position) = found.positions.pop_front()
        {
            if taken % PREFETCH_EVENTS == 0 {
                let ahead: Vec<Position> = found.positions.iter().take(PREFETCH_EVENTS - 1).copied().collect();
                self.library.log.prefetch(&ahead);
            }
            taken += 1;
            collector.push(self.library.log.event(position)?, None)?;
            self.next = match self.direction {
                Direction::Forward => position.next(),
                Direction::Backward => position,
            };
        }
        let advance = collector.finish();
        if found.rest.is_none() && found.positions.is_empty() {
            self.next = match self.direction {
                Direction::Forward => found.to,
                Direction::Backward => Position::START,
            };
        } else {
            self.found = Some(found);
        }
        Ok(advance)
    }
}
