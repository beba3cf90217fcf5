//! Consumer groups through the front door: on a disk in memory, with a clock that stands still until it is moved, and without threads, but for the
//! tests of waiting.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod administration;
mod answers;
mod crashes;
mod parking;
mod progress;
mod sources;
mod strategies;
mod waiting;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gesta_store::{
    Consumer, ConsumerGroups, ConsumerOptions, EventData, EventStore, ExpectedRevision, GroupName, GroupSettings,
    Message, MessageId, Options, Position, ReadOptions, RecordedEvent, Source, Strategy, StreamName, Timestamp,
    clock::ManualClock,
    disk::{Disk, memory::MemoryDisk},
    entropy::Entropy,
};

const NOON: Timestamp = Timestamp(1_700_000_000_000_000_000);

static OPENINGS: AtomicU64 = AtomicU64::new(0);

/// A store, and what a test moves around it.
struct World {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    store: EventStore,
    groups: ConsumerGroups,
}

fn options(clock: &Arc<ManualClock>, threads: bool) -> Options {
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
    fn new() -> Self {
        Self::on(MemoryDisk::new(), Arc::new(ManualClock::at(NOON)), false)
    }

    fn on(disk: MemoryDisk, clock: Arc<ManualClock>, threads: bool) -> Self {
        let store = EventStore::open_on(Arc::new(disk.clone()) as Arc<dyn Disk>, options(&clock, threads)).unwrap();
        let groups = store.groups();
        Self { disk, clock, store, groups }
    }

    /// The same store, closed in an orderly way and opened again.
    fn reopened(self) -> Self {
        let Self { disk, clock, store, .. } = self;
        store.close().unwrap();
        Self::on(disk, clock, false)
    }

    /// The machine goes down: what was not synced is lost.
    fn crashed(self) -> Self {
        let (disk, clock) = (self.disk.crash(7), Arc::clone(&self.clock));
        drop(self);
        Self::on(disk, clock, false)
    }

    /// Appends events to a stream.
    fn append(&self, stream: &str, types: impl IntoIterator<Item = &'static str>) {
        let events = types.into_iter().map(event);
        self.store.append(name(stream), ExpectedRevision::Any, events).wait().unwrap();
    }

    fn create(&self, group: &GroupName, source: Source, settings: GroupSettings) {
        self.groups.create(group, source, settings).unwrap();
    }

    fn connect(&self, group: &GroupName) -> Consumer {
        self.groups.connect(group, &ConsumerOptions { slots: 1000, ..ConsumerOptions::default() }).unwrap()
    }

    fn all(&self) -> Vec<RecordedEvent> {
        self.store.read_all(ReadOptions::default()).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

fn event(event_type: &str) -> EventData {
    EventData::json(event_type.try_into().unwrap(), "{}")
}

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).unwrap()
}

fn on_all() -> GroupName {
    GroupName::on_all("g").unwrap()
}

fn with(strategy: Strategy) -> GroupSettings {
    GroupSettings { strategy, ..GroupSettings::default() }
}

/// Takes what there is without waiting, as often as there is something.
fn drain(consumer: &Consumer) -> Vec<Message> {
    let mut taken = Vec::new();
    loop {
        let messages = consumer.try_next(1000).unwrap();
        if messages.is_empty() {
            return taken;
        }
        taken.extend(messages);
    }
}

fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn at(positions: impl IntoIterator<Item = u64>) -> Vec<MessageId> {
    positions.into_iter().map(|position| MessageId(Position(position))).collect()
}

/// Stream and type of messages.
fn shown(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| format!("{}:{}", message.event.stream, message.event.event_type)).collect()
}

const SECOND: Duration = Duration::from_secs(1);
