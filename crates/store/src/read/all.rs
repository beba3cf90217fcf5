//! The whole log.

use super::{
    Batch, Direction, Library, ReadOptions,
    cursor::{Advance, Budget, begin, resolve_batch},
};
use crate::{error::Result, position::Position};

/// A place in the whole log.
#[derive(Debug)]
pub(crate) struct AllCursor {
    library: Library,
    direction: Direction,
    resolve_links: bool,
    /// Going forward the next position, going backward one more than it.
    next: Position,
}

impl AllCursor {
    pub(super) fn open(library: Library, options: &ReadOptions, to: Position) -> Result<Self> {
        let next = begin(&library, options, to)?;
        Ok(Self { library, direction: options.direction, resolve_links: options.resolve_links, next })
    }

    pub(super) fn position(&self) -> Position {
        self.next
    }

    pub(super) fn pass_to(&mut self, position: Position) {
        self.next = self.next.max(position);
    }

    pub(super) fn advance(&mut self, to: Position, budget: Budget) -> Result<Advance> {
        let batch = match self.direction {
            Direction::Forward if self.next >= to => return Ok(Advance::End),
            Direction::Forward => {
                let batch = self.library.log.read_forward(self.next, to, budget.events, budget.bytes)?;
                self.next = Position(self.next.0 + batch.len() as u64);
                batch
            }
            Direction::Backward if self.next == Position::START => return Ok(Advance::End),
            Direction::Backward => {
                let batch = self.library.log.read_backward(self.next, Position::START, budget.events, budget.bytes)?;
                self.next = Position(self.next.0 - batch.len() as u64);
                batch
            }
        };
        if self.resolve_links {
            resolve_batch(&self.library, batch, to)
        } else {
            Ok(Advance::Events(Batch::plain(batch)))
        }
    }
}
