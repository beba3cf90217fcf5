//! How tasks that wait for the store are woken: those that one group of appends has answered, together.
//!
//! Waking a task from a thread that is not its runtime's costs a system call, and the runtime's thread, woken on the processor of the one that wakes,
//! comes first at once: it serves this one task and sleeps again, and the writer wakes it for the next. A runtime that is given them all wakes once.

use std::{
    sync::{Arc, PoisonError, RwLock},
    task::Waker,
};

/// Wakes all of them.
pub(super) type WakeAll = Arc<dyn Fn(Vec<Waker>) + Send + Sync>;

/// Who wakes tasks: the thread that has something for them, unless somebody has asked for it.
#[derive(Default)]
pub(super) struct Waking {
    through: RwLock<Option<WakeAll>>,
}

impl Waking {
    /// From now on tasks are woken by `wake_all`.
    pub(super) fn go_through(&self, wake_all: WakeAll) {
        let before = self.through.write().unwrap_or_else(PoisonError::into_inner).replace(wake_all);
        drop(before); // with no lock held: what that does is not ours
    }

    /// Wakes tasks. The caller holds no lock: what a waker does is not ours.
    pub(super) fn wake(&self, woken: Vec<Waker>) {
        // A lone one is sooner there without a detour.
        if woken.len() > 1 {
            let through = self.through.read().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(wake_all) = through {
                return wake_all(woken);
            }
        }
        let mut left = Left(woken.into_iter());
        left.0.by_ref().for_each(Waker::wake);
    }
}

/// Those that were not woken yet, and are even if one before them panics: their answers are there, and nobody else knows of them.
struct Left(std::vec::IntoIter<Waker>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.by_ref().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::Ordering,
        task::Wake,
    };

    use super::*;
    use crate::order::tests::Bell;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of whoever waits");
        }
    }

    #[test]
    fn a_waker_that_panics_leaves_nobody_asleep() {
        let [first, last] = [(); 2].map(|()| Arc::<Bell>::default());
        let wakers = vec![Arc::clone(&first).into(), Arc::new(Panics).into(), Arc::clone(&last).into()];
        let woken = catch_unwind(AssertUnwindSafe(|| Waking::default().wake(wakers)));
        assert!(woken.is_err());
        assert!([first, last].iter().all(|woken| woken.0.load(Ordering::SeqCst) == 1));
    }
}
