//! Every method of the front door once, on real files: what the model-based tests ask through `commit` and `read`, asked by its short name.
#![allow(clippy::unwrap_used, missing_docs)]

use gesta_store::{
    Append, AppendError, Direction, ErrorKind, EventData, EventStore, ExpectedRevision, From, Options, Query,
    QueryItem, ReadOptions, Rejection, Revision, StreamName, StreamStatus, Timestamp,
};

fn name(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn fact(data: impl Into<Vec<u8>>) -> EventData {
    EventData::binary("Happened".try_into().unwrap(), data.into())
}

fn live(first: u64, last: u64) -> StreamStatus {
    StreamStatus::Live { first: Revision(first), last: Revision(last) }
}

#[test]
fn a_stream_lives_is_deleted_revived_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path().join("store")).unwrap();
    let order = name("order-1");
    let append = |store: &EventStore| store.append(name("order-1"), ExpectedRevision::Any, [fact("x")]).wait();
    assert_eq!(store.stream_status(&order).unwrap(), StreamStatus::Missing);
    assert_eq!(store.stream_metadata(&order).unwrap(), None);
    (0..4).for_each(|_| drop(append(&store).unwrap()));
    assert_eq!(store.stream_status(&order).unwrap(), live(0, 3));

    let document = r#"{"$maxCount":2,"owner":"ada"}"#;
    store.set_stream_metadata(&order, ExpectedRevision::NoStream, document).wait().unwrap();
    assert_eq!(store.stream_metadata(&order).unwrap(), Some((Revision(0), document.to_owned())));
    assert_eq!(store.stream_status(&order).unwrap(), live(2, 3));
    assert_eq!(store.read_stream(order.clone(), ReadOptions::default()).unwrap().count(), 2);
    assert_eq!(store.read_all(ReadOptions::default()).unwrap().count(), 5, "hidden events stay in the log");
    let refused = store.set_stream_metadata(&order, ExpectedRevision::Any, "[1]").wait();
    assert!(matches!(refused, Err(AppendError::Failed(error)) if error.kind() == ErrorKind::Invalid));

    store.delete_stream(order.clone(), ExpectedRevision::Exact(Revision(3))).wait().unwrap();
    assert_eq!(store.stream_status(&order).unwrap(), StreamStatus::SoftDeleted { last: Revision(3) });
    let error = store.read_stream(order.clone(), ReadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    append(&store).unwrap();
    assert_eq!(store.stream_status(&order).unwrap(), live(4, 4));

    store.tombstone_stream(order.clone(), ExpectedRevision::StreamExists).wait().unwrap();
    assert_eq!(store.stream_status(&order).unwrap(), StreamStatus::Tombstoned { last: Revision(5) });
    assert!(matches!(append(&store), Err(AppendError::Rejected(Rejection::StreamDeleted { .. }))));
    let names: Vec<_> = store.streams("", None, 9).unwrap().into_iter().map(|stream| stream.name).collect();
    assert_eq!(names, [name("$$order-1"), name("order-1")]);
    store.settle().unwrap();
    assert!(store.verify(|_| ()).unwrap().is_sound());
    store.close().unwrap();

    let store =
        EventStore::open_with(dir.path().join("store"), Options { create: false, ..Options::default() }).unwrap();
    let info = store.info().unwrap();
    assert!(info.recovery.clean && info.refusing_appends.is_none());
    assert_eq!((info.head.0, info.streams), (9, 2));
}

/// An event larger than the tail cache, one larger than a segment, and small ones between them: read in any direction, by any way.
#[test]
fn events_larger_than_cache_and_segment_are_events_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 64 << 10, tail_cache_bytes: 4 << 10, ..Options::default() };
    let store = EventStore::open_with(dir.path().join("store"), options.clone()).unwrap();
    let sizes = [10, 5 << 10, 10, 100 << 10, 10, 3 << 20, 10];
    for (number, size) in sizes.into_iter().enumerate() {
        let data: Vec<u8> = (0..size).map(|byte| (byte * 31 + number) as u8).collect();
        store.append(name("large"), ExpectedRevision::Any, [fact(data)]).wait().unwrap();
    }
    let query = Query::of(QueryItem::default().event_type("Happened".try_into().unwrap()));
    let check = |store: &EventStore| {
        for direction in [Direction::Forward, Direction::Backward] {
            let options = || ReadOptions { direction, batch_bytes: 1000, ..ReadOptions::default() };
            let reads = [
                store.read_all(options()).unwrap(),
                store.read_stream(name("large"), options()).unwrap(),
                store.read_stream(name("$et-Happened"), options()).unwrap(),
                store.read_query(query.clone(), options()).unwrap(),
            ];
            for read in reads {
                let mut found: Vec<_> = read.map(Result::unwrap).collect();
                if direction == Direction::Backward {
                    found.reverse();
                }
                assert_eq!(found.iter().map(|event| event.data.len()).collect::<Vec<_>>(), sizes);
                assert!(found.iter().enumerate().all(|(number, event)| {
                    event.data.iter().enumerate().all(|(byte, found)| *found == (byte * 31 + number) as u8)
                }));
            }
        }
    };
    check(&store);
    store.close().unwrap();
    let store = EventStore::open_with(dir.path().join("store"), options).unwrap();
    check(&store);
    assert!(store.verify(|_| ()).unwrap().is_sound());
}

/// An import keeps its times in order, and cannot write the future.
#[test]
fn imported_times_never_run_back_and_never_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let store = EventStore::open(dir.path().join("store")).unwrap();
    for time in [1000, 3000, 2000, i64::MAX] {
        let import = Append::to(name("old"), ExpectedRevision::Any, [fact("x")]).recorded_at(Timestamp(time));
        store.commit(import).wait().unwrap();
    }
    let read = |options| store.read_all(options).unwrap().map(|event| event.unwrap().recorded_at.0).collect::<Vec<_>>();
    let times = read(ReadOptions::default());
    assert_eq!(times[..3], [1000, 3000, 3000]);
    assert!((3000..i64::MAX).contains(&times[3]), "as late as now");
    let from = |time| ReadOptions { from: From::Time(Timestamp(time)), ..ReadOptions::default() };
    assert_eq!(read(from(1001)).len(), 3);
    assert_eq!(read(ReadOptions { direction: Direction::Backward, ..from(1001) }), [1000]);
}
