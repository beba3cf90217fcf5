//! I2: dense order.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use gesta_store::{Append, EventStore, ExpectedRevision, disk::memory::MemoryDisk};

use crate::{all, event, open, options, stream};

fn assert_dense(store: &EventStore) {
    let head = store.head().position();
    let events = all(store);
    assert!(events.len() as u64 >= head.0, "a reader at head {head} has seen every position below it");
    let mut revisions: BTreeMap<_, u64> = BTreeMap::new();
    for (position, event) in events.iter().enumerate() {
        assert_eq!(event.position.0, position as u64);
        let next = revisions.entry(event.stream.clone()).or_default();
        assert_eq!(event.revision.0, *next, "{}", event.stream);
        *next += 1;
    }
}

/// Refusals, commits over several streams, groups, restarts: none leaves a gap, also not for those who read meanwhile.
#[test]
fn i2_positions_and_revisions_are_dense_at_every_moment() {
    let disk = MemoryDisk::new();
    for round in 0..3_u64 {
        let store = open(&disk, options(true)).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    assert_dense(&store);
                }
            });
            let writers: Vec<_> =
                (0..4_u64)
                    .map(|writer| {
                        let store = &store;
                        scope.spawn(move || {
                            for number in 0..60_u64 {
                                let name = |number: u64| stream(&format!("s-{}", number % 5));
                                let expected =
                                    if number % 3 == 0 { ExpectedRevision::NoStream } else { ExpectedRevision::Any };
                                let request =
                                    Append::to(name(number), expected, [event("A", vec![0; 200]), event("B", "")])
                                        .stream(name(number + writer + round + 1), expected, [event("C", "")]);
                                drop(store.commit(request).wait());
                            }
                        })
                    })
                    .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            done.store(true, Ordering::SeqCst);
        });
        assert_dense(&store);
    }
}
