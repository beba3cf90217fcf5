//! A store and what a test moves around it: a disk in memory, and a clock that stands still until it is moved. For the tests of groups and of handlers.
#![allow(dead_code, reason = "each of them uses its part")]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use gesta_store::{
    ConsumerGroups, EventData, EventStore, ExpectedRevision, Options, StreamName, Timestamp,
    clock::ManualClock,
    disk::{Disk, memory::MemoryDisk},
    entropy::Entropy,
};

pub(crate) const NOON: Timestamp = Timestamp(1_700_000_000_000_000_000);

static OPENINGS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct World {
    pub(crate) disk: MemoryDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: EventStore,
    pub(crate) groups: ConsumerGroups,
}

pub(crate) fn options(clock: &Arc<ManualClock>, threads: bool) -> Options {
    Options {
        segment_bytes: 64 << 10,
        threads,
        clock: Arc::clone(clock) as Arc<_>,
        // Another seed for each opening: the ids of proposals are drawn from it.
        entropy: Arc::new(Entropy::seeded(OPENINGS.fetch_add(1, Ordering::Relaxed))),
        ..Options::default()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(MemoryDisk::new(), Arc::new(ManualClock::at(NOON)), false)
    }

    pub(crate) fn on(disk: MemoryDisk, clock: Arc<ManualClock>, threads: bool) -> Self {
        let store = EventStore::open_on(Arc::new(disk.clone()) as Arc<dyn Disk>, options(&clock, threads)).unwrap();
        let groups = store.groups();
        Self { disk, clock, store, groups }
    }

    /// The same store, closed in an orderly way and opened again.
    pub(crate) fn reopened(self) -> Self {
        let Self { disk, clock, store, .. } = self;
        store.close().unwrap();
        Self::on(disk, clock, false)
    }

    /// The machine goes down: what was not synced is lost.
    pub(crate) fn crashed(self) -> Self {
        let (disk, clock) = (self.disk.crash(7), Arc::clone(&self.clock));
        drop(self);
        Self::on(disk, clock, false)
    }

    /// Appends events to a stream.
    pub(crate) fn record(&self, stream: &str, events: impl IntoIterator<Item = EventData>) {
        self.store.append(name(stream), ExpectedRevision::Any, events).wait().unwrap();
    }
}

pub(crate) fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}
