//! Consumer groups through the front door: on a disk in memory, with a clock that stands still until it is moved, and without threads, but for the
//! tests of waiting.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod administration;
mod answers;
mod clock;
mod crashes;
mod crowded;
mod edges;
mod moving;
mod parking;
mod progress;
mod sources;
mod strategies;
mod waiting;
#[path = "../world/mod.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use gesta_store::{
    Consumer, ConsumerOptions, EventData, ExpectedRevision, GroupName, GroupSettings, Message, MessageId, Position,
    ReadOptions, RecordedEvent, Source, Strategy, StreamName, Timestamp, disk::memory::MemoryDisk,
};

use self::world::{World, name};

impl World {
    /// Appends events to a stream.
    fn append(&self, stream: &str, types: impl IntoIterator<Item = &'static str>) {
        self.record(stream, types.into_iter().map(event));
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
