//! What waiting for the head, and for work, is made of: the standard library's locks and atomics, or those of `loom` under `--cfg loom`, which tries
//! every order in which threads can meet (see `hand_off.rs`). And [`Parker`], by which a thread waits as a task does: through a waker.

use std::{
    sync::{Arc, PoisonError},
    task::{Wake, Waker},
    time::Duration,
};

#[cfg(loom)]
pub(super) use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering, fence},
};
#[cfg(not(loom))]
pub(super) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering, fence},
};

/// Where a thread sleeps until its waker is called. A call before it sleeps is not lost.
#[derive(Debug)]
pub(crate) struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    /// A place to sleep, and the waker that ends it.
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let parker = Arc::new(Self { woken: Mutex::new(false), changed: Condvar::new() });
        (Arc::clone(&parker), Waker::from(parker))
    }

    /// Sleeps until woken, at most `timeout` (for ever, if `None`); whether it was.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> bool {
        let mut woken = lock(&self.woken);
        match timeout {
            Some(timeout) => woken = self.sleep(woken, timeout),
            None => {
                while !*woken {
                    woken = self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        std::mem::take(&mut *woken)
    }

    #[cfg(not(loom))]
    #[allow(clippy::disallowed_methods)] // the condition variable's timeout, not a clock that is recorded
    fn sleep<'a>(&self, woken: MutexGuard<'a, bool>, timeout: Duration) -> MutexGuard<'a, bool> {
        self.changed.wait_timeout_while(woken, timeout, |woken| !*woken).unwrap_or_else(PoisonError::into_inner).0
    }

    /// In a model no time passes: what is not there yet comes too late.
    #[cfg(loom)]
    fn sleep<'a>(&self, woken: MutexGuard<'a, bool>, _: Duration) -> MutexGuard<'a, bool> {
        woken
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *lock(&self.woken) = true;
        self.changed.notify_one();
    }
}

/// Waits as long as something holds.
pub(super) fn wait_while<'a, T>(
    condvar: &Condvar,
    mut guard: MutexGuard<'a, T>,
    mut holds: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    while holds(&mut guard) {
        guard = condvar.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    guard
}

/// Waits as long as something holds, at most so long. In a model no time passes: who is not woken waits for ever, which is found.
pub(super) fn wait_timeout_while<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
    holds: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    #[cfg(not(loom))]
    #[allow(clippy::disallowed_methods)] // the condition variable's timeout, not a clock that is recorded
    return condvar.wait_timeout_while(guard, timeout, holds).unwrap_or_else(PoisonError::into_inner).0;
    #[cfg(loom)]
    return {
        let _: Duration = timeout;
        wait_while(condvar, guard, holds)
    };
}

/// Takes a lock, also one whose holder panicked: whatever is guarded here is whole between any two steps.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
