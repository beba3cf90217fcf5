//! I5: slow consumers cost themselves only.

use std::{sync::Arc, time::Duration};

use gesta_store::{
    AppendError, Delivery, ErrorKind, EventStore, ExpectedRevision, Options, Read, ReadOptions, Source,
    SubscribeOptions, Subscription, disk::memory::MemoryDisk, limits,
};

use crate::{event, open, options, stalling::StallingDisk, stream};

fn append_many(store: &EventStore, count: usize) {
    for _ in 0..count {
        store.append(stream("a"), ExpectedRevision::Any, [event("Happened", vec![1; 300])]).wait().unwrap();
    }
}

/// Subscribers and readers that take one batch and stop: the writer does to the disk exactly what it does without them, and they find everything when
/// they come back.
#[test]
fn i5_who_stops_reading_delays_nobody() {
    let read_options = || ReadOptions { batch_events: 3, ..ReadOptions::default() };
    let subscribe_options = || SubscribeOptions { batch_events: 3, ..SubscribeOptions::default() };
    let (alone, followed) = (MemoryDisk::new(), MemoryDisk::new());
    let store = open(&alone, options(false)).unwrap();
    append_many(&store, 1000);

    let store = open(&followed, options(false)).unwrap();
    append_many(&store, 10);
    let mut subscriptions: Vec<Subscription> =
        (0..50).map(|_| store.subscribe(Source::All, subscribe_options()).unwrap()).collect();
    let mut reads: Vec<Read> = (0..50).map(|_| store.read_all(read_options()).unwrap()).collect();
    for subscription in &mut subscriptions {
        assert!(matches!(subscription.next(None).unwrap(), Some(Delivery::Events(batch)) if batch.len() == 3));
    }
    for read in &mut reads {
        assert_eq!(read.next_batch().unwrap().map(|batch| batch.len()), Some(3));
    }
    append_many(&store, 990);
    assert_eq!(followed.operations().changes(), alone.operations().changes());
    // All of it has left the tail cache by now; it costs whoever comes back a look at the disk.
    for mut subscription in subscriptions {
        let mut seen = 3;
        while let Some(Delivery::Events(batch)) = subscription.next(Some(Duration::ZERO)).unwrap() {
            assert!(batch.len() <= 3);
            seen += batch.len();
        }
        assert_eq!(seen, 1000);
    }
    // These are pinned where they began.
    assert!(reads.into_iter().all(|read| read.count() == 7));
}

/// A disk that hangs: the queue takes what it may hold, and then says so instead of growing.
#[test]
fn i5_a_full_queue_refuses() {
    let disk = StallingDisk::default();
    let options = Options { queue_timeout: Duration::from_millis(1), ..options(true) };
    let store = EventStore::open_on(Arc::new(disk.clone()), options).unwrap();
    let stall = disk.stall();
    let mut tickets = Vec::new();
    let refused = loop {
        let ticket = store.append(stream("a"), ExpectedRevision::Any, [event("Happened", "x")]);
        if ticket.is_answered() {
            break ticket;
        }
        tickets.push(ticket);
        // Beside a full queue: a group under way, which looked into the queue twice, and one that was decided meanwhile.
        assert!(tickets.len() <= 4 * limits::QUEUE_PROPOSALS_MAX, "the queue grows without bound");
    };
    drop(stall);
    match refused.wait() {
        Err(AppendError::Failed(error)) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains(&format!("waiting={}", limits::QUEUE_PROPOSALS_MAX)), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let count = tickets.len() as u64;
    assert!(tickets.into_iter().all(|ticket| ticket.wait().is_ok()), "what was taken is answered");
    assert_eq!(store.head().position().0, count);
}
