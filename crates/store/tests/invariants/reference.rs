//! I7: the log is the reference.

use gesta_store::{
    Access, Direction, EventStore, ExpectedRevision, Query, QueryItem, ReadOptions, StreamFilter, Tag, TypeFilter,
    disk::memory::MemoryDisk,
};

use crate::{all, event, open, options, positions, stream};

fn queries() -> Vec<Query> {
    let item = QueryItem::default;
    let tag = |tag: &str| Tag::new(tag).unwrap();
    vec![
        Query::of(item().tag(tag("/accounts/7"))),
        Query::of(item().event_type("Rare".try_into().unwrap())),
        Query::of(item().stream(StreamFilter::Exact(stream("order-31")))),
        Query::of(item().stream(StreamFilter::Pattern("*-3*1".into())).tag(tag("red"))),
        Query::of(item().stream(StreamFilter::Prefix("order-9".into()))).or(item().tag(tag("/accounts/3"))),
        Query::of(item().path("/accounts/{id}".parse().unwrap()).event_type("Rare".try_into().unwrap())),
        Query::of(QueryItem { types: vec![TypeFilter::Prefix("Ra".into())], ..item() }),
        Query::of(item().tag(tag("red")).tag(tag("/accounts/1"))).or(item().event_type("None".try_into().unwrap())),
    ]
}

fn assert_answers_equal_a_scan(store: &EventStore) -> usize {
    let events = all(store);
    let mut by_index = 0;
    for query in queries() {
        let matching = events
            .iter()
            .filter(|event| query.matches(&event.stream, &event.event_type, event.tags.iter().map(Tag::as_str)));
        let mut expected: Vec<_> = matching.map(|event| event.position).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let options = ReadOptions { direction, ..ReadOptions::default() };
            by_index += usize::from(store.explain(&query, &options).unwrap().access == Access::Index);
            let found: Vec<_> = store.read_query(query.clone(), options).unwrap().map(Result::unwrap).collect();
            assert_eq!(positions(&found), expected, "{query:?} {direction:?}");
            expected.reverse();
        }
    }
    by_index
}

#[test]
fn i7_whatever_the_index_answers_equals_a_scan_of_the_log() {
    let disk = MemoryDisk::new();
    let store = open(&disk, options(false)).unwrap();
    for number in 0..150_u64 {
        let facts = (0..20).map(|index| {
            let number = number * 20 + index;
            let kind = if number % 50 == 0 { "Rare" } else { "Usual" };
            let fact = event(kind, vec![0; 30]).with_tag(Tag::new(format!("/accounts/{}", number * 7 % 97)).unwrap());
            if number % 11 == 0 { fact.with_tag(Tag::new("red").unwrap()) } else { fact }
        });
        let facts: Vec<_> = facts.collect();
        store.append(stream(&format!("order-{}", number % 100)), ExpectedRevision::Any, facts).wait().unwrap();
        if number % 60 == 59 {
            store.settle().unwrap(); // some of it in runs on disk, merged, the rest in memory
        }
    }
    assert!(assert_answers_equal_a_scan(&store) >= 8, "the index was hardly asked");
    store.close().unwrap();
    assert!(assert_answers_equal_a_scan(&open(&disk, options(false)).unwrap()) >= 8);
}
