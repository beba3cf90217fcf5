//! How far the log is: the one number that divides what can be read from what cannot yet.
//!
//! Published after a group is durable and never before (I1). Whoever follows the log waits here.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    error::{Error, ErrorKind, Result},
    position::Position,
};

/// How far the log is. Cheap to clone.
#[derive(Clone)]
pub struct Head {
    shared: Arc<Shared>,
}

struct Shared {
    position: AtomicU64,
    /// Threads and tasks that wait; publishing looks at it before it takes the lock.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters>,
    moved: Condvar,
}

#[derive(Default)]
struct Waiters {
    /// Tasks, with the position each waits to see passed, under a number of their own.
    tasks: Vec<(u64, Position, Waker)>,
    next_task: u64,
    closed: bool,
}

impl Head {
    pub(crate) fn at(position: Position) -> Self {
        Self {
            shared: Arc::new(Shared {
                position: AtomicU64::new(position.0),
                waiting: AtomicUsize::new(0),
                waiters: Mutex::default(),
                moved: Condvar::new(),
            }),
        }
    }

    /// The position the next event will get: everything below can be read.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.shared.position.load(Ordering::SeqCst))
    }

    /// Waits until the event at `position` can be read; answers with the head then.
    ///
    /// # Errors
    /// `Unavailable` when `timeout` passes before; `Closed` when the store closes before.
    #[allow(clippy::disallowed_methods)] // the condition variable's timeout, not a clock that is recorded
    pub fn wait_past(&self, position: Position, timeout: Option<Duration>) -> Result<Position> {
        if self.position() > position {
            return Ok(self.position());
        }
        let mut waiters = self.shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.waiting.fetch_add(1, Ordering::SeqCst);
        let pending = |waiters: &mut Waiters| !waiters.closed && self.position() <= position;
        waiters = match timeout {
            None => self.shared.moved.wait_while(waiters, pending).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.shared.moved.wait_timeout_while(waiters, timeout, pending);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        self.shared.waiting.fetch_sub(1, Ordering::SeqCst);
        let head = self.position();
        if head > position {
            Ok(head)
        } else if waiters.closed {
            Err(closed())
        } else {
            Err(Error::new(
                ErrorKind::Unavailable,
                format!("nothing was recorded in time, head={head} waited_for={position}"),
            ))
        }
    }

    /// The same as a future, without a time limit; dropping it stops waiting.
    pub fn past(&self, position: Position) -> Past {
        Past { head: self.clone(), position, task: None }
    }

    /// Makes everything below `position` readable, and wakes the threads that wait for it. The tasks are left to the caller, to be woken
    /// when he holds no lock: what a waker does is not ours.
    #[must_use = "tasks that are not woken wait for ever"]
    pub(crate) fn publish(&self, position: Position) -> Vec<Waker> {
        debug_assert!(position >= self.position(), "the head never moves back");
        self.shared.position.store(position.0, Ordering::SeqCst);
        if self.shared.waiting.load(Ordering::SeqCst) == 0 {
            return Vec::new();
        }
        let mut waiters = self.shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        self.release(&mut waiters, |waits_for| waits_for < position)
    }

    /// Tells everybody who waits that nothing more will come. As with `publish`, the caller wakes the tasks.
    #[must_use = "tasks that are not woken wait for ever"]
    pub(crate) fn close(&self) -> Vec<Waker> {
        let mut waiters = self.shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.closed = true;
        self.release(&mut waiters, |_| true)
    }

    fn release(&self, waiters: &mut Waiters, is_ready: impl Fn(Position) -> bool) -> Vec<Waker> {
        let ready = waiters.tasks.extract_if(.., |(_, waits_for, _)| is_ready(*waits_for));
        let wakers: Vec<_> = ready.map(|(_, _, waker)| waker).collect();
        self.shared.waiting.fetch_sub(wakers.len(), Ordering::SeqCst);
        self.shared.moved.notify_all();
        wakers
    }

    fn forget(&self, task: u64) {
        let mut waiters = self.shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = waiters.tasks.iter().position(|(known, ..)| *known == task) {
            waiters.tasks.swap_remove(at);
            self.shared.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "store was closed while waiting for its head, open it again")
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Head").field(&self.position()).finish()
    }
}

/// Waits for the head to pass a position: see [`Head::past`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Past {
    head: Head,
    position: Position,
    task: Option<u64>,
}

impl Future for Past {
    type Output = Result<Position>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(task) = self.task.take() {
            self.head.forget(task);
        }
        let shared = Arc::clone(&self.head.shared);
        let mut waiters = shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted before the last look at the head: a publisher then either sees the count or is seen here.
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        let head = self.head.position();
        if head > self.position || waiters.closed {
            shared.waiting.fetch_sub(1, Ordering::SeqCst);
            return Poll::Ready(if head > self.position { Ok(head) } else { Err(closed()) });
        }
        let task = waiters.next_task;
        waiters.next_task += 1;
        waiters.tasks.push((task, self.position, context.waker().clone()));
        self.task = Some(task);
        Poll::Pending
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.head.forget(task);
        }
    }
}
