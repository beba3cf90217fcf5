//! A subscription is a read that waits at the end (I4): the same cursor, advanced to the head there is now instead of one it was
//! pinned at. There is no hand-over from catching up to live, so nothing can be lost or doubled between them.

pub mod group_error;
pub mod group_key;
pub mod group_settings;
pub(crate) mod group_state;

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    order::Head,
    position::Position,
    read::{
        Batch, Direction, Library, ReadOptions, Source,
        cursor::{Advance, Budget, Cursor},
    },
};

/// A read that waits at the end. Pull-based: one that is not asked holds no memory beyond its place, and no lock.
#[derive(Debug)]
pub struct Subscription {
    cursor: Cursor,
    head: Head,
    clock: Arc<dyn Clock>,
    budget: Budget,
    /// The head up to which the subscriber was told that it has everything.
    told: Option<Position>,
    checked_to: Position,
}

/// What a subscription delivers next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// Events.
    Events(Batch),
    /// Everything below this head has been delivered or did not match; the next one will be new.
    CaughtUp(Position),
}

impl Subscription {
    pub(crate) fn open(library: Library, source: &Source, options: &ReadOptions, head: Head) -> Result<Self> {
        if options.limit.is_some() || options.as_of.is_some() || options.direction == Direction::Backward {
            return Err(Error::invalid(
                "a subscription goes forward without end: limit, as-of and backward are not for it",
            ));
        }
        let to = head.position();
        let clock = Arc::clone(&library.clock);
        let cursor = Cursor::open_or_wait(library, source, options, to)?;
        let budget = crate::read::budget(options)?;
        let checked_to = cursor.checked_to();
        Ok(Self { cursor, head, clock, budget, told: None, checked_to })
    }

    /// The next delivery; waits for one at most `timeout` (for ever, if `None`). `None` when the time is over.
    ///
    /// # Errors
    /// `Closed` when the store closes; what a read may fail with.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Delivery>> {
        let deadline = timeout.map(|timeout| self.clock.elapsed().saturating_add(timeout));
        loop {
            let to = self.head.position();
            if let Some(delivery) = self.step(to)? {
                return Ok(Some(delivery));
            }
            // Events that do not match end a wait without a delivery: the next one is for what is left of the time.
            let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.elapsed()));
            if !self.wait(to, left)? {
                return Ok(None);
            }
        }
    }

    /// Delivers what there is below `to`; `None` when the subscriber has it all and knows.
    fn step(&mut self, to: Position) -> Result<Option<Delivery>> {
        loop {
            match self.cursor.advance(to, self.budget)? {
                Advance::Events(batch) => {
                    self.checked_to = self.cursor.checked_to();
                    self.told = None;
                    return Ok(Some(Delivery::Events(batch)));
                }
                Advance::Nothing => self.checked_to = self.cursor.checked_to(),
                Advance::End => break,
            }
        }
        self.checked_to = self.checked_to.max(to);
        // Told once for each time it had something to catch up with, not for every event that did not match.
        if self.told.is_none() {
            self.told = Some(to);
            return Ok(Some(Delivery::CaughtUp(to)));
        }
        Ok(None)
    }

    fn wait(&self, position: Position, timeout: Option<Duration>) -> Result<bool> {
        match self.head.wait_past(position, timeout) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The position below which everything has been delivered or did not match: where to resume from.
    #[must_use]
    pub fn checked_to(&self) -> Position {
        self.checked_to
    }
}
