//! A subscription is a read that waits at the end (I4).

use std::time::Duration;

use crate::{error::Result, position::Position, read::Batch};

/// A read that waits at the end.
#[derive(Debug)]
pub struct Subscription {}

/// What a subscription delivers next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// Events.
    Events(Batch),
    /// Everything up to this head has been delivered or did not match; the next one will be new.
    CaughtUp(Position),
}

impl Subscription {
    /// The next delivery; waits for one at most `timeout` (for ever, if `None`). `None` when the time is over.
    ///
    /// # Errors
    /// `Closed` when the store closes.
    pub fn next(&mut self, _timeout: Option<Duration>) -> Result<Option<Delivery>> {
        unimplemented!()
    }

    /// The position below which everything has been delivered or did not match.
    #[must_use]
    pub fn checked_to(&self) -> Position {
        unimplemented!()
    }
}
