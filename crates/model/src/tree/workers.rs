//! Whose threads a replay runs on: the caller's choice. The only place of this crate that starts threads, and each is gone when the call returns.

use std::{
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Runs independent jobs.
pub trait Workers {
    /// Calls `job` once with each number below `jobs`, in any order, on any threads; returns when all are done.
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// The thread that asks.
#[derive(Clone, Copy, Debug)]
pub struct OnCaller;

impl Workers for OnCaller {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}

/// So many threads, for the time of the call, the one that asks among them.
#[derive(Clone, Copy, Debug)]
pub struct Threads(pub NonZero<usize>);

impl Workers for Threads {
    #[allow(clippy::disallowed_methods)] // see the module's words
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let mine = next.fetch_add(1, Ordering::Relaxed);
                if mine >= jobs {
                    break;
                }
                job(mine);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.0.get().min(jobs) {
                scope.spawn(work);
            }
            work();
        });
    }
}
