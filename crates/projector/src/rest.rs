//! When a projector has nothing left to do: for whoever waits until everything that follows the log has come to rest.
//!
//! It says itself whether it had anything to do when it last looked, and up to where it looked. What is recorded behind that, and is for it, it may not
//! have seen yet: that is asked of the store, for what is not for it does not wake it.

use gesta_model::{Error, Result, process::Rests};
use gesta_store::{ErrorKind, From, Position, ReadOptions};

use crate::running::RunningProjector;

impl Rests for RunningProjector {
    fn is_at_rest(&self) -> Result<bool> {
        let stopped = |reason| Error::Unanswerable(format!("projector has stopped: {reason}, projector={}", self.name));
        match self.rests_at().map_err(stopped)? {
            None => Ok(false),
            Some(position) => Ok(!self.is_behind(position)?),
        }
    }
}

impl RunningProjector {
    /// Whether one of its events is recorded at a position or later.
    fn is_behind(&self, position: Position) -> Result<bool> {
        if position >= self.store.head().position() {
            return Ok(false);
        }
        let options = ReadOptions { from: From::Position(position), limit: Some(1), ..ReadOptions::default() };
        match self.store.read(self.source.clone(), options) {
            // Its stream was never written, or is deleted: no events.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            reading => Ok(reading?.next_batch()?.is_some()),
        }
    }
}

#[cfg(feature = "testing")]
impl<P: crate::Projector> gesta_model::testing::Settle for crate::ProjectorRunner<P> {
    fn step(&mut self) -> gesta_store::subscribe::handler::Step {
        use crate::runner::Step;
        use gesta_store::subscribe::handler::Step as Taken;
        match self.step() {
            Step::Worked => Taken::Worked,
            Step::Idle(until) => Taken::Idle(until),
            Step::Paused => Taken::Paused,
            Step::Ended => Taken::Ended,
        }
    }
}
