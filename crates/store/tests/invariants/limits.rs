//! I9: bounded. Exceeding a limit is a typed error that names it.

use gesta_store::{
    Append, AppendCondition, AppendError, Category, ContentType, Error, ErrorKind, EventData, EventStore, EventType,
    ExpectedRevision, Path, PathPattern, Query, QueryItem, ReadOptions, Source, StreamName, SubscribeOptions, Tag,
    disk::memory::MemoryDisk, limits,
};
use uuid::Uuid;

use crate::{event, open, options, stream};

fn failed(store: &EventStore, append: Append) -> Error {
    match store.commit(append).wait() {
        Err(AppendError::Failed(error)) => error,
        other => panic!("must be refused before it is ordered: {other:?}"),
    }
}

/// The error must tell the caller to correct the request, and name the bound.
fn assert_bounded(error: &Error, bound: usize) {
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains(&format!("max={bound}")), "the limit {bound} is not named: {error}");
}

fn any(name: &str, events: Vec<EventData>) -> Append {
    Append::to(stream(name), ExpectedRevision::Any, events)
}

#[test]
fn i9_names_have_lengths() {
    let long = |max: usize| "x".repeat(max + 1);
    assert_bounded(&StreamName::new(long(limits::STREAM_NAME_BYTES_MAX)).unwrap_err(), limits::STREAM_NAME_BYTES_MAX);
    assert_bounded(&Category::new(long(limits::STREAM_NAME_BYTES_MAX)).unwrap_err(), limits::STREAM_NAME_BYTES_MAX);
    assert_bounded(&EventType::new(long(limits::EVENT_TYPE_BYTES_MAX)).unwrap_err(), limits::EVENT_TYPE_BYTES_MAX);
    assert_bounded(&Tag::new(long(limits::TAG_BYTES_MAX)).unwrap_err(), limits::TAG_BYTES_MAX);
    let content_type = ContentType::new(&long(limits::CONTENT_TYPE_BYTES_MAX)).unwrap_err();
    assert_bounded(&content_type, limits::CONTENT_TYPE_BYTES_MAX);
    assert!(StreamName::new("x".repeat(limits::STREAM_NAME_BYTES_MAX)).is_ok());
    assert!(EventType::new("x".repeat(limits::EVENT_TYPE_BYTES_MAX)).is_ok());
    assert!(Tag::new("x".repeat(limits::TAG_BYTES_MAX)).is_ok());
}

#[test]
fn i9_paths_have_a_depth_and_a_length() {
    let deep = "/a".repeat(limits::PATH_DEPTH_MAX + 1);
    let long = format!("/{}", "x".repeat(limits::PATH_BYTES_MAX));
    assert_bounded(&Path::new(&deep).unwrap_err(), limits::PATH_DEPTH_MAX);
    assert_bounded(&PathPattern::new(&deep).unwrap_err(), limits::PATH_DEPTH_MAX);
    assert_bounded(&Path::new(&long).unwrap_err(), limits::PATH_BYTES_MAX);
    assert_bounded(&PathPattern::new(&long).unwrap_err(), limits::PATH_BYTES_MAX);
    assert!(Path::new(&"/a".repeat(limits::PATH_DEPTH_MAX)).is_ok());
}

#[test]
fn i9_events_and_commits_have_sizes() {
    let store = open(&MemoryDisk::new(), options(false)).unwrap();
    let large = || event("Large", vec![0; limits::EVENT_BYTES_MAX]);
    assert_bounded(&failed(&store, any("a", vec![large().with_metadata("m")])), limits::EVENT_BYTES_MAX);
    assert_bounded(&failed(&store, any("a", vec![large(), large()])), limits::COMMIT_BYTES_MAX);
    let tagged = (0..=limits::TAGS_PER_EVENT_MAX).map(|tag| Tag::new(format!("tag-{tag}")).unwrap());
    let tagged = tagged.fold(event("Tagged", ""), EventData::with_tag);
    assert_bounded(&failed(&store, any("a", vec![tagged])), limits::TAGS_PER_EVENT_MAX);
    let document = format!("{{\"note\":\"{}\"}}", "x".repeat(limits::STREAM_METADATA_BYTES_MAX));
    match store.set_stream_metadata(&stream("a"), ExpectedRevision::Any, &document).wait() {
        Err(AppendError::Failed(error)) => assert_bounded(&error, limits::STREAM_METADATA_BYTES_MAX),
        other => panic!("{other:?}"),
    }
    // As large as may be, far beyond a segment of this store.
    store.commit(any("a", vec![large()])).wait().unwrap();
    assert_eq!(store.read_all(ReadOptions::default()).unwrap().count(), 1);
}

#[test]
fn i9_requests_have_counts() {
    let store = open(&MemoryDisk::new(), options(false)).unwrap();
    let numbered = |number: usize| event("N", "").with_id(Uuid::from_u128(number as u128));
    let many = (0..=limits::EVENTS_PER_COMMIT_MAX).map(numbered).collect();
    assert_bounded(&failed(&store, any("a", many)), limits::EVENTS_PER_COMMIT_MAX);
    let streams = (0..=limits::STREAMS_PER_COMMIT_MAX)
        .fold(Append::new(), |append, number| append.tombstone(stream(&format!("s-{number}")), ExpectedRevision::Any));
    assert_bounded(&failed(&store, streams), limits::STREAMS_PER_COMMIT_MAX);
    let condition = || AppendCondition { none_matching: Query::all(), after: None };
    let conditions = (0..=limits::CONDITIONS_PER_COMMIT_MAX)
        .fold(any("a", vec![numbered(1)]), |append, _| append.condition(condition()));
    assert_bounded(&failed(&store, conditions), limits::CONDITIONS_PER_COMMIT_MAX);
}

#[test]
fn i9_queries_have_counts_wherever_they_stand() {
    let store = open(&MemoryDisk::new(), options(false)).unwrap();
    let items = Query { items: vec![QueryItem::default(); limits::QUERY_ITEMS_MAX + 1] };
    let term = EventType::new("T").unwrap();
    let terms = (0..=limits::QUERY_TERMS_MAX).fold(QueryItem::default(), |item, _| item.event_type(term.clone()));
    for (query, max) in [(items, limits::QUERY_ITEMS_MAX), (Query::of(terms), limits::QUERY_TERMS_MAX)] {
        let options = ReadOptions::default;
        assert_bounded(&store.read_query(query.clone(), options()).unwrap_err(), max);
        assert_bounded(&store.explain(&query, &options()).unwrap_err(), max);
        assert_bounded(&store.subscribe(Source::Query(query.clone()), SubscribeOptions::default()).unwrap_err(), max);
        let condition = AppendCondition { none_matching: query, after: None };
        assert_bounded(&failed(&store, any("a", vec![event("N", "")]).condition(condition)), max);
    }
}

#[test]
fn i9_batches_must_hold_something() {
    let store = open(&MemoryDisk::new(), options(false)).unwrap();
    for (batch_events, batch_bytes) in [(0, 1), (1, 0)] {
        let read = ReadOptions { batch_events, batch_bytes, ..ReadOptions::default() };
        let subscribe = SubscribeOptions { batch_events, batch_bytes, ..SubscribeOptions::default() };
        for error in [store.read_all(read).unwrap_err(), store.subscribe(Source::All, subscribe).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("batch_events="), "{error}");
        }
    }
}
