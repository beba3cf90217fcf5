//! A barrier for what follows the log on threads of its own: whoever wants to see what came of something waits until nothing is left to do.

use std::time::Duration;

use gesta_store::{ErrorKind, EventStore, HandlerState, HandlerStatus, RunningHandler};

use super::{Process, RunningProcess};
use crate::error::{Error, Result};

/// How long a barrier waits for an event before it looks again, since what is done with the last event is no event: at first about as long as a
/// commit takes, then twice as long each time, so that what takes long is not disturbed.
const LOOK_AGAIN_FIRST: Duration = Duration::from_micros(100);
const LOOK_AGAIN_MOST: Duration = Duration::from_millis(2);

/// Something that follows the log and can say whether it has done all there is to do.
pub trait Rests {
    /// Whether everything that is recorded was worked off, and nothing waits to be tried again. What waits for a time that was agreed on, or for
    /// somebody who looks, is at rest.
    ///
    /// # Errors
    /// What it may fail with when it is asked where it stands; `Unanswerable` if it works no more.
    fn is_at_rest(&self) -> Result<bool>;
}

/// Whether a handler has worked off everything.
fn is_worked_off(status: &HandlerStatus) -> Result<bool> {
    if let HandlerState::Stopped { reason } = &status.state {
        let reason = reason.as_deref().unwrap_or("it was told to");
        return Err(Error::Unanswerable(format!("handler has stopped: {reason}, handler={}", status.name)));
    }
    Ok(status.position >= status.head || status.lag_events == 0)
}

impl Rests for RunningHandler {
    fn is_at_rest(&self) -> Result<bool> {
        let status = self.status().map_err(|error| Error::Unanswerable(error.to_string()))?;
        is_worked_off(&status)
    }
}

impl<P: Process> Rests for RunningProcess<P> {
    fn is_at_rest(&self) -> Result<bool> {
        let status = self.status()?;
        Ok(is_worked_off(&status.handler)? && status.waiting == 0)
    }
}

/// Waits until all are at rest at one head of the log. `false`: they were not in time.
pub(crate) fn settle(store: &EventStore, all: &[&dyn Rests], timeout: Option<Duration>) -> Result<bool> {
    let clock = store.clock();
    let deadline = timeout.map(|timeout| clock.elapsed().saturating_add(timeout));
    let mut pause = LOOK_AGAIN_FIRST;
    loop {
        let head = store.head().position();
        let mut at_rest = true;
        for one in all {
            at_rest = at_rest && one.is_at_rest()?;
        }
        // What one of them recorded meanwhile may be for another.
        if at_rest && store.head().position() == head {
            return Ok(true);
        }
        if deadline.is_some_and(|deadline| clock.elapsed() >= deadline) {
            return Ok(false);
        }
        match store.head().wait_past(head, Some(pause)) {
            Err(error) if error.kind() == ErrorKind::Closed => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
        let has_moved = store.head().position() != head;
        pause = if has_moved { LOOK_AGAIN_FIRST } else { (2 * pause).min(LOOK_AGAIN_MOST) };
    }
}
