//! The thread of a projector: the only place of this crate that starts one.

use std::{
    fmt,
    future::Future,
    io,
    ops::Deref,
    pin::pin,
    sync::Arc,
    task::{Context, Wake, Waker},
    thread::{JoinHandle, Thread},
    time::Duration,
};

use gesta_store::{EventStore, Source};

use crate::{
    control::{Control, ProjectorStatus},
    projector::Projector,
    runner::{ProjectorRunner, Step},
};

/// A projector at work on a thread of its own, and the hand on it. Dropping it stops it, after the transaction it is at. Keeps its store open.
pub struct RunningProjector {
    pub(crate) name: &'static str,
    control: Arc<Control>,
    pub(crate) store: EventStore,
    /// Where its events are.
    pub(crate) source: Source,
    thread: Option<JoinHandle<()>>,
}

impl<P: Projector> ProjectorRunner<P> {
    /// Lets it work on a thread of its own.
    ///
    /// # Errors
    /// When there is no thread to be had.
    #[allow(clippy::disallowed_methods)] // the thread of a projector
    pub fn start(self) -> io::Result<RunningProjector> {
        let (control, store, source) = (Arc::clone(self.control()), self.store().clone(), self.source());
        let builder = std::thread::Builder::new().name(format!("gesta-{}", P::NAME));
        let thread = builder.spawn(move || run(self))?;
        Ok(RunningProjector { name: P::NAME, control, store, source, thread: Some(thread) })
    }
}

impl RunningProjector {
    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> ProjectorStatus {
        self.control.status(self.store.head().position())
    }

    /// Stops it after the transaction it is at, and waits for that.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.control.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in it was one of this crate; it has been told by then.
            let _ = thread.join();
        }
    }
}

impl Deref for RunningProjector {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for RunningProjector {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for RunningProjector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningProjector").field("control", &self.control).finish_non_exhaustive()
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Takes the steps of a projector until it has ended.
fn run<P: Projector>(mut runner: ProjectorRunner<P>) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    runner.control().set_waker(waker.clone());
    loop {
        match runner.step() {
            Step::Worked => {}
            Step::Idle(until) => {
                let timeout = until.map(|until| until.saturating_sub(runner.now()));
                rest(&mut runner, &waker, timeout);
            }
            Step::Paused => std::thread::park(),
            Step::Ended => return,
        }
    }
}

/// Sleeps until there are events, something falls due, or it is told something.
fn rest<P: Projector>(runner: &mut ProjectorRunner<P>, waker: &Waker, timeout: Option<Duration>) {
    let park = || match timeout {
        Some(timeout) => std::thread::park_timeout(timeout),
        None => std::thread::park(),
    };
    let Some(subscription) = runner.awaited() else { return park() };
    let mut ready = pin!(subscription.ready());
    // An error is met by the next step, which asks for the events.
    if ready.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
        park();
    }
}
