//! The invariants of `ARCHITECTURE.md`, each with a test that carries its number. They are told here once, as plainly as can be; crash tests,
//! simulation and property tests look for what breaks them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod bounded;
mod bytes;
mod damage;
mod dense;
mod durable;
mod following;
mod limits;
mod reference;

use std::sync::Arc;

use gesta_store::{
    EventData, EventStore, Options, Position, ReadOptions, RecordedEvent, Result, StreamName, Timestamp,
    clock::ManualClock,
    disk::{
        Disk,
        memory::{Gate, MemoryDisk, Operation, WatchedDisk},
    },
    entropy::Entropy,
};
use uuid::Uuid;

/// Small segments, a clock that stands still, and the same ids at every run.
fn options(threads: bool) -> Options {
    Options {
        store_id: Some(Uuid::from_u128(0x6765_7374_6100_4000_8000_0000_0000_0001)),
        segment_bytes: 64 << 10,
        tail_cache_bytes: 16 << 10,
        threads,
        clock: Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000_000))),
        entropy: Arc::new(Entropy::seeded(1)),
        ..Options::default()
    }
}

fn open(disk: &MemoryDisk, options: Options) -> Result<EventStore> {
    EventStore::open_on(Arc::new(disk.clone()) as Arc<dyn Disk>, options)
}

/// A disk whose durable writes can be held up, to look at a store while one is under way.
fn gated() -> (Arc<WatchedDisk>, Gate) {
    let gate = Gate::default();
    let watch = gate.clone();
    let disk = WatchedDisk::new(MemoryDisk::new(), move |request| {
        if request.operation == Operation::WriteDurable {
            watch.pass();
        }
        Ok(())
    });
    (Arc::new(disk), gate)
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn event(event_type: &str, data: impl Into<Vec<u8>>) -> EventData {
    EventData::binary(event_type.try_into().unwrap(), data.into())
}

fn all(store: &EventStore) -> Vec<RecordedEvent> {
    store.read_all(ReadOptions::default()).unwrap().collect::<Result<_>>().unwrap()
}

fn positions(events: &[RecordedEvent]) -> Vec<Position> {
    events.iter().map(|event| event.position).collect()
}
