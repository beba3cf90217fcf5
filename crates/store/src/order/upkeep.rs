//! The bell between whoever makes maintenance necessary and the thread that does it.
//!
//! Lies below both, so that the order needs to know nothing of maintenance: it rings, and it may wait for progress.

use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::error::Error;

/// See the module's words.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    state: Mutex<State>,
    changed: Condvar,
    /// Something was appended since the store was opened: more will be.
    spare_wanted: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// Something may be due.
    due: bool,
    /// A step is being done.
    busy: bool,
    closed: bool,
    /// Why the last round could not be finished.
    failed: Option<Error>,
    /// Steps done so far.
    steps: u64,
}

impl Upkeep {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that something may be due.
    pub(crate) fn ring(&self) {
        self.lock().due = true;
        self.changed.notify_all();
    }

    /// Says that something was appended; the first time, there is something to do.
    pub(crate) fn want_spare(&self) {
        if !self.spare_wanted.load(Ordering::Relaxed) && !self.spare_wanted.swap(true, Ordering::Relaxed) {
            self.ring();
        }
    }

    /// Whether the next segment should be made ready.
    pub(crate) fn is_spare_wanted(&self) -> bool {
        self.spare_wanted.load(Ordering::Relaxed)
    }

    /// Whether no more work is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Says that no more work will be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until something may be due; `None` when closed.
    pub(crate) fn take(&self) -> Option<()> {
        let mut state = self
            .changed
            .wait_while(self.lock(), |state| !state.due && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        state.due = false;
        state.busy = true;
        Some(())
    }

    /// Says that one step was done, or why it was not.
    pub(crate) fn stepped(&self, outcome: Result<(), Error>) {
        let mut state = self.lock();
        state.steps += 1;
        state.failed = outcome.err();
        self.changed.notify_all();
    }

    /// Says that the round is over.
    pub(crate) fn rest(&self) {
        self.lock().busy = false;
        self.changed.notify_all();
    }

    /// Waits for one more step.
    ///
    /// # Errors
    /// Why maintenance cannot go on; `Closed` when it was stopped.
    pub(crate) fn wait_for_step(&self) -> Result<(), Error> {
        let mut state = self.lock();
        let seen = state.steps;
        state.due = true;
        self.changed.notify_all();
        state = self
            .changed
            .wait_while(state, |state| state.steps == seen && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match &state.failed {
            Some(error) => Err(error.clone()),
            None if state.steps == seen => Err(super::queue::closed()),
            None => Ok(()),
        }
    }

    /// Waits until nothing is due.
    ///
    /// # Errors
    /// Why the last round could not be finished.
    pub(crate) fn wait_for_rest(&self) -> Result<(), Error> {
        let state = self
            .changed
            .wait_while(self.lock(), |state| (state.due || state.busy) && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.failed.clone().map_or(Ok(()), Err)
    }
}
