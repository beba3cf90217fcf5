//! The bell between whoever makes maintenance necessary and the threads that do it.
//!
//! Lies below both, so that the order needs to know nothing of maintenance: it rings, and it may wait for progress. Work is of two kinds
//! that do not wait for each other: appends wait for builds, but never for what tidies up.

use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::error::Error;

/// A kind of work, with a thread of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Writing index parts that wait in memory.
    Build,
    /// Merging runs, and making the next segment ready.
    Tidy,
}

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
    build: Track,
    tidy: Track,
    closed: bool,
}

/// How one kind of work stands.
#[derive(Debug, Default)]
struct Track {
    /// Something may be due.
    due: bool,
    /// A round is being done.
    busy: bool,
    /// Steps begun so far. One at a time: all but perhaps the last have ended.
    begun: u64,
    /// Steps that ended so far.
    ended: u64,
    /// Steps that ended well so far.
    done: u64,
    /// Why the last step could not be done.
    failed: Option<Error>,
}

/// How builds stood when somebody asked for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    begun: u64,
    done: u64,
}

impl State {
    fn track(&mut self, work: Work) -> &mut Track {
        match work {
            Work::Build => &mut self.build,
            Work::Tidy => &mut self.tidy,
        }
    }

    fn built_since(&self, asked: Asked) -> Option<Result<(), Error>> {
        if self.build.done > asked.done {
            return Some(Ok(()));
        }
        let failed = self.build.ended > asked.begun || self.closed;
        failed.then(|| Err(self.failed().unwrap_or_else(super::queue::closed)))
    }

    fn failed(&self) -> Option<Error> {
        self.build.failed.clone().or_else(|| self.tidy.failed.clone())
    }
}

impl Track {
    fn is_at_work(&self) -> bool {
        self.due || self.busy
    }
}

impl Upkeep {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that something of either kind may be due.
    pub(crate) fn ring(&self) {
        self.ring_for(Work::Build);
        self.ring_for(Work::Tidy);
    }

    /// Says that something may be due.
    pub(crate) fn ring_for(&self, work: Work) {
        self.lock().track(work).due = true;
        self.changed.notify_all();
    }

    /// Says that something was appended; the first time, there is something to do.
    pub(crate) fn want_spare(&self) {
        if !self.spare_wanted.load(Ordering::Relaxed) && !self.spare_wanted.swap(true, Ordering::Relaxed) {
            self.ring_for(Work::Tidy);
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

    /// Waits until something may be due, and begins a round; `None` when closed.
    pub(crate) fn take(&self, work: Work) -> Option<()> {
        let idle = |state: &mut State| !state.track(work).due && !state.closed;
        let mut state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        let track = state.track(work);
        track.due = false;
        track.busy = true;
        Some(())
    }

    /// Says that a step begins: it will see what is the case now.
    pub(crate) fn begin(&self, work: Work) {
        self.lock().track(work).begun += 1;
    }

    /// Says that the step was done, or why it was not.
    pub(crate) fn end(&self, work: Work, outcome: Result<(), Error>) {
        let mut state = self.lock();
        let track = state.track(work);
        track.ended = track.begun;
        track.done += u64::from(outcome.is_ok());
        track.failed = outcome.err();
        self.changed.notify_all();
    }

    /// Says that the round is over.
    pub(crate) fn rest(&self, work: Work) {
        self.lock().track(work).busy = false;
        self.changed.notify_all();
    }

    /// Waits for one more build.
    ///
    /// # Errors
    /// Why a build that began after this was called could not be done: one that was under way may have failed for a cause that is gone.
    /// Why there will be none, when maintenance was stopped.
    pub(crate) fn wait_for_build(&self) -> Result<(), Error> {
        let asked = self.ask_for_build();
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.built_since(asked) {
                return outcome;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that a build is due, and how builds stand now.
    pub(super) fn ask_for_build(&self) -> Asked {
        let mut state = self.lock();
        state.build.due = true;
        self.changed.notify_all();
        Asked { begun: state.build.begun, done: state.build.done }
    }

    /// What came of builds since somebody asked, if anything did.
    #[cfg(test)]
    pub(super) fn built_since(&self, asked: Asked) -> Option<Result<(), Error>> {
        self.lock().built_since(asked)
    }

    /// Waits until nothing is due.
    ///
    /// # Errors
    /// Why the last round could not be finished.
    pub(crate) fn wait_for_rest(&self) -> Result<(), Error> {
        let works = |state: &mut State| !state.closed && (state.build.is_at_work() || state.tidy.is_at_work());
        let state = self.changed.wait_while(self.lock(), works).unwrap_or_else(PoisonError::into_inner);
        state.failed().map_or(Ok(()), Err)
    }
}
