//! How a process works.

use std::time::Duration;

use gesta_store::Backoff;

/// How a process works. Begin with the default and change what matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOptions {
    /// What it hears first, if it never ran. Written down then, and not asked again. Default: everything.
    pub start: Start,
    /// How long it waits to try again what did not work. Default: 100 milliseconds, twice as long each time, at most 30 seconds.
    pub backoff: Backoff,
    /// How often it tries again before the instance is parked, or what stands under [`or`](super::Effect::or) is done. Default: 10.
    pub retries: u32,
    /// Most instances kept in memory between two events. Default: 10 000.
    pub cached_instances: usize,
    /// Most instances brought forward side by side, on one thread: while one waits for the disk, the others go on. 1: one after the other, in the order
    /// of their events. Default: 64.
    pub at_once: usize,
    /// Most events handed over at once. Default: 100.
    pub batch_events: usize,
    /// After so many records of its own it is noted which instances wait for something: a start reads the records since, and of those instances.
    /// Default: 1 000.
    pub roster_records: u32,
    /// After this time it is noted which events need not be handed over again. Default: one second.
    pub checkpoint_after: Duration,
}

/// What a process hears first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Everything that is recorded.
    Beginning,
    /// Only what is recorded from now on. Earlier events are part of its state.
    Now,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            start: Start::Beginning,
            backoff: Backoff::default(),
            retries: 10,
            cached_instances: 10_000,
            at_once: 64,
            batch_events: 100,
            roster_records: 1_000,
            checkpoint_after: Duration::from_secs(1),
        }
    }
}
