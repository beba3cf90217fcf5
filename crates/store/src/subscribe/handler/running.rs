//! The threads of a handler, one for each consumer, and the hand on it.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use super::{HandlerRunner, HandlerState, HandlerStatus, Handlers, Step, control::Control};
use crate::{
    order::{Parker, Spawn, Threads},
    read::From,
    subscribe::{GroupError, GroupName, group::GroupStatus},
};

/// The longest sleep before the clocks are looked at again: what a handler waits for may be a time of the wall clock, which can be set.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// A handler at work. Dropping it stops the handler, and waits until its consumers have finished the batches they are at.
pub struct RunningHandler {
    name: String,
    group: GroupName,
    handlers: Handlers,
    control: Arc<Control>,
    threads: Threads,
}

impl RunningHandler {
    pub(super) fn start(
        runners: Vec<HandlerRunner>,
        handlers: Handlers,
        name: &str,
        spawn: Spawn<'_>,
    ) -> Result<Self, GroupError> {
        let first = runners.first().expect("a handler has at least one consumer");
        let (control, group) = (Arc::clone(first.control()), first.group().clone());
        let running = Self { name: name.to_owned(), group, handlers, control, threads: Threads::default() };
        for runner in runners {
            // When one cannot be started, what runs already is stopped as this is dropped.
            running.threads.start(&format!("gesta-{}", runner.name()), spawn, Box::new(move || run(runner)))?;
        }
        Ok(running)
    }

    /// The group it is: by it, what it has parked is looked at, replayed and discarded.
    #[must_use]
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// Lets it wait after the batch it is at. Its checkpoint stays where it is; a process that starts anew starts it working.
    pub fn pause(&self) {
        self.control.pause(true);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.control.pause(false);
    }

    /// Begins anew at `from`, after the batch it is at and [`Handler::before_reset`](super::Handler::before_reset). What it has parked is given up, and handed
    /// over again if it lies after `from`. Waits until that is done; must not be called by the handler itself.
    ///
    /// # Errors
    /// `BeyondHead` for a place that does not exist yet; `Setting` for one that its source does not have; `Dropped` when the handler refuses, or stops
    /// before; `Store`.
    pub fn reset(&self, from: From) -> Result<(), GroupError> {
        self.control.reset(from).wait()
    }

    /// Where it stands.
    ///
    /// # Errors
    /// `NoSuchGroup` when it was deleted; `Store`.
    pub fn status(&self) -> Result<HandlerStatus, GroupError> {
        let info = self.handlers.groups.watch(&self.group)?;
        let said = self.control.said(self.handlers.groups.elapsed());
        let state = match (said.state, info.status) {
            (HandlerState::CatchingUp, GroupStatus::Live) => HandlerState::Live,
            (state, _) => state,
        };
        Ok(HandlerStatus {
            name: self.name.clone(),
            state,
            position: info.settled_to,
            head: info.head,
            lag_events: info.lag_events,
            lag: info.lag,
            rate: said.rate,
            handled: said.handled,
            failures: said.failures,
            last_failure: said.last_failure,
            parked: info.parked,
        })
    }

    /// Stops it after the batch it is at, and notes durably how far it came.
    ///
    /// # Errors
    /// `Store` when its progress could not be written: what was handled since the last time is then handed over again.
    pub fn stop(self) -> Result<(), GroupError> {
        self.end();
        self.handlers.groups.flush(&self.group)
    }

    fn end(&self) {
        self.control.stop();
        self.threads.join();
    }
}

impl Drop for RunningHandler {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for RunningHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningHandler").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Takes the steps of a handler until it has ended.
fn run(mut runner: HandlerRunner) {
    let (parker, waker) = Parker::new();
    runner.wake_with(waker.clone());
    loop {
        match runner.step() {
            Step::Worked => {}
            Step::Idle(until) => rest(&runner, &parker, &waker, until),
            Step::Paused => {
                parker.park(None);
            }
            Step::Ended => return,
        }
    }
}

/// Sleeps until there are messages, something falls due, or the handler is told something.
fn rest(runner: &HandlerRunner, parker: &Parker, waker: &Waker, until: Option<Duration>) {
    let timeout = until.map(|until| until.saturating_sub(runner.now()).min(SLEEP_MAX));
    let waits_for_messages = runner.consumer().filter(|_| !runner.is_waiting());
    let Some(consumer) = waits_for_messages else {
        parker.park(timeout);
        return;
    };
    let mut ready = pin!(consumer.ready());
    // An error is met by the next step, which asks for the messages.
    if ready.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
        parker.park(timeout);
    }
}
