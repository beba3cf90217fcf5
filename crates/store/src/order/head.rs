//! How far the log is: the one number that divides what can be read from what cannot yet.
//!
//! Published after a group is durable and never before (I1). Whoever follows the log waits here: for a position, as below, or for
//! an event that matches ([`followers`](super::followers)).
//!
//! **Nobody waits for what is there already.** A waiter says that it waits and then looks at the head; whoever publishes moves the head and then
//! looks who waits; between the two steps of each stands a fence. So one of them sees the other.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    followers::Followers,
    sync::{AtomicU64, AtomicUsize, Mutex, Ordering, Parker, fence, lock},
    waking::{WakeAll, Waking},
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
    /// Those that wait for a position; publishing looks at it before it takes the lock.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters>,
    followers: Followers,
    waking: Waking,
}

#[derive(Default)]
struct Waiters {
    /// By the position each waits to see passed, and a number of its own.
    wakers: BTreeMap<(Position, u64), Waker>,
    next_number: u64,
    closed: bool,
}

impl Head {
    pub(crate) fn at(position: Position) -> Self {
        Self {
            shared: Arc::new(Shared {
                position: AtomicU64::new(position.0),
                waiting: AtomicUsize::new(0),
                waiters: Mutex::new(Waiters::default()),
                followers: Followers::new(position),
                waking: Waking::default(),
            }),
        }
    }

    /// The position the next event will get: everything below can be read.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.shared.position.load(Ordering::Acquire))
    }

    /// Waits until the event at `position` can be read; answers with the head then.
    ///
    /// # Errors
    /// `Unavailable` when `timeout` passes before; `Closed` when the store closes before.
    pub fn wait_past(&self, position: Position, timeout: Option<Duration>) -> Result<Position> {
        if self.position() > position {
            return Ok(self.position());
        }
        let (parker, waker) = Parker::new();
        let mut past = pin!(self.past(position));
        loop {
            if let Poll::Ready(outcome) = past.as_mut().poll(&mut Context::from_waker(&waker)) {
                return outcome;
            }
            if parker.park(timeout) {
                continue;
            }
            let head = self.position();
            if head > position {
                return Ok(head);
            }
            let what = format!("nothing was recorded in time, head={head} waited_for={position}");
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
    }

    /// The same as a future, without a time limit; dropping it stops waiting.
    pub fn past(&self, position: Position) -> Past {
        Past { head: self.clone(), position, number: None }
    }

    /// Makes everything below `position` readable. Those that wait for it are left to the caller, to be woken when he holds no lock: what
    /// a waker does is not ours. So are the followers: see [`Head::announce`].
    #[must_use = "who is not woken waits for ever"]
    pub(crate) fn publish(&self, position: Position) -> Vec<Waker> {
        debug_assert!(position >= self.position(), "the head never moves back");
        self.shared.position.store(position.0, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.shared.waiting.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut waiters = lock(&self.shared.waiters);
        let still_waiting = waiters.wakers.split_off(&(position, 0));
        let ready = std::mem::replace(&mut waiters.wakers, still_waiting);
        self.shared.waiting.store(waiters.wakers.len(), Ordering::Relaxed);
        ready.into_values().collect()
    }

    /// Tells everybody who waits that nothing more will come. As with `publish`, the caller wakes them.
    #[must_use = "who is not woken waits for ever"]
    pub(crate) fn close(&self) -> Vec<Waker> {
        let mut waiters = lock(&self.shared.waiters);
        waiters.closed = true;
        let ready = std::mem::take(&mut waiters.wakers);
        self.shared.waiting.store(0, Ordering::Relaxed);
        drop(waiters);
        let mut wakers: Vec<_> = ready.into_values().collect();
        wakers.append(&mut self.shared.followers.close());
        wakers
    }

    /// Has tasks woken by `wake_all`, many at once.
    pub(crate) fn wake_through(&self, wake_all: WakeAll) {
        self.shared.waking.go_through(wake_all);
    }

    /// Wakes tasks that waited for the head, or for an answer. For whoever holds no lock.
    pub(super) fn wake(&self, woken: Vec<Waker>) {
        self.shared.waking.wake(woken);
    }

    /// Those that wait for an event that matches.
    pub(super) fn followers(&self) -> &Followers {
        &self.shared.followers
    }

    fn forget(&self, position: Position, number: u64) {
        let mut waiters = lock(&self.shared.waiters);
        let forgotten = waiters.wakers.remove(&(position, number));
        self.shared.waiting.store(waiters.wakers.len(), Ordering::Relaxed);
        drop(waiters);
        drop(forgotten); // what that does is not ours either
    }
}

pub(super) fn closed() -> Error {
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
    number: Option<u64>,
}

impl Future for Past {
    type Output = Result<Position>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(number) = self.number.take() {
            self.head.forget(self.position, number);
        }
        let shared = Arc::clone(&self.head.shared);
        let waker = context.waker().clone();
        let mut waiters = lock(&shared.waiters);
        // Counted before the last look at the head: a publisher then either sees the count or is seen here.
        shared.waiting.store(waiters.wakers.len() + 1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let head = self.head.position();
        if head > self.position || waiters.closed {
            shared.waiting.store(waiters.wakers.len(), Ordering::Relaxed);
            return Poll::Ready(if head > self.position { Ok(head) } else { Err(closed()) });
        }
        let number = waiters.next_number;
        waiters.next_number += 1;
        waiters.wakers.insert((self.position, number), waker);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            self.head.forget(self.position, number);
        }
    }
}
