//! Work that nobody waits for: writing and merging index runs, and keeping the next segment zero-filled ahead.
//!
//! One thread, the second of the two owners of threads. Its failures delay nothing but itself: the index parts it could not write
//! stay in memory, and only when too many wait are appends refused with its error.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{
    error::{Error, ErrorKind, Result},
    index::{Index, Step},
    log::Log,
    order::{Head, Upkeep},
};

/// What maintenance works on.
#[derive(Clone)]
pub(crate) struct Maintenance {
    pub(crate) log: Arc<Log>,
    pub(crate) index: Arc<Index>,
    pub(crate) head: Head,
    pub(crate) upkeep: Arc<Upkeep>,
}

impl Maintenance {
    /// Does one piece of work; says whether there may be more.
    pub(crate) fn step(&self) -> Result<bool> {
        match self.index.maintain(self.head.position())? {
            Step::Built | Step::Merged | Step::Dropped => Ok(true),
            Step::Idle => {
                match self.log.prepare_spare() {
                    // Without a spare the next segment grows as it is written: slower, not wrong. A disk that has no room for
                    // one may still have room for what is to be appended.
                    Err(error) if error.kind() == ErrorKind::Unavailable => Ok(false),
                    outcome => outcome.map(|()| false),
                }
            }
        }
    }

    /// Does all there is to do, on the caller's thread.
    pub(crate) fn run(&self) -> Result<()> {
        while self.step()? {}
        Ok(())
    }

    fn round(&self) {
        loop {
            let step = self.step();
            let more = matches!(step, Ok(true));
            self.upkeep.stepped(step.map(drop));
            if !more {
                break;
            }
        }
        self.upkeep.rest();
    }
}

/// Tells those who wait for maintenance if it panics.
struct PanicGuard<'a>(&'a Upkeep);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stepped(Err(Error::new(
                ErrorKind::Internal,
                "maintenance panicked, the index is no longer written until the store is opened again",
            )));
            self.0.close();
        }
    }
}

/// The maintenance thread.
pub(crate) struct MaintenanceThread {
    upkeep: Arc<Upkeep>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MaintenanceThread {
    /// Starts it, with a first round to do.
    #[allow(clippy::disallowed_methods)] // one of the two owners of threads
    pub(crate) fn start(maintenance: Maintenance) -> Result<Self> {
        let upkeep = Arc::clone(&maintenance.upkeep);
        upkeep.ring();
        let body = move || {
            let _guard = PanicGuard(&maintenance.upkeep);
            while let Some(()) = maintenance.upkeep.take() {
                maintenance.round();
            }
        };
        let thread = thread::Builder::new()
            .name("gesta-maintenance".to_owned())
            .spawn(body)
            .map_err(|error| Error::io("starting the maintenance thread", error))?;
        Ok(Self { upkeep, thread: Mutex::new(Some(thread)) })
    }

    /// Stops it after the step it is at. Idempotent.
    pub(crate) fn stop(&self) {
        self.upkeep.close();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Its panic has been printed, and told to those who waited for it.
            let _ = thread.join();
        }
    }
}
