//! What a store counts, seen from outside.

use gesta_store::{
    Append, EventData, EventStore, EventType, ExpectedRevision, Options, ReadOptions, Source, StreamName,
    SubscribeOptions,
};

fn event() -> EventData {
    EventData::json(EventType::new("T").expect("valid"), "{}")
}

#[test]
fn what_happens_is_counted_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = EventStore::open_with(dir.path(), Options { threads: false, ..Options::default() }).expect("opens");
    let stream = StreamName::new("order-1").expect("valid");
    let both = store.append(stream.clone(), ExpectedRevision::NoStream, [event(), event()]);
    let conflict = store.append(stream.clone(), ExpectedRevision::NoStream, [event()]);
    let invalid = store.commit(Append::to(
        stream.clone(),
        ExpectedRevision::Any,
        (0..=gesta_store::limits::EVENTS_PER_COMMIT_MAX).map(|_| event()),
    ));
    both.wait().expect("recorded");
    conflict.wait().expect_err("refused");
    invalid.wait().expect_err("too many events");

    let read: Vec<_> = store.read_stream(stream, ReadOptions::default()).expect("a read").collect();
    assert_eq!(read.len(), 2);
    let subscription = store.subscribe(Source::All, SubscribeOptions::default()).expect("a subscription");

    let measures = store.measures();
    assert_eq!((measures.commits, measures.events), (1, 2));
    assert_eq!((measures.conflicts, measures.repeats, measures.failures), (1, 0, 0));
    assert_eq!(measures.sync_micros.count, 1, "one sync for what was proposed together");
    assert_eq!((measures.group_appends.count, measures.group_appends.sum), (1, 2), "what is invalid is in no group");
    assert!(measures.log_bytes > 0);
    assert_eq!(measures.events_read, 2);
    assert_eq!((measures.subscriptions, measures.queued_appends, measures.index_backlog), (1, 0, 0));
    drop(subscription);
    assert_eq!(store.measures().subscriptions, 0);
}
