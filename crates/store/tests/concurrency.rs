//! Real threads on one store: writers whose streams overlap, readers, subscribers, maintenance. No update is lost, no gap shows, and everybody
//! who follows sees everything once and in order.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gesta_store::{
    Append, AppendCondition, AppendError, Delivery, Direction, EventData, EventStore, ExpectedRevision, Options,
    Position, Query, QueryItem, ReadOptions, RecordedEvent, Rejection, Source, StreamName, SubscribeOptions, Tag,
    disk::{Disk, FileDisk, memory::MemoryDisk},
};
use uuid::Uuid;

const WRITERS: u64 = 8;
const INCREMENTS: u64 = 60;
const COUNTERS: u64 = 3;
const LAST: Uuid = Uuid::from_u128(1);

fn name(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn counter(number: u64) -> StreamName {
    name(&format!("counter-{}", number % COUNTERS))
}

fn seats() -> Tag {
    Tag::new("/seats").unwrap()
}

fn event(event_type: &str, value: u64) -> EventData {
    // Large enough for a few segments.
    let data =
        format!("{{\"value\":{value},\"padding\":\"{}\"}}", "x".repeat(usize::try_from(value % 7).unwrap() * 60));
    EventData::json(event_type.try_into().unwrap(), data)
}

fn value(event: &RecordedEvent) -> u64 {
    serde_json::from_slice::<serde_json::Value>(&event.data).unwrap()["value"].as_u64().unwrap()
}

fn last(store: &EventStore, source: Source) -> Option<RecordedEvent> {
    let options = ReadOptions { direction: Direction::Backward, limit: Some(1), ..ReadOptions::default() };
    store.read(source, options).ok()?.next().map(Result::unwrap)
}

/// Reads the counter, adds one, and says what it expects; tries again when somebody was faster.
fn increment(store: &EventStore, stream: &StreamName) {
    loop {
        let before = last(store, Source::Stream(stream.clone()));
        let (expected, next) = match &before {
            None => (ExpectedRevision::NoStream, 1),
            Some(before) => (ExpectedRevision::Exact(before.revision), value(before) + 1),
        };
        let log = name("audit");
        let request = Append::to(stream.clone(), expected, [event("Incremented", next)]).stream(
            log,
            ExpectedRevision::Any,
            [event("Audited", next)],
        );
        match store.commit(request).wait() {
            Ok(_) => return,
            Err(AppendError::Rejected(Rejection::WrongRevision { .. })) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// Takes the next seat, by a condition on a query instead of an expectation of a stream.
fn take_seat(store: &EventStore, writer: u64) {
    let taken = || Query::of(QueryItem::default().tag(seats()));
    loop {
        let before = last(store, Source::Query(taken()));
        let next = before.as_ref().map_or(1, |before| value(before) + 1);
        let condition = AppendCondition { none_matching: taken(), after: before.map(|before| before.position) };
        let seat = event("SeatTaken", next).with_tag(seats());
        let request = Append::to(name(&format!("guest-{writer}")), ExpectedRevision::Any, [seat]).condition(condition);
        match store.commit(request).wait() {
            Ok(_) => return,
            Err(AppendError::Rejected(Rejection::ConditionFailed { .. })) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

fn assert_dense(events: &[RecordedEvent]) {
    let mut revisions: BTreeMap<&StreamName, u64> = BTreeMap::new();
    for (position, event) in events.iter().enumerate() {
        assert_eq!(event.position, Position(position as u64));
        let next = revisions.entry(&event.stream).or_default();
        assert_eq!(event.revision.0, *next, "{}", event.stream);
        *next += 1;
    }
}

fn read(store: &EventStore, source: Source) -> Vec<RecordedEvent> {
    store.read(source, ReadOptions::default()).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Until the last event of all is seen.
fn follow(store: &EventStore, source: Source) -> Vec<Position> {
    let mut subscription =
        store.subscribe(source, SubscribeOptions { batch_events: 7, ..SubscribeOptions::default() }).unwrap();
    let mut seen = Vec::new();
    loop {
        if let Some(Delivery::Events(batch)) = subscription.next(None).unwrap() {
            seen.extend(batch.iter().map(|event| event.position));
            if batch.iter().any(|event| event.id == LAST) {
                return seen;
            }
        }
    }
}

fn read_until(store: &EventStore, done: &AtomicBool, reader: u64) {
    let mut before = 0;
    while !done.load(Ordering::SeqCst) {
        let head = store.head().position();
        let events = read(store, Source::All);
        assert!(events.len() as u64 >= head.0 && events.len() >= before, "what was seen once is seen again");
        before = events.len();
        assert_dense(&events);
        if let Ok(values) = store.read_stream(counter(reader), ReadOptions::default()) {
            let values: Vec<u64> = values.map(|event| value(&event.unwrap())).collect();
            assert_eq!(values, (1..=values.len() as u64).collect::<Vec<_>>());
        }
    }
}

fn contend(disk: Arc<dyn Disk>) {
    let options = Options { segment_bytes: 64 << 10, tail_cache_bytes: 8 << 10, ..Options::default() };
    let store = EventStore::open_on(disk, options.clone()).unwrap();
    let audited = Source::Query(Query::of(QueryItem::default().event_type("Audited".try_into().unwrap())));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let followers = [Source::All, audited.clone()].map(|source| {
            let store = &store;
            scope.spawn(move || (follow(store, source.clone()), source))
        });
        for reader in 0..4 {
            let (store, done) = (&store, &done);
            scope.spawn(move || read_until(store, done, reader));
        }
        std::thread::scope(|writers| {
            for writer in 0..WRITERS {
                let store = &store;
                writers.spawn(move || {
                    for number in 0..INCREMENTS {
                        increment(store, &counter(writer + number));
                        if number % 4 == 0 {
                            take_seat(store, writer);
                        }
                    }
                });
            }
        });
        done.store(true, Ordering::SeqCst);
        store.append(name("audit"), ExpectedRevision::Any, [event("Audited", 0).with_id(LAST)]).wait().unwrap();
        for follower in followers {
            let (seen, source) = follower.join().unwrap();
            let expected: Vec<_> = read(&store, source).iter().map(|event| event.position).collect();
            assert_eq!(seen, expected, "everything once, in order");
        }
    });
    let counted: u64 = (0..COUNTERS)
        .filter_map(|number| last(&store, Source::Stream(counter(number))))
        .map(|event| value(&event))
        .sum();
    assert_eq!(counted, WRITERS * INCREMENTS, "no increment is lost");
    let taken: Vec<u64> =
        read(&store, Source::Query(Query::of(QueryItem::default().tag(seats())))).iter().map(value).collect();
    assert_eq!(taken, (1..=WRITERS * INCREMENTS.div_ceil(4)).collect::<Vec<_>>(), "no seat is taken twice");
    store.settle().unwrap();
    let report = store.verify(|_| ()).unwrap();
    assert!(report.is_sound() && report.segments > 1, "{report:?}");
}

#[test]
fn threads_lose_no_update_on_a_disk_in_memory() {
    contend(Arc::new(MemoryDisk::new()));
}

#[test]
fn threads_lose_no_update_on_files() {
    let dir = tempfile::tempdir().unwrap();
    contend(Arc::new(FileDisk::new(dir.path().join("store"))));
}
