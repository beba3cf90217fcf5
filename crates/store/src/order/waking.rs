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
        *self.through.write().unwrap_or_else(PoisonError::into_inner) = Some(wake_all);
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
        woken.into_iter().for_each(Waker::wake);
    }
}
