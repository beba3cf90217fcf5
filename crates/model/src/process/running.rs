//! The hand on a process at work.

use std::{sync::PoisonError, time::Duration};

use gesta_store::{HandlerStatus, RunningHandler};

use super::{Instances, Process, runner::SharedAgenda};
use crate::error::{Error, Result};

/// A process at work. Dropping it stops the process, and waits until it has finished what it is at.
#[derive(Debug)]
pub struct RunningProcess<P: Process> {
    handler: RunningHandler,
    instances: Instances<P>,
    agenda: SharedAgenda,
}

/// Where a process stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProcessStatus {
    /// As a handler of events: what it is doing, how far it is, how fast.
    pub handler: HandlerStatus,
    /// Instances that wait to try again what did not work.
    pub waiting: usize,
    /// Instances that wait for a time.
    pub scheduled: usize,
    /// Instances that wait for somebody who looks.
    pub parked: usize,
}

impl<P: Process> RunningProcess<P> {
    pub(crate) fn new(handler: RunningHandler, instances: Instances<P>, agenda: SharedAgenda) -> Self {
        Self { handler, instances, agenda }
    }

    /// Where it stands.
    ///
    /// # Errors
    /// What the store may fail with.
    pub fn status(&self) -> Result<ProcessStatus> {
        let handler = self.handler.status().map_err(|error| Error::Unanswerable(error.to_string()))?;
        let [waiting, scheduled, parked] = self.agenda.lock().unwrap_or_else(PoisonError::into_inner).counts();
        Ok(ProcessStatus { handler, waiting, scheduled, parked })
    }

    /// The parked instances, and why they are.
    #[must_use]
    pub fn parked(&self) -> Vec<(String, String)> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner).parked()
    }

    /// Waits until it has nothing left to do, but for what has its time: see [`Domain::settle`](crate::Domain::settle). `false`: it had not in time.
    ///
    /// # Errors
    /// `Unanswerable` if it has stopped; what the store may fail with.
    pub fn settle(&self, timeout: Option<Duration>) -> Result<bool> {
        super::settle(self.instances.store(), &[self], timeout)
    }

    /// Its instances.
    #[must_use]
    pub fn instances(&self) -> &Instances<P> {
        &self.instances
    }

    /// Lets it wait after what it is at: timers too.
    pub fn pause(&self) {
        self.handler.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.handler.resume();
    }

    /// Stops it after what it is at, and notes durably how far it came.
    ///
    /// # Errors
    /// When that could not be noted: what was heard since is then delivered again, and known to have been heard.
    pub fn stop(self) -> Result<()> {
        self.handler.stop().map_err(|error| Error::Unanswerable(error.to_string()))
    }
}
