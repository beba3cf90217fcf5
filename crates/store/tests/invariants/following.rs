//! I4: a subscription is a read that waits at the end.

use gesta_store::{
    Delivery, EventStore, ExpectedRevision, From, Position, Query, QueryItem, ReadOptions, Source, SubscribeOptions,
    Tag, disk::memory::MemoryDisk,
};
use uuid::Uuid;

use crate::{event, open, options, positions, stream};

/// The last event every follower of this file sees.
const LAST: Uuid = Uuid::from_u128(99);

fn sources() -> Vec<Source> {
    let tag = || Tag::new("/accounts/1").unwrap();
    vec![
        Source::All,
        Source::Stream(stream("order-1")),
        Source::Stream(stream("$ce-order")),
        Source::Stream(stream("$et-Paid")),
        Source::Query(Query::of(QueryItem::default().event_type("Paid".try_into().unwrap()).tag(tag()))),
        Source::Query(Query::of(QueryItem::default().path("/accounts/*".parse().unwrap()))),
    ]
}

fn follow(store: &EventStore, source: &Source, batch_events: usize) -> Vec<Position> {
    let options = SubscribeOptions { batch_events, ..SubscribeOptions::from(From::Beginning) };
    let mut subscription = store.subscribe(source.clone(), options).unwrap();
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

#[test]
fn i4_followers_see_what_a_read_gives_while_others_append() {
    let store = open(&MemoryDisk::new(), options(true)).unwrap();
    let fact = |kind: &str, number: u64| {
        event(kind, vec![7; 100]).with_tag(Tag::new(format!("/accounts/{}", number % 3)).unwrap())
    };
    let append = |number: u64| {
        let kind = if number.is_multiple_of(2) { "Paid" } else { "Placed" };
        store.append(stream(&format!("order-{}", number % 3)), ExpectedRevision::Any, [fact(kind, number)])
    };
    std::thread::scope(|scope| {
        let followers: Vec<_> = sources()
            .into_iter()
            .enumerate()
            .map(|(index, source)| {
                let store = &store;
                scope.spawn(move || (follow(store, &source, 1 + index * 40), source))
            })
            .collect();
        std::thread::scope(|writers| {
            for writer in 0..4_u64 {
                writers.spawn(move || {
                    for number in 0..150 {
                        append(writer * 1000 + number).wait().unwrap();
                    }
                });
            }
        });
        let last = fact("Paid", 1).with_id(LAST);
        store.append(stream("order-1"), ExpectedRevision::Any, [last]).wait().unwrap();
        for follower in followers {
            let (seen, source) = follower.join().unwrap();
            let read: Vec<_> =
                store.read(source.clone(), ReadOptions::default()).unwrap().map(Result::unwrap).collect();
            assert_eq!(seen, positions(&read), "{source:?}");
            assert!(seen.len() > 50, "{source:?}");
        }
    });
}
